//! A second gateway whose sequencer wrote what it was sent and did not live to say so.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;

use ledger::read::Item;

use super::*;
use crate::state::Init;

/// Stands between clients and a sequencer, and can lose an answer.
struct Between(Arc<AtomicBool>);

impl Between {
    fn stand(run: &Path) -> Between {
        let (socket, real) = (run.join(ledger::socket::SOCKET), run.join("real.sock"));
        std::fs::rename(&socket, &real).expect("it is served");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let lose = Arc::new(AtomicBool::new(false));
        let losing = lose.clone();
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = UnixStream::connect(&real) else { return };
                let (from, to) = (client.try_clone(), server.try_clone());
                thread::spawn(move || pass(from.expect("open"), to.expect("open"), None));
                let losing = losing.clone();
                thread::spawn(move || pass(server, client, Some(&losing)));
            }
        });
        Between(lose)
    }
}

/// Passes bytes on until one side ends, or an answer is to be lost.
fn pass(mut from: UnixStream, mut to: UnixStream, lose: Option<&AtomicBool>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if lose.is_some_and(|lose| lose.swap(false, Ordering::AcqRel))
            || to.write_all(&buffer[..count]).is_err()
        {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn what_was_written_without_an_answer_is_continued_behind_and_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let init =
        || Init { memory: false, clock: Arc::new(Ticking(AtomicU64::new(1_700_000_000_000))) };
    let state = State::open_or_init(dir.path(), init()).expect("made");
    let recorder = Recorder::start(&state, setup(Profile::Full)).expect("started");
    let first = Bench { state, recorder };
    let between = Between::stand(&first.state.home().join("run"));
    let joined = State::open_or_join(dir.path(), init(), "gateway-2").expect("joined");
    let recorder = Recorder::start(&joined, setup(Profile::Full)).expect("started");
    let second = Bench { state: joined, recorder };
    // The same facts are a document of each.
    first.turn("billing", FIRST, "", &[]);
    second.turn("billing", FIRST, "", &[]);

    let before = first.recorder.size();
    between.0.store(true, Ordering::Release);
    let (mut log, input) = second.log("billing", FIRST);
    let forward =
        Forward { body: Digest::of(b""), upstream: "simulator".to_owned(), model: "m".to_owned() };
    let id = log.id().to_owned();
    assert!(log.admitted(input, Ruling::allow(), forward).wait().is_err(), "nobody said it is");
    assert!(first.recorder.size() > before, "and yet it is there");
    drop(log);
    while !second.recorder.ready() {
        thread::yield_now();
    }
    second.turn("billing", FIRST, "", &[]);
    second.recorder.tick();
    second.recorder.close().expect("closed");
    first.recorder.close().expect("closed");

    let reader = ledger::Reader::open_dir(&first.state.ledger_dir(), None).expect("readable");
    let mut entries = reader.entries();
    let (mut last, mut outcomes) = (String::new(), Vec::new());
    let mut ids = std::collections::HashSet::new();
    while let Some(item) = entries.next().expect("readable") {
        let Item::Entry(entry) = item else { panic!("damage") };
        assert!(ids.insert((entry.leaf.kind, entry.leaf.id.clone())), "{} twice", entry.leaf.id);
        if entry.leaf.kind != Kind::Audit || entry.leaf.writer != "gateway-2" {
            continue;
        }
        let line = read_line(entry.body.present().expect("a body")).expect("a line");
        assert_eq!(line.prev_hmac, last, "at {}", entry.index);
        last = line.hmac.clone();
        if line.entry.meta_text("_request") == Some(&id) {
            outcomes.push(line.entry.meta_text("_outcome").map(str::to_owned));
        }
    }
    assert_eq!(outcomes, [None, Some("interrupted".to_owned())]);
}
