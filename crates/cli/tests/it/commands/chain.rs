//! Chains made by hand on the command line: verified, traced, and tampered with.

use std::fs;
use std::path::Path;

use super::{AGENT, Step, check, exit};

/// The steps that leave a chain of four receipts, with a trust file beside it.
fn chain() -> Vec<Step> {
    fn emit(args: &'static [&'static str], save: &'static str) -> Step {
        Step { args, save, ..Step::default() }
    }
    vec![
        exit(AGENT, 0),
        emit(
            &[
                "receipt",
                "emit",
                "user-input",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--input",
                "hello",
            ],
            "asked",
        ),
        emit(
            &[
                "receipt",
                "emit",
                "guardrail-scan",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--parent",
                "{asked}",
                "--input",
                "hello",
            ],
            "scanned",
        ),
        emit(
            &[
                "receipt",
                "emit",
                "model-call",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--parent",
                "{scanned}",
                "--model",
                "m1",
                "--input",
                "hello",
                "--output",
                "hi",
            ],
            "called",
        ),
        emit(
            &[
                "receipt",
                "emit",
                "tool_call",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--parent",
                "{called}",
                "--tool",
                "mail",
                "--input",
                "{\"to\":1}",
                "--output",
                "null",
            ],
            "sent",
        ),
    ]
}

fn after_chain(more: impl IntoIterator<Item = Step>) {
    let mut steps = chain();
    steps.extend(more);
    check(&steps);
}

/// Rewrites the chain file.
fn edit(dir: &Path, change: impl FnOnce(Vec<String>) -> Vec<String>) {
    let path = dir.join("c.jsonl");
    let lines = fs::read_to_string(&path).expect("the chain").lines().map(str::to_owned).collect();
    fs::write(&path, change(lines).join("\n") + "\n").expect("written");
}

const TRUSTED: &[&str] = &["verify", "c.jsonl", "--trust", "mailer-trust.yaml"];

#[test]
fn a_chain_verifies_under_trust_alone() {
    after_chain([
        Step {
            args: TRUSTED,
            stdout: &["result      ok", "assurance   signed", "mailer-trust.yaml (sha256:"],
            ..Step::default()
        },
        Step {
            args: &["verify", "c.jsonl"],
            stdout: &["CS-TRUST-001", "assurance   consistent"],
            exit: 11,
            ..Step::default()
        },
        Step {
            args: &["verify", "c.jsonl", "--trust", "mailer-trust.yaml", "--require", "witnessed"],
            stdout: &["CS-TRUST-002"],
            exit: 11,
            ..Step::default()
        },
        Step {
            args: &[
                "receipt",
                "verify",
                "c.jsonl",
                "--trust",
                "mailer-trust.yaml",
                "--statement",
                "mailer-capability.json",
                "--expect-head",
                "{sent}",
                "--expect-count",
                "4",
                "--format",
                "json",
            ],
            stdout: &["\"result\": \"ok\"", "\"assurance\": \"signed\""],
            ..Step::default()
        },
        // The trust file of the directory is found; a broken one is a configuration error.
        Step {
            args: &["verify", "c.jsonl"],
            before: Some(|dir| {
                fs::copy(dir.join("mailer-trust.yaml"), dir.join("countersign.trust.yaml"))
                    .expect("copied");
            }),
            stdout: &["./countersign.trust.yaml (sha256:"],
            ..Step::default()
        },
        Step { args: &["verify", "."], stdout: &["was passed over"], exit: 11, ..Step::default() },
        Step {
            args: &["verify", "c.jsonl"],
            before: Some(|dir| {
                fs::write(dir.join("countersign.trust.yaml"), "version: 2\n").expect("written");
            }),
            exit: 78,
            ..Step::default()
        },
        exit(&["verify", "c.jsonl", "--trust", "missing.yaml"], 78),
    ]);
}

#[test]
fn the_agent_keeps_to_its_statement() {
    after_chain([
        Step {
            args: &[
                "receipt",
                "emit",
                "model-call",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--parent",
                "{scanned}",
                "--model",
                "m2",
            ],
            stderr: &["may not call the model \"m2\""],
            exit: 13,
            ..Step::default()
        },
        exit(
            &[
                "receipt",
                "emit",
                "model-call",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--parent",
                "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "--model",
                "m1",
            ],
            10,
        ),
        exit(
            &[
                "receipt",
                "emit",
                "model-call",
                "--agent",
                "mailer",
                "--chain",
                "c.jsonl",
                "--model",
                "m1",
            ],
            64,
        ),
        exit(TRUSTED, 0),
    ]);
}

#[test]
fn tampering_has_its_exits() {
    // A hash beside another receipt.
    after_chain([Step {
        args: TRUSTED,
        before: Some(|dir| {
            edit(dir, |mut lines| {
                let hash: String = lines[1].chars().skip(18).take(71).collect();
                let other: String = lines[2].chars().skip(18).take(71).collect();
                lines[1] = lines[1].replace(&hash, &other);
                lines
            });
        }),
        stdout: &["CS-CHAIN-002", "line 2", "remedy"],
        exit: 12,
        ..Step::default()
    }]);
    // A step left out.
    after_chain([Step {
        args: TRUSTED,
        before: Some(|dir| {
            edit(dir, |mut lines| {
                lines.remove(1);
                lines
            });
        }),
        stdout: &["CS-CHAIN-004"],
        exit: 14,
        ..Step::default()
    }]);
    // The end cut off: only who noted the head can know.
    after_chain([
        Step {
            args: TRUSTED,
            before: Some(|dir| {
                edit(dir, |mut lines| {
                    lines.pop();
                    lines
                });
            }),
            ..Step::default()
        },
        Step {
            args: &["verify", "c.jsonl", "--trust", "mailer-trust.yaml", "--expect-head", "{sent}"],
            stdout: &["CS-CHAIN-008"],
            exit: 12,
            ..Step::default()
        },
    ]);
    // Nothing left.
    after_chain([Step {
        args: TRUSTED,
        before: Some(|dir| fs::write(dir.join("c.jsonl"), "").expect("written")),
        stdout: &["CS-CHAIN-007"],
        exit: 10,
        ..Step::default()
    }]);
    // Another agent's key.
    after_chain([
        exit(&["agent", "new", "agent:other"], 0),
        Step {
            args: &["verify", "c.jsonl", "--trust", "other-trust.yaml"],
            stdout: &["CS-RECEIPT-021"],
            exit: 11,
            ..Step::default()
        },
    ]);
}

#[test]
fn a_trace_walks_to_the_root() {
    after_chain([
        Step {
            args: &["trace", "{sent}", "--chain", "c.jsonl", "--trust", "mailer-trust.yaml"],
            stdout: &[
                "path mail > model_call > guardrail_scan > user_input",
                "signed by agent:mailer",
            ],
            ..Step::default()
        },
        Step {
            args: &[
                "trace",
                "{sent}",
                "--chain",
                "c.jsonl",
                "--trust",
                "mailer-trust.yaml",
                "--explain",
            ],
            stdout: &[
                "Which model produced this?\n  The model m1",
                "Which agent asked?\n  agent:mailer",
                "What was in the context?",
                "Yes: text of an external user is in it",
                "said CLEAN",
                "Has anything been altered since?\n  No. 4 steps",
            ],
            ..Step::default()
        },
        Step {
            args: &[
                "trace",
                "{called}",
                "--chain",
                "c.jsonl",
                "--trust",
                "mailer-trust.yaml",
                "--format",
                "json",
            ],
            stdout: &["\"ok\": true", "\"operation\": \"model_call\"", "\"holds\": true"],
            ..Step::default()
        },
        Step {
            args: &["receipt", "graph", "{sent}", "--chain", "c.jsonl"],
            stdout: &["digraph", "user_input", " -> "],
            ..Step::default()
        },
        Step {
            args: &["receipt", "show", "{sent}", "--chain", "c.jsonl"],
            stdout: &["\"operation\": \"tool_call\"", "\"verified\": false"],
            ..Step::default()
        },
        Step {
            args: &[
                "trace",
                "4eb79957-960e-425b-ac33-81617170ddb6",
                "--chain",
                "c.jsonl",
                "--trust",
                "mailer-trust.yaml",
            ],
            stdout: &["CS-EVIDENCE-001"],
            exit: 10,
            ..Step::default()
        },
        exit(&["trace", "no id", "--chain", "c.jsonl"], 64),
    ]);
}

#[test]
fn single_tokens_are_judged_too() {
    fn token(dir: &Path) {
        let chain = fs::read_to_string(dir.join("c.jsonl")).expect("the chain");
        let line = chain.lines().next().expect("a line");
        let jws = line.split("\"jws\": \"").nth(1).and_then(|rest| rest.split('"').next());
        fs::write(dir.join("r.jws"), format!("{}\n", jws.expect("a receipt"))).expect("written");
    }
    after_chain([
        Step {
            args: &["verify", "r.jws", "--trust", "mailer-trust.yaml"],
            before: Some(token),
            stdout: &["kind        receipt", "assurance   signed"],
            ..Step::default()
        },
        Step {
            args: &["receipt", "show", "r.jws"],
            stdout: &["\"operation\": \"user_input\""],
            ..Step::default()
        },
        Step {
            args: &["verify", "r.jws", "--trust", "mailer-trust.yaml"],
            before: Some(|dir| {
                let path = dir.join("r.jws");
                let text = fs::read_to_string(&path).expect("text");
                let (body, _) = text.trim().rsplit_once('.').expect("three parts");
                let zero = "A".repeat(86);
                fs::write(path, format!("{body}.{zero}")).expect("written");
            }),
            stdout: &["CS-RECEIPT-020"],
            exit: 11,
            ..Step::default()
        },
        Step {
            args: &["verify", "-", "--trust", "mailer-trust.yaml"],
            stdin: "eyJhbGciOiJub25lIn0.e30.",
            stdout: &["CS-RECEIPT-0"],
            exit: 11,
            ..Step::default()
        },
        Step {
            args: &["verify", "junk", "--trust", "mailer-trust.yaml"],
            before: Some(|dir| fs::write(dir.join("junk"), "nothing of ours\n").expect("written")),
            stdout: &["CS-EVIDENCE-004"],
            exit: 14,
            ..Step::default()
        },
        Step {
            args: &["verify", "empty", "--trust", "mailer-trust.yaml"],
            before: Some(|dir| fs::create_dir(dir.join("empty")).expect("made")),
            stdout: &["CS-EVIDENCE-002"],
            exit: 10,
            ..Step::default()
        },
    ]);
}

#[test]
fn the_trust_file_grows_by_command() {
    const ADD: &[&str] = &[
        "trust",
        "add",
        "--name",
        "mailer",
        "--purpose",
        "receipts",
        "--key",
        "mailer-public.pem",
        "--agent-id",
        "agent:mailer",
        "--until",
        "2001-01-01T00:00:00Z",
    ];
    after_chain([
        Step { args: ADD, stdout: &["added receipts mailer"], ..Step::default() },
        Step { args: ADD, stderr: &["one key has one purpose"], exit: 78, ..Step::default() },
        Step {
            args: &["trust", "show"],
            stdout: &["receipts", "mailer", "as agent:mailer", "until 2001-01-01"],
            ..Step::default()
        },
        Step {
            args: &["trust", "check", "--format", "json"],
            stdout: &["CS-TRUST-005", "\"ok\": true"],
            ..Step::default()
        },
        Step {
            args: &["verify", "c.jsonl"],
            stdout: &["CS-RECEIPT-022"],
            exit: 11,
            ..Step::default()
        },
        exit(
            &["trust", "add", "--name", "x", "--purpose", "fun", "--key", "mailer-public.pem"],
            64,
        ),
        exit(
            &["trust", "add", "--name", "x", "--purpose", "hmac", "--key", "mailer-public.pem"],
            64,
        ),
        exit(&["trust", "add", "--log", "nonsense"], 64),
        exit(&["verify", "c.jsonl", "--pubkeys", "mailer-public.pem"], 0),
    ]);
}
