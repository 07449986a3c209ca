//! Anchors in a ledger: what holds, how far it reaches, and everything that may be wrong with one.
//! Timestamps are of our own making; those of `openssl ts` are in the tests of the binary.

use std::path::Path;
use std::sync::Arc;

use countersign::{AgentId, Assurance, ExitClass, Level, Report, Tracer, Verifier};
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options, Reader};
use record::anchor::Anchor;
use record::receipt::{self, Receipt};
use record::report::Code;
use record::trust::{LogKey, Purpose, Quorum, Trust, TrustKey};
use seal::merkle::{leaf_hash, root_of};
use seal::note::{Checkpoint, NoteSigner, sign};
use seal::time::UnixMillis;
use seal::{Digest, Signer};
use stamp::Hash;
use testkit::clock::TestClock;
use testkit::key;
use testkit::tsa::{Issue, Reply, pem};
use testkit::tsa_server::accuracy;

const ORIGIN: &str = "example.org/log";
/// The time of the replies, 2026-11-21T00:00:00Z.
const TIME: u64 = 1_795_219_200_000;

fn signer() -> Issue {
    Issue::signer("tsa", 2, &Issue::root("root", 1))
}

fn trust() -> Trust {
    let mut trust = Trust::empty();
    let receipts = TrustKey::public("agent", Purpose::Receipts, key(6).public().clone());
    trust.add_key(receipts).expect("added");
    let log = key(7);
    let vkey = NoteSigner::new(ORIGIN, &*log).expect("a good name").vkey().clone();
    trust.add_log(LogKey { vkey, quorum: Quorum::None }).expect("added");
    trust
}

fn tsa() -> Trust {
    let mut trust = trust();
    let root = pem(&Issue::root("root", 1).certificate());
    trust.add_key(TrustKey::tsa("clock", &root).expect("PEM")).expect("added");
    trust
}

/// A ledger in a folder, with receipts in it.
struct Log {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    ledger: Ledger,
    made: u64,
}

impl Log {
    fn new(receipts: u64) -> Log {
        let dir = tempfile::tempdir().expect("a folder");
        let store = FileStore::open(dir.path().join("ledger")).expect("a store");
        let clock = Arc::new(TestClock::at(TIME));
        let options = Options::new(ORIGIN, key(7), "gateway", clock.clone());
        let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).expect("opened");
        let mut log = Log { dir, clock, ledger, made: 0 };
        log.receipts(receipts);
        log
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("ledger")
    }

    /// Adds receipts; the hash of the last comes back.
    fn receipts(&mut self, count: u64) -> String {
        let mut last = String::new();
        for _ in 0..count {
            self.made += 1;
            let iat = i64::try_from(self.clock_ms() / 1_000).expect("a time");
            let input = Digest::of(&self.made.to_be_bytes());
            let agent: AgentId = "agent:tester".parse().expect("a name");
            let receipt = Receipt::user_input(agent, key(6).key_id(), iat, input);
            let signed = receipt::sign(&receipt, &*key(6)).expect("signed");
            last = signed.hash.to_string();
            self.append(Kind::Receipt, last.clone(), signed.jws.into_bytes());
        }
        last
    }

    fn clock_ms(&self) -> u64 {
        ledger::Clock::now(&*self.clock).0
    }

    fn append(&self, kind: Kind, id: String, body: Vec<u8>) {
        self.ledger.append(vec![Entry { kind, id, body }]).expect("appended");
    }

    /// The newest checkpoint.
    fn note(&self) -> String {
        self.ledger.checkpoint().expect("signed");
        std::fs::read_to_string(self.path().join("public/checkpoint")).expect("published")
    }

    /// Anchors this note, with a reply that was changed.
    fn anchor(&self, note: &str, change: impl Fn(Reply) -> Reply) {
        let digest = Digest::of(note.as_bytes());
        let reply = change(Reply::over(Hash::Sha256, digest.as_bytes(), &signer()));
        let body = Anchor::new(note, &reply.bytes()).expect("an anchor").to_body();
        self.append(Kind::Anchor, Digest::of(body.as_bytes()).to_string(), body.into_bytes());
    }

    fn judge(&self, trust: Trust, require: &[Level]) -> Report {
        self.ledger.checkpoint().expect("signed");
        let verifier = require.iter().fold(Verifier::new(), |v, level| v.require(*level));
        verifier.trust(trust).verify(&self.path()).expect("readable")
    }

    /// Exactly these codes, and this class.
    fn finds(&self, codes: &[Code], class: ExitClass) -> Report {
        let report = self.judge(tsa(), &[Level::Consistent]);
        let found: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
        let found: Vec<Code> =
            found.into_iter().filter(|code| *code != Code::AuditUnchecked).collect();
        assert_eq!(found, codes, "{}", report.to_table());
        assert_eq!(report.exit_class(), class, "{}", report.to_table());
        report
    }
}

/// A checkpoint of another history, signed by this seed's key under this name.
fn forged(seed: u8, origin: &str, size: u64) -> String {
    let root = Digest::of(b"another history");
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
    let key = key(seed);
    sign(&checkpoint.text(), &[NoteSigner::new(origin, &*key).expect("a name")])
}

#[test]
fn how_far_a_timestamp_reaches() {
    let mut log = Log::new(3);
    let first = log.receipts(1);
    let must = [Level::Anchored];
    let report = log.judge(tsa(), &must);
    assert_eq!(report.exit_class(), ExitClass::Untrusted, "{}", report.to_table());
    assert!(report.to_table().contains("not every entry is under a timestamp that holds (there"));

    let note = log.note();
    log.anchor(&note, |reply| Reply { accuracy: accuracy(2), ..reply });
    let report = log.judge(tsa(), &must);
    assert!(report.ok() && report.anchored, "{}", report.to_table());
    let reach = report.anchored_to.clone().expect("a reach");
    // The upper end of what the accuracy leaves open.
    assert_eq!((reach.size, reach.before), (4, UnixMillis(TIME + 2_000)));
    assert_eq!(reach.to_string(), "entries 0..4 at 2026-11-21T00:00:02Z by clock");
    assert!(report.to_table().contains("assurance   signed, anchored\nanchored    entries 0..4"));

    // Anchors themselves need none; everything else does.
    let second = log.receipts(1);
    let report = log.judge(tsa(), &must);
    assert_eq!(report.exit_class(), ExitClass::Untrusted, "{}", report.to_table());
    assert!(!report.anchored && report.anchored_to == Some(reach.clone()));
    let trace = |what: &str| {
        let tracer = Tracer::over_ledger(&log.path()).trust(tsa()).require(Level::Anchored);
        tracer.trace(what).expect("traced")
    };
    let covered = trace(&first);
    assert!(covered.report.ok() && covered.report.anchored, "{}", covered.to_table());
    assert!(covered.to_table().contains("anchored 2026-11-21T00:00:02Z by clock"));
    let open = trace(&second);
    assert_eq!(open.report.exit_class(), ExitClass::Untrusted, "{}", open.to_table());
    assert!(open.report.has(Code::TrustLevel) && open.report.anchored_to.is_none());

    // A second one reaches further; an older one over less stays good and takes nothing away.
    let newer = log.note();
    log.clock.advance(30_000);
    log.anchor(&newer, |reply| Reply { time: "20261121000030Z".into(), ..reply });
    log.anchor(&note, |reply| Reply { time: "20261121000040Z".into(), ..reply });
    let report = log.judge(tsa(), &must);
    assert!(report.ok() && report.anchored, "{}", report.to_table());
    let reach = report.anchored_to.expect("a reach");
    assert_eq!((reach.size, reach.before), (6, UnixMillis(TIME + 30_000)));

    // Who trusts no authority learns that there is something to judge, and gets nothing from it.
    let report = log.judge(trust(), &[]);
    assert!(report.ok() && report.has(Code::AnchorUnjudged), "{}", report.to_table());
    assert!(!report.anchored && report.anchored_to.is_none());
    assert_eq!(report.assurance, Assurance::Signed);
    let report = log.judge(trust(), &must);
    assert_eq!(report.exit_class(), ExitClass::Untrusted, "{}", report.to_table());
    // Nor does who does not trust the log.
    let mut no_log = Trust::empty();
    let root = pem(&Issue::root("root", 1).certificate());
    no_log.add_key(TrustKey::tsa("clock", &root).expect("PEM")).expect("added");
    let report = log.judge(no_log, &must);
    assert!(!report.ok() && !report.anchored && report.anchored_to.is_none());
}

type Change = Box<dyn Fn(Reply) -> Reply>;

/// By themselves a receipt and a chain are never anchored nor witnessed, whoever is trusted; where
/// that is required the exit is the same as for a ledger.
#[test]
fn what_lies_outside_of_a_ledger_is_neither_anchored_nor_witnessed() {
    let key = key(6);
    let agent: AgentId = "agent:tester".parse().expect("a name");
    let receipt = Receipt::user_input(agent, key.key_id(), 1_795_219_200, Digest::of(b"asked"));
    let signed = receipt::sign(&receipt, &*key).expect("signed");
    let dir = tempfile::tempdir().expect("a folder");
    let chain = dir.path().join("chain.jsonl");
    let hash = Digest::of(signed.jws.as_bytes());
    std::fs::write(&chain, record::chainfile::write_token(&hash, &signed.jws)).expect("written");
    for (trust, level) in [trust(), tsa()]
        .into_iter()
        .flat_map(|trust| [(trust.clone(), Level::Anchored), (trust, Level::Witnessed)])
    {
        let verifier = || Verifier::new().trust(trust.clone()).require(level);
        let token = verifier().verify_text("receipt.jws", &signed.jws);
        for report in [token, verifier().verify(&chain).expect("readable")] {
            assert_eq!(report.exit_class(), ExitClass::Untrusted, "{}", report.to_table());
            assert!(report.has(Code::TrustLevel), "{}", report.to_table());
            assert!(!report.anchored && !report.witnessed);
        }
    }
}

#[test]
fn timestamps_that_do_not_hold() {
    use ExitClass::{Malformed, Ok, Tampered, Untrusted};
    let cases: Vec<(&str, Change, &[Code], ExitClass)> = vec![
        ("good", Box::new(|reply| reply), &[], Ok),
        ("granted with changes", Box::new(|r| Reply { status: 1, ..r }), &[], Ok),
        (
            "over something else",
            Box::new(|r| Reply { imprint: (Hash::Sha256, vec![8; 32]), ..r }),
            &[Code::AnchorImprint],
            Tampered,
        ),
        ("refused", Box::new(|r| Reply { status: 2, ..r }), &[Code::AnchorMalformed], Malformed),
        (
            "two signers",
            Box::new(|r| Reply { signers: 2, ..r }),
            &[Code::AnchorMalformed],
            Malformed,
        ),
        ("forged", Box::new(|r| Reply { seed: 9, ..r }), &[Code::AnchorSignature], Untrusted),
        (
            "names another certificate",
            Box::new(|r| Reply { named: testkit::tsa::Named::Nothing, ..r }),
            &[Code::AnchorSigner],
            Untrusted,
        ),
        (
            "another authority",
            Box::new(|r| {
                let (hash, digest) = r.imprint;
                Reply::over(hash, &digest, &Issue::signer("tsa", 5, &Issue::root("root", 4)))
            }),
            &[Code::AnchorUntrusted],
            Untrusted,
        ),
        (
            "expired when it stamped",
            Box::new(|r| {
                let (hash, digest) = r.imprint;
                let old = Issue { until: "20261120000000Z".into(), ..signer() };
                Reply::over(hash, &digest, &old)
            }),
            &[Code::AnchorExpired],
            Untrusted,
        ),
        (
            "long before what it covers",
            Box::new(|r| Reply { time: "20261120000000Z".into(), ..r }),
            &[Code::AnchorTime],
            Ok,
        ),
        (
            "long after it was logged",
            Box::new(|r| Reply { time: "20261122000000Z".into(), ..r }),
            &[Code::AnchorTime],
            Ok,
        ),
    ];
    for (name, change, codes, class) in cases {
        let log = Log::new(2);
        let note = log.note();
        log.anchor(&note, change);
        println!("{name}");
        let report = log.finds(codes, class);
        assert_eq!(report.anchored, class == Ok, "{name}");
    }
}

#[test]
fn checkpoints_that_are_not_this_logs() {
    use ExitClass::{Malformed, Tampered, Untrusted};
    let one = |note: &str, codes: &[Code], class| {
        let log = Log::new(2);
        log.note();
        log.anchor(note, |reply| reply);
        let report = log.finds(codes, class);
        assert!(!report.anchored && report.anchored_to.is_none(), "{}", report.to_table());
    };
    one(&forged(4, ORIGIN, 2), &[Code::AnchorCheckpoint, Code::AnchorRoot], Tampered);
    one(&forged(7, "example.org/other", 2), &[Code::AnchorCheckpoint, Code::AnchorRoot], Tampered);
    // The log's own key over another root: a fork, whoever made it.
    one(&forged(7, ORIGIN, 2), &[Code::AnchorRoot], Tampered);
    // More than there was when the anchor was written.
    one(&forged(7, ORIGIN, 3), &[Code::AnchorRoot], Tampered);
    // The right root at the right size, and a stranger's signature.
    let log = Log::new(2);
    let text = log.note();
    let text = &text[..=text.rfind("\n\n").expect("a note")];
    let stranger = key(4);
    let note = sign(text, &[NoteSigner::new(ORIGIN, &*stranger).expect("a name")]);
    log.anchor(&note, |reply| reply);
    log.finds(&[Code::AnchorCheckpoint], Untrusted);
    // A further line by whom nobody knows is stamped with the note and proves nothing.
    let log = Log::new(2);
    let note = log.note();
    let extra = sign(
        &note[..=note.rfind("\n\n").expect("a note")],
        &[NoteSigner::new("witness.example", &*stranger).expect("a name")],
    );
    let line = extra.lines().last().expect("a line");
    log.anchor(&format!("{note}{line}\n"), |reply| reply);
    assert!(log.finds(&[], ExitClass::Ok).anchored);

    let log = Log::new(2);
    let body = b"{\"typ\":\"countersign-anchor/v1\"}".to_vec();
    log.append(Kind::Anchor, Digest::of(&body).to_string(), body);
    log.finds(&[Code::AnchorBody], Malformed);
    let log = Log::new(1);
    let note = log.note();
    let reply = Reply::over(Hash::Sha256, Digest::of(note.as_bytes()).as_bytes(), &signer());
    let body = Anchor::new(&note, &reply.bytes()).expect("an anchor").to_body();
    log.append(Kind::Anchor, "another id".to_owned(), body.into_bytes());
    log.finds(&[Code::LedgerId], Tampered);
}

/// A checkpoint over an anchor cannot have been there before that anchor was stamped.
#[test]
fn timestamps_follow_what_they_cover() {
    let log = Log::new(2);
    log.anchor(&log.note(), |reply| Reply { time: "20261121000100Z".into(), ..reply });
    log.anchor(&log.note(), |reply| Reply { time: "20261121000030Z".into(), ..reply });
    let report = log.finds(&[Code::AnchorOrder], ExitClass::Malformed);
    assert_eq!(report.seen(Code::AnchorOrder), 1);
    // Two clocks that are both allowed to be off by that much do not disagree.
    let log = Log::new(2);
    let off = |time: &'static str| {
        move |reply| Reply { time: time.into(), accuracy: accuracy(40), ..reply }
    };
    log.anchor(&log.note(), off("20261121000100Z"));
    log.anchor(&log.note(), off("20261121000030Z"));
    assert!(log.finds(&[], ExitClass::Ok).anchored);
}

/// Whatever bit of the anchor's body changes, it is found: by the journal's digest, and where a
/// forger makes journal and tree anew (his own log), by the timestamp.
#[test]
fn every_changed_byte_of_an_anchor_is_noticed() {
    let made = Log::new(2);
    let note = made.note();
    let reply = Reply::over(Hash::Sha256, Digest::of(note.as_bytes()).as_bytes(), &signer());
    let body = Anchor::new(&note, &reply.bytes()).expect("an anchor").to_body();
    let log = Log::new(2);
    log.note();
    let mut appended = 0;
    for at in (0..body.len()).step_by(7) {
        let mut bytes = body.clone().into_bytes();
        bytes[at] ^= 1;
        if std::str::from_utf8(&bytes).is_err() {
            continue;
        }
        log.append(Kind::Anchor, Digest::of(&bytes).to_string(), bytes);
        appended += 1;
    }
    let report = log.judge(tsa(), &[]);
    assert!(!report.ok() && !report.anchored && report.anchored_to.is_none());
    // Each of them is refused, for one reason or several.
    let places: std::collections::BTreeSet<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.code.id().starts_with("CS-ANCHOR"))
        .map(|finding| finding.place.as_str())
        .collect();
    assert_eq!(places.len(), appended, "{}", report.to_table());
}

#[test]
fn roots_at_any_size_are_told_again() {
    let log = Log::new(20);
    log.note();
    let reader = Reader::open_dir(Path::new(&log.path()), None).expect("a ledger");
    let mut entries = reader.entries();
    let mut leaves = Vec::new();
    while let Some(item) = entries.next().expect("readable") {
        let ledger::read::Item::Entry(entry) = item else { panic!("damage") };
        leaves.push(leaf_hash(entry.leaf_bytes));
    }
    let sizes: Vec<u64> = (0..=21).collect();
    let roots = reader.roots_at(&sizes).expect("readable");
    for size in 0..=20_u64 {
        let ts = if size == 0 { 0 } else { TIME };
        assert_eq!(roots.get(&size), Some(&(root_of(&leaves[..size as usize]), ts)), "{size}");
    }
    assert_eq!(roots.get(&21), None);
}
