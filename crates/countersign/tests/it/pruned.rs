//! What a verifier makes of a ledger whose older bodies were pruned, and what a policy spares.

use std::path::Path;
use std::sync::Arc;

use countersign::prune::{Needed, PolicyError, policy};
use countersign::{Report, Verifier};
use ledger::prune::{Policy, explain, perform};
use ledger::read::Item;
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options, Reader};
use record::entry::{AuditChain, AuditDecision};
use record::report::{Assurance, Code, ExitClass};
use record::retention::Retention;
use seal::Digest;
use seal::json::Value;
use seal::note::NoteSigner;
use testkit::clock::TestClock;

use crate::entries::{
    AUDIT, CONFIG, HMAC, ORIGIN, RULES, audit, chain, child, counted, document, key, of_receipt,
    outcome, root, story, trust,
};

/// When the first batch is logged; each batch comes a day later, into a segment of its own.
const START: u64 = 1_795_000_000_000;
const DAY: u64 = 86_400_000;

struct Home(tempfile::TempDir);

impl Home {
    /// A ledger with these batches, and one at the end that keeps the last of them full.
    fn of(batches: &[Vec<Entry>]) -> Home {
        let home = Home(tempfile::tempdir().expect("a directory"));
        let ledger = Ledger::open(home.store(), home.options(), &mut |_, _, _| {});
        let ledger = ledger.expect("it opens");
        for batch in batches {
            ledger.append(batch.clone()).expect("appended");
        }
        let last = document(Kind::Facts, "{\"last\":true}");
        ledger.append(vec![last]).expect("appended");
        ledger.close().expect("closed");
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn store(&self) -> Arc<FileStore> {
        Arc::new(FileStore::open(self.path().join("ledger")).expect("the store"))
    }

    fn options(&self) -> Options {
        let clock = Arc::new(TestClock::stepping(START, DAY));
        Options { segment_bytes: 1, ..Options::new(ORIGIN, Arc::new(key(3)), "gateway", clock) }
    }

    /// Prunes these kinds as far as they were logged before the batch of this number.
    fn prune(&self, kinds: &[Kind], batch: u64) -> u64 {
        let before = kinds.iter().map(|kind| (*kind, START + batch * DAY)).collect();
        self.prune_by(&Policy { before, digest: Digest::of(b"policy") })
    }

    fn prune_by(&self, policy: &Policy) -> u64 {
        let signer = key(3);
        let vkey = NoteSigner::new(ORIGIN, &signer).expect("a name").vkey().clone();
        let store = self.store();
        let plan = explain(&*store, &vkey, None, policy, &mut Needed::new()).expect("a plan");
        perform(store, self.options(), policy, &plan).expect("pruned");
        plan.kinds().values().sum()
    }

    fn verify(&self) -> Report {
        Verifier::new().trust(trust()).verify(&self.path().join("ledger")).expect("readable")
    }

    /// Well, with exactly these codes beside the one that says what was pruned.
    fn is_well(&self, codes: &[Code], notes: &[&str]) {
        let report = self.verify();
        let mut found: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
        found.sort_unstable();
        let mut expected = [codes, &[Code::LedgerPruned]].concat();
        expected.sort_unstable();
        let told = report.to_table();
        assert_eq!(found, expected, "{told}");
        assert_eq!(report.exit_class(), ExitClass::Ok, "{told}");
        assert!(told.contains("signed"), "{told}");
        for note in notes {
            assert!(told.contains(note), "{note}: {told}");
        }
    }

    /// Kinds and ids of the bodies that are not here.
    fn gone(&self) -> Vec<(Kind, String)> {
        let reader = Reader::open_dir(&self.path().join("ledger"), None).expect("a ledger");
        let (mut entries, mut gone) = (reader.entries(), Vec::new());
        while let Some(Item::Entry(entry)) = entries.next().expect("readable") {
            if entry.body.present().is_none() {
                gone.push((entry.leaf.kind, entry.leaf.id.clone()));
            }
        }
        gone
    }
}

fn id(kind: Kind, body: &str) -> (Kind, String) {
    (kind, Digest::of(body.as_bytes()).to_string())
}

#[test]
fn receipts_hold_through_pruned_parents() {
    let (root, taint) = (root(), root().receipt.taint);
    let one = child(&[(root.hash, &taint)], 1_795_000_001);
    let two = child(&[(one.hash, &one.receipt.taint)], 1_795_000_002);
    let home = Home::of(&[vec![of_receipt(&root)], vec![of_receipt(&one)], vec![of_receipt(&two)]]);
    assert_eq!(home.prune(&[Kind::Receipt], 2), 2);
    home.is_well(&[], &["2 bodies pruned (receipt 2), recorded by entry 4"]);
    let tracer = || countersign::Tracer::over_ledger(&home.path().join("ledger")).trust(trust());
    let trace = tracer().trace(&two.hash.to_string()).expect("traced");
    let table = trace.to_table();
    assert!(table.contains("body pruned, logged at index 1"), "{table}");
    assert_eq!(trace.report.exit_class(), ExitClass::Ok, "{table}");
    assert_eq!(trace.rows.len(), 1);
    let trace = tracer().trace(&root.hash.to_string()).expect("traced");
    assert_eq!(trace.report.exit_class(), ExitClass::Missing);
    assert!(trace.to_table().contains("body pruned, logged at index 0"), "{}", trace.to_table());
}

#[test]
fn a_pruned_stretch_of_the_chain_is_said_and_nothing_is_made_of_it() {
    let mut lines = chain(crate::entries::HMAC);
    let documents = vec![document(Kind::Config, CONFIG), document(Kind::Ruleset, RULES)];
    let line =
        |lines: &mut AuditChain, id: &str| vec![audit(lines, id, AuditDecision::Block, &counted())];
    let four: Vec<Vec<Entry>> = ["a", "b", "c", "d"].map(|id| line(&mut lines, id)).to_vec();
    let home = Home::of(&[vec![documents.clone()], four.clone()].concat());
    assert_eq!(home.prune(&[Kind::Audit], 3), 2);
    home.is_well(&[], &["1 audit lines, the first at index 4", "their link could not be checked"]);
    // Behind the stretch a broken link is a broken link.
    let broken = vec![four[0].clone(), four[1].clone(), four[2].clone(), line(&mut lines, "z")];
    let home = Home::of(&[vec![documents], broken].concat());
    assert_eq!(home.prune(&[Kind::Audit], 3), 2);
    let report = home.verify();
    assert!(report.findings.iter().any(|finding| finding.code == Code::AuditLink));
    assert_eq!(report.exit_class(), ExitClass::Tampered);
}

#[test]
fn what_kept_evidence_cites_stays() {
    let kinds = [Kind::Audit, Kind::Receipt, Kind::Decision, Kind::Facts, Kind::Config];
    let kinds = [&kinds[..], &[Kind::Ruleset]].concat();
    let facts = "{\"facts\":1}";
    let other = "{\"config\":{\"other\":true}}";
    let with = |extra: &[(&str, Value)]| {
        let mut story = story(|_| {});
        let mut extra = extra.to_vec();
        extra.extend(outcome());
        story[3] = audit(&mut chain(crate::entries::HMAC), AUDIT, AuditDecision::Block, &extra);
        story
    };
    let cited = with(&[("_facts", Digest::of(facts.as_bytes()).into())]);
    let (part, spare) = ("{\"rules\":[1]}", "{\"rules\":[2]}");
    let naming = format!("{{\"rules\":\"{}\"}}", Digest::of(part.as_bytes()));
    let rules = [part, spare, &naming].map(|rules| document(Kind::Ruleset, rules));
    let home = Home::of(&[
        rules.to_vec(),
        vec![document(Kind::Facts, facts), document(Kind::Facts, "{\"facts\":2}")],
        cited[..3].to_vec(),
        vec![document(Kind::Config, other), document(Kind::Config, "{\"config\":{}}")],
        cited[3..].to_vec(),
    ]);
    // The outcome and its decision receipt are younger, everything else may go.
    home.prune(&kinds, 4);
    let gone = home.gone();
    assert!(gone.contains(&id(Kind::Ruleset, spare)), "{gone:?}");
    assert!(!gone.contains(&id(Kind::Ruleset, part)), "what a ruleset names: {gone:?}");
    assert!(gone.contains(&id(Kind::Facts, "{\"facts\":2}")), "{gone:?}");
    assert!(gone.contains(&id(Kind::Config, other)), "{gone:?}");
    assert!(!gone.contains(&id(Kind::Facts, facts)), "{gone:?}");
    assert!(!gone.contains(&id(Kind::Config, CONFIG)), "{gone:?}");
    assert!(!gone.contains(&id(Kind::Ruleset, RULES)), "{gone:?}");
    assert!(!gone.contains(&id(Kind::Config, "{\"config\":{}}")), "the newest: {gone:?}");
    assert!(gone.iter().any(|(kind, _)| *kind == Kind::Receipt), "a head: {gone:?}");
    home.is_well(&[], &[]);
    // However old, the newest line of a writer stays, its decision receipt and what they cite.
    let home = Home::of(&[story(|_| {})]);
    home.prune(&kinds, 1_000);
    let gone: Vec<Kind> = home.gone().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(gone, [Kind::Receipt]);
    home.is_well(&[], &[]);
}

#[test]
fn open_and_half_kept_requests_stay_whole() {
    let mut lines = chain(crate::entries::HMAC);
    let mut line = |id: &str, extra: &[(&str, Value)]| {
        vec![audit(&mut lines, id, AuditDecision::Allow, extra)]
    };
    let request = |name: &str| ("_request", Value::from(name));
    let documents = vec![document(Kind::Config, CONFIG), document(Kind::Ruleset, RULES)];
    let ended = |name: &str| [request(name), ("_outcome", "aggregate".into())];
    let batches = [
        documents,
        line("never ended", &[request("r1")]),
        line("ended early", &[request("r2")]),
        line("its end", &ended("r2")),
        line("ended late", &[request("r3")]),
        line("the late end", &ended("r3")),
        line("newest", &counted()),
    ];
    let home = Home::of(&batches);
    home.prune(&[Kind::Audit], 5);
    let gone: Vec<String> = home.gone().into_iter().map(|(_, id)| id).collect();
    assert_eq!(gone, ["ended early", "its end"]);
}

/// A stranger's ciphertext can be put into the place of any body: no kind is taken unread.
#[test]
fn what_nobody_here_can_read_is_not_signed_whatever_its_kind() {
    let stranger = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    let line = audit(&mut chain(HMAC), "a", AuditDecision::Block, &counted());
    for hidden in [document(Kind::Config, CONFIG), document(Kind::Ruleset, RULES), line] {
        let home = Home(tempfile::tempdir().expect("a directory"));
        let kind = hidden.kind;
        let recipients = crypt::Recipients::parse([stranger]).expect("a key");
        let options = Options { recipients: Some(Arc::new(recipients)), ..home.options() };
        let ledger = Ledger::open(home.store(), options, &mut |_, _, _| {}).expect("it opens");
        ledger.append(vec![hidden]).expect("appended");
        ledger.close().expect("closed");
        drop(ledger);
        let report = home.verify();
        assert_eq!(report.assurance, Assurance::Consistent, "{kind}: {}", report.to_table());
        assert!(report.has(Code::TrustLevel), "{kind}: {}", report.to_table());
    }
    // Nor does a step stand on a parent that is shut.
    let (root, home) = (root(), Home(tempfile::tempdir().expect("a directory")));
    let next = child(&[(root.hash, &root.receipt.taint)], 1_795_000_001);
    let recipients = crypt::Recipients::parse([stranger]).expect("a key");
    let shut = Options { recipients: Some(Arc::new(recipients)), ..home.options() };
    for (options, receipt) in [(shut, &root), (home.options(), &next)] {
        let ledger = Ledger::open(home.store(), options, &mut |_, _, _| {}).expect("it opens");
        ledger.append(vec![of_receipt(receipt)]).expect("appended");
        ledger.close().expect("closed");
    }
    let tracer = countersign::Tracer::over_ledger(&home.path().join("ledger")).trust(trust());
    let trace = tracer.trace(&next.hash.to_string()).expect("traced");
    assert_eq!(trace.report.assurance, Assurance::Consistent, "{}", trace.to_table());
    assert!(trace.to_table().contains("parent: body encrypted, logged at index 0"));
    assert_eq!(trace.report.exit_class(), ExitClass::Untrusted);
}

/// A body that somebody took out is tampering for every command that looks, never `pruned`.
#[test]
fn a_body_removed_by_hand_is_tampering_for_trace_and_token_too() {
    let (root, taint) = (root(), root().receipt.taint);
    let next = child(&[(root.hash, &taint)], 1_795_000_001);
    let batches = [vec![of_receipt(&root)], vec![of_receipt(&next)]];
    let (home, other) = (Home::of(&batches), Home::of(&batches));
    assert_eq!(other.prune(&[Kind::Receipt], 1), 1);
    // The segment as a prune leaves it, in a ledger that records none.
    let segment = |home: &Home| home.path().join("ledger/journal/00000000000000000000.seg");
    std::fs::remove_file(segment(&home)).expect("removed");
    std::fs::copy(segment(&other), segment(&home)).expect("copied");
    let ledger = home.path().join("ledger");
    let trace = countersign::Tracer::over_ledger(&ledger).trust(trust());
    let trace = trace.trace(&next.hash.to_string()).expect("traced");
    let token = Verifier::new().trust(trust()).ledger(Some(&ledger)).verify_text("t", &next.jws);
    for report in [home.verify(), trace.report, token] {
        assert!(report.has(Code::LedgerStripped), "{}", report.to_table());
        assert_eq!(report.exit_class(), ExitClass::Tampered, "{}", report.to_table());
    }
}

#[test]
fn a_policy_is_read_for_the_kinds_there_are() {
    let read = |keep: &str| {
        let text = format!("version: 1\nkeep: {{{keep}}}\n");
        policy(&Retention::parse(&text).expect("a policy"), START)
    };
    let good = read("audit: 10d, decision: 2d, facts: 1d, config: forever").expect("kinds");
    assert_eq!(good.before[&Kind::Audit], START - 10 * DAY);
    assert_eq!(good.before[&Kind::Decision], START - 10 * DAY, "never before its audit line");
    assert_eq!(good.before[&Kind::Facts], START - DAY);
    assert!(!good.before.contains_key(&Kind::Config));
    // Without a time for audit lines no decision receipt goes at all.
    assert_eq!(read("decision: 2d").expect("kinds").before[&Kind::Decision], 0);
    assert!(matches!(read("audits: 1d"), Err(PolicyError::Kind { .. })));
    for kind in ["anchor", "prune", "repair", "rotation", "revocation"] {
        let refused = read(&format!("{kind}: 1d"));
        assert!(matches!(refused, Err(PolicyError::Permanent { .. })), "{refused:?}");
        assert!(read(&format!("{kind}: forever")).is_ok());
    }
}
