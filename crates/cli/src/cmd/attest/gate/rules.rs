//! What a change is judged by, read from where it cannot reach.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use attest::gate::{Change, Policy};
use collect::{Commit, Repository};
use record::report::{Code, Finding};
use record::trust::Trust;
use seal::Digest;

use super::Args;
use crate::exit::{Exit, Failure};
use crate::output;

/// Largest rule file, bytes.
const LIMIT: u64 = 4 << 20;

/// Where rules are read from.
pub struct Origin {
    /// The repository, where there is a base.
    pub repository: Option<Repository>,
    /// The base.
    pub commit: Option<Commit>,
    pins: Vec<Digest>,
    here: PathBuf,
}

impl Origin {
    /// Of the arguments.
    pub fn of(dir: &Path, base: Option<&str>, pins: &[Digest]) -> Result<Origin, Failure> {
        let here = std::env::current_dir().map_err(|error| Failure::io(Path::new("."), &error))?;
        let (repository, commit) = match base {
            None => (None, None),
            Some(base) => {
                let (repository, commit) = super::base_of(dir, base)?;
                (Some(repository), Some(commit))
            }
        };
        Ok(Origin { repository, commit, pins: pins.to_vec(), here })
    }

    /// A file in the base if it is in the repository, or else on disk with a pinned digest. Second is
    /// what the repository calls it.
    fn read(&self, path: &Path) -> Result<(String, Option<String>), Failure> {
        let wrong =
            |why: String| Failure::new(Exit::Config, format!("{}: {why}", output::path(path)));
        let (bytes, name) = match (&self.repository, &self.commit) {
            (Some(repository), Some(commit))
                if let Some(name) = repository.inside(&self.here.join(path)) =>
            {
                let bytes = repository.file(commit, &name, LIMIT);
                (bytes.map_err(|error| wrong(error.to_string()))?, Some(name))
            }
            _ => {
                let bytes = output::read_input(path, LIMIT)?;
                let digest = Digest::of(&bytes);
                if !self.pins.contains(&digest) {
                    return Err(wrong(format!(
                        "not read from a base, so its digest must be known: --pin {digest}"
                    )));
                }
                (bytes, None)
            }
        };
        let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text".into()))?;
        Ok((text, name))
    }
}

/// The rules, read.
pub struct Rules {
    /// Gates.
    pub policy: Option<Policy>,
    /// A policy in Rego.
    pub rego: Option<rego::Policy>,
    /// Whose keys count.
    pub trust: Trust,
    /// The rules' files, as the repository calls them.
    names: Vec<String>,
}

impl Rules {
    /// Reads what the arguments name.
    pub fn read(args: &Args, origin: &Origin) -> Result<Rules, Failure> {
        let names = RefCell::new(Vec::new());
        let read = |path: &Path| {
            let (text, name) = origin.read(path)?;
            names.borrow_mut().extend(name);
            Ok::<String, Failure>(text)
        };
        let wrong = |path: &Path, error: &dyn std::fmt::Display| {
            Failure::new(Exit::Config, format!("{}: {error}", output::path(path)))
        };
        let policy = match &args.policy {
            None => None,
            Some(path) => {
                let policy = Policy::parse(&read(path)?);
                Some(policy.map_err(|error| wrong(path, &error))?)
            }
        };
        let rego = match args.rego.first() {
            None => None,
            Some(first) => {
                let file = |path: &PathBuf| Ok((path.display().to_string(), read(path)?));
                let files: Vec<(String, String)> =
                    args.rego.iter().map(file).collect::<Result<_, Failure>>()?;
                let policy = rego::Policy::parse(&files, super::dialect(args));
                Some(policy.map_err(|error| wrong(first, &error))?)
            }
        };
        let beside = args.trust.parent().unwrap_or(Path::new(""));
        // What a trust file refers to counts as much as what it says: it comes from the same place.
        let resolve = |reference: &str| match reference.strip_prefix("file:") {
            Some(path) => read(&beside.join(path)).map_err(|failure| failure.message),
            None => countersign::trustfile::resolve(reference, &args.trust),
        };
        // Secrets of the audit log are asked of no gate, and are rightly not in a repository: this
        // reads as one of them, and as no key of any other purpose.
        let missed = RefCell::new(None);
        let resolve = |reference: &str| {
            resolve(reference).or_else(|why| {
                missed.borrow_mut().get_or_insert(why);
                Ok("00".repeat(32))
            })
        };
        let trust =
            Trust::parse(&read(&args.trust)?, &resolve).map_err(|error| match missed.take() {
                Some(why) => wrong(&args.trust, &why),
                None => wrong(&args.trust, &error),
            })?;
        let names = names.into_inner();
        Ok(Rules { policy, rego, trust, names })
    }

    /// A finding for each of the rules' files that the change touches.
    pub fn touched(&self, changes: Option<&[Change]>) -> Vec<Finding> {
        let changed = |name: &&String| {
            changes.is_some_and(|all| all.iter().any(|change| change.path == **name))
        };
        let finding = |name: &String| Finding::new(Code::GateRules, name.as_str(), "");
        self.names.iter().filter(changed).map(finding).collect()
    }
}
