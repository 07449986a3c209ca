//! How statements hang together: a graph by the digests of payloads.

use std::collections::{BTreeMap, BTreeSet};

use record::report::{Code, Finding};
use seal::digest::Digest;
use seal::json::Value;
use seal::time::UnixMillis;

use crate::statement::{Dependency, Statement};
use crate::types;

/// Statements and what they build on.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// Statements, each payload once, in the order they came.
    pub nodes: Vec<Node>,
    /// What they build on, by the places of nodes.
    pub edges: Vec<Edge>,
}

/// A statement.
#[derive(Debug, Clone)]
pub struct Node {
    /// SHA-256 of its payload.
    pub payload: Digest,
    /// Name of its type.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// When it was made, as it says.
    pub at: UnixMillis,
    /// When its signature was there at the latest, by a trusted timestamp.
    pub stamped: Option<UnixMillis>,
    /// The file it was read from.
    pub file: String,
    /// What it builds on.
    pub depends_on: Vec<Dependency>,
    /// Whether nothing is wrong with it.
    pub holds: bool,
}

/// A statement builds on another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who builds.
    pub from: usize,
    /// On whom; `None` when it is not there or could not be read.
    pub to: Option<usize>,
    /// By what digest.
    pub digest: Digest,
    /// The type it is said to be of.
    pub kind: String,
    /// Whether the edge holds.
    pub holds: bool,
}

impl Node {
    /// Of a statement.
    pub fn of(payload: Digest, statement: &Statement, file: &str) -> Node {
        Node {
            payload,
            kind: statement.kind.name,
            id: statement.id.clone(),
            at: statement.generated_at,
            stamped: None,
            file: file.to_owned(),
            depends_on: statement.depends_on.clone(),
            holds: true,
        }
    }
}

/// Draws the edges and says what is wrong, each finding with the payload whose statement has it.
/// `unread` are payloads that are there but no statements: their own fault is told elsewhere.
pub fn link(nodes: Vec<Node>, unread: &BTreeSet<Digest>) -> (Chain, Vec<(Digest, Finding)>) {
    let places: BTreeMap<Digest, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node.payload, at)).collect();
    let (mut edges, mut found) = (Vec::new(), Vec::new());
    let mut ids: BTreeMap<&str, Digest> = BTreeMap::new();
    for (from, node) in nodes.iter().enumerate() {
        let mut tell =
            |code, detail: String| found.push((node.payload, Finding::new(code, "", detail)));
        if let Some(other) = ids.insert(&node.id, node.payload) {
            tell(Code::LinkId, format!("{}: also of the payload {other}", node.id));
        }
        let needs = types::named(node.kind).map(|kind| kind.needs).unwrap_or_default();
        for need in needs {
            if !node.depends_on.iter().any(|one| one.kind == *need) {
                tell(Code::LinkMissing, format!("{} needs {need}", node.kind));
            }
        }
        for one in &node.depends_on {
            let to = places.get(&one.digest).copied();
            let fault = match to.map(|to| &nodes[to]) {
                None if unread.contains(&one.digest) => None,
                None => Some((Code::LinkDangling, format!("{} {}", one.kind, one.digest))),
                Some(other) if other.kind != one.kind => Some((
                    Code::LinkKind,
                    format!("{} is said to be {}, and is {}", one.digest, one.kind, other.kind),
                )),
                // A stamp says more than the statement: what was there by then is no younger.
                Some(other)
                    if other.at > node.stamped.map_or(node.at, |then| then.min(node.at)) =>
                {
                    let (theirs, ours) = (other.at, node.at);
                    let told =
                        format!("{} {} of {theirs}, this one of {ours}", one.kind, one.digest);
                    Some((Code::LinkOrder, told))
                }
                Some(_) => None,
            };
            let holds = to.is_some() && fault.is_none();
            if let Some((code, detail)) = fault {
                tell(code, detail);
            }
            let (digest, kind) = (one.digest, one.kind.clone());
            edges.push(Edge { from, to, digest, kind, holds });
        }
    }
    for at in circles(nodes.len(), &edges) {
        found.push((nodes[at].payload, Finding::new(Code::LinkCycle, "", nodes[at].id.clone())));
    }
    (Chain { nodes, edges }, found)
}

/// The nodes that lie on a circle or can only be reached from one: those that are left when whatever
/// builds on nothing that is left is taken away.
fn circles(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut open = vec![0usize; count];
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in edges {
        if let Some(to) = edge.to {
            open[edge.from] += 1;
            above[to].push(edge.from);
        }
    }
    let mut free: Vec<usize> = (0..count).filter(|at| open[*at] == 0).collect();
    while let Some(at) = free.pop() {
        for from in std::mem::take(&mut above[at]) {
            open[from] -= 1;
            if open[from] == 0 {
                free.push(from);
            }
        }
    }
    (0..count).filter(|at| open[*at] > 0).collect()
}

impl Chain {
    /// As JSON: `nodes` and `edges`.
    pub fn to_json(&self) -> Value {
        let nodes = self.nodes.iter().map(|node| {
            Value::object([
                ("payload", Value::from(node.payload)),
                ("type", node.kind.into()),
                ("id", Value::from(&node.id)),
                ("generated_at", node.at.to_string().into()),
                ("file", Value::from(&node.file)),
                ("ok", node.holds.into()),
            ])
        });
        let edges = self.edges.iter().map(|edge| {
            Value::object([
                ("from", Value::from(self.nodes.get(edge.from).map(|node| node.payload))),
                ("to", edge.digest.into()),
                ("type", Value::from(&edge.kind)),
                ("ok", edge.holds.into()),
            ])
        });
        Value::object([("nodes", Value::array(nodes)), ("edges", Value::array(edges))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, kind: &'static str, at: u64, on: &[(&str, &str)]) -> Node {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let dependency =
            |(kind, name): &(&str, &str)| Dependency { kind: (*kind).into(), digest: digest(name) };
        Node {
            payload: digest(name),
            kind,
            id: name.into(),
            at: UnixMillis(at),
            stamped: None,
            file: format!("{name}.bundle.json"),
            depends_on: on.iter().map(dependency).collect(),
            holds: true,
        }
    }

    fn codes(nodes: Vec<Node>) -> Vec<Code> {
        let (_, found) = link(nodes, &BTreeSet::from([Digest::of(b"unread")]));
        found.into_iter().map(|(_, finding)| finding.code).collect()
    }

    #[test]
    fn each_fault_of_a_chain_has_its_code() {
        let eval = |at, on: &[(&str, &str)]| node("e", "eval", at, on);
        let both = [("prompt", "p"), ("corpus", "c")];
        let (p, c) = (|| node("p", "prompt", 1, &[]), || node("c", "corpus", 1, &[]));
        assert_eq!(codes(vec![p(), c(), eval(1, &both)]), []);
        assert_eq!(codes(vec![eval(1, &both), c(), p()]), [], "files have no order");
        assert_eq!(codes(vec![p(), c(), eval(0, &both)]), [Code::LinkOrder, Code::LinkOrder]);
        assert_eq!(codes(vec![p(), eval(1, &both)]), [Code::LinkDangling]);
        assert_eq!(codes(vec![p(), c(), eval(1, &both[..1])]), [Code::LinkMissing]);
        assert_eq!(codes(vec![eval(1, &[])]), [Code::LinkMissing, Code::LinkMissing]);
        let swapped = [("prompt", "c"), ("corpus", "p")];
        assert_eq!(codes(vec![p(), c(), eval(1, &swapped)]), [Code::LinkKind, Code::LinkKind]);
        assert_eq!(codes(vec![c(), eval(1, &[("prompt", "unread"), ("corpus", "c")])]), []);
        let mut early = eval(9, &both);
        early.stamped = Some(UnixMillis(0));
        assert_eq!(codes(vec![p(), c(), early]), [Code::LinkOrder, Code::LinkOrder]);
        let mut twin = p();
        twin.payload = Digest::of(b"other");
        assert_eq!(codes(vec![p(), twin]), [Code::LinkId]);
    }

    #[test]
    fn circles_end() {
        let ring = |name, on| node(name, "prompt", 1, &[("prompt", on)]);
        assert_eq!(codes(vec![ring("a", "a")]), [Code::LinkCycle]);
        let three = vec![ring("a", "b"), ring("b", "c"), ring("c", "a")];
        assert_eq!(codes(three), [Code::LinkCycle; 3]);
        assert_eq!(codes(vec![ring("a", "b"), node("b", "prompt", 1, &[])]), []);
    }
}
