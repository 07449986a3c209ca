//! `examples/agent.rs` runs, and its last step leads back to the user.

use std::path::PathBuf;
use std::process::Command;

/// The compiled example: `cargo test` builds it beside the tests; a run of this test alone does not.
fn agent() -> PathBuf {
    let here = std::env::current_exe().expect("the test's own path");
    let target = here.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let binary = target.join("examples").join("agent");
    if !binary.exists() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--example", "agent"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the example does not build");
    }
    binary
}

#[test]
fn the_agent_leaves_a_trail_back_to_the_user() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let chain = dir.path().join("chain.jsonl");
    let run = Command::new(agent()).arg(&chain).output().expect("the example runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(
        said.contains("path send_email > model_call > guardrail_scan > user_input\n"),
        "{said}"
    );
    assert_eq!(said.matches("signed by agent:mailer").count(), 4, "{said}");
    let lines = std::fs::read_to_string(&chain).expect("the chain is there");
    assert_eq!(lines.lines().count(), 4);
    assert!(!lines.contains("Dana"), "receipts hold digests, never content");
}

#[test]
fn the_example_is_about_thirty_lines() {
    let text = include_str!("../../../../examples/agent.rs");
    let code = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
        .count();
    assert!(code <= 32, "{code} lines of code");
}
