//! `log check` and `log checkpoint` on a ledger that a gateway made, whole and touched.

use std::fs;
use std::path::{Path, PathBuf};

use crate::running::{Running, ask, countersign, said};

const LEDGER: &str = ".countersign/ledger";

/// A stopped ledger.
fn made() -> tempfile::TempDir {
    let base = tempfile::tempdir().expect("a directory");
    let product = Running::up(base.path(), &[], &[]);
    for n in 0..3 {
        product.chat(&ask(&format!("Hello {n}."), false)).expect("an answer");
    }
    assert!(product.stop().success(), "a clean stop");
    base
}

fn digest(bytes: &[u8]) -> String {
    seal::Digest::of(bytes).to_string()
}

fn tile(dir: &Path) -> PathBuf {
    let partial = dir.join(LEDGER).join("public/tile/0/000.p");
    let widths = fs::read_dir(&partial).expect("there are tiles").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().parse::<u64>().expect("a width")
    });
    partial.join(widths.max().expect("one at least").to_string())
}

#[test]
fn a_whole_ledger_is_well_and_a_touched_one_is_not() {
    let base = made();
    let check = |args: &[&str]| countersign(base.path(), &[&["log", "check"], args].concat());
    let well = check(&[]);
    assert_eq!(well.status.code(), Some(0), "{}", said(&well));
    let json = check(&["--format", "json"]);
    let report = String::from_utf8_lossy(&json.stdout).into_owned();
    assert!(report.contains("\"signed\"") && json.stderr.is_empty(), "{}", said(&json));
    // Signed by whose word: the trust file and its digest, as `verify` names them.
    let trust = fs::read(base.path().join("countersign.trust.yaml")).unwrap();
    let named = said(&well);
    assert!(named.contains("countersign.trust.yaml") && named.contains(&digest(&trust)), "{named}");
    // Without the log's key the signature is not judged, and that is said.
    fs::rename(base.path().join("countersign.trust.yaml"), base.path().join("kept")).unwrap();
    let unknown = check(&[LEDGER]);
    assert_eq!(unknown.status.code(), Some(0), "{}", said(&unknown));
    assert!(said(&unknown).contains("signature was not judged"), "{}", said(&unknown));
    fs::rename(base.path().join("kept"), base.path().join("countersign.trust.yaml")).unwrap();

    let tile = tile(base.path());
    let whole = fs::read(&tile).unwrap();
    let mut changed = whole.clone();
    changed[5] ^= 4;
    fs::write(&tile, &changed).unwrap();
    let tampered = check(&[]);
    assert_eq!(tampered.status.code(), Some(12), "{}", said(&tampered));
    assert!(said(&tampered).contains("CS-LEDGER-029"), "{}", said(&tampered));
    // A start refuses the same, and says which file.
    let refused = countersign(base.path(), &["log", "checkpoint"]);
    assert_eq!(refused.status.code(), Some(12), "{}", said(&refused));
    assert!(said(&refused).contains("public/tile/0/000.p/"), "{}", said(&refused));
    fs::remove_file(&tile).unwrap();
    let missing = check(&[]);
    assert_eq!(missing.status.code(), Some(14), "{}", said(&missing));
    assert!(said(&missing).contains("CS-LEDGER-030"), "{}", said(&missing));
    // Repair makes it anew and says so for ever.
    let repaired = countersign(base.path(), &["ledger", "repair", "--yes"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", said(&repaired));
    assert_eq!(fs::read(&tile).unwrap(), whole);
    let well = check(&[]);
    assert_eq!(well.status.code(), Some(0), "{}", said(&well));
    // None at all is no damage, since the journal has it all, but nobody is left to think so.
    let gone = base.path().join("gone");
    fs::create_dir(&gone).unwrap();
    for name in ["entries", "public/tile"] {
        let from = base.path().join(LEDGER).join(name);
        fs::rename(from, gone.join(name.replace('/', "-"))).unwrap();
    }
    for args in [&["log", "check"][..], &["verify", LEDGER]] {
        let untiled = countersign(base.path(), args);
        assert_eq!(untiled.status.code(), Some(0), "{}", said(&untiled));
        assert!(said(&untiled).contains("CS-LEDGER-031"), "{}", said(&untiled));
    }
    let nowhere = check(&["nowhere"]);
    assert_eq!(nowhere.status.code(), Some(66), "{}", said(&nowhere));
    let no_ledger = tempfile::tempdir().unwrap();
    let empty = check(&[no_ledger.path().to_str().unwrap()]);
    assert_eq!(empty.status.code(), Some(10), "{}", said(&empty));
}

#[test]
fn a_checkpoint_by_hand_covers_everything_and_needs_the_lock() {
    let base = tempfile::tempdir().expect("a directory");
    let product = Running::up(base.path(), &[], &[]);
    let held = countersign(base.path(), &["log", "checkpoint"]);
    assert_eq!(held.status.code(), Some(69), "{}", said(&held));
    product.chat(&ask("Hello.", false)).expect("an answer");
    product.kill();
    // What the killed one left unsigned is signed for now.
    let signed = countersign(base.path(), &["log", "checkpoint", "--format", "json"]);
    assert_eq!(signed.status.code(), Some(0), "{}", said(&signed));
    let shown = countersign(base.path(), &["log", "show"]);
    let size = String::from_utf8_lossy(&shown.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("size").map(|size| size.trim().to_owned()));
    let size = size.expect("a size");
    assert!(String::from_utf8_lossy(&signed.stdout).contains(&size), "{}", said(&signed));
    let again = countersign(base.path(), &["log", "checkpoint"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains("new     0"), "{}", said(&again));
    let verify = countersign(base.path(), &["verify", LEDGER]);
    assert!(!said(&verify).contains("beyond the checkpoint"), "{}", said(&verify));
}
