//! Where the weights come from: what stands in `provenance.json`.

use std::path::Path;

use countersign_scan::{SEMANTIC_VERSION, Semantic};
use seal::digest::Digest;
use seal::json::{Value, write_pretty};

use super::learn::SEED;

/// The files that are learned from, in this order.
pub const FILES: [&str; 4] = ["attacks.jsonl", "benign.jsonl", "casual.jsonl", "ordinary.jsonl"];

/// What says where `weights` come from.
pub fn describe(root: &Path, weights: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    for file in FILES {
        let path = format!("corpus/train/{file}");
        let bytes = std::fs::read(root.join(&path))?;
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        files.push(Value::object([
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
        ("trained_on", Value::array(files)),
        ("type", "countersign-semantic-provenance/v1".into()),
        ("version", SEMANTIC_VERSION.into()),
        ("weights", Digest::of(weights.as_bytes()).to_string().as_str().into()),
    ]));
    text.push('\n');
    Ok(text)
}
