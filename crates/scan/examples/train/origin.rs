//! Where the weights come from: what stands in `provenance.json`.

use std::path::{Path, PathBuf};

use countersign_scan::{SEMANTIC_VERSION, Semantic};
use seal::digest::Digest;
use seal::json::{Value, write_pretty};

use super::learn::SEED;

/// The files of a split, by name: what is learned from, in this order.
pub fn files(root: &Path, split: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root.join("corpus").join(split))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What says where `weights` come from.
pub fn describe(
    root: &Path,
    files: &[PathBuf],
    weights: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut trained_on = Vec::new();
    for file in files {
        let bytes = std::fs::read(file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("corpus/train/{name}");
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        trained_on.push(Value::object([
            ("digest", Value::from(Digest::of(&bytes).to_string().as_str())),
            ("path", path.as_str().into()),
            ("texts", i64::try_from(lines)?.into()),
        ]));
    }
    let lexicon = std::fs::read(root.join("crates/scan/src/semantic/lexicon.txt"))?;
    let model = Semantic::new(weights)?.digest().to_string();
    let mut text = write_pretty(&Value::object([
        ("command", Value::from("cargo run -p countersign-scan --example train -- write")),
        ("lexicon", Digest::of(&lexicon).to_string().as_str().into()),
        ("model", model.as_str().into()),
        ("seed", i64::try_from(SEED)?.into()),
        ("trained_on", Value::array(trained_on)),
        ("type", "countersign-semantic-provenance/v1".into()),
        ("version", SEMANTIC_VERSION.into()),
        ("weights", Digest::of(weights.as_bytes()).to_string().as_str().into()),
    ]));
    text.push('\n');
    Ok(text)
}
