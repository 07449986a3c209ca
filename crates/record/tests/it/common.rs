//! Keys, receipts and files the tests share.

use std::io::Write as _;
use std::path::PathBuf;

use record::agent::AgentId;
use record::dag::{ChainOptions, ChainSummary, verify_chain};
use record::receipt::{Receipt, SignedReceipt, sign};
use record::report::{Code, ExitClass, Report};
use record::taint::TaintSet;
use record::trust::{Purpose, Trust, TrustKey};
use record::{chainfile, hash};
use seal::digest::Digest;
use seal::json::{Value, write_receipt};
use seal::key::SecretKey;
use seal::signer::Signer;

/// Time of the first receipt.
pub const T0: i64 = 1_790_000_000;

pub fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

pub fn agent() -> AgentId {
    "agent:test".parse().unwrap()
}

pub fn digest(text: &str) -> Digest {
    hash::text(text)
}

/// Trust in key 1 for receipts.
pub fn trust() -> Trust {
    let mut trust = Trust::empty();
    trust.add_key(TrustKey::public("one", Purpose::Receipts, key(1).public().clone())).unwrap();
    trust
}

pub fn user_input() -> Receipt {
    Receipt::user_input(agent(), key(1).key_id(), T0, digest("hello"))
}

pub fn model_call(parent: &SignedReceipt) -> Receipt {
    let (input, output) = (digest("hello"), digest("answer"));
    Receipt::model_call(agent(), key(1).key_id(), T0 + 1, "model-a", input, output)
        .parents(&[(parent.hash, &parent.receipt.taint)])
}

pub fn signed(receipt: Receipt) -> SignedReceipt {
    sign(&receipt, &key(1)).unwrap()
}

/// The header every receipt of key 1 has.
pub fn header() -> String {
    format!(
        "{{\"alg\":\"EdDSA\",\"crit\":[\"raucle/v1\"],\"kid\":\"{}\",\"raucle/v1\":\"provenance\",\"typ\":\"provenance-receipt/v1\"}}",
        key(1).key_id()
    )
}

/// The payload of a good receipt, as a value to spoil.
pub fn payload(receipt: &SignedReceipt) -> Value {
    let token = seal::jws::split(&receipt.jws, 65_536).unwrap();
    seal::json::parse(&token.payload, seal::json::Limits::RECEIPT).unwrap()
}

/// Signs any bytes as header and payload.
pub fn forge(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let part = seal::base64::url_encode;
    let input = format!("{}.{}", part(header.as_ref()), part(payload.as_ref()));
    let signature = key(1).sign(input.as_bytes());
    format!("{input}.{}", part(&signature))
}

/// A user input with one member set or, without a value, removed; validly signed.
pub fn spoiled(receipt: &SignedReceipt, member: &str, value: Option<Value>) -> String {
    let mut payload = payload(receipt);
    let Value::Object(members) = &mut payload else { panic!("payload is an object") };
    members.retain(|(name, _)| name != member);
    members.extend(value.map(|value| (member.to_string(), value)));
    forge(header(), write_receipt(&payload).unwrap())
}

pub fn chain_of(receipts: &[&SignedReceipt]) -> String {
    receipts.iter().map(|receipt| chainfile::write_line(receipt)).collect()
}

/// A line for a receipt that [`record::receipt::read`] may refuse.
pub fn line_of(jws: &str) -> String {
    let mut line = format!("{{\"receipt_hash\":\"{}\",\"jws\":", Digest::of(jws.as_bytes()));
    seal::json::push_string(jws, &mut line);
    line + "}\n"
}

pub fn judge(chain: &[u8], trust: &Trust, options: ChainOptions) -> (Report, ChainSummary) {
    let mut report = Report::new("chain");
    let mut source = chainfile::MemoryChain::new(chain);
    let summary = verify_chain(&mut source, trust, options, &mut report);
    (report, summary)
}

/// Error codes of a report, once each, in order of appearance.
pub fn errors(report: &Report) -> Vec<Code> {
    let mut codes = Vec::new();
    for finding in &report.findings {
        if finding.code.exit() != ExitClass::Ok && !codes.contains(&finding.code) {
            codes.push(finding.code);
        }
    }
    codes
}

pub fn tags(tags: &[&str]) -> TaintSet {
    TaintSet::of(tags.iter().copied())
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether generated files are to be written instead of compared.
pub fn bless() -> bool {
    std::env::var_os("COUNTERSIGN_BLESS").is_some()
}

/// Compares a generated file with the one in the repository, or writes it.
pub fn golden(path: &str, expected: &str) {
    let path = root().join(path);
    if bless() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} differs from what the code says; run with COUNTERSIGN_BLESS=1 to rewrite it",
        path.display()
    );
}

/// A file of the shared vectors, when they are at hand.
pub fn shared(path: &str) -> Option<Vec<u8>> {
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| root().join("../shared"));
    let path = shared.join("vectors").join(path);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            // Past the test harness, which would swallow what a passing test prints.
            let text = format!("SKIPPED: {}: {error}; set COUNTERSIGN_SHARED\n", path.display());
            let _ = std::io::stderr().write_all(text.as_bytes());
            None
        }
    }
}
