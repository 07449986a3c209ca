//! Learning the weights of the second layer: whole numbers, one order, one thread, so that the same
//! texts give the same bytes on every machine.

use std::collections::BTreeMap;

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
const PASSES: u32 = 30;
/// In the first passes all sentences of an attack are learned from, later the worst.
const WHOLE: u32 = 4;
/// The last passes count: their weights are averaged.
const AVERAGED: u32 = 15;
/// Seed of the order.
pub const SEED: u64 = 20_261_121;
/// Fixed point of weights while learning.
const UNIT: i64 = 1 << 16;
/// A step for an error of one in the first pass, in the fixed point.
const STEP: i64 = UNIT * 2 / 5;
/// After so many passes steps are half as long.
const HALF: i64 = 4;
/// Harmless texts weigh so much more, in 1/256: a false alarm is worse than a miss.
const HARMLESS: i64 = 640;
/// The first pass takes one part in so many off every weight.
const FORGET: i64 = 60;

/// Learns weights, in the unit of [`Semantic::UNIT`].
pub fn learn(texts: &[&Text]) -> Vec<i8> {
    let mut weights = vec![0i64; Semantic::FEATURES];
    let mut sums = vec![0i64; Semantic::FEATURES];
    let shares = shares(texts);
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let mut random = SEED;
    for pass in 0..PASSES {
        let slower = HALF + i64::from(pass);
        let speed = STEP * HALF / slower;
        shuffle(&mut order, &mut random);
        for index in &order {
            let (text, share) = (texts[*index], shares[*index] * speed / 256);
            if text.attack && pass >= WHOLE {
                // one sentence makes the text an attack: the one that looks most like it
                let worst = text.sentences.iter().max_by_key(|one| margin(one, &weights));
                worst.into_iter().for_each(|one| step(one, 1000, share, &mut weights));
            } else {
                let wanted = if text.attack { 1000 } else { 0 };
                let share = match i64::try_from(text.sentences.len()) {
                    Ok(count) if text.attack => share * 16 / (count.max(1) * 256).isqrt(),
                    Ok(_) | Err(_) => share,
                };
                text.sentences.iter().for_each(|one| step(one, wanted, share, &mut weights));
            }
        }
        for weight in weights.iter_mut().skip(1) {
            *weight -= *weight * HALF / slower / FORGET;
        }
        if pass >= PASSES - AVERAGED {
            sums.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight);
        }
    }
    let unit = UNIT * i64::from(AVERAGED) / i64::from(Semantic::UNIT);
    sums.iter().map(|sum| round(*sum, unit).clamp(-127, 127) as i8).collect()
}

/// How much each text counts: a family of many texts counts more than one of few, but not by as
/// much.
fn shares(texts: &[&Text]) -> Vec<i64> {
    let mut sizes: BTreeMap<&str, i64> = BTreeMap::new();
    texts.iter().for_each(|text| *sizes.entry(&text.family).or_default() += 1);
    let share = |text: &&Text| {
        let size = sizes.get(&*text.family).copied().unwrap_or(1);
        let share = 256 * 6 * 16 / (size * 256).isqrt();
        if text.attack { share } else { share * HARMLESS / 256 }
    };
    texts.iter().map(share).collect()
}

/// The sum of a sentence in the fixed point.
fn margin(features: &Features, weights: &[i64]) -> i64 {
    features.iter().map(|(at, value)| weights[*at] * i64::from(*value)).sum::<i64>() / 256
}

/// A step against the error: `share` is how far for an error of one.
fn step(features: &Features, wanted: i64, share: i64, weights: &mut [i64]) {
    let sum = margin(features, weights) * i64::from(Semantic::UNIT) / UNIT;
    let score = i64::from(per_mille(i32::try_from(sum).unwrap_or(i32::MAX)));
    let step = (wanted - score) * share / 1000;
    for (at, value) in features {
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
