//! Verifying a large feed, as a subscriber would: the release binary on a file.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use record::feed::publish;
use record::ioc::{Ioc, Kind, Severity};
use seal::{SecretKey, Signer};

use crate::figure::{Figure, Table, cores};
use crate::{floor, process};

const INDICATORS: usize = 100_000;
const ISSUED: i64 = 1_790_000_000;

/// Makes a feed and times its verification.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    ensure!(binary.exists(), "{} is not there; `./x build` makes it", binary.display());
    table.section(
        "Feeds",
        &format!(
            "{INDICATORS} indicators of one feed (three substrings to one regular expression and one of code points), judged by `countersign feed verify FILE --pin KEY`: form, ids, root, manifest, every signature and every pattern. Floor: strict Ed25519 alone."
        ),
    );
    let dir = tempfile::tempdir()?;
    let (file, pin) = (dir.path().join("feed.json"), dir.path().join("pin.pem"));
    let key = SecretKey::from_seed([12; 32]);
    let iocs = (0..INDICATORS).map(|n| indicator(n, &key).sign(&key));
    let feed = publish("bench", "bench.example", ISSUED, iocs.collect::<Result<_, _>>()?, &key)?;
    let document = feed.to_json();
    std::fs::write(&file, &document)?;
    std::fs::write(&pin, key.public().to_pem())?;

    let mut command = Command::new(binary);
    command.args(["feed", "verify"]).arg(&file).arg("--pin").arg(&pin).current_dir(dir.path());
    let ended = process::run(command)?;
    ensure!(ended.success, "the feed did not verify:\n{}", ended.output);
    let all = cores();
    let strict = floor::verifications(all);
    let seconds = ended.wall.as_secs_f64();
    table.add(
        Figure::new(format!("a feed of {INDICATORS} verified, {all} cores"), seconds, "s")
            .floor(INDICATORS as f64 / strict, format!("Ed25519 strict, {all} cores"))
            .cpu(ended.cpu.as_secs_f64() * 1e6 / INDICATORS as f64)
            .goal(3.0, 3.0),
    );
    table.add(
        Figure::new(
            format!("the same by this CPU on {all} idle cores"),
            ended.cpu.as_secs_f64() / all as f64,
            "s",
        )
        .floor(INDICATORS as f64 / strict, format!("Ed25519 strict, {all} cores"))
        .goal(3.0, 3.0),
    );
    let size = document.len() as f64 / 1e6;
    table.add(Figure::new("peak memory", ended.peak, "MB").floor(size, "the file itself"));
    Ok(())
}

fn indicator(n: usize, key: &SecretKey) -> Ioc {
    let (kind, pattern) = match n % 5 {
        0 => (Kind::Regex, format!(r"(?i)token-{n}\s{{1,4}}(?:alpha|beta)")),
        1 => (Kind::UnicodeSignature, format!("200B,{:04X}", 0x2061 + n % 4)),
        _ => (Kind::Substring, format!("indicator number {n} of the feed")),
    };
    Ioc {
        kind,
        pattern,
        severity: Severity::Medium,
        categories: vec!["bench".to_owned()],
        description: "made for the bench".to_owned(),
        issuer: "bench.example".to_owned(),
        key_id: key.key_id(),
        issued_at: ISSUED + i64::try_from(n).unwrap_or(0),
        revokes: Vec::new(),
        expires_at: None,
    }
}
