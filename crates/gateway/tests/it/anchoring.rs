//! Checkpoints are timestamped in the background, whatever the authority does.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign::verify::Verifier;
use countersign::{Level, TrustFile};
use countersign_gateway as gateway;
use gateway::config::Config;
use gateway::server::ServeError;
use gateway::state::{Init, State};
use record::anchor::Anchor;
use record::trust::TrustKey;
use tempfile::TempDir;
use testkit::clock::TestClock;
use testkit::tsa::{Issue, Reply, pem};
use testkit::tsa_server::{Says, TsaServer, reply};
use testkit::upstream::Script;

use crate::harness::{Gateway, NOON};

fn signer() -> Issue {
    Issue::signer("tsa", 2, &Issue::root("root", 1))
}

/// Stamps in the time of the tests.
fn stamps(query: &[u8]) -> Says {
    let reply = Reply { time: "20261120120000Z".into(), ..reply(query, &signer()) };
    Says::Reply(reply.bytes())
}

fn init() -> Init {
    Init { memory: false, clock: Arc::new(TestClock::stepping(NOON, 1)) }
}

/// A directory whose trust file has the root of the authority.
fn trusting() -> TempDir {
    trusting_under(&[])
}

/// The same, for stamps under these policies only.
fn trusting_under(policies: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    drop(State::open_or_init(dir.path(), init()).expect("the state opens"));
    let path = dir.path().join("countersign.trust.yaml");
    let mut trust = TrustFile::read(&path, None).expect("a trust file").trust;
    let root = pem(&Issue::root("root", 1).certificate());
    let policies = policies.iter().map(ToString::to_string).collect();
    let key = TrustKey { policies, ..TrustKey::tsa("clock", &root).expect("PEM") };
    trust.add_key(key).expect("added");
    std::fs::write(&path, trust.to_yaml()).expect("written");
    dir
}

fn yaml(tsas: &[&TsaServer], more: &str) -> String {
    let urls: Vec<String> = tsas.iter().map(|tsa| format!("\"{}\"", tsa.url())).collect();
    let urls = urls.join(", ");
    format!("ledger: {{anchors: {{tsa: [{urls}], interval_seconds: 1{more}}}}}")
}

fn metric(gateway: &Gateway, series: &str) -> i64 {
    let mut admin = gateway.admin();
    let bearer = format!("Bearer {}", gateway.scrape);
    admin.request("GET", "/metrics", "", &[("Authorization", &bearer)]);
    let text = admin.reply().text();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().expect("a number"))
}

/// Waits until a series has reached a value; a test that waits in vain hangs, and says where.
fn until(gateway: &Gateway, series: &str, least: i64) {
    while metric(gateway, series) < least {
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn turn(gateway: &Gateway) {
    gateway.upstream.push(Script::json(
        200,
        r#"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}"#,
    ));
    let mut client = gateway.client();
    client.chat(r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#, &[]);
    assert_eq!(client.reply().status, 200);
}

const KEPT: &str = "countersign_anchors_total{result=\"kept\"}";
const FAILED: &str = "countersign_anchors_total{result=\"failed\"}";

#[test]
fn checkpoints_are_stamped_by_every_authority() {
    let (one, two) = (TsaServer::start(stamps), TsaServer::start(stamps));
    let gateway = Gateway::over(trusting(), &yaml(&[&one, &two], ""), None);
    assert_eq!(metric(&gateway, "countersign_anchor_age_seconds"), -1);
    until(&gateway, KEPT, 2);
    turn(&gateway);
    let kept = metric(&gateway, KEPT);
    until(&gateway, KEPT, kept + 1);
    assert!(one.asked() >= 1 && two.asked() >= 1);
    assert!(metric(&gateway, "countersign_anchor_age_seconds") >= 0);
    assert_eq!(metric(&gateway, FAILED), 0);
    let evidence = gateway.stop();
    let anchors: Vec<Anchor> = evidence
        .kinds
        .iter()
        .zip(&evidence.bodies)
        .filter(|(kind, _)| *kind == "anchor")
        .map(|(_, body)| Anchor::read(body.as_bytes()).expect("an anchor"))
        .collect();
    assert!(anchors.len() >= 3, "{:?}", evidence.kinds);
    let file = TrustFile::read(&evidence.dir.path().join("countersign.trust.yaml"), None);
    let report = Verifier::new()
        .trust_file(Some(file.expect("a trust file")))
        .require(Level::Signed)
        .verify(&evidence.dir.path().join(".countersign/ledger"))
        .expect("readable");
    assert!(report.ok(), "{}", report.to_table());
    let furthest = anchors.iter().map(|anchor| anchor.checkpoint().size).max();
    assert_eq!(report.anchored_to.map(|reach| reach.size), furthest);
}

/// Answers that prove nothing are not stored, and nobody waits for them.
#[test]
fn an_authority_that_fails_costs_nothing_but_its_stamp() {
    let tsa = TsaServer::start(|_| Says::Reply(b"<html>it works</html>".to_vec()));
    let gateway = Gateway::over(trusting(), &yaml(&[&tsa], ""), None);
    until(&gateway, FAILED, 1);
    turn(&gateway);
    tsa.change(|query| {
        let Says::Reply(good) = stamps(query) else { panic!("a reply") };
        Says::half(&good)
    });
    tsa.wait_asked(tsa.asked() + 1);
    turn(&gateway);
    let mut admin = gateway.admin();
    admin.request("GET", "/readyz", "", &[]);
    assert_eq!(admin.reply().status, 200);
    assert_eq!(metric(&gateway, KEPT), 0);
    tsa.change(stamps);
    until(&gateway, KEPT, 1);
    // One that never answers holds up neither a request nor the stop.
    tsa.change(|_| Says::Nothing);
    let asked = tsa.asked();
    turn(&gateway);
    tsa.wait_asked(asked + 1);
    turn(&gateway);
    let evidence = gateway.stop();
    let anchors = evidence.kinds.iter().filter(|kind| *kind == "anchor").count();
    assert!(anchors >= 1, "{:?}", evidence.kinds);
    evidence.verify_and_trace(&[]);
}

/// What `verify` would refuse by the trust file is not kept either.
#[test]
fn a_stamp_under_another_policy_is_not_kept() {
    let tsa = TsaServer::start(stamps);
    let other = Gateway::over(trusting_under(&["1.2.3.4.5"]), &yaml(&[&tsa], ""), None);
    while metric(&other, KEPT) + metric(&other, FAILED) == 0 {
        thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(metric(&other, KEPT), 0);
    let evidence = other.stop();
    assert!(!evidence.kinds.iter().any(|kind| kind == "anchor"), "{:?}", evidence.kinds);
    let this = Gateway::over(trusting_under(&["1.2.3.4.1"]), &yaml(&[&tsa], ""), None);
    until(&this, KEPT, 1);
    this.stop();
}

#[test]
fn readiness_asks_for_stamps_where_it_was_told_to() {
    let tsa = TsaServer::start(|_| Says::http(503, "text/plain", b"later"));
    let gateway = Gateway::over(trusting(), &yaml(&[&tsa], ", overdue_seconds: 1"), None);
    let mut admin = gateway.admin();
    // The test's clock moves on with every look.
    let not_ready = loop {
        admin.request("GET", "/readyz", "", &[]);
        let reply = admin.reply();
        if reply.status != 200 {
            break reply;
        }
    };
    assert_eq!(not_ready.status, 503);
    assert!(not_ready.text().contains("anchor_overdue"), "{}", not_ready.text());
    // It is said, and nothing is refused.
    turn(&gateway);
    gateway.stop();
}

/// The system's lookup of a name, of an authority or of an upstream, cannot be called off: a stop
/// does not wait for it. A test that waits in vain hangs.
#[test]
fn what_cannot_be_called_off_does_not_hold_up_the_stop() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = State::open_or_init(dir.path(), init()).expect("the state opens");
    let mut config = Config { simulator: true, ..Config::default() };
    config.listen.set_port(0);
    config.admin.set_port(0);
    let (over, until_over) = std::sync::mpsc::channel::<()>();
    let (begun, until_begun) = std::sync::mpsc::channel();
    let lookup = async move {
        tokio::task::spawn_blocking(move || {
            let _ = begun.send(());
            let _ = until_over.recv();
        });
        until_begun.recv().expect("it begins");
    };
    gateway::serve(config, state, |_| {}, lookup).expect("a clean stop");
    drop(over);
}

#[test]
fn an_authority_that_can_never_work_stops_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = State::open_or_init(dir.path(), init()).expect("the state opens");
    let mut config = Config::parse("ledger: {anchors: {tsa: ['https://tsa.example/tsr']}}")
        .expect("a configuration");
    config.simulator = true;
    config.listen.set_port(0);
    config.admin.set_port(0);
    match gateway::serve(config, state, |_| panic!("it starts"), async {}) {
        Err(ServeError::Config(error)) => {
            let text = error.to_string();
            assert!(text.contains("no root of https://tsa.example/tsr is trusted"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    for bad in ["tsa.example", "ftp://tsa.example", "https://a:b@tsa.example", "https://"] {
        let yaml = format!("ledger: {{anchors: {{tsa: ['{bad}']}}}}");
        let error = Config::parse(&yaml).expect_err(bad).to_string();
        assert!(error.contains("ledger.anchors.tsa: address 1"), "{error}");
        assert!(!error.contains("a:b"), "{error}");
    }
    for bad in ["interval_seconds: 0", "overdue_seconds: 0"] {
        assert!(Config::parse(&format!("ledger: {{anchors: {{{bad}}}}}")).is_err(), "{bad}");
    }
}
