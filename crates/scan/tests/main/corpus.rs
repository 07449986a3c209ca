//! The corpus against the built-in rules: its own order, what must never be called malicious, and
//! that what is found does not get less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use countersign_scan::{Category, Engine, Target, Verdict};
use seal::json::{Limits, Value, parse};

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::builtin);

struct Text {
    split: &'static str,
    /// Name of the file it is in.
    file: String,
    id: String,
    family: String,
    label: String,
    target: Target,
    text: String,
}

static CORPUS: LazyLock<Vec<Text>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let mut texts = Vec::new();
    for split in ["train", "dev", "test"] {
        let mut files: Vec<_> =
            folder.join(split).read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "jsonl")) {
            let lines = std::fs::read_to_string(file).unwrap();
            texts.extend(lines.lines().map(|line| read(split, file, line)));
        }
    }
    texts
});

fn read(split: &'static str, file: &Path, line: &str) -> Text {
    let value = parse(line.as_bytes(), Limits::LINE).expect(line);
    let member = |name: &str| value.get(name).and_then(Value::as_str).expect(line).to_owned();
    let target = Target::ALL.into_iter().find(|target| target.as_str() == member("target"));
    Text {
        split,
        file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        id: member("id"),
        family: member("family"),
        label: member("label"),
        target: target.expect(line),
        text: member("text"),
    }
}

/// The files whose figures are held.
const HELD: &[&str] = &["attacks.jsonl", "benign.jsonl"];

/// Harmless texts that quote an attack word for word. Rules know phrasings, not who speaks.
const QUOTING: &str = "quoted-attacks";

#[test]
fn a_family_lies_in_one_split_and_an_id_is_given_once() {
    let mut ids = BTreeSet::new();
    let mut split_of = BTreeMap::new();
    let mut texts = BTreeSet::new();
    for text in CORPUS.iter() {
        assert!(ids.insert(&text.id), "{} twice", text.id);
        assert!(texts.insert(&text.text), "{} says what another says", text.id);
        let split = split_of.entry(&text.family).or_insert(text.split);
        assert_eq!(*split, text.split, "{}", text.family);
        assert!(matches!(&*text.label, "attack" | "secret" | "benign"), "{}", text.id);
        assert!(text.id.starts_with(&text.family), "{}", text.id);
    }
    assert!(split_of.len() > 120 && texts.len() > 3_500);
}

#[test]
fn harmless_texts_are_not_malicious() {
    let harmless =
        CORPUS.iter().filter(|text| text.label == "benign" && HELD.contains(&&*text.file));
    let wrong: Vec<String> = harmless
        .filter(|text| !text.family.starts_with(QUOTING))
        .map(|text| (text, ENGINE.scan(&text.text, text.target)))
        .filter(|(text, scan)| scan.verdict == Verdict::Malicious && !known(text))
        .map(|(text, scan)| format!("{} {:?}: {}", text.id, scan.rules(), text.text))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Called malicious all the same: word for word what an attacker writes, said by a doctor.
fn known(text: &Text) -> bool {
    text.text.contains("said I should disregard the previous instructions")
}

#[test]
fn near_misses_of_one_rule_are_not_malicious_to_another() {
    let mut wrong = Vec::new();
    for rule in ENGINE.rules() {
        for (text, target) in rule
            .misses
            .iter()
            .flat_map(|text| rule.targets.iter().map(move |target| (text, target)))
        {
            let scan = ENGINE.scan(text, target);
            if scan.verdict == Verdict::Malicious {
                wrong.push(format!("{} as {target}: {text:?} {:?}", rule.id, scan.rules()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Per cent of what is to be found in a split that is found, and of harmless texts that are taken
/// for an attack.
fn figures(split: &str) -> (usize, usize) {
    let share = |label: fn(&str) -> bool| {
        let texts: Vec<&Text> = CORPUS
            .iter()
            .filter(|text| text.split == split && HELD.contains(&&*text.file) && label(&text.label))
            .collect();
        let found = texts.iter().filter(|text| found(text)).count();
        (found * 100).div_ceil(texts.len())
    };
    (share(|label| label != "benign"), share(|label| label == "benign"))
}

fn found(text: &Text) -> bool {
    let scan = ENGINE.scan(&text.text, text.target);
    let content = |category| matches!(category, Category::Secret | Category::Pii);
    match &*text.label {
        "secret" => scan.hits.iter().any(|hit| content(hit.category)),
        _ => scan.verdict > Verdict::Clean,
    }
}

#[test]
fn what_is_found_does_not_get_less() {
    for (split, recall, alarms) in FLOORS {
        let (found, taken) = figures(split);
        assert!(found >= *recall, "{split}: {found} % found, it was {recall}");
        assert!(taken <= *alarms, "{split}: {taken} % of the harmless taken for attacks");
    }
}

/// Split, recall, and false positives that are not exceeded, per cent.
static FLOORS: &[(&str, usize, usize)] = &[("train", 87, 2), ("dev", 76, 1), ("test", 68, 4)];

#[test]
fn every_area_has_rules() {
    let count = |area: &str| ENGINE.rules().filter(|rule| rule.id.starts_with(area)).count();
    for (area, least) in [
        ("CS-INJ-", 60),
        ("CS-JBK-", 20),
        ("CS-EXF-", 8),
        ("CS-SEC-", 30),
        ("CS-PII-", 8),
        ("CS-TPO-", 8),
        ("CS-RAG-", 8),
        ("CS-AGT-", 12),
        ("CS-OUT-", 6),
        ("CS-TOL-", 25),
    ] {
        assert!(count(area) >= least, "{area}: {} rules", count(area));
    }
    assert!(ENGINE.rules().count() >= 180);
}

/// Texts about attacks: rules, their samples, pages that show them, and a key that tests sign with.
const ABOUT_ATTACKS: &[&str] = &[
    "crates/scan/",
    "crates/guard/",
    "crates/gateway/",
    "crates/cli/",
    "crates/record/",
    "crates/countersign/",
    "crates/seal/tests/it/dsse.rs",
    "docs/rules.md",
    "docs/operating/publishing-feeds.md",
    "tests/fuzz/",
    "tests/python/",
    "spec/semantic.md",
    "CHANGELOG.md",
    "benches/",
];

#[test]
fn the_pages_and_sources_of_this_repository_are_not_malicious() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["docs", "spec", "crates", "xtask", "deploy", "examples", "tests"] {
        collect(&root.join(folder), &mut files);
    }
    files.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(|f| root.join(f)),
    );
    let mut read = 0;
    let mut wrong = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if ABOUT_ATTACKS.iter().any(|about| name.starts_with(about)) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        read += 1;
        let scan = ENGINE.scan(&text, Target::ToolResult);
        if scan.verdict == Verdict::Malicious {
            wrong.push(format!("{name}: {:?}", scan.rules()));
        }
    }
    assert!(read > 100, "{read} files were read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let ends = |end: &str| path.extension().is_some_and(|found| found == end);
        if path.is_dir() {
            collect(&path, files);
        } else if ["md", "rs", "toml", "yaml", "yml", "py", "sh"].into_iter().any(ends) {
            files.push(path);
        }
    }
}
