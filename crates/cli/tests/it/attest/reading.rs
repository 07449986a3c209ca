//! What is printed of attestations, and the summaries that verifications leave behind.

use std::fs;

use attest::Vsa;
use attest::statement::Statement;
use record::trust::{Purpose, Trust, TrustKey};
use seal::json::{Limits, Value, parse};
use seal::signer::Signer as _;
use testkit::tsa_server::{OpensslTsa, Says};

use super::project::{Project, codes, sign};
use crate::commands::scan::sarif_faults;
use crate::running::{countersign, said};

const LIMITS: Limits = Limits { bytes: 64 << 20, depth: 16 };

/// What `countersign ARGS` prints, which must end with `exit`.
fn prints(project: &Project, args: &[&str], exit: i32) -> String {
    let output = countersign(project.dir(), args);
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

const VERIFY: &[&str] = &["attest", "verify", "--trust", "trust.yaml"];

fn verify(project: &Project, format: &str, exit: i32) -> String {
    prints(project, &[VERIFY, &["--format", format]].concat(), exit)
}

#[test]
fn a_verification_is_told_in_six_ways() {
    let project = Project::new();
    let table = verify(&project, "table", 0);
    for said in ["result      ok", "assurance   signed", "statements  6"] {
        assert!(table.contains(said), "{said}: {table}");
    }
    assert!(table.contains("route   route.bundle.json: ok; signed by ada\n"), "{table}");

    fs::write(project.path("app/system.txt"), "other\n").expect("written");
    project.put("second", &sign("{}", 9));
    let table = verify(&project, "table", 12);
    let line = "prompt  prompt.bundle.json: digest failed; signed by ada\n";
    assert!(table.contains(line) && table.contains("CS-ATTEST-022"), "{table}");

    let json = verify(&project, "json", 12);
    let report = parse(json.as_bytes(), LIMITS).expect("JSON");
    assert_eq!(codes(&report), ["CS-ATTEST-005", "CS-ATTEST-015", "CS-ATTEST-022"]);
    let bundles = report.get("bundles").and_then(Value::as_array).expect("bundles");
    let stage = |file: &str, stage: &str| {
        let one = bundles.iter().find(|one| one.get("file").and_then(Value::as_str) == Some(file));
        let told = one.and_then(|one| one.get("stages")?.get(stage)?.as_str());
        told.expect("a stage").to_owned()
    };
    assert_eq!(stage("prompt.bundle.json", "digest"), "failed");
    assert_eq!(stage("prompt.bundle.json", "signature"), "ok");
    assert_eq!(stage("second.bundle.json", "signature"), "failed");
    assert_eq!(stage("second.bundle.json", "chain"), "not judged");
    assert_eq!(stage("slo.bundle.json", "semantics"), "ok");

    let page = verify(&project, "markdown", 12);
    assert!(
        page.contains("**Refused**") && page.contains("| prompt | prompt.bundle.json |"),
        "{page}"
    );
    let sarif = parse(verify(&project, "sarif", 12).as_bytes(), LIMITS).expect("JSON");
    assert_eq!(sarif_faults(&sarif), [""; 0]);
    let results = sarif.get("runs").and_then(|runs| runs.as_array()?[0].get("results")?.as_array());
    assert_eq!(results.map(<[Value]>::len), Some(3));
    let dot = verify(&project, "dot", 12);
    assert_eq!(dot.matches(" -> ").count(), 4, "{dot}");
    assert!(dot.contains("label=\"prompt\\n") && dot.contains("penwidth=2"), "{dot}");
    let svg = verify(&project, "svg", 12);
    assert_eq!((svg.matches("<rect").count(), svg.matches("<path").count()), (6, 4), "{svg}");

    // The JSON, kept, gives the same pages.
    fs::write(project.path("verify.json"), json).expect("written");
    for (format, direct) in [("markdown", &page), ("dot", &dot), ("svg", &svg)] {
        let again = prints(&project, &["attest", "report", "verify.json", "--format", format], 0);
        assert_eq!(again, *direct);
    }
    prints(&project, &["attest", "report", "verify.json", "--format", "sarif"], 0);
    prints(&project, &["attest", "report", "trust.yaml"], 65);
    prints(&project, &["attest", "report", "nothing.json"], 66);
}

#[test]
fn names_from_outside_print_inert() {
    let project = Project::new();
    project.put_text("\u{1b}[31m|<b>", "no");
    for format in ["table", "json", "markdown", "sarif", "dot", "svg"] {
        let printed = verify(&project, format, 14);
        assert!(!printed.contains('\u{1b}'), "{format}: {printed}");
        if format == "markdown" {
            assert!(!printed.contains("<b>") && printed.contains("&#60;b&#62;"), "{printed}");
        }
    }
}

fn pem(number: u8) -> String {
    seal::key::SecretKey::from_seed([number; 32]).to_pem().to_string()
}

#[test]
fn a_summary_is_signed_whatever_it_says() {
    let project = Project::new();
    fs::write(project.path("vsa.pem"), pem(3)).expect("written");
    let vsa = [VERIFY, &["--vsa", "vsa.pem", "--verifier", "https://ci.example"]].concat();
    let mut trust = Trust::empty();
    let public = seal::key::SecretKey::from_seed([3; 32]).public().clone();
    trust.add_key(TrustKey::public("cai", Purpose::Vsa, public)).expect("a key");
    let judge = |path: &str| {
        let bundle = fs::read(project.path(path)).expect("a summary");
        Vsa::judge(&bundle, Some(&trust)).expect("a summary of cai")
    };
    prints(&project, &vsa, 0);
    let (passed, signer) = judge("attestations/verification.vsa.json");
    assert_eq!((signer.as_str(), passed.verifier.as_str()), ("cai", "https://ci.example"));
    let kinds = ["prompt", "corpus", "eval", "route", "slo", "model"];
    let payloads: Vec<_> = kinds.iter().map(|kind| project.payload(kind).1).collect();
    assert!(passed.passed && passed.covers(&payloads));
    assert_eq!(passed.levels.len(), 5);
    let file = seal::Digest::of(&fs::read(project.path("trust.yaml")).expect("read"));
    assert_eq!(passed.policy, ("trust.yaml".to_owned(), file));

    // What it summed up is no bundle, and is not in its own way.
    let elsewhere = [&vsa[..], &["--out", "elsewhere.json", "--no-subjects"]].concat();
    prints(&project, &elsewhere, 0);
    assert_eq!(judge("elsewhere.json").0.levels.len(), 4, "files were not compared");

    fs::write(project.path("app/system.txt"), "other\n").expect("written");
    prints(&project, &vsa, 12);
    let (failed, _) = judge("attestations/verification.vsa.json");
    assert!(!failed.passed && !failed.covers(&payloads));
    assert!(!failed.levels.iter().any(|level| level == "COUNTERSIGN_DIGEST"), "{failed:?}");
    // The one verifier knows bundles and summaries, too.
    let any = |path: &str, exit| {
        let printed =
            prints(&project, &["verify", path, "--trust", "trust.yaml", "--format", "json"], exit);
        codes(&parse(printed.as_bytes(), LIMITS).expect("JSON"))
    };
    assert_eq!(any("elsewhere.json", 0), [""; 0]);
    assert_eq!(any("attestations/verification.vsa.json", 13), ["CS-ATTEST-044"]);
    assert_eq!(any("attestations/prompt.bundle.json", 0), ["CS-ATTEST-027"]);
    assert_eq!(any("attestations/slo.bundle.json", 14), ["CS-ATTEST-027", "CS-ATTEST-029"]);
    project.put("prompt", &sign(&project.statement("prompt").write(), 9));
    assert_eq!(any("attestations/prompt.bundle.json", 11), ["CS-ATTEST-005", "CS-ATTEST-027"]);
    // A key that is none is told before anything is judged.
    prints(&project, &[VERIFY, &["--vsa", "trust.yaml"]].concat(), 65);
    prints(&project, &[VERIFY, &["--out", "x"]].concat(), 64);
}

#[test]
fn statements_are_shown_and_compared() {
    let project = Project::new();
    let file = "attestations/prompt.bundle.json";
    let shown = prints(&project, &["attest", "show", file], 0);
    for said in ["type         prompt\n", "app/templates/base.txt (templates, ", "not verified\n"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let json = prints(&project, &["attest", "show", file, "--format", "json"], 0);
    let payload = parse(json.as_bytes(), LIMITS).expect("JSON");
    let same = seal::json::write_receipt(&payload).expect("canonical");
    assert_eq!(same.as_bytes(), project.payload("prompt").0, "the statement itself");

    fs::write(project.path("app/templates/new.txt"), "x").expect("written");
    let mut other: Statement = project.statement("prompt");
    let mut fresh = other.subjects[0].clone();
    (fresh.role, fresh.path) = ("templates".into(), "app/templates/new.txt".into());
    other.subjects.retain(|one| one.role != "tool_schemas");
    other.subjects.push(fresh);
    other.sensitivity.push("internal".into());
    fs::write(project.path("other.statement.json"), other.write()).expect("written");
    let diff = prints(&project, &["attest", "diff", file, "other.statement.json"], 0);
    for said in [
        "+ file app/templates/new.txt (templates): sha256:",
        "- file app/tools/search.json (tool_schemas): sha256:",
        "~ sensitivity:  -> internal\n",
    ] {
        assert!(diff.contains(said), "{said}: {diff}");
    }
    let same = prints(&project, &["attest", "diff", file, file], 0);
    assert!(same.contains("no differences"), "{same}");
    prints(&project, &["attest", "diff", file, "attestations/eval.bundle.json"], 14);
    prints(&project, &["attest", "show", "trust.yaml"], 14);
    prints(&project, &["attest", "show", "nothing"], 66);
}

#[test]
fn schemas_are_published() {
    let project = Project::new();
    for kind in attest::types::ALL {
        let schema = prints(&project, &["attest", "schema", kind.name], 0);
        let schema = parse(schema.as_bytes(), LIMITS).expect("JSON");
        assert_eq!(schema, attest::statement::schema(kind));
        let id = schema.get("$id").and_then(Value::as_str).expect("an id");
        assert!(id.starts_with(kind.uri), "{id}");
    }
    prints(&project, &["attest", "schema", "other"], 64);
}

#[test]
fn commitments_are_checked_with_their_salts() {
    let project = Project::new();
    project.take(&["corpus", "eval", "route", "slo", "model"]);
    let salts = attest::privacy::Salts::of([7; 32]);
    project.restate("prompt", |one| {
        for subject in &mut one.subjects {
            let content = fs::read(project.path(&subject.path)).expect("a file");
            let (digest, salt) = salts.commit(&subject.role, &subject.path, &content);
            (subject.digest, subject.salt) = (digest, Some(salt));
        }
    });
    let found = |more: &[&str]| {
        let (exit, report) = project.verify(more);
        (exit, codes(&report).join(" "))
    };
    assert_eq!(found(&[]), (10, "CS-ATTEST-026".into()));
    fs::write(project.path("mine.json"), salts.write("x")).expect("written");
    assert_eq!(found(&["--salts", "mine.json"]), (0, String::new()));
    let beside = project.path("attestations/prompt.salts.json");
    fs::rename(project.path("mine.json"), &beside).expect("moved");
    assert_eq!(found(&[]), (0, String::new()));
    let other = attest::privacy::Salts::of([8; 32]);
    fs::write(&beside, other.write("x")).expect("written");
    assert_eq!(found(&[]), (10, "CS-ATTEST-026".into()));
    fs::write(&beside, salts.write("x")).expect("written");
    let text = fs::read_to_string(project.path("app/system.txt")).expect("a file");
    fs::write(project.path("app/system.txt"), text.replace("handbook", "bookhand"))
        .expect("written");
    assert_eq!(found(&[]), (12, "CS-ATTEST-023".into()));
}

/// `openssl ts` stamps the signature, years after the statement says that it was made.
#[test]
fn a_stamp_counts_more_than_what_a_signer_says() {
    let project = Project::new();
    project.take(&["corpus", "eval", "route", "slo", "model"]);
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = OpensslTsa::new(folder.path());
    let mut bundle = project.bundle("prompt");
    let digest = seal::Digest::of(&bundle.envelope.signatures[0].sig);
    let asked = stamp::request(stamp::Hash::Sha256, digest.as_bytes(), None, None, true);
    let Says::Reply(reply) = openssl.answer(&asked.expect("a query")) else { panic!("no stamp") };
    bundle.timestamps.push(reply);
    project.put("prompt", &bundle);
    let found = || {
        let (exit, report) = project.verify(&[]);
        let bundles = report.get("bundles").and_then(Value::as_array).expect("bundles");
        let stamped = bundles[0].get("stamped").and_then(Value::as_str).is_some();
        (exit, codes(&report).join(" "), stamped)
    };
    // Nobody is trusted with the time.
    assert_eq!(found(), (0, String::new(), false));
    let root = openssl.root();
    let root = root.to_str().expect("UTF-8");
    let add =
        ["trust", "add", "--trust", "trust.yaml", "--name", "tsa", "--purpose", "tsa", "--key"];
    prints(&project, &[&add[..], &[root]].concat(), 0);
    assert_eq!(found(), (0, String::new(), true));
    // A stamp over another signature is none.
    bundle.timestamps[0] = {
        let other = stamp::request(stamp::Hash::Sha256, &[7; 32], None, None, true);
        let Says::Reply(reply) = openssl.answer(&other.expect("a query")) else {
            panic!("no stamp")
        };
        reply
    };
    let stamped = project.bundle("prompt");
    project.put("prompt", &bundle);
    assert_eq!(found(), (0, "CS-ATTEST-045".into(), false));
    project.put("prompt", &stamped);
    // The key ended between what is said and what is stamped.
    let trust = fs::read_to_string(project.path("trust.yaml")).expect("a trust file");
    let ended = trust.replacen(
        "    purpose: statements\n",
        "    purpose: statements\n    valid: {until: 2024-06-01T00:00:00Z}\n",
        1,
    );
    assert_ne!(trust, ended, "{trust}");
    fs::write(project.path("trust.yaml"), ended).expect("written");
    assert_eq!(found(), (11, "CS-ATTEST-010".into(), true));
}
