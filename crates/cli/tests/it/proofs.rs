//! `countersign log prove` and `log verify`: what an outsider is handed, and what he makes of it.

use std::fs;
use std::path::Path;

use seal::cosign::Cosigner;
use seal::json::{Limits, Value, parse};
use seal::note::NoteSigner;
use seal::tile;
use seal::tlog_proof::TlogProof;
use seal::{Digest, SecretKey};

use crate::running::{Running, ask, copy, countersign, said};

const LEDGER: &str = ".countersign/ledger";

/// A ledger of a few requests, written by a gateway that has stopped; and the log's verifier key.
struct Scene {
    dir: tempfile::TempDir,
    vkey: String,
}

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().expect("a directory");
        grow(dir.path());
        let trust = fs::read_to_string(dir.path().join("countersign.trust.yaml")).expect("made");
        let (_, logs) = trust.split_once("logs:").expect("it names its log");
        let vkey = logs.split('"').nth(1).expect("quoted").to_owned();
        let scene = Scene { dir, vkey };
        scene.write("none.policy", &format!("log {}\nquorum none\n", scene.vkey));
        scene
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("readable")
    }

    /// `countersign log ARGS`, which must end so; what it printed.
    fn log(&self, args: &[&str], exit: i32) -> String {
        let output = countersign(self.path(), &[&["log"], args].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        said(&output)
    }

    fn json(&self, args: &[&str], exit: i32) -> Value {
        let args = [&["log"], args, &["--format", "json"]].concat();
        let output = countersign(self.path(), &args);
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        parse(&output.stdout, Limits::DOCUMENT).expect("one JSON document")
    }

    /// The checkpoint's size.
    fn size(&self) -> i64 {
        self.json(&["show"], 0).get("size").and_then(Value::as_i64).expect("a size")
    }
}

/// Two requests to a gateway over this directory.
fn grow(dir: &Path) {
    let running = Running::up(dir, &[], &[]);
    for text in ["What is the capital of France?", "And of Italy?"] {
        assert_eq!(running.chat(&ask(text, false)).expect("answered").status, 200);
    }
    assert!(running.stop().success());
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report.get("findings").and_then(Value::as_array).expect("findings");
    findings.iter().filter_map(|finding| finding.get("code")?.as_str()).collect()
}

#[test]
fn every_entry_is_proved_and_judged_offline() {
    let scene = Scene::new();
    let size = scene.size();
    assert!(size > 10, "{size}");
    let outside = tempfile::tempdir().expect("a directory");
    for index in 0..size {
        let (number, name) = (index.to_string(), format!("{index}.tlog-proof"));
        scene.log(&["prove", "inclusion", "--index", &number, "-o", &name], 0);
        let file = outside.path().join(&name);
        fs::copy(scene.path().join(&name), &file).expect("copied");
    }
    // Proof and policy are all that is needed.
    fs::write(outside.path().join("policy"), scene.read("none.policy")).expect("written");
    for index in 0..size {
        let name = format!("{index}.tlog-proof");
        let output = countersign(outside.path(), &["log", "verify", &name, "--policy", "policy"]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let last = (size - 1).to_string();
    let again = scene.log(&["prove", "inclusion", "--index", &last, "-o", "0.tlog-proof"], 73);
    assert!(again.contains("never overwritten"), "{again}");
    let beyond = scene.log(&["prove", "inclusion", "--index", &size.to_string()], 10);
    assert!(beyond.contains("there is no entry"), "{beyond}");
    scene.log(&["prove", "inclusion", "--id", "nobody"], 10);
    scene.log(&["prove", "inclusion", "--index", "0", "nowhere"], 66);
    scene.log(&["prove", "inclusion", "--index", "0", "."], 10);
    scene.log(&["prove", "inclusion"], 64);
}

#[test]
fn what_is_handed_over_is_bound_to_the_log() {
    let scene = Scene::new();
    let listed = countersign(scene.path(), &["ledger", "show", "--format", "json"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let leaf = listed.lines().find(|line| line.contains("\"kind\":\"receipt\"")).expect("one");
    let parsed = parse(leaf.as_bytes(), Limits::DOCUMENT).expect("JSON");
    let id = parsed.get("id").and_then(Value::as_str).expect("an id");
    let body = countersign(scene.path(), &["ledger", "show", "--id", id]).stdout;
    fs::write(scene.path().join("body"), body.trim_ascii_end()).expect("written");
    scene.write("leaf", leaf);
    scene.log(&["prove", "inclusion", "--id", id, "-o", "p"], 0);
    scene.log(&["prove", "inclusion", "--id", id, "--bare", "-o", "bare"], 0);
    fn verify<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["verify"], args, &["--policy", "none.policy"]].concat()
    }

    let report = scene.json(&verify(&["p", "--body", "body", "--id", id]), 0);
    assert_eq!(report.get("assurance").and_then(Value::as_str), Some("signed"));
    let proof = report.get("proof").expect("what was proved");
    assert_eq!(proof.get("leaf").and_then(Value::as_str), Some(leaf));
    scene.log(&verify(&["bare"]), 64);
    scene.log(&verify(&["bare", "--leaf", "leaf", "--body", "body"]), 0);
    scene.log(&verify(&["bare", "--entry", "leaf"]), 0);
    assert_eq!(TlogProof::parse(scene.read("bare").as_bytes()).expect("a proof").extra, None);

    for (bytes, name) in [("{}", "other"), (&format!("{} ", scene.read("body")), "longer")] {
        scene.write(name, bytes);
        let report = scene.json(&verify(&["p", "--body", name]), 12);
        assert_eq!(codes(&report), ["CS-LOG-004"]);
    }
    // The newline of a redirected print is told, and still not what was logged.
    scene.write("printed", &format!("{}\n", scene.read("body")));
    let printed = scene.log(&verify(&["p", "--body", "printed"]), 12);
    assert!(printed.contains("without the newline"), "{printed}");
    assert_eq!(codes(&scene.json(&verify(&["p", "--id", "another"]), 12)), ["CS-LOG-004"]);
    // Another leaf, a leaf that is none, and a log entry of another kind of log.
    let another = listed.lines().find(|line| *line != leaf).expect("another");
    scene.write("another", another);
    assert_eq!(codes(&scene.json(&verify(&["p", "--leaf", "another"]), 12)), ["CS-LOG-003"]);
    let report = scene.json(&verify(&["p", "--leaf", "body"]), 12);
    assert_eq!(codes(&report), ["CS-LOG-003", "CS-LOG-001"]);
    assert_eq!(codes(&scene.json(&verify(&["p", "--entry", "body"]), 12)), ["CS-LOG-003"]);
    scene.log(&verify(&["p", "--leaf", "gone"]), 66);
    scene.log(&verify(&["gone"]), 66);
}

#[test]
fn each_class_has_its_exit_and_the_worst_decides() {
    let scene = Scene::new();
    scene.log(&["prove", "inclusion", "--index", "3", "-o", "p"], 0);
    let proof = scene.read("p");
    let policy = |name: &str, text: &str| scene.write(name, text);
    let key = |n: u8| SecretKey::from_seed([n; 32]);
    let other = key(9);
    let other = NoteSigner::new("log.example", &other).expect("a name").vkey().to_string();
    let witness = key(7);
    let witness = Cosigner::new("witness.example", &witness).expect("a name").vkey().to_string();
    policy("other-log", &format!("log {other}\nquorum none\n"));
    policy("witnessed", &format!("log {}\nwitness w {witness}\nquorum w\n", scene.vkey));
    policy("no-quorum", &format!("log {}\n", scene.vkey));
    policy("no-log", &format!("witness w {witness}\nquorum w\n"));
    policy("cut", &format!("log {}\nquorum none", scene.vkey));
    let judge = |proof: &str, policy: &str, exit: i32| {
        scene.write("judged", proof);
        scene.json(&["verify", "judged", "--policy", policy], exit)
    };
    assert_eq!(codes(&judge(&proof, "none.policy", 0)), Vec::<&str>::new());
    assert_eq!(codes(&judge(&proof, "other-log", 11)), ["CS-LOG-002"]);
    let report = judge(&proof, "witnessed", 11);
    assert_eq!(codes(&report), ["CS-TRUST-004"]);
    assert_eq!(report.get("assurance").and_then(Value::as_str), Some("consistent"));
    for name in ["no-quorum", "no-log", "cut", "p"] {
        scene.log(&["verify", "p", "--policy", name], 78);
    }
    scene.log(&["verify", "p", "--policy", "gone"], 66);
    scene.log(&["verify", "p"], 64);
    assert_eq!(codes(&judge("nothing of the kind", "none.policy", 14)), ["CS-LOG-001"]);
    let index = proof.replacen("\nindex 3\n", "\nindex 4\n", 1);
    assert_eq!(codes(&judge(&index, "none.policy", 12)), ["CS-LOG-003"]);
    // Two failures: tampering is never masked by a missing quorum.
    assert_eq!(codes(&judge(&index, "witnessed", 12)), ["CS-TRUST-004", "CS-LOG-003"]);
    let size = scene.size();
    let cut = proof.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1);
    // The hashes still lead to the root: it is the signature that binds root and size.
    assert_eq!(codes(&judge(&cut, "none.policy", 11)), ["CS-LOG-002"]);
}

#[test]
fn a_copy_for_everybody_proves_and_witnesses_count() {
    let scene = Scene::new();
    copy(&scene.path().join(LEDGER).join("public"), &scene.path().join("copy"));
    let note = scene.read("copy/checkpoint");
    let text = seal::note::text_of(&note).expect("a note");
    let secrets = [7, 8].map(|n| SecretKey::from_seed([n; 32]));
    let [one, two] = ["one.example", "two.example"];
    let cosigners =
        [(one, &secrets[0]), (two, &secrets[1])].map(|(n, s)| Cosigner::new(n, s).expect("named"));
    let mut policy = format!("log {}\n", scene.vkey);
    for (n, cosigner) in cosigners.iter().enumerate() {
        policy.push_str(&format!("witness w{n} {}\n", cosigner.vkey()));
    }
    scene.write("two.policy", &format!("{policy}group both all w0 w1\nquorum both\n"));
    scene.write("any.policy", &format!("{policy}group one any w0 w1\nquorum one\n"));
    let line = cosigners[1].sign(text, 1_800_000_000).expect("a time").to_string();
    scene.write("copy/checkpoint", &format!("{note}{line}"));
    let leaf = countersign(scene.path(), &["ledger", "show", "--format", "json"]).stdout;
    let leaf = String::from_utf8_lossy(&leaf).lines().nth(5).expect("an entry").to_owned();
    scene.write("leaf", &leaf);

    // No bundles there: by index, and the leaf comes from who has it.
    let by_id = scene.log(&["prove", "inclusion", "copy", "--id", "whatever"], 10);
    assert!(by_id.contains("--index"), "{by_id}");
    scene.log(&["prove", "inclusion", "copy", "--index", "5", "-o", "p"], 0);
    let verify =
        |policy, exit| scene.json(&["verify", "p", "--leaf", "leaf", "--policy", policy], exit);
    let report = verify("any.policy", 0);
    assert_eq!(report.get("witnessed").and_then(Value::as_bool), Some(true));
    let checkpoint = report.get("proof").and_then(|p| p.get("checkpoint")).expect("told");
    let witnesses = checkpoint.get("witnesses").and_then(Value::as_array).expect("a list");
    assert_eq!(witnesses[0].get("name").and_then(Value::as_str), Some("w1"));
    assert_eq!(witnesses[0].get("time").and_then(Value::as_i64), Some(1_800_000_000));
    assert_eq!(codes(&verify("two.policy", 11)), ["CS-TRUST-004"]);
    // A witness's line that was bent refuses the checkpoint, whoever else signed.
    let bent = scene.read("p").replace(line.split(' ').nth(2).expect("a blob"), "AAAA");
    scene.write(
        "p",
        &bent.replace("AAAA", &line.split(' ').nth(2).expect("a blob").replacen("A", "B", 1)),
    );
    let report = verify("any.policy", 11);
    assert!(!codes(&report).is_empty(), "{report:?}");

    // Tiles that were changed give no proof.
    let edge = tile::tiles_of(scene.size() as u64).next().expect("a tile").path();
    let tile = scene.path().join("copy").join(edge);
    let mut bytes = fs::read(&tile).expect("readable");
    bytes[0] ^= 1;
    fs::write(&tile, &bytes).expect("written");
    let refused = scene.log(&["prove", "inclusion", "copy", "--index", "5"], 12);
    assert!(refused.contains("do not lead to the root"), "{refused}");
    bytes.truncate(31);
    fs::write(&tile, bytes).expect("written");
    scene.log(&["prove", "inclusion", "copy", "--index", "5"], 12);
    fs::remove_file(&tile).expect("removed");
    scene.log(&["prove", "inclusion", "copy", "--index", "5"], 14);
}

#[test]
fn growth_is_proved_and_a_fork_is_seen() {
    let scene = Scene::new();
    let old = scene.read(".countersign/ledger/public/checkpoint");
    let old_size = scene.size().to_string();
    scene.write("old", &old);
    grow(scene.path());
    scene.log(&["prove", "consistency", "--from", "old", "-o", "p"], 0);
    assert!(scene.read("p").starts_with(&format!("old {old_size}\n")));
    let verify = |proof: &str, old: &str, exit| {
        let args = ["verify", "--consistency", proof, "--old", old, "--policy", "none.policy"];
        scene.json(&args, exit)
    };
    let report = verify("p", "old", 0);
    assert_eq!(report.get("assurance").and_then(Value::as_str), Some("signed"));
    scene.log(&["prove", "consistency", "--from", &old_size, "-o", "q"], 0);
    assert_eq!(scene.read("q"), scene.read("p"));
    // To a state before the newest, whose checkpoint somebody kept.
    scene.log(&["prove", "consistency", "--from", "3", "--to", "old", "-o", "r"], 0);
    assert!(scene.read("r").ends_with(&old));
    scene.log(&["prove", "consistency", "--from", "3", "--to", &old_size], 64);
    scene.log(&["prove", "consistency", "--from", "100000"], 10);

    // The log's own key signs another history: no proof comes, and none that exists fits.
    let stated = seal::tlog_proof::stated(&old).expect("a checkpoint");
    let keys = scene.path().join(".countersign/keys");
    let pem = fs::read_dir(&keys).expect("keys").filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        (name.contains("log") && !name.contains("pub")).then_some(name)
    });
    let pem = pem.into_iter().next().expect("the log's key");
    let secret = SecretKey::from_pem(&fs::read_to_string(keys.join(pem)).expect("readable"));
    let secret = secret.expect("a key");
    let fork = seal::note::Checkpoint { root: Digest::of(b"fork"), ..stated.clone() };
    let signer = NoteSigner::new(&stated.origin, &secret).expect("a name");
    scene.write("fork", &seal::note::sign(&fork.text(), &[signer]));
    assert_eq!(codes(&verify("p", "fork", 12)), ["CS-LOG-003"]);
    let refused = scene.log(&["prove", "consistency", "--from", "fork"], 12);
    assert!(refused.contains("two histories"), "{refused}");
    // The newer one in the place of the older one, and one that nobody signed.
    fs::copy(scene.path().join(LEDGER).join("public/checkpoint"), scene.path().join("new"))
        .expect("copied");
    assert_eq!(codes(&verify("p", "new", 12)), ["CS-LOG-003"]);
    scene.write("unsigned", &old.replacen(&format!("\n{old_size}\n"), "\n7\n", 1));
    assert!(codes(&verify("p", "unsigned", 12)).contains(&"CS-LOG-002"));
    scene.write("nothing", "nothing");
    assert_eq!(codes(&verify("p", "nothing", 14)), ["CS-LOG-001"]);
    assert_eq!(codes(&verify("nothing", "old", 14)), ["CS-LOG-001"]);
    scene.log(&["verify", "--consistency", "p", "--policy", "none.policy"], 64);
}

#[test]
fn a_ledger_from_before_the_tiles_proves_by_its_journal() {
    let scene = Scene::new();
    scene.log(&["prove", "inclusion", "--index", "4", "--bare", "-o", "with"], 0);
    // A tile that is longer than any may be is none, and told as that.
    let tile = format!("tile/0/000.p/{}", scene.size());
    fs::write(scene.path().join(LEDGER).join("public").join(&tile), vec![7; 8193])
        .expect("written");
    let long = scene.log(&["prove", "inclusion", "--index", "4"], 12);
    assert!(long.contains(&tile), "{long}");
    fs::remove_dir_all(scene.path().join(LEDGER).join("public/tile")).expect("removed");
    fs::remove_dir_all(scene.path().join(LEDGER).join("entries")).expect("removed");
    scene.log(&["prove", "inclusion", "--index", "4", "--bare", "-o", "without"], 0);
    assert_eq!(scene.read("with"), scene.read("without"));
    scene.log(&["prove", "consistency", "--from", "2", "-o", "growth"], 0);
}

#[test]
fn a_trust_file_takes_a_witness_policy_and_asks_for_it() {
    let scene = Scene::new();
    let key = SecretKey::from_seed([7; 32]);
    let witness = Cosigner::new("witness.example", &key).expect("a name");
    let policy = format!("log {}\nwitness w {}\nquorum w\n", scene.vkey, witness.vkey());
    scene.write("witnesses", &policy);
    scene.write("cut", policy.trim_end());
    scene.write("stranger", &policy.replacen(&scene.vkey, "gone", 1));
    let add = |quorum: &str, exit: i32| {
        let args = ["trust", "add", "--trust", "t.yaml", "--log", &scene.vkey, "--quorum", quorum];
        let output = countersign(scene.path(), &args);
        assert_eq!(output.status.code(), Some(exit), "{quorum}\n{}", said(&output));
    };
    for (refused, exit) in
        [("file:cut", 78), ("file:stranger", 78), ("file:gone", 78), ("all", 64), ("env:HOME", 64)]
    {
        add(refused, exit);
        assert!(!scene.path().join("t.yaml").exists(), "{refused}");
    }
    add("file:witnesses", 0);
    let shown = countersign(scene.path(), &["trust", "show", "--trust", "t.yaml"]);
    assert!(said(&shown).contains("quorum file:witnesses"), "{}", said(&shown));
    // The whole ledger asks for the quorum now, and a file that is gone is not taken for none.
    let verify = |exit: i32, what: &str| {
        let output = countersign(scene.path(), &["verify", LEDGER, "--trust", "t.yaml"]);
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
        assert!(said(&output).contains(what), "{}", said(&output));
    };
    verify(11, "CS-TRUST-004");
    fs::remove_file(scene.path().join("witnesses")).expect("removed");
    verify(78, "the witness policy file:witnesses");
}
