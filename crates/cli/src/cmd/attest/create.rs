//! `attest create`: files become unsigned statements.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use attest::Statement;
use attest::glob::Glob;
use attest::privacy::Archive;
use attest::statement::Privacy;
use attest::types::{Count, Type};
use collect::{
    CONFIG_LIMIT, Cache, Checkout, Config, Copy, Folder, FolderError, Known, Listed, Made, Mode,
    Order, Project, Repository, Root, STATEMENT, listed_changes, make, name_of,
};
use crypt::Recipients;
use seal::Digest;
use seal::json::Value;

use super::failure::{self, config_failure};
use super::schema::kind;
use super::written::Written;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest create
  countersign attest create --type prompt --config attest/prompt.yaml --out build/attestations
  countersign attest create --determinism-check 3
  countersign attest create --changed-only --git-ref origin/main --replace

Without --type, all statements of countersign.attest.yaml in --dir, each after those that it builds
on. A configuration has a key for each role of the type with its files, relative to the attested root;
`countersign attest schema TYPE` tells which there are. Nothing is written unless everything can be.

Exit 10: what a statement builds on is not there; 65: results or files that cannot be used; 66: a file
is not there; 73: nothing can be written; 74: a file cannot be read, or changed meanwhile; 78: the
configuration, or a path in it that leads out of the root or to no regular file.")]
pub struct Args {
    /// Make one statement of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = kind, requires = "config")]
    kind: Option<&'static Type>,
    /// Its configuration
    #[arg(long, value_name = "FILE", requires = "kind")]
    config: Option<PathBuf>,
    /// The directory that all paths are relative to; default: what countersign.attest.yaml says, or --dir
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The folder to write to; default: attestations in --dir
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Of the statements of countersign.attest.yaml only those whose files changed, and those that build on them
    #[arg(long, conflicts_with = "kind")]
    changed_only: bool,
    /// Since when files changed: where this commit and the one that is checked out parted
    #[arg(long, value_name = "COMMIT", default_value = "HEAD", requires = "changed_only")]
    git_ref: String,
    /// The changed files, a path in each line or each before a NUL, instead of asking git
    #[arg(long, value_name = "FILE", requires = "changed_only", conflicts_with = "git_ref")]
    changed_from: Option<PathBuf>,
    /// The commit that is attested; default: what git says of the root, with +changes
    /// when one of the attested files differs from it
    #[arg(long)]
    commit: Option<String>,
    /// Make each statement so many times, from fresh copies of its files, and compare
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    determinism_check: u32,
    /// Do not read files again that have the times and lengths of the last run
    #[arg(long)]
    incremental: bool,
    /// Remove earlier statements of the same type and name, and their bundles, from the folder; where
    /// the project has several of a type, those over the same single files
    #[arg(long)]
    replace: bool,
    /// Let statements hold their files in the clear (privacy_mode: plaintext_explicit)
    #[arg(long)]
    allow_plaintext: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let work = Work::of(args, dir)?;
    let out = args.out.clone().unwrap_or_else(|| dir.join(super::FOLDER));
    // git looks at the files while we do
    let checkout = match &args.commit {
        Some(commit) => Checkout::said(commit.clone()),
        None => Checkout::later(work.root_path.clone()),
    };
    // What lies there already may be built on; what is only replaced is read while the new is made.
    let leans = work.configs.iter().any(|one| !one.leans_on().is_empty());
    let there = out.clone();
    let mut reading = (leans || args.replace).then(|| std::thread::spawn(move || present(&there)));
    let mut before = Vec::new();
    if leans {
        before = read(reading.take())?;
    }
    let mut known = before.clone();
    let cache = args.incremental.then(|| Cache::open(&cache_path(dir)));
    if args.changed_only && work.configs.is_empty() {
        output::complain("no file that is attested changed: nothing to create");
        return told(None, &[], &[], args.format);
    }
    let mut all: Vec<(Made, Option<Vec<u8>>)> = Vec::new();
    for config in &work.configs {
        if config.mode == Mode::Plaintext && !args.allow_plaintext && !work.allows(config.kind) {
            let why = format!(
                "{}: plaintext_explicit shows the files to everybody who has the statement; allow it with privacy: {{plaintext_allowed: [{}]}} in countersign.attest.yaml, or --allow-plaintext",
                config.kind.name, config.kind.name
            );
            return Err(Failure::new(Exit::Config, why));
        }
        let order = Order {
            root: &work.root,
            config,
            now: super::now(),
            id: random()?,
            secret: random()?,
            generator: ("countersign".into(), env!("CARGO_PKG_VERSION").into()),
            checkout: &checkout,
            known: &known,
            cache: cache.as_ref(),
        };
        let mut made = make(&order).map_err(failure::make)?;
        inside(&made, &work.root_path, &out)?;
        for time in 1..args.determinism_check {
            again(&order, &made, time)?;
        }
        let sealed = seal_archive(&mut made, config)?;
        let file = name_of(&made.statement, STATEMENT);
        known.push(Known::of(&made.statement, made.payload.as_bytes(), file, None));
        all.push((made, sealed));
    }
    if reading.is_some() {
        before = read(reading)?;
    }
    let folder = Folder::make(&out).map_err(failure::folder)?;
    folder.alone();
    let mut written = Written::to(&folder);
    let ignore = ".gitignore";
    let salted = all.iter().any(|(made, _)| made.salts.is_some());
    if salted && folder.path(ignore).symlink_metadata().is_err() {
        // whoever adds the folder to git must not publish them
        written.put(ignore, super::init::IGNORED.as_bytes(), false)?;
    }
    for (made, sealed) in &all {
        let statement = &made.statement;
        if let Some(salts) = &made.salts {
            let text = salts.write(&statement.id);
            written.put(&name_of(statement, SALTS), text.as_bytes(), true)?;
        }
        if let Some(sealed) = sealed {
            written.put(&name_of(statement, PAYLOAD), sealed, false)?;
        }
        written.put(&name_of(statement, STATEMENT), made.payload.as_bytes(), false)?;
    }
    written.keep()?;
    if args.replace {
        replaced(&folder, &all, &before, &work.several)?;
    }
    if let Some(cache) = cache {
        save(cache, dir);
    }
    let fresh = known.split_off(known.len().saturating_sub(all.len()));
    told(Some(&folder), &all, &fresh, args.format)
}

type Present = Result<(Vec<Known>, Vec<FolderError>), FolderError>;

/// What lies in a folder, which is not made yet if it is not there.
fn present(out: &Path) -> Present {
    match out.try_exists() {
        Ok(false) => Ok((Vec::new(), Vec::new())),
        Ok(true) | Err(_) => Folder::open(out)?.known(),
    }
}

/// Waits for what was found there, and tells what is passed over.
fn read(reading: Option<JoinHandle<Present>>) -> Result<Vec<Known>, Failure> {
    let Some(reading) = reading else { return Ok(Vec::new()) };
    let gone = |_| Failure::new(Exit::Internal, "what lies there was not read");
    let (known, odd) = reading.join().map_err(gone)?.map_err(failure::folder)?;
    for one in odd {
        output::complain(&output::safe(&format!("passed over: {one}")));
    }
    Ok(known)
}

/// How the names of salts end, which their owner keeps.
pub const SALTS: &str = ".salts.json";
/// How the names of encrypted payloads end.
pub const PAYLOAD: &str = ".payload.age";

/// What is to be made.
struct Work {
    root_path: PathBuf,
    root: Root,
    configs: Vec<Config>,
    plaintext: Vec<String>,
    /// Types of which the project has more than one statement.
    several: Vec<&'static Type>,
}

impl Work {
    fn of(args: &Args, dir: &Path) -> Result<Work, Failure> {
        let path = dir.join(Project::FILE);
        let project = match path.try_exists() {
            Ok(true) => Some(read_project(&path)?),
            Ok(false) if args.kind.is_none() => {
                let why = format!(
                    "{}: no such file; `countersign attest init` makes one, or give --type and --config",
                    path.display()
                );
                return Err(Failure::new(Exit::NoPath, why));
            }
            Ok(false) => None,
            Err(error) => return Err(Failure::io(&path, &error)),
        };
        let root_path = match (&args.root, &project) {
            (Some(root), _) => root.clone(),
            (None, Some(project)) => dir.join(&project.root),
            (None, None) => dir.to_owned(),
        };
        let opened = |path: &Path| Root::open(path).map_err(|error| Failure::io(path, &error));
        let root = match (&args.root, &project) {
            // whoever wrote the file does not lead out of its directory, whoever runs the command may
            (None, Some(project)) => opened(dir)?.below(&project.root).map_err(|error| {
                failure::make(collect::MakeError::File { path: project.root.clone(), error })
            })?,
            _ => opened(&root_path)?,
        };
        let plaintext = project.as_ref().map(|one| one.plaintext.clone()).unwrap_or_default();
        let configs = match (args.kind, &args.config) {
            (Some(kind), Some(file)) => {
                let yaml = output::read_input(file, CONFIG_LIMIT)?;
                vec![Config::read(kind, &yaml).map_err(|error| config_failure(file, &error))?]
            }
            _ => {
                let listed = project.as_ref().map(|project| project.statements.as_slice());
                listed
                    .unwrap_or_default()
                    .iter()
                    .map(|one| read_listed(&root, one))
                    .collect::<Result<_, _>>()?
            }
        };
        let listed = project.iter().flat_map(|project| &project.statements);
        let mut several: Vec<&'static Type> = listed.map(|one| one.kind).collect();
        several.retain(|kind| {
            let listed = project.iter().flat_map(|project| &project.statements);
            listed.filter(|one| one.kind == *kind).count() > 1
        });
        let mut work = Work { root_path, root, configs, plaintext, several };
        if args.changed_only
            && let Some(project) = &project
        {
            let changed = changed(args, &work.root_path)?;
            work.keep(project, &changed)?;
        }
        Ok(work)
    }

    /// Keeps what the changed files call for: their own statements, and those that build on these.
    fn keep(&mut self, project: &Project, changed: &[String]) -> Result<(), Failure> {
        let mut kinds: Vec<&'static Type> = Vec::new();
        let mut kept = Vec::new();
        for (config, listed) in self.configs.drain(..).zip(&project.statements) {
            let globs = project.paths.get(config.kind.name).map(Vec::as_slice).unwrap_or_default();
            let mut called = config.names(changed) || changed.contains(&listed.config);
            for glob in globs {
                let glob = Glob::parse(glob).map_err(|error| {
                    Failure::new(Exit::Config, format!("{}: paths: {error}", Project::FILE))
                })?;
                called |= changed.iter().any(|path| glob.fits(path));
            }
            if called || config.leans_on().iter().any(|kind| kinds.contains(kind)) {
                kinds.push(config.kind);
                kept.push(config);
            }
        }
        self.configs = kept;
        Ok(())
    }

    fn allows(&self, kind: &Type) -> bool {
        self.plaintext.iter().any(|name| name == kind.name)
    }
}

/// The changed files, relative to the attested root.
fn changed(args: &Args, root: &Path) -> Result<Vec<String>, Failure> {
    let Some(file) = &args.changed_from else {
        return Repository::changes_below(root, &args.git_ref).map_err(|error| {
            Failure::new(Exit::Input, format!("what changed is not known: {error}"))
        });
    };
    let list = output::read_input(file, CHANGED)?;
    let changes = listed_changes(&list).map_err(|error| Failure::new(Exit::Input, error))?;
    Ok(changes.into_iter().map(|change| change.path).collect())
}

/// Longest list of changed files, bytes.
const CHANGED: u64 = 64 << 20;

fn read_project(path: &Path) -> Result<Project, Failure> {
    let yaml = output::read_input(path, CONFIG_LIMIT)?;
    Project::read(&yaml).map_err(|error| config_failure(path, &error))
}

fn read_listed(root: &Root, listed: &Listed) -> Result<Config, Failure> {
    use attest::Files as _;
    let yaml = root.bytes(&listed.config, CONFIG_LIMIT).map_err(|error| {
        let path = listed.config.clone();
        failure::make(collect::MakeError::File { path, error })
    })?;
    Config::read(listed.kind, &yaml)
        .map_err(|error| config_failure(Path::new(&listed.config), &error))
}

/// A folder within a directory of which all files are attested would change it.
fn inside(made: &Made, root: &Path, out: &Path) -> Result<(), Failure> {
    let Some((Ok(root), Some(out))) = Some((root.canonicalize(), resolved(out))) else {
        return Ok(());
    };
    for tree in &made.statement.trees {
        if out.starts_with(root.join(&tree.path).components().as_path())
            || (tree.path == attest::Tree::ROOT && out.starts_with(&root))
        {
            let why = format!(
                "{}: lies below {}, of which every file is attested; write elsewhere",
                out.display(),
                tree.path
            );
            return Err(Failure::new(Exit::Config, why));
        }
    }
    Ok(())
}

/// The real path of what may not be there yet.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find_map(|one| Some((one, one.canonicalize().ok()?)));
    let (there, real) = there?;
    Some(real.join(path.strip_prefix(there).ok()?))
}

/// From a fresh copy of the files the same must follow, whatever is encrypted later.
fn again(order: &Order<'_>, made: &Made, time: u32) -> Result<(), Failure> {
    let name = format!("countersign-{}", seal::hex::encode(&random::<12>()?));
    let files = made.statement.subjects.iter().map(|subject| subject.path.as_str());
    let copy = Copy::of(order.root, files, &std::env::temp_dir().join(name))
        .map_err(|(path, error)| failure::make(collect::MakeError::File { path, error }))?;
    let root = Root::open(copy.path()).map_err(|error| Failure::io(copy.path(), &error))?;
    let other =
        make(&Order { root: &root, cache: None, ..order.clone() }).map_err(failure::make)?;
    let archive = |made: &Made| made.archive.as_ref().map(Archive::write);
    if other.payload != made.payload || archive(&other) != archive(made) {
        let why = format!(
            "determinism check: copy {time} of the files of the {} statement gives another one; something changed them meanwhile",
            made.statement.kind.name
        );
        return Err(Failure::new(Exit::Io, why));
    }
    Ok(())
}

/// Encrypts what travels beside, and puts its digest into the statement.
fn seal_archive(made: &mut Made, config: &Config) -> Result<Option<Vec<u8>>, Failure> {
    let Some(archive) = &made.archive else { return Ok(None) };
    let recipients = Recipients::parse(config.recipients.iter().map(String::as_str))
        .map_err(|error| Failure::new(Exit::Config, format!("recipients: {error}")))?;
    let sealed = recipients
        .seal(&archive.write().0)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    if let Privacy::EncryptedPayload { ciphertext, .. } = &mut made.statement.privacy {
        *ciphertext = Digest::of(&sealed);
    }
    made.payload = made.statement.write();
    Ok(Some(sealed))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(Exit::Internal, format!("no randomness: {error}")))?;
    Ok(bytes)
}

fn cache_path(dir: &Path) -> PathBuf {
    dir.join(".countersign").join("cache").join("collect")
}

/// A cache that cannot be kept costs time and nothing else.
fn save(cache: Cache, dir: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = cache_path(dir);
    let own = |path: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let folder = path.parent().map_or(Ok(()), own);
    if let Err(error) = folder.and_then(|()| cache.save()) {
        output::complain(&format!("{}: {error}; the cache is not kept", output::path(&path)));
    }
}

/// Takes away what the new statements stand for: of those that lay there before, the ones of their type
/// and name. Where a project has several of a type, its single files tell them apart.
fn replaced(
    folder: &Folder,
    all: &[(Made, Option<Vec<u8>>)],
    before: &[Known],
    several: &[&'static Type],
) -> Result<(), Failure> {
    for old in before {
        let newer = all.iter().map(|(made, _)| &made.statement).find(|new| {
            let name = new.own.get("name").and_then(Value::as_str);
            let same = || lying(folder, old).is_some_and(|old| single(&old) == single(new));
            new.kind == old.kind
                && name == old.name.as_deref()
                && (!several.contains(&new.kind) || same())
        });
        if newer.is_none() {
            continue;
        }
        folder.remove(&old.file).map_err(failure::folder)?;
        let stem = format!("{}-{}", old.kind.name, old.id.get(..8).unwrap_or_default());
        for ending in [SALTS, PAYLOAD] {
            folder.remove(&format!("{stem}{ending}")).map_err(failure::folder)?;
        }
        if let Some(stem) = old.file.strip_suffix(collect::BUNDLE) {
            folder.remove(&format!("{stem}{}", attest::bundle::PROOF)).map_err(failure::folder)?;
        }
    }
    Ok(())
}

fn lying(folder: &Folder, known: &Known) -> Option<Statement> {
    match known.hint {
        None => folder.payload(&known.file).ok().map(|(_, statement)| statement),
        Some(_) => folder.bundle(&known.file).ok().map(|(_, statement)| statement),
    }
}

/// The files of roles that have one.
fn single(statement: &Statement) -> Vec<(&str, &str)> {
    let single =
        |role: &str| statement.kind.role(role).is_some_and(|role| matches!(role.count, Count::One));
    let files = statement.subjects.iter().filter(|one| single(&one.role));
    files.map(|one| (one.role.as_str(), one.path.as_str())).collect()
}

/// `known` are the same statements, with their digests.
fn told(
    folder: Option<&Folder>,
    all: &[(Made, Option<Vec<u8>>)],
    known: &[Known],
    format: Format,
) -> Outcome {
    let place = |one| {
        let name = name_of(one, STATEMENT);
        folder.map_or_else(|| PathBuf::from(&name), |folder| folder.path(&name))
    };
    let statements: Vec<_> =
        all.iter().zip(known).map(|((made, _), known)| (&made.statement, known.digest)).collect();
    match format {
        Format::Table => {
            let lines = statements.iter().map(|(one, digest)| {
                format!(
                    "{:<7} {}  {}  {} files\n",
                    one.kind.name,
                    output::path(&place(one)),
                    digest,
                    one.subjects.len()
                )
            });
            output::print(&lines.collect::<String>())?;
        }
        Format::Json => {
            let list = statements.iter().map(|(one, digest)| {
                Value::object([
                    ("type", Value::from(one.kind.name)),
                    ("id", Value::from(&one.id)),
                    ("file", place(one).display().to_string().into()),
                    ("payload", digest.into()),
                    ("files", one.subjects.len().into()),
                    ("privacy", one.privacy.mode().into()),
                ])
            });
            output::json(&Value::object([("statements", Value::array(list))]))?;
        }
    }
    Ok(Exit::Ok)
}
