//! How fast receipts, decisions and audit lines are written, and chains verified, beside the
//! floor of bare Ed25519: `cargo run --release -p countersign-record --example pace [receipts]`.

use std::hint::black_box;
use std::time::Instant;

use countersign_record as record;
use record::capability::{self, Terms};
use record::chainfile::{MemoryChain, write_line};
use record::dag::{ChainOptions, verify_chain};
use record::decision::{self, Decision};
use record::entry::{AuditChain, AuditDecision, AuditEntry, Owner, OwnerType};
use record::receipt::{Receipt, sign};
use record::trust::{Purpose, Trust, TrustKey};
use record::{Report, hash};
use seal::key::SecretKey;
use seal::{Signer, Zeroizing};

fn main() {
    let receipts: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let key = SecretKey::from_seed([7; 32]);
    let agent: record::AgentId = "agent:gateway".parse().expect("an agent id");
    let message = [7_u8; 900];
    let floor = each("Ed25519 sign, 900 bytes", 20_000, |_| {
        black_box(key.sign(&message));
    });
    let text = hash::text("content");
    let root = sign(&Receipt::user_input(&agent, key.key_id(), 1_800_000_000, text), &key)
        .expect("a good receipt");
    let call = |n: usize| {
        Receipt::model_call(&agent, key.key_id(), 1_800_000_001, "simulator", text, text)
            .parents(&[(root.hash, &root.receipt.taint)])
            .extension("x_countersign_request", format!("00000000-0000-4000-8000-{n:012}"))
            .extension("x_countersign_caller", "agent:billing")
            .extension("x_countersign_log", "countersign.local/0123456789ab")
    };
    let receipt = each("receipt made and signed", 20_000, |n| {
        black_box(sign(&call(n), &key).expect("a good receipt"));
    });
    println!("{:<32}{:>9.2} us beyond the signature", "", receipt - floor);
    let mut chain =
        AuditChain::new("k1".into(), Zeroizing::new(vec![1; 32]), "gateway".into(), None);
    each("audit line sealed", 50_000, |n| {
        black_box(chain.seal(entry(n)).expect("a good entry"));
    });
    let made = each("decision receipt signed", 20_000, |_| {
        black_box(decision::sign(&decided(), &key).expect("a good decision"));
    });
    println!("{:<32}{:>9.2} us beyond the signature", "", made - floor);
    verify(&key, &agent, receipts, &root.jws, |n| {
        write_line(&sign(&call(n), &key).expect("a good receipt"))
    });
}

fn verify(
    key: &SecretKey,
    agent: &record::AgentId,
    receipts: usize,
    root: &str,
    line: impl Fn(usize) -> String,
) {
    let signature = key.sign(b"message");
    let floor = each("Ed25519 verify, strict", 5_000, |_| {
        assert!(black_box(key.public().verify(b"message", &signature)));
    });
    let root = record::receipt::read(root).expect("a good receipt");
    let mut file = write_line(&root);
    (1..receipts).for_each(|n| file.push_str(&line(n)));
    let mut trust = Trust::empty();
    trust
        .add_key(TrustKey::public("gateway", Purpose::Receipts, key.public().clone()))
        .expect("the first key");
    let terms = Terms::new(agent.clone(), key.public().clone(), 1_700_000_000);
    let statement = capability::issue(terms, key).expect("a good statement");
    for threads in [1, 0] {
        let statements = vec![statement.clone()];
        let options = ChainOptions { threads, statements, ..ChainOptions::default() };
        let (mut report, start) = (Report::new("chain"), Instant::now());
        verify_chain(&mut MemoryChain::new(file.as_bytes()), &trust, options, &mut report);
        let seconds = start.elapsed().as_secs_f64();
        assert!(report.ok(), "{}", report.to_table());
        let rate = receipts as f64 / seconds;
        let share = rate * floor / 1e6;
        println!(
            "{receipts} receipts, threads {threads}: {rate:.0}/s, {share:.2} cores of Ed25519"
        );
    }
}

/// Microseconds for one of `n` runs.
fn each(name: &str, n: usize, mut run: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..n).for_each(&mut run);
    let micros = start.elapsed().as_secs_f64() * 1e6 / n as f64;
    println!("{name:<32}{micros:>9.2} us");
    micros
}

fn entry(n: usize) -> AuditEntry {
    let owner = Owner::new(OwnerType::Agent, "billing");
    AuditEntry {
        entry_id: format!("00000000-0000-4000-8000-{n:012}"),
        ts_ns: 1_800_000_000_000_000_000,
        approval_chain: owner.approval_chain(),
        owner,
        check_name: "pipeline.complete".into(),
        decision: AuditDecision::Allow,
        reason: "request completed".into(),
        request_fingerprint: hash::text("request").to_string(),
        metadata: ["_request", "_stage", "_config", "_ruleset", "_facts", "_how"]
            .map(|name| (name.to_string(), hash::text(name).into()))
            .into(),
    }
}

fn decided() -> Decision {
    let digest = hash::text("content");
    Decision {
        log_origin: "countersign.local/0123456789ab".into(),
        request_id: "00000000-0000-4000-8000-000000000000".into(),
        audit_entry_id: "00000000-0000-4000-8000-000000000000".into(),
        decision: "allow".into(),
        reason_code: "completed".into(),
        route: "/v1/chat/completions".into(),
        profile: "full".into(),
        request_digest: digest,
        response_digest: Some(digest),
        config_digest: digest,
        ruleset_digest: digest,
        upstream: "simulator".into(),
        model: "simulator".into(),
        heads: vec![digest],
        heads_digest: None,
        sources: Vec::new(),
        sources_digest: None,
        iat: 1_800_000_000,
    }
}
