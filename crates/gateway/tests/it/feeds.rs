//! Indicators of feeds: what they find is refused and attributed, and other rules come into force
//! under requests that are under way.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use countersign_gateway::feeds::{Counting, Feed, Feeds, Keep, Pulled, Trouble};
use record::source::Source;
use scan::{FeedRoot, Indicator, Kind, Severity};
use seal::digest::Digest;
use seal::json::Value;
use seal::time::UnixMillis;
use testkit::upstream::{Gate, Script, call_delta, finish_delta};

use crate::client::header;
use crate::harness::{Evidence, Gateway, NOON, ask, ask_stream, digest};

/// A publisher whose next word the test says. Patterns are substrings, of severity critical.
#[derive(Default)]
struct Publisher {
    says: Mutex<Says>,
    asked: Condvar,
}

#[derive(Default)]
struct Says {
    counting: Vec<(&'static str, bool)>,
    next: Option<Result<Vec<(&'static str, bool)>, Trouble>>,
    unusable: bool,
    confirmed_at: Option<i64>,
    pulls: usize,
}

const ISSUER: &str = "alpha.example\u{1b}[31m";

impl Publisher {
    fn of(patterns: &[(&'static str, bool)]) -> Arc<Publisher> {
        let says = Says { counting: patterns.to_vec(), ..Says::default() };
        Arc::new(Publisher { says: Mutex::new(says), asked: Condvar::new() })
    }

    fn says(&self, next: Result<Vec<(&'static str, bool)>, Trouble>) {
        self.says.lock().unwrap().next = Some(next);
    }

    fn unusable(&self) {
        self.says.lock().unwrap().unusable = true;
    }

    /// Waits for two more pulls: the second begins after the first was acted upon.
    fn wait_pulled(&self) {
        let says = self.says.lock().unwrap();
        let enough = says.pulls + 2;
        drop(self.asked.wait_while(says, |says| says.pulls < enough).unwrap());
    }
}

fn hash(pattern: &str) -> Digest {
    digest(pattern)
}

impl Feeds for Publisher {
    fn counting(&self, _: UnixMillis) -> Result<Counting, String> {
        let says = self.says.lock().unwrap();
        if says.unusable {
            return Err("the seal is not ours".to_owned());
        }
        let indicator = |(pattern, watched): &(&str, bool)| {
            let (hash, text) = (hash(pattern).to_string(), (*pattern).to_owned());
            let critical = Severity::Critical;
            let indicator =
                Indicator::of_feed(ISSUER.into(), &hash, Kind::Substring, text, critical, vec![]);
            if *watched { indicator.monitored() } else { indicator }
        };
        let root = FeedRoot {
            issuer: ISSUER.to_owned(),
            feed: "core".to_owned(),
            root: digest(format!("{:?}", says.counting)).to_string(),
        };
        Ok(Counting {
            indicators: says.counting.iter().map(indicator).collect(),
            roots: vec![root],
            feeds: vec![Feed {
                issuer: ISSUER.to_owned(),
                feed_id: "core".to_owned(),
                issued_at: NOON as i64 / 1_000,
                max_age: None,
                confirmed_at: says.confirmed_at,
            }],
            changes_at: None,
        })
    }

    fn pull(&self, _: UnixMillis, _: Duration, _: &mut Keep<'_>) -> Vec<Pulled> {
        let mut says = self.says.lock().unwrap();
        says.pulls += 1;
        self.asked.notify_all();
        let result = match says.next.take() {
            None => Ok(false),
            Some(Ok(patterns)) => {
                says.counting = patterns;
                Ok(true)
            }
            Some(Err(trouble)) => {
                says.next = Some(Err(trouble.clone()));
                Err(trouble)
            }
        };
        vec![Pulled { issuer: ISSUER.to_owned(), feed_id: "core".to_owned(), result, told: vec![] }]
    }
}

/// Every ruleset that evidence of this request names.
fn rulesets(evidence: &Evidence, request: &str) -> Vec<String> {
    let of = |name: &str, value: Option<&str>| (value == Some(request)).then(|| name.to_owned());
    let audits = evidence
        .audits
        .iter()
        .filter_map(|audit| of(audit.meta_text("_ruleset")?, audit.meta_text("_request")));
    let receipts = evidence.receipts.iter().filter_map(|signed| {
        let receipt = &signed.receipt;
        let request = receipt.extension_value("x_countersign_request").and_then(Value::as_str);
        of(receipt.ruleset_hash.as_deref()?, request)
    });
    let decisions = evidence.decisions.iter().filter_map(|decision| {
        of(&decision.ruleset_digest.to_string(), Some(&decision.request_id))
    });
    let mut all: Vec<String> = audits.chain(receipts).chain(decisions).collect();
    assert!(all.len() >= 3, "{all:?}");
    all.sort();
    all.dedup();
    all
}

fn sources(value: Option<&Value>) -> Vec<Source> {
    let items = value.and_then(Value::as_array).unwrap_or_default();
    items.iter().map(|item| Source::read(item).expect("a source")).collect()
}

fn scanned_sources(evidence: &Evidence, request: &str, verdict: &str) -> Vec<Source> {
    let scan = evidence.receipts.iter().find(|signed| {
        let of = signed.receipt.extension_value("x_countersign_request").and_then(Value::as_str);
        let said = signed.receipt.verdict.map(|verdict| verdict.as_str());
        of == Some(request) && said == Some(verdict)
    });
    let scan = &scan.unwrap_or_else(|| panic!("no scan said {verdict}")).receipt;
    sources(scan.extension_value("x_countersign_sources"))
}

fn version(gateway: &Gateway) -> String {
    let mut admin = gateway.admin();
    let bearer = format!("Bearer {}", gateway.token);
    admin.request("GET", "/version", "", &[("Authorization", &bearer)]);
    admin.reply().text()
}

fn page(gateway: &Gateway, path: &str) -> (u16, String) {
    let mut admin = gateway.admin();
    let bearer = format!("Bearer {}", gateway.token);
    admin.request("GET", path, "", &[("Authorization", &bearer)]);
    let reply = admin.reply();
    (reply.status, reply.text())
}

const EVERY_SECOND: &str = "feeds: {interval_seconds: 1}";

#[test]
fn what_a_feed_names_is_refused_and_attributed() {
    let feed = Publisher::of(&[("zebra-omega-77", false), ("only-watched", true)]);
    let gateway = Gateway::fed("", feed);
    let mut client = gateway.client();
    client.chat(&ask("please do zebra-omega-77 now"), &[]);
    let refused = client.reply();
    assert_eq!(refused.status, 403);
    assert!(refused.receipt().len() <= 2_048);
    gateway.upstream.push(Script::says("fine"));
    client.chat(&ask("only-watched is no reason"), &[]);
    let watched = client.reply();
    assert_eq!(watched.status, 200, "{}", watched.text());
    gateway.upstream.push(Script::says("then zebra-omega-77 it is"));
    client.chat(&ask("tell me"), &[]);
    let withheld = client.reply();
    assert_eq!(withheld.status, 403, "{}", withheld.text());
    gateway.upstream.push(
        Script::events()
            .event(&call_delta(0, 0, Some(("call_1", "zebra-omega-77")), "{}"))
            .event(&finish_delta(0, "tool_calls"))
            .done(),
    );
    client.chat(&ask_stream("call something"), &[]);
    let called = client.reply();
    let evidence = gateway.stop();

    let source = |pattern| vec![Source::of_feed(ISSUER, hash(pattern))];
    let named = source("zebra-omega-77");
    assert_eq!(named[0].name(), "feed:alpha.example[31m", "what a terminal obeys is left out");
    for (id, expected, verdict) in [
        (refused.id(), &named, "MALICIOUS"),
        (withheld.id(), &named, "MALICIOUS"),
        (called.id(), &named, "MALICIOUS"),
        (watched.id(), &source("only-watched"), "CLEAN"),
    ] {
        assert_eq!(&sources(evidence.last(id).meta("_sources")), expected);
        assert_eq!(&evidence.decision(id).sources, expected);
        assert_eq!(&scanned_sources(&evidence, id, verdict), expected, "{verdict}");
    }
    assert_eq!(evidence.decision(called.id()).decision, "block");
    evidence.verify_and_trace(&[refused.id(), watched.id(), withheld.id(), called.id()]);
}

#[test]
fn an_indicator_in_pieces_is_held_until_it_is_whole() {
    for watched in [false, true] {
        let gateway = Gateway::fed("", Publisher::of(&[("zebra-omega-77", watched)]));
        let script =
            Script::events().delta("begin ").delta("zebra-om").delta("ega-").delta("77 end");
        gateway.upstream.push(script.event(&finish_delta(0, "stop")).done());
        let mut client = gateway.client();
        client.chat(&ask_stream("tell me"), &[]);
        let reply = client.reply();
        let text = reply.text();
        assert!(text.contains("begin "), "{text}");
        assert_eq!(text.contains("zebra-om"), watched, "{text}");
        let evidence = gateway.stop();
        let decision = evidence.decision(reply.id());
        assert_eq!(decision.decision, if watched { "allow" } else { "block" });
        assert_eq!(decision.sources, [Source::of_feed(ISSUER, hash("zebra-omega-77"))]);
        evidence.verify_and_trace(&[reply.id()]);
    }
}

#[test]
fn a_request_keeps_the_rules_that_it_began_with() {
    let feed = Publisher::of(&[("first-token", false)]);
    let gateway = Gateway::fed(EVERY_SECOND, feed.clone());
    let before = version(&gateway);
    let gate = Gate::new();
    gateway.upstream.push(
        Script::events()
            .delta("it begins, ")
            .wait(&gate)
            .delta("second-token and ")
            .delta("more")
            .event(&finish_delta(0, "stop"))
            .done(),
    );
    let mut held = gateway.client();
    held.chat(&ask_stream("tell me"), &[]);
    let head = held.head();
    let began = header(&head.headers, "x-countersign-correlation-id").expect("an id").to_owned();
    held.read_until("it begins");
    let mut client = gateway.client();
    client.chat(&ask("first-token"), &[]);
    let first = client.reply();
    assert_eq!(first.status, 403);

    feed.says(Ok(vec![("second-token", false)]));
    feed.wait_pulled();
    assert_ne!(version(&gateway), before);
    client.chat(&ask("second-token"), &[]);
    let second = client.reply();
    assert_eq!(second.status, 403, "the new one counts without a restart");
    gateway.upstream.push(Script::says("fine"));
    client.chat(&ask("first-token"), &[]);
    let third = client.reply();
    assert_eq!(third.status, 200, "the old one does not");
    gate.open();
    let rest = held.read_until("[DONE]");
    assert!(rest.contains("second-token"), "what began before is judged as it began: {rest}");

    let evidence = gateway.stop();
    let old = rulesets(&evidence, first.id());
    let new = rulesets(&evidence, second.id());
    assert!(old.len() == 1 && new.len() == 1 && old != new, "{old:?} {new:?}");
    assert_eq!(rulesets(&evidence, &began), old);
    assert_eq!(rulesets(&evidence, third.id()), new);
    // Its body was there before anything was judged under it.
    let body = evidence.bodies.iter().position(|body| digest(body).to_string() == new[0]);
    let entry = evidence.bodies.iter().position(|body| body.contains(second.id()));
    assert!(body.expect("the body of the ruleset") < entry.expect("an entry"));
    evidence.verify_and_trace(&[&began, first.id(), second.id(), third.id()]);
}

#[test]
fn a_publisher_that_goes_bad_leaves_the_rules_in_force_and_raises_the_alarm() {
    let feed = Publisher::of(&[("first-token", false)]);
    let gateway = Gateway::fed(EVERY_SECOND, feed.clone());
    let before = version(&gateway);
    feed.wait_pulled();
    assert_eq!(page(&gateway, "/readyz"), (200, r#"{"status":"ready","feeds":"ok"}"#.to_owned()));
    feed.says(Err(Trouble::Refused("CS-FEED-024: a rollback \u{1b}[2J".to_owned())));
    while !page(&gateway, "/readyz").1.contains("feeds_failing") {}
    let (_, metrics) = page(&gateway, "/metrics");
    assert!(metrics.contains(r#"countersign_feed_pulls_total{result="refused"}"#), "{metrics}");
    assert!(metrics.contains("countersign_feeds_alarm 1"), "{metrics}");
    assert!(metrics.contains("countersign_feed_age_seconds{feed=\"core\""), "{metrics}");
    assert!(!metrics.contains('\u{1b}'), "{metrics}");
    assert_eq!(version(&gateway), before);
    let mut client = gateway.client();
    client.chat(&ask("first-token"), &[]);
    let refused = client.reply();
    assert_eq!(refused.status, 403);
    gateway.stop().verify_and_trace(&[refused.id()]);
}

#[test]
fn what_is_stale_refuses_only_where_that_is_asked_for() {
    let feed = Publisher::of(&[("first-token", false)]);
    let gateway = Gateway::fed("feeds: {interval_seconds: 1, on_stale: refuse}", feed.clone());
    let mut client = gateway.client();
    gateway.upstream.push(Script::says("fine"));
    client.chat(&ask("hello"), &[]);
    assert_eq!(client.reply().status, 200);
    feed.unusable();
    while page(&gateway, "/readyz").0 == 200 {}
    client.chat(&ask("hello"), &[]);
    let refused = client.reply();
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("feeds_stale"), "{}", refused.text());
    gateway.stop().verify_and_trace(&[refused.id()]);
}

#[test]
fn an_operator_need_not_wait_for_the_next_pull() {
    let feed = Publisher::of(&[("first-token", false)]);
    let gateway = Gateway::fed("", feed.clone());
    let post = |method: &str, token: &str| {
        let mut admin = gateway.admin();
        let bearer = format!("Bearer {token}");
        admin.request(method, "/feeds/pull", "", &[("Authorization", &bearer)]);
        let reply = admin.reply();
        (reply.status, reply.text())
    };
    assert_eq!(post("POST", &gateway.scrape).0, 401);
    assert_eq!(post("GET", &gateway.token).0, 405);
    assert_eq!(feed.says.lock().unwrap().pulls, 0);
    let before = version(&gateway);
    feed.says(Ok(vec![("second-token", false)]));
    assert_eq!(post("POST", &gateway.token), (202, r#"{"status":"asked"}"#.to_owned()));
    while version(&gateway) == before {}
    let mut client = gateway.client();
    client.chat(&ask("second-token"), &[]);
    let refused = client.reply();
    assert_eq!(refused.status, 403);
    gateway.stop().verify_and_trace(&[refused.id()]);
}

/// Whoever restarts a gateway every hour would never be told otherwise.
#[test]
fn what_no_publisher_confirmed_is_stale_after_a_restart_too() {
    let feed = Publisher::of(&[("first-token", false)]);
    let week = 604_800;
    feed.says.lock().unwrap().confirmed_at = Some(NOON as i64 / 1_000 - week - 1);
    feed.says(Err(Trouble::Unreachable("nobody answers".to_owned())));
    let gateway = Gateway::fed("feeds: {on_stale: refuse}", feed.clone());
    let stale = r#"{"status":"not_ready","reason":"feeds_stale"}"#;
    assert_eq!(page(&gateway, "/readyz"), (503, stale.to_owned()));
    assert!(page(&gateway, "/metrics").1.contains("countersign_feeds_alarm 1"));
    gateway.stop().verify_and_trace(&[]);
    // It asks at once, since it serves nobody before.
    feed.says(Ok(vec![("first-token", false)]));
    let gateway = Gateway::fed("feeds: {on_stale: refuse}", feed);
    while page(&gateway, "/readyz").0 != 200 {}
    gateway.stop().verify_and_trace(&[]);
}

#[test]
fn no_request_fails_while_rules_are_replaced() {
    let feed = Publisher::of(&[("token-0", false)]);
    let gateway = Gateway::fed(EVERY_SECOND, feed.clone());
    let before = version(&gateway);
    feed.says(Ok(vec![("token-1", false)]));
    let (mut served, mut seen) = (Vec::new(), 0);
    let mut client = gateway.client();
    // Until so many came after the swap.
    while seen < 5 {
        gateway.upstream.push(Script::says("fine"));
        client.chat(&ask("hello"), &[]);
        let reply = client.reply();
        assert_eq!(reply.status, 200, "{}", reply.text());
        served.push(reply.id().to_owned());
        seen += usize::from(version(&gateway) != before);
    }
    let evidence = gateway.stop();
    let mut all: Vec<String> = Vec::new();
    for id in &served {
        let named = rulesets(&evidence, id);
        assert_eq!(named.len(), 1, "{id}");
        all.extend(named);
    }
    all.dedup();
    assert_eq!(all.len(), 2, "one ruleset, then the other");
    evidence.verify_and_trace(&[&served[0], served.last().expect("some")]);
}

#[test]
fn an_operator_may_ask_what_the_rules_in_force_say() {
    let feed = Publisher::of(&[("zebra-omega-77", false)]);
    let gateway = Gateway::fed("", feed);
    let asked = |path: &str, body: &str, token: &str| {
        let mut admin = gateway.admin();
        let bearer = format!("Bearer {token}");
        admin.request("POST", path, body, &[("Authorization", &bearer)]);
        let reply = admin.reply();
        (reply.status, reply.text())
    };
    let token = gateway.token.as_str();
    let (status, text) = asked("/scan", r#"{"text":"é zebra-omega-77"}"#, token);
    assert_eq!(status, 200, "{text}");
    for part in [
        r#""verdict":"MALICIOUS","action":"BLOCK","incomplete":false"#,
        &format!(r#""content_hash":"{}""#, hash("zebra-omega-77")),
        r#""start":3,"end":17"#,
        r#""source":"feed:alpha.example"#,
        &format!(r#""ruleset":"{}"}}"#, gateway_ruleset(&gateway)),
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    let (status, text) =
        asked("/scan/batch", r#"{"texts":["a","zebra-omega-77"],"target":"tool_result"}"#, token);
    assert_eq!(status, 200, "{text}");
    let both = text.find("CLEAN").zip(text.find("MALICIOUS"));
    assert!(both.is_some_and(|(first, second)| first < second), "in order: {text}");
    assert_eq!(asked("/scan/batch", r#"{"texts":[]}"#, token).0, 200);

    let many = format!(r#"{{"texts":[{}"x"]}}"#, r#""x","#.repeat(1_000));
    for (path, body, token, status, code) in [
        ("/scan", r#"{"text":"a"}"#, "wrong", 401, "unauthorised"),
        ("/scan", r#"{"text":"a"}"#, gateway.scrape.as_str(), 401, "unauthorised"),
        ("/scan", r#"{"texts":["a"]}"#, token, 400, "unknown_member"),
        ("/scan", "{}", token, 400, "text_missing"),
        ("/scan", r#"{"text":"a","text":"b"}"#, token, 400, "not_json"),
        ("/scan", r#"{"text":"a","target":"all"}"#, token, 400, "unknown_target"),
        ("/scan/batch", r#"{"texts":[1]}"#, token, 400, "text_not_a_string"),
        ("/scan/batch", &many, token, 400, "too_many_texts"),
    ] {
        let (answered, text) = asked(path, body, token);
        assert_eq!((answered, text.contains(code)), (status, true), "{code}: {text}");
    }
    let mut admin = gateway.admin();
    admin.send(format!(
        "POST /scan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 4194305\r\n\r\n"
    ));
    assert_eq!(admin.head().status, 413);
    let mut admin = gateway.admin();
    let bearer = format!("Bearer {token}");
    admin.request("GET", "/scan", "", &[("Authorization", &bearer)]);
    assert_eq!(admin.reply().status, 405);
    gateway.stop().verify_and_trace(&[]);
}

fn gateway_ruleset(gateway: &Gateway) -> String {
    let text = version(gateway);
    let from = text.find("\"ruleset\":\"").expect("a ruleset") + 11;
    text[from..from + 71].to_owned()
}
