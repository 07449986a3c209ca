//! `countersign.attest.yaml`: which statements a project has.

use std::collections::BTreeMap;

use attest::files::is_path;
use attest::types::{self, Type};
use serde::Deserialize;

use crate::config::{ConfigError, LIMIT};
use crate::yaml::{options, told};

/// A project's statements, in an order in which each comes after those that it builds on.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The attested root, relative to the file's own directory.
    pub root: String,
    /// The statements.
    pub statements: Vec<Listed>,
    /// For each type, further paths whose change calls for a new statement: globs.
    pub paths: BTreeMap<String, Vec<String>>,
    /// The types whose statements may hold their files in the clear.
    pub plaintext: Vec<String>,
}

/// A statement that a project has.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its type.
    pub kind: &'static Type,
    /// Its configuration, relative to the attested root.
    pub config: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    #[serde(default = "here")]
    root: String,
    statements: Vec<Entry>,
    #[serde(default)]
    paths: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    privacy: Option<Privacy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#type: String,
    config: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Privacy {
    #[serde(default)]
    plaintext_allowed: Vec<String>,
}

fn here() -> String {
    ".".into()
}

impl Project {
    /// The name of the file.
    pub const FILE: &str = "countersign.attest.yaml";

    /// Reads it.
    pub fn read(yaml: &[u8]) -> Result<Project, ConfigError> {
        if yaml.len() as u64 > LIMIT {
            return Err(ConfigError(format!("a configuration has at most {LIMIT} bytes")));
        }
        let text = std::str::from_utf8(yaml).map_err(|_| ConfigError("not UTF-8 text".into()))?;
        let file: File = serde_saphyr::from_str_with_options(text, options())
            .map_err(|error| ConfigError(told(&error)))?;
        if file.version != 1 {
            return Err(ConfigError(format!("version {} is unknown, expected 1", file.version)));
        }
        let named = |name: &str| {
            types::named(name).ok_or_else(|| {
                let known: Vec<&str> = types::ALL.iter().map(|kind| kind.name).collect();
                ConfigError(format!("{name:?} is no type; use one of {}", known.join(", ")))
            })
        };
        let below = |key: &str, path: String| {
            let path = path.strip_prefix("./").map(str::to_owned).unwrap_or(path);
            match is_path(&path) || (key == "root" && path == ".") {
                true => Ok(path),
                false => Err(ConfigError(format!(
                    "{key}: {path:?} is no path below the directory of this file"
                ))),
            }
        };
        let statements = file.statements.into_iter().map(|entry| {
            Ok(Listed { kind: named(&entry.r#type)?, config: below("config", entry.config)? })
        });
        let mut statements = statements.collect::<Result<Vec<_>, ConfigError>>()?;
        statements.sort_by_key(|listed| rank(listed.kind));
        let plaintext = file.privacy.map(|one| one.plaintext_allowed).unwrap_or_default();
        for name in file.paths.keys().chain(&plaintext) {
            named(name)?;
        }
        let root = below("root", file.root)?;
        Ok(Project { root, statements, paths: file.paths, plaintext })
    }
}

/// Models first, as others point to them; then what others need, before those others.
fn rank(kind: &Type) -> usize {
    let order = ["model", "prompt", "corpus", "eval", "route", "slo"];
    order.iter().position(|name| *name == kind.name).unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_come_after_those_that_they_build_on() {
        let types: Vec<String> = types::ALL
            .iter()
            .rev()
            .map(|kind| format!("  - {{type: {}, config: ./attest/x.yaml}}\n", kind.name))
            .collect();
        let yaml = format!("version: 1\nstatements:\n{}", types.concat());
        let project = Project::read(yaml.as_bytes()).unwrap();
        assert_eq!(project.root, ".");
        let names: Vec<&str> = project.statements.iter().map(|one| one.kind.name).collect();
        for listed in &project.statements {
            let at = |name: &str| names.iter().position(|one| *one == name);
            assert!(listed.kind.needs.iter().all(|need| at(need) < at(listed.kind.name)));
            assert_eq!(listed.config, "attest/x.yaml");
        }
    }

    #[test]
    fn what_is_no_project_is_refused() {
        let good = "version: 1\nstatements: [{type: prompt, config: a.yaml}]\n";
        assert!(Project::read(good.as_bytes()).is_ok());
        for (from, to) in [
            ("version: 1", "version: 2"),
            ("version: 1", "version: 1\nversion: 1"),
            ("version: 1", "version: 1\nroot: .."),
            ("version: 1", "version: 1\nroot: /"),
            ("version: 1", "version: 1\nother: x"),
            ("version: 1", "version: 1\npaths: {prompts: [a]}"),
            ("version: 1", "version: 1\nprivacy: {plaintext_allowed: [all]}"),
            ("a.yaml", "../a.yaml"),
            ("a.yaml", "/a.yaml"),
            ("type: prompt", "type: prompts"),
            ("config: a.yaml", "file: a.yaml"),
        ] {
            let yaml = good.replace(from, to);
            assert_ne!(yaml, good);
            assert!(Project::read(yaml.as_bytes()).is_err(), "{yaml}");
        }
    }
}
