//! Receipts in memory, to walk and to draw.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use seal::digest::Digest;
use seal::escape::dot;

use crate::receipt::SignedReceipt;

/// A set of receipts by hash.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: BTreeMap<Digest, SignedReceipt>,
}

impl Graph {
    /// No receipts.
    pub fn new() -> Self {
        Graph::default()
    }

    /// Adds a receipt.
    pub fn insert(&mut self, receipt: SignedReceipt) {
        self.nodes.insert(receipt.hash, receipt);
    }

    /// The receipt with this hash.
    pub fn get(&self, hash: &Digest) -> Option<&SignedReceipt> {
        self.nodes.get(hash)
    }

    /// How many receipts.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// No receipts.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All receipts, by hash.
    pub fn iter(&self) -> impl Iterator<Item = &SignedReceipt> {
        self.nodes.values()
    }

    /// The receipt and everything it builds on, newest first: breadth first from the receipt to
    /// the roots. Empty when the receipt is not here.
    pub fn ancestors(&self, hash: &Digest) -> Vec<&SignedReceipt> {
        let mut seen = BTreeSet::from([*hash]);
        let mut queue = VecDeque::from([*hash]);
        let mut walk = Vec::new();
        while let Some(hash) = queue.pop_front() {
            let Some(node) = self.nodes.get(&hash) else { continue };
            walk.push(node);
            for parent in &node.receipt.parents {
                if seen.insert(*parent) {
                    queue.push_back(*parent);
                }
            }
        }
        walk
    }

    /// Parents that are cited and not here, sorted.
    pub fn missing(&self) -> Vec<Digest> {
        let cited = self.nodes.values().flat_map(|node| &node.receipt.parents);
        let missing: BTreeSet<Digest> =
            cited.filter(|parent| !self.nodes.contains_key(parent)).copied().collect();
        missing.into_iter().collect()
    }

    /// The receipt's part of the graph: it and everything it builds on.
    pub fn part(&self, hash: &Digest) -> Graph {
        let nodes = self.ancestors(hash).into_iter().map(|node| (node.hash, node.clone()));
        Graph { nodes: nodes.collect() }
    }

    /// In the DOT language, arrows from parent to child. Everything from outside is escaped.
    pub fn to_dot(&self) -> String {
        let mut out = String::from(
            "digraph receipts {\n  rankdir=LR;\n  node [shape=box, fontname=\"monospace\"];\n",
        );
        for node in self.nodes.values() {
            let receipt = &node.receipt;
            let mut lines = vec![receipt.operation.to_string(), receipt.agent_id.to_string()];
            lines.extend(receipt.model.iter().chain(&receipt.tool).chain(&receipt.corpus).cloned());
            lines.extend(receipt.verdict.map(|verdict| verdict.to_string()));
            if !receipt.taint.is_empty() {
                lines.push(format!("taint {}", receipt.taint));
            }
            lines.push(short(&node.hash));
            let label: Vec<String> = lines.iter().map(|line| dot(line)).collect();
            out.push_str(&format!("  \"{}\" [label=\"{}\"];\n", node.hash, label.join("\\n")));
        }
        for hash in self.missing() {
            let label = format!("missing\\n{}", short(&hash));
            out.push_str(&format!("  \"{hash}\" [label=\"{label}\", style=dashed];\n"));
        }
        for node in self.nodes.values() {
            for parent in &node.receipt.parents {
                out.push_str(&format!("  \"{parent}\" -> \"{}\";\n", node.hash));
            }
        }
        out.push_str("}\n");
        out
    }
}

fn short(hash: &Digest) -> String {
    hash.hex().chars().take(12).collect()
}
