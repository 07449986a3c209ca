//! Many processes on one directory, none of which is there beforehand, and the sequencer among them
//! killed again and again.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ledger::read::{Item, Reader};
use ledger::socket::Seat;
use ledger::store::file::FileStore;
use ledger::{Entry, Kind, Ledger, Options, Prepared};

use crate::support::{options, vkey};

const HOME: &str = "COUNTERSIGN_TEST_HOME";
const NAME: &str = "COUNTERSIGN_TEST_NAME";
const COUNT: &str = "COUNTERSIGN_TEST_COUNT";
const PATIENCE: Duration = Duration::from_secs(120);

/// One of the processes. Run as a test of its own it has nothing to do.
#[test]
fn process() {
    let (Ok(home), Ok(name)) = (env::var(HOME), env::var(NAME)) else { return };
    let count: u64 = env::var(COUNT).unwrap().parse().unwrap();
    let home = Path::new(&home);
    let (run, dir) = (home.join("run"), home.join("ledger"));
    let opening = |lock, writer: &str| {
        let store = Arc::new(FileStore::open(&dir)?);
        let mut options = Options { writer: writer.to_owned(), ..options() };
        options.lock = Some(lock);
        Ledger::open(store, options, &mut |_, _, _| {})
    };
    let open = |lock, writer: &str| opening(lock, writer).map_err(Into::into);
    let mut seat = Seat::take(&run, &dir, "worker-*", PATIENCE, open).unwrap();
    // What was acknowledged is told to a file: a kill loses no line that was written.
    let mut told = OpenOptions::new().append(true).create(true).open(home.join(&name)).unwrap();
    let mut presiding = None;
    for n in 0..count {
        if presiding != Some(seat.is_sequencer()) {
            presiding = Some(seat.is_sequencer());
            println!("sequencer {}", seat.is_sequencer());
        }
        let indices = seat.append(&[entry(&name, n)]).unwrap();
        assert_eq!(indices.len(), 1);
        told.write_all(format!("{n} {}\n", indices[0]).as_bytes()).unwrap();
    }
    seat.leave().unwrap();
}

fn entry(name: &str, n: u64) -> Prepared {
    let id = format!("{name}/{n}");
    let body = format!("{{\"id\":\"{id}\",\"text\":\"{}\"}}", "x".repeat(200));
    Prepared::of(Entry { kind: Kind::Attestation, id, body: body.into_bytes() }).unwrap()
}

struct Process {
    child: Child,
    presides: Receiver<bool>,
}

fn start(home: &Path, name: &str, count: u64) -> Process {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes::process", "--nocapture"])
        .envs([(HOME, home.to_str().unwrap()), (NAME, name), (COUNT, &count.to_string())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, presides) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((_, said)) = line.split_once("sequencer ") {
                let _ = tell.send(said == "true");
            }
        }
    });
    Process { child, presides }
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("run")).unwrap();
    fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    home
}

/// What was acknowledged, by process and number.
fn told(home: &Path, names: &[String]) -> BTreeMap<(String, u64), u64> {
    let mut told = BTreeMap::new();
    for name in names {
        for line in fs::read_to_string(home.join(name)).unwrap_or_default().lines() {
            let (n, index) = line.split_once(' ').unwrap();
            let key = (name.clone(), n.parse().unwrap());
            assert_eq!(told.insert(key, index.parse().unwrap()), None);
        }
    }
    told
}

/// Everything holds, every writer's sequence is without gaps (a reader checks it), and every
/// acknowledged entry is there once, where it was said to be.
fn judge(home: &Path, told: &BTreeMap<(String, u64), u64>) -> u64 {
    let reader = Reader::open_dir(&home.join("ledger"), Some(&[vkey()])).unwrap();
    let mut walk = reader.entries();
    let mut places = HashMap::new();
    while let Some(item) = walk.next().unwrap() {
        match item {
            Item::Damage(damage) => panic!("{damage}"),
            Item::Entry(entry) if entry.leaf.kind == Kind::Repair => {}
            Item::Entry(entry) => {
                let again = places.insert(entry.leaf.id.clone(), entry.index);
                assert_eq!(again, None, "{} is there twice", entry.leaf.id);
            }
        }
    }
    let summary = walk.finish();
    assert_eq!(summary.damage, []);
    for ((name, n), index) in told {
        assert_eq!(places.get(&format!("{name}/{n}")), Some(index), "{name}/{n}");
    }
    places.len() as u64
}

/// Eight processes, 5,000 appends each; the environment may ask for another number.
#[test]
fn eight_processes_make_one_valid_log() {
    let home = home();
    let each: u64 =
        env::var("COUNTERSIGN_APPENDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5_000);
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let started: Vec<_> = names.iter().map(|name| start(home.path(), name, each)).collect();
    for mut process in started {
        assert!(process.child.wait().unwrap().success());
    }
    let told = told(home.path(), &names);
    assert_eq!(told.len() as u64, 8 * each);
    assert_eq!(judge(home.path(), &told), 8 * each);
}

/// The sequencer is killed in the middle, five times; whoever is left goes on.
#[test]
fn a_killed_sequencer_is_followed_by_another() {
    let home = home();
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let mut running: Vec<_> = names.iter().map(|name| start(home.path(), name, 400)).collect();
    let mut killed = 0;
    while killed < 5 {
        let found =
            running.iter().position(|process| process.presides.try_iter().last() == Some(true));
        let Some(at) = found else {
            assert!(
                running.iter_mut().any(|process| process.child.try_wait().unwrap().is_none()),
                "all ended after {killed} kills"
            );
            std::thread::yield_now();
            continue;
        };
        // Let it serve for a moment: until the log has grown.
        let size = || fs::metadata(home.path().join("ledger/journal")).map(|_| grown(home.path()));
        let before = size().unwrap_or(0);
        while size().unwrap_or(0) < before + 20_000 {
            std::thread::yield_now();
        }
        let mut process = running.remove(at);
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        killed += 1;
    }
    for mut process in running {
        assert!(process.child.wait().unwrap().success(), "the others go on to their end");
    }
    let told = told(home.path(), &names);
    assert!(told.len() >= 3 * 400);
    let there = judge(home.path(), &told);
    // What was under way when a process was killed may be there without anybody having been told.
    assert!(there >= told.len() as u64 && there <= told.len() as u64 + 5);
}

/// Bytes in the journal.
fn grown(home: &Path) -> u64 {
    let segments = fs::read_dir(home.join("ledger/journal")).unwrap();
    segments.map(|file| file.unwrap().metadata().map_or(0, |found| found.len())).sum()
}
