//! What the recorder learns from the ledger when it opens: the end of the audit chain, the bodies
//! already stored, admissions without an outcome, and lineage.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ledger::{Body, Kind, Leaf};
use record::entry::{self, Owner};
use record::taint::TaintSet;
use seal::digest::Digest;
use seal::json::{self, Limits, Value, audit_members};

use crate::lineage::{Key, Known, Lineage, Memory, RememberedCall};

/// Grows entry by entry.
pub(super) struct Replay {
    /// Whose audit lines are ours.
    writer: String,
    pub last_hmac: Option<String>,
    /// The key that line is under; each begins a chain of its own.
    last_key: String,
    pub bodies: HashSet<Digest>,
    pub lineage: Lineage,
    pub last_ms: u64,
    pub last_ns: u64,
    /// The first audit line of ours that could not be read.
    pub unreadable: Option<u64>,
    /// The first audit line of ours that is encrypted for others.
    pub encrypted: Option<u64>,
    /// The last audit line of ours, where its body was pruned.
    pub pruned: Option<u64>,
    /// By request: where the admission lies, and its line.
    open: HashMap<String, (u64, Vec<u8>)>,
}

/// An admission whose outcome is not recorded.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub entry_id: String,
    pub owner: Owner,
    pub approval_chain: Vec<String>,
    pub fingerprint: String,
    /// The admission's metadata, of which the closing entry repeats what identifies the request.
    pub metadata: Vec<(String, Value)>,
}

/// What a line says to whoever continues after it.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    check_is_admission: bool,
    request: Option<String>,
    has_outcome: bool,
    memories: Vec<Memory>,
}

impl Replay {
    pub fn new(lineage: Lineage, writer: &str) -> Replay {
        Replay {
            writer: writer.to_owned(),
            last_hmac: None,
            last_key: String::new(),
            bodies: HashSet::new(),
            lineage,
            last_ms: 0,
            last_ns: 0,
            unreadable: None,
            encrypted: None,
            pruned: None,
            open: HashMap::new(),
        }
    }

    /// Takes in one entry of the ledger.
    pub fn visit(&mut self, index: u64, leaf: &Leaf, body: Body<'_>) {
        self.last_ms = self.last_ms.max(leaf.ts);
        match (leaf.kind, body) {
            // One that was pruned is stored anew when it is used again.
            (Kind::Config | Kind::Ruleset | Kind::Facts, Body::Pruned) => {
                self.bodies.remove(&leaf.body);
            }
            (Kind::Config | Kind::Ruleset | Kind::Facts, Body::Present(_) | Body::Encrypted(_)) => {
                self.bodies.insert(leaf.body);
            }
            (Kind::Audit, _) if leaf.writer != self.writer => {}
            (Kind::Audit, Body::Present(line)) => self.audit(index, line),
            // The newest line and open admissions are never pruned. Should the last one be gone all
            // the same, nobody knows what the next has to be chained to.
            (Kind::Audit, Body::Pruned) => self.pruned = Some(index),
            (Kind::Audit, Body::Encrypted(_)) => {
                self.encrypted.get_or_insert(index);
            }
            _ => {}
        }
    }

    fn audit(&mut self, index: u64, body: &[u8]) {
        // A start reads every line there is: nearly all of them at a glance.
        let Some(said) = self.glanced(body).or_else(|| self.read(body)) else {
            self.unreadable.get_or_insert(index);
            return;
        };
        let Some(request) = said.request else { return };
        for memory in said.memories {
            self.lineage.remember(memory);
        }
        if said.has_outcome {
            self.open.remove(&request);
        } else if said.check_is_admission {
            self.open.insert(request, (index, body.to_vec()));
        }
    }

    pub(super) fn glanced(&mut self, body: &[u8]) -> Option<Said> {
        let line = entry::glance(body)?;
        let (mut request, mut has_outcome, mut lineage) = (None, false, None);
        let mut key = "";
        let mut plain = true;
        audit_members(
            line.metadata.as_bytes(),
            Limits::DOCUMENT,
            &mut |member| match member.name {
                "_request" => match member.value.strip_prefix('"') {
                    Some(text) => {
                        plain &= !text.contains('\\');
                        request = text.strip_suffix('"');
                    }
                    None => request = None,
                },
                "_outcome" => has_outcome = true,
                "_signing_key_id" => {
                    plain &= !member.value.contains('\\');
                    key = member.value.trim_matches('"');
                }
                "_lineage" => lineage = Some(member.value),
                _ => {}
            },
        )
        .then_some(())?;
        plain.then_some(())?;
        let memories = match lineage {
            Some(text) => memories(&json::parse(text.as_bytes(), Limits::DOCUMENT).ok()?),
            None => Vec::new(),
        };
        self.chained(line.hmac, line.ts_ns, key);
        let check_is_admission = line.check_name == ADMISSION;
        Some(Said {
            check_is_admission,
            request: request.map(str::to_owned),
            has_outcome,
            memories,
        })
    }

    pub(super) fn read(&mut self, body: &[u8]) -> Option<Said> {
        let line = entry::read_line(body).ok()?;
        let metadata = &line.entry.metadata;
        let said = Said {
            check_is_admission: line.entry.check_name == ADMISSION,
            request: text(metadata, "_request").map(str::to_owned),
            has_outcome: find(metadata, "_outcome").is_some(),
            memories: find(metadata, "_lineage").map(memories).unwrap_or_default(),
        };
        self.chained(&line.hmac, line.entry.ts_ns, line.key_id.as_deref().unwrap_or_default());
        Some(said)
    }

    /// What the next line under this key follows: the last one, unless that is under another key.
    pub fn head(&self, key: &str) -> Option<String> {
        self.last_hmac.clone().filter(|_| self.last_key == key)
    }

    fn chained(&mut self, hmac: &str, ts_ns: u64, key: &str) {
        self.pruned = None;
        if self.last_key != key {
            key.clone_into(&mut self.last_key);
        }
        let last = self.last_hmac.get_or_insert_default();
        last.clear();
        last.push_str(hmac);
        self.last_ns = self.last_ns.max(ts_ns);
    }

    /// The admissions that have no outcome, in the order of the ledger; `Err` is where one lies that
    /// cannot be read after all.
    pub fn orphans(&mut self) -> Result<Vec<(String, Orphan)>, u64> {
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_by_key(|(_, (index, _))| *index);
        let read = |(request, (index, line)): (String, (u64, Vec<u8>))| {
            let audit = entry::read_line(&line).map_err(|_| index)?.entry;
            let orphan = Orphan {
                entry_id: audit.entry_id,
                owner: audit.owner,
                approval_chain: audit.approval_chain,
                fingerprint: audit.request_fingerprint,
                metadata: audit.metadata,
            };
            Ok((request, orphan))
        };
        open.into_iter().map(read).collect()
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
        // Who cites a receipt inherits its taint: there is no one without the other.
        let (receipt, taint) = match value.get("receipt") {
            None => (None, TaintSet::default()),
            Some(receipt) => {
                let tags = value.get("taint")?.as_array()?.iter().map(Value::as_str);
                let tags: Vec<&str> = tags.collect::<Option<_>>()?;
                (Some(receipt.as_str()?.parse().ok()?), TaintSet::of(tags))
            }
        };
        let calls = value.get("calls").and_then(Value::as_array).unwrap_or_default();
        Some(Memory {
            known: Known { receipt, taint: Arc::new(taint) },
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
fn memories(lineage: &Value) -> Vec<Memory> {
    lineage.as_array().unwrap_or_default().iter().filter_map(Memory::from_value).collect()
}

fn find<'a>(metadata: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn text<'a>(metadata: &'a [(String, Value)], name: &str) -> Option<&'a str> {
    find(metadata, name).and_then(Value::as_str)
}

/// The check that opens a request.
const ADMISSION: &str = "pipeline.admission";
