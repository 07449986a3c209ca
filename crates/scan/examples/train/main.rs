//! Learns the weights of the second layer from `corpus/train`, and says what they are worth:
//!
//! ```text
//! cargo run -p countersign-scan --example train -- write    writes weights.txt and provenance.json
//! cargo run -p countersign-scan --example train -- folds    each family of corpus/train left out once
//! cargo run -p countersign-scan --example train -- dev      figures of the committed weights on corpus/dev
//! cargo run -p countersign-scan --example train -- score    scores the lines of standard input
//! ```

mod learn;
mod origin;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_scan::Semantic;
use learn::Text;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let semantic = Semantic::builtin();
    let train = split(&root, "train", &semantic)?;
    match std::env::args().nth(1).as_deref() {
        Some("write") => {
            let weights = Semantic::write_weights(&learn::learn(&train.iter().collect::<Vec<_>>()));
            let folder = root.join("crates/scan/src/semantic");
            let files = origin::files(&root, "train")?;
            std::fs::write(
                folder.join("provenance.json"),
                origin::describe(&root, &files, &weights)?,
            )?;
            std::fs::write(folder.join("weights.txt"), weights)?;
        }
        Some("folds") => folds(&train)?,
        Some("dev") => {
            let weights = root.join("crates/scan/src/semantic/weights.txt");
            let semantic = Semantic::new(&std::fs::read_to_string(weights)?)?;
            for text in split(&root, "dev", &semantic)? {
                let scored = semantic.score(&text.text);
                println!("{:4} {} {} {:?}", scored.per_mille, kind(&text), text.family, text.text);
            }
        }
        Some("score") => {
            for line in std::io::stdin().lines() {
                let line = line?;
                println!("{:4} {line}", semantic.score(&line).per_mille);
            }
        }
        _ => return Err("expected write, folds, dev or score".into()),
    }
    Ok(())
}

fn kind(text: &Text) -> &'static str {
    if text.attack { "attack" } else { "benign" }
}

fn split(
    root: &Path,
    split: &str,
    semantic: &Semantic,
) -> Result<Vec<Text>, Box<dyn std::error::Error>> {
    let mut texts = Vec::new();
    for path in origin::files(root, split)? {
        let lines = std::fs::read_to_string(&path)?;
        texts.extend(learn::read(&lines, semantic).map_err(|error| format!("{path:?}: {error}"))?);
    }
    Ok(texts)
}

/// Each family is scored by weights that were learned without it.
fn folds(train: &[Text]) -> Result<(), Box<dyn std::error::Error>> {
    let names: BTreeSet<&str> = train.iter().map(|text| text.family.as_str()).collect();
    for name in names {
        let rest: Vec<&Text> = train.iter().filter(|text| text.family != name).collect();
        let semantic = Semantic::new(&Semantic::write_weights(&learn::learn(&rest)))?;
        for text in train.iter().filter(|text| text.family == name) {
            let score = semantic.score(&text.text).per_mille;
            println!("{score:4} {} {} {:?}", kind(text), text.family, text.text);
        }
    }
    Ok(())
}
