use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use seal::SecretKey;
use seal::base64;
use seal::note::NoteSigner;
use seal::time::UnixMillis;

use super::*;

const ORIGIN: &str = "log.example/a";

/// A log that says whatever the test wants.
struct Author {
    key: SecretKey,
    leaves: Vec<Digest>,
}

impl Author {
    fn new(count: u64) -> Author {
        let leaves = (0..count).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect();
        Author { key: SecretKey::from_seed([1; 32]), leaves }
    }

    /// The same log, that forgot its leaves from `at` on and signed others.
    fn forked(mut self, at: usize) -> Author {
        for leaf in &mut self.leaves[at..] {
            *leaf = merkle::leaf_hash(leaf.as_bytes());
        }
        self
    }

    fn vkey(&self) -> VerifierKey {
        NoteSigner::new(ORIGIN, &self.key).unwrap().vkey().clone()
    }

    fn note(&self, size: u64) -> String {
        let root = merkle::root_of(&self.leaves[..size as usize]);
        self.sign(&Checkpoint { origin: ORIGIN.to_owned(), size, root }.text())
    }

    fn sign(&self, text: &str) -> String {
        note::sign(text, &[NoteSigner::new(ORIGIN, &self.key).unwrap()])
    }

    fn ask(&self, old: u64, new: u64) -> Vec<u8> {
        let proof = merkle::consistency_proof(&self.leaves[..new as usize], old as usize);
        body(old, &proof, &self.note(new))
    }
}

fn body(old: u64, proof: &[Digest], note: &str) -> Vec<u8> {
    let proof: String =
        proof.iter().map(|hash| format!("{}\n", base64::std_encode(hash.as_bytes()))).collect();
    format!("old {old}\n{proof}\n{note}").into_bytes()
}

/// A clock that stands until it is moved; seconds.
struct Seconds(AtomicU64);

impl Clock for Seconds {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst) * 1000)
    }
}

fn setup(dir: &Path) -> Setup {
    Setup {
        dir: dir.to_owned(),
        name: "witness.example/w".to_owned(),
        signer: Arc::new(SecretKey::from_seed([9; 32])),
        logs: vec![Author::new(0).vkey()],
        clock: Arc::new(Seconds(AtomicU64::new(1_700_000_000))),
    }
}

fn witness(dir: &Path) -> Witness {
    Witness::open(setup(dir)).unwrap()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn cosigned(verdict: Verdict) -> Cosignature {
    let Verdict::Cosigned(line) = verdict else { panic!("not cosigned: {verdict:?}") };
    Cosignature::parse(&line).unwrap()
}

/// What is kept of the log of these tests.
fn kept(dir: &Path) -> Vec<PathBuf> {
    let id = Digest::of(ORIGIN.as_bytes()).hex();
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir.join("evidence").join(id))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_growing_log_is_cosigned_step_by_step() {
    let dir = scratch();
    let log = Author::new(20);
    let witness = witness(dir.path());
    let id = Digest::of(ORIGIN.as_bytes()).hex();
    assert_eq!(witness.latest(&id), None);
    let mut last = 0;
    for size in [1, 1, 2, 7, 8, 20, 20] {
        let line = cosigned(witness.add_checkpoint(&log.ask(last, size)));
        let note = log.note(size);
        let (text, _) = checkpoint_of(&note).unwrap();
        assert!(line.verify(witness.vkey(), text), "{size}");
        assert_eq!(line.time_seconds, 1_700_000_000);
        // What monitors read is what was signed, by both.
        let latest = witness.latest(&id).unwrap();
        let keys = [witness.vkey().clone()];
        let opened = note::open_cosigned(latest.as_bytes(), &[log.vkey()], &keys).unwrap();
        assert_eq!((&*opened.text, opened.cosigned.len()), (text, 1));
        last = size;
    }
    assert!(kept(dir.path()).is_empty());
}

#[test]
fn every_answer_in_its_order() {
    let dir = scratch();
    let (log, witness) = (Author::new(20), witness(dir.path()));
    let ask = |body: &[u8]| witness.add_checkpoint(body);
    cosigned(ask(&log.ask(0, 8)));

    // Malformed goes first, then the log, then its signature, then the sizes.
    assert!(matches!(ask(b"old 9\n"), Verdict::Malformed(_)));
    let stranger = SecretKey::from_seed([2; 32]);
    let other = NoteSigner::new("log.example/b", &stranger).unwrap();
    let text = "log.example/b\n1\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n";
    assert_eq!(ask(&body(9, &[], &note::sign(text, &[other]))), Verdict::UnknownLog);

    let unsigned = log.note(12).replace("\u{2014} log.example/a", "\u{2014} log.example/c");
    assert_eq!(ask(&body(20, &[], &unsigned)), Verdict::NotSigned);
    let forger = NoteSigner::new(ORIGIN, &stranger).unwrap();
    let forged = note::sign(checkpoint_of(&log.note(12)).unwrap().0, &[forger]);
    assert_eq!(ask(&body(20, &[], &forged)), Verdict::NotSigned, "another key of that name");
    // A line in the log's name and id that does not verify, beside one that does.
    let line = log.note(13).lines().last().unwrap().to_owned();
    assert_eq!(ask(&body(20, &[], &format!("{}{line}\n", log.note(12)))), Verdict::NotSigned);

    assert!(matches!(ask(&body(13, &[], &log.note(12))), Verdict::Malformed(_)));
    assert_eq!(ask(&log.ask(0, 12)), Verdict::Elsewhere(8));
    assert_eq!(ask(&log.ask(7, 12)), Verdict::Elsewhere(8));
    assert_eq!(ask(&log.ask(0, 4)), Verdict::Elsewhere(8), "a smaller one is no fork by itself");
    assert!(kept(dir.path()).is_empty(), "none of this speaks against the log");

    // From here on the log signed it.
    assert!(matches!(ask(&body(8, &[], &log.note(12))), Verdict::Refused(_)));
    assert_eq!(kept(dir.path()).len(), 1);
    let same = body(8, &[log.leaves[0]], &log.note(8));
    assert!(matches!(ask(&same), Verdict::Refused(_)));
    assert_eq!(kept(dir.path()).len(), 1, "a proof too many of what was cosigned");
    cosigned(ask(&log.ask(8, 12)));
}

#[test]
fn a_log_without_entries() {
    let (dir, log) = (scratch(), Author::new(1));
    let witness = witness(dir.path());
    let nothing = |root| log.sign(&Checkpoint { origin: ORIGIN.to_owned(), size: 0, root }.text());
    let wrong = body(0, &[], &nothing(Digest::of(b"x")));
    assert!(matches!(witness.add_checkpoint(&wrong), Verdict::Refused(_)));
    assert_eq!(kept(dir.path()).len(), 1);
    let proof = body(0, &[Digest::of(b"x")], &log.note(1));
    assert!(matches!(witness.add_checkpoint(&proof), Verdict::Refused(_)));
    cosigned(witness.add_checkpoint(&body(0, &[], &nothing(merkle::empty_root()))));
    cosigned(witness.add_checkpoint(&log.ask(0, 1)));
}

#[test]
fn a_fork_is_refused_and_kept_whatever_size_it_starts_from() {
    let (dir, log) = (scratch(), Author::new(20));
    let witness = witness(dir.path());
    cosigned(witness.add_checkpoint(&log.ask(0, 8)));
    let fork = Author::new(20).forked(5);
    // Same size, two roots: said from anywhere it is proof.
    assert_eq!(witness.add_checkpoint(&fork.ask(0, 8)), Verdict::Elsewhere(8));
    assert!(matches!(witness.add_checkpoint(&body(8, &[], &fork.note(8))), Verdict::Refused(_)));
    // Larger, and its own proof does not lead from what was cosigned.
    assert!(matches!(witness.add_checkpoint(&fork.ask(8, 12)), Verdict::Refused(_)));
    let files = kept(dir.path());
    let names: Vec<_> =
        files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("fork-") && names[1].starts_with("unproven-"), "{names:?}");
    // Whoever has the file and the log's key sees it for themselves.
    let text = std::fs::read(&files[0]).unwrap();
    let value = seal::json::parse(&text, seal::json::Limits::DOCUMENT).unwrap();
    let part = |name| value.get(name).and_then(|v| v.as_str()).unwrap().to_owned();
    let first = note::open(part("cosigned").as_bytes(), &[log.vkey()]).unwrap();
    let refused = part("refused");
    let (_, second) = refused.split_once("\n\n").unwrap();
    let second = note::open(second.as_bytes(), &[log.vkey()]).unwrap();
    let of = |text: &str| Checkpoint::parse(text).unwrap();
    assert_eq!(of(&first.text).size, of(&second.text).size);
    assert_ne!(of(&first.text).root, of(&second.text).root);
    // The honest one goes on.
    cosigned(witness.add_checkpoint(&log.ask(8, 20)));
}

#[test]
fn bad_proofs_of_others_do_not_fill_the_disk() {
    let (dir, log) = (scratch(), Author::new(200));
    let witness = witness(dir.path());
    cosigned(witness.add_checkpoint(&log.ask(0, 1)));
    for size in 2..150 {
        let wrong = body(1, &[], &log.note(size));
        assert!(matches!(witness.add_checkpoint(&wrong), Verdict::Refused(_)));
    }
    assert_eq!(kept(dir.path()).len(), 64);
    // A fork is kept nevertheless, also after a restart.
    drop(witness);
    let witness = self::witness(dir.path());
    let fork = Author::new(1).forked(0);
    assert!(matches!(witness.add_checkpoint(&body(1, &[], &fork.note(1))), Verdict::Refused(_)));
    assert!(matches!(witness.add_checkpoint(&body(1, &[], &log.note(160))), Verdict::Refused(_)));
    assert_eq!(kept(dir.path()).len(), 65);
    // What turns out to extend the log is no evidence against it, and makes room for what is.
    cosigned(witness.add_checkpoint(&log.ask(1, 60)));
    assert_eq!(kept(dir.path()).len(), 64);
    let fork = Author::new(200).forked(30);
    assert!(matches!(witness.add_checkpoint(&fork.ask(60, 90)), Verdict::Refused(_)));
    let before = kept(dir.path());
    assert_eq!(before.len(), 65);
    // Nothing but that checkpoint settles it.
    cosigned(witness.add_checkpoint(&log.ask(60, 180)));
    assert_eq!(kept(dir.path()), before);
}

#[test]
fn extension_lines_are_signed_along() {
    let (dir, log) = (scratch(), Author::new(3));
    let witness = witness(dir.path());
    let plain = log.note(3);
    let (text, _) = checkpoint_of(&plain).unwrap();
    let more = format!("{text}an extension\n");
    let line = cosigned(witness.add_checkpoint(&body(0, &[], &log.sign(&more))));
    assert!(line.verify(witness.vkey(), &more) && !line.verify(witness.vkey(), text));
    drop(witness);
    self::witness(dir.path());
}

#[test]
fn lines_of_others_are_not_passed_on() {
    let (dir, log) = (scratch(), Author::new(3));
    let witness = witness(dir.path());
    let friend = SecretKey::from_seed([3; 32]);
    let note = log.note(3);
    let (text, _) = checkpoint_of(&note).unwrap();
    let friend = NoteSigner::new("friend.example", &friend).unwrap();
    let mine = NoteSigner::new(ORIGIN, &log.key).unwrap();
    cosigned(witness.add_checkpoint(&body(0, &[], &note::sign(text, &[friend, mine]))));
    let latest = witness.latest(&Digest::of(ORIGIN.as_bytes()).hex()).unwrap();
    assert!(!latest.contains("friend.example") && latest.contains("witness.example/w"), "{latest}");
}

#[test]
fn memory_that_is_not_ours_stops_the_start() {
    let (dir, log) = (scratch(), Author::new(3));
    cosigned(witness(dir.path()).add_checkpoint(&log.ask(0, 3)));
    let other = Setup { signer: Arc::new(SecretKey::from_seed([8; 32])), ..setup(dir.path()) };
    assert!(matches!(Witness::open(other), Err(OpenError::Memory { .. })));
    let path = dir.path().join("logs").join(Digest::of(ORIGIN.as_bytes()).hex()).join("checkpoint");
    let good = std::fs::read(&path).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    // The log's own line is passed on, but what is believed is ours.
    let passed_on = text.find('\u{2014}').unwrap()..text.rfind('\u{2014}').unwrap() - 1;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let opened = Witness::open(setup(dir.path()));
        assert!(opened.is_err() || passed_on.contains(&at), "byte {at}");
    }
    for cut in [0, 1, good.len() / 2, good.len() - 40] {
        std::fs::write(&path, &good[..cut]).unwrap();
        assert!(matches!(Witness::open(setup(dir.path())), Err(OpenError::Memory { .. })));
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(witness(dir.path()).add_checkpoint(&log.ask(0, 3)), Verdict::Elsewhere(3));
}

#[test]
fn one_process_per_directory() {
    let dir = scratch();
    let first = witness(dir.path());
    assert!(matches!(Witness::open(setup(dir.path())), Err(OpenError::Locked(_))));
    std::fs::remove_file(dir.path().join("lock")).unwrap();
    assert!(matches!(Witness::open(setup(dir.path())), Err(OpenError::Locked(_))));
    drop(first);
    witness(dir.path());
}

#[test]
fn setups_that_cannot_work() {
    let dir = scratch();
    let none = Setup { logs: Vec::new(), ..setup(dir.path()) };
    assert!(matches!(Witness::open(none), Err(OpenError::NoLogs)));
    let bad = Setup { name: "a b".to_owned(), ..setup(dir.path()) };
    assert!(matches!(Witness::open(bad), Err(OpenError::Name)));
}

#[test]
fn a_clock_before_1970_signs_nothing() {
    let (dir, log) = (scratch(), Author::new(3));
    let clock = Arc::new(Seconds(AtomicU64::new(0)));
    let witness = Witness::open(Setup { clock, ..setup(dir.path()) }).unwrap();
    assert_eq!(witness.add_checkpoint(&log.ask(0, 3)), Verdict::Unavailable);
    drop(witness);
    cosigned(self::witness(dir.path()).add_checkpoint(&log.ask(0, 3)));
}

/// A disk that ends after so many steps: each later step does nothing and fails, as if the process
/// had been killed there; what it wrote stays.
struct Mortal {
    steps: AtomicUsize,
}

impl Mortal {
    fn step(&self) -> std::io::Result<()> {
        let alive =
            self.steps.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        alive.map(|_| ()).map_err(|_| std::io::Error::other("the disk is gone"))
    }
}

impl Disk for Mortal {
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<File> {
        // Half of it is there when it fails.
        let alive = self.step();
        let file = Files.write(path, if alive.is_ok() { bytes } else { &bytes[..bytes.len() / 2] });
        alive.and(file)
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        self.step().and_then(|()| Files.sync(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| Files.rename(from, to))
    }

    fn sync_names(&self, dir: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| Files.sync_names(dir))
    }
}

/// After an end at any step, what is remembered is what was told, or one more that was told to
/// nobody; a fork of what was told is refused in either case.
#[test]
fn an_end_between_any_two_steps_forgets_nothing_that_was_told() {
    let (log, fork) = (Author::new(20), Author::new(20).forked(0));
    let (mut old, mut new) = (0, 0);
    for steps in 0..=9 {
        let dir = scratch();
        cosigned(witness(dir.path()).add_checkpoint(&log.ask(0, 4)));
        let mortal = Box::new(Mortal { steps: AtomicUsize::new(steps) });
        let dying = Witness::open_on(setup(dir.path()), mortal).unwrap();
        let mut told = 4;
        for size in [8, 12] {
            match dying.add_checkpoint(&log.ask(told, size)) {
                Verdict::Cosigned(_) => told = size,
                Verdict::Unavailable => {}
                other => panic!("{steps}: {other:?}"),
            }
        }
        // Nothing was cosigned after a step whose outcome is unknown.
        assert_eq!(told, [4, 8, 12][steps / 4], "{steps}");
        drop(dying);
        let again = witness(dir.path());
        let Verdict::Elsewhere(seen) = again.add_checkpoint(&log.ask(0, 20)) else { panic!() };
        assert!(seen >= told && seen <= told + 4, "{steps}: told {told}, seen {seen}");
        if seen == told {
            old += 1
        } else {
            new += 1
        }
        let other = body(seen, &[], &fork.note(seen));
        assert!(matches!(again.add_checkpoint(&other), Verdict::Refused(_)), "{steps}");
        cosigned(again.add_checkpoint(&log.ask(seen, 20)));
    }
    assert!(old > 0 && new > 0, "both ends were seen: {old} {new}");
}

/// Two logs of one name race for the same place; only one of them is ever cosigned.
#[test]
fn of_two_that_come_at_once_one_is_cosigned() {
    let dir = scratch();
    let witness = witness(dir.path());
    let logs = [Author::new(8), Author::new(8).forked(0)];
    let told = [AtomicUsize::new(0), AtomicUsize::new(0)];
    std::thread::scope(|scope| {
        for (log, told) in logs.iter().zip(&told) {
            scope.spawn(|| {
                for size in (1..=8).chain(1..=8) {
                    for old in [size - 1, size] {
                        let verdict = witness.add_checkpoint(&log.ask(old, size));
                        let cosigned = matches!(verdict, Verdict::Cosigned(_));
                        told.fetch_add(usize::from(cosigned), Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let told = told.map(|count| count.into_inner());
    assert!(told.contains(&0) && told.iter().sum::<usize>() >= 8, "{told:?}");
}

/// A disk that fails at one step and is well again.
struct Hiccup {
    at: usize,
    steps: AtomicUsize,
}

impl Hiccup {
    fn step(&self) -> std::io::Result<()> {
        match self.steps.fetch_add(1, Ordering::SeqCst) == self.at {
            true => Err(std::io::Error::other("once")),
            false => Ok(()),
        }
    }
}

impl Disk for Hiccup {
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<File> {
        self.step().and_then(|()| Files.write(path, bytes))
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        self.step().and_then(|()| Files.sync(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| Files.rename(from, to))
    }

    fn sync_names(&self, dir: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| Files.sync_names(dir))
    }
}

#[test]
fn what_may_or_may_not_be_kept_ends_the_cosigning_until_a_start() {
    let (log, fork) = (Author::new(20), Author::new(20).forked(5));
    for at in 0..4 {
        let dir = scratch();
        cosigned(witness(dir.path()).add_checkpoint(&log.ask(0, 4)));
        let hiccup = Box::new(Hiccup { at, steps: AtomicUsize::new(0) });
        let shaken = Witness::open_on(setup(dir.path()), hiccup).unwrap();
        assert_eq!(shaken.add_checkpoint(&log.ask(4, 8)), Verdict::Unavailable, "{at}");
        // Before the rename nothing has happened. After it a crash might bring back 8 of this
        // history, so that no 8 of another may be told.
        let other = shaken.add_checkpoint(&fork.ask(4, 8));
        match at {
            0 | 1 => drop(cosigned(other)),
            _ => assert_eq!(other, Verdict::Unavailable, "{at}"),
        }
        drop(shaken);
        let Verdict::Elsewhere(seen) = witness(dir.path()).add_checkpoint(&log.ask(0, 20)) else {
            panic!("{at}");
        };
        assert_eq!(seen, if at == 2 { 4 } else { 8 }, "{at}");
    }
}
