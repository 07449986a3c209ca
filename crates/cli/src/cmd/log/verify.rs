//! `countersign log verify`: proofs judged offline, by a policy alone.

use std::path::{Path, PathBuf};

use ledger::Leaf;
use record::report::{Assurance, Code, Finding, Report, WitnessReach};
use seal::Digest;
use seal::json::Value;
use seal::merkle::leaf_hash;
use seal::note::NoteError;
use seal::policy::{Judged, Policy};
use seal::time::UnixMillis;
use seal::tlog_proof::{ConsistencyProof, TlogProof, stated};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

/// Longest proof read, bytes; longer ones are no proofs.
const PROOF: u64 = 256 << 10;
/// Longest body compared, bytes.
const BODY: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log verify receipt.tlog-proof --policy witnesses.policy --body receipt.jws
  countersign log verify 17.tlog-proof --policy witnesses.policy --leaf 17.leaf --format json
  countersign log verify go.tlog-proof --policy other.policy --entry entry.bin
  countersign log verify --consistency growth.proof --old kept.checkpoint --policy witnesses.policy

Offline: nothing but these files is read. The policy (C2SP tlog-policy) says which logs and
witnesses count and how many witnesses must have signed; without a quorum line it is refused, and
`quorum none` must be said. All is judged and the worst decides: 12 entry, body or older checkpoint
do not fit; 11 not signed by a log of the policy, or no quorum; 14 not a proof; 78 not a policy.")]
pub struct Args {
    /// The proof: a .tlog-proof, or with --consistency what `log prove consistency` wrote
    proof: PathBuf,
    /// Whose signatures count
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The leaf of a ledger's entry; default: the one in the proof
    #[arg(long, value_name = "FILE", conflicts_with = "entry")]
    leaf: Option<PathBuf>,
    /// The bytes that were logged, for a log of any kind
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
    /// The evidence itself: its digest and length must be those that the leaf states
    #[arg(long, value_name = "FILE", conflicts_with = "entry")]
    body: Option<PathBuf>,
    /// The id that the leaf must have
    #[arg(long, conflicts_with = "entry")]
    id: Option<String>,
    /// The proof is about growth, from the checkpoint in --old
    #[arg(
        long,
        requires = "old",
        conflicts_with_all = ["leaf", "entry", "body", "id"]
    )]
    consistency: bool,
    /// The older checkpoint, as it was kept
    #[arg(long, value_name = "FILE", requires = "consistency")]
    old: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args) -> Outcome {
    let policy = policy(&args.policy)?;
    let mut report = Report::new(args.proof.display().to_string());
    report.trust_file = Some(args.policy.display().to_string());
    report.trust_digest = Some(policy.digest);
    if policy.policy.quorum().is_none() {
        report.note("the policy asks for no witness: the log alone vouches for its history");
    }
    let bytes = output::read_input(&args.proof, PROOF)?;
    let told = match &args.old {
        Some(old) => consistency(&bytes, old, &policy.policy, &mut report)?,
        None => inclusion(&bytes, &args, &policy.policy, &mut report)?,
    };
    match args.format {
        Format::Table => output::print(&report.to_table())?,
        Format::Json => output::json(&with(report.to_json(), told))?,
    }
    Ok(Exit::Evidence(report.exit_class()))
}

struct Read {
    policy: Policy,
    digest: Digest,
}

fn policy(path: &Path) -> Result<Read, Failure> {
    let refused =
        |cause: String| Failure::new(Exit::Config, format!("{}: {cause}", path.display()));
    let octets = output::read_input(path, 1 << 20).map_err(|failure| match failure.exit {
        Exit::Input => refused("larger than any policy".to_owned()),
        _ => failure,
    })?;
    let policy = Policy::parse(&octets).map_err(|error| refused(error.to_string()))?;
    if policy.logs().is_empty() {
        return Err(refused("it names no log; add its line: log VKEY".to_owned()));
    }
    Ok(Read { policy, digest: Digest::of(&octets) })
}

fn inclusion(
    bytes: &[u8],
    args: &Args,
    policy: &Policy,
    report: &mut Report,
) -> Result<Value, Failure> {
    report.kind = "inclusion proof".to_owned();
    let proof = match TlogProof::parse(bytes) {
        Ok(proof) => proof,
        Err(error) => {
            report.push(Finding::new(Code::LogProof, "", error.to_string()));
            return Ok(Value::Null);
        }
    };
    let given = [&args.entry, &args.leaf].into_iter().flatten().next();
    let entry = match (given, &proof.extra) {
        (Some(file), _) => output::read_input(file, 1 << 20)?,
        (None, Some(extra)) => extra.clone(),
        (None, None) => {
            return Err(Failure::new(
                Exit::Usage,
                "the proof carries no leaf; give --leaf FILE or --entry FILE",
            ));
        }
    };
    let judged = checkpoint(&proof.checkpoint, "checkpoint", policy, report);
    let included = proof.includes(&leaf_hash(&entry));
    if !included {
        let detail = format!("entry {} does not lead to the root", proof.index);
        report.push(Finding::new(Code::LogTree, "", detail));
    }
    let leaf = match args.entry {
        Some(_) => None,
        None => leaf(&entry, args, included, report)?,
    };
    conclude(included, &[&judged], policy, report);
    report.note(format!("the entry's index is {}", proof.index));
    Ok(Value::object([
        ("index", proof.index.into()),
        ("leaf", leaf.map(|_| String::from_utf8_lossy(&entry)).as_deref().into()),
        ("checkpoint", told(&proof.checkpoint, judged.as_ref())),
    ]))
}

/// What the leaf states, compared with the body and the id at hand.
fn leaf(
    entry: &[u8],
    args: &Args,
    included: bool,
    report: &mut Report,
) -> Result<Option<Leaf>, Failure> {
    let leaf = match Leaf::parse(entry) {
        Ok(leaf) => leaf,
        Err(error) => {
            let detail =
                format!("it is not the leaf of a ledger: {error}; --entry takes any bytes");
            report.push(Finding::new(Code::LogProof, "leaf", detail));
            return Ok(None);
        }
    };
    if args.id.as_ref().is_some_and(|id| *id != leaf.id) {
        let detail = format!("the entry has the id {}", leaf.id);
        report.push(Finding::new(Code::LogBody, "leaf", detail));
    }
    if let Some(file) = &args.body {
        let body = output::read_input(file, BODY)?;
        let digest = Digest::of(&body);
        if digest != leaf.body || body.len() as u64 != leaf.len {
            let mut detail = format!(
                "{} bytes with {digest}; logged were {} bytes with {}",
                body.len(),
                leaf.len,
                leaf.body
            );
            // What was printed and redirected has a line end that was not logged.
            if body.strip_suffix(b"\n").is_some_and(|body| Digest::of(body) == leaf.body) {
                detail.push_str("; without the newline at its end it would be the one");
            }
            let place = file.display().to_string();
            report.push(Finding::new(Code::LogBody, place, detail));
        }
    } else if included {
        report.note("no body was compared: what is proved is that this digest was logged");
    }
    report.note(format!("{} {} by {}, body {}", leaf.kind, leaf.id, leaf.writer, leaf.body));
    Ok(Some(leaf))
}

fn consistency(
    bytes: &[u8],
    old: &Path,
    policy: &Policy,
    report: &mut Report,
) -> Result<Value, Failure> {
    report.kind = "consistency proof".to_owned();
    let old_note = output::read_input(old, 64 << 10)?;
    let place = old.display().to_string();
    let proof = ConsistencyProof::parse(bytes)
        .map_err(|error| report.push(Finding::new(Code::LogProof, "", error.to_string())));
    let old_note = String::from_utf8(old_note).unwrap_or_default();
    let before = stated(&old_note)
        .map_err(|error| report.push(Finding::new(Code::LogProof, &place, error.to_string())));
    let (Ok(proof), Ok(before)) = (proof, before) else { return Ok(Value::Null) };
    let older = checkpoint(&old_note, &place, policy, report);
    let newer = checkpoint(&proof.checkpoint, "checkpoint", policy, report);
    let same_log = stated(&proof.checkpoint).is_ok_and(|new| new.origin == before.origin);
    let extends = same_log && proof.extends(&before);
    if !extends {
        let detail = match same_log {
            false => format!("the older checkpoint is of {}", before.origin),
            true if proof.old != before.size => {
                format!(
                    "it is from {} entries, the older checkpoint has {}",
                    proof.old, before.size
                )
            }
            true => "the newer checkpoint does not extend the older one".to_owned(),
        };
        report.push(Finding::new(Code::LogTree, &place, detail));
    }
    conclude(extends, &[&older, &newer], policy, report);
    Ok(Value::object([
        ("old", told(&old_note, older.as_ref())),
        ("new", told(&proof.checkpoint, newer.as_ref())),
    ]))
}

/// Judges signatures and quorum of a checkpoint.
fn checkpoint(note: &str, place: &str, policy: &Policy, report: &mut Report) -> Option<Judged> {
    let judged = match policy.judge(note.as_bytes()) {
        Ok(judged) => judged,
        Err(error) => {
            let code = match error {
                NoteError::Malformed => Code::LogProof,
                _ => Code::LogCheckpoint,
            };
            report.push(Finding::new(code, place, error.to_string()));
            return None;
        }
    };
    let names: Vec<String> = judged.witnesses.iter().map(|w| w.name.to_string()).collect();
    if !judged.quorum_met {
        let quorum = policy.quorum().map(ToString::to_string).unwrap_or_default();
        let detail = format!("asked for: {quorum}; cosigned: {}", list(&names));
        report.push(Finding::new(Code::TrustQuorum, place, detail));
    }
    let Judged { checkpoint, .. } = &judged;
    report.note(format!(
        "{} of size {}, cosigned by {}",
        checkpoint.origin,
        checkpoint.size,
        list(&names)
    ));
    Some(judged)
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// The level: signed where every checkpoint counts in full, and witnessed where the policy asks for
/// witnesses.
fn conclude(holds: bool, judged: &[&Option<Judged>], policy: &Policy, report: &mut Report) {
    let counting = |judged: &&Judged| judged.quorum_met;
    let known: Vec<&Judged> = judged.iter().filter_map(|judged| judged.as_ref()).collect();
    let counts = known.len() == judged.len() && known.iter().all(counting);
    report.assure(match (holds && report.ok(), holds && !counts) {
        (true, _) => Assurance::Signed,
        (false, true) => Assurance::Consistent,
        (false, false) => Assurance::None,
    });
    if let (Some(newest), true, Some(_)) = (known.last(), holds && report.ok(), policy.quorum()) {
        report.witnessed = true;
        report.witnessed_to = Some(WitnessReach {
            size: newest.checkpoint.size,
            witnesses: newest
                .witnesses
                .iter()
                .map(|w| (w.name.to_string(), UnixMillis(w.time_seconds.saturating_mul(1000))))
                .collect(),
        });
    }
}

/// A checkpoint as JSON: what it states, and who of the policy signed.
fn told(note: &str, judged: Option<&Judged>) -> Value {
    let Ok(stated) = stated(note) else { return Value::Null };
    let witnesses = judged.iter().flat_map(|judged| &judged.witnesses).map(|witness| {
        Value::object([
            ("name", Value::from(witness.name.to_string())),
            ("key", witness.key.to_string().into()),
            ("time", witness.time_seconds.into()),
        ])
    });
    Value::object([
        ("origin", Value::from(stated.origin.as_str())),
        ("size", stated.size.into()),
        ("root", stated.root.into()),
        ("signed", judged.is_some().into()),
        ("quorum_met", judged.is_some_and(|judged| judged.quorum_met).into()),
        ("witnesses", Value::array(witnesses)),
    ])
}

fn with(report: Value, told: Value) -> Value {
    match report {
        Value::Object(mut members) => {
            members.push(("proof".to_owned(), told));
            Value::Object(members)
        }
        other => other,
    }
}
