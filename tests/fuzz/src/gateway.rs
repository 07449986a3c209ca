//! What the gateway reads besides bodies: heads of requests, its configuration, keyrings.

use gateway::Config;
use gateway::head::judge;
use gateway::metrics::Route;
use gateway::problem::Refusal;
use guard::checks::classification_gate::{Level, classification, clearance};
use guard::owner::{IDENTITY_HEADERS, MAX_NAME, resolve};
use guard::{Identity, OwnerKind};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use record::keyring;
use seal::hex;
use seal::json::{Limits, parse, write_plain};

/// As many as the server takes.
const HEADERS: usize = 100;
const BODY: u64 = 4096;

/// The first line is method and target, each other a header: whatever is let through keeps to
/// every rule, looked at once more in another way.
pub fn head(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let method = words.next().and_then(|word| Method::from_bytes(word).ok());
    let target = words.next().and_then(|word| Uri::try_from(word).ok());
    let (Some(method), Some(target)) = (method, target) else { return };
    let mut headers = HeaderMap::new();
    for line in lines.take(HEADERS) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let hosts = ["Gate.example".to_owned()];
    let judged = judge(&hosts, BODY, &method, &target, &headers);
    assert_eq!(judge(&hosts, BODY, &method, &target, &headers), judged);
    if let Ok(route) = judged {
        let path = target.path().trim_end_matches('/');
        assert_eq!(path == "/v1/models", route == Route::Models);
        assert_eq!(method == Method::POST, route == Route::ChatCompletions);
        let_through(&target, &headers);
        for name in ["host", "authorization", "x-signet-session"] {
            twice(&hosts, &method, &target, &headers, name);
        }
    }
    owners(&headers);
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    let all = headers.get_all(name).iter();
    all.map(|value| value.to_str().expect("only plain text is let through")).collect()
}

/// `host[:port]` of a name that the listener has.
fn is_ours(authority: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    let names = ["localhost", "127.0.0.1", "[::1]", "gate.example"];
    names.iter().any(|name| match authority.strip_prefix(name) {
        Some("") => true,
        Some(port) => port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit())),
        None => false,
    })
}

fn let_through(target: &Uri, headers: &HeaderMap) {
    let hosts = text(headers, "host");
    assert!(hosts.len() == 1 && is_ours(hosts[0]), "{hosts:?}");
    assert!(target.authority().is_none_or(|name| is_ours(name.as_str())), "{target}");
    for origin in text(headers, "origin") {
        let (_, authority) = origin.split_once("://").expect("a scheme");
        assert!(authority.eq_ignore_ascii_case(hosts[0]), "{origin}");
    }
    for kind in text(headers, "content-type") {
        assert!(kind.to_ascii_lowercase().trim_start().starts_with("application/json"), "{kind}");
    }
    for coding in text(headers, "content-encoding") {
        assert!(coding.eq_ignore_ascii_case("identity"), "{coding}");
    }
    for key in headers.get_all("authorization") {
        assert!(key.as_bytes().iter().all(|b| *b == b'\t' || (b' '..=b'~').contains(b)));
    }
    for session in text(headers, "x-signet-session") {
        assert!((1..=256).contains(&session.len()) && !session.contains(['/', ' ', '\\', '%']));
    }
}

/// The same header again is refused, even with the same value.
fn twice(hosts: &[String], method: &Method, target: &Uri, headers: &HeaderMap, name: &'static str) {
    let Some(value) = headers.get(name).cloned() else { return };
    let mut more = headers.clone();
    more.append(name, value);
    let refused = judge(hosts, BODY, method, target, &more).expect_err(name);
    assert!(matches!(refused, Refusal::HostNotAllowed | Refusal::Header { .. }), "{name}");
}

/// An owner is one name of printable ASCII that means the same when it is sent back; so is a level.
fn owners(headers: &HeaderMap) {
    let mut values = Vec::new();
    for name in IDENTITY_HEADERS {
        let all = headers.get_all(name).iter();
        values.extend(all.map(|value| (name.to_owned(), value.as_bytes().to_vec())));
    }
    let one =
        |name: &str, value: String| Identity::asserted([(name.to_owned(), value.into_bytes())]);
    let identity = Identity::asserted(values.clone());
    if let Ok(owner) = resolve(&identity) {
        let id = owner.id();
        assert!(!id.is_empty() && id.len() <= MAX_NAME, "{id:?}");
        assert!(id.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b','), "{id:?}");
        assert_eq!(id.trim(), id);
        let again = match owner.kind() {
            OwnerKind::Human => one("X-Commit-Owner", owner.to_string()),
            OwnerKind::Agent => one("X-Agent-Id", owner.to_string()),
            OwnerKind::Policy => one("X-Policy-Name", id.to_owned()),
        };
        assert_eq!(resolve(&again), Ok(owner));
        // Nobody is found by a second name beside the first.
        let doubled = Identity::asserted(values.iter().cloned().chain(values.iter().cloned()));
        assert!(resolve(&doubled).is_err());
    }
    let levels = [
        (classification(&identity), "X-Classification"),
        (clearance(&identity), "X-Caller-Clearance"),
    ];
    for (level, name) in levels {
        let Ok(level) = level else { continue };
        assert_eq!(Level::parse(level.as_str()), Some(level));
        let again = one(name, level.as_str().to_owned());
        let read =
            if name == "X-Classification" { classification(&again) } else { clearance(&again) };
        assert_eq!(read, Ok(level));
    }
}

/// A text that nobody could take for a name of the file.
pub const PASTED: &str = "pasted secret/%";

/// A configuration that is read writes itself out in full, and that file means the same; what is
/// refused is explained without repeating values.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Config::parse(text) {
        Ok(config) => {
            let written = write_plain(&config.settings());
            let again = Config::parse(&written);
            let again = again.unwrap_or_else(|error| panic!("its own file: {error}\n{written}"));
            assert_eq!(again.settings(), config.settings());
            assert_eq!(again.effective(), config.effective());
            let digest = config.digest().expect("a canonical form");
            assert_eq!(again.digest().expect("a canonical form"), digest);
            assert!(config.listen.ip().to_canonical().is_loopback());
        }
        Err(error) => {
            let told = error.to_string();
            assert!(!told.is_empty() && told.len() < 2_000, "{told}");
            assert!(!told.contains(PASTED), "{told}");
            assert!(!told.contains(char::is_control), "{told:?}");
        }
    }
}

/// A keyring that is read is the same when it is written in either form; its refusal holds no
/// secret.
pub fn keyring(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e7";
    let resolve = |reference: &str| match reference {
        "env:KEY" => Ok(format!(" {SECRET}\n")),
        _ => Err("not there".to_owned()),
    };
    let ring = match keyring::read(text, &resolve) {
        Ok(ring) => ring,
        Err(error) => {
            // A reference is told as it stands: it says where a secret is, not what.
            let told = error.to_string();
            let told = told.split(": not there").next().unwrap_or_default();
            let reference = ["env:", "file:"].iter().filter_map(|kind| told.find(kind)).min();
            let told = &told[..reference.unwrap_or(told.len())];
            return assert!(!told.contains(SECRET), "{error}");
        }
    };
    let (mut lines, mut members) = (String::from("# again\n"), Vec::new());
    for (id, secret) in ring.iter() {
        assert!(!id.is_empty() && !id.contains(|c: char| c.is_whitespace() || c.is_control()));
        assert!(secret.len() >= 16, "{id}");
        lines.push_str(&format!("{id}={}\n", hex::encode(secret)));
        members.push((id.to_owned(), hex::encode(secret).into()));
    }
    let object = write_plain(&seal::json::Value::Object(members));
    assert!(parse(object.as_bytes(), Limits::DOCUMENT).is_ok());
    for written in [lines, object] {
        let again = keyring::read(&written, &resolve).expect("its own file");
        assert!(again.iter().eq(ring.iter()), "{written}");
    }
}
