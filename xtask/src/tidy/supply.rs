//! The rules of deny.toml that bind without cargo-deny: licences and banned crates of what is
//! really built on this machine.

use std::process::Command;

use regex::Regex;

use super::floors::dependencies;
use crate::tree::Tree;

pub fn licences_and_bans(tree: &Tree) -> Vec<String> {
    let rules = tree.text("deny.toml").unwrap_or_default();
    let built = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--edges", "normal,build,dev"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"])
        .current_dir(&tree.root)
        .output();
    match built {
        Ok(built) if built.status.success() => {
            judge(rules, &String::from_utf8_lossy(&built.stdout))
        }
        Ok(built) => vec![format!("cargo tree failed: {}", String::from_utf8_lossy(&built.stderr))],
        Err(error) => vec![format!("cargo tree did not run: {error}")],
    }
}

/// Judges `name vX.Y.Z …|licence` lines by the rules.
fn judge(rules: &str, built: &str) -> Vec<String> {
    let (allowed, banned) = (allowed(rules), banned(rules));
    let mut broken = Vec::new();
    if allowed.is_empty() || banned.is_empty() {
        broken.push("deny.toml: no licence list or no bans were found".to_string());
    }
    let mut lines: Vec<&str> = built.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    for line in lines {
        let Some((package, licence)) = line.split_once('|') else { continue };
        // cargo marks a package whose dependencies it has shown above.
        let licence = licence.trim_end_matches(" (*)");
        let name = package.split(' ').next().unwrap_or(package);
        if let Some((_, reason)) = banned.iter().find(|(crate_name, _)| crate_name == name) {
            broken.push(format!("{package} is banned: {reason}"));
        }
        if !permits(licence, &allowed) {
            broken.push(format!(
                "{package}: the licence {licence:?} is not on the list of deny.toml"
            ));
        }
    }
    broken
}

/// An SPDX expression holds when every AND-part has an allowed alternative.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let expression =
        expression.replace(['(', ')'], " ").replace(" / ", " OR ").replace('/', " OR ");
    expression.split(" AND ").all(|part| {
        part.split(" OR ").any(|licence| allowed.iter().any(|one| one == licence.trim()))
    })
}

fn allowed(rules: &str) -> Vec<String> {
    let Some((_, list)) = rules.split_once("\nallow = [") else { return Vec::new() };
    let list = list.split_once("\n]").map_or(list, |(list, _)| list);
    list.split('"').skip(1).step_by(2).map(str::to_string).collect()
}

fn banned(rules: &str) -> Vec<(String, String)> {
    let ban = Regex::new(r#"\{ crate = "([^"]+)", reason = "([^"]+)" \}"#)
        .expect("a pattern of this file");
    ban.captures_iter(rules).map(|hit| (hit[1].to_string(), hit[2].to_string())).collect()
}

/// Versions stand in the workspace's manifest and nowhere else.
pub fn versions_once(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in dependencies(text, section) {
                let from_workspace = [
                    format!("\n{name}.workspace = true"),
                    format!("\n{name} = {{ workspace = true"),
                ];
                if !from_workspace.iter().any(|line| text.contains(line)) {
                    broken.push(format!("{path}: {name} takes its version from the workspace"));
                }
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "[licenses]\nallow = [\n    \"MIT\",\n    \"ISC\",\n]\n[bans]\ndeny = [\n    { crate = \"ring\", reason = \"Two providers.\" },\n]\n";

    #[test]
    fn licences_are_judged_as_expressions() {
        let judge = |licence: &str| judge(RULES, &format!("a v1.0.0|{licence}")).len();
        assert_eq!(judge("MIT OR GPL-3.0"), 0);
        assert_eq!(judge("ISC AND (GPL-3.0 OR MIT)"), 0);
        assert_eq!(judge("ISC AND GPL-3.0"), 1);
        assert_eq!(judge("GPL-3.0/AGPL-3.0"), 1);
        assert_eq!(judge(""), 1);
    }

    #[test]
    fn a_banned_crate_is_named_with_the_reason() {
        assert_eq!(judge(RULES, "ring v0.17.14|ISC"), ["ring v0.17.14 is banned: Two providers."]);
    }

    #[test]
    fn a_version_outside_the_workspace_is_seen() {
        let tree =
            Tree::of(&[("crates/a/Cargo.toml", "[dependencies]\nb.workspace = true\nc = \"1\"\n")]);
        assert_eq!(versions_once(&tree).len(), 1);
    }
}
