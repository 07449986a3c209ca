//! Keys over time in a ledger: whose evidence counts where, and what a compromise takes away.

use std::path::PathBuf;
use std::sync::Arc;

use countersign::{AgentId, Assurance, ExitClass, Report, Tracer, Verifier};
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options};
use record::anchor::Anchor;
use record::entry::{AuditChain, AuditDecision, AuditEntry, Owner};
use record::keychange::{self, NewKey, OldKey, Reason, Statement};
use record::receipt::{self, Receipt};
use record::report::Code;
use record::trust::{LogKey, Purpose, Quorum, Trust, TrustKey};
use seal::cosign::Cosigner;
use seal::note::NoteSigner;
use seal::time::UnixMillis;
use seal::{Digest, Signer, Zeroizing};
use stamp::Hash;
use testkit::clock::TestClock;
use testkit::key;
use testkit::tsa::{Issue, Reply, pem};

const ORIGIN: &str = "example.org/log";
/// 2026-11-21T00:00:00Z, where the timestamps are.
const TIME: u64 = 1_795_219_200_000;
/// The seeds: receipts are signed by 6 first, then by 8 and 9; the root is 5, the log 7.
const ROOT: u8 = 5;

fn trust() -> Trust {
    trust_with(Quorum::None)
}

fn trust_with(quorum: Quorum) -> Trust {
    let mut trust = Trust::empty();
    let mut receipts = TrustKey::public("agent", Purpose::Receipts, key(6).public().clone());
    receipts.agent_id = "agent:tester".parse().ok();
    trust.add_key(receipts).expect("added");
    let root = TrustKey::public("root", Purpose::Root, key(ROOT).public().clone());
    trust.add_key(root).expect("added");
    let vkey = NoteSigner::new(ORIGIN, &*key(7)).expect("a good name").vkey().clone();
    trust.add_log(LogKey { vkey, quorum }).expect("added");
    let authority = pem(&Issue::root("root", 1).certificate());
    trust.add_key(TrustKey::tsa("clock", &authority).expect("PEM")).expect("added");
    trust
}

fn rotation(old: u8, new: u8) -> Statement {
    Statement {
        log_origin: ORIGIN.into(),
        purpose: Purpose::Receipts,
        old: OldKey::of(key(old).public()),
        new: Some(NewKey::Public(key(new).public().clone())),
        agent_id: "agent:tester".parse().ok(),
        reason: Reason::Superseded,
        compromised_at: None,
        iat: UnixMillis(TIME).seconds(),
    }
}

fn revocation(old: u8, at_seconds: u64) -> Statement {
    Statement {
        new: None,
        agent_id: None,
        reason: Reason::Compromised,
        compromised_at: i64::try_from(at_seconds).ok(),
        iat: UnixMillis(TIME).seconds() + 3_600,
        ..rotation(old, old)
    }
}

struct Log {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    ledger: Ledger,
    made: u64,
}

impl Log {
    fn new() -> Log {
        let dir = tempfile::tempdir().expect("a folder");
        let store = FileStore::open(dir.path().join("ledger")).expect("a store");
        let clock = Arc::new(TestClock::at(TIME));
        let options = Options::new(ORIGIN, key(7), "gateway", clock.clone());
        let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).expect("opened");
        Log { dir, clock, ledger, made: 0 }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    fn append(&self, kind: Kind, body: String) -> u64 {
        let id = Digest::of(body.as_bytes()).to_string();
        self.named(kind, id, body)
    }

    fn named(&self, kind: Kind, id: String, body: String) -> u64 {
        let entry = Entry { kind, id, body: body.into_bytes() };
        self.ledger.append(vec![entry]).expect("appended").start
    }

    /// A receipt of the key with this seed, as this agent; its index and hash.
    fn receipt_as(&mut self, seed: u8, agent: &str) -> (u64, String) {
        self.made += 1;
        let iat = UnixMillis(ledger::Clock::now(&*self.clock).0).seconds();
        let agent: AgentId = agent.parse().expect("a name");
        let input = Digest::of(&self.made.to_be_bytes());
        let receipt = Receipt::user_input(agent, key(seed).key_id(), iat, input);
        let signed = receipt::sign(&receipt, &*key(seed)).expect("signed");
        let hash = signed.hash.to_string();
        (self.append(Kind::Receipt, signed.jws), hash)
    }

    fn receipt(&mut self, seed: u8) -> u64 {
        self.receipt_as(seed, "agent:tester").0
    }

    fn state(&self, statement: &Statement) -> u64 {
        self.state_by(ROOT, statement)
    }

    fn state_by(&self, signer: u8, statement: &Statement) -> u64 {
        let kind = if statement.new.is_some() { Kind::Rotation } else { Kind::Revocation };
        self.append(kind, keychange::sign(statement, &*key(signer)).expect("signed"))
    }

    /// Timestamps what is there, at 2026-11-21 00:00:00.
    fn anchor(&self) {
        self.ledger.checkpoint().expect("signed");
        let note = std::fs::read_to_string(self.path().join("public/checkpoint")).expect("there");
        let digest = Digest::of(note.as_bytes());
        let signer = Issue::signer("tsa", 2, &Issue::root("root", 1));
        let reply = Reply::over(Hash::Sha256, digest.as_bytes(), &signer);
        let body = Anchor::new(&note, &reply.bytes()).expect("an anchor").to_body();
        self.append(Kind::Anchor, body);
    }

    fn judge(&self) -> Report {
        self.judge_with(Verifier::new())
    }

    fn judge_with(&self, verifier: Verifier) -> Report {
        self.ledger.checkpoint().expect("signed");
        verifier.trust(trust()).verify(&self.path()).expect("readable")
    }

    /// Exactly these errors, by code and index.
    #[track_caller]
    fn finds(&self, expected: &[(Code, u64)]) -> Report {
        let report = self.judge();
        let found: Vec<(Code, String)> = report
            .findings
            .iter()
            .filter(|finding| finding.code.exit() != ExitClass::Ok)
            .map(|finding| (finding.code, finding.place.clone()))
            .collect();
        assert_eq!(found.len(), expected.len(), "{}", report.to_table());
        for ((code, place), (wanted, index)) in found.iter().zip(expected) {
            assert_eq!(code, wanted, "{}", report.to_table());
            assert!(place.starts_with(&format!("entry {index} (")), "{place}: {index}");
        }
        let class = if expected.is_empty() { ExitClass::Ok } else { ExitClass::Untrusted };
        assert_eq!(report.exit_class(), class, "{}", report.to_table());
        report
    }
}

#[test]
fn a_key_counts_from_its_rotation_to_the_next() {
    let mut log = Log::new();
    log.receipt(6);
    let first = log.state(&rotation(6, 8));
    log.receipt(8);
    let second = log.state(&rotation(8, 9));
    let (_, last) = log.receipt_as(9, "agent:tester");
    let report = log.finds(&[]);
    assert_eq!(report.assurance, Assurance::Signed);
    assert_eq!(report.keys.len(), 3);
    let trace = Tracer::over_ledger(&log.path()).trust(trust()).trace(&last).expect("traced");
    assert!(trace.report.ok(), "{}", trace.to_table());
    let story = format!("in force since entry {second}, rotated from {}", key(8).key_id());
    assert!(trace.to_table().contains(&story), "{}", trace.to_table());
    let shown = format!("{:?}", trace.to_json());
    assert!(shown.contains("rotated_from"), "{shown}");

    // The same keys in the wrong places.
    let at_once = log.receipt(6);
    let later = log.receipt(8);
    let sub = log.receipt_as(9, "agent:tester.mail").0;
    let other = log.receipt_as(9, "agent:other").0;
    let report = log.finds(&[
        (Code::KeyGone, at_once),
        (Code::KeyGone, later),
        (Code::ReceiptKeyAgent, other),
    ]);
    assert!(sub < other && first < second);
    assert_eq!(report.assurance, Assurance::Consistent);

    // A key that nobody could know yet.
    let mut log = Log::new();
    let early = log.receipt(8);
    log.state(&rotation(6, 8));
    log.receipt(8);
    log.finds(&[(Code::ReceiptKeyUnknown, early)]);
    // Nor one that the trust file got meanwhile.
    let mut later = trust();
    let mut new = TrustKey::public("agent 2", Purpose::Receipts, key(8).public().clone());
    new.agent_id = "agent:tester".parse().ok();
    later.add_key(new).expect("added");
    let report = Verifier::new().trust(later).verify(&log.path()).expect("readable");
    let found: Vec<_> = report.findings.iter().filter(|f| f.code.exit() != ExitClass::Ok).collect();
    assert!(found.len() == 1 && found[0].code == Code::KeyEarly, "{}", report.to_table());
    assert!(found[0].place.starts_with("entry 0 "), "{}", report.to_table());
}

#[test]
fn statements_that_do_not_count_are_told_and_change_nothing() {
    let mut log = Log::new();
    log.receipt(6);
    let forged = log.state_by(6, &rotation(6, 8));
    let stranger = log.state_by(11, &revocation(6, 1_000));
    let other = log.state(&Statement { log_origin: "example.org/other".into(), ..rotation(6, 8) });
    let unknown = log.state(&rotation(12, 8));
    let ahead = log.state(&Statement { iat: rotation(6, 8).iat + 100_000, ..rotation(6, 8) });
    let nonsense = log.append(Kind::Rotation, "no statement".into());
    let jws = keychange::sign(&rotation(6, 8), &*key(ROOT)).expect("signed");
    let misfiled = log.append(Kind::Revocation, jws);
    log.receipt(6);
    let report = log.judge();
    let found: Vec<(Code, String)> = report
        .findings
        .iter()
        .filter(|finding| finding.code.exit() != ExitClass::Ok)
        .map(|finding| (finding.code, finding.place.clone()))
        .collect();
    let expected = [
        (Code::KeyStatementSigner, format!("entry {forged} (rotation)")),
        (Code::KeyStatementSigner, format!("entry {stranger} (revocation)")),
        (Code::KeyStatementRefused, format!("entry {other} (rotation)")),
        (Code::KeyStatementRefused, format!("entry {unknown} (rotation)")),
        (Code::KeyStatementRefused, format!("entry {ahead} (rotation)")),
        (Code::KeyStatement, format!("entry {nonsense} (rotation)")),
        (Code::KeyStatement, format!("entry {misfiled} (revocation)")),
    ];
    assert_eq!(found, expected, "{}", report.to_table());
    assert!(report.keys.is_empty(), "{:?}", report.keys);

    // The same statement again, logged under another name.
    let mut log = Log::new();
    log.receipt(6);
    let jws = keychange::sign(&rotation(6, 8), &*key(ROOT)).expect("signed");
    log.append(Kind::Rotation, jws.clone());
    let again = log.named(Kind::Rotation, "again".into(), jws);
    log.receipt(8);
    let report = log.judge();
    let refused = report.findings.iter().find(|f| f.code == Code::KeyStatementRefused);
    let refused = refused.expect("a finding");
    assert!(refused.place.contains(&format!("entry {again} ")), "{refused}");
    assert!(report.has(Code::LedgerId));
}

#[test]
fn a_compromise_leaves_what_was_anchored_before() {
    // 30 seconds behind the timestamp.
    let stolen = TIME / 1_000 + 30;
    let mut log = Log::new();
    let proven = [log.receipt(6), log.receipt(6)];
    log.anchor();
    log.clock.advance(60_000);
    let open = [log.receipt(6), log.receipt(6)];
    log.state(&rotation(6, 8));
    let safe = log.receipt(8);
    log.finds(&[]);
    log.clock.advance(3_600_000);
    log.state(&revocation(6, stolen));
    let exposed = open.map(|index| (Code::KeyCompromised, index));
    let report = log.finds(&exposed);
    assert_eq!(report.assurance, Assurance::Consistent);
    assert!(proven.iter().all(|index| *index < open[0]) && safe > open[1]);
    // The walk of one step says the same of it, and lets the others be.
    let trace = |index: u64| {
        let reader = ledger::Reader::open_dir(&log.path(), None).expect("readable");
        let mut entries = reader.entries();
        let mut id = String::new();
        while let Some(item) = entries.next().expect("readable") {
            if let ledger::read::Item::Entry(entry) = item
                && entry.index == index
            {
                id = entry.leaf.id.clone();
            }
        }
        Tracer::over_ledger(&log.path()).trust(trust()).trace(&id).expect("traced").report
    };
    assert!(trace(proven[1]).ok(), "{}", trace(proven[1]).to_table());
    assert!(trace(open[0]).has(Code::KeyCompromised), "{}", trace(open[0]).to_table());
    assert!(trace(safe).ok());

    // A timestamp that is not older than the theft shows nothing.
    let mut log = Log::new();
    let one = log.receipt(6);
    log.anchor();
    log.clock.advance(3_600_000);
    log.state(&revocation(6, TIME / 1_000));
    log.finds(&[(Code::KeyCompromised, one)]);
}

/// What a witness saw it saw after it was logged, whatever its own clock says.
#[test]
fn a_witness_whose_clock_is_behind_makes_nothing_older() {
    let (log_key, witness) = (key(7), key(11));
    let cosigner = Cosigner::new("witness.example", &*witness).expect("a good name");
    let vkey = NoteSigner::new(ORIGIN, &*log_key).expect("a good name").vkey().clone();
    let policy = format!("log {vkey}\nwitness w {}\nquorum w\n", cosigner.vkey());
    let mut trust = trust_with(Quorum::Policy("file:witnesses".into()));
    trust.set_policy(ORIGIN, &policy).expect("a policy");
    let mut log = Log::new();
    let one = log.receipt(6);
    log.clock.advance(3_600_000);
    log.state(&revocation(6, TIME / 1_000));
    let judge = |cosigned_at: u64| {
        let signed = log.ledger.sign_checkpoint().expect("signed");
        let line = cosigner.sign(&signed.checkpoint.text(), cosigned_at).expect("a time");
        assert!(log.ledger.publish_cosigned(&signed.checkpoint, &[line]).expect("published"));
        Verifier::new().trust(trust.clone()).verify(&log.path()).expect("readable")
    };
    for (at, behind) in [(1, true), (TIME / 1_000 + 3_600, false)] {
        let report = judge(at);
        assert!(report.has(Code::KeyCompromised), "{at}, entry {one}: {}", report.to_table());
        assert_eq!(report.has(Code::WitnessTime), behind, "{at}: {}", report.to_table());
    }
}

/// Cosignatures over another history of the log are not said to reach over this one.
#[test]
fn the_witnesses_of_a_fork_are_not_those_of_this_ledger() {
    let (log_key, witness) = (key(7), key(11));
    let cosigner = Cosigner::new("witness.example", &*witness).expect("a good name");
    let vkey = NoteSigner::new(ORIGIN, &*log_key).expect("a good name").vkey().clone();
    let policy = format!("log {vkey}\nwitness w {}\nquorum w\n", cosigner.vkey());
    let mut trust = trust_with(Quorum::Policy("file:witnesses".into()));
    trust.set_policy(ORIGIN, &policy).expect("a policy");
    let (mut log, mut fork) = (Log::new(), Log::new());
    fork.made = 5;
    let (_, hash) = log.receipt_as(6, "agent:tester");
    fork.receipt(6);
    for one in [&log, &fork] {
        let signed = one.ledger.sign_checkpoint().expect("signed");
        let text = signed.checkpoint.text();
        let line = cosigner.sign(&text, TIME / 1_000).expect("a time");
        assert!(one.ledger.publish_cosigned(&signed.checkpoint, &[line]).expect("published"));
    }
    let body = {
        let reader = ledger::Reader::open_dir(&log.path(), None).expect("readable");
        let found = reader.find(0, |entry| entry.body.present().map(<[u8]>::to_vec));
        String::from_utf8(found.expect("readable").flatten().expect("a body")).expect("text")
    };
    let judge = || {
        let verifier = || Verifier::new().trust(trust.clone());
        [
            verifier().verify(&log.path()).expect("readable"),
            verifier().ledger(Some(&log.path())).verify_text("receipt.jws", &body),
            Tracer::over_ledger(&log.path())
                .trust(trust.clone())
                .trace(&hash)
                .expect("a trace")
                .report,
        ]
    };
    for report in judge() {
        assert!(report.ok() && report.witnessed_to.is_some(), "{}", report.to_table());
    }
    let other = std::fs::read(fork.path().join("public/checkpoint")).expect("there");
    std::fs::write(log.path().join("public/checkpoint"), other).expect("written");
    for report in judge() {
        assert_eq!(report.exit_class(), ExitClass::Tampered, "{}", report.to_table());
        assert!(!report.witnessed && report.witnessed_to.is_none(), "{}", report.to_table());
    }
}

#[test]
fn a_single_token_is_judged_by_where_it_lies() {
    let mut log = Log::new();
    log.receipt(6);
    log.state(&rotation(6, 8));
    log.receipt(8);
    let gone = log.receipt(6);
    log.ledger.checkpoint().expect("signed");
    let body = |index: u64| {
        let reader = ledger::Reader::open_dir(&log.path(), None).expect("readable");
        let mut entries = reader.entries();
        let mut text = String::new();
        while let Some(item) = entries.next().expect("readable") {
            if let ledger::read::Item::Entry(entry) = item
                && entry.index == index
            {
                text =
                    String::from_utf8(entry.body.present().expect("here").to_vec()).expect("text");
            }
        }
        text
    };
    let judge = |text: &str, ledger: bool| {
        let path = log.path();
        let verifier = Verifier::new().ledger(ledger.then_some(path.as_path())).trust(trust());
        verifier.verify_text("token", text)
    };
    assert!(judge(&body(0), false).ok() && judge(&body(0), true).ok());
    // Outside of the log nobody knows who came and went, and that is said.
    let unaware = |text: &str, ledger| judge(text, ledger).to_table().contains("only the log says");
    assert!(unaware(&body(0), false) && unaware(&body(2), false) && !unaware(&body(0), true));
    let chain = log.dir.path().join("chain.jsonl");
    let line = record::chainfile::write_token(&Digest::of(body(0).as_bytes()), &body(0));
    std::fs::write(&chain, line).expect("written");
    let report = Verifier::new().trust(trust()).verify(&chain).expect("readable");
    assert!(
        report.ok() && report.to_table().contains("only the log says"),
        "{}",
        report.to_table()
    );
    assert!(judge(&body(2), false).has(Code::ReceiptKeyUnknown));
    let report = judge(&body(2), true);
    assert!(report.ok() && report.assurance == Assurance::Signed, "{}", report.to_table());
    let report = judge(&body(gone), true);
    assert!(report.has(Code::KeyGone) && report.assurance == Assurance::Consistent);
    // Not in this ledger: nothing is known of its key's place.
    let mut other = Log::new();
    other.receipt(6);
    other.made = 70;
    let (_, _) = other.receipt_as(8, "agent:tester");
    let elsewhere = {
        let iat = UnixMillis(TIME).seconds();
        let agent: AgentId = "agent:tester".parse().expect("a name");
        let receipt = Receipt::user_input(agent, key(8).key_id(), iat, Digest::of(b"elsewhere"));
        receipt::sign(&receipt, &*key(8)).expect("signed").jws
    };
    let report = judge(&elsewhere, true);
    assert!(report.has(Code::EvidenceNotFound) && report.has(Code::ReceiptKeyUnknown));
}

#[test]
fn each_epoch_of_an_hmac_chain_has_its_key() {
    let log = Log::new();
    let secrets = [[1u8; 32], [2; 32]];
    let chain = |id: &str, secret: [u8; 32], head: Option<String>| {
        AuditChain::new(id.into(), Zeroizing::new(secret.to_vec()), "gateway".into(), head)
    };
    let mut lines = 0;
    let mut line = |chain: &mut AuditChain| {
        lines += 1;
        let entry = AuditEntry {
            entry_id: format!("00000000-0000-4000-8000-{lines:012}"),
            ts_ns: TIME * 1_000_000,
            owner: Owner::unresolved(),
            approval_chain: Vec::new(),
            check_name: "test".into(),
            decision: AuditDecision::Allow,
            reason: String::new(),
            request_fingerprint: String::new(),
            metadata: Vec::new(),
        };
        let sealed = chain.seal(entry).expect("sealed");
        log.named(Kind::Audit, sealed.entry_id, sealed.line)
    };
    let mut first = chain("k1", secrets[0], None);
    line(&mut first);
    log.state(&Statement {
        purpose: Purpose::Hmac,
        old: OldKey::Secret { id: "k1".into() },
        new: Some(NewKey::Secret {
            id: "k2".into(),
            commitment: keychange::commitment(&secrets[1], ORIGIN, "k2"),
        }),
        agent_id: None,
        ..rotation(6, 8)
    });
    let mut second = chain("k2", secrets[1], None);
    line(&mut second);
    line(&mut second);
    let ring = |keys: &[usize]| {
        keys.iter().fold(Verifier::new(), |verifier, at| {
            let secret = Zeroizing::new(secrets[*at].to_vec());
            verifier.hmac_key(&format!("k{}", at + 1), secret)
        })
    };
    let codes = |report: &Report| report.findings.iter().map(|f| f.code).collect::<Vec<_>>();
    assert_eq!(codes(&log.judge_with(ring(&[0, 1]))), []);
    // Who holds the first secret alone is told what was not checked.
    let report = log.judge_with(ring(&[0]));
    assert_eq!(codes(&report), [Code::AuditUnchecked], "{}", report.to_table());
    // Another secret under the new id is no better than a forged line.
    let wrong = Verifier::new().hmac_key("k2", Zeroizing::new(vec![9; 32]));
    assert!(log.judge_with(wrong).has(Code::AuditMac));
    // Going on under the old key is found.
    let mut back = chain("k1", secrets[0], Some(second.head().to_owned()));
    line(&mut back);
    let report = log.judge_with(ring(&[0, 1]));
    assert_eq!(codes(&report), [Code::KeyGone], "{}", report.to_table());
}
