//! A gateway under a subscription: what is published is refused by the next pull, without a restart,
//! and a publisher that goes bad changes nothing but the alarm.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use record::feed::publish;
use record::ioc::{Ioc, Kind, Severity, SignedIoc};
use seal::key::SecretKey;
use seal::signer::Signer as _;
use testkit::upstream::{FakeUpstream, Gate, Script, quoted};

use crate::running::{Answer, PATIENCE, Running, chat, countersign, request, said};

const TIME: i64 = 1_750_000_000;
const FIRST: &str = "zebra-omega-77";
const SECOND: &str = "quagga-sigma-88";

fn ioc(key: &SecretKey, pattern: &str) -> SignedIoc {
    Ioc {
        kind: Kind::Substring,
        pattern: pattern.to_owned(),
        severity: Severity::Critical,
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

/// The publisher's document of this time.
fn feed(key: &SecretKey, issued_at: i64, patterns: &[&str]) -> String {
    let iocs = patterns.iter().map(|pattern| ioc(key, pattern)).collect();
    let feed = publish("alpha/core", "alpha.example", issued_at, iocs, key);
    feed.expect("it can be published").to_json()
}

/// As a publisher puts it: whole or not at all.
fn put(dir: &Path, document: &str) {
    fs::write(dir.join("new"), document).expect("written");
    fs::rename(dir.join("new"), dir.join("core.json")).expect("renamed");
}

fn body(text: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":{}}}]}}"#, quoted(text))
}

fn ask(up: &Running, upstream: &FakeUpstream, text: &str) -> Answer {
    upstream.push(Script::says("fine"));
    up.chat(&body(text)).expect("an answer")
}

fn metrics(up: &Running, dir: &Path) -> String {
    let token = fs::read_to_string(dir.join(".countersign/keys/scrape.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str())];
    request(up.admin(), "GET", "/metrics", &headers, "").expect("an answer").body
}

/// Asks until something is said.
fn wait(what: &str, ask: impl Fn() -> String) {
    let until = Instant::now() + PATIENCE;
    while !ask().contains(what) {
        assert!(Instant::now() < until, "never was {what} in {}", ask());
    }
}

#[test]
fn found_at_three_refused_at_four() {
    let (place, upstream) = (tempfile::tempdir().expect("a directory"), FakeUpstream::start());
    let (dir, key) = (place.path(), SecretKey::from_seed([1; 32]));
    fs::write(dir.join("alpha.pem"), key.public().to_pem()).expect("written");
    put(dir, &feed(&key, TIME, &[FIRST]));
    let subscribed = countersign(dir, &["feed", "subscribe", "core.json", "--pin", "alpha.pem"]);
    assert!(subscribed.status.success(), "{}", said(&subscribed));
    let config = format!("upstream: {{url: '{}'}}\nfeeds: {{interval_seconds: 1}}", upstream.url());
    fs::write(dir.join("gateway.yaml"), config).expect("written");
    let file = dir.join("gateway.yaml");
    let file = file.to_str().expect("a path");
    let args = ["--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let up = Running::up(dir, &args, &[]);

    let refused = up.chat(&body(&format!("do {FIRST}"))).expect("an answer");
    assert_eq!(refused.status, 403, "{refused:?}");
    // One that began before is still under way when the next version comes.
    let (gate, port) = (Gate::new(), up.port);
    let before = ask(&up, &upstream, &format!("do {SECOND}"));
    assert_eq!(before.status, 200, "{before:?}");
    let seen = upstream.seen().len();
    upstream.push(Script::default().wait(&gate).and(Script::says(&format!("so {SECOND} it is"))));
    let held = thread::spawn(move || chat(port, &body("tell me")).expect("an answer"));
    upstream.wait_seen(seen + 1);

    put(dir, &feed(&key, TIME + 1, &[FIRST, SECOND]));
    wait(r#"result="changed"} 1"#, || metrics(&up, dir));
    // It counts a moment later: the ruleset comes into the ledger first.
    let mut after = ask(&up, &upstream, &format!("do {SECOND}"));
    while after.status == 200 {
        after = ask(&up, &upstream, &format!("do {SECOND}"));
    }
    assert_eq!(after.status, 403, "{after:?}");
    gate.open();
    let held = held.join().expect("the caller ends");
    assert_eq!(held.status, 200, "{held:?}");
    assert!(held.body.contains(SECOND), "it keeps the rules it began with: {held:?}");
    let verified = countersign(dir, &["verify", ".countersign/ledger"]);
    assert!(verified.status.success(), "while it runs: {}", said(&verified));

    // Tampered with, rolled back, gone: each is told, and both indicators still count.
    let good = feed(&key, TIME + 1, &[FIRST, SECOND]);
    let tampered = good.replacen("a mark", "a lark", 1);
    for (bad, result) in [
        (Some(tampered), "refused"),
        (Some(feed(&key, TIME, &[FIRST])), "refused"),
        (None, "unreachable"),
    ] {
        match &bad {
            Some(document) => put(dir, document),
            None => fs::remove_file(dir.join("core.json")).expect("removed"),
        }
        wait("feeds_failing", || up.readiness().expect("an answer").1);
        assert_eq!(up.readiness().expect("an answer").0, 200, "requests are still served");
        let told = metrics(&up, dir);
        assert!(
            told.contains(&format!("countersign_feed_pulls_total{{result=\"{result}\"}}")),
            "{told}"
        );
        assert!(told.contains("countersign_feeds_alarm 1"), "{told}");
        for token in [FIRST, SECOND] {
            let still = up.chat(&body(&format!("do {token}"))).expect("an answer");
            assert_eq!(still.status, 403, "{token}: {still:?}");
        }
        put(dir, &good);
        wait(r#""feeds":"ok""#, || up.readiness().expect("an answer").1);
    }

    let ids = [refused, after, held].map(|answer| answer.correlation().to_owned());
    let listened = up.stop_and_listen();
    assert!(listened.contains("a feed was not updated"), "{listened}");
    assert!(listened.contains("CS-FEED-025"), "the rollback is told: {listened}");
    let verified = countersign(dir, &["verify", ".countersign/ledger"]);
    assert!(verified.status.success(), "{}", said(&verified));
    // Whoever reads exports learns of it, too: from the audit entry and from the decision receipt.
    let source = format!("feed:alpha.example {}", ioc(&key, FIRST).content_hash);
    for (format, name) in [
        ("ocsf", "\"sources\":[\""),
        ("ecs", "\"sources\":[\""),
        ("cef", "flexString1="),
        ("syslog", "source=\""),
    ] {
        for what in ["audit", "decisions"] {
            let told = said(&countersign(dir, &["export", what, "--format", format]));
            assert!(told.contains(&format!("{name}{source}")), "{what}, {format}: {told}");
        }
    }
    for (id, indicator) in ids.iter().zip([Some(FIRST), Some(SECOND), None]) {
        let trace = countersign(dir, &["trace", id, "--explain"]);
        let text = said(&trace);
        assert!(trace.status.success(), "{text}");
        match indicator {
            Some(pattern) => {
                let hash = ioc(&key, pattern).content_hash;
                let sentence = format!("The indicator {hash} of feed:alpha.example was found");
                assert!(text.contains(&sentence), "{text}");
                let json = said(&countersign(dir, &["trace", id, "--format", "json"]));
                assert!(json.contains("\"feed:alpha.example\""), "{json}");
            }
            None => assert!(!text.contains("feed:"), "{text}"),
        }
    }
}

#[test]
fn who_takes_the_subscriptions_away_makes_nothing_pass() {
    let (place, upstream) = (tempfile::tempdir().expect("a directory"), FakeUpstream::start());
    let (dir, key) = (place.path(), SecretKey::from_seed([1; 32]));
    fs::write(dir.join("alpha.pem"), key.public().to_pem()).expect("written");
    put(dir, &feed(&key, TIME, &[FIRST]));
    let subscribe = || countersign(dir, &["feed", "subscribe", "core.json", "--pin", "alpha.pem"]);
    assert!(subscribe().status.success());
    let config = format!("upstream: {{url: '{}'}}\nfeeds: {{interval_seconds: 1}}", upstream.url());
    fs::write(dir.join("gateway.yaml"), config).expect("written");
    let file = dir.join("gateway.yaml");
    let file = file.to_str().expect("a path");
    let args = ["--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let up = Running::up(dir, &args, &[]);
    fs::remove_dir_all(dir.join(".countersign/feeds")).expect("removed");
    wait("feeds_unusable", || up.readiness().expect("an answer").1);
    let still = up.chat(&body(&format!("do {FIRST}"))).expect("an answer");
    assert_eq!(still.status, 403, "what counted goes on counting: {still:?}");
    assert!(up.stop_and_listen().contains("emptied or removed"));
    // Nor does a start begin by looking for nothing.
    let start = countersign(dir, &[&["up"], &args[..]].concat());
    assert_eq!(start.status.code(), Some(78), "{}", said(&start));
    assert_eq!(countersign(dir, &["feed", "list"]).status.code(), Some(78));
    let again = subscribe();
    assert!(again.status.success(), "the way out: {}", said(&again));
    let up = Running::up(dir, &args, &[]);
    let refused = up.chat(&body(&format!("do {FIRST}"))).expect("an answer");
    assert_eq!(refused.status, 403, "{refused:?}");
    // To unsubscribe is something else, and told.
    let ended = countersign(dir, &["feed", "unsubscribe", "alpha/core"]);
    assert!(ended.status.success(), "{}", said(&ended));
    wait("200", || ask(&up, &upstream, &format!("do {FIRST}")).status.to_string());
    assert!(up.stop_and_listen().contains("a feed counts no more"));
}

/// Where evidence is kept in memory there are no files of it, and feeds are pulled all the same.
#[test]
fn an_operator_has_a_feed_pulled_at_once() {
    let (place, upstream) = (tempfile::tempdir().expect("a directory"), FakeUpstream::start());
    let (dir, key) = (place.path(), SecretKey::from_seed([1; 32]));
    fs::write(dir.join("alpha.pem"), key.public().to_pem()).expect("written");
    put(dir, &feed(&key, TIME, &[FIRST]));
    let subscribed = countersign(dir, &["feed", "subscribe", "core.json", "--pin", "alpha.pem"]);
    assert!(subscribed.status.success(), "{}", said(&subscribed));
    let config = format!("upstream: {{url: '{}'}}", upstream.url());
    fs::write(dir.join("gateway.yaml"), config).expect("written");
    let file = dir.join("gateway.yaml");
    let args = ["--config", file.to_str().expect("a path"), "--ledger", "memory"];
    let doors = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let up = Running::up(dir, &[&args[..], &doors].concat(), &[]);
    assert_eq!(ask(&up, &upstream, &format!("do {SECOND}")).status, 200);
    put(dir, &feed(&key, TIME + 1, &[FIRST, SECOND]));
    let token = fs::read_to_string(dir.join(".countersign/keys/admin.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str())];
    let asked = request(up.admin(), "POST", "/feeds/pull", &headers, "").expect("an answer");
    assert_eq!(asked.status, 202, "{asked:?}");
    wait("403", || ask(&up, &upstream, &format!("do {SECOND}")).status.to_string());
    up.stop_and_listen();
}

#[test]
fn subscriptions_that_were_changed_stop_the_start() {
    let place = tempfile::tempdir().expect("a directory");
    let (dir, key) = (place.path(), SecretKey::from_seed([1; 32]));
    fs::write(dir.join("alpha.pem"), key.public().to_pem()).expect("written");
    put(dir, &feed(&key, TIME, &[FIRST]));
    let subscribed = countersign(dir, &["feed", "subscribe", "core.json", "--pin", "alpha.pem"]);
    assert!(subscribed.status.success(), "{}", said(&subscribed));
    let files = fs::read_dir(dir.join(".countersign/feeds")).expect("the store");
    let document = files
        .flatten()
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "feed"));
    let document = document.expect("a document");
    let text = fs::read_to_string(&document).expect("text").replace(FIRST, "zebra-omega-78");
    fs::write(&document, text).expect("written");
    let up = countersign(dir, &["up", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert_eq!(up.status.code(), Some(78), "{}", said(&up));
    assert!(said(&up).contains("the subscribed feeds cannot be used"), "{}", said(&up));
}
