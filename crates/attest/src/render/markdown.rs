//! A verification as a page for a pull request.

use std::fmt::Write as _;

use seal::escape;
use seal::json::Value;

/// So many rows of a table are shown; the page says how many more there are.
const ROWS: usize = 200;

/// The page of a verification's JSON.
pub fn markdown(value: &Value) -> String {
    let mut out = String::from("# Attestations\n\n");
    let cell = |one: &Value, name: &str| match one.get(name) {
        Some(Value::String(text)) => escape::markdown(text),
        Some(Value::Int(number)) => number.to_string(),
        _ => String::new(),
    };
    let verdict = match value.get("ok").and_then(Value::as_bool) {
        Some(true) => "**Verified**",
        Some(false) | None => "**Refused**",
    };
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{verdict}: {}, {}\n", cell(value, "result"), cell(value, "subject"));
    if let Some(trust) = value.get("trust") {
        let _ = writeln!(out, "Trust: {} {}\n", cell(trust, "file"), cell(trust, "digest"));
    }
    let list = |name: &str| value.get(name).and_then(Value::as_array).unwrap_or_default();
    let components = value.get("sbom").and_then(|sbom| sbom.get("components"));
    let components = components.and_then(Value::as_array).unwrap_or_default();
    if !components.is_empty() {
        out.push_str("## Components\n\n| type | name | version | package URL | standing | by what, or why not |\n|---|---|---|---|---|---|\n");
    }
    for one in components.iter().take(ROWS) {
        let told =
            ["type", "name", "version", "purl", "standing", "why"].map(|name| cell(one, name));
        let _ = writeln!(out, "| {} |", told.join(" | "));
    }
    more(&mut out, components.len());
    if !components.is_empty() {
        out.push('\n');
    }
    if !list("bundles").is_empty() {
        out.push_str("## Statements\n\n| type | file | signed by | made | signature | schema | digest | chain | semantics | log |\n|---|---|---|---|---|---|---|---|---|---|\n");
    }
    for one in list("bundles").iter().take(ROWS) {
        let empty = Value::Null;
        let stages = one.get("stages").unwrap_or(&empty);
        let told = ["type", "file", "signer", "generated_at"].map(|name| cell(one, name));
        let stages = ["signature", "schema", "digest", "chain", "semantics", "log"]
            .map(|name| cell(stages, name));
        let _ = writeln!(out, "| {} | {} |", told.join(" | "), stages.join(" | "));
    }
    more(&mut out, list("bundles").len());
    if !list("findings").is_empty() {
        out.push_str(
            "\n## Findings\n\n| code | severity | where | what | detail |\n|---|---|---|---|---|\n",
        );
    }
    for one in list("findings").iter().take(ROWS) {
        let told = ["code", "severity", "place", "title", "detail"].map(|name| cell(one, name));
        let _ = writeln!(out, "| {} |", told.join(" | "));
    }
    more(&mut out, list("findings").len());
    let edges = value.get("chain").and_then(|chain| chain.get("edges"));
    let edges = edges.and_then(Value::as_array).unwrap_or_default();
    if !edges.is_empty() {
        out.push_str("\n## Chain\n\n| statement | builds on | type | |\n|---|---|---|---|\n");
    }
    for one in edges.iter().take(ROWS) {
        let told = ["from", "to", "type"].map(|name| cell(one, name));
        let holds = one.get("ok").and_then(Value::as_bool) == Some(true);
        let _ = writeln!(out, "| {} | {} |", told.join(" | "), if holds { "ok" } else { "broken" });
    }
    more(&mut out, edges.len());
    out
}

fn more(out: &mut String, rows: usize) {
    if rows > ROWS {
        let _ = writeln!(out, "\nand {} more", rows - ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_in_its_cell() {
        let finding = Value::object([
            ("code", Value::from("CS-ATTEST-021")),
            ("place", "a|b\n# x <img src=x> [y](http://z) `c`".into()),
        ]);
        let page = markdown(&Value::object([("findings", Value::array([finding]))]));
        let row = page.lines().last().unwrap_or_default();
        assert_eq!(row.matches('|').count(), 6, "{row}");
        for hostile in ['<', '[', '`', '#'] {
            let plain = row.replace("&#", "");
            assert!(!plain.contains(hostile), "{row}");
        }
        assert!(page.contains("**Refused**"));
    }
}
