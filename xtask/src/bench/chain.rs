//! A chain of receipts, as long as asked, with the trust file and the statement it needs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use record::agent::AgentId;
use record::capability::{self, Terms};
use record::receipt::{Receipt, SignedReceipt, Verdict, sign};
use seal::digest::Digest;
use seal::key::SecretKey;
use seal::signer::Signer;

use super::process::status;

const TIME: i64 = 1_760_000_000;

/// A chain on disk.
pub struct Chain {
    chain: PathBuf,
    trust: PathBuf,
    statement: PathBuf,
    /// How many receipts it holds.
    pub receipts: usize,
}

/// What verifying it took.
pub struct Verified {
    /// From start to end, process start included.
    pub wall: Duration,
    /// The most memory it held.
    pub peak_kib: u64,
}

impl Chain {
    /// Writes `receipts` receipts: conversations of question, scan, answer and tool call, each
    /// resting on the one before.
    pub fn make(dir: &Path, receipts: usize) -> Result<Self> {
        let key = SecretKey::from_seed([9; 32]);
        let agent: AgentId = "agent:bench".parse()?;
        let (id, nothing) = (key.key_id(), Digest::of(b""));
        let chain = dir.join("chain.jsonl");
        let mut file = BufWriter::new(File::create(&chain)?);
        let mut last: Option<SignedReceipt> = None;
        for n in 0..receipts {
            let (iat, text) = (TIME + n as i64, Digest::of(&n.to_le_bytes()));
            let receipt = match n % 4 {
                0 => Receipt::user_input(&agent, id, iat, text),
                1 => {
                    Receipt::guardrail_scan(&agent, id, iat, text, nothing, Verdict::Clean, "input")
                }
                2 => Receipt::model_call(&agent, id, iat, "m1", text, nothing),
                _ => Receipt::tool_call(&agent, id, iat, "lookup_order", text, nothing),
            };
            // A question is a root; everything else rests on the step before it.
            let receipt = match &last {
                Some(last) if n % 4 != 0 => receipt.parents(&[(last.hash, &last.receipt.taint)]),
                _ => receipt,
            };
            let signed = sign(&receipt, &key)?;
            file.write_all(record::chainfile::write_line(&signed).as_bytes())?;
            last = Some(signed);
        }
        file.flush()?;
        let mut terms = Terms::new(agent, Signer::public(&key).clone(), TIME);
        terms.allowed_models = vec!["m1".into()];
        terms.allowed_tools = vec!["lookup_order".into()];
        let statement = dir.join("statement.json");
        std::fs::write(&statement, capability::issue(terms, &key)?.to_json())?;
        let pem = Signer::public(&key).to_pem().replace('\n', "\n      ");
        let trust = dir.join("trust.yaml");
        std::fs::write(
            &trust,
            format!(
                "version: 1\nkeys:\n  - name: bench\n    purpose: receipts\n    agent_id: agent:bench\n    key: |\n      {}\n",
                pem.trim_end()
            ),
        )?;
        Ok(Self { chain, trust, statement, receipts })
    }

    /// Verifies it with the binary, as anyone would.
    pub fn verify(&self, binary: &Path) -> Result<Verified> {
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["receipt", "verify"])
            .arg(&self.chain)
            .arg("--trust")
            .arg(&self.trust)
            .arg("--statement")
            .arg(&self.statement)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut peak_kib = 0;
        let status = loop {
            peak_kib = status(child.id(), "VmHWM:").unwrap_or(0).max(peak_kib);
            match child.try_wait()? {
                Some(status) => break status,
                None => std::thread::park_timeout(Duration::from_millis(2)),
            }
        };
        let wall = begun.elapsed();
        ensure!(status.success(), "the chain does not verify: {status}");
        Ok(Verified { wall, peak_kib })
    }
}
