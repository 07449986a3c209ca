//! The state directory on a real file system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicU64, Ordering};

use seal::json::Value;
use seal::time::UnixMillis;

use crate::recorder::{Profile, Recorder, Setup};

use super::*;

mod change;

struct Fixed;

impl ledger::Clock for Fixed {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }
}

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("countersign-state-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new directory");
        Scratch(path)
    }

    fn open(&self) -> Result<State, StateError> {
        State::open_or_init(&self.0, Init { memory: false, clock: Arc::new(Fixed) })
    }

    fn key(&self, name: &str) -> PathBuf {
        self.0.join(".countersign/keys").join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[track_caller]
fn refused(scratch: &Scratch, words: &str) {
    match scratch.open() {
        Ok(_) => panic!("expected a refusal with {words:?}"),
        Err(error) => assert!(error.to_string().contains(words), "{error}"),
    }
}

#[test]
fn the_first_start_makes_everything_and_the_next_changes_nothing() {
    let scratch = Scratch::new();
    let first = scratch.open().expect("made");
    assert!(first.created());
    assert_eq!(mode(&first.home()), 0o700);
    let names = [
        "gateway.pem",
        "decisions.pem",
        "log.pem",
        "hmac-k1.hex",
        "admin.token",
        "salt.hex",
        "scrape.token",
    ];
    for name in names {
        assert_eq!(mode(&scratch.key(name)), 0o600, "{name}");
    }
    assert_eq!(fs::read_dir(first.home().join("keys")).expect("keys").count(), names.len());
    assert_ne!(first.admin_token(), first.scrape_token());
    assert_eq!(first.origin().len(), "countersign.local/".len() + 12);
    let trust = fs::read(first.trust_path()).expect("the trust file");
    assert_eq!(first.trust_digest(), Digest::of(&trust));
    let (prints, token) = (first.fingerprints(), first.admin_token().to_owned());
    drop(first);

    let again = scratch.open().expect("opened");
    assert!(!again.created());
    assert_eq!(again.fingerprints(), prints);
    assert_eq!(again.admin_token(), token);
    assert_eq!(fs::read(again.trust_path()).expect("the trust file"), trust);
}

#[test]
fn one_process_at_a_time() {
    let scratch = Scratch::new();
    let first = scratch.open().expect("made");
    refused(&scratch, "in use");
    drop(first);
    scratch.open().expect("free again");
}

#[test]
fn wide_permissions_are_refused_with_the_remedy() {
    let scratch = Scratch::new();
    drop(scratch.open().expect("made"));
    fs::set_permissions(scratch.key("log.pem"), Permissions::from_mode(0o640)).expect("chmod");
    refused(&scratch, "chmod 0600");
    fs::set_permissions(scratch.key("log.pem"), Permissions::from_mode(0o600)).expect("chmod");
    fs::set_permissions(scratch.key("."), Permissions::from_mode(0o755)).expect("chmod");
    refused(&scratch, "chmod 0700");
}

#[test]
fn links_are_refused() {
    let scratch = Scratch::new();
    drop(scratch.open().expect("made"));
    let (key, aside) = (scratch.key("gateway.pem"), scratch.0.join("elsewhere.pem"));
    fs::rename(&key, &aside).expect("moved");
    symlink(&aside, &key).expect("linked");
    refused(&scratch, "links and special files");

    let scratch = Scratch::new();
    symlink("/nonexistent", scratch.0.join(".countersign")).expect("linked");
    refused(&scratch, "links and special files");
}

#[test]
fn a_lost_key_is_not_made_anew_behind_a_trust_file() {
    let scratch = Scratch::new();
    drop(scratch.open().expect("made"));
    let (key, aside) = (scratch.key("decisions.pem"), scratch.0.join("backup"));
    fs::rename(&key, &aside).expect("moved");
    refused(&scratch, "restore it from a backup");
    assert!(!key.exists(), "a refused start makes nothing");
    fs::rename(&aside, &key).expect("restored");
    fs::remove_file(scratch.key("admin.token")).expect("removed");
    let token = scratch.open().expect("a token may be made anew").admin_token().to_owned();
    assert_eq!(token.len(), 64);
}

#[test]
fn keys_that_the_trust_file_does_not_name_are_refused() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    drop(scratch.open().expect("made"));
    drop(other.open().expect("made"));
    fs::copy(other.key("gateway.pem"), scratch.key("gateway.pem")).expect("copied");
    refused(&scratch, "does not name the gateway key");
    fs::write(scratch.key("gateway.pem"), "nonsense").expect("written");
    refused(&scratch, "does not hold an Ed25519 private key");
}

#[test]
fn evidence_survives_a_restart_in_a_directory() {
    let scratch = Scratch::new();
    let start = |state: &State| {
        let setup = Setup {
            config: Value::object([("a", Value::from(1i64))]),
            rules: "[]".to_owned(),
            ruleset: "{}".to_owned(),
            profile: Profile::Full,
            agent: AGENT.parse().expect("an agent id"),
            refusals_per_minute: 10,
            headroom_bytes: 0,
            storing: crate::config::Storing::default(),
        };
        Recorder::start(state, setup).expect("started")
    };
    let state = scratch.open().expect("made");
    let recorder = start(&state);
    assert_eq!(recorder.size(), 3, "configuration, rules and the ruleset that names them");
    // Dropped unfinished: the disconnect is written by the recorder's thread.
    drop(recorder.begin(&recorder.ruleset(), "peer", "GET", "/v1/models"));
    recorder.close().expect("closed");
    assert_eq!(recorder.size(), 5);
    drop((recorder, state));

    let state = scratch.open().expect("opened");
    let again = start(&state);
    assert_eq!(again.size(), 5, "nothing twice, nothing lost");
    again.close().expect("closed");
    let vkey = state.keys.vkey(state.origin()).expect("a vkey");
    let reader = ledger::Reader::open_dir(&state.ledger_dir(), Some(&[vkey])).expect("readable");
    let summary = reader.check().expect("checked");
    assert!(reader.damage().is_empty() && reader.unlisted().is_empty(), "{summary:?}");
}
