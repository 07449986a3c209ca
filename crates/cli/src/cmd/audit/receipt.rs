//! `audit check-receipt`: the upstream proxy's receipt header against the audit entry it signs.

use std::path::{Path, PathBuf};

use record::entry::{HeaderAlgorithm, Keyring, MacCheck, ReadEntry, ReceiptHeader, read_line};
use record::report::{Assurance, Code, Finding, Report};
use seal::PublicKey;

use super::lines;
use crate::cmd::hmac::HmacKeys;
use crate::cmd::identity::Identity;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The header's value, @FILE or `-`
    receipt: String,
    /// The log (JSON Lines) or ledger with the entry; default: .countersign/ledger in --dir
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,
    /// The entry the receipt must be for; default: the one it names
    #[arg(long, value_name = "ID")]
    entry: Option<String>,
    #[command(flatten)]
    hmac: HmacKeys,
    /// A public key for Ed25519 receipts, under the id the receipts name
    #[arg(long = "ed25519-key", value_name = "ID=PEM")]
    ed25519: Vec<String>,
    /// The trust file, for its HMAC keys; default: as for `countersign verify`
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    identity: Identity,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let log = args.log.clone().unwrap_or_else(|| crate::cmd::ledger_of(dir));
    let text = match args.receipt.strip_prefix('@') {
        Some(path) => output::read_text(Path::new(path), 64 << 10)?,
        None if args.receipt == "-" => output::read_text(Path::new("-"), 64 << 10)?,
        None => args.receipt.clone(),
    };
    crate::cmd::must_exist(&log)?;
    let mut report = Report::new("receipt header");
    report.kind = "receipt header".to_owned();
    let ring = keys(&args, &log, dir, &mut report)?;
    let public = public_keys(&args.ed25519)?;
    match value(&text).parse::<ReceiptHeader>() {
        Err(finding) => report.push(finding),
        Ok(header) => {
            let wanted = args.entry.as_deref().unwrap_or(&header.entry);
            let found = find(&log, &args.identity, wanted)?;
            judge(&header, wanted, &found, &ring, &public, &mut report);
        }
    }
    crate::cmd::verify::show(&report, args.format)
}

/// The value, whether or not the header's name came along.
fn value(text: &str) -> &str {
    let text = text.trim();
    match text.split_once(':') {
        Some((name, value)) if name.eq_ignore_ascii_case("x-signet-receipt") => value.trim(),
        _ => text,
    }
}

fn judge(
    header: &ReceiptHeader,
    wanted: &str,
    found: &[Result<ReadEntry, Vec<Finding>>],
    ring: &Keyring,
    public: &[(String, PublicKey)],
    report: &mut Report,
) {
    for name in &header.repeated {
        report.note(format!("{name} stands there twice; the last counts"));
    }
    let place = format!("entry {wanted}");
    let entry = match found {
        [] => {
            report.push(Finding::new(Code::EvidenceNotFound, place, ""));
            return;
        }
        [Ok(entry)] => entry,
        [Err(findings)] => {
            report.push_all(&place, findings.iter().cloned());
            return;
        }
        [_, _, ..] => {
            report.push(Finding::new(Code::LedgerDuplicate, place, "in the log"));
            return;
        }
    };
    if let Err(finding) = header.check(entry, ring, public) {
        report.push(finding.at(&place));
    }
    // The line's own HMAC, when its key is here: a forged line may carry a good receipt.
    if entry.check_mac(ring) == MacCheck::Mismatch {
        report.push(Finding::new(Code::AuditMac, place, ""));
    }
    if report.ok() {
        report.assure(match header.algorithm {
            HeaderAlgorithm::Hmac => Assurance::Consistent,
            HeaderAlgorithm::Ed25519 => Assurance::Signed,
        });
        report.note(format!(
            "{} by {}: {} at {}",
            entry.entry.decision, entry.entry.check_name, entry.entry.owner, entry.entry.ts_ns
        ));
        report.note("it binds the request's digest; it says nothing about what was answered");
    }
}

/// The entries with this id, at most two.
fn find(
    log: &Path,
    identity: &Identity,
    id: &str,
) -> Result<Vec<Result<ReadEntry, Vec<Finding>>>, Failure> {
    let mut found = Vec::new();
    lines::each(log, identity, &mut |line| {
        let named = String::from_utf8_lossy(line).contains(id);
        if named && found.len() < 2 {
            match read_line(line) {
                Ok(entry) if entry.entry.entry_id == id => found.push(Ok(entry)),
                Ok(_) => {}
                Err(findings) if claims(line, id) => found.push(Err(findings)),
                Err(_) => {}
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Whether a line that breaks the rules says it is this entry.
fn claims(line: &[u8], id: &str) -> bool {
    String::from_utf8_lossy(line).contains(&format!("\"entry_id\":\"{id}\""))
}

fn keys(args: &Args, log: &Path, dir: &Path, report: &mut Report) -> Result<Keyring, Failure> {
    if args.hmac.given() {
        return args.hmac.read();
    }
    let (file, _) = crate::cmd::trust_for(args.trust.as_deref(), dir, log)?;
    Ok(file.map_or_else(Keyring::new, |file| {
        report.trust_file = Some(file.path.display().to_string());
        report.trust_digest = Some(file.digest);
        file.keyring()
    }))
}

fn public_keys(arguments: &[String]) -> Result<Vec<(String, PublicKey)>, Failure> {
    let mut keys: Vec<(String, PublicKey)> = Vec::new();
    for argument in arguments {
        let (id, path) = argument
            .split_once('=')
            .ok_or_else(|| Failure::new(Exit::Usage, "--ed25519-key: expected ID=PEM"))?;
        if keys.iter().any(|(known, _)| known == id) {
            let why = format!("--ed25519-key: key {id} is given twice");
            return Err(Failure::new(Exit::Usage, why));
        }
        let pem = output::read_text(Path::new(path), 64 << 10)?;
        let key = PublicKey::from_pem(&pem)
            .map_err(|error| Failure::new(Exit::Input, format!("{path}: {error}")))?;
        keys.push((id.to_owned(), key));
    }
    Ok(keys)
}
