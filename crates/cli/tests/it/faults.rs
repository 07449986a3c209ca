//! What the machine does to a running product: disks fill up or go away, directories take no files,
//! descriptors run out, clocks go back. It refuses with an id and without an answer, loses nothing
//! that it acknowledged, and goes on by itself.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use testkit::upstream::{FakeUpstream, Gate, Script};

use crate::kill::{Acknowledged, Evidence};
use crate::machine::{Disk, OtherAccount, hash};
use crate::running::{Answer, PATIENCE, Running, ask, countersign, request, said};

const ANYWHERE: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// `countersign --dir DIR up` by way of another command.
fn up_through(mut command: Command, dir: &Path, more: &[&str]) -> Running {
    command.arg("--dir").arg(dir).arg("up").args(ANYWHERE).args(more);
    Running::start(command)
}

fn acknowledged(answer: &Answer) -> Acknowledged {
    Acknowledged {
        correlation: answer.correlation().to_string(),
        receipt: answer.receipt().map(str::to_string),
        answered: answer.status == 200,
    }
}

/// An answer, which is kept if it came with evidence and is a bare refusal otherwise.
fn asked(product: &Running, text: &str, kept: &mut Vec<Acknowledged>) -> u16 {
    let answer = product.chat(&ask(text, false)).expect("an answer");
    match answer.status {
        200 => kept.push(acknowledged(&answer)),
        _ => refused(&answer),
    }
    answer.status
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.correlation().is_empty() && answer.receipt().is_none(), "{answer:?}");
    assert!(answer.body.contains("evidence_unavailable"), "{answer:?}");
}

/// Asks until the condition holds; fails only when it never does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::yield_now();
    }
}

fn all_there(ledger_of: &Path, kept: &[Acknowledged]) {
    let evidence = Evidence::read(ledger_of);
    kept.iter().for_each(|answer| evidence.holds(answer));
    evidence.every_admission_has_an_outcome();
}

fn verified(dir: &Path) {
    let verify = countersign(dir, &["verify", ".countersign/ledger"]);
    assert!(verify.status.success(), "{}", said(&verify));
}

#[test]
fn a_full_disk_refuses_new_requests_ends_the_old_ones_and_serves_again() {
    let home = tempfile::tempdir().expect("a directory");
    let Some(disk) = Disk::mount(home.path(), "8m") else { return };
    let upstream = FakeUpstream::start();
    let command = disk.command(env!("CARGO_BIN_EXE_countersign"));
    let product = up_through(command, home.path(), &["--upstream", &upstream.url()]);
    let mut kept = Vec::new();
    upstream.push(Script::says("before"));
    assert_eq!(asked(&product, "before", &mut kept), 200);

    let gate = Gate::new();
    let late = Script::says("with what room is left");
    let (send, answers) = mpsc::channel();
    thread::scope(|scope| {
        upstream.push(Script::default().wait(&gate).and(late));
        let port = product.port;
        scope.spawn(move || {
            let answer = crate::running::chat(port, &ask("admitted before", false));
            send.send(answer.expect("an answer")).expect("somebody waits");
        });
        upstream.wait_seen(2);
        // An eighth of eight megabytes is kept: half of it stays.
        disk.fill(512 << 10);
        until("new requests are refused", || {
            upstream.push(Script::says("meanwhile"));
            asked(&product, "meanwhile", &mut kept) == 503
        });
        let seen = upstream.seen().len();
        let (status, reason) = product.readiness().expect("readiness");
        assert_eq!((status, reason.contains("disk_headroom")), (503, true), "{reason}");
        for _ in 0..20 {
            assert_eq!(asked(&product, "meanwhile", &mut kept), 503);
        }
        assert_eq!(upstream.seen().len(), seen, "nothing goes upstream that cannot be recorded");
        gate.open();
        let answer = answers.recv_timeout(PATIENCE).expect("what was admitted is answered");
        assert_eq!(answer.status, 200, "{answer:?}");
        kept.push(acknowledged(&answer));
    });
    // Not a byte left: nothing new is taken, nothing old is lost.
    disk.fill(0);
    assert_eq!(asked(&product, "full", &mut kept), 503);
    assert_eq!(countersign_in(&disk, home.path(), &["verify", ".countersign/ledger"]), 0);

    disk.empty();
    (0..50).for_each(|_| upstream.push(Script::says("after")));
    until("there is room again", || asked(&product, "after", &mut kept) == 200);
    until("it says so", || product.readiness().is_ok_and(|(status, _)| status == 200));
    assert!(product.stop().success(), "a clean stop");
    assert_eq!(countersign_in(&disk, home.path(), &["verify", ".countersign/ledger"]), 0);
    all_there(&disk.path(), &kept);
    assert!(kept.len() >= 3);
}

fn countersign_in(disk: &Disk, dir: &Path, args: &[&str]) -> i32 {
    let mut command = disk.command("sh");
    command.args(["-c", "cd \"$0\" && exec \"$@\""]).arg(dir);
    command.arg(env!("CARGO_BIN_EXE_countersign")).args(args);
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    output.status.code().unwrap_or_else(|| panic!("{}", said(&output)))
}

#[test]
fn a_journal_that_may_not_grow_refuses_and_goes_on_once_it_may() {
    let home = tempfile::tempdir().expect("a directory");
    // The configuration and the rules take 300 KB of the journal.
    let mut command = Command::new("prlimit");
    command.args(["--fsize=600000:unlimited", "sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_countersign"));
    let product = up_through(command, home.path(), &[]);
    let mut kept = Vec::new();
    until("the journal is full", || asked(&product, "more", &mut kept) == 503);
    assert!(!kept.is_empty());
    for _ in 0..5 {
        assert_eq!(asked(&product, "more", &mut kept), 503);
    }
    verified(home.path());
    let id = product.id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited"]).status();
    assert!(lifted.expect("prlimit runs").success());
    until("it may grow", || asked(&product, "after", &mut kept) == 200);
    assert!(product.stop().success(), "a clean stop");
    verified(home.path());
    all_there(home.path(), &kept);
}

#[test]
fn a_directory_that_takes_no_files_is_told_at_the_start() {
    let home = tempfile::tempdir().expect("a directory");
    let account = OtherAccount::of(home.path());
    let dir = home.path().join("closed");
    fs::create_dir(&dir).expect("made");
    account.own(&dir);
    let start = |config: &str| {
        fs::write(home.path().join("config.yaml"), config).expect("written");
        let mut command = account.command();
        command
            .arg("--dir")
            .arg(&dir)
            .args(["up", "--config"])
            .arg(home.path().join("config.yaml"));
        let output = command.args(ANYWHERE).stdin(Stdio::null()).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let plain = "upstream: {url: 'http://127.0.0.1:1/v1'}\n";
    mode(&dir, 0o500);
    let (exit, told) = start(plain);
    assert_eq!(exit, Some(73), "{told}");
    assert!(told.contains("closed/.countersign: Permission denied"), "{told}");
    assert_eq!(fs::read_dir(&dir).expect("listed").count(), 0, "nothing was left behind");
    mode(&dir, 0o700);

    // A whole state, then parts of it that cannot be written.
    let product = up_through(account.command(), &dir, &[]);
    assert_eq!(asked(&product, "hello", &mut Vec::new()), 200);
    assert!(product.stop().success(), "a clean stop");
    let state = dir.join(".countersign");
    // Whoever has the lock writes its number there; the rest stays as it is.
    let lasting = || ["ledger", "keys"].map(|part| hash(&state.join(part)));
    let before = lasting();
    for (part, closed, open, expected, words) in [
        ("run/lock", 0o400, 0o600, 73, "cannot lock"),
        ("ledger/journal/00000000000000000000.seg", 0o000, 0o600, 74, "must belong to the account"),
        ("keys/log.pem", 0o000, 0o600, 73, "log.pem"),
        ("keys/log.pem", 0o644, 0o600, 73, "chmod"),
    ] {
        mode(&state.join(part), closed);
        let (exit, told) = start(plain);
        assert_eq!(exit, Some(expected), "{part}: {told}");
        assert!(told.contains(words), "{part}: {told}");
        mode(&state.join(part), open);
    }
    let (exit, told) = start("ledger: {group: no-such-group-here}\nupstream: {url: 'http://a/v1'}");
    assert_eq!(exit, Some(78), "{told}");
    assert!(told.contains("no group `no-such-group-here`"), "{told}");
    assert_eq!(lasting(), before, "a start that fails changes nothing");
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    set.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[test]
fn a_directory_that_turns_read_only_refuses_until_it_is_not() {
    let home = tempfile::tempdir().expect("a directory");
    let account = OtherAccount::of(home.path());
    let product = up_through(account.command(), home.path(), &[]);
    let mut kept = Vec::new();
    assert_eq!(asked(&product, "before", &mut kept), 200);
    let ledger = home.path().join(".countersign/ledger");
    let turn =
        |bits| ["", "journal", "public"].iter().for_each(|part| mode(&ledger.join(part), bits));
    turn(0o500);
    // Entries still fit into the open segment; a log that signs none of them serves nobody.
    until("nothing is signed any more", || asked(&product, "meanwhile", &mut kept) == 503);
    let (status, reason) = product.readiness().expect("readiness");
    assert_eq!((status, reason.contains("checkpoint_unwritten")), (503, true), "{reason}");
    turn(0o700);
    until("it is signed again", || asked(&product, "after", &mut kept) == 200);
    assert!(product.stop().success(), "a clean stop");
    verified(home.path());
    all_there(home.path(), &kept);
}

#[test]
fn the_second_process_is_told_who_has_the_directory() {
    let home = tempfile::tempdir().expect("a directory");
    let product = Running::up(home.path(), &[], &[]);
    let mut kept = Vec::new();
    assert_eq!(asked(&product, "hello", &mut kept), 200);
    // The checkpoint over it is the last thing that is written.
    let checkpointed = || {
        let out = countersign(home.path(), &["verify", ".countersign/ledger", "--format", "json"]);
        assert!(out.status.success(), "{}", said(&out));
        let checkpoint = home.path().join(".countersign/ledger/public/checkpoint");
        let text = fs::read_to_string(checkpoint).expect("a checkpoint");
        let size = text.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
        let reader = ledger::Reader::open_dir(&home.path().join(".countersign/ledger"), None);
        size == Some(reader.expect("a ledger").check().expect("read").size)
    };
    until("everything is signed", checkpointed);
    let before = hash(home.path());
    let second = countersign(home.path(), &["up"]);
    assert_eq!(second.status.code(), Some(69), "{}", said(&second));
    let pid = product.id().to_string();
    assert!(said(&second).contains(&format!("in use by process {pid}")), "{}", said(&second));
    let repair = countersign(home.path(), &["ledger", "repair", "--yes"]);
    assert!(repair.status.success(), "nothing to repair: {}", said(&repair));
    let id = &kept[0].correlation;
    let trace = countersign(home.path(), &["trace", id]);
    assert!(trace.status.success(), "{}", said(&trace));
    assert_eq!(hash(home.path()), before, "neither the second nor a reader changes a byte");
    assert_eq!(asked(&product, "still here", &mut kept), 200);
    // Who deletes the lock file lets nobody in.
    let run = home.path().join(".countersign/run");
    let lock = fs::read(run.join("lock")).expect("a lock file");
    fs::remove_dir_all(&run).expect("removed");
    let third = countersign(home.path(), &["up"]);
    assert_eq!(third.status.code(), Some(69), "{}", said(&third));
    assert_eq!(asked(&product, "still the only one", &mut kept), 200);
    fs::write(run.join("lock"), lock).expect("put back");
    // The lock dies with its process, whatever the file says.
    product.kill();
    let lock = fs::read_to_string(home.path().join(".countersign/run/lock")).expect("a lock file");
    assert_eq!(lock.trim(), pid);
    let next = Running::up(home.path(), &[], &[]);
    assert_eq!(asked(&next, "the next one", &mut kept), 200);
    assert!(next.stop().success(), "a clean stop");
    all_there(home.path(), &kept);
}

#[test]
fn without_descriptors_callers_wait_and_nothing_is_lost() {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("prlimit");
    command.args(["--nofile=64:64", env!("CARGO_BIN_EXE_countersign")]);
    let product = up_through(command, home.path(), &[]);
    let mut kept = Vec::new();
    // Two hundred at once where sixty-four fit: each is answered, in its turn.
    let ask_one = |_| {
        let mut stream = connect(&product);
        send(&mut stream, &product, "hello", "close");
        stream
    };
    let crowd: Vec<TcpStream> = (0..200).map(ask_one).collect();
    let answers: Vec<u16> = crowd.into_iter().map(|mut stream| receive(&mut stream).0).collect();
    assert_eq!(answers, [200; 200]);
    // A hundred that say nothing take every place; when they leave it is free again.
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(&product)).collect();
    drop(silent);
    assert_eq!(asked(&product, "after the crowd", &mut kept), 200);

    // Now none at all: what is open goes on, what comes waits.
    let mut open = connect(&product);
    send(&mut open, &product, "before", "keep-alive");
    assert_eq!(receive(&mut open).0, 200);
    let id = product.id().to_string();
    let limit = |soft: usize| {
        let soft = format!("--nofile={soft}:64");
        let set = Command::new("prlimit").args(["--pid", &id, &soft]).status();
        assert!(set.expect("prlimit runs").success());
    };
    limit(3);
    let mut waiting = connect(&product);
    send(&mut waiting, &product, "waiting", "close");
    until("no checkpoint can be written", || {
        send(&mut open, &product, "meanwhile", "keep-alive");
        let (status, text) = receive(&mut open);
        assert!(status == 200 || text.contains("evidence_unavailable"), "{text}");
        status == 503
    });
    limit(64);
    let (status, text) = receive(&mut waiting);
    assert!(status == 200 || text.contains("evidence_unavailable"), "{text}");
    until("it serves again", || asked(&product, "after", &mut kept) == 200);
    drop(open);
    assert!(product.stop().success(), "a clean stop");
    verified(home.path());
    all_there(home.path(), &kept);
}

fn connect(product: &Running) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", product.port)).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

fn send(stream: &mut TcpStream, product: &Running, text: &str, connection: &str) {
    let (body, port) = (ask(text, false), product.port);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: {connection}\r\nX-Agent-Id: agent:test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).expect("sent");
}

/// Status and body of one answer.
fn receive(stream: &mut TcpStream) -> (u16, String) {
    let mut reader = BufReader::new(stream);
    let (mut status, mut length, mut line) = (0, 0, String::new());
    while reader.read_line(&mut line).expect("an answer") > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status = rest[..3].parse().expect("a status");
        }
        if let Some(rest) = lower.strip_prefix("content-length: ") {
            length = rest.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    (status, String::from_utf8(body).expect("text"))
}

#[test]
fn a_ledger_that_is_taken_away_closes_the_door() {
    for replaced in [false, true] {
        let home = tempfile::tempdir().expect("a directory");
        let product = Running::up(home.path(), &[], &[]);
        let mut kept = Vec::new();
        assert_eq!(asked(&product, "before", &mut kept), 200);
        let ledger = home.path().join(".countersign/ledger");
        let away = home.path().join("away");
        fs::rename(&ledger, &away).expect("moved");
        if replaced {
            crate::running::copy(&away, &ledger);
        }
        assert_eq!(asked(&product, "where to", &mut kept), 503);
        assert_eq!(asked(&product, "again", &mut kept), 503);
        let (status, reason) = product.readiness().expect("readiness");
        // Whichever came first, an append or the checkpoint of the interval.
        let told = ["evidence_unavailable", "checkpoint_unwritten"];
        assert!(status == 503 && told.iter().any(|told| reason.contains(told)), "{reason}");
        let alive = request(product.admin(), "GET", "/healthz", &[], "").expect("an answer");
        assert_eq!(alive.status, 200);
        assert_eq!(product.stop().code(), Some(74), "the last checkpoint was not written");
        // Put back, it is what it was, and goes on.
        if replaced {
            fs::remove_dir_all(&ledger).expect("removed");
        }
        fs::rename(&away, &ledger).expect("put back");
        let next = Running::up(home.path(), &[], &[]);
        assert_eq!(asked(&next, "after", &mut kept), 200);
        assert!(next.stop().success(), "a clean stop");
        verified(home.path());
        all_there(home.path(), &kept);
    }
}

#[test]
fn a_stop_records_what_it_interrupts() {
    let home = tempfile::tempdir().expect("a directory");
    let upstream = FakeUpstream::start();
    let config = home.path().join("config.yaml");
    let url = upstream.url();
    let text = format!("upstream: {{url: '{url}'}}\nlimits: {{stop_grace_seconds: 0}}\n");
    fs::write(&config, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("--dir").arg(home.path()).args(["up", "--config"]).arg(&config).args(ANYWHERE);
    let product = Running::start(command);
    let port = product.port;
    thread::scope(|scope| {
        upstream.push(Script::default().hang());
        upstream.push(Script::events().delta("half of it").hang());
        let whole = scope.spawn(move || crate::running::chat(port, &ask("hang", false)));
        upstream.wait_seen(1);
        let stream = scope.spawn(move || crate::running::chat(port, &ask("hang", true)));
        upstream.wait_seen(2);
        assert!(product.stop().success(), "a clean stop");
        if let Ok(answer) = whole.join().expect("no panic") {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.body.contains("stopping"), "{answer:?}");
        }
        assert!(stream.join().expect("no panic").is_err(), "a cut stream does not end properly");
    });
    // No other start was needed.
    verified(home.path());
    let evidence = Evidence::read(home.path());
    evidence.every_admission_has_an_outcome();
    assert_eq!(evidence.admitted.len(), 2);
    for request in &evidence.admitted {
        let steps = &evidence.steps[request];
        assert_eq!(steps.last().map(String::as_str), Some("pipeline.interrupted"), "{steps:?}");
    }
}

#[test]
fn killed_while_it_starts() {
    let home = tempfile::tempdir().expect("a directory");
    for round in 0..14_u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("--dir")
            .arg(home.path())
            .arg("up")
            .args(ANYWHERE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let (send, banner) = mpsc::channel();
        let mut out = child.stdout.take().expect("stdout is piped");
        let reader = thread::spawn(move || {
            let _ = out.read(&mut [0; 1]);
            let _ = send.send(());
        });
        // Earlier or later in its start, and in the last rounds right behind it.
        let _ = banner.recv_timeout(Duration::from_millis(round * round));
        child.kill().expect("the process can be killed");
        child.wait().expect("the process ends");
        reader.join().expect("no panic");
    }
    let mut kept = Vec::new();
    let product = Running::up(home.path(), &ANYWHERE, &[]);
    assert_eq!(asked(&product, "after all that", &mut kept), 200);
    assert!(product.stop().success(), "a clean stop");
    verified(home.path());
    all_there(home.path(), &kept);
}

#[test]
fn evidence_is_shared_with_a_group_and_keys_are_not() {
    use std::os::unix::fs::MetadataExt as _;
    let home = tempfile::tempdir().expect("a directory");
    let account = OtherAccount::of(home.path());
    let group = account.group().to_string();
    fs::write(
        home.path().join("config.yaml"),
        format!("ledger: {{group: '{group}', mode: '0640'}}\nupstream: {{url: 'http://127.0.0.1:1/v1'}}\n"),
    )
    .expect("written");
    // Begun without readers: what is there is given to them, too.
    let product = Running::up(home.path(), &[], &[]);
    let mut kept = Vec::new();
    assert_eq!(asked(&product, "before", &mut kept), 200);
    assert!(product.stop().success(), "a clean stop");
    let state = home.path().join(".countersign");
    assert_eq!(fs::metadata(&state).expect("there").mode() & 0o7777, 0o700);
    let config = home.path().join("config.yaml").display().to_string();
    let product = Running::up(home.path(), &[&["--config", &config], &ANYWHERE[..]].concat(), &[]);
    let failed = product.chat(&ask("nobody answers", false)).expect("an answer");
    assert_eq!(failed.status, 502, "{failed:?}");
    for (name, mode, shared) in [
        ("", 0o750, true),
        ("ledger", 0o750, true),
        ("ledger/journal", 0o750, true),
        ("ledger/public", 0o750, true),
        ("ledger/head", 0o640, true),
        ("ledger/public/checkpoint", 0o640, true),
        ("ledger/journal/00000000000000000000.seg", 0o640, true),
        ("keys", 0o700, false),
        ("keys/log.pem", 0o600, false),
        ("keys/hmac-k1.hex", 0o600, false),
        ("run", 0o700, false),
    ] {
        let found = fs::metadata(state.join(name)).expect(name);
        assert_eq!(found.mode() & 0o7777, mode, "{name}");
        assert!(!shared || found.gid().to_string() == group, "{name}: {}", found.gid());
    }
    // The co-reader, beside the running gateway. It has no key, so the HMAC chain is not judged.
    if account.is_another() {
        mode_of_way(home.path());
        let read = |args: &[&str]| {
            let mut command = account.command();
            let output = command.args(args).current_dir(home.path()).stdin(Stdio::null()).output();
            output.expect("it runs")
        };
        let verify = read(&["verify", ".countersign/ledger"]);
        assert!(verify.status.success(), "{}", said(&verify));
        let trace = read(&["trace", &kept[0].correlation]);
        assert!(trace.status.success(), "{}", said(&trace));
        let up = read(&["up"]);
        assert!(!up.status.success(), "{}", said(&up));
    }
    assert!(product.stop().success(), "a clean stop");
    // Taken back by taking it out of the configuration.
    let product = Running::up(home.path(), &[], &[]);
    assert_eq!(fs::metadata(&state).expect("there").mode() & 0o7777, 0o700);
    assert!(product.stop().success(), "a clean stop");
}

/// Others may pass through, as they may through /srv.
fn mode_of_way(dir: &Path) {
    mode(dir, 0o755);
}
