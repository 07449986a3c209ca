//! What git says of a work tree: which files changed since a base, and what files were in the base.
//!
//! Names come NUL-terminated, so that no quoting hides one; renames are a removal and an addition; a
//! revision is resolved once and is a hash from then on. Whatever git refuses or does not understand is
//! an error: an empty answer would open every gate.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use attest::gate::Change;

use crate::make::Checkout;

/// A repository with a work tree.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
}

/// A commit, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    /// The hash, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.0
    }
}

/// Git gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// It could not be started.
    #[error("git cannot be run: {0}")]
    Start(String),
    /// It refused.
    #[error("git {command}: {said}")]
    Refused {
        /// What it was asked.
        command: String,
        /// What it said.
        said: String,
    },
    /// What it said is not what it says.
    #[error("git {0} gave an answer that is none")]
    Answer(String),
    /// No such commit.
    #[error("{0:?} names no commit here; fetch it, or name another")]
    Unknown(String),
    /// Several things have this name, and git would take the tag.
    #[error("{name:?} is said of {}; name one of them as a whole", found.join(" and "))]
    Ambiguous {
        /// The revision.
        name: String,
        /// What it may mean.
        found: Vec<String>,
    },
    /// Two commits that have nothing in common, or not in a clone that is cut off.
    #[error("the base and HEAD have no commit in common here; is the clone shallow?")]
    Unrelated,
    /// A path that is no plain file of a commit.
    #[error("{path} is no plain file in {commit}")]
    NoFile {
        /// The path below the root.
        path: String,
        /// The commit's hash.
        commit: String,
    },
    /// A file that is larger than it may be.
    #[error("{0} is too large")]
    TooLarge(String),
}

impl Repository {
    /// The repository that a directory is in.
    pub fn of(dir: &Path) -> Result<Repository, GitError> {
        let said = ask(dir, &["rev-parse", "--show-toplevel"])?;
        let root = said.strip_suffix(b"\n").filter(|root| !root.is_empty());
        let answer = || GitError::Answer("rev-parse --show-toplevel".into());
        let root = PathBuf::from(OsStr::from_bytes(root.ok_or_else(answer)?));
        // `core.worktree` may name any directory, and another repository in it would be asked.
        match dir.canonicalize().is_ok_and(|dir| dir.starts_with(&root)) {
            true => Ok(Repository { root }),
            false => Err(answer()),
        }
    }

    /// The root of its work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that a revision names. Nothing in `revision` is taken for an option.
    pub fn commit(&self, revision: &str) -> Result<Commit, GitError> {
        let unknown = || GitError::Unknown(revision.to_owned());
        if revision.is_empty() || revision.contains('\0') {
            return Err(unknown());
        }
        self.unambiguous(revision)?;
        let named = format!("{revision}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &named];
        match ask(&self.root, &arguments) {
            Ok(said) => hash(&said).ok_or_else(unknown),
            Err(GitError::Refused { .. }) => Err(unknown()),
            Err(error) => Err(error),
        }
    }

    /// Who may push a tag may call it `origin/main`, and git would take it for that branch.
    fn unambiguous(&self, revision: &str) -> Result<(), GitError> {
        let name = revision.split(['^', '~', ':', '@']).next().unwrap_or_default();
        // gitrevisions(7), <refname>
        let mut places: Vec<String> = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
            .iter()
            .map(|above| format!("{above}{name}"))
            .collect();
        places.push(format!("refs/remotes/{name}/HEAD"));
        if name.starts_with("refs/") {
            places.push(name.to_owned());
        }
        let mut arguments = vec!["for-each-ref", "--format=%(refname)"];
        arguments.extend(places.iter().map(String::as_str));
        let said = ask(&self.root, &arguments)?;
        let mut found: Vec<String> = said.split(|byte| *byte == b'\n').map(text).collect();
        found.retain(|one| places.contains(one));
        let hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex && (4..40).contains(&name.len()) && !found.is_empty() {
            let short = format!("--disambiguate={name}");
            let said = ask(&self.root, &["rev-parse", &short])?;
            found.extend(said.split(|b| *b == b'\n').filter(|id| !id.is_empty()).map(text));
        }
        match found.as_slice() {
            [] => Ok(()),
            // A whole name is that, and nothing called so further down.
            [one] if !name.starts_with("refs/") || one == name => Ok(()),
            _ => Err(GitError::Ambiguous { name: revision.to_owned(), found }),
        }
    }

    /// What changed since HEAD and `base` had something in common: in commits, in the index, in the
    /// work tree, and files that git does not know and was not told to ignore. Sorted.
    pub fn changes(&self, base: &Commit) -> Result<Vec<Change>, GitError> {
        let head = self.commit("HEAD")?;
        let said = match ask(&self.root, &["merge-base", "--all", &base.0, &head.0]) {
            Ok(said) => said,
            // It says nothing when there is none.
            Err(GitError::Refused { said, .. }) if said.is_empty() => {
                return Err(GitError::Unrelated);
            }
            Err(error) => return Err(error),
        };
        let bases: Option<Vec<Commit>> = said.split_inclusive(|b| *b == b'\n').map(hash).collect();
        let bases = bases.ok_or_else(|| GitError::Answer("merge-base".into()))?;
        if bases.is_empty() {
            return Err(GitError::Unrelated);
        }
        self.differences(&bases, &head)
    }

    /// What differs from a commit, wherever HEAD is: in HEAD, in the index, in the work tree, and what
    /// git does not know. Sorted.
    pub fn since(&self, commit: &Commit) -> Result<Vec<Change>, GitError> {
        self.differences(std::slice::from_ref(commit), &self.commit("HEAD")?)
    }

    /// What [`Repository::changes`] says of the files below a directory, by their paths from there.
    pub fn changes_below(dir: &Path, base: &str) -> Result<Vec<String>, GitError> {
        let said = ask(dir, &["rev-parse", "--show-prefix"])?;
        let above = said.strip_suffix(b"\n").map(text);
        let above = above.ok_or_else(|| GitError::Answer("rev-parse --show-prefix".into()))?;
        let repository = Repository::of(dir)?;
        let changes = repository.changes(&repository.commit(base)?)?;
        let below = |change: Change| change.path.strip_prefix(&above).map(str::to_owned);
        Ok(changes.into_iter().filter_map(below).collect())
    }

    fn differences(&self, bases: &[Commit], head: &Commit) -> Result<Vec<Change>, GitError> {
        let (known, untracked) = std::thread::scope(|scope| {
            let others = ["ls-files", "-z", "--others", "--exclude-standard", "--full-name"];
            let untracked = scope.spawn(move || ask(&self.root, &others));
            (Index::of(&self.root), joined(untracked))
        });
        let index = known?;
        // In this order: what the work tree says of a file is the last word. All three, for a commit may
        // be undone in the work tree, and the index can be told to overlook files.
        let asked: Vec<Vec<&str>> = bases
            .iter()
            .flat_map(|base| {
                let base = base.hash();
                [vec![base, head.hash()], vec!["--cached", base], vec![base]]
            })
            .collect();
        let mut found = BTreeMap::new();
        for some in asked.chunks(AT_ONCE) {
            let said: Vec<Result<Vec<u8>, GitError>> = std::thread::scope(|scope| {
                let off = &index.off;
                let ask = |what| scope.spawn(move || self.diff(what, off));
                let asked: Vec<_> = some.iter().map(|what| ask(what.as_slice())).collect();
                asked.into_iter().map(joined).collect()
            });
            for said in said {
                differing(&said?, &mut found)?;
            }
        }
        for path in index.overlooked {
            let at = self.root.join(OsStr::from_bytes(&path));
            let gone = at.symlink_metadata().is_err();
            found.insert(text(&path), (gone, false));
        }
        let untracked = untracked?;
        for path in listed(&untracked, "ls-files")? {
            let name = path.strip_suffix(b"/").unwrap_or(path);
            let at = self.root.join(OsStr::from_bytes(name));
            let whole = name != path || at.symlink_metadata().is_ok_and(|one| one.is_symlink());
            found.insert(text(name), (false, whole));
        }
        let change = |(path, (gone, whole))| Change { path, gone, whole };
        Ok(found.into_iter().map(change).collect())
    }

    fn diff(&self, what: &[&str], off: &[(String, String)]) -> Result<Vec<u8>, GitError> {
        const HOW: [&str; 10] = [
            "diff",
            "-z",
            "--no-renames",
            "--raw",
            "--abbrev=4",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "-O/dev/null",
            "--ignore-submodules=none",
        ];
        let arguments: Vec<&str> = HOW.iter().chain(what).copied().chain(["--"]).collect();
        ask_with(&self.root, off, &arguments)
    }

    /// The content of a plain file in a commit.
    pub fn file(&self, commit: &Commit, path: &str, limit: u64) -> Result<Vec<u8>, GitError> {
        let none = || GitError::NoFile { path: path.into(), commit: commit.0.clone() };
        let said = ask(&self.root, &["ls-tree", "-z", "--full-tree", &commit.0, "--", path])?;
        // `<mode> SP <type> SP <object> TAB <path> NUL`, one for a path that is a file.
        let line = said.strip_suffix(b"\0").ok_or_else(none)?;
        let tab = line.iter().position(|byte| *byte == b'\t').ok_or_else(none)?;
        let (facts, name) = (&line[..tab], &line[tab + 1..]);
        let facts = std::str::from_utf8(facts).map_err(|_| none())?;
        let mut facts = facts.split(' ');
        let mode = facts.next().unwrap_or_default();
        let object = facts.nth(1).unwrap_or_default();
        // A link's content is a path, and what lies there is not of this commit.
        if name != path.as_bytes() || !matches!(mode, "100644" | "100755") {
            return Err(none());
        }
        let size = ask(&self.root, &["cat-file", "-s", object])?;
        let size = std::str::from_utf8(&size).ok().and_then(|size| size.trim().parse::<u64>().ok());
        if size.ok_or_else(none)? > limit {
            return Err(GitError::TooLarge(path.into()));
        }
        ask(&self.root, &["cat-file", "blob", object])
    }

    /// A path as the repository calls it, if it is in the work tree: by its names alone, so that no
    /// link of the work tree leads elsewhere.
    pub fn inside(&self, path: &Path) -> Option<String> {
        let mut names: Vec<&OsStr> = Vec::new();
        for part in path.components() {
            match part {
                std::path::Component::Normal(name) => names.push(name),
                std::path::Component::ParentDir => drop(names.pop()),
                _ => {}
            }
        }
        let whole: PathBuf = Path::new("/").join(names.iter().collect::<PathBuf>());
        let inside = whole.strip_prefix(&self.root).ok().filter(|_| path.is_absolute())?;
        inside.to_str().filter(|inside| !inside.is_empty()).map(str::to_owned)
    }
}

/// What git says of a directory, once it was asked.
pub type Later = LazyLock<Option<Checkout>, Box<dyn FnOnce() -> Option<Checkout> + Send>>;

impl Checkout {
    /// What git says of the commit that a directory has checked out, and which files below differ from
    /// it; nothing where there is no git, or no commit.
    pub fn of(dir: &Path) -> Option<Checkout> {
        Checkout::asked(dir, false)
    }

    /// The same, and files that git was told to ignore are none of the commit either. Of a repository
    /// within, git does not tell them, so that it counts as one that differs.
    pub fn whole(dir: &Path) -> Option<Checkout> {
        Checkout::asked(dir, true)
    }

    fn asked(dir: &Path, whole: bool) -> Option<Checkout> {
        let ignored = if whole { "--ignored=matching" } else { "--ignored=no" };
        let asked = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"];
        let index = Index::of(dir).ok()?;
        let said = ask_with(
            dir,
            &index.off,
            &[&asked[..], &[ignored, "--no-renames", "--ignore-submodules=none", "--", "."]]
                .concat(),
        )
        .ok()?;
        let (mut commit, mut changed) = (None, Vec::new());
        for line in said.split(|byte| *byte == 0).map(text) {
            if let Some(id) = line.strip_prefix("# branch.oid ") {
                commit = is_id(id).then(|| id.to_owned());
            }
            // git-status(1), porcelain format version 2: the path stands behind so many fields
            let fields = match line.as_bytes().first() {
                Some(b'1') => 8,
                Some(b'2') => 9,
                Some(b'u') => 10,
                Some(b'?' | b'!') => 1,
                _ => continue,
            };
            changed.extend(line.splitn(fields + 1, ' ').nth(fields).map(str::to_owned));
        }
        changed.extend(index.overlooked.iter().map(|path| text(path)));
        if whole {
            changed.extend(index.modules.iter().map(|path| text(path)));
        }
        Some(Checkout { commit: commit?, changed })
    }

    /// What [`Checkout::of`] says, asked by a thread from now on; whoever wants the answer waits for it.
    pub fn later(dir: PathBuf) -> Later {
        let asked = std::thread::spawn(move || Checkout::of(&dir));
        LazyLock::new(Box::new(move || asked.join().ok()?))
    }

    /// What the caller says.
    pub fn said(commit: String) -> Later {
        LazyLock::new(Box::new(move || Some(Checkout { commit, changed: Vec::new() })))
    }
}

/// Paths of a list that somebody else made: one a line, or NUL-terminated.
pub fn listed_changes(list: &[u8]) -> Result<Vec<Change>, String> {
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| list.starts_with(mark)) {
        return Err("the list begins with a byte order mark; write it as plain UTF-8".into());
    }
    let end = if list.contains(&0) { 0 } else { b'\n' };
    let mut found = Vec::new();
    for path in list.split(|byte| *byte == end) {
        let path = match end {
            b'\n' => path.strip_suffix(b"\r").unwrap_or(path),
            _ => path,
        };
        if path.is_empty() {
            continue;
        }
        let path = text(path);
        // Git quotes such names in lines: this is a list of something else.
        if end == b'\n' && path.contains(|c: char| c.is_ascii_control()) {
            return Err(format!("{path:?} is no line of git diff --name-only; use -z"));
        }
        // It would fit no pattern, and its gate would stay open.
        let odd = |name: &str| matches!(name, "" | "." | "..");
        if path.starts_with('"') || path.split('/').any(odd) {
            return Err(format!(
                "{path:?} is no path below the root, as git diff -z --name-only has them"
            ));
        }
        found.push(Change { path, gone: false, whole: false });
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files and the status that `git diff --raw -z` tells of: whether they are gone, and whether they
/// stand for what lies below them.
fn differing(said: &[u8], found: &mut BTreeMap<String, (bool, bool)>) -> Result<(), GitError> {
    let no_answer = || GitError::Answer("diff".into());
    let mut fields = listed(said, "diff")?.into_iter();
    while let Some(facts) = fields.next() {
        let path = fields.next().filter(|path| !path.is_empty()).ok_or_else(no_answer)?;
        // `:<mode> SP <mode> SP <object> SP <object> SP <status>`
        let facts = std::str::from_utf8(facts).map_err(|_| no_answer())?;
        let facts: Vec<&str> = facts.strip_prefix(':').unwrap_or_default().split(' ').collect();
        let [before, after, _, _, status] = facts.as_slice() else { return Err(no_answer()) };
        let gone = match *status {
            "D" => true,
            "A" | "M" | "T" | "U" => false,
            _ => return Err(no_answer()),
        };
        // What lies below a submodule or a link is not listed.
        let whole = [before, after].iter().any(|mode| matches!(**mode, "160000" | "120000"));
        let known = found.entry(text(path)).or_insert((gone, whole));
        *known = (gone, known.1 || whole);
    }
    Ok(())
}

/// What has to be known before git may compare a file.
struct Index {
    /// Settings that turn the filters off which the repository or one of its submodules brings: git
    /// would run them to compare a file, and compare what they say. A file that needs one differs, then.
    off: Vec<(String, String)>,
    /// Files that git does not compare, for somebody told it so; those of a sparse checkout only where
    /// they are there. By their paths from the directory.
    overlooked: Vec<Vec<u8>>,
    /// The submodules, likewise.
    modules: Vec<Vec<u8>>,
}

impl Index {
    /// Of what lies below a directory.
    fn of(dir: &Path) -> Result<Index, GitError> {
        let mut found = Index { off: Vec::new(), overlooked: Vec::new(), modules: Vec::new() };
        let mut open = vec![dir.to_path_buf()];
        let mut seen = 0;
        while let Some(module) = open.pop() {
            seen += 1;
            if seen > SUBMODULES {
                return Err(GitError::Answer("ls-files: too many submodules".into()));
            }
            let (off, files) = std::thread::scope(|scope| {
                let files = scope.spawn(|| ask(&module, &["ls-files", "-s", "-v", "-z"]));
                (filters(&module), joined(files))
            });
            found.off.append(&mut off?);
            for line in listed(&files?, "ls-files")? {
                let (tag, is_module, path) = file(line)?;
                let at = module.join(OsStr::from_bytes(path));
                if is_module && at.join(".git").exists() {
                    open.push(at.clone());
                }
                let counts = match tag {
                    b'S' | b's' => at.symlink_metadata().is_ok(),
                    _ => tag.is_ascii_lowercase(),
                };
                if counts && seen == 1 {
                    found.overlooked.push(path.to_vec());
                }
                if is_module && seen == 1 {
                    found.modules.push(path.to_vec());
                }
            }
        }
        Ok(found)
    }
}

/// `<tag> SP <mode> SP <object> SP <stage> TAB <path>`: the tag, whether it is a submodule, the path.
fn file(line: &[u8]) -> Result<(u8, bool, &[u8]), GitError> {
    let tab = line.iter().position(|byte| *byte == b'\t');
    let (facts, path) = tab.and_then(|tab| line.split_at_checked(tab)).unwrap_or_default();
    match (facts, path) {
        ([tag, b' ', facts @ ..], [b'\t', path @ ..]) if !path.is_empty() => {
            Ok((*tag, facts.starts_with(b"160000 "), path))
        }
        _ => Err(GitError::Answer("ls-files".into())),
    }
}

fn filters(dir: &Path) -> Result<Vec<(String, String)>, GitError> {
    const LIST: [&str; 6] =
        ["config", "--show-scope", "--includes", "-z", "--name-only", "--get-regexp"];
    let said = match ask(dir, &[&LIST[..], &["^filter\\."]].concat()) {
        // It says nothing when there is none.
        Err(GitError::Refused { said, .. }) if said.is_empty() => Vec::new(),
        said => said?,
    };
    let mut off = Vec::new();
    for pair in listed(&said, "config")?.chunks(2) {
        let [scope, key] = pair else { return Err(GitError::Answer("config".into())) };
        let (key, own) = (text(key), !matches!(*scope, b"system" | b"global"));
        if let Some((filter, _)) = key.rsplit_once('.').filter(|_| own) {
            off.extend(["clean", "process"].map(|act| (format!("{filter}.{act}"), "".into())));
            off.push((format!("{filter}.required"), "false".into()));
        }
    }
    Ok(off)
}

/// Most submodules looked into.
const SUBMODULES: usize = 1_000;
/// So many comparisons at a time.
const AT_ONCE: usize = 6;

fn joined(
    asked: std::thread::ScopedJoinHandle<'_, Result<Vec<u8>, GitError>>,
) -> Result<Vec<u8>, GitError> {
    asked.join().unwrap_or_else(|_| Err(GitError::Start("a thread ended".into())))
}

fn ask(dir: &Path, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    ask_with(dir, &[], arguments)
}

fn ask_with(
    dir: &Path,
    settings: &[(String, String)],
    arguments: &[&str],
) -> Result<Vec<u8>, GitError> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).arg("--no-pager");
    // What the repository's own settings could have git run, or leave out.
    for setting in [
        "core.fsmonitor=false",
        "core.untrackedCache=false",
        "core.ignoreStat=false",
        "core.checkStat=default",
        "core.trustctime=true",
        "core.ignoreCase=false",
        "core.hooksPath=/dev/null",
        "diff.external=",
        "advice.graftFileDeprecated=false",
    ] {
        command.arg("-c").arg(setting);
    }
    for (name, _) in std::env::vars_os() {
        // Another index, work tree, object store: this one is asked about.
        let keep = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];
        if name.as_encoded_bytes().starts_with(b"GIT_") && !keep.iter().any(|k| name == **k) {
            command.env_remove(name);
        }
    }
    // Names of filters may hold what a setting on the command line may not.
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (at, (name, value)) in settings.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{at}"), name);
        command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .stdin(Stdio::null());
    let ran = command.output().map_err(|error| GitError::Start(error.to_string()))?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let said = String::from_utf8_lossy(&ran.stderr).trim().chars().take(512).collect();
    Err(GitError::Refused { command: arguments.first().copied().unwrap_or_default().into(), said })
}

fn hash(said: &[u8]) -> Option<Commit> {
    let text = std::str::from_utf8(said.strip_suffix(b"\n")?).ok()?;
    is_id(text).then(|| Commit(text.to_owned()))
}

fn is_id(text: &str) -> bool {
    let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex && matches!(text.len(), 40 | 64)
}

/// The NUL-terminated fields of an answer.
fn listed<'a>(said: &'a [u8], command: &str) -> Result<Vec<&'a [u8]>, GitError> {
    match said.strip_suffix(b"\0") {
        Some(fields) => Ok(fields.split(|byte| *byte == 0).collect()),
        None if said.is_empty() => Ok(Vec::new()),
        None => Err(GitError::Answer(command.into())),
    }
}

/// A path as text. Patterns are text, so a byte that is none is in no pattern, and fits wherever any
/// character does.
fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests;
