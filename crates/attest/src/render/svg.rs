//! The chain as a picture: columns from what is built on to what builds on it.

use std::fmt::Write as _;

use seal::escape;
use seal::json::Value;

use super::graph::{Graph, State};

const WIDTH: usize = 190;
const HEIGHT: usize = 64;
const GAP: (usize, usize) = (80, 24);
const EDGE: usize = 20;

/// The chain of a verification's JSON, as a document of its own: no script, no style from elsewhere.
pub fn svg(value: &Value) -> String {
    let graph = Graph::of(value);
    let columns = graph.boxes.iter().map(|one| one.depth + 1).max().unwrap_or(0);
    let mut filled = vec![0usize; columns];
    let mut places = Vec::with_capacity(graph.boxes.len());
    for one in &graph.boxes {
        let row = filled[one.depth];
        filled[one.depth] += 1;
        places.push((EDGE + one.depth * (WIDTH + GAP.0), EDGE + row * (HEIGHT + GAP.1)));
    }
    let rows = filled.into_iter().max().unwrap_or(0);
    let (width, height) =
        (2 * EDGE + columns * (WIDTH + GAP.0), 2 * EDGE + rows * (HEIGHT + GAP.1));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n<title>attestations</title>\n"
    );
    // Writing into a String cannot fail.
    for (from, to, holds) in &graph.arrows {
        let ((x1, y1), (x2, y2)) = (places[*from], places[*to]);
        let (x1, y1, y2) = (x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2);
        let look = match holds {
            true => "stroke=\"#57606a\"",
            false => "stroke=\"#cf222e\" stroke-dasharray=\"5 4\"",
        };
        let middle = (x1 + x2) / 2;
        let _ = writeln!(
            out,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" {look}/>"
        );
        let _ = writeln!(out, "<circle cx=\"{x2}\" cy=\"{y2}\" r=\"3\" fill=\"#57606a\"/>");
    }
    for (one, (x, y)) in graph.boxes.iter().zip(&places) {
        let look = match one.state {
            State::Holds => "stroke=\"#1a7f37\"",
            State::Fails => "stroke=\"#cf222e\" stroke-width=\"2\"",
            State::Missing => "stroke=\"#cf222e\" stroke-dasharray=\"5 4\"",
        };
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"4\" fill=\"#ffffff\" {look}/>"
        );
        let time = if one.state == State::Missing { "not there" } else { &one.at };
        let weight = " font-weight=\"bold\"";
        for (row, text, weight) in
            [(20, &*one.kind, weight), (38, &*one.digest, ""), (55, time, "")]
        {
            let text: String = text.chars().take(40).collect();
            let (x, y, text) = (x + 10, y + row, escape::xml(&text));
            let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\"{weight}>{text}</text>");
        }
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_text() {
        let node = |payload: &str, kind: &str| {
            Value::object([
                ("payload", Value::from(payload)),
                ("type", kind.into()),
                ("generated_at", "</text><script>".into()),
                ("ok", true.into()),
            ])
        };
        let edge =
            Value::object([("from", Value::from("b")), ("to", "a".into()), ("ok", true.into())]);
        let nodes = Value::array([node("a", "prompt"), node("b", "eval")]);
        let chain = Value::object([("nodes", nodes), ("edges", Value::array([edge]))]);
        let drawn = svg(&Value::object([("chain", chain)]));
        assert!(!drawn.contains("<script"), "{drawn}");
        assert!(drawn.contains("&lt;/text&gt;&lt;script&gt;"), "{drawn}");
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.contains("<rect x=\"290\" y=\"20\""), "the second column: {drawn}");
        assert!(svg(&Value::Null).ends_with("</svg>\n"));
    }

    #[test]
    fn a_circle_is_drawn() {
        let node = Value::object([("payload", Value::from("a"))]);
        let edge = Value::object([("from", Value::from("a")), ("to", "a".into())]);
        let chain =
            Value::object([("nodes", Value::array([node])), ("edges", Value::array([edge]))]);
        assert_eq!(svg(&Value::object([("chain", chain)])).matches("<path").count(), 1);
    }
}
