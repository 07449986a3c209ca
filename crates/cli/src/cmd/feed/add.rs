//! `countersign feed add`: an indicator, or those of a proposal, into the drafts.

use std::path::{Path, PathBuf};

use record::feed::Draft;
use record::ioc::{Kind, Severity};
use seal::json::Value;
use seal::time::parse_rfc3339;

use super::pattern;
use super::source::{SourceArgs, now, read_drafts};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed add --kind regex --pattern '(?i)ignore\\s+all\\s+previous' --severity high \\
      --category direct_injection --attack 'ignore all previous orders' --benign 'ignore the noise'
  countersign feed add --from proposal.json

The samples are run first: an attack that is missed, or a benign text that is matched, stops it.
`feed publish` signs.")]
pub struct Args {
    #[command(flatten)]
    indicator: Indicator,
    /// Take up the drafts of this file: a proposal, or a list as other tools of the format sign it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "pattern"])]
    from: Option<PathBuf>,
    /// Take up its revocations, too: what is revoked never counts again
    #[arg(long, requires = "from")]
    revocations: bool,
    #[command(flatten)]
    source: SourceArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// One indicator on the command line.
#[derive(Debug, clap::Args)]
pub struct Indicator {
    /// How the pattern is meant: regex, substring, unicode_signature
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// What to look for
    #[arg(long, value_name = "PATTERN", requires = "kind")]
    pattern: Option<String>,
    /// How bad a match is: low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", default_value = "medium")]
    severity: Severity,
    /// What it is about; may be repeated
    #[arg(long = "category", value_name = "NAME")]
    categories: Vec<String>,
    /// For people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// It no longer counts from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A text it must match; may be repeated
    #[arg(long = "attack", value_name = "TEXT")]
    attacks: Vec<String>,
    /// A text close by that it must not match; may be repeated
    #[arg(long, value_name = "TEXT")]
    benign: Vec<String>,
}

impl Indicator {
    pub fn draft(self) -> Result<Draft, Failure> {
        let usage = |why: &str| Failure::new(Exit::Usage, why.to_owned());
        let (Some(kind), Some(pattern)) = (self.kind, self.pattern) else {
            return Err(usage("give --kind and --pattern"));
        };
        let expires_at = match self.expires.as_deref() {
            None => None,
            Some(text) => {
                let time = parse_rfc3339(text)
                    .ok_or_else(|| usage("--expires: expected a time like 2027-01-31T00:00:00Z"))?;
                Some(i64::try_from(time.0 / 1000).unwrap_or(i64::MAX))
            }
        };
        Ok(Draft {
            kind,
            pattern,
            severity: self.severity,
            categories: self.categories,
            description: self.description,
            issued_at: None,
            revokes: Vec::new(),
            expires_at,
            attacks: self.attacks,
            benign: self.benign,
        })
    }
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let source = args.source.folder(dir);
    let _held = source.lock()?;
    let mut feed = source.read()?;
    let key_id = source.read_public_key()?.key_id();
    let mut drafts = match &args.from {
        Some(path) => read_drafts(path)?.indicators,
        None => vec![args.indicator.draft()?],
    };
    let now = now();
    let mut ids = Vec::new();
    for draft in &mut drafts {
        refuse_faults(draft)?;
        // What somebody else wrote withdraws nothing in the publisher's name by the way.
        if let Some(revoked) = draft.revokes.first().filter(|_| !args.revocations) {
            let message = format!(
                "{:?} revokes {revoked}: see what that is, and say `feed revoke`, or give --revocations",
                draft.pattern
            );
            return Err(Failure::new(Exit::Input, message));
        }
        // A proposal does not say when it was taken up: that is the publisher's to say.
        draft.issued_at = Some(now);
        let id = draft.ioc(&feed.issuer, key_id, now).content_hash();
        if feed.indicators.iter().any(|old| same(old, draft)) {
            return Err(Failure::new(
                Exit::Input,
                format!("{:?} is in the drafts already", draft.pattern),
            ));
        }
        feed.indicators.push(draft.clone());
        ids.push(id);
    }
    source.write(feed)?;
    match args.format {
        Format::Table => {
            output::print(&ids.iter().map(|id| format!("added {id}\n")).collect::<String>())?;
        }
        Format::Json => output::json(&Value::object([("added", Value::array(ids))]))?,
    }
    Ok(Exit::Ok)
}

/// The same thing to look for, whenever it was taken up.
fn same(one: &Draft, other: &Draft) -> bool {
    let id = |draft: &Draft| (draft.kind, draft.pattern.clone(), draft.revokes.clone());
    id(one) == id(other)
}

/// What does not do what its samples say is not taken up.
pub fn refuse_faults(draft: &Draft) -> Result<(), Failure> {
    let faults = pattern::faults(draft);
    let broken = faults.iter().find(|fault| !matches!(fault, record::feed::Fault::NoSample(_)));
    match broken {
        None => Ok(()),
        Some(fault) => {
            let message = format!("{} {}: {}", draft.kind, draft.pattern, fault.told(draft));
            Err(Failure::new(Exit::Input, message))
        }
    }
}
