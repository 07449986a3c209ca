//! Who may depend on whom. A new upward arrow means that a thing lives in the wrong place.

use crate::tree::Tree;

/// The floors of the house, lowest first. The testkit is on none: only tests use it.
const FLOORS: &[(u8, &[&str])] = &[
    (1, &["seal"]),
    (2, &["record", "stamp", "crypt"]),
    (3, &["chat", "scan", "attest", "ledger"]),
    (4, &["guard", "rego", "reach", "collect"]),
    (5, &["gateway", "logd", "countersign"]),
    (6, &["cli"]),
];

/// Libraries that decide what a signature, a digest or a connection is, and the crates they stay in.
const HOMES: &[(&str, &[&str])] = &[
    ("ed25519-dalek", &["seal"]),
    ("p256", &["seal"]),
    ("pkcs8", &["seal"]),
    ("sha2", &["seal"]),
    ("hmac", &["seal"]),
    ("base64", &["seal"]),
    ("aws-lc-rs", &["gateway", "stamp", "testkit"]),
    ("rustls-webpki", &["gateway", "stamp"]),
    ("hyper-rustls", &["gateway", "reach"]),
    ("serde-saphyr", &["record", "gateway", "scan", "attest", "collect"]),
    ("age", &["crypt"]),
    ("regorus", &["rego"]),
    ("clap", &["cli"]),
];

pub fn arrows_point_down(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, manifest) in crates(tree) {
        let Some(floor) = floor_of(name) else {
            if name != "testkit" {
                broken.push(format!(
                    "crates/{name}: on no floor; name it in xtask/src/tidy/floors.rs"
                ));
            }
            continue;
        };
        for dependency in dependencies(manifest, "dependencies") {
            if let Some(other) = floor_of(dependency)
                && other >= floor
            {
                broken.push(format!(
                    "crates/{name}/Cargo.toml: floor {floor} leans on {dependency} of floor {other}; move the thing down"
                ));
            }
        }
    }
    broken
}

pub fn testkit_is_for_tests(tree: &Tree) -> Vec<String> {
    crates(tree)
        .filter(|(_, manifest)| dependencies(manifest, "dependencies").contains(&"testkit"))
        .map(|(name, _)| format!("crates/{name}/Cargo.toml: testkit is a dev-dependency only"))
        .collect()
}

pub fn one_home(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, manifest) in crates(tree) {
        for dependency in dependencies(manifest, "dependencies") {
            let home = HOMES.iter().find(|(library, _)| *library == dependency);
            if let Some((library, homes)) = home
                && !homes.contains(&name)
            {
                broken
                    .push(format!("crates/{name}/Cargo.toml: {library} is used through {homes:?}"));
            }
        }
    }
    broken
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, names)| names.contains(&name)).map(|(floor, _)| *floor)
}

fn crates(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts().filter_map(|(path, text)| {
        let name = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
        (!name.contains('/')).then_some((name, text))
    })
}

/// The names in one section of a manifest.
pub fn dependencies<'a>(manifest: &'a str, section: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == format!("[{section}]");
        } else if inside && !line.starts_with('#') {
            names.extend(line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upward_arrow_is_seen_and_a_downward_one_is_not() {
        let tree = Tree::of(&[
            ("crates/seal/Cargo.toml", "[dependencies]\nrecord.workspace = true\n"),
            (
                "crates/record/Cargo.toml",
                "[dependencies]\nseal = { workspace = true }\n[dev-dependencies]\ncli.workspace = true\n",
            ),
            ("crates/attic/Cargo.toml", ""),
        ]);
        let broken = arrows_point_down(&tree);
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(broken[0].contains("attic") && broken[1].contains("leans on record"));
    }

    #[test]
    fn a_second_home_is_seen() {
        let tree =
            Tree::of(&[("crates/scan/Cargo.toml", "[dependencies]\nsha2.workspace = true\n")]);
        assert_eq!(one_home(&tree).len(), 1);
        let tree =
            Tree::of(&[("crates/scan/Cargo.toml", "[dependencies]\ntestkit.workspace = true\n")]);
        assert_eq!(testkit_is_for_tests(&tree).len(), 1);
    }
}
