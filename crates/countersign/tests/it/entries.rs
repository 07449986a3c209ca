//! A ledger whose tree and checkpoint are in order, and whose entries do not tell one story: what
//! only somebody with the log's key could write, and what a verifier says to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::{ExitClass, Verifier};
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options, SystemClock};
use record::decision::{self, Decision};
use record::entry::{AuditChain, AuditDecision, AuditEntry, Owner, OwnerType};
use record::receipt::{self, Receipt, SignedReceipt};
use record::report::Code;
use record::source::Source;
use record::taint::TaintSet;
use record::trust::{KeyMaterial, LogKey, Purpose, Quorum, Trust, TrustKey, Validity};
use seal::json::Value;
use seal::note::NoteSigner;
use seal::time::UnixMillis;
use seal::{Digest, SecretKey, Signer};

pub const ORIGIN: &str = "log.example";
const REQUEST: &str = "4eb79957-960e-425b-ac33-81617170ddb6";
pub const AUDIT: &str = "07b673b1-cf02-4404-8aa7-75745ccbfc8e";
pub const HMAC: [u8; 32] = [7; 32];

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub fn trust() -> Trust {
    let mut trust = Trust::empty();
    let public = |seed| KeyMaterial::Public(key(seed).public().clone());
    for (name, purpose, key) in [
        ("receipts", Purpose::Receipts, public(1)),
        ("decisions", Purpose::Decisions, public(2)),
        ("k1", Purpose::Hmac, KeyMaterial::Secret(HMAC.to_vec().into())),
    ] {
        let (reference, agent_id) = (None, None);
        let name = name.to_owned();
        let key = TrustKey {
            name,
            purpose,
            key,
            reference,
            agent_id,
            issuer: None,
            valid: Validity::default(),
            policies: Vec::new(),
            types: Vec::new(),
        };
        trust.add_key(key).expect("different keys");
    }
    let log = key(3);
    let vkey = NoteSigner::new(ORIGIN, &log).expect("a good name").vkey().clone();
    trust.add_log(LogKey { vkey, quorum: Quorum::None }).expect("another key");
    trust
}

/// Logs the entries, then verifies: exactly these codes, and this class.
fn check(entries: Vec<Entry>, class: ExitClass, codes: &[Code]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = FileStore::open(dir.path().join("ledger")).expect("a new ledger");
    let options = Options::new(ORIGIN, Arc::new(key(3)), "gateway", Arc::new(SystemClock));
    let ledger = Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).expect("it opens");
    if !entries.is_empty() {
        ledger.append(entries).expect("appended");
    }
    ledger.close().expect("closed");
    let report =
        Verifier::new().trust(trust()).verify(&dir.path().join("ledger")).expect("it can be read");
    let mut found: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
    found.sort_unstable();
    let mut expected = codes.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{}", report.to_table());
    assert_eq!(report.exit_class(), class, "{}", report.to_table());
}

fn sign(receipt: &Receipt) -> SignedReceipt {
    receipt::sign(receipt, &key(1)).expect("a good receipt")
}

fn agent() -> record::AgentId {
    "agent:gateway".parse().expect("a good name")
}

pub fn root() -> SignedReceipt {
    sign(&Receipt::user_input(agent(), key(1).key_id(), 1_795_000_000, Digest::of(b"in")))
}

pub fn child(parents: &[(Digest, &TaintSet)], iat: i64) -> SignedReceipt {
    let (one, two) = (Digest::of(b"in"), Digest::of(b"out"));
    let receipt = Receipt::model_call(agent(), key(1).key_id(), iat, "m", one, two);
    sign(&receipt.parents(parents))
}

pub fn of_receipt(signed: &SignedReceipt) -> Entry {
    entry(Kind::Receipt, &signed.hash.to_string(), &signed.jws)
}

pub fn entry(kind: Kind, id: &str, body: &str) -> Entry {
    Entry { kind, id: id.to_owned(), body: body.as_bytes().to_vec() }
}

pub fn document(kind: Kind, body: &str) -> Entry {
    entry(kind, &Digest::of(body.as_bytes()).to_string(), body)
}

pub const CONFIG: &str = "{\"config\":{\"evidence\":{\"profile\":\"full\"}}}";
pub const RULES: &str = "{\"rules\":[]}";

pub fn audit(
    chain: &mut AuditChain,
    id: &str,
    decision: AuditDecision,
    extra: &[(&str, Value)],
) -> Entry {
    let mut metadata = vec![
        ("_request".to_owned(), Value::from(REQUEST)),
        ("_config".to_owned(), Digest::of(CONFIG.as_bytes()).into()),
        ("_ruleset".to_owned(), Digest::of(RULES.as_bytes()).into()),
        ("_code".to_owned(), "injection".into()),
        ("_route".to_owned(), "/v1/chat/completions".into()),
    ];
    metadata.retain(|(name, _)| extra.iter().all(|(other, _)| other != name));
    metadata.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let owner = Owner::new(OwnerType::Agent, "billing");
    let sealed = chain
        .seal(AuditEntry {
            entry_id: id.to_owned(),
            ts_ns: 1_795_000_000_000_000_000,
            approval_chain: owner.approval_chain(),
            owner,
            check_name: "pipeline.admission".to_owned(),
            decision,
            reason: "all checks passed".to_owned(),
            request_fingerprint: Digest::of(b"request").to_string(),
            metadata,
        })
        .expect("a good entry");
    entry(Kind::Audit, id, &sealed.line)
}

pub fn chain(secret: [u8; 32]) -> AuditChain {
    AuditChain::new("k1".to_owned(), secret.to_vec().into(), "gateway".to_owned(), None)
}

pub fn outcome() -> [(&'static str, Value); 3] {
    [
        ("_outcome", "refused".into()),
        ("_response", Digest::of(b"response").into()),
        ("_receipt", root().hash.into()),
    ]
}

/// Refusals that were only counted: nobody got a receipt for them.
pub fn counted() -> [(&'static str, Value); 1] {
    [("_outcome", "aggregate".into())]
}

pub fn decision(change: impl FnOnce(&mut Decision)) -> Entry {
    let mut decision = Decision {
        log_origin: ORIGIN.to_owned(),
        request_id: REQUEST.to_owned(),
        audit_entry_id: AUDIT.to_owned(),
        decision: "block".to_owned(),
        reason_code: "injection".to_owned(),
        route: "/v1/chat/completions".to_owned(),
        profile: "full".to_owned(),
        request_digest: Digest::of(b"request"),
        response_digest: Some(Digest::of(b"response")),
        config_digest: Digest::of(CONFIG.as_bytes()),
        ruleset_digest: Digest::of(RULES.as_bytes()),
        upstream: String::new(),
        model: String::new(),
        heads: vec![root().hash],
        heads_digest: None,
        sources: Vec::new(),
        sources_digest: None,
        iat: 1_795_000_000,
    };
    change(&mut decision);
    document(Kind::Decision, &decision::sign(&decision, &key(2)).expect("a good decision"))
}

/// A whole request: documents, a receipt, its audit entry, its decision receipt.
pub fn story(change: impl FnOnce(&mut Decision)) -> Vec<Entry> {
    vec![
        document(Kind::Config, CONFIG),
        document(Kind::Ruleset, RULES),
        of_receipt(&root()),
        audit(&mut chain(HMAC), AUDIT, AuditDecision::Block, &outcome()),
        decision(change),
    ]
}

#[test]
fn a_story_that_holds_is_well() {
    check(story(|_| {}), ExitClass::Ok, &[]);
    check(Vec::new(), ExitClass::Missing, &[Code::EvidenceEmpty]);
}

#[test]
fn receipts_must_stand_on_each_other() {
    use ExitClass::{Malformed, Tampered, Untrusted, Violated};
    let root = root();
    let taint = &root.receipt.taint;
    let good = child(&[(root.hash, taint)], 1_795_000_001);
    check(vec![of_receipt(&root), of_receipt(&good)], ExitClass::Ok, &[]);
    check(vec![of_receipt(&good)], Malformed, &[Code::ChainParent]);
    check(vec![of_receipt(&good), of_receipt(&root)], Malformed, &[Code::ChainOrder]);
    let washed = child(&[(root.hash, &TaintSet::new())], 1_795_000_001);
    check(vec![of_receipt(&root), of_receipt(&washed)], Violated, &[Code::ChainTaint]);
    let early = child(&[(root.hash, taint)], 1_794_000_000);
    check(vec![of_receipt(&root), of_receipt(&early)], Malformed, &[Code::ChainTime]);
    let twice = vec![of_receipt(&root), of_receipt(&root)];
    check(twice, Malformed, &[Code::LedgerDuplicate]);
    let misfiled = entry(Kind::Receipt, &good.hash.to_string(), &root.jws);
    check(vec![misfiled], Tampered, &[Code::LedgerId]);
    let foreign = receipt::sign(&root.receipt, &key(9));
    assert!(foreign.is_err(), "a receipt names its key");
    let strange = Receipt::user_input(agent(), key(9).key_id(), 1_795_000_000, Digest::of(b"in"));
    let strange = receipt::sign(&strange, &key(9)).expect("a good receipt");
    check(vec![of_receipt(&strange)], Untrusted, &[Code::ReceiptKeyUnknown]);
    let elsewhere = root.receipt.clone().extension("x_countersign_log", "other.example");
    check(vec![of_receipt(&sign(&elsewhere))], Malformed, &[Code::EvidenceReference]);
    let nowhere = root.receipt.clone().extension("x_countersign_log", 7i64);
    check(vec![of_receipt(&sign(&nowhere))], Malformed, &[Code::EvidenceReference]);
    let mut future = root.receipt.clone();
    future.iat = 4_000_000_000;
    check(vec![of_receipt(&sign(&future))], ExitClass::Ok, &[Code::ChainFuture]);
    // What was rejected is not missing as well.
    let broken = entry(Kind::Receipt, &root.hash.to_string(), "no receipt");
    check(vec![broken, of_receipt(&good)], Tampered, &[Code::LedgerId, Code::ReceiptEncoding]);
}

#[test]
fn audit_lines_follow_each_other() {
    let documents = || vec![document(Kind::Config, CONFIG), document(Kind::Ruleset, RULES)];
    let with = |lines: Vec<Entry>, class, codes: &[Code]| {
        check([documents(), lines].concat(), class, codes);
    };
    use ExitClass::{Malformed, Ok, Tampered};
    let mut lines = chain(HMAC);
    let block = AuditDecision::Block;
    let [one, two, three] = ["a", "b", "c"].map(|id| audit(&mut lines, id, block, &counted()));
    with(vec![one.clone(), two.clone(), three.clone()], Ok, &[]);
    with(vec![one.clone(), three.clone()], Tampered, &[Code::AuditLink]);
    with(vec![two.clone()], Tampered, &[Code::AuditLink]);
    let forged = audit(&mut chain([8; 32]), "a", block, &counted());
    with(vec![forged], Tampered, &[Code::AuditMac]);
    let text = String::from_utf8_lossy(&one.body).replace("\":", "\": ");
    with(vec![entry(Kind::Audit, "a", &text)], Malformed, &[Code::AuditCanonical]);
    with(
        vec![entry(Kind::Audit, "other", &String::from_utf8_lossy(&one.body))],
        Tampered,
        &[Code::LedgerId],
    );
    let other = AuditChain::new("k1".into(), HMAC.to_vec().into(), "other".into(), None);
    let moved = audit(&mut { other }, "a", block, &counted());
    with(vec![moved], Tampered, &[Code::AuditLink]);
    // Admitted, and nobody knows how it ended.
    let open = audit(&mut chain(HMAC), "a", AuditDecision::Allow, &[]);
    with(vec![open], Ok, &[Code::EvidenceOpen]);
    let facts = [("_facts", Digest::of(b"gone").into()), ("_outcome", "aggregate".into())];
    let dangling = audit(&mut chain(HMAC), "a", block, &facts);
    with(vec![dangling], Malformed, &[Code::EvidenceReference]);
}

#[test]
fn a_decision_receipt_binds_what_is_there() {
    use ExitClass::{Malformed, Tampered};
    check(
        story(|decision| decision.log_origin = "other.example".to_owned()),
        Tampered,
        &[Code::DecisionLog],
    );
    check(
        story(|decision| decision.audit_entry_id = "gone".to_owned()),
        Malformed,
        &[Code::DecisionAudit, Code::DecisionMissing],
    );
    check(
        story(|decision| decision.heads = vec![Digest::of(b"gone")]),
        Malformed,
        &[Code::DecisionHeads],
    );
    check(
        story(|decision| decision.config_digest = Digest::of(b"gone")),
        Tampered,
        &[Code::DecisionDigest, Code::DecisionMismatch],
    );
    for change in [
        (|decision: &mut Decision| decision.decision = "allow".to_owned()) as fn(&mut Decision),
        |decision| decision.request_id = "another".to_owned(),
        |decision| decision.decision = "redact".to_owned(),
        |decision| decision.decision = "error".to_owned(),
        |decision| decision.decision = "interrupted".to_owned(),
        |decision| decision.request_digest = Digest::of(b"another"),
        |decision| decision.response_digest = Some(Digest::of(b"another")),
        |decision| decision.response_digest = None,
        |decision| decision.reason_code = "ok".to_owned(),
        |decision| decision.route = "other".to_owned(),
        |decision| decision.upstream = "elsewhere".to_owned(),
        |decision| decision.model = "another".to_owned(),
        |decision| decision.heads.clear(),
        |decision| decision.iat = 1_794_000_000,
        |decision| {
            decision.bind_sources(&[Source::of_feed("alpha.example", Digest::of(b"an indicator"))]);
        },
    ] {
        check(story(change), Tampered, &[Code::DecisionMismatch]);
    }
    // Neither the audit entry, which cites a receipt, nor the configuration knows such a profile.
    let twofold = [Code::DecisionMismatch, Code::DecisionMismatch];
    check(story(|decision| decision.profile = "sealed".to_owned()), Tampered, &twofold);
    // Evidence that was left out, where the configuration asks for all of it.
    let lean = |decision: &mut Decision| {
        decision.profile = "sealed".to_owned();
        decision.heads.clear();
    };
    let sealed = |order: [usize; 4]| {
        let (config, rules) = (document(Kind::Config, CONFIG), document(Kind::Ruleset, RULES));
        let line = audit(&mut chain(HMAC), AUDIT, AuditDecision::Block, &outcome()[..2]);
        let entries = [config, rules, line, decision(lean)];
        order.map(|at| entries[at].clone()).to_vec()
    };
    check(sealed([0, 1, 2, 3]), Tampered, &[Code::DecisionMismatch]);
    check(sealed([3, 1, 2, 0]), Tampered, &[Code::DecisionMismatch]);
    // An outcome has one decision receipt: no more, no less.
    let mut silent = story(|_| {});
    silent.pop();
    check(silent, Malformed, &[Code::DecisionMissing]);
    let mut twice = story(|_| {});
    twice.push(decision(|decision| decision.iat += 1));
    check(twice, Malformed, &[Code::LedgerDuplicate]);
    // And a request has one outcome.
    let mut again = story(|_| {});
    let mut lines = chain(HMAC);
    again.remove(3);
    again.insert(3, audit(&mut lines, AUDIT, AuditDecision::Block, &outcome()));
    again.push(audit(&mut lines, "again", AuditDecision::Block, &outcome()));
    again.push(decision(|decision| decision.audit_entry_id = "again".to_owned()));
    check(again, Malformed, &[Code::LedgerDuplicate]);
    // An entry that ends no request is not what a decision receipt is for.
    let mut open = story(|_| {});
    open.remove(3);
    open.insert(3, audit(&mut chain(HMAC), AUDIT, AuditDecision::Block, &[]));
    check(open, Tampered, &[Code::DecisionMismatch, Code::EvidenceOpen]);
    let mut late = story(|_| {});
    late.rotate_right(1);
    check(late, ExitClass::Ok, &[]);
}

/// Later at every look.
struct Ticking(AtomicU64);

impl ledger::Clock for Ticking {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_795_000_000_000 + self.0.fetch_add(1000, Ordering::Relaxed))
    }
}

/// A crash tears the decision receipt off its outcome; `before` is an earlier batch.
fn torn(before: Vec<Entry>) -> Vec<Code> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("ledger");
    let open = || {
        let store = FileStore::open(&path).expect("the directory");
        let clock = Arc::new(Ticking(AtomicU64::new(0)));
        let options = Options::new(ORIGIN, Arc::new(key(3)), "gateway", clock);
        Ledger::open(Arc::new(store), options, &mut |_, _, _| {}).expect("it opens")
    };
    let ledger = open();
    if !before.is_empty() {
        ledger.append(before).expect("appended");
    }
    let mut lines = chain(HMAC);
    let counted = audit(&mut lines, "counted", AuditDecision::Block, &counted());
    ledger.append(vec![document(Kind::Config, CONFIG), counted]).expect("appended");
    drop(ledger);
    let segment = path.join("journal").join(format!("{:020}.seg", 0));
    let ledger = open();
    let outcome = audit(&mut lines, AUDIT, AuditDecision::Block, &outcome());
    let last = vec![document(Kind::Ruleset, RULES), of_receipt(&root()), outcome];
    ledger.append([last, vec![decision(|_| {})]].concat()).expect("appended");
    drop(ledger);
    let length = std::fs::metadata(&segment).expect("a segment").len();
    let file = std::fs::File::options().write(true).open(&segment).expect("a segment");
    file.set_len(length - 100).expect("cut");
    open().close().expect("closed");
    let report = Verifier::new().trust(trust()).verify(&path).expect("it can be read");
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_repair_excuses_what_it_cut_and_nothing_older() {
    assert_eq!(torn(Vec::new()), [Code::LedgerRepair]);
    let older = audit(&mut chain(HMAC), "older", AuditDecision::Block, &outcome());
    assert!(torn(vec![older]).contains(&Code::DecisionMissing));
}

#[test]
fn documents_are_what_they_are_filed_as() {
    use ExitClass::{Malformed, Tampered};
    check(vec![document(Kind::Config, "no json")], Malformed, &[Code::EvidenceKind]);
    let misfiled = entry(Kind::Facts, &Digest::of(b"other").to_string(), "{}");
    check(vec![misfiled], Tampered, &[Code::LedgerId]);
    check(vec![document(Kind::Capability, "{}")], Malformed, &[Code::CapMalformed]);
    check(vec![document(Kind::Revocation, "{}")], Malformed, &[Code::KeyStatement]);
    check(vec![document(Kind::Feed, "{}")], ExitClass::Ok, &[]);
}

/// A mark says where a subscription stands. Subscribing again, or to its end, says it again.
#[test]
fn a_mark_of_a_feed_may_come_again() {
    let mark = "feed-state:00:1750000000:11:1";
    let twice = |id: &str| vec![entry(Kind::Feed, id, "{}"), entry(Kind::Feed, id, "[]")];
    check(twice(mark), ExitClass::Ok, &[]);
    check(twice("core-1"), ExitClass::Malformed, &[Code::LedgerDuplicate]);
    let other = vec![entry(Kind::Attestation, mark, "{}"), entry(Kind::Attestation, mark, "{}")];
    check(other, ExitClass::Malformed, &[Code::LedgerDuplicate]);
}
