//! Subscriptions as a consumer keeps them: files and hosts, pins, old feeds, and what the ledger
//! remembers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use ledger::read::Item;
use ledger::{Kind, Reader};
use record::feed::{Feed, publish};
use record::ioc::{Ioc, Kind as Pattern, Severity, SignedIoc};
use seal::json::{Limits, Value, parse};
use seal::key::SecretKey;
use seal::signer::Signer as _;
use testkit::https::Https;

use crate::running::{Running, countersign, said};

const TIME: i64 = 1_750_000_000;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn ioc(key: &SecretKey, pattern: &str) -> SignedIoc {
    Ioc {
        kind: Pattern::Substring,
        pattern: pattern.to_owned(),
        severity: Severity::High,
        categories: vec!["direct_injection".into()],
        description: "a mark".into(),
        issuer: "alpha.example".into(),
        key_id: key.key_id(),
        issued_at: TIME,
        revokes: Vec::new(),
        expires_at: None,
    }
    .sign(key)
    .expect("it can be signed")
}

fn feed(key: &SecretKey, issued_at: i64, patterns: &[&str]) -> Feed {
    let iocs = patterns.iter().map(|pattern| ioc(key, pattern)).collect();
    publish("alpha/core", "alpha.example", issued_at, iocs, key).expect("it can be published")
}

fn put(dir: &Path, name: &str, feed: &Feed) {
    fs::write(dir.join(name), feed.to_json()).expect("written");
}

/// Packs a file as publishers do.
fn gzip(path: &Path) {
    let done = Command::new("gzip").arg(path).status().expect("gzip is there");
    assert!(done.success());
}

/// A directory with the pins of two publishers.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, n) in [("alpha.pem", 1), ("other.pem", 2)] {
        fs::write(dir.path().join(name), key(n).public().to_pem()).expect("written");
    }
    dir
}

/// `countersign feed ARGS`, which must end with `exit`; what it prints.
fn run(dir: &Path, args: &[&str], exit: i32) -> String {
    let output = countersign(dir, &[&["feed"], args].concat());
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
    said(&output)
}

fn json(dir: &Path, args: &[&str], exit: i32) -> Value {
    let output = countersign(dir, &[&["feed"], args, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
    parse(&output.stdout, Limits::DOCUMENT).expect("JSON")
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report.get("findings").and_then(Value::as_array).expect("findings");
    findings.iter().filter_map(|finding| finding.get("code")?.as_str()).collect()
}

/// The report of the only subscription that was updated.
fn update(dir: &Path, args: &[&str], exit: i32) -> Value {
    let value = json(dir, &[&["update"], args].concat(), exit);
    let feeds = value.get("feeds").and_then(Value::as_array).expect("feeds");
    assert_eq!(feeds.len(), 1);
    feeds[0].clone()
}

#[test]
fn from_the_first_document_to_the_end() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    run(dir, &["list"], 0);
    run(dir, &["update"], 0);
    run(dir, &["search", "one"], 10);
    put(dir, "core.json", &feed(&alpha, TIME, &["one", "two"]));
    // Nothing is believed by itself, and nothing is made for what is refused.
    run(dir, &["subscribe", "core.json"], 64);
    run(dir, &["subscribe", "core.json", "--pin", "alpha.pem", "--tofu"], 64);
    run(dir, &["subscribe", "none.json", "--pin", "alpha.pem"], 66);
    run(dir, &["subscribe", "http://localhost/core.json", "--pin", "alpha.pem"], 64);
    assert!(!dir.join(".countersign").exists());
    let refused = json(dir, &["subscribe", "core.json", "--pin", "other.pem"], 11);
    assert_eq!(codes(&refused), ["CS-FEED-009"]);
    let named = ["subscribe", "core.json", "--pin", "alpha.pem", "--issuer", "beta.example"];
    assert_eq!(codes(&json(dir, &named, 11)), ["CS-FEED-010"]);

    let subscribe = ["subscribe", "core.json", "--pin", "alpha.pem"];
    let done = json(dir, &subscribe, 0);
    assert_eq!(done.get("changed").and_then(Value::as_bool), Some(true));
    let listed = json(dir, &["list", "--indicators"], 0);
    let feeds = listed.get("feeds").and_then(Value::as_array).expect("feeds");
    assert_eq!(feeds[0].get("live").and_then(Value::as_i64), Some(2));
    assert_eq!(listed.get("indicators").and_then(Value::as_array).map(<[Value]>::len), Some(2));
    assert!(run(dir, &["search", "TWO"], 0).contains("1 indicators"));
    assert!(run(dir, &["update"], 0).contains("up to date"));

    put(dir, "core.json", &feed(&alpha, TIME + 1, &["one", "three"]));
    let updated = update(dir, &["alpha/core"], 0);
    assert_eq!(codes(&updated), ["CS-FEED-030"]);
    assert!(run(dir, &["list"], 0).contains("3 live of 2 indicators, 1 kept"));
    put(dir, "core.json", &feed(&alpha, TIME, &["one", "two"]));
    assert_eq!(codes(&update(dir, &[], 12)), ["CS-FEED-025"]);
    put(dir, "core.json", &feed(&alpha, TIME + 1, &["one"]));
    assert_eq!(codes(&update(dir, &[], 12)), ["CS-FEED-026"]);
    assert_eq!(codes(&json(dir, &subscribe, 12)), ["CS-FEED-026"]);
    assert!(run(dir, &["list"], 0).contains("3 live"));

    run(dir, &["update", "alpha"], 10);
    run(dir, &["unsubscribe", "beta/core"], 10);
    run(dir, &["unsubscribe", "alpha.example/alpha/core"], 0);
    run(dir, &["unsubscribe", "alpha/core"], 10);
    assert!(run(dir, &["list"], 0).contains("0 live indicators of 0 subscriptions"));
}

#[test]
fn what_is_subscribed_to_is_scanned_for() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    let scan = |exit: i32| {
        let args = ["scan", "--subscriptions", "here is alphas mark", "--format", "json"];
        let output = countersign(dir, &args);
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
        said(&output)
    };
    scan(66);
    put(dir, "core.json", &feed(&alpha, TIME, &["alphas mark"]));
    let subscribe = ["subscribe", "core.json", "--pin", "alpha.pem"];
    run(dir, &subscribe, 0);
    let told = scan(2);
    assert!(told.contains("feed:alpha.example"), "{told}");
    run(dir, &[&subscribe[..], &["--monitor"]].concat(), 0);
    assert!(scan(0).contains("feed:alpha.example"), "it is reported");
    run(dir, &["unsubscribe", "alpha/core"], 0);
    assert!(!scan(0).contains("feed:alpha.example"));
}

#[test]
fn first_use_prints_the_fingerprint() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    put(dir, "core.json", &feed(&alpha, TIME, &[]));
    let told = run(dir, &["subscribe", "core.json", "--tofu"], 0);
    assert!(told.contains(&alpha.public().fingerprint().text()), "{told}");
    assert!(run(dir, &["list"], 0).contains("(tofu)"));
    put(dir, "core.json", &feed(&key(2), TIME + 1, &[]));
    assert_eq!(codes(&json(dir, &["subscribe", "core.json", "--tofu"], 11)), ["CS-FEED-009"]);
}

#[test]
fn old_feeds_are_told_by_their_age() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    put(dir, "core.json", &feed(&alpha, TIME, &["one"]));
    let subscribe = |more: &[&'static str], exit| {
        let args = [&["subscribe", "core.json", "--pin", "alpha.pem"], more].concat();
        json(dir, &args, exit)
    };
    assert_eq!(codes(&subscribe(&["--max-age", "1d"], 11)), ["CS-FEED-027"]);
    assert_eq!(
        codes(&subscribe(&["--min-issued-at", "2025-06-15T15:06:41Z"], 12)),
        ["CS-FEED-025"]
    );
    run(dir, &["subscribe", "core.json", "--pin", "alpha.pem", "--max-age", "soon"], 64);
    subscribe(&["--min-issued-at", "2025-06-15T15:06:40Z"], 0);
    assert!(run(dir, &["list"], 0).contains("days old"));
}

#[test]
fn a_directory_gives_the_newest_and_says_when_it_holds_several() {
    let (dir, alpha) = (place(), key(1));
    let (dir, usb) = (dir.path(), dir.path().join("usb"));
    fs::create_dir(&usb).expect("made");
    run(dir, &["subscribe", "usb", "--pin", "alpha.pem"], 10);
    for n in [2, 1] {
        put(&usb, &format!("{n}.json"), &feed(&alpha, TIME + n, &["one"]));
    }
    let other =
        publish("alpha/other", "alpha.example", TIME + 9, vec![], &alpha).expect("published");
    put(&usb, "other.json", &other);
    fs::write(usb.join("note.json"), "no feed").expect("written");
    let refused = run(dir, &["subscribe", "usb", "--pin", "alpha.pem"], 10);
    assert!(refused.contains("alpha/other"), "{refused}");
    run(dir, &["subscribe", "usb", "--pin", "alpha.pem", "--feed-id", "alpha/core"], 0);
    let issued = || {
        let listed = json(dir, &["list"], 0);
        let feeds = listed.get("feeds").and_then(Value::as_array).expect("feeds");
        feeds[0].get("issued_at").and_then(Value::as_i64)
    };
    assert_eq!(issued(), Some(TIME + 2));
    put(&usb, "0.json", &feed(&alpha, TIME + 3, &["one"]));
    gzip(&usb.join("0.json"));
    update(dir, &[], 0);
    assert_eq!(issued(), Some(TIME + 3));
    run(dir, &["verify", "usb/0.json.gz", "--pin", "alpha.pem"], 0);
    fs::write(dir.join("half.gz"), &fs::read(usb.join("0.json.gz")).expect("read")[..200])
        .expect("written");
    let half = json(dir, &["verify", "half.gz", "--pin", "alpha.pem"], 14);
    assert_eq!(codes(&half), ["CS-FEED-002"]);
    run(dir, &["subscribe", "half.gz", "--pin", "alpha.pem"], 14);

    // The publisher's next key, with the word of the one before it.
    let next = key(3);
    put(&usb, "4.json", &feed(&next, TIME + 4, &["one"]));
    assert_eq!(codes(&update(dir, &[], 11)), ["CS-FEED-009"]);
    let signed = record::feedrotation::sign("alpha.example", next.public(), TIME, &alpha);
    fs::write(usb.join("alpha.rotation.jws"), signed.expect("signed")).expect("written");
    assert_eq!(codes(&update(dir, &[], 0)), [""; 0]);
    assert!(run(dir, &["list"], 0).contains("(rotation)"));
}

/// What the publisher's verbs write is what the consumer's take: a rotation costs nobody an
/// indicator, and who missed one follows over both.
#[test]
fn a_publisher_changes_its_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let add = |mark: &str| {
        let attack = format!("this is {mark}");
        let args = ["add", "--kind", "substring", "--pattern", mark, "--attack", &attack];
        run(dir, &args, 0);
    };
    run(dir, &["init", "alpha.example", "--feed-id", "alpha/core"], 0);
    add("the first mark");
    add("a mark too many");
    run(dir, &["publish"], 0);
    let subscribe = ["subscribe", "feed/public/feed.json", "--pin", "feed/feed.pub.pem"];
    run(dir, &subscribe, 0);
    let found = json(dir, &["search", "too many"], 0);
    let hash = found.as_array().and_then(|all| all[0].get("content_hash")?.as_str());
    run(dir, &["revoke", hash.expect("a hash"), "--why", "it is in every text"], 0);
    for mark in ["the second mark", "the third mark"] {
        run(dir, &["rotate"], 0);
        add(mark);
        run(dir, &["publish"], 0);
    }
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(dir.join(name)).expect("there").permissions().mode() & 0o777
    };
    assert_eq!(mode("feed/feed.key.pem"), 0o600);
    let updated = update(dir, &[], 0);
    assert_eq!(codes(&updated), [""; 0]);
    let keys = updated.get("subscription").and_then(|s| s.get("keys")?.as_array());
    assert_eq!(keys.map(<[Value]>::len), Some(3));
    // The three marks and a revocation; what was revoked does not come back under a new id.
    assert!(run(dir, &["list"], 0).contains("4 live of 4 indicators;"));
    run(dir, &["search", "mark too many"], 10);
    // Without the statements the next key is nobody's.
    run(dir, &["rotate"], 0);
    run(dir, &["publish"], 0);
    fs::remove_file(dir.join("feed/public/feed.rotation.jws")).expect("removed");
    assert_eq!(codes(&update(dir, &[], 11)), ["CS-FEED-009"]);
}

#[test]
fn a_host_is_asked_and_its_mirror_where_it_fails() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    let served = Arc::new(Mutex::new(feed(&alpha, TIME, &["one"]).to_json()));
    let document = served.clone();
    let next =
        record::feedrotation::sign("alpha.example", key(3).public(), TIME, &alpha).expect("signed");
    let host = Https::serve(move |head| {
        let document = document.lock().expect("no panic").clone();
        let tag = format!("\"{}\"", seal::Digest::of(document.as_bytes()).hex());
        let answer = |body: &str| {
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        match head.split(' ').nth(1) {
            Some("/core.json") if head.contains(&tag) => "HTTP/1.1 304 Not Modified\r\n\r\n".into(),
            Some("/core.json") => answer(&document).into_bytes(),
            Some("/core.rotation.jws") => answer(&next).into_bytes(),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
        }
    });
    fs::write(dir.join("ca.pem"), &host.root).expect("written");
    let (gone, good) = (host.url("/gone.json"), host.url("/core.json"));
    let subscribe = ["subscribe", &gone, "--mirror", &good, "--pin", "alpha.pem"];
    let hidden = run(dir, &[&subscribe[..], &["--ca", "ca.pem"]].concat(), 64);
    assert!(hidden.contains("--allow-private"), "{hidden}");
    run(dir, &[&subscribe[..], &["--allow-private"]].concat(), 69);
    run(dir, &[&subscribe[..], &["--allow-private", "--ca", "ca.pem"]].concat(), 0);

    let asked = host.asked().len();
    // The next one helped out, and that the first did not is told.
    let told = run(dir, &["update"], 0);
    assert!(told.contains("up to date") && told.contains("passed over: https://"), "{told}");
    let heads = host.asked().split_off(asked);
    assert!(heads.iter().any(|head| head.contains("if-none-match")), "{heads:?}");

    *served.lock().expect("no panic") = feed(&alpha, TIME + 1, &["one", "two"]).to_json();
    assert_eq!(update(dir, &[], 0).get("changed").and_then(Value::as_bool), Some(true));
    // The new key's statement is asked for when it is needed.
    *served.lock().expect("no panic") = feed(&key(3), TIME + 2, &["one", "two"]).to_json();
    update(dir, &[], 0);
    assert!(run(dir, &["list"], 0).contains("(rotation)"));
    *served.lock().expect("no panic") = "<html>".into();
    assert_eq!(codes(&update(dir, &[], 14)), ["CS-FEED-002"]);
    assert!(run(dir, &["list"], 0).contains("2 live"));
}

/// A large feed: the proof tells that nothing is new, and what changed is enough.
#[test]
fn of_a_large_feed_only_the_changes_are_fetched() {
    let dir = place();
    let dir = dir.path();
    run(dir, &["init", "alpha.example", "--feed-id", "alpha/core"], 0);
    let add = |range: std::ops::Range<usize>| {
        let draft = |n| {
            format!(
                "{{\"kind\":\"substring\",\"pattern\":\"mark {n:03}\",\"attacks\":[\"a mark {n:03}\"]}}"
            )
        };
        let drafts: Vec<String> = range.map(draft).collect();
        fs::write(dir.join("drafts.json"), format!("[{}]", drafts.join(","))).expect("written");
        run(dir, &["add", "--from", "drafts.json"], 0);
        run(dir, &["publish"], 0);
    };
    add(0..70);
    let public = dir.join("feed/public");
    let host = Https::serve(move |head| {
        let name = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        match fs::read(public.join(name)) {
            Ok(body) => {
                let mut answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                answer.push_str(&String::from_utf8_lossy(&body));
                answer.into_bytes()
            }
            Err(_) => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
    });
    fs::write(dir.join("ca.pem"), &host.root).expect("written");
    let url = host.url("/feed.json");
    let how = ["--pin", "feed/feed.pub.pem", "--allow-private", "--ca", "ca.pem"];
    run(dir, &[&["subscribe", &url][..], &how].concat(), 0);
    let asked = || -> Vec<String> {
        let path = |head: &String| head.split(' ').nth(1).map(str::to_owned);
        host.asked().iter().filter_map(path).collect()
    };
    let since = asked().len();
    run(dir, &["update"], 0);
    assert_eq!(asked()[since..], ["/feed.proof.json"]);

    add(70..71);
    add(71..72);
    let since = asked().len();
    assert_eq!(update(dir, &[], 0).get("changed").and_then(Value::as_bool), Some(true));
    let paths = asked().split_off(since);
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[1].starts_with("/feed.delta."), "{paths:?}");
    assert!(run(dir, &["list"], 0).contains("72 live of 72"));

    // Changes that lead astray cost one more question, and nothing else.
    add(72..73);
    for entry in fs::read_dir(dir.join("feed/public")).expect("readable").flatten() {
        if entry.file_name().to_string_lossy().contains(".delta.") {
            let text = fs::read_to_string(entry.path()).expect("read");
            fs::write(entry.path(), text.replace("mark 072", "mark O72")).expect("written");
        }
    }
    let since = asked().len();
    assert_eq!(update(dir, &[], 0).get("changed").and_then(Value::as_bool), Some(true));
    assert!(asked()[since..].contains(&"/feed.json".to_owned()), "{:?}", &asked()[since..]);
    run(dir, &["search", "mark 072"], 0);
}

/// Ids of the marks in the ledger.
fn marks(dir: &Path) -> Vec<String> {
    let reader = Reader::open_dir(&dir.join(".countersign/ledger"), None).expect("a ledger");
    let mut entries = reader.entries();
    let mut marks = Vec::new();
    while let Some(item) = entries.next().expect("readable") {
        let Item::Entry(entry) = item else { panic!("damage") };
        if entry.leaf.kind == Kind::Feed {
            marks.push(entry.leaf.id.clone());
        }
    }
    marks
}

#[test]
fn the_ledger_remembers_what_was_accepted() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    let gateway = Running::up(dir, &[], &[]);
    put(dir, "core.json", &feed(&alpha, TIME, &["one"]));
    let subscribe = ["subscribe", "core.json", "--pin", "alpha.pem"];
    // Through the gateway that writes it.
    run(dir, &subscribe, 0);
    assert!(gateway.stop().success());
    assert_eq!(marks(dir).len(), 1);
    // And without one. What is not new is not told again.
    run(dir, &["update"], 0);
    assert_eq!(marks(dir).len(), 1);
    put(dir, "core.json", &feed(&alpha, TIME + 1, &["one", "two"]));
    run(dir, &["update"], 0);
    assert_eq!(marks(dir).len(), 2);
    assert!(marks(dir)[1].contains(&format!(":{}:", TIME + 1)), "{:?}", marks(dir));

    // The store is taken away, and an old feed offered.
    fs::remove_dir_all(dir.join(".countersign/feeds")).expect("removed");
    put(dir, "core.json", &feed(&alpha, TIME, &["one"]));
    assert_eq!(codes(&json(dir, &subscribe, 12)), ["CS-FEED-025"]);
    put(dir, "core.json", &feed(&alpha, TIME + 1, &["one"]));
    assert_eq!(codes(&json(dir, &subscribe, 12)), ["CS-FEED-026"]);
    put(dir, "core.json", &feed(&alpha, TIME + 2, &["one"]));
    run(dir, &subscribe, 0);
    // Whatever is said of one publishing, and however often, the ledger holds.
    run(dir, &[&subscribe[..], &["--monitor"]].concat(), 0);
    run(dir, &["unsubscribe", "alpha/core"], 0);
    put(dir, "core.json", &feed(&alpha, TIME + 1, &["one", "two"]));
    assert_eq!(codes(&json(dir, &subscribe, 12)), ["CS-FEED-025"]);
    let verify = countersign(dir, &["verify", ".countersign/ledger"]);
    assert!(verify.status.success(), "{}", said(&verify));
}

/// A mirror that serves something else does not stay unseen because the next one is good.
#[test]
fn a_bad_mirror_is_named() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    put(dir, "old.json", &feed(&alpha, TIME - 9, &["one"]));
    put(dir, "bad.json", &feed(&key(2), TIME, &["one"]));
    put(dir, "good.json", &feed(&alpha, TIME, &["one", "two"]));
    let subscribe = ["subscribe", "bad.json", "--mirror", "good.json", "--pin", "alpha.pem"];
    let told = run(dir, &subscribe, 0);
    assert!(told.contains("passed over: ") && told.contains("CS-FEED-009"), "{told}");
    assert!(told.contains("there is no ledger here"), "{told}");
    fs::rename(dir.join("old.json"), dir.join("bad.json")).expect("renamed");
    let told = run(dir, &["update"], 0);
    assert!(told.contains("passed over: ") && told.contains("CS-FEED-025"), "{told}");
}

#[test]
fn a_changed_store_is_told_and_the_rest_goes_on() {
    let (dir, alpha) = (place(), key(1));
    let dir = dir.path();
    put(dir, "core.json", &feed(&alpha, TIME, &["one"]));
    let other = publish("alpha/other", "alpha.example", TIME, vec![], &alpha).expect("published");
    put(dir, "other.json", &other);
    run(dir, &["subscribe", "core.json", "--pin", "alpha.pem"], 0);
    let done = json(dir, &["subscribe", "other.json", "--pin", "alpha.pem"], 0);
    let slot = done.get("subscription").and_then(|s| s.get("slot")?.as_str()).expect("a slot");
    let record = dir.join(format!(".countersign/feeds/{slot}.json"));
    let text = fs::read_to_string(&record).expect("the record");
    fs::write(&record, text.replace("enforce", "monitor")).expect("written");
    let scan = countersign(dir, &["scan", "--subscriptions", "one"]);
    assert_eq!(scan.status.code(), Some(12), "{}", said(&scan));
    for args in [&["list"][..], &["update"], &["search", "one"]] {
        let told = run(dir, args, 12);
        assert!(told.contains("CS-FEED-032") && told.contains(slot), "{told}");
    }
    assert!(run(dir, &["list"], 12).contains("1 live indicators of 1 subscriptions"));
    run(dir, &["unsubscribe", slot], 0);
    run(dir, &["list"], 0);
}
