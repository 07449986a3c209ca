//! The sequencer's socket: who may append through it, what it refuses, and what breaks off.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ledger::read::{Item, Reader};
use ledger::socket::{Client, ConnectError, PLACE, SOCKET, Server, Serving, serve};
use ledger::store::file::FileStore;
use ledger::store::memory::MemoryStore;
use ledger::store::{Source, Store};
use ledger::{AppendError, Entry, Kind, Ledger, Options, Prepared};
use testkit::fault_store::{Fault, FaultStore};

use crate::support::{Acked, check, entries, open, options};

/// A directory with `run/` and a ledger that is served.
struct Served {
    home: tempfile::TempDir,
    ledger: Arc<Ledger>,
    server: Server,
}

impl Served {
    fn new() -> Served {
        Served::with(Serving::default(), options())
    }

    fn with(serving: Serving, options: Options) -> Served {
        let home = home();
        let store = Arc::new(FileStore::open(home.path().join("ledger")).unwrap());
        let ledger = Arc::new(Ledger::open(store, options, &mut |_, _, _| {}).unwrap());
        let server = serve(ledger.clone(), &run(home.path()), serving).unwrap();
        Served { home, ledger, server }
    }

    fn client(&self, writer: &str) -> Result<Client, ConnectError> {
        Client::connect(&run(self.home.path()), writer)
    }

    fn socket(&self) -> UnixStream {
        UnixStream::connect(self.server.path()).unwrap()
    }

    /// Ends it and checks the ledger.
    fn end(self, acked: &Acked) {
        drop(self.server);
        self.ledger.close().unwrap();
        drop(self.ledger);
        check(Arc::new(FileStore::open(self.home.path().join("ledger")).unwrap()), acked);
    }
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(run(home.path())).unwrap();
    fs::set_permissions(run(home.path()), fs::Permissions::from_mode(0o700)).unwrap();
    home
}

fn run(home: &Path) -> PathBuf {
    home.join("run")
}

fn prepared(tag: &str, count: usize) -> Vec<Prepared> {
    entries(tag, count).into_iter().map(|entry| Prepared::of(entry).unwrap()).collect()
}

fn one(kind: Kind, body: &str) -> Vec<Prepared> {
    vec![Prepared::of(Entry { kind, id: "an id".into(), body: body.into() }).unwrap()]
}

/// Waits for what another thread is about to do.
fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

#[test]
fn each_writer_has_its_own_sequence_in_one_order() {
    let served = Served::new();
    let mut acked = Acked::new();
    let clients = ["one", "two", "three"].map(|writer| served.client(writer).unwrap());
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(at, client)| {
                scope.spawn(move || {
                    let mut mine = Acked::new();
                    for n in 0..30 {
                        let tag = format!("{at}.{n}");
                        let range = client.append(&prepared(&tag, 1 + n % 3)).unwrap();
                        mine.extend(range.zip(entries(&tag, 1 + n % 3)));
                    }
                    mine
                })
            })
            .collect();
        for n in 0..30 {
            let batch = entries(&format!("own.{n}"), 2);
            acked.extend(served.ledger.append(batch.clone()).unwrap().zip(batch));
        }
        for thread in threads {
            acked.extend(thread.join().unwrap());
        }
    });
    for client in &clients {
        let state = client.ask_state().unwrap();
        assert_eq!((state.size, state.root), (acked.len() as u64, served.ledger.root()));
        assert_eq!(client.next_seq(), 60);
        assert_eq!(served.ledger.next_seq(&client.writer()), 60);
    }
    let dir = served.home.path().join("ledger");
    let reader = Reader::open_dir(&dir, None).unwrap();
    let mut walk = reader.entries();
    let mut writers = std::collections::BTreeMap::<String, u64>::new();
    while let Some(item) = walk.next().unwrap() {
        let Item::Entry(entry) = item else { panic!("damage") };
        *writers.entry(entry.leaf.writer.clone()).or_default() += 1;
    }
    assert_eq!(writers.into_values().collect::<Vec<_>>(), [60, 60, 60, 60]);
    served.end(&acked);
}

#[test]
fn a_writer_id_belongs_to_one_connection() {
    let served = Served::new();
    let first = served.client("one").unwrap();
    assert!(matches!(served.client("one"), Err(ConnectError::Taken(_))));
    assert!(matches!(served.client("tests"), Err(ConnectError::Taken(_))), "the sequencer's own");
    for reserved in ledger::socket::RESERVED {
        assert!(matches!(served.client(reserved), Err(ConnectError::Refused(_))), "{reserved}");
    }
    for bad in ["", "new\nline", &"x".repeat(65), "-*\u{7f}"] {
        assert!(matches!(served.client(bad), Err(ConnectError::Refused(_))), "{bad:?}");
    }
    let numbered: Vec<_> = (0..3).map(|_| served.client("append-*").unwrap()).collect();
    let names: Vec<_> = numbered.iter().map(Client::writer).collect();
    assert_eq!(names, ["append-1", "append-2", "append-3"]);
    drop(numbered);
    drop(first);
    until(|| served.server.connections() == 0);
    assert_eq!(served.client("append-*").unwrap().writer(), "append-1");
    served.client("one").unwrap();
}

#[test]
fn what_only_the_ledger_or_the_root_key_may_write_is_refused() {
    let judge: ledger::socket::Judge = Arc::new(|_, body| match body {
        b"signed by root" => Ok(()),
        _ => Err("not signed by the root key".into()),
    });
    let served = Served::with(Serving { judge: Some(judge), ..Serving::default() }, options());
    let client = served.client("one").unwrap();
    let refused = |entries: &[Prepared]| match client.append(entries) {
        Err(AppendError::Refused(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(refused(&one(Kind::Rotation, "by nobody")).contains("root key"));
    let mut many = prepared("x", 2);
    many.extend(one(Kind::Revocation, "by nobody"));
    assert!(refused(&many).contains("revocation"));
    assert_eq!(served.ledger.size(), 0, "nothing of an append that is refused");
    client.append(&one(Kind::Rotation, "signed by root")).unwrap();
    drop(client);

    // What no client of ours would send, by hand: a `repair` entry.
    let mut socket = greeted(&served, "two");
    socket.write_all(&append_message("repair", "id", b"{}")).unwrap();
    assert!(said(&mut socket).contains("written by the ledger alone"));
    socket.write_all(&append_message("audit", "", b"{}")).unwrap();
    assert!(said(&mut socket).contains("id of a audit entry"));
    socket.write_all(&append_message("decision", "id", &[b'x'; 5000])).unwrap();
    assert!(said(&mut socket).contains("the limit is 4096"));
    socket.write_all(&append_message("decision", "id", b"\xff\0")).unwrap();
    assert!(said(&mut socket).contains("not UTF-8"));
    assert_eq!(served.ledger.size(), 1);
    let plain = Served::new();
    let client = plain.client("one").unwrap();
    assert!(matches!(
        client.append(&one(Kind::Rotation, "signed by root")),
        Err(AppendError::Refused(text)) if text.contains("knows no root key")
    ));
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32).to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(content);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn append_message(kind: &str, id: &str, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    message(b'A', &[&text(kind)[..], &text(id), &length, body].concat())
}

fn hello(protocol: &str, writer: &str) -> Vec<u8> {
    message(b'H', &[text(protocol), text(writer)].concat())
}

/// The next message, as text; empty when the other side hung up.
fn said(socket: &mut UnixStream) -> String {
    let mut header = [0; 5];
    if socket.read_exact(&mut header).is_err() {
        return String::new();
    }
    let length = u32::from_be_bytes(header[..4].try_into().unwrap());
    let mut content = vec![0; length as usize];
    socket.read_exact(&mut content).unwrap();
    format!("{}{}", char::from(header[4]), String::from_utf8_lossy(&content))
}

fn greeted(served: &Served, writer: &str) -> UnixStream {
    let mut socket = served.socket();
    socket.write_all(&hello("countersign-sequencer/v1", writer)).unwrap();
    assert!(said(&mut socket).starts_with('w'));
    socket
}

#[test]
fn what_is_no_message_ends_the_connection_and_leaves_nothing() {
    let served = Served::new();
    let greetings: [&[u8]; 6] = [
        &message(b'A', b""),
        &message(b'H', b""),
        &message(b'H', &text("countersign-sequencer/v1")),
        &hello("countersign-sequencer/v2", "one"),
        &[0xff; 64],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for bytes in greetings {
        let mut socket = served.socket();
        socket.write_all(bytes).unwrap();
        assert!(said(&mut socket).starts_with('e'), "{bytes:?}");
        assert_eq!(said(&mut socket), "", "{bytes:?}");
    }
    let long = [&u32::MAX.to_be_bytes()[..], b"A"].concat();
    let too_many = append_message("audit", "id", b"{}")[..20].to_vec();
    let half = message(b'A', &too_many[5..]);
    let unknown = append_message("gossip", "id", b"{}");
    let again = hello("countersign-sequencer/v1", "three");
    for bytes in [&long, &half, &unknown, &again, &message(b'?', b"")] {
        let mut socket = greeted(&served, "two");
        socket.write_all(bytes).unwrap();
        assert!(said(&mut socket).starts_with("e\u{1}"), "{bytes:?}");
        assert_eq!(said(&mut socket), "", "{bytes:?}");
        until(|| served.server.connections() == 0);
    }
    // Hanging up in the middle, at every byte of an append.
    let whole = append_message("audit", "id", b"{\"whole\":1}");
    for cut in 0..whole.len() {
        let mut socket = greeted(&served, "two");
        socket.write_all(&whole[..cut]).unwrap();
        drop(socket);
        until(|| served.server.connections() == 0);
    }
    assert_eq!(served.ledger.size(), 0);
    greeted(&served, "two").write_all(&whole).unwrap();
    until(|| served.ledger.size() == 1);
    let client = served.client("one").unwrap();
    assert_eq!(client.ask_state().unwrap().size, 1);
}

#[test]
fn silent_and_half_spoken_peers_hold_up_nobody() {
    let served = Served::with(Serving { connections: 9, ..Serving::default() }, options());
    let silent: Vec<_> = (0..4).map(|_| served.socket()).collect();
    let half: Vec<_> = (0..4)
        .map(|n| {
            let mut socket = greeted(&served, &format!("half {n}"));
            // Twenty megabytes are announced and do not come.
            socket.write_all(&[1, 0x40, 0, 0, b'A', 0, 5]).unwrap();
            socket
        })
        .collect();
    let client = served.client("one").unwrap();
    for n in 0..50 {
        client.append(&prepared(&format!("{n}"), 1)).unwrap();
    }
    // There are nine now; one more is told so.
    assert!(matches!(served.client("two"), Err(ConnectError::Crowded(_))));
    drop((silent, half));
    until(|| served.server.connections() == 1);
    served.client("two").unwrap();
}

#[test]
fn a_busy_ledger_says_so_and_goes_on() {
    let serving = Serving { held_bytes: 1000, ..Serving::default() };
    let served = Served::with(serving, options());
    let mut slow = greeted(&served, "slow");
    // Held from its header on, and not there yet.
    let whole = append_message("audit", "id", &[b'x'; 900]);
    slow.write_all(&whole[..whole.len() - 1]).unwrap();
    let client = served.client("one").unwrap();
    let big = vec![
        Prepared::of(Entry { kind: Kind::Audit, id: "big".into(), body: vec![b'y'; 2000] })
            .unwrap(),
    ];
    let mut busy = None;
    until(|| {
        busy = client.append(&big).err();
        busy.is_some()
    });
    assert!(matches!(busy, Some(AppendError::Busy { limit: 1000, .. })), "{busy:?}");
    assert!(client.is_connected(), "busy is no reason to part");
    slow.write_all(&whole[whole.len() - 1..]).unwrap();
    assert!(said(&mut slow).starts_with('i'));
    until(|| client.append(&big).is_ok());
}

#[test]
fn a_sequencer_that_ends_is_gone_and_the_next_one_knows_where_a_writer_was() {
    let Served { home, ledger, server } = Served::new();
    let client = Client::connect(&run(home.path()), "one").unwrap();
    let mut acked = Acked::new();
    acked.extend(client.append(&prepared("a", 3)).unwrap().zip(entries("a", 3)));
    drop(server);
    assert!(!run(home.path()).join(SOCKET).exists());
    let gone = client.append(&prepared("b", 2));
    assert!(matches!(gone, Err(AppendError::Gone { .. })), "{gone:?}");
    let gone = client.append(&prepared("b", 2));
    assert!(matches!(gone, Err(AppendError::Gone { in_doubt: false })), "{gone:?}");
    assert!(matches!(client.reconnect(), Err(ConnectError::Nobody(_))));
    drop(ledger);
    let store = Arc::new(FileStore::open(home.path().join("ledger")).unwrap());
    let ledger = Arc::new(open(store).unwrap());
    let server = serve(ledger.clone(), &run(home.path()), Serving::default()).unwrap();
    let rejoined = client.reconnect().unwrap();
    assert_eq!((rejoined.before, rejoined.now, rejoined.size), (3, 3, 3));
    acked.extend(client.append(&prepared("b", 2)).unwrap().zip(entries("b", 2)));
    // Under another key it is another log.
    drop(server);
    drop(ledger);
    let other = Options { signer: testkit::key(9), ..options() };
    let memory = Arc::new(MemoryStore::new());
    let other = Arc::new(Ledger::open(memory, other, &mut |_, _, _| {}).unwrap());
    let _server = serve(other, &run(home.path()), Serving::default()).unwrap();
    assert!(matches!(client.reconnect(), Err(ConnectError::AnotherLog { .. })));
    check(Arc::new(FileStore::open(home.path().join("ledger")).unwrap()), &acked);
}

#[test]
fn a_ledger_that_stopped_says_so_to_its_clients() {
    let home = home();
    let store = Arc::new(FaultStore::new());
    let ledger = Arc::new(open(store.clone()).unwrap());
    let _server = serve(ledger, &run(home.path()), Serving::default()).unwrap();
    let client = Client::connect(&run(home.path()), "one").unwrap();
    client.append(&prepared("a", 1)).unwrap();
    fail_next_sync(&store);
    assert!(matches!(client.append(&prepared("b", 1)), Err(AppendError::Failed(_))));
    assert!(matches!(client.reconnect(), Err(ConnectError::Stopped(_))));
}

/// The next append writes, and its sync fails.
fn fail_next_sync(store: &FaultStore) {
    store.fault_at(store.steps().len() + 1, Fault::Error(std::io::ErrorKind::Other));
}

#[test]
fn a_long_directory_gets_a_short_socket_that_clients_find() {
    let home = tempfile::tempdir().unwrap();
    let long = home.path().join("x".repeat(120));
    fs::create_dir_all(run(&long)).unwrap();
    fs::set_permissions(run(&long), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(Client::connect(&run(&long), "one"), Err(ConnectError::Nobody(_))));
    let ledger = Arc::new(open(Arc::new(MemoryStore::new())).unwrap());
    let server = serve(ledger.clone(), &run(&long), Serving::default()).unwrap();
    let path = server.path().to_owned();
    assert_eq!(fs::read(run(&long).join(PLACE)).unwrap(), path.to_str().unwrap().as_bytes());
    for (of, mode) in [(path.as_path(), 0o600), (path.parent().unwrap(), 0o700)] {
        assert_eq!(fs::metadata(of).unwrap().permissions().mode() & 0o777, mode, "{of:?}");
    }
    let client = Client::connect(&run(&long), "one").unwrap();
    client.append(&prepared("a", 1)).unwrap();
    assert_eq!(ledger.size(), 1);
    drop(server);
    assert!(!path.exists());
}

#[test]
fn a_long_directory_is_served_by_whatever_name_it_is_reached() {
    let home = tempfile::tempdir().unwrap();
    let (long, short) = (home.path().join("x".repeat(120)), home.path().join("s"));
    fs::create_dir_all(run(&long)).unwrap();
    fs::set_permissions(run(&long), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(&long, &short).unwrap();
    let ledger = Arc::new(open(Arc::new(MemoryStore::new())).unwrap());
    for served in [&short, &long] {
        let server = serve(ledger.clone(), &run(served), Serving::default()).unwrap();
        for reached in [&short, &long] {
            Client::connect(&run(reached), "one").unwrap().append(&prepared("a", 1)).unwrap();
            until(|| server.connections() == 0);
        }
    }
}

#[test]
fn a_directory_that_others_may_enter_is_not_served() {
    let home = home();
    fs::set_permissions(run(home.path()), fs::Permissions::from_mode(0o755)).unwrap();
    let ledger = Arc::new(open(Arc::new(MemoryStore::new())).unwrap());
    let refused = serve(ledger, &run(home.path()), Serving::default()).err().unwrap();
    assert!(refused.to_string().contains("chmod 0700"), "{refused}");
}

/// Counts what is read of a store.
struct Counted {
    inner: MemoryStore,
    read: AtomicU64,
}

impl Source for Counted {
    fn list(&self) -> std::io::Result<Vec<ledger::store::Item>> {
        self.inner.list()
    }
    fn len(&self, name: &str) -> std::io::Result<u64> {
        self.inner.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read_at(name, offset, buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Store for Counted {
    fn create(&self, name: &str) -> std::io::Result<()> {
        self.inner.create(name)
    }
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.inner.append(name, at, bytes)
    }
    fn sync(&self, name: &str) -> std::io::Result<()> {
        self.inner.sync(name)
    }
    fn truncate(&self, name: &str, length: u64) -> std::io::Result<()> {
        self.inner.truncate(name, length)
    }
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self, name: &str) -> std::io::Result<()> {
        self.inner.sync_dir(name)
    }
    fn set_aside(&self, name: &str, bytes: &[u8]) -> std::io::Result<String> {
        self.inner.set_aside(name, bytes)
    }
}

/// 5,000 appends: what client and sequencer read for one does not depend on how many there are.
#[test]
fn the_bytes_read_for_an_append_do_not_grow() {
    let home = home();
    let store = Arc::new(Counted { inner: MemoryStore::new(), read: AtomicU64::new(0) });
    let ledger = Arc::new(open(store.clone()).unwrap());
    let server = serve(ledger, &run(home.path()), Serving::default()).unwrap();
    let client = Client::connect(&run(home.path()), "one").unwrap();
    let entry = |n: u64| Entry {
        kind: Kind::Audit,
        id: format!("{n:08}"),
        body: format!("{{\"n\":{n:08},\"x\":\"{}\"}}", "x".repeat(230)).into_bytes(),
    };
    let mut each = Vec::new();
    let mut before = None;
    for n in 0..5000 {
        client.append(&[Prepared::of(entry(n)).unwrap()]).unwrap();
        let read = (client.bytes_read(), server.bytes_read(), store.read.load(Ordering::Relaxed));
        if let Some((c, s, f)) = before.replace(read) {
            each.push((read.0 - c, read.1 - s, read.2 - f));
        }
    }
    let first = each[0];
    assert!(first.0 < 64 && first.1 < 512 && first.2 == 0, "{first:?}");
    assert!(each.iter().all(|read| *read == first), "the same for each of them");
}
