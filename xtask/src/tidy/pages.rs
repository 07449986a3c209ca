//! What the code can say to people has a page, and what a page points at is there.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use regex::Regex;

use crate::rust::product_code;
use crate::tree::Tree;

const CODES: &str = "docs/codes/";
const CONFIG_PAGE: &str = "docs/operating/gateway.md";

/// Each code is a literal in the table of `record`, and `docs/codes/<code>.md` explains it.
pub fn finding_codes(tree: &Tree) -> Vec<String> {
    let literal = Regex::new(r#""(CS-[A-Z]+-[0-9]{3})""#).expect("a pattern of this file");
    let codes: BTreeSet<String> = tree
        .rust(&["crates/record/src/"])
        .flat_map(|(_, text)| {
            let code = product_code(text);
            literal.captures_iter(&code).map(|hit| hit[1].to_string()).collect::<Vec<_>>()
        })
        .collect();
    let pages: BTreeSet<String> = tree
        .texts()
        .filter_map(|(path, _)| path.strip_prefix(CODES)?.strip_suffix(".md"))
        .filter(|page| page.starts_with("CS-"))
        .map(str::to_string)
        .collect();
    let mut broken: Vec<String> = Vec::new();
    if codes.is_empty() {
        broken.push("crates/record/src: no finding code was found; has the table moved?".into());
    }
    broken.extend(codes.difference(&pages).map(|code| format!("{CODES}{code}.md is missing")));
    broken.extend(
        pages
            .difference(&codes)
            .map(|page| format!("{CODES}{page}.md explains a code that nothing reports")),
    );
    for code in codes.intersection(&pages) {
        let path = format!("{CODES}{code}.md");
        let text = tree.text(&path).unwrap_or_default();
        if !text.contains(code.as_str())
            || text.lines().filter(|line| !line.trim().is_empty()).count() < 4
        {
            broken.push(format!(
                "{path}: says too little: the code, what it means, its cause, what to do"
            ));
        }
    }
    broken
}

/// Each member that the configuration file may have is named on the operator's page.
pub fn config_keys(tree: &Tree) -> Vec<String> {
    let keys: BTreeSet<String> = tree
        .rust(&["crates/gateway/src/config", "crates/guard/src/config"])
        .flat_map(|(_, text)| members_read_from_yaml(text))
        .collect();
    let Some(page) = tree.text(CONFIG_PAGE) else {
        return vec![format!("{CONFIG_PAGE}: the page of the configuration file is missing")];
    };
    if keys.is_empty() {
        return vec![
            "crates/gateway/src/config: no configuration key was found; have they moved?".into(),
        ];
    }
    keys.iter()
        .filter(|key| !page.contains(&format!("`{key}`")) && !page.contains(&format!("{key}:")))
        .map(|key| format!("{CONFIG_PAGE}: does not explain `{key}`"))
        .collect()
}

/// Fields of structs that derive `Deserialize`.
fn members_read_from_yaml(source: &str) -> Vec<String> {
    let code = product_code(source);
    let derive =
        Regex::new(r"#\[derive\([^)]*Deserialize[^)]*\)\]").expect("a pattern of this file");
    let field = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?([a-z_][a-z0-9_]*)\s*:")
        .expect("a pattern of this file");
    let rename = Regex::new(r#"rename\s*=\s*"([^"]+)""#).expect("a pattern of this file");
    let skipped = Regex::new(r"#\[serde\(skip\)\][^\n]*\n[^\n]*").expect("a pattern of this file");
    let mut keys = Vec::new();
    for hit in derive.find_iter(&code) {
        let rest = &code[hit.end()..];
        let Some(open) = rest.find('{') else { continue };
        if !rest[..open].contains("struct ") {
            continue;
        }
        let body = &rest[open..rest[open..].find("\n}").map_or(rest.len(), |end| open + end)];
        // What serde skips cannot stand in a file.
        let body = skipped.replace_all(body, "");
        keys.extend(field.captures_iter(&body).map(|name| name[1].to_string()));
        keys.extend(rename.captures_iter(&body).map(|name| name[1].to_string()));
    }
    keys
}

/// Data under vectors/ is named by the test, or the folder it is read from is.
pub fn vectors(tree: &Tree) -> Vec<String> {
    let tests: Vec<&str> = tree
        .texts()
        .filter(|(path, _)| path.ends_with(".rs") || path.ends_with(".py"))
        .filter(|(path, _)| !path.starts_with("xtask/"))
        .map(|(_, text)| text)
        .collect();
    let named = |name: &str| tests.iter().any(|text| text.contains(name));
    tree.all()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with("vectors/") && !path.ends_with(".md"))
        .filter(|path| {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let folder = folder.strip_prefix("vectors/").unwrap_or(folder);
            let by_folder = !folder.is_empty() && named(&format!("vectors/{folder}"));
            !named(name) && !by_folder
        })
        .map(|path| format!("{path}: no test reads it"))
        .collect()
}

/// Relative links between documents.
pub fn links(tree: &Tree) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern of this file");
    let mut broken = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        for hit in link.captures_iter(&without_code(text)) {
            let to = hit[1].split('#').next().unwrap_or_default();
            if to.is_empty() || to.contains("://") || to.starts_with("mailto:") {
                continue;
            }
            let Some(to) = resolve(path, to) else {
                broken.push(format!("{path}: the link to {} leaves the repository", &hit[1]));
                continue;
            };
            let folder = format!("{to}/");
            if !tree.all().any(|(file, _)| file == to || file.starts_with(&folder)) {
                broken.push(format!("{path}: the link to {to} leads nowhere"));
            }
        }
    }
    broken
}

/// The text with fenced blocks and code spans taken out: `x[i](y)` is no link.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            out.extend(line.split('`').step_by(2));
        }
        out.push('\n');
    }
    out
}

fn resolve(from: &str, to: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in Path::new(to).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_page_and_a_page_without_a_code_are_seen() {
        let page = "# CS-LOG-001\n\nWhat.\n\nWhy.\n\nRemedy.\n";
        let broken = finding_codes(&Tree::of(&[
            ("crates/record/src/code.rs", "\"CS-LOG-001\", \"CS-LOG-002\""),
            ("docs/codes/CS-LOG-001.md", page),
            ("docs/codes/CS-LOG-003.md", page),
        ]));
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(finding_codes(&Tree::of(&[]))[0].contains("no finding code"));
    }

    #[test]
    fn configuration_keys_are_read_from_the_structs() {
        let source = "#[derive(Debug, Deserialize)]\n#[serde(deny_unknown_fields)]\npub struct C {\n    /// doc\n    pub a_key: u8,\n    #[serde(rename = \"b-key\")]\n    pub(crate) b: u8,\n    #[serde(skip)]\n    pub not: bool,\n}\n#[derive(Deserialize)]\nenum E {\n  V,\n}\nstruct Not {\n  c: u8,\n}\n";
        assert_eq!(members_read_from_yaml(source), ["a_key", "b", "b-key"]);
        let broken = config_keys(&Tree::of(&[
            ("crates/gateway/src/config.rs", source),
            (CONFIG_PAGE, "`a_key` and `b-key`"),
        ]));
        assert_eq!(broken, [format!("{CONFIG_PAGE}: does not explain `b`")]);
    }

    #[test]
    fn dead_links_are_seen_and_code_is_not() {
        let tree = Tree::of(&[
            (
                "docs/a.md",
                "[x](../b.md#part) [y](gone.md) `[z](no)` [w](https://e.x/)\n```\n[v](no)\n```\n",
            ),
            ("b.md", "[d](docs)"),
        ]);
        assert_eq!(links(&tree), ["docs/a.md: the link to docs/gone.md leads nowhere"]);
    }

    #[test]
    fn an_unread_vector_is_seen() {
        let tree = Tree::of(&[
            ("vectors/sse/cr.json", ""),
            ("vectors/note/a.txt", ""),
            ("crates/chat/tests/it.rs", "vectors/sse"),
        ]);
        assert_eq!(vectors(&tree), ["vectors/note/a.txt: no test reads it"]);
    }
}
