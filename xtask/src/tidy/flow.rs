//! The request path of the gateway reads as one page.

use crate::rust::functions;
use crate::tree::Tree;

const FLOW: &str = "crates/gateway/src/flow.rs";
const LINES: usize = 150;

pub fn reads_as_a_page(tree: &Tree) -> Vec<String> {
    let Some(flow) = tree.text(FLOW) else {
        return vec![format!("{FLOW}: the request path is not where it is looked for")];
    };
    functions(flow)
        .into_iter()
        .filter(|(_, _, lines)| *lines >= LINES)
        .map(|(name, line, lines)| {
            format!(
                "{FLOW}:{line}: {name} has {lines} lines, {LINES} are too many; lift a step out"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "x();\n".repeat(lines - 2));
        let judge = |lines| reads_as_a_page(&Tree::of(&[(FLOW, &function(lines))])).len();
        assert_eq!((judge(LINES - 1), judge(LINES)), (0, 1));
        assert_eq!(reads_as_a_page(&Tree::of(&[])).len(), 1);
    }
}
