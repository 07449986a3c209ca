//! The README, done: every command block in order, from a directory that holds nothing to a verified
//! trace, and what each prints held against the block that shows it.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::running::{PATIENCE, Running, copy, countersign, said};
use crate::sdk::{pasted, python, repository};

#[test]
fn every_block_of_the_readme_does_what_it_shows() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README");
    let mut walk = Walk::begin();
    let mut blocks = blocks(&readme).into_iter().peekable();
    let (mut commands, mut compared) = (0, 0);
    while let Some((language, text)) = blocks.next() {
        let printed = match language {
            "sh" | "python" => walk.run(language, text),
            other => panic!("a block of {other:?} that follows no command:\n{text}"),
        };
        commands += 1;
        if let Some((_, shown)) = blocks.next_if(|(language, _)| *language == "text") {
            compared += 1;
            let Some(printed) = printed else { continue };
            let shown = walk.here(shown);
            if let Err(line) = compare(&shown, &printed) {
                panic!("{text}\nprints nothing like\n{line}\nof the README, but\n{printed}");
            }
        }
    }
    assert_eq!((commands, compared), (7, 6), "blocks came or went: does the walk run them all?");
    assert!(walk.product.take().expect("it runs").stop().success(), "a clean stop");
}

/// One reader, at the machine of the first blocks.
struct Walk {
    /// What a clone is to these blocks, once it is built.
    clone: tempfile::TempDir,
    product: Option<Running>,
    /// Of the first request.
    correlation: String,
}

impl Walk {
    fn begin() -> Self {
        Self { clone: clone(), product: None, correlation: String::new() }
    }

    /// Runs a block and returns what it printed; `None` where its interpreter is not there.
    fn run(&mut self, language: &str, block: &str) -> Option<String> {
        let text = self.here(block);
        if language == "python" {
            return python()
                .map(|python| pasted(self.clone.path(), &python.to_string_lossy(), &text));
        }
        let lines: Vec<&str> = text.lines().collect();
        match lines[..] {
            // The other command of this repository is what runs this test.
            [up, test] if up.starts_with("./x up ") && test.starts_with("./x test ") => {
                let product = up_by(self.clone.path(), up);
                let banner = product.banner.clone();
                self.product = Some(product);
                Some(banner)
            }
            // An alternative to the above: a clone of its own, and nobody is asked anything.
            [up] if up.starts_with("./x up --upstream https://api.openai.com/v1 ") => {
                let other = clone();
                let product = up_by(other.path(), up);
                let banner = product.banner.clone();
                assert!(banner.contains("api.openai.com"), "{banner}");
                assert!(product.stop().success(), "a clean stop");
                Some(banner)
            }
            [line] if line.starts_with("countersign verify ledger ") => {
                let elsewhere = tempfile::tempdir().expect("a directory");
                copy(
                    &self.clone.path().join(".countersign/ledger"),
                    &elsewhere.path().join("ledger"),
                );
                let trust = "countersign.trust.yaml";
                fs::copy(self.clone.path().join(trust), elsewhere.path().join(trust))
                    .expect("copied");
                let path = searched(&self.clone.path().join("target/release"));
                Some(pasted(elsewhere.path(), "sh", &format!("PATH='{path}'\n{line}")))
            }
            _ => {
                if text.contains(&self.correlation) && !self.correlation.is_empty() {
                    covered(self.clone.path());
                }
                let printed = pasted(self.clone.path(), "sh", &text).replace('\r', "");
                let id =
                    printed.lines().find_map(|l| l.strip_prefix("x-countersign-correlation-id: "));
                if let Some(id) = id {
                    id.clone_into(&mut self.correlation);
                }
                Some(printed)
            }
        }
    }

    /// Text of the README with what is different here: ports that were taken, the id of the request.
    fn here(&self, text: &str) -> String {
        let Some(product) = &self.product else { return text.to_owned() };
        let admin = product.banner.lines().find_map(|line| line.trim().strip_prefix("admin "));
        let admin = admin.and_then(|url| url.trim().strip_prefix("http://")).expect("an address");
        text.replace("127.0.0.1:8443", &format!("127.0.0.1:{}", product.port))
            .replace("127.0.0.1:8444", admin)
            .replace("<correlation id or receipt hash>", &self.correlation)
    }
}

/// A directory with `x`, and a `cargo` for it that has built already: this test's own binary.
fn clone() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::copy(repository().join("x"), dir.path().join("x")).expect("x is copied");
    let release = dir.path().join("target/release");
    fs::create_dir_all(&release).expect("the target directory");
    symlink(env!("CARGO_BIN_EXE_countersign"), release.join("countersign")).expect("a link");
    let cargo = dir.path().join("bin/cargo");
    fs::create_dir(dir.path().join("bin")).expect("a directory");
    let script = "#!/bin/sh\n[ \"$*\" = 'build --locked --release -p countersign-cli' ]\n";
    fs::write(&cargo, script).expect("written");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("executable");
    dir
}

/// Starts a line that ends as the gateway.
fn up_by(clone: &Path, line: &str) -> Running {
    let mut up = Command::new("sh");
    up.args(["-c", &format!("exec {line}")]).current_dir(clone);
    up.env("PATH", searched(&clone.join("bin"))).env_remove("CARGO_TARGET_DIR");
    up.env("OPENAI_API_KEY", "unused");
    Running::start(up)
}

/// The search path with a directory before all others.
fn searched(first: &Path) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = [PathBuf::from(first)].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("a path").to_string_lossy().into_owned()
}

/// Waits for the checkpoint over what was written: a reader is slower than its interval.
fn covered(dir: &Path) {
    let begun = Instant::now();
    loop {
        let verify = countersign(dir, &["verify", ".countersign/ledger"]);
        if !said(&verify).contains("CS-LEDGER-015") {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "no checkpoint: {}", said(&verify));
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut fences = page.split("```").skip(1);
    let mut blocks = Vec::new();
    while let Some(block) = fences.next() {
        blocks.extend(block.split_once('\n'));
        fences.next();
    }
    blocks
}

/// Whether text is as shown: `…` stands for anything in a line, alone for any lines. The line that is
/// not there otherwise.
fn compare<'a>(shown: &'a str, printed: &str) -> Result<(), &'a str> {
    let mut printed: VecDeque<&str> = printed.trim_end().lines().collect();
    let mut skip = false;
    for line in shown.trim_end().lines() {
        if line == "…" {
            skip = true;
            continue;
        }
        let at = printed.iter().position(|there| alike(line, there));
        match at {
            Some(at) if at == 0 || skip => drop(printed.drain(..=at)),
            _ => return Err(line),
        }
        skip = false;
    }
    if printed.is_empty() || skip { Ok(()) } else { Err("(the end)") }
}

fn alike(shown: &str, printed: &str) -> bool {
    let mut pieces: VecDeque<&str> = shown.split('…').collect();
    let first = pieces.pop_front().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let Some(last) = pieces.pop_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn what_is_shown_is_compared() {
    let printed = "one\ntwo 2 three\nfour\n";
    for good in [printed, "…", "one\n…", "one\ntwo … three\nfour", "…\nfour\n", "…\nt…o…e\nfour"]
    {
        assert_eq!(compare(good, printed), Ok(()), "{good}");
    }
    for (bad, line) in [
        ("one", "(the end)"),
        ("", "(the end)"),
        ("one\nfour", "four"),
        ("one\ntwo … four\nfour", "two … four"),
        ("…\none\nfour", "four"),
        ("one\ntwo 2\nfour", "two 2"),
        ("…\nfive", "five"),
    ] {
        assert_eq!(compare(bad, printed), Err(line), "{bad}");
    }
}
