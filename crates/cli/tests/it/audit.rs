//! Audit logs on the command line: other implementations' fixtures, and hostile files of our own.

mod cases;
mod ledger;
mod log;
mod receipts;
mod vectors;

use std::path::{Path, PathBuf};
use std::process::Output;

use seal::json::{Limits, Value, parse};

use crate::running::{countersign, said};

/// The key of `vectors/audit/v1.jsonl`.
const KEY: &str = "k1=0101010101010101010101010101010101010101010101010101010101010101";

/// Breaks as a table states them: index and kind.
type Kinds = &'static [(i64, &'static str)];

/// `countersign audit ARGS`, which must end with `exit`.
fn audit(dir: &Path, args: &[&str], exit: i32) -> Output {
    let output = countersign(dir, &[&["audit"], args].concat());
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
    output
}

/// The same with `--format json`, and what it printed.
fn audit_json(dir: &Path, args: &[&str], exit: i32) -> Value {
    let output = audit(dir, &[args, &["--format", "json"]].concat(), exit);
    parse(&output.stdout, Limits::DOCUMENT).expect("one JSON document")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/cli").to_path_buf()
}

/// Our own log of four entries.
fn own_log() -> String {
    std::fs::read_to_string(repository().join("vectors/audit/v1.jsonl")).expect("the vector")
}

/// Index, entry id and kind of every break.
fn breaks(report: &Value) -> Vec<(i64, String, String)> {
    let list = report.get("breaks").and_then(Value::as_array).expect("breaks");
    let text = |broken: &Value, name: &str| {
        broken.get(name).and_then(Value::as_str).expect("a string").to_owned()
    };
    list.iter()
        .map(|broken| {
            let index = broken.get("index").and_then(Value::as_i64).expect("an index");
            (index, text(broken, "entry_id"), text(broken, "kind"))
        })
        .collect()
}
