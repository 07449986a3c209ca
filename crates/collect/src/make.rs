//! A configuration and the files it names become a statement.

use std::collections::{BTreeMap, BTreeSet};
use std::ops;

use attest::eval::{Bound, EvalError, Figures, RESULTS_LIMIT, SCORING_LIMIT};
use attest::files::{FileError, is_path};
use attest::openssf::Manifest;
use attest::privacy::{ARCHIVE_LIMIT, Archive, Salts};
use attest::shape::ITEMS;
use attest::statement::{Dependency, Privacy, Source, Statement, StatementError, Subject, Tree};
use attest::types::Count;
use seal::digest::Digest;
use seal::json::Value;
use seal::time::UnixMillis;

use crate::cache::Cache;
use crate::config::{Config, Mode, Wanted};
use crate::folder::Known;
use crate::git::Later;
use crate::hash::{Asked, Hashed, hash};
use crate::open::Root;
use crate::tree::walk;

/// What a statement is made of, and when.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The root of all paths.
    pub root: &'a Root,
    /// What to attest.
    pub config: &'a Config,
    /// The time that is stated.
    pub now: UnixMillis,
    /// 16 random bytes: the id.
    pub id: [u8; 16],
    /// 32 random bytes: salts and the key of a commitment follow from them.
    pub secret: [u8; 32],
    /// Name and version of what makes it.
    pub generator: (String, String),
    /// The commit of the sources; waited for when the files have been read.
    pub checkout: &'a Later,
    /// Statements that it may build on.
    pub known: &'a [Known],
    /// What an earlier run found.
    pub cache: Option<&'a Cache>,
}

/// The commit that is checked out.
#[derive(Debug, Clone, Default)]
pub struct Checkout {
    /// Its id.
    pub commit: String,
    /// Files that differ from it or are not of it: paths that may begin above the attested root. One
    /// that ends with `/` is a repository within, of which something differs.
    pub changed: Vec<String>,
}

impl Checkout {
    /// How a statement over these files names it: `+changes` behind the id when one of them differs.
    fn named(&self, subjects: &[Subject]) -> String {
        if self.changed.is_empty() {
            return self.commit.clone();
        }
        let changes = if self.holds(subjects) { "" } else { "+changes" };
        format!("{}{changes}", self.commit)
    }

    /// Whether these files are as the commit has them.
    pub fn holds<'s>(&self, subjects: impl IntoIterator<Item = &'s Subject>) -> bool {
        among(self.changed.iter().map(String::as_str), subjects, &[]).next().is_none()
    }
}

/// Those of the changed files, as a repository calls them, that are attested or lie in a directory of
/// which all files are, or stand for a directory with one, as a submodule does: their paths begin at
/// the attested root, which is somewhere below the repository's.
pub fn among<'c, 's>(
    changed: impl IntoIterator<Item = &'c str>,
    subjects: impl IntoIterator<Item = &'s Subject>,
    trees: &[&Tree],
) -> impl Iterator<Item = &'c str> {
    let attested: BTreeSet<&str> =
        subjects.into_iter().map(|subject| subject.path.as_str()).collect();
    let is_attested = move |path: &str| {
        // git puts a slash behind a repository that it does not know
        let path = path.trim_end_matches('/');
        let below = format!("{path}/");
        let next =
            attested.range::<str, _>((ops::Bound::Included(below.as_str()), ops::Bound::Unbounded));
        attested.contains(path)
            || next.take(1).any(|one| one.starts_with(&below))
            || trees.iter().any(|tree| tree.holds(path) || tree.path.starts_with(&below))
    };
    changed.into_iter().filter(move |changed| {
        // the path as a whole, and from each name in it on
        let starts = changed.match_indices('/').map(|(at, _)| at + 1);
        std::iter::once(0).chain(starts).any(|at| changed.get(at..).is_some_and(&is_attested))
    })
}

/// A statement, and what stays apart from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The statement; an encrypted payload is not in it yet.
    pub statement: Statement,
    /// Its payload; without an archive, what is signed.
    pub payload: String,
    /// The salts, where something is committed to.
    pub salts: Option<Salts>,
    /// What is to be encrypted.
    pub archive: Option<Archive>,
}

/// Why there is no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// A path that no configuration may have.
    #[error("{role}: {path:?} {why}")]
    Path {
        /// The role that has it.
        role: &'static str,
        /// As it was written.
        path: String,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A file that cannot be attested.
    #[error("{path}: {}", remedy(.error))]
    File {
        /// The file.
        path: String,
        /// Why.
        error: FileError,
    },
    /// One path twice.
    #[error("{path}: named twice, for {roles}; a file is for one thing")]
    Twice {
        /// The file.
        path: String,
        /// The roles.
        roles: String,
    },
    /// A directory without files, or too many of them.
    #[error("{path}: {count} files lie below it; a statement has 1 to {ITEMS}")]
    Count {
        /// The directory.
        path: String,
        /// So many.
        count: usize,
    },
    /// The results cannot be judged.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// What it builds on is not there.
    #[error("depends_on: there is no statement {0}; create it first")]
    Missing(String),
    /// Several could be meant.
    #[error(
        "depends_on: {0} is meant by several statements of one time; name one as TYPE@sha256:…"
    )]
    Ambiguous(String),
    /// A text is asked for, and a file is none.
    #[error("{0}: not UTF-8 text, and plaintext_explicit holds text; use encrypted_payload")]
    NotText(String),
    /// More than fits into a statement or an archive.
    #[error("the files have more than {TOGETHER} bytes together; use hash_only")]
    TooLong,
    /// The configuration says what every verifier would refuse.
    #[error("{why}: {detail}")]
    Unfit {
        /// What is wrong.
        why: &'static str,
        /// Where.
        detail: String,
    },
    /// The configuration says what no statement may say.
    #[error("{0}")]
    Invalid(#[from] StatementError),
}

fn remedy(error: &FileError) -> String {
    match error {
        FileError::Missing => "no such file or directory below the attested root".into(),
        FileError::Outside => {
            "is a symbolic link, or leads over one; attest the file that it points to".into()
        }
        FileError::Special => "is not a regular file; attest regular files".into(),
        FileError::Size(size) => format!("has {size} bytes, more than it may have here"),
        error => error.to_string(),
    }
}

/// A committed or embedded file is held in memory: it is not longer.
const HELD: u64 = ARCHIVE_LIMIT as u64;
/// So many of them at a time.
const HELD_AT_ONCE: usize = 8;
/// All that travel with a statement, bytes: Base64 needs a third more.
const TOGETHER: u64 = HELD / 2;
/// Roles whose content says what an eval found.
const FIGURES: [&str; 3] = ["scoring_config", "candidate_results", "baseline_results"];
/// A day, milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// Makes a statement: nothing is written.
pub fn make(order: &Order<'_>) -> Result<Made, MakeError> {
    let config = order.config;
    let (roles, asked, trees) = named(order)?;
    let salts = Salts::of(order.secret);
    let files = read(order, &roles, &asked, &salts)?;
    let mut subjects: Vec<Subject> = files.iter().map(subject).collect();
    subjects.sort_unstable();
    let mut depends_on = Vec::new();
    for wanted in &config.depends_on {
        take(&mut depends_on, newest(order.known, wanted)?);
    }
    let own = own(order, &files, &mut depends_on)?;
    let expires = config.expires_days.map(|days| days.saturating_mul(DAY));
    let (privacy, archive) = privacy(config, &files, &salts)?;
    let statement = Statement {
        kind: config.kind,
        id: uuid(order.id),
        generated_at: order.now,
        expires_at: expires.map(|after| UnixMillis(order.now.0.saturating_add(after))),
        generator: order.generator.clone(),
        source: order.checkout.as_ref().map(|checkout| Source {
            repository: config.repository.clone(),
            commit: checkout.named(&subjects),
        }),
        subjects,
        trees,
        depends_on,
        privacy,
        sensitivity: config.sensitivity.clone(),
        own,
    };
    // What a reader would refuse is not made.
    let payload = statement.write();
    let (statement, faults) = attest::examine(payload.as_bytes())?;
    if let Some(fault) = faults.into_iter().next() {
        return Err(MakeError::Unfit { why: fault.code.title(), detail: fault.detail });
    }
    let salted = statement.subjects.iter().any(|subject| subject.salt.is_some());
    Ok(Made { statement, payload, salts: salted.then_some(salts), archive })
}

struct File<'a> {
    role: &'static str,
    path: &'a str,
    hashed: Hashed,
    /// The commitment to it, and the digest that names its salt.
    committed: Option<(Digest, Digest)>,
}

/// Reads all files. Of those that are held in memory to be committed to, a few at a time are.
fn read<'a>(
    order: &Order<'_>,
    roles: &[&'static str],
    asked: &'a [Asked],
    salts: &Salts,
) -> Result<Vec<File<'a>>, MakeError> {
    let config = order.config;
    let (mut files, mut together) = (Vec::with_capacity(asked.len()), 0);
    let mut roles = roles.iter();
    for run in asked.chunk_by(|one, next| one.keep.is_some() == next.keep.is_some()) {
        let kept = run.iter().any(|one| one.keep.is_some());
        for some in run.chunks(if kept { HELD_AT_ONCE } else { run.len() }) {
            let found = hash(order.root, some, order.cache)
                .map_err(|(path, error)| MakeError::File { path, error })?;
            for ((asked, mut hashed), role) in some.iter().zip(found).zip(&mut roles) {
                let salted = config.mode == Mode::Encrypted
                    || config.salted.iter().any(|salted| salted == role);
                let committed = match &hashed.bytes {
                    Some(bytes) if salted => Some(salts.commit(role, &asked.path, bytes)),
                    _ => None,
                };
                together += hashed.size;
                match config.mode {
                    Mode::HashOnly if !FIGURES.contains(role) => hashed.bytes = None,
                    Mode::HashOnly => {}
                    Mode::Plaintext | Mode::Encrypted if together > TOGETHER => {
                        return Err(MakeError::TooLong);
                    }
                    Mode::Plaintext | Mode::Encrypted => {}
                }
                files.push(File { role, path: &asked.path, hashed, committed });
            }
        }
    }
    Ok(files)
}

/// The roles of files, the files, and directories.
type Named = (Vec<&'static str>, Vec<Asked>, Vec<Tree>);

/// All files that the configuration names, sorted by path, and the directories they come from.
fn named(order: &Order<'_>) -> Result<Named, MakeError> {
    let config = order.config;
    let mut files: Vec<(String, &'static str)> = Vec::new();
    let mut trees = Vec::new();
    for (role, paths) in &config.files {
        for written in paths {
            let tree = matches!(role.count, Count::Tree | Count::OptionalTree);
            let path = plain(role.name, written, tree)?;
            if !tree {
                files.push((path.to_owned(), role.name));
                continue;
            }
            let below =
                walk(order.root, path).map_err(|(path, error)| MakeError::File { path, error })?;
            if below.is_empty() || below.len() > ITEMS {
                return Err(MakeError::Count { path: path.to_owned(), count: below.len() });
            }
            for file in below {
                plain(role.name, &file, false)?;
                files.push((file, role.name));
            }
            trees.push(Tree { role: role.name.into(), path: path.to_owned() });
        }
    }
    if files.len() > ITEMS {
        return Err(MakeError::Count { path: ".".into(), count: files.len() });
    }
    // what is alike stays in the order of the configuration
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    let twice = files.windows(2).find(|pair| matches!(pair, [(one, _), (next, _)] if one == next));
    if let Some([(path, first), (_, second)]) = twice {
        let roles = format!("{first} and {second}");
        return Err(MakeError::Twice { path: path.clone(), roles });
    }
    trees.sort_unstable();
    let held = |role: &str| match role {
        _ if config.mode != Mode::HashOnly => Some(HELD),
        role if config.salted.iter().any(|salted| salted == role) => Some(HELD),
        "scoring_config" => Some(SCORING_LIMIT),
        "candidate_results" | "baseline_results" => Some(RESULTS_LIMIT),
        _ => None,
    };
    let asked = |(path, role): (String, &'static str)| (role, Asked { path, keep: held(role) });
    let (roles, asked) = files.into_iter().map(asked).unzip();
    Ok((roles, asked, trees))
}

/// A path as statements have it.
fn plain<'w>(role: &'static str, written: &'w str, tree: bool) -> Result<&'w str, MakeError> {
    let wrong = |why| Err(MakeError::Path { role, path: written.to_owned(), why });
    let path = written.strip_prefix("./").unwrap_or(written);
    let path = if tree { path.strip_suffix('/').unwrap_or(path) } else { path };
    if tree && path == Tree::ROOT {
        return Ok(path);
    }
    if path.starts_with('/') {
        return wrong("is absolute; write it relative to the attested root");
    }
    if path.split('/').any(|name| name == "..") {
        return wrong(
            "leads out of the attested root; move the file below it, or attest a higher root",
        );
    }
    if path.chars().any(char::is_control) {
        return wrong("has control characters; rename the file");
    }
    match is_path(path) {
        true => Ok(path),
        false => wrong("is no plain path: names between single slashes, no backslash"),
    }
}

fn subject(file: &File<'_>) -> Subject {
    let (digest, salt) = match file.committed {
        Some((commitment, salt)) => (commitment, Some(salt)),
        None => (file.hashed.digest, None),
    };
    let (role, path) = (file.role.to_owned(), file.path.to_owned());
    Subject { role, path, digest, size: file.hashed.size, salt }
}

fn privacy(
    config: &Config,
    files: &[File<'_>],
    salts: &Salts,
) -> Result<(Privacy, Option<Archive>), MakeError> {
    if config.mode == Mode::HashOnly {
        return Ok((Privacy::HashOnly, None));
    }
    let mut sorted: Vec<&File<'_>> = files.iter().collect();
    sorted.sort_unstable_by_key(|file| (file.role, file.path));
    let bytes = |file: &File<'_>| file.hashed.bytes.clone().unwrap_or_default();
    if config.mode == Mode::Plaintext {
        let text = |file: &&File<'_>| match String::from_utf8(bytes(file)) {
            Ok(text) => Ok((file.path.to_owned(), text)),
            Err(_) => Err(MakeError::NotText(file.path.to_owned())),
        };
        let files = sorted.iter().map(text).collect::<Result<_, _>>()?;
        return Ok((Privacy::PlaintextExplicit(files), None));
    }
    let file = |file: &&File<'_>| (file.role.to_owned(), file.path.to_owned(), bytes(file));
    let archive = Archive { salts: salts.clone(), files: sorted.iter().map(file).collect() };
    let commitment = archive.write().1;
    let recipients = config.recipients.len() as u64;
    // the digest of what is not encrypted yet: whoever encrypts puts the right one there
    let privacy = Privacy::EncryptedPayload { ciphertext: Digest::of(b""), commitment, recipients };
    Ok((privacy, Some(archive)))
}

/// The newest statement that is meant.
fn newest<'k>(known: &'k [Known], wanted: &Wanted) -> Result<&'k Known, MakeError> {
    let meant = |one: &&Known| match wanted {
        Wanted::Exactly { kind, digest } => one.kind == *kind && one.digest == *digest,
        Wanted::Newest { kind, name } => {
            one.kind == *kind && name.as_ref().is_none_or(|name| one.name.as_ref() == Some(name))
        }
    };
    let mut meant: Vec<&Known> = known.iter().filter(meant).collect();
    meant.sort_unstable_by_key(|one| std::cmp::Reverse(one.generated_at));
    match meant.as_slice() {
        [] => Err(MakeError::Missing(wanted.to_string())),
        [first, second, ..]
            if first.generated_at == second.generated_at && first.digest != second.digest =>
        {
            Err(MakeError::Ambiguous(wanted.to_string()))
        }
        [first, ..] => Ok(first),
    }
}

fn take(depends_on: &mut Vec<Dependency>, known: &Known) {
    let dependency = Dependency { kind: known.kind.name.into(), digest: known.digest };
    if !depends_on.contains(&dependency) {
        depends_on.push(dependency);
    }
}

/// The type's own members: those of the configuration, and those that follow from the files.
fn own(
    order: &Order<'_>,
    files: &[File<'_>],
    depends_on: &mut Vec<Dependency>,
) -> Result<Value, MakeError> {
    let mut members = order.config.own.clone();
    for (_, value) in
        members.iter_mut().filter(|(name, _)| matches!(name.as_str(), "providers" | "chain"))
    {
        point(order.known, value, depends_on)?;
    }
    let bytes = |role: &str| {
        let file = files.iter().find(|file| file.role == role);
        file.and_then(|file| file.hashed.bytes.as_deref()).unwrap_or_default()
    };
    match order.config.kind.name {
        "eval" => {
            let asked = members.iter().position(|(name, _)| name == "thresholds");
            let asked = asked.map_or(Value::Null, |at| members.remove(at).1);
            // what is no threshold must not be lost on the way
            let thresholds = attest::types::named("eval")
                .and_then(|kind| kind.fields.iter().find(|field| field.name == "thresholds"));
            if let Some(field) = thresholds {
                let misfits = field.shape.judge(&asked, "/thresholds");
                if !misfits.is_empty() {
                    return Err(StatementError::Misfits(order.config.kind, misfits).into());
                }
            }
            let bounds: BTreeMap<String, Bound> = asked
                .as_object()
                .unwrap_or_default()
                .iter()
                .map(|(name, bound)| (name.clone(), Bound::of(bound)))
                .collect();
            let figures = Figures::compute(
                bytes("scoring_config"),
                bytes("candidate_results"),
                bytes("baseline_results"),
                &bounds,
            )?;
            members.extend(figures.members(&bounds));
        }
        "model" => {
            let weights = files.iter().filter(|file| file.role == "weights");
            let weights = weights.map(|file| (file.path.to_owned(), file.hashed.digest));
            let root = Manifest::of("", Vec::new(), weights.collect()).root();
            members.push(("root".into(), root.hex().into()));
        }
        _ => {}
    }
    Ok(Value::Object(members))
}

/// `statement: model:NAME` (or `model`) in a list of models becomes the digest of that statement, and
/// what is pointed to is built on.
fn point(
    known: &[Known],
    list: &mut Value,
    depends_on: &mut Vec<Dependency>,
) -> Result<(), MakeError> {
    let Value::Array(items) = list else { return Ok(()) };
    for item in items {
        let Some(Value::String(text)) = item.get_mut("statement") else { continue };
        let wanted = match Digest::from_hex(text) {
            Some(digest) => {
                attest::types::named("model").map(|kind| Wanted::Exactly { kind, digest })
            }
            None => Wanted::parse(text).ok(),
        };
        let Some(wanted) = wanted else { continue };
        let known = newest(known, &wanted)?;
        *text = known.digest.hex();
        take(depends_on, known);
    }
    Ok(())
}

/// A random UUID (RFC 9562, version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = seal::hex::encode(&bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
