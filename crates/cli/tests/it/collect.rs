//! From files to signed statements: `attest create`, `sign` and what they refuse.

mod hostile;
mod outside;
mod room;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use attest::{Bundle, Statement};
use seal::Digest;
use seal::dsse::{PrivateKey, Signer as _};
use seal::key::SecretKey;

use crate::running::{countersign, said};

/// A copy of the example, to be changed.
pub struct Project(pub tempfile::TempDir);

impl Project {
    /// With a private key, `key.pem`.
    pub fn new() -> Project {
        let dir = tempfile::tempdir().expect("a directory");
        copy(&repository().join("examples/rag"), dir.path());
        let key = SecretKey::from_seed([7; 32]);
        fs::write(dir.path().join("key.pem"), key.to_pem().as_bytes()).expect("a key");
        Project(dir)
    }

    /// A path below it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `countersign attest ARGS`, which must end with `exit`; what it printed.
    pub fn attest(&self, args: &[&str], exit: i32) -> String {
        let output = countersign(self.0.path(), &[&["attest"], args].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        said(&output)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("written");
    }

    /// Replaces a text in a file.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("text");
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// The files of the folder of attestations that end so, sorted.
    pub fn made(&self, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("attestations")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let ends = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
        let mut paths: Vec<PathBuf> = paths.filter(ends).collect();
        paths.sort();
        paths
    }

    /// The first statement of a type.
    pub fn statement(&self, kind: &str) -> Statement {
        let path = self.made(".statement.json").into_iter().find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind))
        });
        Statement::read(&fs::read(path.expect("a statement")).expect("bytes")).expect("a statement")
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => {
                fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
            }
        }
    }
}

#[test]
fn the_example_becomes_statements_and_bundles() {
    let project = Project::new();
    project.attest(&["create", "--determinism-check", "3"], 0);
    assert_eq!(project.made(".statement.json").len(), 6);
    // every file that a statement is about is a subject, with its digest and length
    for kind in ["model", "prompt", "corpus", "eval", "route", "slo"] {
        let statement = project.statement(kind);
        for subject in &statement.subjects {
            let bytes = fs::read(project.path(&subject.path)).expect("the file");
            assert_eq!(subject.digest, Digest::of(&bytes), "{}", subject.path);
            assert_eq!(subject.size, bytes.len() as u64);
        }
        for role in statement.kind.roles {
            let configured = fs::read_to_string(project.path(&format!("attest/{kind}.yaml")));
            let named = configured.expect("a configuration").contains(&format!("{}:", role.name));
            let there = statement.subjects.iter().any(|subject| subject.role == role.name);
            assert_eq!(named, there, "{kind} {}", role.name);
        }
    }
    assert_eq!(project.statement("corpus").trees.len(), 1);
    let digest_of = |kind: &str| Digest::of(project.statement(kind).write().as_bytes());
    let eval = project.statement("eval");
    let wanted = [
        ("prompt", digest_of("prompt")),
        ("corpus", digest_of("corpus")),
        ("model", digest_of("model")),
    ];
    let found: Vec<_> = eval.depends_on.iter().map(|one| (one.kind.as_str(), one.digest)).collect();
    assert_eq!(found, wanted);
    let metrics = eval.own.get("metrics").expect("metrics");
    assert_eq!(metrics.get("faithfulness").and_then(|one| one.as_str()), Some("0.9"));

    project.attest(&["sign", "--key", "key.pem"], 0);
    let key = PrivateKey::ed25519(SecretKey::from_seed([7; 32]));
    let bundles = project.made(".bundle.json");
    assert_eq!(bundles.len(), 6);
    for path in &bundles {
        let bundle = Bundle::read(&fs::read(path).expect("bytes")).expect("a bundle");
        assert_eq!(bundle.hint, key.public().hint());
        assert_eq!(bundle.envelope.signers([key.public()]).len(), 1);
        let digest = Digest::of(&bundle.envelope.payload).hex();
        assert!(path.to_string_lossy().contains(&digest[..16]));
    }
    let before: Vec<Vec<u8>> = bundles.iter().map(|path| fs::read(path).expect("bytes")).collect();
    assert!(project.attest(&["sign", "--key", "key.pem"], 0).contains("already"));
    let after: Vec<Vec<u8>> = bundles.iter().map(|path| fs::read(path).expect("bytes")).collect();
    assert_eq!(before, after);

    // a second signer's bundles lie beside the first one's
    let other = SecretKey::from_seed([8; 32]);
    project.write("other.pem", &other.to_pem());
    project.attest(&["sign", "--key", "other.pem"], 0);
    assert_eq!(project.made(".bundle.json").len(), 12);
}

/// What it is called, what is done to the project, the exit, and what is told.
type Case<'a> = (&'a str, &'a dyn Fn(&Project), i32, &'a str);

#[test]
fn what_is_refused_writes_nothing() {
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("secret"), "secret").expect("written");
    let absolute = outside.path().join("secret").display().to_string();
    let prompt = ["create", "--type", "prompt", "--config", "attest/prompt.yaml"];
    let to = |path: &str| format!("system_prompt: {path}");
    let cases: [Case<'_>; 16] = [
        ("absolute", &|p| p.edit("attest/prompt.yaml", PROMPT, &to(&absolute)), 78, "absolute"),
        ("up", &|p| p.edit("attest/prompt.yaml", PROMPT, &to("../x")), 78, "leads out"),
        (
            "inner up",
            &|p| p.edit("attest/prompt.yaml", PROMPT, &to("app/../../x")),
            78,
            "leads out",
        ),
        ("control", &|p| p.edit("attest/prompt.yaml", PROMPT, &to("\"app/a\\nb\"")), 78, "control"),
        ("gone", &|p| p.edit("attest/prompt.yaml", PROMPT, &to("app/none")), 66, "no such file"),
        ("directory", &|p| p.edit("attest/prompt.yaml", PROMPT, &to("app")), 78, "regular file"),
        (
            "link",
            &|p| {
                fs::remove_file(p.path("app/system_prompt.txt")).expect("removed");
                symlink(&absolute, p.path("app/system_prompt.txt")).expect("a link");
            },
            78,
            "symbolic link",
        ),
        (
            "link in a tree",
            &|p| symlink(&absolute, p.path("app/templates/more.txt")).expect("a link"),
            78,
            "app/templates/more.txt",
        ),
        (
            "linked directory",
            &|p| {
                fs::rename(p.path("app"), p.path("real")).expect("renamed");
                symlink("real", p.path("app")).expect("a link");
            },
            78,
            "symbolic link",
        ),
        (
            "pipe",
            &|p| {
                let pipe = p.path("app/templates/pipe");
                let made = std::process::Command::new("mkfifo").arg(pipe).status();
                assert!(made.expect("mkfifo").success());
            },
            78,
            "regular file",
        ),
        (
            "control character in a tree",
            &|p| p.write("app/templates/a\u{1b}[31m.txt", "x"),
            78,
            "control",
        ),
        (
            "unknown key",
            &|p| p.edit("attest/prompt.yaml", "version:", "verson:"),
            78,
            "unknown key",
        ),
        ("not yaml", &|p| p.write("attest/prompt.yaml", "a: [\n"), 78, "attest/prompt.yaml"),
        (
            "empty tree",
            &|p| {
                fs::remove_dir_all(p.path("app/tools")).expect("removed");
                fs::create_dir(p.path("app/tools")).expect("made");
            },
            78,
            "0 files",
        ),
        ("bomb", &|p| p.write("attest/prompt.yaml", BOMB), 78, "attest/prompt.yaml"),
        (
            "twice",
            &|p| p.edit("attest/prompt.yaml", "app/render.yaml", "app/safety-policy.yaml"),
            78,
            "twice",
        ),
    ];
    for (name, change, exit, why) in cases {
        let project = Project::new();
        change(&project);
        let told = project.attest(&prompt, exit);
        assert!(told.contains(why), "{name}: {told}");
        assert!(!told.contains('\u{1b}'), "{name}: {told}");
        assert!(!project.path("attestations").exists(), "{name}");
        // nor when it is one of all
        let told = project.attest(&["create"], exit);
        assert!(told.contains(why), "{name}: {told}");
        assert!(!project.path("attestations").exists(), "{name}");
    }
}

const PROMPT: &str = "system_prompt: app/system_prompt.txt";
const BOMB: &str = "sensitivity: &a [x, x, x, x, x, x, x, x]\nsystem_prompt: [*a, *a, *a]\n";

#[test]
fn evals_are_computed_and_not_believed() {
    for (from, to, exit, why) in [
        ("\"passage_found\": \"1\"", "\"passage_found\": 1.5", 65, "passage_found"),
        ("{\"id\": \"q1\"", "{\"id\": \"q2\"", 65, "earlier"),
        ("{\"id\": \"q1\"", "{\"id\": \"q1\",", 65, "line 1"),
    ] {
        let project = Project::new();
        project.edit("eval/candidate.jsonl", from, to);
        assert!(project.attest(&["create"], exit).contains(why));
        assert!(!project.path("attestations").exists());
    }
    let project = Project::new();
    project.edit("eval/candidate.jsonl", "\"faithfulness\": \"0.95\", ", "");
    project.attest(&["create"], 0);
    let eval = project.statement("eval");
    assert_eq!(eval.own.get("passed").and_then(|one| one.as_bool()), Some(false));
    let failures = eval.own.get("failures").and_then(|one| one.as_array()).expect("failures");
    assert_eq!(failures, ["faithfulness".into()]);
}

#[test]
fn what_a_statement_builds_on_must_be_there() {
    let project = Project::new();
    let eval = ["create", "--type", "eval", "--config", "attest/eval.yaml"];
    assert!(project.attest(&eval, 10).contains("prompt"));
    assert!(!project.path("attestations").exists());
    project.attest(&["create"], 0);
    project.attest(&eval, 0);
    assert_eq!(project.made(".statement.json").len(), 7);
    project.attest(&["create", "--replace"], 0);
    assert_eq!(project.made(".statement.json").len(), 6);
}

#[test]
fn only_whole_statements_are_signed() {
    let project = Project::new();
    assert!(project.attest(&["sign", "--key", "key.pem"], 66).contains("attestations"));
    project.attest(&["create"], 0);
    let path = project.made("slo").first().cloned();
    assert!(path.is_none(), "names end with what they are");
    let statements = project.made(".statement.json");
    let text = fs::read_to_string(&statements[0]).expect("text");
    for changed in [
        text.replace("\"_type\"", " \"_type\""),
        text.replace("Statement/v1", "Statement/v2"),
        "{}".to_owned(),
        String::new(),
    ] {
        fs::write(&statements[0], changed).expect("written");
        project.attest(&["sign", "--key", "key.pem"], 65);
        assert_eq!(project.made(".bundle.json").len(), 0);
    }
    fs::write(&statements[0], text).expect("written");
    project.write("no.pem", "-----BEGIN PRIVATE KEY-----\n");
    project.attest(&["sign", "--key", "no.pem"], 65);
    project.attest(&["sign", "--key", "none.pem"], 66);
    assert_eq!(project.made(".bundle.json").len(), 0);
    project.attest(&["sign", "--key", "key.pem", "--out", "elsewhere"], 0);
    assert_eq!(fs::read_dir(project.path("elsewhere")).expect("a folder").count(), 6);
    assert_eq!(project.made(".bundle.json").len(), 0);
}

#[test]
fn nothing_is_written_into_a_directory_that_is_attested_whole() {
    let project = Project::new();
    let told = project.attest(&["create", "--out", "data/documents/out"], 78);
    assert!(told.contains("data/documents"), "{told}");
    assert!(!project.path("data/documents/out").exists());
}

/// Of the age specification's test suite: nobody's keys.
const SECRET: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

const CREATE: &[&str] = &["create", "--type", "prompt", "--config", "attest/prompt.yaml"];

fn configure(project: &Project, more: &str) {
    let text = fs::read_to_string(project.path("attest/prompt.yaml")).expect("text");
    project.write("attest/prompt.yaml", &format!("{text}{more}"));
}

#[test]
fn an_encrypted_payload_opens_for_its_recipients_and_is_held_against_the_statement() {
    let project = Project::new();
    configure(&project, &format!("privacy_mode: encrypted_payload\nrecipients: [{PUBLIC}]\n"));
    project.attest(&[CREATE, &["--determinism-check", "3"]].concat(), 0);
    project.attest(&["sign", "--key", "key.pem"], 0);
    project.write("me.age", SECRET);
    let bundle = project.made(".bundle.json").remove(0).display().to_string();
    let open = |more: &[&str], exit| {
        project.attest(&[&["decrypt", &bundle, "--identity", "me.age"], more].concat(), exit)
    };
    open(&["--out", "opened"], 0);
    let statement = project.statement("prompt");
    for subject in &statement.subjects {
        let content = fs::read(project.path(&subject.path)).expect("the file");
        assert_eq!(fs::read(project.path("opened").join(&subject.path)).expect("opened"), content);
        // nothing in the statement can be guessed from
        assert!(subject.salt.is_some() && subject.digest != Digest::of(&content));
    }
    open(&["--out", "opened"], 73);

    // Debian's age reads it too, where there is one
    let sealed = project.made(".payload.age").remove(0);
    match std::process::Command::new("age")
        .args(["--decrypt", "--identity", "me.age"])
        .arg(&sealed)
        .current_dir(project.0.path())
        .output()
    {
        Ok(output) => {
            assert!(output.status.success(), "{}", said(&output));
            let text = String::from_utf8(output.stdout).expect("text");
            assert!(text.contains("\"name\":\"app/system_prompt.txt\""));
        }
        Err(error) => eprintln!("skipped: age: {error}"),
    }

    let good = fs::read(&sealed).expect("bytes");
    // another encryption of other content for the same recipient
    let other = crypt::Recipients::parse([PUBLIC]).expect("a key").seal(b"other").expect("sealed");
    fs::write(&sealed, &other).expect("written");
    assert!(open(&["--out", "again"], 12).contains("digest"));
    assert!(!project.path("again").exists());
    project.attest(&["sign", "--key", "key.pem", "--out", "elsewhere"], 65);
    fs::write(&sealed, &good).expect("written");
    let stranger = std::process::Command::new("age-keygen").output();
    match stranger {
        Ok(output) => {
            fs::write(project.path("me.age"), output.stdout).expect("written");
            assert!(open(&[], 65).contains("for others"));
        }
        Err(error) => eprintln!("skipped: age-keygen: {error}"),
    }
    fs::remove_file(&sealed).expect("removed");
    open(&[], 66);
}

#[test]
fn a_commitment_hides_what_could_be_guessed() {
    let project = Project::new();
    configure(&project, "salted: [system_prompt]\n");
    project.attest(CREATE, 0);
    let statement = project.statement("prompt");
    let salts = project.made(".salts.json").remove(0);
    let (id, salts) =
        attest::privacy::Salts::read(&fs::read(salts).expect("bytes")).expect("salts");
    assert_eq!(id, statement.id);
    for subject in &statement.subjects {
        let content = fs::read(project.path(&subject.path)).expect("the file");
        if subject.role != "system_prompt" {
            assert_eq!(subject.digest, Digest::of(&content));
            continue;
        }
        let (commitment, salt) = salts.commit(&subject.role, &subject.path, &content);
        assert_eq!((subject.digest, subject.salt), (commitment, Some(salt)));
    }
    // who has the salts compares; without them nobody can
    project.attest(&["sign", "--key", "key.pem"], 0);
    let key = SecretKey::from_seed([7; 32]);
    project.write("key.pub.pem", &seal::Signer::public(&key).to_pem());
    let add = ["trust", "add", "--trust", "t.yaml", "--name", "a", "--purpose", "statements"];
    let output = countersign(project.0.path(), &[&add[..], &["--key", "key.pub.pem"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let file = project.made(".salts.json").remove(0).display().to_string();
    fs::rename(&file, project.path("kept")).expect("renamed");
    let verify = ["verify", "--trust", "t.yaml", "--salts", "kept"];
    project.attest(&verify, 0);
    let told = project.attest(&verify[..3], 10);
    assert!(told.contains("salt"), "{told}");
    project.edit("app/system_prompt.txt", "euros", "crown");
    project.attest(&verify, 12);
    project.edit("app/system_prompt.txt", "crown", "euros");
    fs::rename(project.path("kept"), &file).expect("renamed");
    for path in project.made(".bundle.json") {
        fs::remove_file(path).expect("removed");
    }

    // another time, another salt
    project.attest(&[CREATE, &["--replace"]].concat(), 0);
    assert_eq!(project.made(".salts.json").len(), 1);
    let digest = |statement: &Statement| {
        statement.subjects.iter().find(|one| one.salt.is_some()).map(|one| one.digest)
    };
    assert_ne!(digest(&project.statement("prompt")), digest(&statement));
}

#[test]
fn files_in_the_clear_are_embedded_only_where_that_is_allowed() {
    let project = Project::new();
    configure(&project, "privacy_mode: plaintext_explicit\n");
    assert!(project.attest(CREATE, 78).contains("plaintext_allowed"));
    assert!(!project.path("attestations").exists());
    let text = fs::read_to_string(project.path("countersign.attest.yaml")).expect("text");
    project.write(
        "countersign.attest.yaml",
        &format!("{text}privacy: {{plaintext_allowed: [prompt]}}\n"),
    );
    project.attest(CREATE, 0);
    let statement = project.statement("prompt");
    let attest::statement::Privacy::PlaintextExplicit(files) = &statement.privacy else {
        panic!("{:?}", statement.privacy);
    };
    assert_eq!(files.len(), statement.subjects.len());
    for (path, text) in files {
        assert_eq!(&fs::read_to_string(project.path(path)).expect("text"), text);
    }
    fs::write(project.path("app/templates/binary"), [0xff, 0xfe]).expect("written");
    assert!(project.attest(CREATE, 65).contains("app/templates/binary"));
}

#[test]
fn a_project_begins_with_configurations_to_fill_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str], exit: i32| {
        let output = countersign(dir.path(), args);
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        said(&output)
    };
    let told = run(&["attest", "init"], 0);
    assert!(told.contains("purpose: statements"), "{told}");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(dir.path().join(name)).expect("a file").permissions().mode() & 0o777
    };
    assert_eq!(mode(".countersign/keys/statements.pem"), 0o600);
    assert_eq!(
        fs::read_to_string(dir.path().join(".countersign/.gitignore")).expect("text"),
        "*\n"
    );
    // every template is a configuration whose files are not there yet
    for kind in attest::types::ALL {
        let yaml = fs::read(dir.path().join(format!("attest/{}.yaml", kind.name))).expect("yaml");
        collect::Config::read(kind, &yaml).expect(kind.name);
    }
    run(&["attest", "create"], 66);
    run(&["attest", "init"], 73);
}

#[test]
fn the_demonstration_notices_the_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let demo = dir.path().join("demo").display().to_string();
    let output = countersign(dir.path(), &["attest", "demo", &demo]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("app/system_prompt.txt (system_prompt)"), "{told}");
    // it writes the example, all of it
    let mut left = vec![repository().join("examples/rag")];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let below = fs::read_dir(&path).expect("a directory");
            left.extend(below.map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let name = path.strip_prefix(repository().join("examples/rag")).expect("below");
        let made = dir.path().join("demo").join(name);
        assert!(made.is_file(), "{} is not in the demonstration", name.display());
    }
    assert_eq!(countersign(dir.path(), &["attest", "demo", &demo]).status.code(), Some(73));
}

#[test]
fn a_change_calls_for_its_statements_and_those_that_build_on_them() {
    let project = Project::new();
    let git = |args: &[&str]| {
        let set = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let output = std::process::Command::new("git")
            .arg("-C")
            .arg(project.0.path())
            .args(set)
            .args(args)
            .output()
            .expect("git");
        assert!(output.status.success(), "{}", said(&output));
    };
    // what cannot be told is no empty list
    assert!(project.attest(&["create", "--changed-only"], 65).contains("not known"));
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    project.attest(&["create"], 0);
    let commit = |kind: &str| project.statement(kind).source.expect("a source").commit;
    assert!(commit("prompt").len() == 40, "{}", commit("prompt"));
    assert!(project.attest(&["create", "--changed-only"], 0).contains("nothing to create"));
    project.attest(&["create", "--changed-only", "--git-ref=--output=x"], 65);
    let made = |change: &str| {
        let told = project.attest(&["create", "--changed-only", "--replace"], 0);
        git(&["checkout", "-q", "--", "."]);
        git(&["clean", "-fdq", "-e", "attestations"]);
        let kinds = told.lines().filter_map(|line| line.split(' ').next());
        let kinds: Vec<&str> = kinds.filter(|kind| attest::types::named(kind).is_some()).collect();
        (change.to_owned(), kinds.join(" "))
    };
    let expect = |change: &str, kinds: &str| (change.to_owned(), kinds.to_owned());
    project.edit("slo/profile.yaml", "manager", "owner");
    assert_eq!(made("slo"), expect("slo", "slo"));
    // an added file of a tree, under a name that git would quote
    project.write("data/documents/gr\u{fc}n.md", "# Green\n");
    let told = made("added");
    assert_eq!(told, expect("added", "corpus eval route slo"));
    project.edit("attest/model.yaml", "1.2", "1.3");
    assert_eq!(made("model"), expect("model", "model eval route slo"));
    project.edit("app/system_prompt.txt", "euros", "dollars");
    project.attest(&["create", "--changed-only", "--replace"], 0);
    assert!(commit("prompt").ends_with("+changes"), "{}", commit("prompt"));
    assert!(!commit("eval").ends_with("+changes"), "{}", commit("eval"));
    git(&["checkout", "-q", "--", "."]);
    project.write("list", "unrelated\0route/canary.yaml\0");
    let told = project.attest(&["create", "--changed-only", "--changed-from", "list"], 0);
    assert!(told.contains("\nroute ") && !told.contains("eval-"), "{told}");
}
