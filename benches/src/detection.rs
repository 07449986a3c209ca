//! What the scanner finds of the corpus, and what harmless text they take for an attack.
//!
//! One operating point: standard mode, found means at least `SUSPICIOUS`. A text that only holds a
//! secret or personal data is found when a rule names it, since such hits are cut out and do not
//! raise the verdict.

mod folds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use scan::{Action, Category, Engine, Severity, Target, Verdict};
use seal::json;

use crate::figure::{Figure, Table};

/// Prints precision, recall and false-positive rate by split and category, and what is still found
/// of each family without the rules that live from it.
pub fn run(table: &mut Table) -> Result<()> {
    let engine = Engine::builtin();
    let mut all = Vec::new();
    for split in ["train", "dev", "test"] {
        let mut texts = Vec::new();
        for file in files(split)? {
            let lines = std::fs::read_to_string(&file)?;
            texts.extend(read(&engine, &lines).with_context(|| file.display().to_string())?);
        }
        overall(table, split, texts.iter());
        let blind = |text: &&Text| text.family.starts_with("blind-");
        if texts.iter().any(|text| blind(&text)) {
            overall(table, &format!("{split}, blind alone"), texts.iter().filter(blind));
        }
        all.push((split, texts));
    }
    for (split, texts) in &all {
        by_category(table, split, texts);
    }
    let Some((_, test)) = all.iter().find(|(split, _)| *split == "test") else { return Ok(()) };
    false_alarms(table, test);
    let texts: Vec<&Text> = all.iter().flat_map(|(_, texts)| texts).collect();
    left_out(table, &texts, test);
    folds::run(table, &texts, test)
}

/// The files of a split, by name.
fn files(split: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(split);
    let mut files = Vec::new();
    for entry in folder.read_dir().with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// One text of the corpus and what the engine says of it.
struct Text {
    /// As it stands in the corpus.
    line: String,
    text: String,
    target: Target,
    secret: bool,
    family: String,
    category: String,
    benign: bool,
    verdict: Verdict,
    /// Whether it is found, or taken for an attack.
    found: bool,
    /// The rules that are enough for that, each alone.
    by: BTreeSet<Arc<str>>,
}

fn read(engine: &Engine, lines: &str) -> Result<Vec<Text>> {
    lines
        .lines()
        .enumerate()
        .map(|(n, line)| text(engine, line).with_context(|| format!("line {}", n + 1)))
        .collect()
}

fn text(engine: &Engine, line: &str) -> Result<Text> {
    let value = json::parse(line.as_bytes(), json::Limits::LINE).context("not JSON")?;
    let member = |name: &str| {
        value.get(name).and_then(json::Value::as_str).with_context(|| format!("no {name}"))
    };
    let target = match member("target")? {
        "input" => Target::Input,
        "output" => Target::Output,
        "tool_call" => Target::ToolCall,
        "tool_result" => Target::ToolResult,
        other => bail!("target {other:?} is none"),
    };
    let secret = member("label")? == "secret";
    let scan = engine.scan(member("text")?, target);
    let content = |category| matches!(category, Category::Secret | Category::Pii);
    let by = scan
        .hits
        .iter()
        .filter(|hit| match secret {
            true => content(hit.category),
            false => hit.action != Action::Redact && hit.severity > Severity::Low,
        })
        .map(|hit| hit.rule.clone())
        .collect::<BTreeSet<_>>();
    Ok(Text {
        line: line.to_owned(),
        text: member("text")?.to_owned(),
        target,
        secret,
        family: member("family")?.to_owned(),
        category: member("category")?.to_owned(),
        benign: member("label")? == "benign",
        verdict: scan.verdict,
        found: if secret { !by.is_empty() } else { scan.verdict > Verdict::Clean },
        by,
    })
}

/// How many of how many.
fn share(of: impl Iterator<Item = bool>) -> (usize, usize) {
    of.fold((0, 0), |(hit, all), found| (hit + usize::from(found), all + 1))
}

fn percent((hit, all): (usize, usize)) -> f64 {
    if all == 0 { 0.0 } else { 100.0 * hit as f64 / all as f64 }
}

fn f1(recall: (usize, usize), alarms: usize) -> f64 {
    let (hit, all) = recall;
    let (hit, missed) = (hit as f64, (all - hit) as f64);
    2.0 * hit / (2.0 * hit + missed + alarms as f64)
}

fn overall<'a>(table: &mut Table, split: &str, texts: impl Iterator<Item = &'a Text>) {
    let texts: Vec<&Text> = texts.collect();
    table.section(
        &format!("Detection, {split}"),
        "Built-in rules and second layer, standard mode; found means at least SUSPICIOUS. Families of one split have no sibling in another.",
    );
    let found = share(texts.iter().filter(|text| !text.benign).map(|text| text.found));
    let alarms = share(texts.iter().filter(|text| text.benign).map(|text| text.found));
    let worst = share(
        texts.iter().filter(|text| text.benign).map(|text| text.verdict == Verdict::Malicious),
    );
    let of = |(hit, all): (usize, usize)| format!("{hit} of {all}");
    table.add(Figure::new(format!("recall ({})", of(found)), percent(found), "%"));
    let precision = (found.0, found.0 + alarms.0);
    table.add(Figure::new(format!("precision ({})", of(precision)), percent(precision), "%"));
    table.add(
        Figure::new(format!("false positives ({})", of(alarms)), percent(alarms), "%")
            .goal(2.5, 2.5),
    );
    table.add(Figure::new(
        format!("harmless called MALICIOUS ({})", of(worst)),
        percent(worst),
        "%",
    ));
    table.add(Figure::new("F1", f1(found, alarms.0), "").goal(0.9, 0.9));
}

fn by_category(table: &mut Table, split: &str, texts: &[Text]) {
    table.section(
        &format!("Detection by category, {split}"),
        "Recall of each category; precision of it against all harmless texts of the split.",
    );
    let alarms = texts.iter().filter(|text| text.benign && text.found).count();
    let mut categories: BTreeMap<&str, Vec<&Text>> = BTreeMap::new();
    for text in texts.iter().filter(|text| !text.benign) {
        categories.entry(&text.category).or_default().push(text);
    }
    for (category, texts) in categories {
        let found = share(texts.iter().map(|text| text.found));
        let precision = percent((found.0, found.0 + alarms));
        table.add(Figure::new(
            format!("{category}: recall of {} (precision {precision:.0} %)", found.1),
            percent(found),
            "%",
        ));
    }
}

fn families<'a>(texts: impl Iterator<Item = &'a Text>) -> BTreeMap<&'a str, Vec<&'a Text>> {
    let mut families: BTreeMap<&str, Vec<&Text>> = BTreeMap::new();
    texts.for_each(|text| families.entry(&text.family).or_default().push(text));
    families
}

fn false_alarms(table: &mut Table, texts: &[Text]) {
    table.section("False positives by kind, test", "Harmless texts taken for an attack.");
    for (family, texts) in families(texts.iter().filter(|text| text.benign)) {
        let alarms = share(texts.iter().map(|text| text.found));
        let name = format!("{family} ({} of {})", alarms.0, alarms.1);
        table.add(Figure::new(name, percent(alarms), "%"));
    }
}

/// A rule lives from the family in which it fires most. A family left out is scanned without the
/// rules that live from it: what remains was made from other families. The second layer stays, for it
/// has learned from `train` alone.
fn left_out(table: &mut Table, texts: &[&Text], test: &[Text]) {
    table.section(
        "Families of test, one left out at a time",
        "Recall without the rules that fire most in this very family: what the others make of it. In parentheses: with all rules.",
    );
    let mut fires: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for text in texts.iter().filter(|text| !text.benign) {
        for rule in &text.by {
            *fires.entry(&**rule).or_default().entry(&text.family).or_default() += 1;
        }
    }
    let home: BTreeMap<&str, &str> = fires
        .iter()
        .filter_map(|(rule, families)| {
            let (family, _) = families.iter().max_by_key(|(_, count)| **count)?;
            Some((*rule, *family))
        })
        .collect();
    let alarms = test.iter().filter(|text| text.benign && text.found).count();
    let (mut hit, mut all) = (0, 0);
    for (family, texts) in families(test.iter().filter(|text| !text.benign)) {
        let learned = |rule: &str| rule.starts_with("CS-SEM-");
        let stays = |rule: &Arc<str>| learned(rule) || home.get(&**rule) != Some(&family);
        let found = share(texts.iter().map(|text| text.by.iter().any(stays)));
        let whole = percent(share(texts.iter().map(|text| text.found)));
        hit += found.0;
        all += found.1;
        table.add(Figure::new(
            format!("{family}: recall of {} ({whole:.0} %)", found.1),
            percent(found),
            "%",
        ));
    }
    table.add(Figure::new(format!("all: recall ({hit} of {all})"), percent((hit, all)), "%"));
    table.add(Figure::new("all: F1", f1((hit, all), alarms), "").goal(0.9, 0.9));
}
