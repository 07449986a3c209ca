//! Witnesses as processes: a log that grows is cosigned, one that forks is refused by all of them
//! and kept as evidence, and what a witness said is never forgotten, however it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use seal::base64;
use seal::cosign::{Cosignature, CosignerKey};
use seal::merkle::{consistency_proof, leaf_hash, root_of};
use seal::note::{self, Checkpoint, NoteSigner};
use seal::{Digest, SecretKey};

use crate::running::{PATIENCE, Running, countersign, request, said};

/// `countersign log witness serve` on a directory.
struct Witness {
    child: Child,
    url: String,
    port: u16,
    dir: PathBuf,
    name: String,
}

impl Witness {
    fn make(dir: &Path, name: &str) -> CosignerKey {
        let key = format!("{name}.pem");
        let made = countersign(dir, &["log", "witness", "keygen", "--name", name, "--key", &key]);
        assert!(made.status.success(), "{}", said(&made));
        String::from_utf8(made.stdout).expect("text").trim().parse().expect("a verifier key")
    }

    fn command(dir: &Path, name: &str, log: &str, listen: &str) -> Command {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_countersign"));
        serve
            .current_dir(dir)
            .args(["log", "witness", "serve", "--state", name, "--name", name])
            .args(["--key", &format!("{name}.pem"), "--log", log, "--listen", listen]);
        serve
    }

    /// Starts it.
    fn start(dir: &Path, name: &str, log: &str, listen: &str) -> Witness {
        let mut child = Witness::command(dir, name, log, listen)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it speaks");
        let url = line.trim().strip_prefix("witness ").expect(&line).trim().to_owned();
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect(&url);
        Witness { child, url, port, dir: dir.join(name), name: name.to_owned() }
    }

    /// kill -9.
    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    fn evidence(&self, kind: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for log in fs::read_dir(self.dir.join("evidence")).expect("there") {
            for file in fs::read_dir(log.expect("readable").path()).expect("there") {
                let path = file.expect("readable").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                if name.starts_with(kind) && name.ends_with(".json") {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // Already gone after `kill`; after a failed assertion it must not stay behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The verifier key of a directory's log.
fn vkey(dir: &Path) -> String {
    let trust = fs::read_to_string(dir.join("countersign.trust.yaml")).expect("a trust file");
    let after = trust.split_once("logs:").expect("logs").1;
    let key = after.split_once("key:").expect("a key").1.lines().next().expect("a line");
    key.trim().trim_matches(['"', '\'']).to_owned()
}

/// The second of two witnesses, started again. Its port may be somebody else's by now: it takes
/// another one, and the policy says so.
fn again(home: &Path, dir: &Path, was: &str) -> Witness {
    let two = Witness::start(home, "w2", &vkey(dir), "127.0.0.1:0");
    let policy = fs::read_to_string(dir.join("witnesses")).expect("a policy");
    fs::write(dir.join("witnesses"), policy.replace(was, &two.url)).expect("written");
    two
}

fn append(dir: &Path, text: &str) {
    fs::write(dir.join("entry.json"), format!("{{\"is\":\"{text}\"}}")).expect("written");
    let appended = countersign(dir, &["log", "append", "--kind", "attestation", "entry.json"]);
    assert!(appended.status.success(), "{}", said(&appended));
}

fn ask(dir: &Path) -> Output {
    countersign(dir, &["log", "witness", "ask", "--policy", "witnesses", "--timeout", "60"])
}

fn exit(output: &Output, expected: i32) -> String {
    assert_eq!(output.status.code(), Some(expected), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn verify(dir: &Path) -> Output {
    countersign(dir, &["verify", ".countersign/ledger", "--require", "witnessed"])
}

/// Two witnesses and a log whose trust file asks for both.
fn two_witnesses(home: &Path) -> (PathBuf, [Witness; 2]) {
    let dir = home.join("log");
    fs::create_dir(&dir).expect("made");
    assert!(Running::up(&dir, &[], &[]).stop().success());
    let log = vkey(&dir);
    let mut policy = format!("log {log}\n");
    let witnesses = ["w1", "w2"].map(|name| {
        let key = Witness::make(home, name);
        let witness = Witness::start(home, name, &log, "127.0.0.1:0");
        policy += &format!("witness {name} {key} {}\n", witness.url);
        witness
    });
    policy += "group both all w1 w2\nquorum both\n";
    fs::write(dir.join("witnesses"), policy).expect("written");
    let path = dir.join("countersign.trust.yaml");
    let trust = fs::read_to_string(&path).expect("a trust file");
    assert!(trust.contains("quorum: \"none\""), "{trust}");
    fs::write(path, trust.replace("\"none\"", "\"file:witnesses\"")).expect("written");
    (dir, witnesses)
}

#[test]
fn an_equivocating_log_is_refused_by_both_and_kept_as_evidence() {
    let home = tempfile::tempdir().expect("a directory");
    let (dir, witnesses) = two_witnesses(home.path());
    // Nobody has seen it yet: the quorum is not met, and that is not a yes.
    assert!(exit(&verify(&dir), 11).contains("CS-TRUST-004"));
    append(&dir, "common");
    assert!(exit(&ask(&dir), 0).contains("quorum  met"));
    let told = exit(&verify(&dir), 0);
    assert!(told.contains("signed, witnessed") && told.contains(" by w1 at 2"), "{told}");
    assert!(told.contains(", w2 at 2"), "{told}");

    // One key, two histories of one size.
    let [fork, older] = ["fork", "older"].map(|name| home.path().join(name));
    for copy in [&fork, &older] {
        // With its modes: what others may read is refused.
        let made = Command::new("cp").arg("-a").args([&dir, copy]).status().expect("cp runs");
        assert!(made.success());
    }
    append(&dir, "one");
    exit(&ask(&dir), 0);
    append(&fork, "another");
    let told = exit(&ask(&fork), 12);
    assert!(told.matches("refused with status 422").count() == 2, "{told}");
    for witness in &witnesses {
        let kept = witness.evidence("fork-");
        assert_eq!(kept.len(), 1, "{}", witness.name);
        // Whoever has the file and the log's key sees two roots of one size, both signed.
        let text = fs::read(&kept[0]).expect("readable");
        let value = seal::json::parse(&text, seal::json::Limits::DOCUMENT).expect("json");
        let part = |name| value.get(name).and_then(|v| v.as_str()).expect("text").to_owned();
        let key = vkey(&dir).parse().expect("a key");
        let signed = |note: &str| {
            let opened = note::open(note.as_bytes(), std::slice::from_ref(&key)).expect("signed");
            Checkpoint::parse(&opened.text).expect("a checkpoint")
        };
        let refused = part("refused");
        let one = signed(&part("cosigned"));
        let other = signed(refused.split_once("\n\n").expect("a submission").1);
        assert_eq!(one.size, other.size);
        assert_ne!(one.root, other.root);
    }
    // The fork is not witnessed, whatever its own key says; nor when it grows beyond.
    assert!(exit(&verify(&fork), 11).contains("CS-TRUST-004"));
    append(&fork, "and more");
    exit(&ask(&fork), 12);
    assert!(witnesses.iter().all(|witness| witness.evidence("unproven-").len() == 1));
    // A log that was set back is told so.
    let told = exit(&ask(&older), 12);
    assert!(told.matches("older copy or a fork").count() == 2, "{told}");
    // The honest one goes on.
    append(&dir, "two");
    exit(&ask(&dir), 0);
    exit(&verify(&dir), 0);
    for name in ["fork", "log"] {
        let check = countersign(&home.path().join(name), &["log", "check"]);
        assert!(check.status.success(), "{}", said(&check));
    }
}

/// A feed whose manifest must lie in a log that two witnesses saw, to verify it and to subscribe.
#[test]
fn a_feed_is_taken_under_a_witness_policy() {
    let home = tempfile::tempdir().expect("a directory");
    let (dir, [_one, two]) = two_witnesses(home.path());
    let was = two.url.clone();
    let reader = home.path().join("reader");
    fs::create_dir(&reader).expect("made");
    let ours = |args: &[&str], expected| exit(&countersign(&dir, args), expected);
    ours(&["feed", "init", "alpha.example", "--feed-id", "alpha/core"], 0);
    ours(&["feed", "add", "--kind", "substring", "--pattern", "ONE_MARK"], 0);
    ours(&["feed", "publish"], 0);
    let pin = ["--pin", "feed/feed.pub.pem", "--policy", "witnesses"];
    let judged = |expected, what: &str| {
        let told =
            ours(&[&["feed", "verify", "feed/public/feed.json"], &pin[..]].concat(), expected);
        assert!(told.contains(what), "{told}");
        let source = dir.join("feed/public/feed.json").display().to_string();
        let [key, policy] =
            ["feed/feed.pub.pem", "witnesses"].map(|name| dir.join(name).display().to_string());
        let subscribe = ["feed", "subscribe", &source, "--pin", &key, "--policy", &policy];
        let told = exit(&countersign(&reader, &subscribe), expected);
        assert!(told.contains(what), "{told}");
    };
    let log = |id: &str| {
        ours(&["log", "append", "--kind", "feed", "--id", id, "feed/public/manifest.json"], 0);
        ours(&["log", "checkpoint"], 0);
    };
    let prove = |id: &str| {
        let proof = format!("{id}.tlog-proof");
        let _ = fs::remove_file(dir.join(&proof));
        ours(&["log", "prove", "inclusion", "--id", id, "-o", &proof], 0);
        ours(&["feed", "publish", "--logged", &proof], 0);
    };
    judged(11, "CS-FEED-039");
    log("core-1");
    prove("core-1");
    judged(11, "not the quorum");
    // One of two is not two.
    two.kill();
    exit(&ask(&dir), 69);
    prove("core-1");
    judged(11, "not the quorum");
    let _two = again(home.path(), &dir, &was);
    exit(&ask(&dir), 0);
    prove("core-1");
    judged(0, "result      ok");
    // What comes next has to be logged and seen, too; what was accepted counts until then.
    ours(&["feed", "publish"], 0);
    let update = |expected| exit(&countersign(&reader, &["feed", "update"]), expected);
    assert!(update(11).contains("CS-FEED-039"));
    log("core-2");
    prove("core-2");
    assert!(update(11).contains("not the quorum"));
    exit(&ask(&dir), 0);
    prove("core-2");
    assert!(update(0).contains("updated"));
}

#[test]
fn a_quorum_of_two_fails_closed_when_one_is_down() {
    let home = tempfile::tempdir().expect("a directory");
    let (dir, [one, two]) = two_witnesses(home.path());
    append(&dir, "first");
    exit(&ask(&dir), 0);
    exit(&verify(&dir), 0);
    let was = two.url.clone();
    two.kill();
    append(&dir, "second");
    let told = exit(&ask(&dir), 69);
    assert!(told.contains("quorum  not met") && told.contains("w1: cosigned"), "{told}");
    // The log's own checkpoint is there, with the line of the one; it is not enough.
    let told = exit(&verify(&dir), 11);
    assert!(
        told.contains("quorum both; cosigned by w1") && !told.contains("witnessed  "),
        "{told}"
    );
    let shown = exit(&countersign(&dir, &["log", "show"]), 0);
    let two = again(home.path(), &dir, &was);
    exit(&ask(&dir), 0);
    exit(&verify(&dir), 0);
    assert_eq!(exit(&countersign(&dir, &["log", "show"]), 0), shown);
    // Lines of somebody whom nobody named are a finding of their own, and so is a broken one.
    let path = dir.join(".countersign/ledger/public/checkpoint");
    let good = fs::read_to_string(&path).expect("readable");
    let policy = fs::read_to_string(dir.join("witnesses")).expect("readable");
    let less: String = policy
        .lines()
        .filter(|line| !line.starts_with("witness w2"))
        .map(|line| line.replace("both all w1 w2", "both all w1") + "\n")
        .collect();
    fs::write(dir.join("witnesses"), less).expect("written");
    assert!(exit(&verify(&dir), 14).contains("CS-WITNESS-002"));
    fs::write(dir.join("witnesses"), &policy).expect("written");
    let (before, last) = good.trim_end().rsplit_once('\n').expect("lines");
    let (name, blob) = last.rsplit_once(' ').expect("a line");
    let mut blob = base64::std_decode(blob).expect("base64");
    *blob.last_mut().expect("bytes") ^= 1;
    fs::write(&path, format!("{before}\n{name} {}\n", base64::std_encode(&blob))).expect("written");
    assert!(exit(&verify(&dir), 11).contains("CS-WITNESS-001"));
    fs::write(&path, good).expect("written");
    exit(&verify(&dir), 0);
    // A policy without a quorum that can be met is refused before anything is asked.
    let bare = policy.replace(&two.url, "").replace(" \n", "\n");
    fs::write(dir.join("bare"), bare).expect("written");
    let refused = countersign(&dir, &["log", "witness", "ask", "--policy", "bare"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    drop(one);
}

/// A gateway by itself: what it publishes is cosigned while it runs and after it stopped, also when
/// a witness was away in between, and no request waits for that.
#[test]
fn a_gateway_has_its_checkpoints_cosigned() {
    let home = tempfile::tempdir().expect("a directory");
    let (dir, [one, two]) = two_witnesses(home.path());
    let policy = dir.join("witnesses");
    let config = |policy: &str| {
        format!(
            "upstream: {{url: 'http://127.0.0.1:1/v1'}}\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\n\
             checkpoint_interval_seconds: 1\n\
             ledger: {{witnesses: {{policy: 'file:{policy}', deadline_seconds: 60}}}}\n"
        )
    };
    let path = dir.join("gateway.yaml");
    fs::write(&path, config(&policy.display().to_string())).expect("written");
    let args = ["--config", path.to_str().expect("text")];
    let witnessed = |up: &Running| {
        let (_, ready) = up.readiness().expect("answered");
        ready.contains("\"witnessed_age_seconds\":") && !ready.contains(":null")
    };
    let up = Running::up(&dir, &args, &[]);
    // As often as a hang takes to be one.
    let begun = std::time::Instant::now();
    while !witnessed(&up) {
        assert!(begun.elapsed() < PATIENCE, "no quorum: {:?}", up.readiness());
    }
    // Its upstream is nobody, and the refusal is evidence like any other.
    let answer = up.chat(&crate::running::ask("hello", false)).expect("answered");
    assert_eq!(answer.status, 502);
    assert!(up.stop().success());
    let told = exit(&verify(&dir), 0);
    assert!(told.contains("signed, witnessed"), "{told}");
    // The same for one request, from its end back to its roots.
    let trace = |require| {
        let id = answer.correlation();
        countersign(&dir, &["trace", id, "--require", require, "--format", "json"])
    };
    let told = exit(&trace("witnessed"), 0);
    assert!(told.contains("\"witnessed\":true") || told.contains("\"witnessed\": true"), "{told}");

    let was = two.url.clone();
    two.kill();
    let up = Running::up(&dir, &args, &[]);
    assert_eq!(up.chat(&crate::running::ask("hello", false)).expect("answered").status, 502);
    let (status, ready) = up.readiness().expect("answered");
    assert!(status == 200 && ready.contains("ready"), "{ready}");
    let heard = up.stop_and_listen();
    assert!(heard.contains("no quorum of witnesses"), "{heard}");
    let told = heard.matches("a witness does not cosign").count();
    assert_eq!(told, 1, "each change once: {heard}");
    exit(&verify(&dir), 11);
    exit(&trace("witnessed"), 11);
    let two = again(home.path(), &dir, &was);
    assert!(Running::up(&dir, &args, &[]).stop().success());
    exit(&verify(&dir), 0);

    // What could never work is told at the start.
    for bad in ["/nowhere", path.to_str().expect("text")] {
        fs::write(&path, config(bad)).expect("written");
        let refused = countersign(&dir, &["up", "--config", path.to_str().expect("text")]);
        assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    }
    drop((one, two));
}

#[test]
fn a_second_witness_on_one_directory_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let key = SecretKey::from_seed([5; 32]);
    let log = NoteSigner::new("log.example", &key).expect("a name").vkey().to_string();
    Witness::make(home.path(), "w1");
    let _first = Witness::start(home.path(), "w1", &log, "127.0.0.1:0");
    let second =
        Witness::command(home.path(), "w1", &log, "127.0.0.1:0").output().expect("it ends");
    assert_eq!(second.status.code(), Some(69), "{}", said(&second));
    // Nor is a key made twice.
    let again = ["log", "witness", "keygen", "--name", "w1", "--key", "w1.pem"];
    assert_eq!(countersign(home.path(), &again).status.code(), Some(73));
}

/// A log of this test's own making: the two histories differ from the first entry on.
struct Author {
    key: SecretKey,
    leaves: Vec<Digest>,
}

impl Author {
    fn new(history: &str) -> Author {
        let leaves = (0..400).map(|n| leaf_hash(format!("{history} {n}").as_bytes())).collect();
        Author { key: SecretKey::from_seed([5; 32]), leaves }
    }

    fn submission(&self, old: u64, new: u64) -> (String, String) {
        let tree = &self.leaves[..new as usize];
        let checkpoint =
            Checkpoint { origin: "log.example".to_owned(), size: new, root: root_of(tree) };
        let signer = NoteSigner::new("log.example", &self.key).expect("a name");
        let proof: String = consistency_proof(tree, old as usize)
            .iter()
            .map(|hash| base64::std_encode(hash.as_bytes()) + "\n")
            .collect();
        let text = checkpoint.text();
        (format!("old {old}\n{proof}\n{}", note::sign(&text, &[signer])), text)
    }
}

/// kill -9 at any moment, again and again, while a log grows as fast as it can: what a witness told
/// is what it remembers, or it remembers one more that it told nobody; and a fork is never
/// cosigned.
#[test]
fn what_was_told_survives_kill_9() {
    let home = tempfile::tempdir().expect("a directory");
    let honest = Arc::new(Author::new("honest"));
    let fork = Author::new("fork");
    let log = NoteSigner::new("log.example", &honest.key).expect("a name").vkey().to_string();
    let key = Witness::make(home.path(), "w1");
    let mut told = 0;
    for round in 0..8_u64 {
        let witness = Witness::start(home.path(), "w1", &log, "127.0.0.1:0");
        let port = witness.port;
        // A size it cannot have seen: it says which one it saw.
        let probe = request(port, "POST", "/add-checkpoint", &[], &honest.submission(399, 399).0)
            .expect("answered");
        assert_eq!(probe.status, 409, "{probe:?}");
        assert_eq!(probe.header("content-type"), Some("text/x.tlog.size"));
        let remembered: u64 = probe.body.trim_end().parse().expect("a size");
        assert!(
            remembered == told || remembered == told + 1,
            "round {round}: told {told}, remembered {remembered}"
        );
        if remembered > 0 {
            for (old, new) in [(remembered, remembered), (remembered, remembered + 1)] {
                let refused =
                    request(port, "POST", "/add-checkpoint", &[], &fork.submission(old, new).0);
                assert_eq!(refused.expect("answered").status, 422);
            }
        }
        let answers = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let asker = {
            let (honest, key, answers) = (honest.clone(), key.clone(), answers.clone());
            let ended = ended.clone();
            thread::spawn(move || {
                let mut size = remembered;
                loop {
                    let (body, text) = honest.submission(size, size + 1);
                    let Ok(answer) = request(port, "POST", "/add-checkpoint", &[], &body) else {
                        return size;
                    };
                    if answer.status != 200 && ended.load(Ordering::SeqCst) {
                        // Behind the kill the port may be somebody else's.
                        return size;
                    }
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let line = Cosignature::parse(&answer.body).expect("a line");
                    assert!(line.verify(&key, &text));
                    size += 1;
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        // Some way into the round, while the next question is under way.
        while answers.load(Ordering::SeqCst) < 1 + round * 3 && !asker.is_finished() {
            thread::yield_now();
        }
        ended.store(true, Ordering::SeqCst);
        witness.kill();
        told = asker.join().expect("no panic");
    }
    assert!(told > 8, "{told}");
    // Monitors read what was told last.
    let witness = Witness::start(home.path(), "w1", &log, "127.0.0.1:0");
    let path = format!("/{}/checkpoint", Digest::of(b"log.example").hex());
    let latest = request(witness.port, "GET", &path, &[], "").expect("answered");
    let keys = [log.parse().expect("a key")];
    let note = note::open_cosigned(latest.body.as_bytes(), &keys, &[key]).expect("signed by both");
    assert!(Checkpoint::parse(&note.text).expect("a checkpoint").size >= told);
    assert_eq!(note.cosigned.len(), 1);
}
