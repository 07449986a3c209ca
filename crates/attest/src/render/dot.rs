//! The chain in the language of Graphviz.

use std::fmt::Write as _;

use seal::escape;
use seal::json::Value;

use super::graph::{Graph, State};

/// The chain of a verification's JSON. What fails is red, what is not there dashed.
pub fn dot(value: &Value) -> String {
    let graph = Graph::of(value);
    let mut out = String::from(
        "digraph attestations {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n",
    );
    for (at, one) in graph.boxes.iter().enumerate() {
        let look = match one.state {
            State::Holds => "color=\"#1a7f37\"",
            State::Fails => "color=\"#cf222e\", penwidth=2",
            State::Missing => "color=\"#cf222e\", style=dashed",
        };
        let [kind, digest, time] = [&one.kind, &one.digest, &one.at].map(|text| escape::dot(text));
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  n{at} [label=\"{kind}\\n{digest}\\n{time}\", {look}];");
    }
    for (from, to, holds) in &graph.arrows {
        let look = if *holds { "" } else { " [color=\"#cf222e\", style=dashed]" };
        let _ = writeln!(out, "  n{from} -> n{to}{look};");
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_a_label() {
        let node = Value::object([
            ("payload", Value::from("sha256:ab\"]; evil")),
            ("type", "pro\"mpt\n\u{202e}".into()),
            ("ok", true.into()),
        ]);
        let edge =
            Value::object([("from", Value::from("sha256:ab\"]; evil")), ("to", "gone".into())]);
        let chain =
            Value::object([("nodes", Value::array([node])), ("edges", Value::array([edge]))]);
        let drawn = dot(&Value::object([("chain", chain)]));
        let shown = "  n0 [label=\"pro\\\"mpt\\\\x0a\\\\u{202e}\\nab\\\"]; evil\\n\", color=\"#1a7f37\"];\n";
        assert!(drawn.contains(shown), "{drawn}");
        assert!(drawn.contains("  n1 -> n0 [color=\"#cf222e\", style=dashed];\n"), "{drawn}");
        assert_eq!(drawn.lines().count(), 7, "{drawn}");
        assert_eq!(dot(&Value::Null).lines().count(), 4);
    }
}
