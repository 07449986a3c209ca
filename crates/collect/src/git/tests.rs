use super::*;
use std::fs;

struct Work(tempfile::TempDir);

impl Work {
    fn new() -> Work {
        let work = Work(tempfile::tempdir().unwrap());
        work.git(&["init", "-q", "-b", "main"]);
        work.write("app/a.txt", "one\n");
        work.write("app/b.txt", "a file that is long enough to be found again elsewhere\n");
        work.write("gate.yaml", "version: 1\n");
        work.commit("first");
        work.git(&["branch", "base"]);
        work
    }

    fn git(&self, arguments: &[&str]) {
        let ran = Command::new("git")
            .arg("-C")
            .arg(self.0.path())
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    fn repository(&self) -> Repository {
        Repository::of(self.0.path()).unwrap()
    }

    /// The changes since `base`, those that are gone with a minus.
    fn changes(&self) -> Vec<String> {
        let repository = self.repository();
        let base = repository.commit("base").unwrap();
        let shown =
            |change: Change| format!("{}{}", if change.gone { "-" } else { "" }, change.path);
        repository.changes(&base).unwrap().into_iter().map(shown).collect()
    }
}

#[test]
fn commits_index_work_tree_and_strangers_count() {
    let work = Work::new();
    assert_eq!(work.changes(), [""; 0]);
    work.write("app/a.txt", "committed\n");
    work.commit("second");
    work.write("app/staged.txt", "x");
    work.git(&["add", "app/staged.txt"]);
    work.write("gate.yaml", "version: 2\n");
    work.write("dir/stranger.txt", "x");
    assert_eq!(work.changes(), ["app/a.txt", "app/staged.txt", "dir/stranger.txt", "gate.yaml"]);
    // Undone in the work tree, and still in the commit.
    work.write("app/a.txt", "one\n");
    assert!(work.changes().contains(&"app/a.txt".to_owned()));
    // The index is told to overlook it, and the commit is looked at.
    work.write("gate.yaml", "version: 3\n");
    work.commit("third");
    work.git(&["update-index", "--assume-unchanged", "gate.yaml"]);
    assert!(work.changes().contains(&"gate.yaml".to_owned()));
}

#[test]
fn what_the_index_overlooks_counts_as_changed() {
    for (told, back) in
        [("--assume-unchanged", "--no-assume-unchanged"), ("--skip-worktree", "--no-skip-worktree")]
    {
        let work = Work::new();
        work.git(&["update-index", told, "app/a.txt"]);
        work.write("app/a.txt", "two\n");
        assert_eq!(work.changes(), ["app/a.txt"], "{told}");
        assert_eq!(Checkout::of(work.0.path()).unwrap().changed, ["app/a.txt"], "{told}");
        let app = work.0.path().join("app");
        assert_eq!(Checkout::of(&app).unwrap().changed, ["a.txt"], "{told}");
        work.git(&["update-index", back, "app/a.txt"]);
        assert_eq!(work.changes(), ["app/a.txt"], "{back}");
    }
    // Outside of a sparse checkout nothing is there to be otherwise.
    let work = Work::new();
    work.git(&["update-index", "--skip-worktree", "app/a.txt"]);
    fs::remove_file(work.0.path().join("app/a.txt")).unwrap();
    assert_eq!(work.changes(), [""; 0]);
    work.git(&["update-index", "--no-skip-worktree", "app/a.txt"]);
    work.git(&["update-index", "--assume-unchanged", "app/a.txt"]);
    assert_eq!(work.changes(), ["-app/a.txt"]);
    let odd = "app/tab\tand\nline";
    work.write(odd, "x");
    work.commit("odd");
    work.git(&["update-index", "--assume-unchanged", odd]);
    assert_eq!(work.changes(), ["-app/a.txt", odd]);
}

#[test]
fn submodules_repositories_within_and_links_stand_for_what_is_below() {
    let work = Work::new();
    let other = Work::new();
    let whole = || {
        let repository = work.repository();
        let changes = repository.changes(&repository.commit("base").unwrap()).unwrap();
        changes.into_iter().map(|one| (one.path, one.whole)).collect::<Vec<_>>()
    };
    let from = other.0.path().to_str().unwrap();
    work.git(&["-c", "protocol.file.allow=always", "clone", "-q", from, "vendor/sub"]);
    assert_eq!(whole(), [("vendor/sub".to_owned(), true)]);
    work.git(&["-c", "advice.addEmbeddedRepo=false", "add", "vendor/sub"]);
    assert_eq!(whole(), [("vendor/sub".to_owned(), true)]);
    work.write(".gitmodules", "[submodule \"s\"]\npath = vendor/sub\nurl = x\nignore = all\n");
    work.commit("a submodule");
    work.git(&["branch", "-f", "base"]);
    // what it ignores cannot be told
    assert_eq!(Checkout::of(work.0.path()).unwrap().changed, [""; 0]);
    assert_eq!(Checkout::whole(work.0.path()).unwrap().changed, ["vendor/sub"]);
    work.write("vendor/sub/app/a.txt", "two\n");
    assert_eq!(whole(), [("vendor/sub".to_owned(), true)]);
    assert_eq!(Checkout::of(work.0.path()).unwrap().changed, ["vendor/sub"]);
    std::os::unix::fs::symlink("/tmp", work.0.path().join("link")).unwrap();
    work.write("plain.txt", "x");
    let expected = [("link", true), ("plain.txt", false), ("vendor/sub", true)];
    let expected = expected.map(|(path, whole)| (path.to_owned(), whole));
    assert_eq!(whole(), expected);
    work.commit("a link");
    assert_eq!(whole(), expected);
}

#[test]
fn a_submodule_is_among_what_is_attested_below_it() {
    let subject = |path: &str| attest::Subject {
        role: "documents".into(),
        path: path.into(),
        digest: seal::digest::Digest::of(b"x"),
        size: 1,
        salt: None,
    };
    let subjects = [subject("vendor/sub/a.txt"), subject("vendor/sub-other")];
    let tree = attest::statement::Tree { role: "documents".into(), path: "data/docs".into() };
    for (changed, expect) in [
        ("vendor/sub", true),
        ("service/vendor/sub", true),
        ("vendor", true),
        ("data", true),
        ("vendor/su", false),
        ("vendor/sub-", false),
        ("other", false),
    ] {
        let found = crate::make::among([changed], &subjects, &[&tree]).next().is_some();
        assert_eq!(found, expect, "{changed}");
    }
}

#[test]
fn a_tag_is_not_taken_for_a_branch() {
    let work = Work::new();
    work.write("gate.yaml", "version: 2\n");
    work.commit("mine");
    work.git(&["update-ref", "refs/remotes/origin/main", "base"]);
    let repository = work.repository();
    let base = repository.commit("base").unwrap();
    assert_eq!(repository.commit("origin/main"), Ok(base.clone()));
    for (tag, revision) in [
        ("origin/main", "origin/main"),
        ("base", "base~0"),
        ("refs/heads/absent", "refs/heads/absent"),
        (&base.hash()[..8], &base.hash()[..8]),
    ] {
        work.git(&["update-ref", &format!("refs/tags/{tag}"), "HEAD"]);
        let refused = repository.commit(revision);
        assert!(matches!(refused, Err(GitError::Ambiguous { .. })), "{revision}: {refused:?}");
    }
    for whole in ["refs/remotes/origin/main", "refs/heads/base", "heads/base", base.hash()] {
        assert_eq!(repository.commit(whole), Ok(base.clone()), "{whole}");
    }
    work.git(&["tag", "v1"]);
    assert_eq!(repository.commit("v1"), repository.commit("HEAD"));
}

#[test]
fn a_rename_is_both_names() {
    let work = Work::new();
    work.git(&["config", "diff.renames", "copies"]);
    work.git(&["mv", "app/b.txt", "elsewhere.txt"]);
    assert_eq!(work.changes(), ["-app/b.txt", "elsewhere.txt"]);
    work.commit("moved");
    assert_eq!(work.changes(), ["-app/b.txt", "elsewhere.txt"]);
}

#[test]
fn no_name_is_quoted() {
    let work = Work::new();
    for name in ["app/\u{e9}.txt", "app/a b\"c.txt", "app/tab\there", "app/line\nbreak", "-n"] {
        work.write(name, "x");
    }
    let expected = ["-n", "app/a b\"c.txt", "app/line\nbreak", "app/tab\there", "app/\u{e9}.txt"];
    assert_eq!(work.changes(), expected);
    work.commit("names");
    assert_eq!(work.changes(), expected);
}

#[test]
fn what_is_already_in_the_base_is_no_change_of_ours() {
    let work = Work::new();
    work.git(&["checkout", "-q", "base"]);
    work.write("other.txt", "x");
    work.commit("on the base");
    work.git(&["checkout", "-q", "main"]);
    work.write("mine.txt", "x");
    work.commit("on main");
    assert_eq!(work.changes(), ["mine.txt"]);
}

#[test]
fn a_revision_is_no_option_and_an_error_is_no_empty_list() {
    let work = Work::new();
    let repository = work.repository();
    let out = work.0.path().join("written");
    for revision in
        ["", "nothing", "--all", "-n1", &format!("--output={}", out.display()), "HEAD~9", "base\0"]
    {
        let refused = repository.commit(revision);
        assert!(matches!(refused, Err(GitError::Unknown(_))), "{revision}: {refused:?}");
    }
    assert!(!out.exists());
    work.git(&["checkout", "-q", "--orphan", "alone"]);
    work.commit("without parents");
    let base = repository.commit("base").unwrap();
    assert_eq!(repository.changes(&base), Err(GitError::Unrelated));
    let outside = tempfile::tempdir().unwrap();
    assert!(Repository::of(outside.path()).is_err());
    assert!(Repository::of(&outside.path().join("none")).is_err());
}

#[test]
fn a_directory_is_told_of_its_own_files_alone() {
    let work = Work::new();
    work.write("app/gr\u{fc}n\n", "x");
    work.write("beside.txt", "x");
    let app = work.0.path().join("app");
    assert_eq!(Repository::changes_below(&app, "base").unwrap(), ["gr\u{fc}n\n"]);
    assert!(Repository::changes_below(&app, "--output=x").is_err());
    assert!(Repository::changes_below(tempfile::tempdir().unwrap().path(), "base").is_err());
    work.git(&["checkout", "-q", "--orphan", "other"]);
    work.commit("unrelated");
    assert_eq!(Repository::changes_below(&app, "base"), Err(GitError::Unrelated));
}

#[test]
fn since_a_commit_is_whatever_is_otherwise_now() {
    let work = Work::new();
    let repository = work.repository();
    let (base, first) = (repository.commit("base").unwrap(), repository.commit("HEAD").unwrap());
    let paths = |commit: &Commit| -> Vec<String> {
        let changes = work.repository().since(commit).unwrap();
        changes.into_iter().map(|change| change.path).collect()
    };
    assert_eq!(paths(&base), [""; 0]);
    // A newer commit is no ancestor of HEAD: what it had and HEAD has not is different all the same.
    work.write("app/c.txt", "x");
    work.commit("second");
    let second = work.repository().commit("HEAD").unwrap();
    assert_eq!(paths(&first), ["app/c.txt"]);
    work.git(&["reset", "-q", "--hard", "base"]);
    assert_eq!(paths(&second), ["app/c.txt"]);
    work.write("app/d.txt", "x");
    assert_eq!(paths(&first), ["app/d.txt"]);
}

#[test]
fn a_checkout_is_its_commit_and_what_differs() {
    let work = Work::new();
    let checkout = Checkout::of(work.0.path()).unwrap();
    assert_eq!(checkout.commit, work.repository().commit("HEAD").unwrap().hash());
    assert_eq!(checkout.changed, [""; 0]);
    work.write("app/a.txt", "two\n");
    work.write("app/with space\n", "x");
    work.git(&["rm", "-q", "--cached", "gate.yaml"]);
    let mut changed = Checkout::of(&work.0.path().join("app")).unwrap().changed;
    changed.sort();
    assert_eq!(changed, ["app/a.txt", "app/with space\n"]);
    let mut changed = Checkout::of(work.0.path()).unwrap().changed;
    changed.dedup();
    assert!(changed.contains(&"gate.yaml".to_owned()), "{changed:?}");
    assert!(Checkout::of(tempfile::tempdir().unwrap().path()).is_none());
}

/// What git was told not to see can be changed without anybody noticing: no commit stands for it.
#[test]
fn what_is_ignored_is_of_no_commit() {
    let work = Work::new();
    work.write(".gitignore", "*.bin\nbuild/\n");
    work.commit("ignoring");
    work.write("app/weights.bin", "x");
    work.write("build/deep/a", "x");
    assert_eq!(Checkout::of(work.0.path()).unwrap().changed, [""; 0]);
    let checkout = Checkout::whole(work.0.path()).unwrap();
    assert_eq!(checkout.changed, ["app/weights.bin", "build/"]);
    let subject = |path: &str| attest::statement::Subject {
        role: "r".into(),
        path: path.into(),
        digest: seal::Digest::of(b"x"),
        size: 1,
        salt: None,
    };
    assert!(checkout.holds([&subject("app/a.txt")]));
    assert!(!checkout.holds([&subject("weights.bin")]));
    assert!(!checkout.holds([&subject("build/deep/a")]));
}

#[test]
fn files_come_from_the_commit() {
    let work = Work::new();
    work.write("gate.yaml", "version: 2\n");
    std::os::unix::fs::symlink("gate.yaml", work.0.path().join("link.yaml")).unwrap();
    work.commit("changed");
    let repository = work.repository();
    let (base, head) = (repository.commit("base").unwrap(), repository.commit("HEAD").unwrap());
    assert_eq!(repository.file(&base, "gate.yaml", 100), Ok(b"version: 1\n".to_vec()));
    assert_eq!(repository.file(&head, "gate.yaml", 100), Ok(b"version: 2\n".to_vec()));
    assert_eq!(repository.file(&base, "gate.yaml", 5), Err(GitError::TooLarge("gate.yaml".into())));
    for (commit, path) in
        [(&head, "link.yaml"), (&base, "link.yaml"), (&base, "app"), (&base, "*.yaml")]
    {
        let refused = repository.file(commit, path, 100);
        assert!(matches!(refused, Err(GitError::NoFile { .. })), "{path}: {refused:?}");
    }
}

#[test]
fn settings_of_the_repository_run_nothing() {
    let work = Work::new();
    let ran = work.0.path().join(".git/ran");
    let script = work.0.path().join(".git/run.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["diff.external", "core.fsmonitor", "diff.x.textconv", "diff.x.command"] {
        work.git(&["config", name, script.to_str().unwrap()]);
    }
    work.git(&["config", "core.ignoreCase", "true"]);
    work.write("app/B.txt", "x");
    assert_eq!(work.changes(), ["app/B.txt"]);
    fs::remove_file(work.0.path().join("app/B.txt")).unwrap();
    // A filter would be run to compare files, and say that they are as they were.
    for name in ["filter.x.clean", "filter.x=y.clean", "filter.x.process"] {
        work.git(&["config", name, script.to_str().unwrap()]);
    }
    work.git(&["config", "filter.x.required", "true"]);
    work.write(".git/info/attributes", "* diff=x filter=x\napp/b.txt filter=x=y\n");
    work.write("app/a.txt", "two\n");
    work.write("app/b.txt", "two\n");
    assert_eq!(work.changes(), ["app/a.txt", "app/b.txt"]);
    assert_eq!(Checkout::of(work.0.path()).unwrap().changed.len(), 2);
    assert!(!ran.exists());
    // Nor one of a submodule.
    let (work, other) = (Work::new(), Work::new());
    let from = other.0.path().to_str().unwrap();
    work.git(&["clone", "-q", from, "sub"]);
    work.git(&["-c", "advice.addEmbeddedRepo=false", "add", "sub"]);
    work.write("sub/app/a.txt", "two\n");
    let config = format!("[filter \"z\"]\nclean = {}\n", script.display());
    work.write("sub/.git/config", &format!("[core]\nrepositoryformatversion = 0\n{config}"));
    work.write("sub/.git/info/attributes", "* filter=z\n");
    assert!(work.changes().contains(&"sub".to_owned()));
    assert!(!ran.exists());
}

#[test]
fn a_work_tree_elsewhere_is_not_asked() {
    let (work, other) = (Work::new(), Work::new());
    work.git(&["config", "core.worktree", other.0.path().to_str().unwrap()]);
    assert!(Repository::of(work.0.path()).is_err());
}

#[test]
fn paths_are_the_repositorys_by_their_names() {
    let work = Work::new();
    let repository = work.repository();
    let root = repository.root();
    assert_eq!(repository.inside(&root.join("a/../gate.yaml")), Some("gate.yaml".into()));
    assert_eq!(repository.inside(&root.join("../gate.yaml")), None);
    assert_eq!(repository.inside(Path::new("gate.yaml")), None);
    assert_eq!(repository.inside(root), None);
}

#[test]
fn lists_of_others_are_paths_below_the_root() {
    let paths = |list: &[u8]| {
        listed_changes(list).map(|list| list.into_iter().map(|c| c.path).collect::<Vec<_>>())
    };
    assert_eq!(paths(b"b\r\na/x\n\nb\n"), Ok(vec!["a/x".to_owned(), "b".into()]));
    assert_eq!(paths(b"a\nb\0c\0"), Ok(vec!["a\nb".to_owned(), "c".into()]));
    assert_eq!(paths(b""), Ok(vec![]));
    for list in
        ["/a", "./a", "a/../b", "a//b", "a/", "\"a\\303\\251\"", "\u{feff}a", "M\ta", "a\rapp/b"]
    {
        assert!(paths(list.as_bytes()).is_err(), "{list}");
    }
    assert!(paths(b"\xff\xfea\0").is_err());
}
