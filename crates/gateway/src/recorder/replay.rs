//! What the recorder learns from the ledger when it opens: the end of the audit chain, the bodies
//! already stored, admissions without an outcome, and lineage.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ledger::{Kind, Leaf};
use record::entry::Owner;
use record::taint::TaintSet;
use seal::digest::Digest;
use seal::json::Value;

use super::lines::{Line, Lines};
use crate::lineage::{Key, Known, Lineage, Memory, RememberedCall};
use crate::state::WRITER;

/// Grows entry by entry.
pub(super) struct Replay {
    pub last_hmac: Option<String>,
    pub bodies: HashSet<Digest>,
    pub open: HashMap<String, Orphan>,
    pub lineage: Lineage,
    pub last_ms: u64,
    pub last_ns: u64,
    /// The first audit line of ours that could not be read.
    pub unreadable: Option<u64>,
    lines: Lines,
}

/// An admission whose outcome is not recorded (yet).
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub index: u64,
    pub entry_id: String,
    pub owner: Owner,
    pub approval_chain: Vec<String>,
    pub fingerprint: String,
    /// The admission's metadata, of which the closing entry repeats what identifies the request.
    pub metadata: Vec<(String, Value)>,
}

impl Replay {
    pub fn new(lineage: Lineage) -> Replay {
        Replay {
            last_hmac: None,
            bodies: HashSet::new(),
            open: HashMap::new(),
            lineage,
            last_ms: 0,
            last_ns: 0,
            unreadable: None,
            lines: Lines::default(),
        }
    }

    /// Takes in one entry of the ledger.
    pub fn visit(&mut self, index: u64, leaf: &Leaf, body: &[u8]) {
        self.last_ms = self.last_ms.max(leaf.ts);
        match leaf.kind {
            Kind::Config | Kind::Ruleset | Kind::Facts => {
                self.bodies.insert(leaf.body);
            }
            Kind::Audit if leaf.writer == WRITER => {
                for line in self.lines.push(index, body) {
                    self.audit(line);
                }
            }
            _ => {}
        }
    }

    /// Takes in what is still being read. Before it nothing else here is complete.
    pub fn finish(&mut self) {
        loop {
            let lines = self.lines.rest();
            if lines.is_empty() {
                return;
            }
            lines.into_iter().for_each(|line| self.audit(line));
        }
    }

    fn audit(&mut self, (index, line): Line) {
        let Some(line) = line else {
            self.unreadable.get_or_insert(index);
            return;
        };
        let hmac = line.hmac;
        let audit = line.entry;
        self.last_hmac = Some(hmac);
        self.last_ns = self.last_ns.max(audit.ts_ns);
        let Some(request) = text(&audit.metadata, "_request").map(str::to_owned) else {
            return;
        };
        for memory in remembered(&audit.metadata) {
            self.lineage.remember(memory);
        }
        if find(&audit.metadata, "_outcome").is_some() {
            self.open.remove(&request);
        } else if audit.check_name == "pipeline.admission" {
            let orphan = Orphan {
                index,
                entry_id: audit.entry_id,
                owner: audit.owner,
                approval_chain: audit.approval_chain,
                fingerprint: audit.request_fingerprint,
                metadata: audit.metadata,
            };
            self.open.insert(request, orphan);
        }
    }
}

impl Orphan {
    pub fn text(&self, name: &str) -> Option<&str> {
        text(&self.metadata, name)
    }

    pub fn digest(&self, name: &str) -> Option<Digest> {
        self.text(name)?.parse().ok()
    }
}

impl Memory {
    /// The member of `_lineage` that says this.
    pub fn to_value(&self) -> Value {
        let mut members =
            vec![("keys".to_owned(), Value::array(self.keys.iter().map(Key::to_string)))];
        if let Some(receipt) = self.known.receipt {
            members.push(("receipt".to_owned(), receipt.into()));
            members.push(("taint".to_owned(), Value::array(self.known.taint.iter())));
        }
        if !self.calls.is_empty() {
            let calls = self.calls.iter().map(|call| {
                Value::object([
                    ("arguments", call.arguments.into()),
                    ("key", call.key.to_string().into()),
                    ("tool", call.tool.as_str().into()),
                ])
            });
            members.push(("calls".to_owned(), Value::array(calls)));
        }
        Value::Object(members)
    }

    fn from_value(value: &Value) -> Option<Memory> {
        let keys = value.get("keys")?.as_array()?.iter();
        let receipt = value.get("receipt").and_then(Value::as_str);
        let taint = value.get("taint").and_then(Value::as_array).unwrap_or_default();
        let calls = value.get("calls").and_then(Value::as_array).unwrap_or_default();
        Some(Memory {
            known: Known {
                receipt: receipt.map(str::parse).transpose().ok()?,
                taint: Arc::new(TaintSet::of(taint.iter().filter_map(Value::as_str))),
            },
            keys: keys.map(|key| key.as_str()?.parse().ok()).collect::<Option<_>>()?,
            calls: calls.iter().map(call).collect::<Option<_>>()?,
        })
    }
}

fn call(value: &Value) -> Option<RememberedCall> {
    Some(RememberedCall {
        key: value.get("key")?.as_str()?.parse().ok()?,
        arguments: value.get("arguments")?.as_str()?.parse().ok()?,
        tool: value.get("tool")?.as_str()?.to_owned(),
    })
}

/// Lineage that cannot be read is lineage that is not known: a link less, never a wrong one.
fn remembered(metadata: &[(String, Value)]) -> impl Iterator<Item = Memory> {
    find(metadata, "_lineage")
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .filter_map(Memory::from_value)
}

fn find<'a>(metadata: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn text<'a>(metadata: &'a [(String, Value)], name: &str) -> Option<&'a str> {
    find(metadata, name).and_then(Value::as_str)
}
