//! Gates over changes in a repository.

use std::fs;
use std::process::Command;

use seal::Digest;
use seal::json::{Limits, Value, parse};

use super::project::{Project, codes, sign};
use crate::running::{countersign, said};

const POLICY: &str = "version: 1
gates:
  - id: prompts
    paths: [\"app/**\"]
    message: ask the reviewers
    require:
      - {type: prompt, signers: [ada]}
      - {type: eval, where: [regression_detected == false, metrics.accuracy >= 0.7]}
  - id: route
    paths: [\"route/**\"]
    require:
      - {type: route}
      - {type: eval, signers: [ada, ben], threshold: 2}
";

const REGO: &str = "package countersign.gate

allow := true

violations contains sprintf(\"%s is not by ben\", [s.type]) if {
  some s in input.statements
  input.changes[_].path == \"slo/profile.json\"
  s.type == \"slo\"
  not \"ben\" in s.signers
}
";

/// A repository whose branch `base` has the project, a policy and all bundles.
struct Work(Project);

impl Work {
    fn new() -> Work {
        let work = Work(Project::new());
        work.write("gate.yaml", POLICY);
        work.write("gates.rego", REGO);
        work.git(&["init", "-q", "-b", "main"]);
        work.commit();
        work.git(&["branch", "base"]);
        work
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.path(path), text).expect("written");
    }

    fn git(&self, arguments: &[&str]) {
        let ran = Command::new("git")
            .arg("-C")
            .arg(self.0.dir())
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .output()
            .expect("git runs");
        assert!(ran.status.success(), "{arguments:?}: {}", said(&ran));
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "change"]);
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let arguments = [&["attest", "gate", "--trust", "trust.yaml"], arguments].concat();
        let output = countersign(self.0.dir(), &arguments);
        (output.status.code().unwrap_or(-1), said(&output))
    }

    /// The exit and the codes of a gate over the change since `base`.
    #[track_caller]
    fn check(&self, more: &[&str], exit: i32, expect: &[&str]) -> Value {
        let arguments = ["attest", "gate", "--trust", "trust.yaml", "--policy", "gate.yaml"];
        let arguments =
            [&arguments[..], &["--rego", "gates.rego", "--base", "base", "--format", "json"], more];
        let output = countersign(self.0.dir(), &arguments.concat());
        let report = parse(&output.stdout, Limits { bytes: 64 << 20, depth: 16 });
        let report = report.unwrap_or_else(|_| panic!("{}", said(&output)));
        assert_eq!(
            (output.status.code(), codes(&report)),
            (Some(exit), owned(expect)),
            "{}",
            said(&output)
        );
        report
    }

    /// Attests the prompt anew, so that it is about the files as they are, and the eval on top of it.
    fn attest(&self) {
        for kind in ["prompt", "eval", "route", "slo"] {
            self.0.restate(kind, |_| {});
        }
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

#[test]
fn a_change_passes_when_it_is_attested() {
    let work = Work::new();
    work.check(&[], 0, &[]);
    work.write("app/system.txt", "You answer briefly.\n");
    // What was attested is no longer what is there: tampering, and no statement counts.
    let report = work.check(&[], 12, &["CS-ATTEST-022", "CS-GATE-001"]);
    assert_eq!(report.get("gates_applied"), Some(&Value::array(["prompts"])));
    work.attest();
    work.check(&[], 0, &[]);
    work.commit();
    work.check(&[], 0, &[]);
}

#[test]
fn every_violation_is_listed() {
    let work = Work::new();
    for path in ["app/new.txt", "route/note.txt", "slo/profile.json"] {
        work.write(path, "x\n");
    }
    work.0.take(&["prompt", "corpus", "eval", "route", "slo"]);
    let report = work.check(&[], 13, &["CS-GATE-001"]);
    let violations = report.get("violations").and_then(Value::as_array).expect("violations");
    let places: Vec<&str> =
        violations.iter().filter_map(|one| one.get("place").and_then(Value::as_str)).collect();
    assert_eq!(places, ["gate prompts", "gate prompts", "gate route", "gate route"]);
    let (exit, said) = work.run(&["--policy", "gate.yaml", "--base", "base"]);
    assert_eq!(exit, 13);
    assert_eq!(said.matches("CS-GATE-001").count(), 4, "{said}");
    assert!(said.contains("ask the reviewers"), "{said}");
}

#[test]
fn signers_and_both_engines_count() {
    let work = Work::new();
    work.write("route/note.txt", "x\n");
    work.check(&[], 13, &["CS-GATE-003"]);
    let payload = String::from_utf8(work.0.payload("eval").0).expect("text");
    work.0.put("eval-by-ben", &sign(&payload, 2));
    work.check(&[], 0, &[]);
    work.write("slo/profile.json", "{}\n");
    work.attest();
    work.0
        .put("eval-by-ben", &sign(&String::from_utf8(work.0.payload("eval").0).expect("text"), 2));
    // Whatever `allow` says.
    work.check(&[], 13, &["CS-GATE-007"]);
}

#[test]
fn no_name_hides_a_change() {
    for name in ["app/\u{fc}ber.txt", "app/two words.txt", "app/line\nbreak.txt"] {
        let work = Work::new();
        work.0.take(&["prompt"]);
        work.0.take(&["eval", "route", "slo"]);
        work.commit();
        work.check(&[], 0, &[]);
        work.write(name, "x");
        work.check(&[], 13, &["CS-GATE-001"]);
        work.commit();
        work.check(&[], 13, &["CS-GATE-001"]);
    }
    let work = Work::new();
    work.0.take(&["prompt", "eval", "route", "slo"]);
    work.git(&["mv", "app/tools/search.json", "moved.json"]);
    work.check(&[], 13, &["CS-GATE-001"]);
}

#[test]
fn a_change_is_not_judged_by_its_own_rules() {
    let work = Work::new();
    work.0.take(&["prompt", "eval", "route", "slo"]);
    work.write("app/new.txt", "x");
    work.write(
        "gate.yaml",
        "version: 1\ngates: [{id: none, paths: [nothing], require: [{type: slo}]}]\n",
    );
    work.write("gates.rego", "package countersign.gate\nallow := true\n");
    work.write("trust.yaml", "version: 1\n");
    work.commit();
    let report = work.check(&[], 13, &["CS-GATE-001", "CS-GATE-008"]);
    let found = report.get("findings").and_then(Value::as_array).expect("findings");
    let touched = found.iter().filter(|one| one.get("code") == Some(&Value::from("CS-GATE-008")));
    assert_eq!(touched.count(), 3);
    // A rule that the change makes is not there yet.
    work.write("later.yaml", POLICY);
    assert_eq!(work.run(&["--policy", "later.yaml", "--base", "base"]).0, 78);
    // Nor does a link make another file of it.
    fs::remove_file(work.0.path("gate.yaml")).expect("removed");
    std::os::unix::fs::symlink("later.yaml", work.0.path("gate.yaml")).expect("linked");
    work.check(&[], 13, &["CS-GATE-001", "CS-GATE-008"]);
}

#[test]
fn rules_without_a_base_are_pinned() {
    let work = Work::new();
    let pin = |path: &str| Digest::of(&fs::read(work.0.path(path)).expect("a file")).to_string();
    let (policy, trust) = (pin("gate.yaml"), pin("trust.yaml"));
    let all = ["--policy", "gate.yaml", "--all"];
    let with = |pins: &[&str]| work.run(&[&all[..], pins].concat()).0;
    // Everything counts as changed, and the gate `route` wants two signers.
    assert_eq!(with(&["--policy-digest", &policy, "--pin", &trust]), 13);
    assert_eq!(with(&["--pin", &policy]), 78);
    assert_eq!(with(&["--pin", &trust]), 78);
    assert_eq!(with(&[]), 78);
    assert_eq!(with(&["--pin", "sha256:x"]), 64);
    work.write("list", "docs/a.md\n");
    let listed =
        ["--policy", "gate.yaml", "--changed-from", "list", "--pin", &policy, "--pin", &trust];
    assert_eq!(work.run(&listed).0, 0);
    work.write("list", "docs/a.md\0route/x\0");
    assert_eq!(work.run(&listed).0, 13);
    work.write("list", "\"app/\\303\\274.txt\"\n");
    assert_eq!(work.run(&listed).0, 65);
    assert_eq!(work.run(&["--policy", "gate.yaml", "--pin", &policy]).0, 64);
}

#[test]
fn a_list_that_is_none_stops_the_gate() {
    let work = Work::new();
    let pin = |path: &str| Digest::of(&fs::read(work.0.path(path)).expect("a file")).to_string();
    let (policy, trust) = (pin("gate.yaml"), pin("trust.yaml"));
    let listed =
        ["--policy", "gate.yaml", "--changed-from", "list", "--pin", &policy, "--pin", &trust];
    // What `git diff` leaves behind when it fails, and what another shell writes.
    for list in ["", "\n", "\0", "\u{feff}route/x\n", "M\troute/x\n"] {
        work.write("list", list);
        let (exit, said) = work.run(&listed);
        assert_eq!(exit, 65, "{list:?}: {said}");
    }
    work.write("list", "docs/a.md\n");
    assert_eq!(work.run(&listed).0, 0);
}

#[test]
fn a_key_that_is_not_there_is_said_to_be() {
    let work = Work::new();
    let pem = seal::signer::Signer::public(&seal::key::SecretKey::from_seed([1; 32])).to_pem();
    work.write("ada.pem", &pem);
    let trust = "version: 1\nkeys: [{name: ada, purpose: statements, key: \"file:ada.pem\"}]\n";
    work.write("trust.yaml", trust);
    let pins = ["gate.yaml", "trust.yaml", "ada.pem"]
        .map(|name| Digest::of(&fs::read(work.0.path(name)).expect("read")).to_string());
    let all = ["--policy", "gate.yaml", "--all", "--pin", &pins[0], "--pin", &pins[1]];
    let (exit, said) = work.run(&all);
    assert_eq!(exit, 78, "{said}");
    assert!(said.contains(&format!("--pin {}", pins[2])), "{said}");
    assert_eq!(work.run(&[&all[..], &["--pin", &pins[2]]].concat()).0, 13);
    work.git(&["rm", "-q", "--cached", "-f", "--ignore-unmatch", "ada.pem"]);
    work.git(&["commit", "-q", "-m", "trust", "trust.yaml"]);
    let (exit, said) = work.run(&["--policy", "gate.yaml", "--base", "HEAD"]);
    assert_eq!(exit, 78, "{said}");
    assert!(said.contains("ada.pem is no plain file"), "{said}");
}

#[test]
fn a_tag_is_no_base_in_the_place_of_a_branch() {
    let work = Work::new();
    work.write("app/new.txt", "x");
    work.write("gate.yaml", &POLICY.replace("[ada]", "[ben]"));
    work.commit();
    work.git(&["update-ref", "refs/remotes/origin/main", "base"]);
    let gate = |base: &str| work.run(&["--policy", "gate.yaml", "--base", base]).0;
    assert_eq!(gate("origin/main"), 0);
    work.git(&["tag", "origin/main"]);
    let (exit, said) = work.run(&["--policy", "gate.yaml", "--base", "origin/main"]);
    assert_eq!(exit, 65, "{said}");
    assert!(said.contains("refs/remotes/origin/main"), "{said}");
    assert_eq!(gate("refs/remotes/origin/main"), 0);
}

#[test]
fn a_twin_elsewhere_covers_nothing() {
    let work = Work::new();
    let policy = "version: 1\ngates: [{id: all, paths: [\"**/app/**\"], require: [{type: prompt, covers: true}]}]\n";
    fs::create_dir(work.0.path("service")).expect("made");
    for name in ["app", "data", "eval", "route", "slo", "model", "attestations"] {
        let to = work.0.path("service").join(name);
        fs::rename(work.0.path(name), to).expect("moved");
    }
    work.write("gate.yaml", policy);
    work.commit();
    work.git(&["branch", "-f", "base"]);
    let gate = || {
        let rules = ["--trust", "trust.yaml", "--policy", "gate.yaml", "--base", "base"];
        let arguments = [&["--dir", "service", "attest", "gate"], &rules[..]].concat();
        let output = countersign(work.0.dir(), &arguments);
        (output.status.code(), said(&output))
    };
    assert_eq!(gate().0, Some(0));
    // Attested is service/app/system.txt.
    fs::create_dir(work.0.path("app")).expect("made");
    work.write("app/system.txt", "x");
    let (exit, said) = gate();
    assert_eq!(exit, Some(13), "{said}");
    assert!(said.contains("CS-GATE-005"), "{said}");
    fs::remove_dir_all(work.0.path("app")).expect("removed");
    // A change of it alone (its mode) is covered.
    use std::os::unix::fs::PermissionsExt as _;
    let file = work.0.path("service/app/system.txt");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("set");
    let (exit, said) = gate();
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("changed files 1"), "{said}");
}

#[test]
fn a_summary_is_put_over_nothing_else() {
    let work = Work::new();
    work.write("vsa.pem", &seal::key::SecretKey::from_seed([3; 32]).to_pem());
    let verify = |out: &str| {
        let arguments = ["attest", "verify", "--trust", "trust.yaml", "--vsa", "vsa.pem", "--out"];
        let output = countersign(work.0.dir(), &[&arguments[..], &[out]].concat());
        (output.status.code(), said(&output))
    };
    std::os::unix::fs::symlink("nowhere", work.0.path("link")).expect("linked");
    // the last one's proof would be put over that of a bundle
    for out in [
        "vsa.pem",
        "trust.yaml",
        "attestations/eval.bundle.json",
        "app",
        "link",
        "attestations/eval.json",
    ] {
        let before = fs::read(work.0.path(out)).ok();
        let (exit, said) = verify(out);
        assert_eq!(exit, Some(73), "{out}: {said}");
        assert_eq!(fs::read(work.0.path(out)).ok(), before, "{out}");
    }
    work.write("empty", "");
    for out in ["empty", "new.json", "new.json"] {
        assert_eq!(verify(out).0, Some(0), "{out}");
    }
}

#[test]
fn a_gate_is_reported_as_a_verification_is() {
    let work = Work::new();
    work.0.take(&["prompt", "eval", "route", "slo"]);
    work.write("app/new.txt", "x");
    let report = work.check(&[], 13, &["CS-GATE-001"]);
    work.write("gate.json", &seal::json::write_plain(&report));
    for (format, holds) in [("markdown", "**Refused**"), ("sarif", "CS-GATE-001"), ("svg", "<svg")]
    {
        let arguments = ["attest", "report", "gate.json", "--format", format];
        let output = countersign(work.0.dir(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains(holds), "{}", said(&output));
    }
}

#[test]
fn what_git_refuses_stops_the_gate() {
    let work = Work::new();
    let out = work.0.path("written");
    let option = format!("--output={}", out.display());
    for base in ["nothing", "--all", "", "HEAD~5", option.as_str()] {
        let argument = format!("--base={base}");
        let (exit, said) = work.run(&["--policy", "gate.yaml", &argument]);
        assert_eq!(exit, 65, "{base}: {said}");
    }
    assert!(!out.exists());
    let outside = Project::new();
    let output = countersign(
        outside.dir(),
        &["attest", "gate", "--trust", "trust.yaml", "--policy", "x", "--base", "main"],
    );
    assert_eq!(output.status.code(), Some(65), "{}", said(&output));
}

#[test]
fn rules_that_are_none_are_said_to_be() {
    for (policy, rego) in [
        ("version: 1\ngates: []\n", REGO),
        ("version: 1\ngates: [{id: a, require: [{type: eval, where: [x == 1]}]}]\n", REGO),
        (POLICY, "package other\n"),
        (POLICY, "package countersign.gate\nallow if time.now_ns() > 0\n"),
        (POLICY, "package countersign.gate\nviolations[x] { x := 1 }\n"),
    ] {
        let work = Work::new();
        work.write("gate.yaml", policy);
        work.write("gates.rego", rego);
        work.commit();
        let arguments = ["--policy", "gate.yaml", "--rego", "gates.rego", "--base", "HEAD"];
        assert_eq!(work.run(&arguments).0, 78, "{policy}{rego}");
    }
}

#[test]
fn what_changed_must_be_known_to_be_covered() {
    let work = Work::new();
    work.write(
        "gate.yaml",
        "version: 1\ngates: [{id: all, require: [{type: prompt, covers: true}]}]\n",
    );
    work.commit();
    let pins = ["gate.yaml", "trust.yaml"]
        .map(|name| Digest::of(&fs::read(work.0.path(name)).expect("read")).to_string());
    let pins = ["--pin", &pins[0], "--pin", &pins[1]];
    let (exit, said) = work.run(&[&["--policy", "gate.yaml", "--all"], &pins[..]].concat());
    assert_eq!(exit, 78, "{said}");
    assert!(said.contains("--changed-from"), "{said}");
    work.write("list", "app/system.txt\n");
    let listed = [&["--policy", "gate.yaml", "--changed-from", "list"], &pins[..]].concat();
    assert_eq!(work.run(&listed).0, 0);
}

#[test]
fn a_policy_without_an_answer_lets_nothing_pass() {
    let work = Work::new();
    work.write(
        "gates.rego",
        "package countersign.gate\nallow if to_number(input.statements[_].type) > 0\n",
    );
    work.commit();
    let (exit, said) = work.run(&["--rego", "gates.rego", "--base", "HEAD"]);
    assert_eq!(exit, 13, "{said}");
    assert!(said.contains("CS-GATE-007"), "{said}");
}

#[test]
fn a_summary_stands_for_the_files() {
    let work = Work::new();
    work.write("vsa.pem", &seal::key::SecretKey::from_seed([3; 32]).to_pem());
    let summarise = |exit: i32| {
        let arguments = ["attest", "verify", "attestations", "--trust", "trust.yaml"];
        let more = ["--subjects", ".", "--vsa", "vsa.pem", "--out", "vsa.json"];
        let output = countersign(work.0.dir(), &[&arguments[..], &more].concat());
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
    };
    summarise(0);
    work.write("app/new.txt", "x");
    let with = ["--vsa", "vsa.json"];
    work.check(&with, 0, &["CS-ATTEST-027"]);
    // What lies beside it is no proof, or there should be one.
    work.write("vsa.tlog-proof", "nonsense");
    work.check(&with, 14, &["CS-ATTEST-027", "CS-ATTEST-080", "CS-GATE-001"]);
    fs::remove_file(work.0.path("vsa.tlog-proof")).expect("removed");
    let logged = ["--vsa", "vsa.json", "--require-log"];
    work.check(&logged, 13, &["CS-ATTEST-027", "CS-ATTEST-083", "CS-GATE-001"]);
    // A file more in a directory of which all are attested.
    work.write("data/docs/added.md", "x\n");
    work.check(&with, 11, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-009"]);
    fs::remove_file(work.0.path("data/docs/added.md")).expect("removed");
    // The files are others than those that were compared, in the work tree or in a later commit.
    work.write("app/system.txt", "other\n");
    work.check(&with, 11, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-009"]);
    work.check(&[], 12, &["CS-ATTEST-022", "CS-GATE-001"]);
    work.commit();
    work.check(&with, 11, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-009"]);
    // Whoever has no git says which commit is judged.
    let vsa = std::fs::read(work.0.dir().join("vsa.json")).expect("a summary");
    let vsa = attest::Bundle::read(&vsa).expect("a bundle").envelope.payload;
    let source = attest::Vsa::read(&vsa).expect("a summary").source.expect("a commit");
    work.check(&["--vsa", "vsa.json", "--commit", &source], 0, &["CS-ATTEST-027"]);
    let other = "0".repeat(40);
    let with_other = ["--vsa", "vsa.json", "--commit", &other];
    work.check(&with_other, 11, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-009"]);
    // A statement that came after it.
    work.write("app/system.txt", "You answer questions about our handbook.\n");
    work.commit();
    work.0.restate("prompt", |statement| statement.sensitivity.push("internal".into()));
    for kind in ["eval", "route", "slo"] {
        work.0.restate(kind, |_| {});
    }
    work.check(&with, 13, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-010"]);
    // Files that no commit has.
    summarise(0);
    work.write("slo/profile.json", "{}\n");
    work.0.restate("slo", |_| {});
    summarise(0);
    let report = work.check(&with, 11, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-009"]);
    let told = seal::json::write_plain(&report);
    assert!(told.contains("it names no commit"), "{told}");
    // A summary of failure, and one by somebody else.
    work.write("app/system.txt", "other\n");
    summarise(12);
    work.check(&with, 11, &["CS-ATTEST-027", "CS-GATE-001", "CS-GATE-009"]);
    work.write("vsa.json", &work.0.bundle("prompt").write());
    work.check(&with, 11, &["CS-ATTEST-027", "CS-ATTEST-043", "CS-GATE-001"]);
}

#[test]
fn bundles_that_nobody_trusted_signed_count_for_nothing() {
    let work = Work::new();
    work.write("app/new.txt", "x");
    let payload = String::from_utf8(work.0.payload("eval").0).expect("text");
    work.0.put("eval", &sign(&payload, 9));
    let report = work.check(&[], 11, &["CS-ATTEST-005", "CS-GATE-001"]);
    assert_eq!(report.get("ok"), Some(&Value::Bool(false)));
}

#[test]
fn the_example_has_a_policy() {
    let policy = include_str!("../../../../../examples/rag/countersign.gate.yaml");
    let policy = attest::gate::Policy::parse(policy).expect("a policy");
    assert_eq!(policy.gates().len(), 4);
    let text = include_str!("../../../../../examples/rag/countersign.gate.rego");
    let work = Work::new();
    work.write("gates.rego", text);
    work.commit();
    let rego = ["--rego", "gates.rego", "--base", "HEAD"];
    assert_eq!(work.run(&rego).0, 0);
    work.0.restate("route", |statement| {
        statement.own = parse(
            br#"{"strategy":"x","providers":[{"provider":"local","model":"other"}]}"#,
            Limits::DOCUMENT,
        )
        .expect("JSON");
    });
    work.0.restate("slo", |_| {});
    let (exit, said) = work.run(&rego);
    assert_eq!(exit, 13, "{said}");
    assert!(said.contains("other of local is routed to and not attested"), "{said}");
}
