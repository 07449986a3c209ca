//! Bundles in logs: the proof beside them, entries inside them, and what trust makes of both.

use std::fs;

use attest::bundle::proof_name;
use record::logged::{Leaf, is_of};
use record::trust::{LogKey, Quorum, Trust};
use seal::cosign::Cosigner;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::key::SecretKey;
use seal::merkle::{inclusion_proof, leaf_hash, root_of};
use seal::note::{Checkpoint, NoteSigner};
use seal::tlog_proof::TlogProof;
use seal::{Digest, base64};

use super::project::{MADE, Project, codes};
use crate::running::{countersign, said};

const ORIGIN: &str = "log.example/reviews";
/// An hour after everything was attested.
const SEEN: u64 = MADE.0 / 1000 + 3600;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32])
}

/// A note over a log of three entries, this one in their middle; witnessed at a time, if at all.
fn proof(entry: &[u8], extra: Option<&[u8]>, log: u8, seen: Option<u64>) -> TlogProof {
    let leaves = [leaf_hash(b"before"), leaf_hash(entry), leaf_hash(b"behind")];
    let root = root_of(&leaves);
    let text = Checkpoint { origin: ORIGIN.into(), size: 3, root }.text();
    let (log, witness) = (key(log), key(81));
    let signer = NoteSigner::new(ORIGIN, &log).expect("a log");
    let mut note = seal::note::sign(&text, &[signer]);
    if let Some(at) = seen {
        let witness = Cosigner::new("witness.example/w1", &witness).expect("a witness");
        note += &witness.sign(&text, at).expect("a cosignature").to_string();
        if !note.ends_with('\n') {
            note.push('\n');
        }
    }
    let extra = extra.map(<[u8]>::to_vec);
    TlogProof { extra, index: 1, hashes: inclusion_proof(&leaves, 1), checkpoint: note }
}

fn leaf(kind: &str, id: &str, body: &[u8]) -> Vec<u8> {
    let leaf = Value::object([
        ("body", Digest::of(body).into()),
        ("id", id.into()),
        ("kind", kind.into()),
        ("len", body.len().into()),
        ("seq", 0_i64.into()),
        ("ts", 0_i64.into()),
        ("v", 1_i64.into()),
        ("writer", "w".into()),
    ]);
    write_receipt(&leaf).expect("a leaf").into_bytes()
}

struct Logs(Project);

impl Logs {
    /// The prompt alone, in a trust file that names the log, and its witness where `quorum` says so.
    fn new(quorum: bool) -> Logs {
        let project = Project::new();
        project.take(&["corpus", "eval", "route", "slo", "model"]);
        let logs = Logs(project);
        logs.trust(80, quorum);
        logs
    }

    fn trust(&self, log: u8, quorum: bool) {
        let text = fs::read_to_string(self.0.path("trust.yaml")).expect("a trust file");
        let mut trust = Trust::parse(&text, &|_| Err("none".into())).expect("a trust file");
        let (log, witness) = (key(log), key(81));
        let vkey = NoteSigner::new(ORIGIN, &log).expect("a log").vkey().clone();
        let witness = Cosigner::new("witness.example/w1", &witness).expect("a witness");
        let policy = format!("witness w1 {}\nquorum w1\n", witness.vkey());
        fs::write(self.0.path("witnesses"), policy).expect("written");
        let quorum = match quorum {
            true => Quorum::Policy("file:witnesses".into()),
            false => Quorum::None,
        };
        trust.add_log(LogKey { vkey, quorum }).expect("a log");
        fs::write(self.0.path("trust.yaml"), trust.to_yaml()).expect("written");
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.0.path("attestations/prompt.bundle.json")).expect("a bundle")
    }

    fn beside(&self, text: &str) {
        let name = format!("attestations/{}", proof_name("prompt.bundle.json"));
        fs::write(self.0.path(&name), text).expect("written");
    }

    /// The exit, the codes, and how far the report goes.
    #[track_caller]
    fn check(&self, more: &[&str], exit: i32, expect: &[&str], far: &str) {
        let (found, report) = self.0.verify(more);
        let bundles = report.get("bundles").and_then(Value::as_array).expect("bundles");
        let logged = bundles[0].get("logged").is_some_and(|logged| *logged != Value::Null);
        let witnessed = report.get("witnessed") == Some(&Value::Bool(true));
        let reached = match (logged, witnessed) {
            (true, true) => "witnessed",
            (true, false) => "logged",
            (false, false) => "",
            (false, true) => "witnessed and not logged",
        };
        assert_eq!((found, codes(&report), reached), (exit, owned(expect), far), "{report:?}");
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| format!("CS-ATTEST-{one}")).collect()
}

#[test]
fn the_proof_beside_a_bundle_is_judged_by_the_trust_file() {
    let logs = Logs::new(true);
    let bytes = logs.bytes();
    let good = leaf("attestation", &Digest::of(&bytes).text(), &bytes);
    let of = |leaf: &[u8], log, seen| proof(leaf, Some(leaf), log, seen);
    let asked = ["--require-log"];
    logs.check(&[], 0, &[], "");
    logs.check(&asked, 10, &["083"], "");

    logs.beside(&of(&good, 80, Some(SEEN)).to_string());
    logs.check(&asked, 0, &[], "witnessed");
    // the bundle's own bytes may be the entry, too
    logs.beside(&proof(&bytes, None, 80, Some(SEEN)).to_string());
    logs.check(&asked, 0, &[], "witnessed");
    logs.beside(&of(&good, 80, None).to_string());
    logs.check(&[], 11, &["082"], "");
    // Signed by whoever calls himself the log.
    logs.beside(&of(&good, 82, Some(SEEN)).to_string());
    logs.check(&[], 11, &["082"], "");

    let other = leaf("attestation", &Digest::of(b"x").text(), b"x");
    let id = leaf("attestation", &Digest::of(b"x").text(), &bytes);
    let kind = leaf("feed", &Digest::of(&bytes).text(), &bytes);
    for wrong in [&other, &id, &kind] {
        logs.beside(&of(wrong, 80, Some(SEEN)).to_string());
        logs.check(&[], 12, &["081"], "");
    }
    let mut path = of(&good, 80, Some(SEEN));
    path.hashes[0] = Digest::of(b"another");
    logs.beside(&path.to_string());
    logs.check(&[], 12, &["081"], "");
    logs.beside("nonsense");
    logs.check(&[], 14, &["080"], "");
    logs.check(&asked, 14, &["080"], "");

    // A log that nobody named: told, never counted; and what is wrong is wrong all the same.
    let stranger = Logs(Project::new());
    stranger.0.take(&["corpus", "eval", "route", "slo", "model"]);
    stranger.beside(&of(&good, 80, Some(SEEN)).to_string());
    assert_eq!(stranger.bytes(), bytes);
    stranger.check(&[], 0, &["084"], "");
    stranger.check(&asked, 11, &["082", "084"], "");
    stranger.beside(&of(&other, 80, Some(SEEN)).to_string());
    stranger.check(&[], 12, &["081"], "");
    // Without a quorum it is logged, and nobody says when.
    stranger.trust(80, false);
    stranger.beside(&of(&good, 80, Some(SEEN)).to_string());
    stranger.check(&asked, 0, &[], "logged");
}

#[test]
fn what_witnesses_saw_counts_more_than_what_a_signer_says() {
    let logs = Logs::new(true);
    let bytes = logs.bytes();
    let leaf = leaf("attestation", &Digest::of(&bytes).text(), &bytes);
    // It was there an hour before it says that it was made.
    logs.beside(&proof(&leaf, Some(&leaf), 80, Some(SEEN - 7200)).to_string());
    logs.check(&[], 11, &["011"], "logged");
    logs.beside(&proof(&leaf, Some(&leaf), 80, Some(SEEN)).to_string());
    logs.check(&[], 0, &[], "witnessed");

    let gate = |requirement: &str| {
        let policy = format!(
            "version: 1\ngates:\n  - id: all\n    require: [{{type: prompt{requirement}}}]\n"
        );
        fs::write(logs.0.path("gate.yaml"), &policy).expect("written");
        let pin = |name: &str| Digest::of(&fs::read(logs.0.path(name)).expect("a file")).text();
        let pins = [pin("gate.yaml"), pin("trust.yaml"), pin("witnesses")];
        let args = ["attest", "gate", "--all", "--policy", "gate.yaml", "--trust", "trust.yaml"];
        let pins = pins.iter().flat_map(|pin| ["--pin", pin.as_str()]);
        let args: Vec<&str> = args.into_iter().chain(pins).chain(["--format", "json"]).collect();
        let output = countersign(logs.0.dir(), &args);
        let report = parse(&output.stdout, Limits { bytes: 64 << 20, depth: 16 });
        let report = report.unwrap_or_else(|_| panic!("{}", said(&output)));
        (output.status.code(), codes(&report).join(" "))
    };
    assert_eq!(gate(", logged: true, time: trusted"), (Some(0), String::new()));
    assert_eq!(gate(", max_age_days: 30, time: trusted"), (Some(13), "CS-GATE-002".into()));
    let whole = |exit: i32| {
        let file = "attestations/prompt.bundle.json";
        let args = ["verify", file, "--trust", "trust.yaml", "--require", "witnessed"];
        let output = countersign(logs.0.dir(), &args);
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
    };
    whole(0);
    fs::remove_file(logs.0.path("attestations/prompt.tlog-proof")).expect("removed");
    let both = "CS-GATE-011 CS-GATE-012".to_owned();
    assert_eq!(gate(", logged: true, time: trusted"), (Some(13), both));
    whole(11);
    assert_eq!(gate(""), (Some(0), String::new()));
}

/// Entries as Rekor makes them: kind `dsse`, in both of its forms.
#[test]
fn entries_inside_a_bundle_count_where_their_log_is_named() {
    let logs = Logs::new(true);
    let bundle = logs.0.bundle("prompt");
    let payload = Digest::of(&bundle.envelope.payload);
    let sig = base64::std_encode(&bundle.envelope.signatures[0].sig);
    let first = |sig: &str| {
        format!(
            r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"payloadHash":{{"algorithm":"sha256","value":"{}"}},"signatures":[{{"signature":"{sig}","verifier":"x"}}]}}}}"#,
            payload.hex()
        )
    };
    let second = format!(
        r#"{{"apiVersion":"0.0.2","kind":"dsse","spec":{{"dsseV002":{{"payloadHash":{{"algorithm":"SHA2_256","digest":"{}"}},"signatures":[{{"content":"{sig}"}}]}}}}}}"#,
        base64::std_encode(payload.as_bytes())
    );
    let check = |logs: &Logs,
                 body: &str,
                 log: u8,
                 change: fn(String) -> String,
                 exit,
                 expect,
                 far| {
        let proof = proof(body.as_bytes(), None, log, Some(SEEN));
        let hashes: Vec<String> = proof
            .hashes
            .iter()
            .map(|hash| format!("{:?}", base64::std_encode(hash.as_bytes())))
            .collect();
        let stated = seal::tlog_proof::stated(&proof.checkpoint).expect("a checkpoint");
        let entry = format!(
            r#"{{"logIndex":"1","logId":{{"keyId":"AQ=="}},"kindVersion":{{"kind":"dsse","version":"0.0.1"}},"integratedTime":"0","inclusionProof":{{"logIndex":"1","rootHash":"{}","treeSize":"3","hashes":[{}],"checkpoint":{{"envelope":{}}}}},"canonicalizedBody":"{}"}}"#,
            base64::std_encode(stated.root.as_bytes()),
            hashes.join(","),
            Quoted(&proof.checkpoint),
            base64::std_encode(body.as_bytes()),
        );
        let mut bundle = bundle.clone();
        bundle.tlog_entries =
            vec![parse(change(entry).as_bytes(), Limits::DOCUMENT).expect("JSON")];
        logs.0.put("prompt", &bundle);
        logs.check(&[], exit, expect, far);
    };
    let same = |entry: String| entry;
    check(&logs, &first(&sig), 80, same, 0, &[], "witnessed");
    check(&logs, &second, 80, same, 0, &[], "witnessed");
    // Another signature, another checkpoint's signer, a path that leads elsewhere.
    check(&logs, &first("AQ=="), 80, same, 12, &["081"], "");
    check(&logs, &first(&sig), 82, same, 11, &["082"], "");
    check(
        &logs,
        &second,
        80,
        |one| one.replacen("\"logIndex\":\"1\",\"rootHash\"", "\"logIndex\":\"0\",\"rootHash\"", 1),
        12,
        &["081"],
        "",
    );
    // A form that is not known here, and a log that nobody named: told, and nothing more.
    check(&logs, r#"{"kind":"hashedrekord"}"#, 80, same, 0, &["084"], "");
    let stranger = Logs(Project::new());
    stranger.0.take(&["corpus", "eval", "route", "slo", "model"]);
    check(&stranger, &first(&sig), 80, same, 0, &["084"], "");
    // What is no entry makes it no bundle.
    check(
        &logs,
        &second,
        80,
        |one| one.replacen("\"treeSize\":\"3\"", "\"treeSize\":\"4\"", 1),
        14,
        &["001"],
        "",
    );
    check(
        &logs,
        &second,
        80,
        |one| one.replacen("\"logIndex\":\"1\"", "\"logIndex\":\"-1\"", 1),
        14,
        &["001"],
        "",
    );
    check(
        &logs,
        &second,
        80,
        |one| one.replacen("inclusionProof", "inclusion", 1),
        14,
        &["001"],
        "",
    );
}

/// A text as JSON.
struct Quoted<'t>(&'t str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        seal::json::push_string(self.0, &mut text);
        f.write_str(&text)
    }
}

#[test]
fn a_ledger_is_made_without_a_gateway() {
    let project = Project::new();
    let init = |exit: i32| {
        let output = countersign(project.dir(), &["ledger", "init", "--format", "json"]);
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
        parse(&output.stdout, Limits::DOCUMENT).expect("JSON")
    };
    let first = init(0);
    assert_eq!(first.get("made"), Some(&Value::Bool(true)));
    let ignored = fs::read_to_string(project.path(".countersign/.gitignore")).expect("written");
    assert_eq!(ignored, "*\n", "no key is committed by accident");
    fs::write(project.path("vsa.pem"), key(3).to_pem().as_bytes()).expect("written");
    assert_eq!(project.verify(&["--vsa", "vsa.pem", "--log"]).0, 0);
    let second = init(0);
    assert_eq!(second.get("made"), Some(&Value::Bool(false)));
    assert_eq!(second.get("origin"), first.get("origin"));
    assert_eq!(second.get("entries").and_then(Value::as_i64), Some(1));
    let output = countersign(project.dir(), &["verify", ".countersign/ledger"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // Where one of its keys is gone nothing is made anew.
    fs::remove_file(project.path(".countersign/keys/log.pem")).expect("removed");
    let output = countersign(project.dir(), &["ledger", "init"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
}

/// One ledger, from the files to `verify`: what `sign --log` writes is what is believed under the trust
/// file of that ledger.
#[test]
fn what_is_logged_here_is_logged_for_a_reader() {
    let project = Project::new();
    assert!(crate::running::Running::up(project.dir(), &[], &[]).stop().success());
    let own = fs::read_to_string(project.path("countersign.trust.yaml")).expect("made by up");
    let (_, log) = own.split_once("logs:").expect("its log");
    let trust = fs::read_to_string(project.path("trust.yaml")).expect("a trust file");
    let trust = trust.split("logs:").next().expect("a text").to_owned() + "logs:" + log;
    fs::write(project.path("trust.yaml"), trust).expect("written");
    let vsa = key(3).to_pem();
    fs::write(project.path("vsa.pem"), vsa.as_bytes()).expect("written");
    let (exit, _) = project.verify(&["--vsa", "vsa.pem", "--log"]);
    assert_eq!(exit, 0);
    let bytes = fs::read(project.path("attestations/verification.vsa.json")).expect("a summary");
    let proof = fs::read(project.path("attestations/verification.vsa.tlog-proof")).expect("one");
    is_of(&proof, &bytes, Leaf::Cited("attestation")).expect("its proof");
    let judge = |exit: i32| {
        let args = ["verify", "attestations/verification.vsa.json", "--trust", "trust.yaml"];
        let output = countersign(project.dir(), &args);
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
        said(&output)
    };
    assert!(judge(0).contains(" of countersign.local/"));
    let text = String::from_utf8(proof).expect("text");
    fs::write(
        project.path("attestations/verification.vsa.tlog-proof"),
        text.replacen("index ", "index 1", 1),
    )
    .expect("written");
    judge(12);
}

/// Each summary takes the place of the one before, and its proof with it.
#[test]
fn summaries_that_are_made_at_once_wait_for_each_other() {
    let project = Project::new();
    assert!(countersign(project.dir(), &["ledger", "init"]).status.success());
    fs::write(project.path("vsa.pem"), key(3).to_pem().as_bytes()).expect("written");
    for _ in 0..4 {
        std::thread::scope(|scope| {
            let sum_up = || project.verify(&["--vsa", "vsa.pem", "--log"]).0;
            let all = [(); 3].map(|()| scope.spawn(sum_up));
            assert_eq!(all.map(|one| one.join().expect("an exit")), [0; 3]);
        });
        let read = |name: &str| fs::read(project.path(name)).expect("a file");
        let bytes = read("attestations/verification.vsa.json");
        let proof = read("attestations/verification.vsa.tlog-proof");
        is_of(&proof, &bytes, Leaf::Cited("attestation")).expect("its proof");
    }
}
