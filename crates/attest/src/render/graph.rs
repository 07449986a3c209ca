//! The chain of a verification's JSON: boxes and arrows.

use std::collections::BTreeMap;

use seal::json::Value;

/// What is drawn.
pub struct Graph {
    pub boxes: Vec<Drawn>,
    /// From who is built on to who builds, and whether that holds.
    pub arrows: Vec<(usize, usize, bool)>,
}

/// A statement, or one that is not there.
pub struct Drawn {
    pub kind: String,
    /// The first digits of its payload's digest.
    pub digest: String,
    /// When it was made; empty where it is not there.
    pub at: String,
    pub state: State,
    /// How many arrows lead to it, at most, one behind the other.
    pub depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Holds,
    Fails,
    Missing,
}

impl Graph {
    /// Of the member `chain`.
    pub fn of(value: &Value) -> Graph {
        let list = |name: &str| {
            let list = value.get("chain").and_then(|chain| chain.get(name));
            list.and_then(Value::as_array).unwrap_or_default()
        };
        let text = |one: &Value, name: &str| {
            one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let holds = |one: &Value| one.get("ok").and_then(Value::as_bool) == Some(true);
        let (mut boxes, mut places) = (Vec::new(), BTreeMap::new());
        for node in list("nodes") {
            let payload = text(node, "payload");
            places.insert(payload.clone(), boxes.len());
            boxes.push(Drawn {
                kind: text(node, "type"),
                digest: short(&payload),
                at: text(node, "generated_at"),
                state: if holds(node) { State::Holds } else { State::Fails },
                depth: 0,
            });
        }
        let mut arrows = Vec::new();
        for edge in list("edges") {
            let Some(from) = places.get(&text(edge, "from")).copied() else { continue };
            let to = text(edge, "to");
            let to = *places.entry(to.clone()).or_insert_with(|| {
                boxes.push(Drawn {
                    kind: text(edge, "type"),
                    digest: short(&to),
                    at: String::new(),
                    state: State::Missing,
                    depth: 0,
                });
                boxes.len() - 1
            });
            arrows.push((to, from, holds(edge)));
        }
        let mut graph = Graph { boxes, arrows };
        graph.measure();
        graph
    }

    /// Depths, by taking away whatever nothing that is left leads to. What lies on a circle stays
    /// where it is.
    fn measure(&mut self) {
        let mut open = vec![0usize; self.boxes.len()];
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.boxes.len()];
        for (to, from, _) in &self.arrows {
            open[*from] += 1;
            next[*to].push(*from);
        }
        let mut free: Vec<usize> = (0..open.len()).filter(|at| open[*at] == 0).collect();
        while let Some(at) = free.pop() {
            let depth = self.boxes[at].depth + 1;
            for above in std::mem::take(&mut next[at]) {
                self.boxes[above].depth = self.boxes[above].depth.max(depth);
                open[above] -= 1;
                if open[above] == 0 {
                    free.push(above);
                }
            }
        }
    }
}

fn short(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(12).collect()
}
