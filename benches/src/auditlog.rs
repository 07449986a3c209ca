//! Verifying an audit log, as whoever holds the key would: the release binary on a file.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use record::entry::{AuditChain, AuditDecision, AuditEntry, Owner, OwnerType};
use seal::mac::hmac_sha256;
use seal::{Digest, Zeroizing};

use crate::figure::{Figure, Table, cores};
use crate::{floor, process};

const LINES: usize = 300_000;
const KEY: [u8; 32] = [0x5a; 32];

/// Makes a log and times its verification.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    ensure!(binary.exists(), "{} is not there; `./x build` makes it", binary.display());
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("audit.jsonl");
    let key = dir.path().join("key.hex");
    std::fs::write(&key, seal::hex::encode(&KEY))?;
    let line = write_log(&log)?;
    let megabytes = std::fs::metadata(&log)?.len() as f64 / 1e6;
    table.section(
        "Audit log",
        &format!(
            "{LINES} lines of the gateway's own form, {} bytes each, {megabytes:.0} MB, by `countersign audit verify LOG --hmac-key bench=file:KEY`. Floor: HMAC-SHA256 over the same bytes, one core.",
            line.len()
        ),
    );
    let mut command = Command::new(binary);
    command.arg("audit").arg("verify").arg(&log);
    command.arg("--hmac-key").arg(format!("bench=file:{}", key.display()));
    command.current_dir(dir.path());
    let ended = process::run(command)?;
    ensure!(ended.success, "the log did not verify:\n{}", ended.output);
    let mac = floor::rate(|| {
        black_box(hmac_sha256(&KEY, black_box(line.as_bytes())));
    });
    let each = ended.cpu.as_secs_f64() / LINES as f64;
    table.add(
        Figure::new("lines/s of a core's time", 1.0 / each, "/s")
            .floor(mac, "HMAC-SHA256")
            .cpu(each * 1e6)
            .goal(300_000.0, 300_000.0),
    );
    let all = cores();
    let wall = LINES as f64 / ended.wall.as_secs_f64();
    table.add(
        Figure::new(format!("lines/s by the clock, {all} cores"), wall, "/s")
            .floor(mac, "HMAC-SHA256, one core"),
    );
    table.add(Figure::new("peak memory", ended.peak, "MB").floor(megabytes, "the file itself"));
    Ok(())
}

/// A chain without a line yet.
pub fn chain() -> AuditChain {
    let secret = Zeroizing::new(KEY.to_vec());
    AuditChain::new("bench".to_owned(), secret, "gateway".to_owned(), None)
}

/// An entry with nothing but what every line has.
pub fn short(number: u64) -> AuditEntry {
    let owner = Owner::new(OwnerType::Agent, "agent:bench");
    AuditEntry {
        entry_id: format!("{number:08x}-0000-4000-8000-000000000001"),
        ts_ns: 1_790_000_000_000_000_000 + number * 1_000,
        approval_chain: owner.approval_chain(),
        owner,
        check_name: "pipeline.complete".to_owned(),
        decision: AuditDecision::Allow,
        reason: "ok".to_owned(),
        request_fingerprint: format!("{number:064x}"),
        metadata: Vec::new(),
    }
}

/// Writes the log; its last line.
fn write_log(path: &Path) -> Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut chain = chain();
    let mut last = String::new();
    for index in 0..LINES as u64 {
        let id = |kind: u64| format!("{index:08x}-0000-4000-8000-{kind:012x}");
        let digest = |what: &str| Digest::of(format!("{what} {index}").as_bytes()).to_string();
        let owner = Owner::new(OwnerType::Agent, "agent:bench");
        let text = |name: &str, value: &str| (name.to_owned(), value.into());
        let sealed = chain.seal(AuditEntry {
            entry_id: id(1),
            ts_ns: 1_790_000_000_000_000_000 + index * 1_000_000,
            approval_chain: owner.approval_chain(),
            owner,
            check_name: "pipeline.complete".to_owned(),
            decision: AuditDecision::Allow,
            reason: "all checks passed".to_owned(),
            request_fingerprint: digest("request"),
            metadata: vec![
                text("_request", &id(2)),
                text("_stage", "complete"),
                text("_config", &digest("config")),
                text("_ruleset", &digest("rules")),
                text("_how", "asserted"),
                text("_method", "POST"),
                text("_route", "/v1/chat/completions"),
                text("_code", "ok"),
                text("_outcome", "complete"),
                ("_status".to_owned(), 200_i64.into()),
                text("_facts", &digest("facts")),
                text("_upstream", "127.0.0.1:40000"),
                text("_model", "bench"),
                text("_output", &digest("output")),
                text("_response", &digest("response")),
                text("_verdict", "CLEAN"),
                ("_rules".to_owned(), Vec::new().into()),
                text("_receipt", &digest("receipt")),
            ],
        })?;
        file.write_all(sealed.line.as_bytes())?;
        file.write_all(b"\n")?;
        last = sealed.line;
    }
    file.flush()?;
    Ok(last)
}
