//! `attest gate`: may this change pass? The policy, the trust file and what is believed come from the
//! base or are pinned, never from the change that is judged.

mod document;
mod rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use attest::gate::{Change, Facts, Policy, Proven};
use attest::verify::{How, log};
use attest::{Bundle, Files, Vsa, verify};
use collect::{Commit, Repository, Root, listed_changes};
use countersign::anchor;
use record::report::{Code, Finding, Report, Severity};
use record::trust::Trust;
use rego::{Dialect, Verdict};
use seal::Digest;
use seal::json::Value;
use seal::time::UnixMillis;

use super::bundles;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use rules::{Origin, Rules};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest gate --base origin/main --policy countersign.gate.yaml --trust reviewers.yaml
  countersign attest gate --base origin/main --rego gates.rego --trust reviewers.yaml
  countersign attest gate --all --policy /etc/gate.yaml --trust /etc/trust.yaml \\
      --pin sha256:... --pin sha256:...
  countersign attest gate --base main --policy gate.yaml --trust trust.yaml --vsa verified.json
  countersign attest gate --base main --policy gate.yaml --trust trust.yaml --require-log

With --base, the policy and the trust file are those of the base, whatever the change makes of them.
Files that are not read from a base need their digests given with --pin. Bundles are verified first;
statements that do not hold count for nothing. Every violation is listed; the exit is 13, or that of
what the verification found when it is worse.")]
pub struct Args {
    /// A directory of bundles (*.bundle.json), or one; default: attestations in --dir
    path: Option<PathBuf>,
    /// Gates in YAML
    #[arg(long, value_name = "FILE", required_unless_present = "rego")]
    policy: Option<PathBuf>,
    /// A policy in Rego, package countersign.gate; may be given again for its other files
    #[arg(long, value_name = "FILE")]
    rego: Vec<PathBuf>,
    /// The Rego is of the dialect before v1
    #[arg(long, requires = "rego")]
    rego_v0: bool,
    /// Whose keys count
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// What the change starts from, a commit, branch or tag: rules are read from it, and changed files
    /// are those since it and HEAD parted, with the work tree
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// The digest of a rule file that is not read from a base: sha256:HEX
    #[arg(long, visible_alias = "policy-digest", value_name = "DIGEST", value_parser = digest)]
    pin: Vec<Digest>,
    /// The changed files, one a line or NUL-terminated, instead of asking git; - is standard input
    #[arg(long, value_name = "FILE")]
    changed_from: Option<PathBuf>,
    /// Judge as if everything had changed
    #[arg(long, conflicts_with = "changed_from")]
    all: bool,
    /// A signed verification summary that stands for comparing the attested files
    #[arg(long, value_name = "FILE")]
    vsa: Option<PathBuf>,
    /// How old the summary may be
    #[arg(long, value_name = "DAYS", default_value_t = 7, requires = "vsa")]
    vsa_days: u32,
    /// The commit that is judged, where no git can say what changed since the summary
    #[arg(long, value_name = "HASH", requires = "vsa")]
    commit: Option<String>,
    /// Every bundle, and the summary, must be in a log of the trust file
    #[arg(long)]
    require_log: bool,
    /// Where the attested files are; default: --dir
    #[arg(long, value_name = "ROOT", conflicts_with = "vsa")]
    subjects: Option<PathBuf>,
    /// The salts of commitments; those beside the bundles are read anyway
    #[arg(long, value_name = "FILE", conflicts_with = "vsa")]
    salts: Vec<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: output::Format,
}

fn digest(text: &str) -> Result<Digest, String> {
    let hex = text.strip_prefix("sha256:").and_then(Digest::from_hex);
    hex.ok_or_else(|| "expected sha256: and 64 lower-case hexadecimal digits".to_owned())
}

/// Largest list of changed files, and largest summary, bytes.
const LIMIT: u64 = 64 << 20;

pub fn run(args: Args, dir: &Path) -> Outcome {
    if args.base.is_none() && args.changed_from.is_none() && !args.all {
        let what = "say what changed: --base REF, --changed-from FILE, or --all";
        return Err(Failure::new(Exit::Usage, what));
    }
    let origin = Origin::of(dir, args.base.as_deref(), &args.pin)?;
    let rules = Rules::read(&args, &origin)?;
    let changes = changes(&args, &origin)?;
    if let (None, Some(gate)) = (&changes, rules.policy.as_ref().and_then(Policy::covering)) {
        let why =
            format!("gate {gate:?} covers changed files: say which, with --base or --changed-from");
        return Err(Failure::new(Exit::Config, why));
    }
    let now = super::now();

    let path = args.path.clone().unwrap_or_else(|| dir.join(super::FOLDER));
    let paths = bundles::find(&path)?;
    let root = match args.vsa {
        Some(_) => None,
        None => {
            let root = args.subjects.as_deref().unwrap_or(dir);
            Some(Root::open(root).map_err(|error| Failure::io(root, &error))?)
        }
    };
    let files = root.as_ref().map(|root| root as &dyn Files);
    let authorities = anchor::authorities(&rules.trust)
        .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let salts = bundles::salts(&path, &args.salts)?;
    let require_log = args.require_log;
    let how = How { now, authorities, salts, require_log, ..How::default() };
    let mut verification = verify(bundles::read(&paths), Some(&rules.trust), files, &how);
    let summary = match &args.vsa {
        Some(file) => Some(summarised(file, &args, dir, &rules.trust, now, &verification)?),
        None => None,
    };

    let report = verification.report_mut();
    report.subject = output::path(&path);
    report.kind = "gate".into();
    report.trust_file = Some(output::path(&args.trust));
    report.trust_digest = rules.trust.digest();
    let mut attested = verification.attested();
    let mut found = Vec::new();
    if let Some((known, findings)) = summary {
        // Nobody compared the others with their files.
        attested.retain(|one| known.contains(&one.payload));
        found = findings;
    }
    let proven: Vec<Proven<'_>> = attested
        .iter()
        .map(|one| Proven {
            place: one.files.first().copied().unwrap_or_default(),
            statement: one.statement,
            payload: one.payload,
            signers: &one.signers,
            stamped: one.stamped,
            logged: one.logged,
        })
        .collect();
    let below = below(&args, dir, &origin)?;
    let facts = Facts { proven: &proven, changes: changes.as_deref(), root: &below, now };

    found.extend(rules.touched(changes.as_deref()));
    let mut applied = Vec::new();
    if let Some(policy) = &rules.policy {
        let ruling = policy.judge(&facts);
        found.extend(ruling.findings);
        applied = ruling.applied;
    }
    if let Some(policy) = &rules.rego {
        let document = document::of(&facts, verification.report(), &attested);
        found.extend(told(policy.judge(&document)));
    }
    let gates = rules.policy.as_ref().map_or(0, |policy| policy.gates().len());

    let mut whole = verification.to_json();
    let mut report: Report = verification.report().clone();
    report.count("gates", gates as u64);
    report.count("gates that apply", applied.len() as u64);
    if let Some(changes) = &changes {
        report.count("changed files", changes.len() as u64);
    }
    if let Some(commit) = &origin.commit {
        report.note(format!("rules are those of {}", commit.hash()));
    }
    for finding in &found {
        report.push(finding.clone());
    }
    match args.format {
        output::Format::Json => {
            merge(&mut whole, &report.to_json());
            merge(&mut whole, &details(&rules, &origin, &applied, changes.as_deref(), &found));
            output::json(&whole)?;
        }
        output::Format::Table => output::print(&table(&report, &found))?,
    }
    Ok(Exit::Evidence(report.exit_class()))
}

/// The changed files; `None` where everything counts as changed.
fn changes(args: &Args, origin: &Origin) -> Result<Option<Vec<Change>>, Failure> {
    if args.all {
        return Ok(None);
    }
    if let Some(file) = &args.changed_from {
        let list = output::read_input(file, LIMIT)?;
        let changes = listed_changes(&list).map_err(|error| Failure::new(Exit::Input, error))?;
        // What a command that failed leaves behind looks like this.
        if changes.is_empty() {
            let why = "the list of changed files is empty: did what makes it fail? Without changes, ask no gate, or judge --all";
            return Err(Failure::new(Exit::Input, why));
        }
        return Ok(Some(changes));
    }
    let (Some(repository), Some(commit)) = (&origin.repository, &origin.commit) else {
        return Ok(None);
    };
    repository.changes(commit).map(Some).map_err(refused)
}

/// Where the attested root lies below the repository's, with `/` behind it.
fn below(args: &Args, dir: &Path, origin: &Origin) -> Result<String, Failure> {
    let root = args.subjects.as_deref().unwrap_or(dir);
    // A list of somebody else is of this repository, too.
    let found = origin.repository.clone().or_else(|| Repository::of(root).ok());
    let Some(repository) = found else { return Ok(String::new()) };
    let whole = root.canonicalize().map_err(|error| Failure::io(root, &error))?;
    // Elsewhere lies a copy of the repository.
    Ok(repository.inside(&whole).map(|below| below + "/").unwrap_or_default())
}

fn refused(error: collect::GitError) -> Failure {
    Failure::new(Exit::Input, error.to_string())
}

/// The statements that a summary stands for, and what is wrong with it.
fn summarised(
    file: &Path,
    args: &Args,
    dir: &Path,
    trust: &Trust,
    now: UnixMillis,
    verification: &attest::Verification,
) -> Result<(BTreeSet<Digest>, Vec<Finding>), Failure> {
    let place = output::path(file);
    let bytes = output::read_input(file, LIMIT)?;
    let (vsa, signer) = match Vsa::judge(&bytes, Some(trust)) {
        Ok(judged) => judged,
        Err(finding) => return Ok((BTreeSet::new(), vec![finding.at(&place)])),
    };
    let bundle = Bundle::read(&bytes).ok();
    let proof = bundles::proof(file);
    let said = log::judge(&bytes, bundle.as_ref(), proof.as_ref(), Some(trust), args.require_log);
    // What is not known of a log is no violation.
    let wrong = |one: &Finding| one.code.severity() == Severity::Error;
    let wrong = said.findings.into_iter().filter(wrong).map(|one| one.at(&place));
    let mut found: Vec<Finding> = wrong.collect();
    let mut open = |why: String| found.push(Finding::new(Code::GateVsa, place.as_str(), why));
    if !vsa.passed {
        open(format!("{signer} says FAILED"));
    }
    // Without both there is nothing that it stands for.
    let held = |level: &str| vsa.levels.iter().any(|one| one == level);
    if !held("COUNTERSIGN_DIGEST") || !held("COUNTERSIGN_SEMANTICS") {
        open(format!("{signer} did not compare files"));
    }
    let oldest = now.0.saturating_sub(u64::from(args.vsa_days) * 24 * 60 * 60 * 1000);
    if vsa.at.0 < oldest || vsa.at.0 > now.0.saturating_add(10 * 60 * 1000) {
        open(format!("it is of {}, and --vsa-days is {}", vsa.at, args.vsa_days));
    }
    if let Some(seen) = said.logged.and_then(|logged| logged.seen)
        && vsa.at.0 > seen.0.saturating_add(10 * 60 * 1000)
    {
        open(format!("it is of {}, and was seen at {seen}", vsa.at));
    }
    let attested = verification.attested();
    if let Err(why) = same_files(&vsa, args, dir, &attested) {
        open(why);
    }
    if !found.is_empty() {
        return Ok((BTreeSet::new(), found));
    }
    let known: BTreeSet<Digest> = vsa.inputs.iter().map(|(_, digest)| *digest).collect();
    let left_out = attested.iter().filter(|one| !known.contains(&one.payload));
    found.extend(left_out.map(|one| {
        let file = one.files.first().copied().unwrap_or_default();
        Finding::new(
            Code::GateVsaOpen,
            file,
            format!("{} {}", one.statement.kind.name, one.payload),
        )
    }));
    Ok((known, found))
}

/// Whether the files that a summary is about are those of the change: they have not changed since its
/// commit.
fn same_files(
    vsa: &Vsa,
    args: &Args,
    dir: &Path,
    attested: &[attest::verify::Attested<'_>],
) -> Result<(), String> {
    let Some(source) = &vsa.source else {
        return Err("it names no commit, so nobody can tell whether these are its files".into());
    };
    if let Some(commit) = &args.commit {
        return match commit == source {
            true => Ok(()),
            false => Err(format!("it is about the files of {source}")),
        };
    }
    let changes = Repository::of(dir).and_then(|repository| {
        let commit = repository.commit(source)?;
        repository.since(&commit)
    });
    let changes = changes.map_err(|error| {
        format!("what changed since {source} is not known: {error}; --commit says what is judged")
    })?;
    let subjects = attested.iter().flat_map(|one| &one.statement.subjects);
    let trees: Vec<_> = attested.iter().flat_map(|one| &one.statement.trees).collect();
    let mut moved = collect::among(changes.iter().map(|one| one.path.as_str()), subjects, &trees);
    match moved.next() {
        None => Ok(()),
        Some(path) => Err(format!("{path:?} changed since {source}, which it is about")),
    }
}

/// What a Rego policy said, as findings.
fn told(judged: Result<Verdict, rego::EvalError>) -> Vec<Finding> {
    let finding = |detail: String| Finding::new(Code::GateRego, "rego", detail);
    match judged {
        Err(error) => vec![finding(error.to_string())],
        Ok(verdict) if verdict.passes() => Vec::new(),
        Ok(verdict) if verdict.violations.is_empty() => vec![finding("allow is not true".into())],
        Ok(verdict) => verdict.violations.into_iter().map(finding).collect(),
    }
}

/// The report, and behind it the violations that it counts and does not list.
fn table(report: &Report, found: &[Finding]) -> String {
    let mut text = report.to_table();
    let listed: BTreeSet<String> = report.findings.iter().map(ToString::to_string).collect();
    for finding in found.iter().map(ToString::to_string).filter(|one| !listed.contains(one)) {
        text += &finding;
        text.push('\n');
    }
    text
}

fn merge(whole: &mut Value, more: &Value) {
    let (Value::Object(members), Value::Object(more)) = (whole, more) else { return };
    for (name, value) in more {
        members.retain(|(known, _)| known != name);
        members.push((name.clone(), value.clone()));
    }
}

fn details(
    rules: &Rules,
    origin: &Origin,
    applied: &[String],
    changes: Option<&[Change]>,
    found: &[Finding],
) -> Value {
    let change = |one: &Change| {
        Value::object([
            ("path", Value::from(&one.path)),
            ("gone", one.gone.into()),
            ("whole", one.whole.into()),
        ])
    };
    let commit = origin.commit.as_ref().map(Commit::hash);
    let digest = |digest: Option<Digest>| Value::from(digest.map(|digest| digest.to_string()));
    Value::object([
        ("violations", Value::array(found.iter().map(Finding::to_json))),
        ("gates_applied", Value::array(applied)),
        ("changes", changes.map_or(Value::Null, |all| Value::array(all.iter().map(change)))),
        ("base", Value::from(commit)),
        ("policy_digest", digest(rules.policy.as_ref().map(Policy::digest))),
        ("rego_digest", digest(rules.rego.as_ref().map(rego::Policy::digest))),
    ])
}

/// Which Rego the arguments speak of.
fn dialect(args: &Args) -> Dialect {
    if args.rego_v0 { Dialect::V0 } else { Dialect::V1 }
}

/// The repository and commit of a base.
fn base_of(dir: &Path, base: &str) -> Result<(Repository, Commit), Failure> {
    let repository = Repository::of(dir).map_err(refused)?;
    let commit = repository.commit(base).map_err(refused)?;
    Ok((repository, commit))
}
