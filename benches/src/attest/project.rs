//! The example of the repository, made and signed: what a commit hook waits for.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use seal::key::SecretKey;

use super::{least, middle, synced, timed};
use crate::figure::{Figure, Table};

const TIMES: usize = 40;

pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    table.section(
        "A small project",
        &format!(
            "`attest create` and `attest sign` of examples/rag (six statements over 31 files) in a git repository, each a process of its own, its start included; {TIMES} times."
        ),
    );
    let dir = tempfile::tempdir()?;
    let project = dir.path().join("rag");
    super::example(&project)?;
    let key = dir.path().join("key.pem");
    fs::write(&key, SecretKey::from_seed([13; 32]).to_pem().as_bytes())?;
    let set = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&project).args(set).args(words);
        command
    };
    let repository = ["init", "add", "commit"].into_iter().all(|act| {
        let words: &[&str] = match act {
            "init" => &["init", "-q"],
            "add" => &["add", "-A"],
            _ => &["commit", "-q", "-m", "bench", "--no-gpg-sign"],
        };
        timed(&mut git(words)).is_ok()
    });
    if !repository {
        table.missing("a small project in a git repository: there is no git");
    }
    let own = |words: &[&str]| {
        let mut command = Command::new(binary);
        command.args(words).current_dir(&project);
        command
    };
    let mut columns: [Vec<f64>; 6] = Default::default();
    for _ in 0..TIMES {
        let folder = project.join("attestations");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let create = timed(&mut own(&["attest", "create"]))?.as_secs_f64() * 1e3;
        let sign = timed(own(&["attest", "sign", "--key"]).arg(&key))?.as_secs_f64() * 1e3;
        fs::remove_dir_all(&folder)?;
        let alone = timed(&mut own(&["attest", "create", "--commit", "x"]))?.as_secs_f64() * 1e3;
        let start = timed(&mut own(&["--version"]))?.as_secs_f64() * 1e3;
        let status = match repository {
            true => timed(&mut git(&["status", "--porcelain=v2"]))?.as_secs_f64() * 1e3,
            false => 0.0,
        };
        let sync = synced(&dir.path().join("floor"), 20_000)? * 1e3;
        let row = [create + sign, create, sign, alone, start, status + 2.0 * start + 2.0 * sync];
        columns.iter_mut().zip(row).for_each(|(column, one)| column.push(one));
    }
    let [both, create, sign, alone, start, floor] = &columns;
    let name = "two starts that do nothing, one git status, two synced files";
    table.add(
        Figure::new("create and sign, best", least(both), "ms")
            .floor(least(floor), name)
            .goal(15.0, 15.0),
    );
    table.add(
        Figure::new("create and sign, median", middle(both), "ms")
            .floor(middle(floor), name)
            .goal(15.0, 15.0),
    );
    table.add(Figure::new("create, best", least(create), "ms"));
    table.add(Figure::new("create with --commit, git not asked, best", least(alone), "ms"));
    table.add(Figure::new("sign, best", least(sign), "ms"));
    table.add(Figure::new("a start that does nothing, best", least(start), "ms"));
    Ok(())
}
