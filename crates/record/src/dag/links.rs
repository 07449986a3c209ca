//! Parents, order, time and taint, over a map that keeps little of each receipt.

use std::collections::{BTreeSet, HashMap};

use seal::digest::Digest;

use super::Step;
use crate::codes::Code;
use crate::report::Finding;
use crate::taint::TaintSet;

/// What is kept of a receipt: 48 bytes with its hash.
#[derive(Clone, Copy)]
struct Node {
    taint: u32,
    iat: i64,
}

/// The receipts seen so far and the steps that wait for a parent.
pub(super) struct Links {
    nodes: HashMap<Digest, Node>,
    taints: Vec<TaintSet>,
    taint_ids: HashMap<TaintSet, u32>,
    /// Hashes whose line was refused: children that cite them are not findings of their own.
    explained: BTreeSet<Digest>,
    /// Steps that cite something not seen before them.
    waiting: Vec<Waiting>,
    skew: i64,
}

struct Waiting {
    place: String,
    step: Step,
    /// The parents that had not come before it.
    absent: Vec<Digest>,
}

impl Links {
    pub(super) fn new(skew: i64) -> Self {
        Links {
            nodes: HashMap::new(),
            taints: Vec::new(),
            taint_ids: HashMap::new(),
            explained: BTreeSet::new(),
            waiting: Vec::new(),
            skew,
        }
    }

    pub(super) fn has(&self, hash: &Digest) -> bool {
        self.nodes.contains_key(hash)
    }

    /// These hashes belong to lines that are findings already.
    pub(super) fn explain(&mut self, hashes: impl IntoIterator<Item = Digest>) {
        self.explained.extend(hashes);
    }

    /// Adds a step in the order of the chain and judges it against its parents.
    pub(super) fn add(&mut self, place: &str, step: Step) -> Vec<Finding> {
        if self.nodes.contains_key(&step.hash) {
            let detail = step.hash.to_string();
            return vec![Finding::new(Code::ChainDuplicate, place, detail)];
        }
        let taint = self.intern(&step.taint);
        self.nodes.insert(step.hash, Node { taint, iat: step.iat });
        let absent = |parent: &&Digest| !self.nodes.contains_key(parent);
        let absent: Vec<Digest> = step.parents.iter().filter(absent).copied().collect();
        if absent.is_empty() {
            return self.judge(place, &step);
        }
        self.waiting.push(Waiting { place: place.to_string(), step, absent });
        Vec::new()
    }

    /// Judges what waited for a parent. `lost` lines could not be read at all; each may have been
    /// one missing parent.
    pub(super) fn finish(&mut self, lost: usize) -> Vec<Finding> {
        let mut excused = BTreeSet::new();
        let mut found = Vec::new();
        for Waiting { place, step, absent } in std::mem::take(&mut self.waiting) {
            for parent in absent {
                if self.nodes.contains_key(&parent) {
                    let detail = format!("parent {parent} comes later");
                    found.push(Finding::new(Code::ChainOrder, place.as_str(), detail));
                } else if self.explained.contains(&parent) || excused.contains(&parent) {
                    // Its own line is the finding.
                } else if excused.len() < lost {
                    excused.insert(parent);
                } else {
                    let detail = format!("parent {parent}");
                    found.push(Finding::new(Code::ChainParent, place.as_str(), detail));
                }
            }
            found.extend(self.judge(&place, &step));
        }
        found
    }

    fn judge(&self, place: &str, step: &Step) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut inherited = TaintSet::new();
        let mut complete = true;
        for parent in &step.parents {
            let Some(node) = self.nodes.get(parent) else {
                complete = false;
                continue;
            };
            if let Some(taint) = self.taints.get(node.taint as usize) {
                inherited.merge(taint);
            }
            if step.iat.saturating_add(self.skew) < node.iat {
                let detail = format!("iat {}, parent's {}", step.iat, node.iat);
                found.push(Finding::new(Code::ChainTime, place, detail));
            }
        }
        match &step.removed {
            None if !step.taint.is_superset(&inherited) => {
                let lost = inherited.minus(&step.taint);
                found.push(Finding::new(Code::ChainTaint, place, format!("lost {lost}")));
            }
            // With a parent missing nobody can say what the taint should be.
            Some(removed) if complete && step.taint != inherited.minus(removed) => {
                let expected = inherited.minus(removed);
                let detail = format!("taint {:?}, expected {expected:?}", step.taint);
                found.push(Finding::new(Code::ChainSanitised, place, detail));
            }
            _ => {}
        }
        found
    }

    fn intern(&mut self, taint: &TaintSet) -> u32 {
        if let Some(id) = self.taint_ids.get(taint) {
            return *id;
        }
        let id = self.taints.len() as u32;
        self.taints.push(taint.clone());
        self.taint_ids.insert(taint.clone(), id);
        id
    }
}
