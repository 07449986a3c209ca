//! Every way to tamper that is known to have worked somewhere, and the exit and codes it ends with here.

mod chain;
mod files;
mod made;
mod said;
mod signed;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use attest::statement::{PAYLOAD_TYPE, Privacy};
use attest::{Bundle, Dependency};
use seal::Digest;
use seal::dsse::{Envelope, Signer as _};
use seal::json::Value;
use seal::time::UnixMillis;

use super::project::{MADE, Project, codes, key, sign};
use crate::running::said;
use crate::sdk::repository;

/// A way to tamper with a project whose bundles hold.
#[derive(Clone)]
pub struct Case {
    /// Its number.
    pub id: &'static str,
    /// What is tampered with.
    pub what: &'static str,
    /// The tampering.
    pub change: fn(&Project),
    more: &'static [&'static str],
    exit: i32,
    /// `CS-ATTEST-` stands before each; others are written in full.
    pub codes: &'static [&'static str],
}

/// All of them.
pub fn cases() -> Vec<Case> {
    [signed::CASES, files::CASES, said::CASES, chain::CASES].concat()
}

const fn case(
    id: &'static str,
    what: &'static str,
    change: fn(&Project),
    exit: i32,
    codes: &'static [&'static str],
) -> Case {
    Case { id, what, change, more: &[], exit, codes }
}

#[test]
fn every_way_to_tamper_has_its_exit_and_codes() {
    let mut wrong = Vec::new();
    for case in &cases() {
        let project = Project::new();
        (case.change)(&project);
        let (exit, report) = project.verify(case.more);
        let found: Vec<String> = codes(&report)
            .into_iter()
            .map(|code| code.strip_prefix("CS-ATTEST-").map(str::to_owned).unwrap_or(code))
            .collect();
        if exit != case.exit || found != case.codes {
            wrong.push(format!(
                "{} {}: exit {exit} {found:?}, expected {} {:?}",
                case.id, case.what, case.exit, case.codes
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same for readers: a script that forges with openssl what our own `sign` refuses to sign.
#[test]
fn the_script_for_readers_finds_every_exit() {
    let script = repository().join("examples/tamper.sh");
    let output = Command::new(script)
        .env("COUNTERSIGN", env!("CARGO_BIN_EXE_countersign"))
        .output()
        .expect("sh and openssl are there");
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert_eq!(told.lines().filter(|line| line.ends_with(" ok")).count(), 40, "{told}");
}

fn append(project: &Project, path: &str) {
    let place = project.path(path);
    let text = fs::read_to_string(&place).expect("a file");
    fs::write(place, text + "# tampered\n").expect("written");
}

fn replace(project: &Project, path: &str, from: &str, to: &str) {
    let place = project.path(path);
    let text = fs::read_to_string(&place).expect("a file");
    assert!(text.contains(from), "{path}");
    fs::write(place, text.replace(from, to)).expect("written");
}

/// Leaves the prompt alone, its bundle changed.
fn lone(project: &Project, change: impl FnOnce(&mut Bundle)) {
    project.take(&["corpus", "eval", "route", "slo", "model"]);
    let mut bundle = project.bundle("prompt");
    change(&mut bundle);
    project.put("prompt", &bundle);
}

fn swap(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} in {text}");
    text.replacen(from, to, 1)
}

fn text_of(bundle: &Bundle) -> String {
    assert_eq!(bundle.envelope.payload_type, PAYLOAD_TYPE);
    String::from_utf8(bundle.envelope.payload.clone()).expect("text")
}

/// A system prompt at this path.
fn astray(project: &Project, path: &str) {
    lone(project, |_| {});
    project.restate("prompt", |one| {
        for subject in one.subjects.iter_mut().filter(|one| one.role == "system_prompt") {
            subject.path = path.into();
        }
    });
}

fn set(value: &mut Value, at: &[&str], to: Value) {
    let mut place = value;
    for name in at {
        place = place.get_mut(name).expect("a member");
    }
    assert_ne!(*place, to, "nothing changed");
    *place = to;
}
