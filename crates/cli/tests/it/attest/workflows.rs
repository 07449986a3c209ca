//! The workflows of examples/rag: their commands are taken out of the YAML and run in a repository, so
//! that what people copy works.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use seal::Digest;
use seal::json::{Limits, parse};
use seal::key::SecretKey;
use serde::Deserialize;

use crate::collect::Project as Example;
use crate::commands::scan::sarif_faults;
use crate::running::{countersign, said};
use crate::sdk::repository;

#[derive(Deserialize)]
struct Workflow {
    jobs: BTreeMap<String, Job>,
}

#[derive(Deserialize)]
struct Job {
    env: BTreeMap<String, String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uses: String,
    #[serde(default)]
    run: String,
    #[serde(default, rename = "if")]
    when: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    with: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Pipeline {
    attest: Script,
}

#[derive(Deserialize)]
struct Script {
    variables: BTreeMap<String, String>,
    before_script: Vec<String>,
    script: Vec<String>,
}

fn yaml<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let text = fs::read_to_string(repository().join("examples/rag").join(name)).expect("text");
    serde_saphyr::from_str(&text).expect(name)
}

/// A repository with the example on `main`, and a change of it on the branch that is checked out.
struct Repo {
    example: Example,
    /// What does not lie in it: keys, the runner's folder.
    beside: tempfile::TempDir,
}

impl Repo {
    fn new() -> Repo {
        let repo = Repo { example: Example::new(), beside: tempfile::tempdir().expect("a place") };
        fs::remove_file(repo.example.path("key.pem")).expect("removed");
        repo.key("reviewer", 7);
        repo.key("stranger", 9);
        repo.trust("reviewer");
        repo.git(&["init", "-q", "-b", "main"]);
        repo.commit();
        repo.git(&["checkout", "-q", "-b", "change"]);
        repo
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.beside.path().join(name)
    }

    fn key(&self, name: &str, seed: u8) {
        let key = SecretKey::from_seed([seed; 32]);
        fs::write(self.beside(&format!("{name}.pem")), key.to_pem().as_bytes()).expect("written");
        let public = seal::Signer::public(&key).to_pem();
        fs::write(self.beside(&format!("{name}.pub.pem")), public).expect("written");
    }

    /// The trust file is one that lists this key and no other.
    fn trust(&self, name: &str) {
        let _ = fs::remove_file(self.example.path("reviewers.trust.yaml"));
        let public = self.beside(&format!("{name}.pub.pem")).display().to_string();
        let add = ["trust", "add", "--trust", "reviewers.trust.yaml", "--purpose", "statements"];
        let add = [&add[..], &["--name", name, "--key", &public]].concat();
        let output = countersign(self.example.0.path(), &add);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// What a reviewer does before a push from a fork.
    fn attested_by(&self, name: &str) {
        self.example.attest(&["create", "--replace"], 0);
        let key = self.beside(&format!("{name}.pem")).display().to_string();
        self.example.attest(&["sign", "--key", &key], 0);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let set = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let mut command = Command::new("git");
        command.arg("-C").arg(self.example.0.path()).args(set).args(arguments);
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "change"]);
    }

    /// A shell as a runner starts it, in the repository.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).current_dir(self.example.0.path());
        command
    }

    /// Where the runner finds the binary, and its digest.
    fn binary() -> (String, String) {
        static DIGEST: OnceLock<String> = OnceLock::new();
        let binary = env!("CARGO_BIN_EXE_countersign");
        let digest = || Digest::of(&fs::read(binary).expect("bytes")).hex();
        (format!("file://{binary}"), DIGEST.get_or_init(digest).clone())
    }
}

/// What a run came to.
struct Ran {
    /// The steps that failed, or the exit of the script.
    failed: Vec<String>,
    /// What people see.
    page: String,
    sarif: PathBuf,
    told: String,
}

fn github(repo: &Repo, key: Option<&str>) -> Ran {
    let workflow: Workflow = yaml(".github/workflows/attest.yml");
    let job = workflow.jobs.get("attest").expect("a job");
    let checkout = &job.steps[0];
    assert!(checkout.uses.starts_with("actions/checkout@"));
    assert_eq!(checkout.with.get("fetch-depth").map(String::as_str), Some("0"));
    let temp = repo.beside("runner");
    fs::create_dir_all(&temp).expect("made");
    let (page, path) = (repo.beside("summary.md"), repo.beside("path"));
    fs::write(&path, "").expect("written");
    let (url, sha256) = Repo::binary();
    let secret = key.map(|name| {
        fs::read_to_string(repo.beside(&format!("{name}.pem"))).expect("a key").trim().to_owned()
    });
    // Only what is known here may stand in the file: anything else is a panic.
    let value = |text: &str| match text {
        "${{ github.event.pull_request.base.sha || github.event.before }}" => {
            repo.git(&["merge-base", "main", "HEAD"])
        }
        "${{ secrets.ATTEST_KEY != '' }}" => key.is_some().to_string(),
        "${{ secrets.ATTEST_KEY }}" => secret.clone().expect("no step asks for a key without one"),
        "${{ secrets.ATTEST_PASS }}" => String::new(),
        "${{ vars.COUNTERSIGN_URL }}" => url.clone(),
        "${{ vars.COUNTERSIGN_SHA256 }}" => sha256.clone(),
        other => panic!("{other} is not known"),
    };
    let mut ran = Ran {
        failed: Vec::new(),
        page: String::new(),
        sarif: temp.join("attest.sarif"),
        told: String::new(),
    };
    for step in &job.steps {
        let go = match step.when.as_str() {
            "" => ran.failed.is_empty(),
            "env.HAS_KEY == 'true'" => ran.failed.is_empty() && key.is_some(),
            "${{ !cancelled() }}" => true,
            "${{ !cancelled() && env.HAS_KEY == 'true' }}" => key.is_some(),
            other => panic!("{other} is not known"),
        };
        if !go || step.run.is_empty() {
            assert!(!step.run.is_empty() || !step.uses.is_empty(), "{} does nothing", step.name);
            continue;
        }
        let added = fs::read_to_string(&path).expect("text").trim().to_owned();
        let paths = format!("{added}:{}", std::env::var("PATH").expect("a PATH"));
        let env = job.env.iter().chain(&step.env).map(|(name, text)| (name, value(text)));
        let mut command = repo.shell(&step.run);
        command.envs(env).env("PATH", paths.trim_start_matches(':')).env("RUNNER_TEMP", &temp);
        command.env("GITHUB_STEP_SUMMARY", &page).env("GITHUB_PATH", &path);
        let output = command.output().expect("sh runs");
        ran.told += &format!("== {}\n{}", step.name, said(&output));
        if !output.status.success() {
            ran.failed.push(format!("{} {}", step.name, output.status.code().unwrap_or(-1)));
        }
    }
    let left: Vec<_> = fs::read_dir(&temp).expect("a folder").collect();
    assert!(
        left.iter().flatten().all(|one| one.file_name() != "key.pem"),
        "the key is still there"
    );
    ran.page = fs::read_to_string(&page).unwrap_or_default();
    ran
}

fn gitlab(repo: &Repo, key: Option<&str>) -> Ran {
    let Pipeline { attest: job } = yaml(".gitlab-ci.yml");
    assert_eq!(job.variables.get("GIT_DEPTH").map(String::as_str), Some("0"));
    let (url, sha256) = Repo::binary();
    let script = [&job.before_script[..], &job.script[..]].concat().join("\n");
    let mut command = repo.shell(&script);
    command.envs(&job.variables).env("COUNTERSIGN_URL", url).env("COUNTERSIGN_SHA256", sha256);
    command.env("CI_MERGE_REQUEST_DIFF_BASE_SHA", repo.git(&["merge-base", "main", "HEAD"]));
    if let Some(name) = key {
        command.env("ATTEST_KEY", repo.beside(&format!("{name}.pem")));
    }
    let output = command.output().expect("sh runs");
    let read = |name: &str| fs::read_to_string(repo.example.path(name)).unwrap_or_default();
    let failed = match output.status.code() {
        Some(0) => Vec::new(),
        code => vec![code.unwrap_or(-1).to_string()],
    };
    let status = repo.git(&["status", "--porcelain", ".attest"]);
    assert!(status.lines().all(|line| line.trim_start().starts_with("D ")), "{status}");
    Ran {
        failed,
        page: read(".attest/attest.md"),
        sarif: repo.example.path(".attest/attest.sarif"),
        told: said(&output),
    }
}

/// What is done to the change, the key that the runner has, what fails in either workflow, and what is
/// on the page.
type Case<'a> =
    (&'a str, &'a dyn Fn(&Repo), Option<&'a str>, &'a [&'a str], &'a [&'a str], &'a str);

#[test]
fn the_workflows_do_what_they_say() {
    let prompt = |repo: &Repo| repo.example.edit("app/system_prompt.txt", "euros", "Euro");
    let cases: [Case<'_>; 7] = [
        ("a change, attested here", &prompt, Some("reviewer"), &[], &[], "prompt"),
        (
            "a change that does worse",
            &|repo| repo.example.edit("eval/candidate.jsonl", "\"0.95\"", "\"0.1\""),
            Some("reviewer"),
            &["Gate 13"],
            &["13"],
            "CS-GATE-004",
        ),
        (
            "a fork with what a reviewer attested",
            &|repo| {
                prompt(repo);
                repo.attested_by("reviewer");
            },
            None,
            &[],
            &[],
            "prompt",
        ),
        (
            "a fork that changed more since",
            &|repo| {
                repo.attested_by("reviewer");
                prompt(repo);
            },
            None,
            &["Verify 12", "Gate 12"],
            &["12"],
            "CS-ATTEST-022",
        ),
        (
            "a fork that brings a git of its own",
            &|repo| {
                prompt(repo);
                repo.attested_by("reviewer");
                let bin = repo.example.path(".attest/bin");
                fs::create_dir_all(&bin).expect("made");
                fs::write(bin.join("git"), "#!/bin/sh\nexit 9\n").expect("written");
                let run = fs::Permissions::from_mode(0o755);
                fs::set_permissions(bin.join("git"), run).expect("set");
            },
            None,
            &[],
            &[],
            "prompt",
        ),
        (
            "a fork that trusts itself",
            &|repo| {
                prompt(repo);
                repo.trust("stranger");
                repo.example.edit("countersign.gate.yaml", "[\"app/**\"]", "[\"none\"]");
                repo.attested_by("stranger");
            },
            None,
            &["Verify 11", "Gate 11"],
            &["11"],
            "CS-GATE-008",
        ),
        (
            "a runner with a key that nobody trusts",
            &prompt,
            Some("stranger"),
            &["Verify 11", "Gate 11"],
            &["11"],
            "CS-ATTEST-005",
        ),
    ];
    for (what, change, key, on_github, on_gitlab, page) in cases {
        type Runner = fn(&Repo, Option<&str>) -> Ran;
        for (run, expect) in [(github as Runner, on_github), (gitlab as Runner, on_gitlab)] {
            let repo = Repo::new();
            change(&repo);
            repo.commit();
            let ran = run(&repo, key);
            assert_eq!(ran.failed, expect, "{what}\n{}", ran.told);
            assert!(ran.page.contains(page), "{what}: no {page}\n{}", ran.page);
            let sarif = fs::read(&ran.sarif).expect("a SARIF log");
            let sarif = parse(&sarif, Limits::DOCUMENT).expect("JSON");
            assert_eq!(sarif_faults(&sarif), Vec::<String>::new(), "{what}");
            // What the runner has of the key is nowhere to be seen.
            assert!(
                !ran.told.contains("PRIVATE KEY") && !ran.page.contains("PRIVATE KEY"),
                "{what}"
            );
        }
    }
}

#[test]
fn a_runner_refuses_another_binary() {
    let repo = Repo::new();
    let Pipeline { attest: job } = yaml(".gitlab-ci.yml");
    let (url, _) = Repo::binary();
    let mut command = repo.shell(&job.before_script.join("\n"));
    command.env("COUNTERSIGN_URL", url).env("COUNTERSIGN_SHA256", "0".repeat(64));
    let output = command.output().expect("sh runs");
    assert!(!output.status.success() && said(&output).contains("FAILED"), "{}", said(&output));
}
