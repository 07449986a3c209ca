//! Learning the weights of the second layer: whole numbers, one order, one thread, so that the same
//! texts give the same bytes on every machine.

use countersign_scan::{Features, Semantic, per_mille};
use seal::json::{self, Limits, Value};

/// One text to learn from.
pub struct Text {
    /// Texts of one family are left out together.
    pub family: String,
    pub attack: bool,
    pub text: String,
    /// The features of each sentence.
    pub sentences: Vec<Features>,
}

/// Reads a file of the corpus.
pub fn read(lines: &str, semantic: &Semantic) -> Result<Vec<Text>, String> {
    let mut texts = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let document = json::parse(line.as_bytes(), Limits::LINE)
            .map_err(|error| format!("line {number}: {error}"))?;
        let member = |name: &str| {
            document.get(name).and_then(Value::as_str).ok_or(format!("line {number}: no {name}"))
        };
        let (label, target, category) = (member("label")?, member("target")?, member("category")?);
        let attack = match label {
            "attack" => true,
            "benign" => false,
            _ => continue,
        };
        // what the layer does not judge: what a model wrote, and disguises, which the engine takes
        // off before it asks. Harmless texts of every kind are learned from.
        if attack && (!matches!(target, "input" | "tool_result") || category == "evasion") {
            continue;
        }
        let text = member("text")?.to_owned();
        let sentences = semantic.features(&text);
        texts.push(Text { family: member("family")?.to_owned(), attack, text, sentences });
    }
    Ok(texts)
}

/// Passes over the texts.
const PASSES: u32 = 40;
/// The last passes count: their weights are averaged.
const AVERAGED: u32 = 20;
/// Seed of the order.
pub const SEED: u64 = 20_261_121;
/// Fixed point of weights while learning.
const UNIT: i64 = 1 << 16;
/// A step for an error of one, in the fixed point.
const STEP: i64 = UNIT / 32;
/// Harmless texts weigh so much more, in 1/256: a false alarm is worse than a miss.
const HARMLESS: i64 = 640;
/// Each pass takes one part in so many off every weight of a concept, and of a word.
const FORGET: (i64, i64) = (24, 12);

/// Learns weights, in the unit of [`Semantic::UNIT`].
pub fn learn(texts: &[&Text]) -> Vec<i8> {
    let mut weights = vec![0i64; Semantic::FEATURES];
    let mut sums = vec![0i64; Semantic::FEATURES];
    let shares: Vec<i64> = texts.iter().map(|text| share(text, texts)).collect();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let mut random = SEED;
    for pass in 0..PASSES {
        shuffle(&mut order, &mut random);
        for index in &order {
            let (text, share) = (texts[*index], shares[*index]);
            if text.attack {
                // one sentence makes the text an attack: the one that looks most like it
                let worst = text.sentences.iter().max_by_key(|one| margin(one, &weights));
                worst.into_iter().for_each(|one| step(one, 1000, share, &mut weights));
            } else {
                text.sentences.iter().for_each(|one| step(one, 0, share, &mut weights));
            }
        }
        for (at, weight) in weights.iter_mut().enumerate().skip(1) {
            *weight -= *weight / if at < Semantic::WORDS { FORGET.0 } else { FORGET.1 };
        }
        if pass >= PASSES - AVERAGED {
            sums.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight);
        }
    }
    let unit = UNIT * i64::from(AVERAGED) / i64::from(Semantic::UNIT);
    sums.iter().map(|sum| round(*sum, unit).clamp(-127, 127) as i8).collect()
}

/// How much a text counts: a family of many texts counts more than one of few, but not by as much.
fn share(text: &Text, texts: &[&Text]) -> i64 {
    let size = texts.iter().filter(|other| other.family == text.family).count();
    let share = 256 * 6 * 16 / i64::try_from(size * 256).unwrap_or(i64::MAX).isqrt();
    if text.attack { share } else { share * HARMLESS / 256 }
}

/// The sum of a sentence in the fixed point, and whether its words already say all they may.
fn sums(features: &Features, weights: &[i64]) -> (i64, i64) {
    let (mut concepts, mut words) = (0, 0);
    for (at, value) in features {
        let part = weights[*at] * i64::from(*value) / 256;
        *(if *at < Semantic::WORDS { &mut concepts } else { &mut words }) += part;
    }
    (concepts, words)
}

const MOST: i64 = Semantic::MOST_OF_WORDS as i64 * UNIT / Semantic::UNIT as i64;

fn margin(features: &Features, weights: &[i64]) -> i64 {
    let (concepts, words) = sums(features, weights);
    concepts + words.clamp(-MOST, MOST)
}

fn step(features: &Features, wanted: i64, share: i64, weights: &mut [i64]) {
    let (concepts, words) = sums(features, weights);
    let sum = (concepts + words.clamp(-MOST, MOST)) * i64::from(Semantic::UNIT) / UNIT;
    let score = i64::from(per_mille(i32::try_from(sum).unwrap_or(i32::MAX)));
    let step = STEP * (wanted - score) / 1000 * share / 256;
    let full = words.abs() > MOST && (words > 0) == (step > 0);
    for (at, value) in features.iter().filter(|(at, _)| *at < Semantic::WORDS || !full) {
        weights[*at] += step * i64::from(*value) / 256;
    }
}

fn round(sum: i64, unit: i64) -> i64 {
    (sum + if sum < 0 { -unit / 2 } else { unit / 2 }) / unit
}

fn shuffle(order: &mut [usize], random: &mut u64) {
    for at in (1..order.len()).rev() {
        *random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(at, ((*random >> 33) % (at as u64 + 1)) as usize);
    }
}
