//! Where nothing can be written, nothing is, and the exit says so. Tests may run as root, whom no
//! permission stops: what stops here are a file in the place of a directory, a file system of the
//! kernel's, and a limit on the length of files.

use std::fs;
use std::process::{Command, Output, Stdio};

use super::Project;
use crate::running::said;

/// `countersign attest ARGS`, none of whose files may have more than so many blocks of 512 bytes.
fn limited(project: &Project, blocks: u32, args: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh"])
        .arg(blocks.to_string())
        .arg(env!("CARGO_BIN_EXE_countersign"))
        .arg("attest")
        .args(args)
        .current_dir(project.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("sh runs")
}

/// All names in the folder, those with a dot too.
fn all(project: &Project) -> Vec<String> {
    let Ok(entries) = fs::read_dir(project.path("attestations")) else { return Vec::new() };
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_cannot_take_files_is_refused() {
    let project = Project::new();
    project.write("file", "");
    for out in ["file", "file/below", "/proc", "/proc/nothing/below", "/dev/null"] {
        let told = project.attest(&["create", "--out", out], 73);
        assert!(told.contains(out), "{told}");
    }
    assert_eq!(fs::read(project.path("file")).expect("a file"), b"");
    assert_eq!(all(&project), [""; 0]);
    project.attest(&["create"], 0);
    let before = all(&project);
    for out in ["file", "/proc", "/proc/nothing/below"] {
        project.attest(&["sign", "--key", "key.pem", "--out", out], 73);
    }
    assert_eq!(all(&project), before);
}

#[test]
fn a_file_that_does_not_fit_takes_the_others_along() {
    let project = Project::new();
    // some of the statements fit, and the longest does not, however long a block is to this shell
    for n in 0..20 {
        project.write(&format!("data/documents/{n}.md"), "a text\n");
    }
    project.attest(&["create"], 0);
    let length = |name: &String| {
        let data = fs::metadata(project.path("attestations").join(name));
        data.expect("a statement").len()
    };
    let lengths: Vec<u64> = all(&project).iter().map(length).collect();
    let (least, most) = (lengths.iter().min(), lengths.iter().max());
    let blocks = u32::try_from(least.expect("some").div_ceil(512)).expect("short");
    assert!(most.is_some_and(|most| *most > u64::from(blocks) * 1024), "{lengths:?}");
    let bundles = |project: &Project| {
        let output = limited(project, blocks, &["sign", "--key", "key.pem"]);
        assert_eq!(output.status.code(), Some(73), "{}", said(&output));
    };
    let before = all(&project);
    bundles(&project);
    assert_eq!(all(&project), before);
    // with --replace what was there before is still there
    let output = limited(&project, blocks, &["create", "--replace"]);
    assert_eq!(output.status.code(), Some(73), "{}", said(&output));
    assert_eq!(all(&project), before);
    project.attest(&["sign", "--key", "key.pem"], 0);
    assert_eq!(all(&project).len(), 2 * before.len());
}
