//! `countersign config`: what it refuses, explains and compares, and that the digest it prints is the
//! one that entries cite.

use std::fs;
use std::path::Path;

use seal::json::{Limits, Value, parse};

use super::{Step, check, exit};
use crate::running::{Running, ask, countersign, said};

const GOOD: &str =
    "upstream:\n  url: http://127.0.0.1:9/v1\n  key: file:key.txt\nlimits:\n  body_bytes: 1000\n";

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).expect("written");
}

#[test]
fn a_configuration_is_checked_before_it_counts() {
    check(&[
        exit(&["config", "check", "missing.yaml"], 66),
        Step {
            args: &["config", "check"],
            stderr: &["built-in defaults: upstream is missing"],
            exit: 78,
            ..Step::default()
        },
        Step {
            args: &["config", "check", "c.yaml"],
            before: Some(|dir| {
                write(dir, "c.yaml", GOOD);
                write(dir, "key.txt", "sk-planted\n");
            }),
            stdout: &["configuration  c.yaml", "effective      sha256:", "result         ok"],
            ..Step::default()
        },
        Step {
            args: &["config", "check", "-", "--format", "json"],
            stdin: "upstream: {url: 'https://a/v1'}",
            stdout: &["\"effective\": \"sha256:", "\"in_entries\": null", "\"result\": \"ok\""],
            ..Step::default()
        },
        Step {
            args: &["config", "check", "c.yaml"],
            before: Some(|dir| fs::remove_file(dir.join("key.txt")).expect("removed")),
            stderr: &["key.txt"],
            exit: 78,
            ..Step::default()
        },
        Step {
            args: &["config", "check", "-"],
            stdin: "\nlimits:\n  body_byte: 5\n",
            stderr: &["line 3: unknown key `body_byte`; the nearest known one is `body_bytes`"],
            exit: 78,
            ..Step::default()
        },
        refused("listen: 0.0.0.0:8443", &["loopback"]),
        refused("hosts: [\"a\", 'http://b']", &["host name"]),
        refused("upstream: {url: 'ftp://a'}", &["upstream url"]),
        refused("upstream: {url: 'http://a/v1', key: 'env:COUNTERSIGN_UNSET'}", &["gives no key"]),
        refused(
            "upstream: {url: 'http://a/v1', key: sk-pasted}",
            &["env:NAME, file:PATH or command:PROGRAM"],
        ),
        refused(
            "upstream: {url: 'http://a/v1'}\nledger: {group: countersign-no-such}",
            &["there is no group `countersign-no-such`"],
        ),
        refused("limits: {connections: 0}", &["limits.connections must be between 1 and 100000"]),
        refused(
            "upstream: {url: 'http://a/v1'}\nguard: {content: {rules: {CS-PII-999: redact}}}",
            &["CS-PII-999"],
        ),
        refused("a: 1\na: 1", &["line "]),
        refused("evidence: {profile: fully}", &["full, sealed"]),
        refused("upstream: [", &["line "]),
    ]);
}

const fn refused(stdin: &'static str, stderr: &'static [&'static str]) -> Step {
    let args = &["config", "check", "-"];
    Step { args, stdin, stderr, exit: 78, stdout: &[], save: "", before: None }
}

#[test]
fn keys_are_explained() {
    check(&[
        Step {
            args: &["config", "explain"],
            stdout: &["listen\n", "guard.token_budget.per_day\n", "  takes    address:port\n"],
            ..Step::default()
        },
        Step {
            args: &["config", "explain", "limits.body_bytes"],
            stdout: &[
                "limits.body_bytes\n  takes    1 to 8388608\n  default  4194304 (4 MiB)\n  the largest",
            ],
            ..Step::default()
        },
        Step {
            args: &["config", "explain", "evidence", "--format", "json"],
            stdout: &["\"key\": \"evidence.profile\"", "\"takes\": \"full, sealed\""],
            ..Step::default()
        },
        Step {
            args: &["config", "explain", "limts"],
            stderr: &["nearest known one is limits"],
            exit: 64,
            ..Step::default()
        },
        Step {
            args: &["config", "schema"],
            stdout: &[
                "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\"",
                "\"additionalProperties\": false",
                "\"checkpoint_interval_seconds\"",
            ],
            ..Step::default()
        },
    ]);
}

#[test]
fn effective_configurations_are_compared() {
    check(&[
        Step {
            args: &["config", "diff", "a.yaml", "b.yaml"],
            before: Some(|dir| {
                write(dir, "a.yaml", "upstream: {url: 'http://a/v1', key: sk-one}\n");
                let b = "upstream: {url: 'http://x:sk-two@a/v1', key: sk-three}
evidence: {release: before-release}
limits: {body_bytes: 9}
guard: {tools: {allowed: [mail]}}
";
                write(dir, "b.yaml", b);
            }),
            stdout: &["upstream.url: http://a/v1 -> (with user, query or fragment; not shown)\n\
                 upstream.key: (not env:NAME, file:PATH or command:PROGRAM; not shown) -> (not env:NAME, file:PATH or command:PROGRAM; not shown)\n\
                 limits.body_bytes: 4194304 -> 9\n\
                 guard.tools.allowed: none -> [\"mail\"]\n"],
            ..Step::default()
        },
        Step {
            args: &["config", "diff", "a.yaml", "b.yaml", "--format", "json"],
            stdout: &["\"key\": \"limits.body_bytes\""],
            save: "json",
            ..Step::default()
        },
        Step {
            args: &["config", "diff", "a.yaml", "c.yaml"],
            before: Some(|dir| {
                let spelled = "# the same\nlisten: 127.0.0.1:8443\nupstream: {url: 'http://a/v1', key: sk-one}\n";
                write(dir, "c.yaml", spelled);
            }),
            stdout: &["no differences"],
            ..Step::default()
        },
        exit(&["config", "diff", "a.yaml", "missing"], 66),
        exit(&["config", "diff", "a.yaml"], 64),
    ]);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "upstream: {url: 'http://a/v1', key: sk-one}\n");
    write(dir.path(), "b.yaml", "upstream: {url: 'http://x:sk-two@a/v1?k=sk-three', key: sk-four}");
    for format in ["table", "json"] {
        let output =
            countersign(dir.path(), &["config", "diff", "a.yaml", "b.yaml", "--format", format]);
        assert!(output.status.success() && !said(&output).contains("sk-"), "{}", said(&output));
    }
}

#[test]
fn the_printed_digest_is_the_one_that_entries_cite() {
    let upstream = tempfile::tempdir().expect("a directory");
    let upstream =
        Running::up(upstream.path(), &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], &[]);
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nupstream: {{url: '{}'}}\nevidence: {{profile: sealed}}\n",
        upstream.base_url()
    );
    write(dir.path(), "gateway.yaml", &yaml);
    let printed = || {
        let output =
            countersign(dir.path(), &["config", "check", "gateway.yaml", "--format", "json"]);
        assert!(output.status.success(), "{}", said(&output));
        parse(&output.stdout, Limits::DOCUMENT).expect("JSON")
    };
    let before = printed();
    assert_eq!(before.get("in_entries"), Some(&Value::Null), "there are no keys yet");
    let config = dir.path().join("gateway.yaml");
    let product = Running::up(dir.path(), &["--config", &config.to_string_lossy()], &[]);
    product.chat(&ask("Hello", false)).expect("an answer");
    // While it runs: the check takes no lock.
    let after = printed();
    assert_eq!(after.get("effective"), before.get("effective"));
    assert!(product.stop().success(), "a clean stop");
    let tail = countersign(dir.path(), &["audit", "tail", "--format", "json"]);
    let mut entries = 0;
    for line in tail.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry = parse(line, Limits::DOCUMENT).expect("an entry");
        let cited = entry.get("metadata").and_then(|metadata| metadata.get("_config"));
        assert_eq!(cited, after.get("in_entries"), "{}", said(&tail));
        entries += 1;
    }
    assert!(entries >= 2, "{}", said(&tail));
}
