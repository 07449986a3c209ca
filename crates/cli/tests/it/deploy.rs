//! What lies in deploy/: judged by the programs that read it, and its commands run for real.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::machine::skipped;
use crate::running::{Running, ask, countersign, said};
use crate::sdk::{python, repository};

const UNITS: [&str; 3] =
    ["countersign-verify.service", "countersign-verify.timer", "countersign-export@.service"];

#[test]
fn systemd_takes_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        skipped(
            "no systemd-analyze (Debian: systemd): the units of deploy/systemd are not verified",
        );
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let verify = |edit: &dyn Fn(String) -> String| {
        for unit in UNITS {
            let text = fs::read_to_string(repository().join("deploy/systemd").join(unit));
            // It asks that the program is there.
            let text = text.expect("the unit").replace(
                "=/usr/bin/countersign ",
                &format!("={} ", env!("CARGO_BIN_EXE_countersign")),
            );
            fs::write(dir.path().join(unit), edit(text)).expect("written");
        }
        let named = UNITS.map(|unit| dir.path().join(unit.replace("@.", "@ocsf.")));
        Command::new("systemd-analyze").arg("verify").args(named).output().expect("it runs")
    };
    let output = verify(&|text| text);
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(UNITS.iter().all(|unit| !told.contains(&unit.replace("@.", "@ocsf."))), "{told}");
    let output = verify(&|text| text.replace("ProtectSystem=", "ProtectSytem="));
    assert!(said(&output).contains("ProtectSytem"), "it judges nothing: {}", said(&output));
}

#[test]
fn kubernetes_takes_the_cron_job() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let job = repository().join("deploy/kubernetes/verify-cronjob.yaml");
    let text = fs::read_to_string(job).expect("the manifest");
    let judge = |text: &str| {
        let file = dir.path().join("job.yaml");
        fs::write(&file, text).expect("written");
        let mut command = Command::new(&python);
        command.args(["-m", "kubernetes_validate", "--strict"]).arg(file).output().expect("it runs")
    };
    let output = judge(&text);
    assert!(output.status.success(), "{}", said(&output));
    for (from, to) in
        [("readOnly: true", "readonly: true"), ("backoffLimit: 0", "backoffLimit: no")]
    {
        assert!(text.contains(from), "{from}");
        let output = judge(&text.replacen(from, to, 1));
        assert!(!output.status.success(), "{to} is taken: {}", said(&output));
    }
    for needed in ["readOnlyRootFilesystem: true", "runAsNonRoot: true", "RuntimeDefault"] {
        assert!(text.contains(needed), "{needed}");
    }
}

/// The command of the unit, as systemd would split it, with its variables.
fn unit_command(unit: &str, values: &[(&str, &str)]) -> Vec<String> {
    let text = fs::read_to_string(repository().join("deploy/systemd").join(unit)).expect("unit");
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/countersign "));
    let mut line = line.expect("a command").to_owned();
    for (name, value) in values {
        line = line.replace(name, value);
    }
    line.split_whitespace().map(str::to_owned).collect()
}

/// The command of the CronJob.
fn job_command(values: &[(&str, &str)]) -> Vec<String> {
    let job = repository().join("deploy/kubernetes/verify-cronjob.yaml");
    let text = fs::read_to_string(job).expect("the manifest");
    let args = text.lines().find_map(|line| line.trim().strip_prefix("args: ["));
    let args = args.and_then(|args| args.strip_suffix(']')).expect("arguments");
    let words = args.split(',').map(|word| {
        values.iter().fold(word.trim().to_owned(), |word, (from, to)| word.replace(from, to))
    });
    words.collect()
}

fn run(dir: &Path, args: &[String]) -> i32 {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = countersign(dir, &args);
    println!("{args:?} {}", said(&output));
    output.status.code().expect("an exit")
}

#[test]
fn the_nightly_commands_tell_good_from_bad() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let up = Running::up(dir, &[], &[]);
    up.chat(&ask("Hello", false)).expect("an answer");
    assert!(up.stop().success(), "a clean stop");
    let path = |name: &str| dir.join(name).to_str().expect("text").to_owned();
    let (ledger, trust) = (path(".countersign/ledger"), path("countersign.trust.yaml"));
    let values =
        [("${LEDGER}", ledger.as_str()), ("${TRUST}", trust.as_str()), ("${REQUIRE}", "signed")];
    let service = unit_command("countersign-verify.service", &values);
    let job = job_command(&[("/evidence", &ledger), ("/trust/countersign.trust.yaml", &trust)]);
    for command in [&service, &job] {
        assert_eq!(run(dir, command), 0, "{command:?}");
    }
    let state = path("state");
    fs::create_dir(&state).expect("a directory");
    let mut export = unit_command(
        "countersign-export@.service",
        &[
            ("/var/lib/countersign/.countersign/ledger", ledger.as_str()),
            ("/etc/countersign/countersign.trust.yaml", trust.as_str()),
            ("${STATE_DIRECTORY}", state.as_str()),
            ("%i", "ocsf"),
        ],
    );
    export.retain(|word| word != "--follow"); // it would not end
    assert_eq!(run(dir, &export), 0, "{export:?}");
    let events = fs::read_to_string(dir.join("state/ocsf.log")).expect("the events");
    assert_eq!(events.lines().count(), 2, "{events}");

    let segment = dir.join(".countersign/ledger/journal/00000000000000000000.seg");
    let mut bytes = fs::read(&segment).expect("the segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("written");
    for command in [&service, &job] {
        assert!(matches!(run(dir, command), 12 | 14), "{command:?}");
    }
    assert!(matches!(run(dir, &export), 0 | 12 | 14));
}
