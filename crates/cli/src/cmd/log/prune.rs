//! `countersign log prune`: remove bodies whose retention has ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::prune::{Plan, Policy, PruneError, explain, perform};
use ledger::store::Source;
use ledger::store::file::FileStore;
use ledger::{Clock as _, Kind, OpenError, SystemClock};
use record::report::ExitClass;
use record::retention::Retention;
use seal::json::Value;
use seal::time::UnixMillis;

use super::super::identity::Identity;
use super::own::Own;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log prune --policy retention.yaml            explains, changes nothing
  countersign log prune --policy retention.yaml --yes      does what was explained

retention.yaml:
  version: 1
  keep: {audit: 400d, receipt: 90d}       what is not named stays for ever

Only full segments under the checkpoint, and only where the whole segment is older. What evidence
that is kept cites stays, and so do open requests, the newest audit line of each writer, and the
kinds rotation, revocation, anchor, repair and prune. Leaves stay in the tree, so every proof holds;
an entry of kind prune says what went. Archive first: what is removed comes back only from a copy.

--yes takes the place of the sequencer: exit 69 while a gateway runs. 12: the ledger is damaged, and
nothing was changed; 78: not a policy.")]
pub struct Args {
    /// The written policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Explain only (the default)
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    identity: Identity,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let unfit = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Config, format!("{}: {error}", args.policy.display()))
    };
    let retention = Retention::parse(&output::read_text(&args.policy, 64 << 10)?)
        .map_err(|error| unfit(&error))?;
    let policy = countersign::prune::policy(&retention, SystemClock.now().0)
        .map_err(|error| unfit(&error))?;
    let own = Own::of(dir)?;
    if !args.yes {
        let plan = plan(&own, &FileStore::read_only(&own.path), &policy, &args.identity)?;
        return tell(&plan, &policy, &[], &args);
    }
    let (store, mut options) = own.lock()?;
    // Under the lock, so that what is done is what was explained.
    let plan = plan(&own, &store, &policy, &args.identity)?;
    if plan.segments.is_empty() {
        return tell(&plan, &policy, &[], &args);
    }
    options.identities = args.identity.read()?;
    let records = perform(Arc::new(store), options, &policy, &plan)
        .map_err(|error| failure(&own.path, &error))?;
    tell(&plan, &policy, &records, &args)
}

fn plan(
    own: &Own,
    source: &dyn Source,
    policy: &Policy,
    identity: &Identity,
) -> Result<Plan, Failure> {
    let mut needed = countersign::prune::Needed::new();
    explain(source, &own.vkey, identity.read()?, policy, &mut needed)
        .map_err(|error| failure(&own.path, &error))
}

fn failure(path: &Path, error: &PruneError) -> Failure {
    let exit = match error {
        PruneError::Damaged(_) | PruneError::Open(OpenError::Damaged(_)) => {
            Exit::Evidence(ExitClass::Tampered)
        }
        PruneError::Encrypted { .. } => Exit::Usage,
        _ => Exit::Io,
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}

/// What goes, or went.
fn tell(plan: &Plan, policy: &Policy, records: &[u64], args: &Args) -> Outcome {
    let kinds = plan.kinds();
    let bodies: u64 = kinds.values().sum();
    match args.format {
        Format::Json => output::json(&json(plan, policy, records))?,
        Format::Table => {
            let mut out = format!("policy  {} ({})\n", output::path(&args.policy), policy.digest);
            for (kind, before) in &policy.before {
                let count = kinds.get(kind).copied().unwrap_or(0);
                let before = UnixMillis(*before);
                out.push_str(&format!("{:<12} before {before}  {count} bodies\n", kind.as_str()));
            }
            let (segments, bytes) = (plan.segments.len(), plan.bytes());
            out.push_str(&format!(
                "{bodies} bodies in {segments} segments, {bytes} bytes; {} older ones stay, because kept evidence or the next start needs them\n",
                plan.spared
            ));
            out.push_str(&match records {
                _ if bodies == 0 => "there is nothing to prune\n".to_owned(),
                [] => "nothing was changed; --yes does it\n".to_owned(),
                records => {
                    let records: Vec<String> = records.iter().map(u64::to_string).collect();
                    format!("pruned; entry {} records it\n", records.join(", "))
                }
            });
            output::print(&out)?;
        }
    }
    Ok(Exit::Ok)
}

fn json(plan: &Plan, policy: &Policy, records: &[u64]) -> Value {
    let kinds = |kinds: &BTreeMap<Kind, u64>| {
        let members = kinds.iter().map(|(kind, count)| (kind.to_string(), (*count).into()));
        Value::Object(members.collect())
    };
    let segments = plan.segments.iter().map(|segment| {
        Value::object([
            ("first", segment.first.into()),
            ("end", segment.end.into()),
            ("bytes", segment.bytes.into()),
            ("kinds", kinds(&segment.kinds)),
        ])
    });
    Value::object([
        ("policy", policy.digest.into()),
        ("before", kinds(&policy.before)),
        ("kinds", kinds(&plan.kinds())),
        ("bytes", plan.bytes().into()),
        ("spared", plan.spared.into()),
        ("segments", Value::array(segments)),
        ("done", (!records.is_empty()).into()),
        ("records", Value::array(records.iter().copied())),
    ])
}
