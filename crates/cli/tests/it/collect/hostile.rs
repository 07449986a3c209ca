//! What the files, the repository and the neighbours of a project could do to who attests it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use attest::{Bundle, Statement};
use seal::key::SecretKey;

use super::{CREATE, Project, configure};
use crate::running::{countersign, said};

fn git(dir: &Path, args: &[&str]) -> Output {
    let set = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    let always = ["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"];
    let output = Command::new("git").arg("-C").arg(dir).args(set).args(always).args(args).output();
    let output = output.expect("git");
    assert!(output.status.success(), "{args:?} {}", said(&output));
    output
}

fn commit(dir: &Path) {
    git(dir, &["init", "-q"]);
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "--allow-empty", "-m", "one"]);
}

/// The commit that the statement of a prompt names.
fn named(project: &Project) -> String {
    project.statement("prompt").source.expect("a source").commit
}

/// Two prompts, of which each has a system prompt of its own.
fn two_prompts() -> Project {
    let project = Project::new();
    let text = fs::read_to_string(project.path("attest/prompt.yaml")).expect("text");
    project.write("attest/other.yaml", &text.replace("app/system_prompt.txt", "app/other.txt"));
    project.write("app/other.txt", "You answer in verse.\n");
    project.write(
        "countersign.attest.yaml",
        "version: 1\nstatements:\n  - {type: prompt, config: attest/prompt.yaml}\n  - {type: prompt, config: attest/other.yaml}\n",
    );
    project
}

#[test]
fn what_replaces_takes_only_what_it_stands_for() {
    let project = two_prompts();
    project.attest(&["create", "--replace"], 0);
    let first = project.made(".statement.json");
    assert_eq!(first.len(), 2);
    project.attest(&["sign", "--key", "key.pem"], 0);
    project.write("list", "app/other.txt\n");
    let some = ["create", "--replace", "--changed-only", "--changed-from", "list"];
    project.attest(&some, 0);
    let second = project.made(".statement.json");
    assert_eq!(second.len(), 2, "{second:?}");
    assert_eq!(first.iter().filter(|path| second.contains(path)).count(), 1);
    assert_eq!(project.made(".bundle.json").len(), 1);
    project.attest(&["create", "--replace"], 0);
    let third = project.made(".statement.json");
    assert_eq!((third.len(), project.made(".bundle.json").len()), (2, 0));
    assert!(third.iter().all(|path| !second.contains(path)));
}

#[test]
fn a_root_over_a_link_is_none() {
    let project = Project::new();
    let outside = Project::new();
    symlink(outside.0.path(), project.path("link")).expect("a link");
    fs::create_dir(project.path("inner")).expect("a directory");
    symlink(outside.0.path(), project.path("inner/link")).expect("a link");
    for root in ["link", "inner/link", "link/app"] {
        project.edit("countersign.attest.yaml", "root: .", &format!("root: {root}"));
        let told = project.attest(&["create"], 78);
        assert!(told.contains("symbolic link"), "{told}");
        project.edit("countersign.attest.yaml", &format!("root: {root}"), "root: .");
    }
    assert!(!project.path("attestations").exists());
}

#[test]
fn nothing_that_the_repository_names_is_run() {
    let project = Project::new();
    let dir = project.0.path();
    commit(dir);
    let ran = |name: &str| project.path(&format!(".git/ran-{name}"));
    let touch = |name: &str| format!("touch '{}'; cat", ran(name).display());
    for hook in ["post-index-change", "fsmonitor-watchman", "pre-commit"] {
        let path = project.path(&format!(".git/hooks/{hook}"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, format!("#!/bin/sh\n{}\n", touch("hook"))).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    }
    git(dir, &["config", "core.fsmonitor", &touch("monitor")]);
    for member in ["clean", "process"] {
        git(dir, &["config", &format!("filter.a=b.{member}"), &touch("filter")]);
    }
    git(dir, &["config", "filter.a=b.required", "true"]);
    git(dir, &["config", "diff.external", &touch("diff")]);
    project.write(".gitattributes", "* filter=a=b diff=a\n");
    for args in [&["create"][..], &["create", "--changed-only"]] {
        // the same length and another time: git has to look into it
        project.edit("app/system_prompt.txt", "e", "e");
        project.attest(args, 0);
    }
    for name in ["hook", "monitor", "filter", "diff"] {
        assert!(!ran(name).exists(), "{name} was run");
    }
}

#[test]
fn the_commit_is_that_of_the_directory_and_of_nothing_around() {
    let (project, other) = (Project::new(), Project::new());
    commit(project.0.path());
    other.write("app/system_prompt.txt", "another project\n");
    commit(other.0.path());
    let head = git(project.0.path(), &["rev-parse", "HEAD"]).stdout;
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args([&["attest"], CREATE].concat())
        .current_dir(project.0.path())
        .env("GIT_DIR", other.path(".git"))
        .env("GIT_WORK_TREE", other.0.path())
        .stdin(Stdio::null())
        .output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(named(&project), String::from_utf8_lossy(&head).trim());
}

#[test]
fn what_changes_in_a_repository_within_is_told() {
    let (project, other) = (Project::new(), tempfile::tempdir().expect("a directory"));
    fs::write(other.path().join("prompt.txt"), "You are brief.\n").expect("written");
    commit(other.path());
    commit(project.0.path());
    let from = other.path().display().to_string();
    git(project.0.path(), &["submodule", "--quiet", "add", &from, "module"]);
    project.edit("attest/prompt.yaml", "app/system_prompt.txt", "module/prompt.txt");
    commit(project.0.path());
    project.attest(CREATE, 0);
    assert_eq!(named(&project).len(), 40);
    project.write("module/prompt.txt", "You are long-winded.\n");
    let told = project.attest(&["create", "--changed-only", "--replace"], 10);
    assert!(told.contains("no statement"), "the prompt and what builds on it: {told}");
    project.attest(&[CREATE, &["--replace"]].concat(), 0);
    assert!(named(&project).ends_with("+changes"), "{}", named(&project));

    // one that the outer repository does not know at all
    fs::create_dir(project.path("nested")).expect("a directory");
    git(&project.path("nested"), &["init", "-q"]);
    project.write("nested/prompt.txt", "You are nobody's.\n");
    project.edit("attest/prompt.yaml", "module/prompt.txt", "nested/prompt.txt");
    project.attest(&[CREATE, &["--replace"]].concat(), 0);
    assert!(named(&project).ends_with("+changes"), "{}", named(&project));
}

/// Changes what the statement of a type says, as whoever has the folder can.
fn restate(project: &Project, kind: &str, change: impl FnOnce(&mut Statement)) {
    let mut statement = project.statement(kind);
    change(&mut statement);
    let path = project.path(&format!("attestations/{kind}-{}.statement.json", &statement.id[..8]));
    fs::write(path, statement.write()).expect("written");
}

#[test]
fn only_what_every_verifier_takes_is_signed() {
    let project = Project::new();
    project.attest(CREATE, 0);
    let whole = project.statement("prompt");
    type Change = fn(&mut Statement);
    let changes: [(&str, Change); 5] = [
        ("path", |one| one.subjects[0].path = "../../etc/passwd".into()),
        ("role", |one| one.subjects[0].role = "nobody".into()),
        ("roles", |one| one.subjects.retain(|one| one.role != "system_prompt")),
        ("dir", |one| one.trees.clear()),
        ("twice", |one| one.subjects.push(one.subjects[0].clone())),
    ];
    for (what, change) in changes {
        restate(&project, "prompt", change);
        let told = project.attest(&["sign", "--key", "key.pem"], 65);
        assert!(told.contains("every verifier"), "{what}: {told}");
        assert!(project.made(".bundle.json").is_empty(), "{what}");
        restate(&project, "prompt", |one| *one = whole.clone());
    }
    project.attest(&["sign", "--key", "key.pem"], 0);
    configure(&project, "expires_days: 0\n");
    assert!(project.attest(CREATE, 78).contains("expires"));
}

#[test]
fn a_threshold_asks_for_something() {
    let project = Project::new();
    let text = fs::read_to_string(project.path("attest/eval.yaml")).expect("text");
    let (head, _) = text.split_once("thresholds:").expect("thresholds");
    for bound in ["{}", "~", ""] {
        let yaml =
            format!("{head}thresholds:\n  latency_ms: {{max: 600}}\n  passage_found: {bound}\n");
        project.write("attest/eval.yaml", &yaml);
        let told = project.attest(&["create"], 78);
        assert!(told.contains("passage_found"), "{bound}: {told}");
        assert!(!project.path("attestations").exists());
    }
}

#[test]
fn figures_over_committed_results_are_computed_again() {
    let project = Project::new();
    let text = fs::read_to_string(project.path("attest/eval.yaml")).expect("text");
    project.write("attest/eval.yaml", &format!("{text}salted: [candidate_results]\n"));
    project.attest(&["create"], 0);
    let key = SecretKey::from_seed([7; 32]);
    project.write("key.pub.pem", &seal::Signer::public(&key).to_pem());
    let add = ["trust", "add", "--trust", "t.yaml", "--name", "a", "--purpose", "statements"];
    let output = countersign(project.0.path(), &[&add[..], &["--key", "key.pub.pem"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    project.attest(&["sign", "--key", "key.pem"], 0);
    project.attest(&["verify", "--trust", "t.yaml"], 0);
    let eval = project.made(".statement.json");
    let eval = eval.iter().find(|path| path.to_string_lossy().contains("/eval-"));
    let shown = project.attest(&["show", &eval.expect("a statement").display().to_string()], 0);
    assert!(shown.contains("regression_detected false"), "{shown}");
    for path in project.made(".bundle.json") {
        fs::remove_file(path).expect("removed");
    }
    restate(&project, "eval", |one| {
        let metrics = one.own.get_mut("metrics").expect("metrics");
        *metrics.get_mut("faithfulness").expect("a metric") = "0.99".into();
    });
    // nothing builds on the one that is changed
    for kind in ["route", "slo"] {
        let paths = project.made(".statement.json");
        let of = |path: &&std::path::PathBuf| path.to_string_lossy().contains(&format!("/{kind}-"));
        fs::remove_file(paths.iter().find(of).expect("a statement")).expect("removed");
    }
    project.attest(&["sign", "--key", "key.pem"], 0);
    let told = project.attest(&["verify", "--trust", "t.yaml"], 12);
    assert!(told.contains("metrics"), "{told}");
}

#[test]
fn who_signs_at_the_same_time_takes_nothing_from_the_other() {
    let project = Project::new();
    project.attest(&["create"], 0);
    for _ in 0..5 {
        let sign = || {
            Command::new(env!("CARGO_BIN_EXE_countersign"))
                .args(["attest", "sign", "--key", "key.pem"])
                .current_dir(project.0.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary runs")
        };
        let all: Vec<_> = (0..4).map(|_| sign()).collect();
        for one in all {
            let output = one.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{}", said(&output));
        }
        let bundles = project.made(".bundle.json");
        assert_eq!(bundles.len(), 6);
        for path in bundles {
            Bundle::read(&fs::read(&path).expect("bytes")).expect("a bundle");
            fs::remove_file(path).expect("removed");
        }
    }
}

#[test]
fn a_model_without_files_is_none() {
    let project = Project::new();
    fs::create_dir(project.path("empty")).expect("a directory");
    let sign = ["model", "sign", "empty", "--key", "key.pem"];
    assert!(project.attest(&sign, 65).contains("no file"));
    assert_eq!(fs::read_dir(project.path("empty")).expect("a directory").count(), 0);
}

#[test]
fn files_that_are_committed_to_do_not_fill_the_memory() {
    let project = Project::new();
    for number in 0..96 {
        let file = fs::File::create(project.path(&format!("app/templates/{number}")));
        file.and_then(|file| file.set_len(1 << 20)).expect("a file with nothing in it");
    }
    configure(&project, "salted: [templates]\n");
    // too little for all of the files, and enough for a few
    let output = Command::new("sh")
        .args(["-c", "ulimit -d 65536; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_countersign")])
        .args([&["attest"], CREATE].concat())
        .current_dir(project.0.path())
        .stdin(Stdio::null())
        .output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn salts_are_not_added_to_git_by_mistake() {
    let project = Project::new();
    configure(&project, "salted: [system_prompt]\n");
    project.attest(CREATE, 0);
    assert_eq!(project.made(".salts.json").len(), 1);
    commit(project.0.path());
    let listed = git(project.0.path(), &["ls-files", "attestations"]).stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    assert!(listed.contains(".statement.json") && !listed.contains("salts"), "{listed}");
    // one that is there says what its owner wants
    project.write("attestations/.gitignore", "");
    project.attest(CREATE, 0);
    assert_eq!(fs::read(project.path("attestations/.gitignore")).expect("bytes"), b"");
}

#[test]
fn a_type_that_is_named_twice_is_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = countersign(dir.path(), &["attest", "init", "--type", "slo", "--type", "slo"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(dir.path().join("countersign.attest.yaml")).expect("text");
    assert_eq!(text.matches("type: slo").count(), 1, "{text}");
}
