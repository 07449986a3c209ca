//! Parents, order, time and taint, over a table that keeps little of each receipt.

use std::collections::BTreeSet;

use seal::digest::Digest;

use super::nodes::{Node, Nodes};
use super::taints::Taints;
use super::{Step, place_of};
use crate::codes::Code;
use crate::report::Finding;

/// The receipts seen so far, and which of them wait for a parent.
pub(super) struct Links {
    nodes: Nodes,
    taints: Taints,
    /// Hashes whose line was refused: children that cite them are not findings of their own.
    explained: BTreeSet<Digest>,
    /// Lines, ascending, that cite something not seen before them. Only their numbers are kept:
    /// who turns a chain round makes every line wait. They are read again at the end.
    waiting: Vec<u64>,
    /// Parents that lines which could not be read at all may have been.
    excused: BTreeSet<Digest>,
    skew: i64,
}

impl Links {
    pub(super) fn new(skew: i64) -> Self {
        Links {
            nodes: Nodes::default(),
            taints: Taints::default(),
            explained: BTreeSet::new(),
            waiting: Vec::new(),
            excused: BTreeSet::new(),
            skew,
        }
    }

    pub(super) fn has(&self, hash: &Digest) -> bool {
        self.nodes.get(hash).is_some()
    }

    /// These hashes belong to lines that are findings already.
    pub(super) fn explain(&mut self, hashes: impl IntoIterator<Item = Digest>) {
        self.explained.extend(hashes);
    }

    /// Adds a step in the order of the chain and judges it against its parents, unless one of
    /// them has not come yet.
    pub(super) fn add(&mut self, line: u64, step: &Step) -> Vec<Finding> {
        if self.has(&step.hash) {
            let detail = step.hash.to_string();
            return vec![Finding::new(Code::ChainDuplicate, place_of(line), detail)];
        }
        let taint = self.taints.number(&step.taint);
        let known = step.parents.iter().all(|parent| self.has(parent));
        self.nodes.insert(Node { hash: step.hash, iat: step.iat, taint, line: short(line) });
        match known {
            true => self.judge(line, step, taint),
            false => {
                self.waiting.push(line);
                Vec::new()
            }
        }
    }

    /// The lines to give to [`Links::late`], once all lines were seen.
    pub(super) fn waiting(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.waiting)
    }

    /// Judges a step that waited for a parent; `None` when it is not the one that was seen on this
    /// line before. `lost` lines could not be read at all; each may have been one missing parent.
    pub(super) fn late(&mut self, line: u64, step: &Step, lost: u64) -> Option<Vec<Finding>> {
        let own = self.nodes.get(&step.hash).filter(|node| node.line == short(line))?.taint;
        let mut found = Vec::new();
        for parent in &step.parents {
            match self.nodes.get(parent) {
                Some(node) if node.line > short(line) => {
                    let detail = format!("parent {parent} comes later");
                    found.push(Finding::new(Code::ChainOrder, place_of(line), detail));
                }
                Some(_) => {}
                // Its own line is the finding.
                None if self.explained.contains(parent) || self.excused.contains(parent) => {}
                None if (self.excused.len() as u64) < lost => {
                    self.excused.insert(*parent);
                }
                None => {
                    let detail = format!("parent {parent}");
                    found.push(Finding::new(Code::ChainParent, place_of(line), detail));
                }
            }
        }
        found.extend(self.judge(line, step, own));
        Some(found)
    }

    /// What a step, with this number of its taint, must be to its parents.
    fn judge(&self, line: u64, step: &Step, own: u32) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut inherited: Vec<u32> = Vec::new();
        let mut complete = true;
        for parent in &step.parents {
            let Some(node) = self.nodes.get(parent) else {
                complete = false;
                continue;
            };
            inherited.push(node.taint);
            if step.iat.saturating_add(self.skew) < node.iat {
                let detail = format!("iat {}, parent's {}", step.iat, node.iat);
                found.push(Finding::new(Code::ChainTime, place_of(line), detail));
            }
        }
        // Many parents are often tainted alike.
        inherited.sort_unstable();
        inherited.dedup();
        let wrong = match &step.removed {
            None => self.taints.dropped(own, &inherited).map(|lost| (Code::ChainTaint, lost)),
            // With a parent missing nobody can say what the taint should be.
            Some(_) if !complete => None,
            Some(removed) => {
                let detail = self.taints.differs(own, &inherited, removed);
                detail.map(|detail| (Code::ChainSanitised, detail))
            }
        };
        found.extend(wrong.map(|(code, detail)| Finding::new(code, place_of(line), detail)));
        found
    }
}

/// The number of a line as a node keeps it.
fn short(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
