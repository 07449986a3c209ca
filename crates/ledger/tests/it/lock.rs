//! One sequencer at a time.

use ledger::lock::{Lock, LockError};

#[test]
fn the_second_opener_is_told_who_holds_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lock");
    let lock = Lock::take(&path).unwrap();
    match Lock::take(&path) {
        Err(error @ LockError::Held { .. }) => {
            assert!(error.to_string().contains(&format!("process {}", std::process::id())));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(lock.path(), path);
    drop(lock);
    Lock::take(&path).unwrap();
    assert!(matches!(Lock::take(home.path().join("a/b")), Err(LockError::Io { .. })));
}

#[test]
fn a_lock_file_that_is_deleted_lets_nobody_in() {
    let home = tempfile::tempdir().unwrap();
    let (path, dir) = (home.path().join("lock"), home.path().join("ledger"));
    std::fs::create_dir(&dir).unwrap();
    let lock = Lock::take(&path).unwrap().with_directory(&dir).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = Lock::take(&path).unwrap().with_directory(&dir);
    assert!(matches!(second, Err(LockError::Held { pid: None, .. })), "{second:?}");
    drop(lock);
    Lock::take(&path).unwrap().with_directory(&dir).unwrap();
}
