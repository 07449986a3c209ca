//! What is asked of `create`, `sign`, `decrypt`, `init` and `gate` by somebody who means harm: each row
//! with its exit, and with what must not have happened.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use attest::Bundle;
use seal::Digest;
use seal::key::SecretKey;

use super::super::project::sign;
use crate::collect::Project as Example;
use crate::running::{countersign, said};

struct Act {
    id: &'static str,
    what: &'static str,
    act: fn(&Place) -> (i32, String),
    exit: i32,
    /// Part of what is told.
    says: &'static str,
}

const fn act(
    id: &'static str,
    what: &'static str,
    act: fn(&Place) -> (i32, String),
    exit: i32,
    says: &'static str,
) -> Act {
    Act { id, what, act, exit, says }
}

const ACTS: &[Act] = &[
    // ---- the gate believes what was verified, and nothing else ----
    act(
        "T83",
        "statements that nobody signed",
        |p| p.changed(|p| p.unsigned(), "app/x"),
        13,
        "CS-GATE-001",
    ),
    act(
        "T84",
        "statements that a stranger signed",
        |p| {
            p.changed(
                |p| {
                    p.unsigned();
                    for path in p.0.made(".statement.json") {
                        let text = fs::read_to_string(&path).expect("text");
                        let to = path.with_extension("").with_extension("bundle.json");
                        fs::write(to, sign(&text, 9).write()).expect("written");
                    }
                },
                "app/x",
            )
        },
        11,
        "CS-GATE-001",
    ),
    act(
        "T85",
        "a summary that nobody may sign",
        |p| {
            p.changed(
                |p| {
                    let forged = p.0.made(".bundle.json").remove(0);
                    fs::copy(forged, p.0.path("vsa.json")).expect("copied");
                },
                "app/x",
            );
            p.gate(&["--vsa", "vsa.json"])
        },
        11,
        "CS-ATTEST-043",
    ),
    // ---- what git says of a change ----
    act("T86", "a base that git does not know", |p| p.from("nowhere"), 65, "nowhere"),
    act(
        "T87",
        "a base that is an option of git",
        |p| {
            let out = p.0.path("out");
            let (exit, told) = p.from(&format!("--output={}", out.display()));
            assert!(!out.exists());
            (exit, told)
        },
        65,
        "",
    ),
    act(
        "T88",
        "no repository",
        |p| {
            p.repository();
            fs::remove_dir_all(p.0.path(".git")).expect("removed");
            p.gate(&[])
        },
        65,
        "",
    ),
    act(
        "T89",
        "a file moved out of what the gate looks at",
        |p| {
            p.changed(
                |p| {
                    p.unsigned();
                    p.git(&["mv", "app/render.yaml", "moved.yaml"]);
                },
                "moved.txt",
            )
        },
        13,
        "CS-GATE-001",
    ),
    act(
        "T90",
        "a name that git writes in quotes, not committed",
        |p| p.changed(|p| p.unsigned(), "app/\u{fc}\"\n.txt"),
        13,
        "CS-GATE-001",
    ),
    // ---- where and over what is written ----
    act(
        "T91",
        "a statement whose id leads out",
        |p| {
            p.0.attest(&["create"], 0);
            let path = p.0.made(".statement.json").remove(0);
            let text = fs::read_to_string(&path).expect("text");
            let id = text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
            fs::write(&path, text.replace(id.expect("an id"), "../../../../escaped"))
                .expect("written");
            let ran = p.run(&["sign", "--key", "key.pem"]);
            assert!(!p.0.path("../escaped").exists() && p.0.made(".bundle.json").is_empty());
            ran
        },
        65,
        "/predicate/id",
    ),
    act(
        "T92",
        "a link where a bundle goes",
        |p| {
            p.0.attest(&["create"], 0);
            for path in p.0.made(".statement.json") {
                let digest = Digest::of(&fs::read(&path).expect("bytes")).hex();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                let kind = name.split('-').next().expect("a type");
                let bundle = format!("attestations/{kind}-{}.bundle.json", &digest[..16]);
                symlink("../written", p.0.path(&bundle)).expect("linked");
            }
            let ran = p.run(&["sign", "--key", "key.pem"]);
            assert!(!p.0.path("written").exists());
            ran
        },
        65,
        "leads out",
    ),
    act(
        "T93",
        "a bundle of the name that is there",
        |p| {
            p.0.attest(&["create"], 0);
            p.0.attest(&["sign", "--key", "key.pem"], 0);
            let path = p.0.made(".bundle.json").remove(0);
            let before = Bundle::read(&fs::read(&path).expect("bytes")).expect("a bundle");
            let payload = String::from_utf8(before.envelope.payload.clone()).expect("text");
            let other = sign(&payload, 9).write();
            fs::write(&path, &other).expect("written");
            let ran = p.run(&["sign", "--key", "key.pem"]);
            assert_eq!(fs::read_to_string(&path).expect("text"), other);
            // Ours lies beside it.
            let all = p.0.made(".bundle.json");
            let read = |path: &PathBuf| Bundle::read(&fs::read(path).expect("bytes"));
            assert!(all.iter().any(|path| read(path).as_ref() == Ok(&before)), "{all:?}");
            ran
        },
        0,
        "signed",
    ),
    // ---- what is encrypted, and what could be guessed ----
    act(
        "T94",
        "an encrypted payload, and nothing in clear beside it",
        |p| {
            p.configure(&format!("privacy_mode: encrypted_payload\nrecipients: [{PUBLIC}]\n"));
            let ran = p.run(CREATE);
            let secret = fs::read_to_string(p.0.path("app/system_prompt.txt")).expect("text");
            let line = secret.lines().next().expect("a line");
            let digest = Digest::of(secret.as_bytes()).hex();
            for entry in fs::read_dir(p.0.path("attestations")).expect("a folder") {
                let path = entry.expect("an entry").path();
                let text = String::from_utf8_lossy(&fs::read(&path).expect("bytes")).into_owned();
                assert!(!text.contains(line) && !text.contains(&digest), "{}", path.display());
            }
            ran
        },
        0,
        "prompt",
    ),
    act(
        "T95",
        "an encrypted payload for the same recipient, of other content",
        |p| {
            p.configure(&format!("privacy_mode: encrypted_payload\nrecipients: [{PUBLIC}]\n"));
            p.0.attest(CREATE, 0);
            p.0.attest(&["sign", "--key", "key.pem"], 0);
            let sealed = p.0.made(".payload.age").remove(0);
            let other = crypt::Recipients::parse([PUBLIC]).expect("a key").seal(b"other");
            fs::write(sealed, other.expect("sealed")).expect("written");
            p.0.write("me.age", SECRET);
            let bundle = p.0.made(".bundle.json").remove(0).display().to_string();
            let ran = p.run(&["decrypt", &bundle, "--identity", "me.age", "--out", "opened"]);
            assert!(!p.0.path("opened").exists());
            ran
        },
        12,
        "digest",
    ),
    // ---- which file is meant ----
    act(
        "T96",
        "a file of the same path in the working directory",
        |p| {
            let elsewhere = tempfile::tempdir().expect("a directory");
            for name in ["app/system_prompt.txt", "attest/prompt.yaml", "countersign.attest.yaml"] {
                let path = elsewhere.path().join(name);
                fs::create_dir_all(path.parent().expect("a parent")).expect("made");
                fs::write(path, "of the working directory\n").expect("written");
            }
            let dir = p.0.0.path().display().to_string();
            let output = countersign(elsewhere.path(), &["attest", "create", "--dir", &dir]);
            let content = fs::read(p.0.path("app/system_prompt.txt")).expect("bytes");
            let statement = p.0.statement("prompt");
            let found = statement.subjects.iter().find(|one| one.role == "system_prompt");
            assert_eq!(found.expect("a prompt").digest, Digest::of(&content));
            (output.status.code().unwrap_or(-1), said(&output))
        },
        0,
        "prompt",
    ),
    act("T97", "a path that leads out", |p| p.astray("../../etc/passwd"), 78, "leads out"),
    act("T98", "an absolute path", |p| p.astray("/etc/passwd"), 78, "absolute"),
    act(
        "T99",
        "a device",
        |p| {
            fs::remove_file(p.0.path("app/system_prompt.txt")).expect("removed");
            symlink("/dev/zero", p.0.path("app/system_prompt.txt")).expect("linked");
            p.astray("app/system_prompt.txt")
        },
        78,
        "symbolic link",
    ),
    // ---- determinism, whatever the mode ----
    act(
        "T100",
        "made three times: encrypted",
        |p| {
            p.configure(&format!("privacy_mode: encrypted_payload\nrecipients: [{PUBLIC}]\n"));
            p.run(&[CREATE, &["--determinism-check", "3"]].concat())
        },
        0,
        "prompt",
    ),
    act(
        "T101",
        "made three times: committed to under a salt",
        |p| {
            p.configure("salted: [system_prompt]\n");
            p.run(&[CREATE, &["--determinism-check", "3"]].concat())
        },
        0,
        "prompt",
    ),
    // ---- the key ----
    act(
        "T102",
        "a fresh key in a repository, and everything added",
        |p| {
            let dir = tempfile::tempdir().expect("a directory");
            let output = countersign(dir.path(), &["attest", "init"]);
            let key = dir.path().join(".countersign/keys/statements.pem");
            assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
            p.git_in(dir.path(), &["init", "-q"]);
            p.git_in(dir.path(), &["add", "-A"]);
            let staged = p.git_in(dir.path(), &["ls-files"]);
            assert!(staged.contains("countersign.attest.yaml"), "{staged}");
            assert!(!staged.contains(".pem"), "{staged}");
            (output.status.code().unwrap_or(-1), said(&output))
        },
        0,
        "statements.pem",
    ),
    act(
        "T103",
        "a key with a passphrase, without it",
        |p| {
            p.0.attest(&["create"], 0);
            let made = Command::new("openssl")
                .args(["pkcs8", "-topk8", "-in", "key.pem", "-out", "locked.pem"])
                .args(["-v2", "aes-256-cbc", "-passout", "pass:only we know"])
                .current_dir(p.0.0.path())
                .output()
                .expect("openssl runs");
            assert!(made.status.success(), "{}", said(&made));
            let ran = p.run(&["sign", "--key", "locked.pem"]);
            assert!(p.0.made(".bundle.json").is_empty());
            p.0.write("passphrase", "only we know\n");
            p.0.attest(&["sign", "--key", "locked.pem", "--passphrase-file", "passphrase"], 0);
            ran
        },
        65,
        "--passphrase-file",
    ),
    // ---- every file that is named anywhere is a subject ----
    act("T104", "how templates are filled in", |p| p.after("app/render.yaml"), 12, "CS-ATTEST-022"),
    act("T105", "what was tried", |p| p.after("app/prompt-tests.jsonl"), 12, "CS-ATTEST-022"),
    act("T106", "where an eval ran", |p| p.after("eval/environment.yaml"), 12, "CS-ATTEST-022"),
    act("T107", "how a route is tried", |p| p.after("route/canary.yaml"), 12, "CS-ATTEST-022"),
];

/// Of the age specification's test suite: nobody's keys.
const SECRET: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

const CREATE: &[&str] = &["create", "--type", "prompt", "--config", "attest/prompt.yaml"];

#[test]
fn every_way_to_mislead_the_other_commands_has_its_exit() {
    let mut wrong = Vec::new();
    for act in ACTS {
        let place = Place(Example::new());
        let (exit, told) = (act.act)(&place);
        if exit != act.exit || !told.contains(act.says) {
            wrong.push(format!(
                "{} {}: exit {exit}, expected {}\n{told}",
                act.id, act.what, act.exit
            ));
        }
        assert!(!told.contains("PRIVATE KEY"), "{}: {told}", act.id);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A copy of the example.
struct Place(Example);

impl Place {
    fn run(&self, args: &[&str]) -> (i32, String) {
        let output = countersign(self.0.0.path(), &[&["attest"], args].concat());
        (output.status.code().unwrap_or(-1), said(&output))
    }

    fn git(&self, args: &[&str]) -> String {
        self.git_in(self.0.0.path(), args)
    }

    fn git_in(&self, dir: &std::path::Path, args: &[&str]) -> String {
        let set = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let output = Command::new("git").arg("-C").arg(dir).args(set).args(args).output();
        let output = output.expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Everything attested, and committed to the branch `base`.
    fn repository(&self) {
        self.0.attest(&["create"], 0);
        self.0.attest(&["sign", "--key", "key.pem"], 0);
        let public = seal::Signer::public(&SecretKey::from_seed([7; 32])).to_pem();
        self.0.write("key.pub.pem", &public);
        let add =
            ["trust", "add", "--trust", "trust.yaml", "--name", "ada", "--key", "key.pub.pem"];
        let add = [&add[..], &["--purpose", "statements"]].concat();
        let output = countersign(self.0.0.path(), &add);
        assert!(output.status.success(), "{}", said(&output));
        fs::remove_file(self.0.path("key.pem")).expect("removed");
        self.git(&["init", "-q", "-b", "base"]);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "base"]);
        assert_eq!(self.gate(&[]).0, 0, "nothing has changed");
    }

    /// A verification after a change of one file.
    fn after(&self, name: &str) -> (i32, String) {
        self.repository();
        let text = fs::read_to_string(self.0.path(name)).expect("text");
        self.0.write(name, &format!("{text}# tampered\n"));
        self.run(&["verify", "--trust", "trust.yaml"])
    }

    fn gate(&self, more: &[&str]) -> (i32, String) {
        let gate = ["gate", "--base", "base", "--trust", "trust.yaml"];
        self.run(&[&gate[..], &["--policy", "countersign.gate.yaml"], more].concat())
    }

    fn from(&self, base: &str) -> (i32, String) {
        self.repository();
        let base = format!("--base={base}");
        self.run(&["gate", &base, "--trust", "trust.yaml", "--policy", "countersign.gate.yaml"])
    }

    /// The gate, after a change and a new file.
    fn changed(&self, change: impl FnOnce(&Place), added: &str) -> (i32, String) {
        self.repository();
        change(self);
        self.0.write(added, "x\n");
        self.gate(&[])
    }

    /// Statements without bundles.
    fn unsigned(&self) {
        for path in self.0.made(".bundle.json") {
            fs::remove_file(path).expect("removed");
        }
    }

    fn configure(&self, more: &str) {
        let text = fs::read_to_string(self.0.path("attest/prompt.yaml")).expect("text");
        self.0.write("attest/prompt.yaml", &format!("{text}{more}"));
    }

    /// `create` with another system prompt.
    fn astray(&self, path: &str) -> (i32, String) {
        let to = format!("system_prompt: {path}");
        self.0.edit("attest/prompt.yaml", "system_prompt: app/system_prompt.txt", &to);
        let ran = self.run(CREATE);
        assert!(!self.0.path("attestations").exists());
        ran
    }
}
