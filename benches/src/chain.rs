//! Verifying a chain of receipts, as a user would: the release binary on a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use record::agent::AgentId;
use record::capability::{Terms, issue};
use record::chainfile::write_line;
use record::receipt::{Receipt, SignedReceipt, Verdict, sign};
use record::trust::{Purpose, Trust, TrustKey};
use record::{capability, hash};
use seal::{Digest, SecretKey, Signer};

use crate::figure::{Figure, Table, cores};
use crate::{floor, process};

const RECEIPTS: usize = 100_000;
const BEGUN: i64 = 1_790_000_000;

/// Makes a chain and times its verification.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    ensure!(binary.exists(), "{} is not there; `./x build` makes it", binary.display());
    table.section(
        "Verify",
        &format!(
            "{RECEIPTS} receipts of one agent (user_input, guardrail_scan, model_call, guardrail_scan and on), held to its capability statement by `countersign verify CHAIN --trust FILE --statement FILE`. Floor: strict Ed25519 alone."
        ),
    );
    let dir = tempfile::tempdir()?;
    let chain = dir.path().join("chain.jsonl");
    let trust = dir.path().join("trust.yaml");
    let statement = dir.path().join("statement.json");
    let key = SecretKey::from_seed([11; 32]);
    let agent: AgentId = "agent:bench".parse().context("an agent id")?;
    write_chain(&chain, &key, &agent)?;
    write_trust(&trust, &key, &agent)?;
    std::fs::write(&statement, own_statement(&key, &agent)?.to_json())?;

    let mut command = Command::new(binary);
    command.arg("verify").arg(&chain).arg("--trust").arg(&trust);
    command.arg("--statement").arg(&statement).current_dir(dir.path());
    let ended = process::run(command)?;
    ensure!(ended.success, "the chain did not verify:\n{}", ended.output);
    let rate = RECEIPTS as f64 / ended.wall.as_secs_f64();
    let all = cores();
    let strict = floor::verifications(all);
    table.add(
        Figure::new(format!("receipts verified/s, {all} cores"), rate, "/s")
            .floor(strict, format!("Ed25519 strict, {all} cores"))
            .cpu(ended.cpu.as_secs_f64() * 1e6 / RECEIPTS as f64)
            .goal(40_000.0, 0.9 * strict),
    );
    let each = ended.cpu.as_secs_f64() / RECEIPTS as f64;
    table.add(
        Figure::new(
            format!("receipts/s that this CPU gives on {all} idle cores"),
            all as f64 / each,
            "/s",
        )
        .floor(strict, format!("Ed25519 strict, {all} cores"))
        .goal(40_000.0, 0.9 * strict),
    );
    let size = std::fs::metadata(&chain)?.len() as f64 / 1e6;
    table.add(Figure::new("peak memory", ended.peak, "MB").floor(size, "the file itself"));
    table.add(Figure::new("Ed25519 strict verify, one core", floor::verifications(1), "/s"));
    table.add(Figure::new("Ed25519 sign, one core", floor::signatures(), "/s"));
    table.add(Figure::new("SHA-256 of 1 KiB messages, one core", floor::sha256(), "MB/s"));
    Ok(())
}

fn own_statement(key: &SecretKey, agent: &AgentId) -> Result<capability::Statement> {
    let mut terms = Terms::new(agent.clone(), key.public().clone(), BEGUN - 1);
    terms.allowed_models = vec!["bench".to_owned()];
    Ok(issue(terms, key)?)
}

fn write_trust(path: &Path, key: &SecretKey, agent: &AgentId) -> Result<()> {
    let mut trust = Trust::empty();
    let mut receipts = TrustKey::public("bench", Purpose::Receipts, key.public().clone());
    receipts.agent_id = Some(agent.clone());
    trust.add_key(receipts)?;
    std::fs::write(path, trust.to_yaml())?;
    Ok(())
}

fn write_chain(path: &Path, key: &SecretKey, agent: &AgentId) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let id = key.key_id();
    let mut last: Option<SignedReceipt> = None;
    for index in 0..RECEIPTS {
        let at = BEGUN + (index / 10) as i64;
        let content = hash::text(&format!("content {index}"));
        let ruleset = Digest::of(b"rules");
        let receipt = match index % 4 {
            0 => Receipt::user_input(agent, id, at, content),
            1 => Receipt::guardrail_scan(agent, id, at, content, ruleset, Verdict::Clean, "input"),
            2 => Receipt::model_call(agent, id, at, "bench", content, content),
            _ => Receipt::guardrail_scan(agent, id, at, content, ruleset, Verdict::Clean, "output"),
        };
        let receipt = match (&last, index % 4) {
            (Some(parent), 1..) => receipt.parents(&[(parent.hash, &parent.receipt.taint)]),
            _ => receipt,
        };
        let signed = sign(&receipt, key)?;
        file.write_all(write_line(&signed).as_bytes())?;
        last = Some(signed);
    }
    file.flush()?;
    Ok(())
}
