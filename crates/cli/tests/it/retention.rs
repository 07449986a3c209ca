//! Pruning, archives and encryption at rest, with a gateway that wrote the ledger and goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign::prune::Needed;
use ledger::prune::{Policy, explain, perform};
use ledger::read::Item;
use ledger::store::file::FileStore;
use ledger::{Body, Entry, Kind, Ledger, Options, Reader};
use seal::Digest;
use seal::Signer as _;
use seal::json::{Limits, Value, parse};
use seal::note::NoteSigner;
use testkit::clock::TestClock;
use testkit::upstream::{FakeUpstream, Script};

use crate::running::{Running, ask, countersign, said};

/// A gateway in front of `upstream` whose ledger stores as `ledger` says.
fn gateway(dir: &Path, upstream: &FakeUpstream, ledger: &str) -> Running {
    let config = dir.join("config.yaml");
    let text = format!("upstream: {{url: '{}'}}\nledger: {{{ledger}}}\n", upstream.url());
    fs::write(&config, text).expect("written");
    let mut up = Command::new(env!("CARGO_BIN_EXE_countersign"));
    up.arg("--dir").arg(dir).arg("up").arg("--config").arg(&config);
    up.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    Running::start(up)
}

/// Asks so often; returns the receipts' requests in order.
fn talk(gateway: &Running, upstream: &FakeUpstream, count: usize) -> Vec<String> {
    let one = |n: usize| {
        upstream.push(Script::says("fine"));
        let answer = gateway.chat(&ask(&format!("question {n}"), false)).expect("an answer");
        assert!(answer.receipt().is_some());
        answer.correlation().to_owned()
    };
    (0..count).map(one).collect()
}

fn ours(dir: &Path, args: &[&str], exit: i32) -> String {
    let output = countersign(dir, args);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {}", said(&output));
    said(&output)
}

fn json(dir: &Path, args: &[&str], exit: i32) -> Value {
    let output = countersign(dir, args);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {}", said(&output));
    parse(output.stdout.trim_ascii(), Limits::DOCUMENT).expect("JSON")
}

fn ledger_of(dir: &Path) -> PathBuf {
    dir.join(".countersign/ledger")
}

/// Every entry: its kind, its id, and whether its body is here.
fn entries(dir: &Path) -> Vec<(Kind, String, bool)> {
    let reader = Reader::open_dir(&ledger_of(dir), None).expect("a ledger");
    let (mut walk, mut found) = (reader.entries(), Vec::new());
    while let Some(item) = walk.next().expect("readable") {
        let Item::Entry(entry) = item else { panic!("damage") };
        found.push((entry.leaf.kind, entry.leaf.id.clone(), entry.body.present().is_some()));
    }
    found
}

/// Prunes as the command does, but as if it were long after now.
fn prune_all(dir: &Path, kinds: &[Kind]) -> u64 {
    let key = dir.join(".countersign/keys/log.pem");
    let signer = countersign::identity::read_secret_key(&key).expect("the log's key");
    let path = ledger_of(dir);
    let origin = Reader::open_dir(&path, None).expect("a ledger").head().expect("a head").clone();
    let vkey = NoteSigner::new(&origin.origin, &signer).expect("a name").vkey().clone();
    let before = kinds.iter().map(|kind| (*kind, 1 << 50)).collect();
    let policy = Policy { before, digest: Digest::of(b"a policy") };
    let store = FileStore::open(&path).expect("the store");
    let plan = explain(&store, &vkey, None, &policy, &mut Needed::new()).expect("a plan");
    let clock = Arc::new(ledger::SystemClock);
    let options = Options::new(origin.origin, Arc::new(signer), "operator", clock);
    perform(Arc::new(store), options, &policy, &plan).expect("pruned");
    plan.kinds().values().sum()
}

#[test]
fn a_gateway_goes_on_behind_a_prune_and_everything_left_verifies() {
    let (dir, upstream) = (tempfile::tempdir().expect("a directory"), FakeUpstream::start());
    let dir = dir.path();
    let up = gateway(dir, &upstream, "segment_bytes: 20000");
    let requests = talk(&up, &upstream, 12);
    // While it runs the commands that write say who is in the way.
    fs::write(dir.join("retention.yaml"), "version: 1\nkeep: {audit: 1d}\n").expect("written");
    let refused = ours(dir, &["log", "prune", "--policy", "retention.yaml", "--yes"], 69);
    assert!(refused.contains("stop it first"), "{refused}");
    // An archive may be made meanwhile.
    ours(dir, &["log", "archive", "--to", "archive"], 0);
    assert!(up.stop().success());
    // Not into the ledger: what lies there beside it is a finding, and its checkpoint is its own.
    for inside in ["", "/journal", "/public", "/not/there"] {
        let to = format!(".countersign/ledger{inside}");
        let refused = ours(dir, &["log", "archive", "--to", &to], 64);
        assert!(refused.contains("lies in the ledger"), "{refused}");
    }
    ours(dir, &["audit", "export", "--out", ".countersign/ledger/a.jsonl"], 64);
    ours(dir, &["log", "check"], 0);
    // Nothing is a day old.
    let plan = json(dir, &["log", "prune", "--policy", "retention.yaml", "--format", "json"], 0);
    assert_eq!(plan.get("segments").and_then(Value::as_array).map(<[_]>::len), Some(0));
    ours(dir, &["log", "archive", "--to", "archive"], 0);
    let before = entries(dir);

    let kinds =
        [Kind::Audit, Kind::Receipt, Kind::Decision, Kind::Facts, Kind::Config, Kind::Ruleset];
    let gone = prune_all(dir, &kinds);
    assert!(gone > 30, "{gone}");
    let verified = json(dir, &["verify", ".countersign/ledger", "--format", "json"], 0);
    let text = seal::json::write_plain(&verified);
    assert!(text.contains(&format!("{gone} bodies pruned")), "{text}");
    assert!(text.contains("their link could not be checked"), "{text}");
    assert!(text.contains("CS-LEDGER-021") && text.contains("\"signed\""), "{text}");
    // What was asked for first is gone, and the leaf is proved; what came last is all there.
    let first = entries(dir).into_iter().find(|(kind, ..)| *kind == Kind::Receipt).expect("one");
    assert!(!first.2, "the first receipt is pruned");
    let traced = ours(dir, &["trace", &first.1], 10);
    assert!(traced.contains("body pruned, logged at index"), "{traced}");
    assert!(traced.contains("its leaf is under the checkpoint"), "{traced}");
    let last = requests.last().expect("a request");
    let traced = ours(dir, &["trace", last], 0);
    assert!(traced.contains("model_call"), "{traced}");
    // The newest line, and what it cites, stayed.
    let now = entries(dir);
    for kind in [Kind::Audit, Kind::Config, Kind::Ruleset] {
        let newest = now.iter().rfind(|(found, ..)| *found == kind).expect("one");
        assert!(newest.2, "the newest {kind}");
    }
    let exported = ours(dir, &["audit", "export", "--out", "audit.jsonl"], 0);
    assert!(exported.contains("audit lines are not here"), "{exported}");

    // The next start continues the chain.
    let up = gateway(dir, &upstream, "segment_bytes: 20000");
    talk(&up, &upstream, 3);
    assert!(up.stop().success());
    ours(dir, &["verify", ".countersign/ledger"], 0);
    ours(dir, &["log", "check"], 0);

    // Bodies come back, and nothing says pruned any more.
    let restored = json(dir, &["log", "restore", "--from", "archive", "--format", "json"], 0);
    assert_eq!(restored.get("bodies").and_then(Value::as_i64), i64::try_from(gone).ok());
    let after = entries(dir);
    assert_eq!(after[..before.len()], before[..]);
    let verified = ours(dir, &["verify", ".countersign/ledger"], 0);
    assert!(!verified.contains("bodies pruned"), "{verified}");
    ours(dir, &["trace", &first.1], 0);
}

#[test]
fn bodies_that_somebody_removed_are_tampering() {
    let (dir, upstream) = (tempfile::tempdir().expect("a directory"), FakeUpstream::start());
    let dir = dir.path();
    let up = gateway(dir, &upstream, "segment_bytes: 20000");
    talk(&up, &upstream, 12);
    assert!(up.stop().success());
    let copy = dir.join("copy");
    crate::running::copy(&ledger_of(dir), &copy);
    assert!(prune_all(dir, &[Kind::Audit, Kind::Receipt]) > 10);
    // A segment as a prune writes it, in a ledger that records none.
    let pruned = fs::read_dir(ledger_of(dir).join("journal")).expect("segments").find_map(|file| {
        let file = file.expect("a file");
        let (now, then) = (file.path(), copy.join("journal").join(file.file_name()));
        let differs = fs::read(&now).ok()?.len() < fs::read(&then).ok()?.len();
        differs.then_some((now, then))
    });
    let (from, to) = pruned.expect("a segment that was pruned");
    fs::remove_file(&to).expect("removed");
    fs::copy(from, to).expect("copied");
    let found = ours(dir, &["verify", "copy"], 12);
    assert!(found.contains("CS-LEDGER-026"), "{found}");
}

#[test]
fn the_command_prunes_by_its_policy() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let up = Running::up(dir, &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], &[]);
    assert!(up.stop().success());
    // The same log, as it would be after years.
    let path = ledger_of(dir);
    let key = dir.join(".countersign/keys/log.pem");
    let signer = countersign::identity::read_secret_key(&key).expect("the log's key");
    let origin = format!("countersign.local/{}", &signer.public().fingerprint().hex()[..12]);
    fs::remove_dir_all(&path).expect("removed");
    let clock = Arc::new(TestClock::stepping(1_600_000_000_000, 86_400_000));
    let options =
        Options { segment_bytes: 1_000, ..Options::new(origin, Arc::new(signer), "old", clock) };
    let store = Arc::new(FileStore::open(&path).expect("the store"));
    let ledger = Ledger::open(store, options, &mut |_, _, _| {}).expect("it opens");
    for n in 0..60 {
        let body = format!("{{\"n\":{n}}}").into_bytes();
        let kind = if n % 2 == 0 { Kind::Attestation } else { Kind::Feed };
        ledger.append(vec![Entry { kind, id: format!("n{n}"), body }]).expect("appended");
    }
    ledger.close().expect("closed");
    drop(ledger);

    let policy = |text: &str| fs::write(dir.join("retention.yaml"), text).expect("written");
    for (text, says) in [
        ("version: 1\nkeep: {anchor: 9d}\n", "never pruned"),
        ("version: 1\nkeep: {nothing: 9d}\n", "no such kind"),
        ("version: 1\nkeep: {feed: soon}\n", "no time"),
        ("keep: {feed: 9d}\n", "version"),
    ] {
        policy(text);
        let refused = ours(dir, &["log", "prune", "--policy", "retention.yaml"], 78);
        assert!(refused.contains(says), "{refused}");
    }
    policy("version: 1\nkeep: {attestation: 30d}\n");
    let files = || fs::read(path.join("journal/00000000000000000000.seg")).expect("a segment");
    let before = files();
    let told = ours(dir, &["log", "prune", "--policy", "retention.yaml", "--dry-run"], 0);
    assert!(told.contains("nothing was changed; --yes does it"), "{told}");
    assert_eq!(files(), before);
    let done =
        json(dir, &["log", "prune", "--policy", "retention.yaml", "--yes", "--format", "json"], 0);
    assert_eq!(done.get("done"), Some(&Value::Bool(true)));
    let attestations = done.get("kinds").and_then(|kinds| kinds.get("attestation"));
    assert!(attestations.and_then(Value::as_i64).is_some_and(|count| count > 15), "{done:?}");
    assert_ne!(files(), before);
    let mut kinds: BTreeMap<Kind, [u64; 2]> = BTreeMap::new();
    for (kind, _, here) in entries(dir) {
        kinds.entry(kind).or_default()[usize::from(here)] += 1;
    }
    assert_eq!(kinds[&Kind::Feed][0], 0, "what is not named stays");
    assert_eq!(kinds[&Kind::Prune], [0, 1]);
    ours(dir, &["verify", ".countersign/ledger"], 0);
    let again = ours(dir, &["log", "prune", "--policy", "retention.yaml", "--yes"], 0);
    assert!(again.contains("there is nothing to prune"), "{again}");
}

#[test]
fn encrypted_bodies_are_for_those_who_hold_an_identity() {
    let (dir, upstream) = (tempfile::tempdir().expect("a directory"), FakeUpstream::start());
    let dir = dir.path();
    let keygen = |name: &str| -> String {
        let made = Command::new("age-keygen").arg("-o").arg(dir.join(name)).output();
        let made = made.expect("Debian's age, which `./x test` installs");
        assert!(made.status.success(), "{}", said(&made));
        let text = fs::read_to_string(dir.join(name)).expect("an identity");
        let public = text.lines().find_map(|line| line.strip_prefix("# public key: "));
        public.expect("its public half").to_owned()
    };
    let (ours_key, auditor, stranger) =
        (keygen("ours.txt"), keygen("auditor.txt"), keygen("x.txt"));
    let identity = dir.join("ours.txt").display().to_string();
    let ledger =
        format!("encryption: {{recipients: [{ours_key}, {auditor}], identity: 'file:{identity}'}}");
    let up = gateway(dir, &upstream, &ledger);
    let requests = talk(&up, &upstream, 2);
    assert!(up.stop().success());
    // A restart reads what it wrote.
    let up = gateway(dir, &upstream, &ledger);
    talk(&up, &upstream, 1);
    assert!(up.stop_and_listen().lines().all(|line| !line.contains("AGE-SECRET")));
    // A tool that writes while no gateway does writes nothing in the clear: it is refused where it
    // cannot know for whom, and encrypts where it can.
    fs::write(dir.join("note.json"), "{\"by\":\"hand\"}").expect("written");
    let append = ["log", "append", "--kind", "attestation", "note.json"];
    let refused = ours(dir, &append, 78);
    assert!(refused.contains("ledger.encryption"), "{refused}");
    fs::copy(dir.join("config.yaml"), dir.join(".countersign/config.yaml")).expect("copied");
    ours(dir, &append, 0);

    for holder in ["ours.txt", "auditor.txt"] {
        let verify = ["verify", ".countersign/ledger", "--identity", holder];
        let verified = ours(dir, &verify, 0);
        assert!(!verified.contains("encrypted"), "{verified}");
        let trace = ["trace", &requests[0], "--identity", holder];
        assert!(ours(dir, &trace, 0).contains("model_call"));
    }
    for without in [
        &["verify", ".countersign/ledger"][..],
        &["verify", ".countersign/ledger", "--identity", "x.txt"],
    ] {
        let verified = ours(dir, without, 11);
        assert!(verified.contains("CS-LEDGER-028"), "{verified}");
        assert!(verified.contains("nothing in them was verified"), "{verified}");
    }
    ours(dir, &["verify", ".countersign/ledger", "--require", "consistent"], 0);
    for (lines, exit) in [(&["audit", "tail"][..], 0), (&["export", "audit"], 10)] {
        let told = ours(dir, lines, exit);
        assert!(told.contains("--identity FILE opens it"), "{told}");
    }
    for (lines, says) in [
        (&["export", "audit"][..], "prev_hmac"),
        (&["audit", "export"], "prev_hmac"),
        (&["audit", "tail"], "allow"),
        (&["audit", "show", &requests[0]], "prev_hmac"),
        (&["audit", "count", "--by", "decision"], "allow"),
        (&["audit", "report"], "allow"),
    ] {
        let told = ours(dir, &[lines, &["--identity", "auditor.txt"]].concat(), 0);
        assert!(told.contains(says) && !told.contains("encrypted"), "{lines:?}: {told}");
    }
    let receipt =
        entries(dir).into_iter().find(|(kind, ..)| *kind == Kind::Receipt).expect("one").1;
    let traced = ours(dir, &["trace", &receipt], 10);
    assert!(traced.contains("body encrypted, logged at index"), "{traced}");

    // What the ledger shows of it is what Debian's age opens.
    let shown = countersign(dir, &["ledger", "show", "--id", &receipt]);
    assert!(shown.stdout.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), "{}", said(&shown));
    let open = |holder: &str| {
        fs::write(dir.join("body.age"), &shown.stdout).expect("written");
        let mut age = Command::new("age");
        age.arg("-d").arg("-i").arg(dir.join(holder)).arg(dir.join("body.age"));
        age.stdin(Stdio::null()).output().expect("age")
    };
    let opened = open("auditor.txt");
    assert!(opened.status.success(), "{}", said(&opened));
    assert_eq!(
        Digest::of(&opened.stdout).to_string(),
        receipt,
        "the leaf commits to the plain body"
    );
    assert!(!open("x.txt").status.success());
    let shown = countersign(dir, &["ledger", "show", "--id", &receipt, "--identity", "ours.txt"]);
    assert_eq!(shown.stdout.trim_ascii(), opened.stdout.trim_ascii());

    // A gateway that could not read its own ledger does not start.
    for unusable in [
        format!("encryption: {{recipients: [{ours_key}]}}"),
        format!("encryption: {{recipients: [{stranger}], identity: 'file:{identity}'}}"),
        format!(
            "encryption: {{recipients: [{ours_key}], identity: 'file:{}'}}",
            dir.join("none").display()
        ),
    ] {
        let config = format!("upstream: {{url: '{}'}}\nledger: {{{unusable}}}\n", upstream.url());
        fs::write(dir.join("config.yaml"), config).expect("written");
        let refused = ours(
            dir,
            &["up", "--config", "config.yaml", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
            78,
        );
        assert!(refused.contains("ledger.encryption"), "{refused}");
        assert!(!refused.contains("AGE-SECRET"), "{refused}");
    }
    // Nor one without the configuration that knows how.
    fs::write(dir.join("config.yaml"), format!("upstream: {{url: '{}'}}\n", upstream.url()))
        .expect("written");
    let refused = countersign(
        dir,
        &["up", "--config", "config.yaml", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
    );
    assert!(!refused.status.success());
    assert!(said(&refused).contains("ledger.encryption.identity"), "{}", said(&refused));
    let reader = Reader::open_dir(&ledger_of(dir), None).expect("a ledger");
    let mut walk = reader.entries();
    while let Some(Item::Entry(entry)) = walk.next().expect("readable") {
        assert!(matches!(entry.body, Body::Encrypted(_)), "{}", entry.index);
    }
}
