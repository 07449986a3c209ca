//! The trust file.

use record::trust::{Purpose, Quorum, Trust, TrustError, TrustKey};
use seal::Signer;
use seal::cosign::CosignerKey;
use seal::note::VerifierKey;
use seal::time::parse_rfc3339;

use crate::common::key;

fn pem(n: u8, indent: &str) -> String {
    key(n).public().to_pem().lines().map(|line| format!("{indent}{line}\n")).collect()
}

fn vkey(name: &str, n: u8) -> String {
    VerifierKey::new(name, key(n).public().clone()).unwrap().to_string()
}

/// A policy for a log with one witness.
fn policy(name: &str, log: u8, witness: u8) -> String {
    let witness = CosignerKey::new("witness.example", key(witness).public().clone()).unwrap();
    format!("log {}\nwitness w {witness}\nquorum w\n", vkey(name, log))
}

fn resolve(reference: &str) -> Result<String, String> {
    match reference {
        "file:key2.pem" => Ok(key(2).public().to_pem()),
        "env:HMAC" => Ok(format!("{}\n", "ab".repeat(32))),
        "env:SHORT" => Ok("abcd".into()),
        "file:policy" => Ok(policy("log.example/two", 6, 7)),
        "file:other-log" => Ok(policy("log.example/two", 5, 7)),
        "file:own-key" => Ok(policy("log.example/two", 6, 2)),
        "file:any-log" => Ok(policy("log.example/two", 6, 7).split_once('\n').unwrap().1.into()),
        "file:no-quorum" => Ok(format!("log {}\n", vkey("log.example/two", 6))),
        other => Err(format!("no {other}")),
    }
}

fn parse(yaml: &str) -> Result<Trust, TrustError> {
    Trust::parse(yaml, &resolve)
}

fn full() -> String {
    format!(
        "# whose keys count\nversion: 1\nkeys:\n  - name: gateway\n    purpose: receipts\n    key: |\n{}    agent_id: agent:gateway\n    valid: {{from: 2026-11-20T00:00:00Z, until: 2027-11-20T00:00:00Z}}\n  - name: decisions\n    purpose: decisions\n    key: file:key2.pem\n  - {{name: k1, purpose: hmac, key: \"env:HMAC\"}}\nlogs:\n  - key: {}\n    quorum: none\n  - key: {}\n    quorum: file:policy\n",
        pem(1, "      "),
        vkey("log.example/one", 5),
        vkey("log.example/two", 6)
    )
}

#[test]
fn merge_keys_are_refused() {
    // Two readers of YAML could take such a file for two different ones.
    let merged = full().replace("  - {name: k1,", "  - {<<: {purpose: root}, name: k1,");
    assert!(matches!(parse(&merged), Err(TrustError::Yaml(_))), "{merged}");
}

#[test]
fn a_full_file_is_read() {
    let trust = parse(&full()).unwrap();
    let gateway = trust.find(Purpose::Receipts, &key(1).key_id()).unwrap();
    assert_eq!(gateway.name, "gateway");
    assert_eq!(gateway.agent_id.as_ref().unwrap().as_str(), "agent:gateway");
    assert_eq!(gateway.valid.from, parse_rfc3339("2026-11-20T00:00:00Z"));
    assert!(trust.find(Purpose::Decisions, &key(1).key_id()).is_none());
    assert!(trust.find(Purpose::Decisions, &key(2).key_id()).is_some());
    assert_eq!(trust.keyring().get("k1"), Some(&[0xab; 32][..]));
    assert_eq!(trust.log("log.example/one").unwrap().key, *key(5).public());
    assert!(trust.log("log.example/three").is_none());
    assert_eq!(trust.logs()[1].quorum, Quorum::Policy("file:policy".into()));
    assert_eq!(trust.digest(), Some(seal::Digest::of(full().as_bytes())));
    assert!(!format!("{trust:?}").contains("171"), "secrets are not shown");
}

#[test]
fn a_feeds_key_names_its_issuer() {
    let pem = key(7).public().to_pem().replace('\n', "\\n");
    let entry =
        format!("name: f, purpose: feed, key: \"{pem}\", agent_id: \"alpha.example \\\" é\"");
    let trust = parse(&format!("version: 1\nkeys:\n  - {{{entry}}}\n")).unwrap();
    assert_eq!(trust.keys()[0].issuer.as_deref(), Some("alpha.example \" é"));
    let pins = record::feed::Pin::of(&trust);
    assert_eq!(
        pins,
        [record::feed::Pin::new(key(7).public().clone()).issuer("alpha.example \" é")]
    );
    assert_eq!(parse(&trust.to_yaml()).unwrap().keys()[0].issuer, trust.keys()[0].issuer);
}

#[test]
fn a_witness_policy_is_read_with_the_file_and_belongs_to_its_log() {
    let trust = parse(&full()).unwrap();
    let policy = trust.policy_of("log.example/two").unwrap();
    assert_eq!(policy.logs()[0].key, *trust.log("log.example/two").unwrap());
    assert_eq!(policy.quorum().map(ToString::to_string), Some("w".into()));
    assert!(trust.policy_of("log.example/one").is_none());
    // A policy that names no log takes the one of the trust file, and only that.
    let any = parse(&full().replace("file:policy", "file:any-log")).unwrap();
    assert_eq!(any.policy_of("log.example/two"), Some(policy));
    for (reference, cause) in [
        ("file:other-log", "it is not about this log"),
        ("file:no-quorum", "there is no quorum line"),
        ("file:gone", "no file:gone"),
        ("file:key2.pem", "line 1"),
    ] {
        let error = parse(&full().replace("file:policy", reference)).unwrap_err();
        assert!(matches!(error, TrustError::Policy { .. }), "{error:?}");
        assert!(error.to_string().contains(cause), "{error}");
    }
    // Nobody who stands in the trust file for something else is a witness.
    let error = parse(&full().replace("file:policy", "file:own-key")).unwrap_err();
    assert!(matches!(error, TrustError::Reused { .. }), "{error:?}");
    // Trust that was put together has no policy until it is given one.
    let mut made = Trust::empty();
    made.add_log(trust.logs()[1].clone()).unwrap();
    made.add_log(trust.logs()[0].clone()).unwrap();
    assert!(made.policy_of("log.example/two").is_none());
    made.set_policy("log.example/two", &resolve("file:policy").unwrap()).unwrap();
    assert_eq!(made.policy_of("log.example/two"), Some(policy));
    for origin in ["log.example/one", "log.example/three"] {
        assert!(made.set_policy(origin, "quorum none\n").is_err(), "{origin}");
    }
}

#[test]
fn an_authority_may_have_policies_and_nobody_else() {
    let file = |purpose: &str, key: &str| {
        format!(
            "version: 1\nkeys:\n  - {{name: a, purpose: {purpose}, key: \"{key}\", policies: [\"1.2.3\", \"1.2.4\"]}}\n"
        )
    };
    let error = parse(&file("receipts", "file:key2.pem")).unwrap_err();
    assert!(error.to_string().contains("policies"), "{error}");
    let error = parse(&file("hmac", "file:k1.hex")).unwrap_err();
    assert!(!error.to_string().is_empty());
}

#[test]
fn a_limit_without_a_value_is_no_limit_left_out() {
    let pem = key(3).public().to_pem().replace('\n', "\\n");
    let file = |purpose: &str, rest: &str| {
        format!("version: 1\nkeys:\n  - {{name: a, purpose: {purpose}, key: \"{pem}\"{rest}}}\n")
    };
    for (purpose, rest) in [
        ("statements", ", types: ~"),
        ("statements", ", types:"),
        ("receipts", ", agent_id: ~"),
        ("receipts", ", valid: ~"),
        ("receipts", ", valid: {until: ~}"),
        ("receipts", ", valid: {from:}"),
        ("receipts", ", policies: ~"),
    ] {
        assert!(parse(&file(purpose, "")).is_ok());
        let error = parse(&file(purpose, rest)).unwrap_err().to_string();
        assert!(error.contains("no value"), "{rest}: {error}");
    }
}

#[test]
fn keys_for_statements_may_be_ecdsa_and_limited_to_types() {
    let pem = "-----BEGIN PUBLIC KEY-----\n      MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3MXTHDahObOu6ZhyuO+lTrIQ/a+E\n      GVF3mj5oDE8wev8hEsXpFpex+L30/ZIo5GGpF5lRQwNmFLAl3tDQ/rzZaw==\n      -----END PUBLIC KEY-----\n";
    let entry = |name: &str, purpose: &str, rest: &str| {
        format!("  - name: {name}\n    purpose: {purpose}\n    key: |\n      {pem}{rest}")
    };
    let file = |entries: &[String]| format!("version: 1\nkeys:\n{}", entries.concat());
    let text = file(&[entry("ci", "statements", "    types: [prompt, eval]\n")]);
    let trust = parse(&text).unwrap();
    let [key] = trust.keys() else { panic!("one key") };
    assert_eq!((key.types.len(), key.public_key().is_none()), (2, true));
    assert!(key.verify_key().is_some());
    assert_eq!(parse(&trust.to_yaml()).unwrap().to_yaml(), trust.to_yaml());
    assert!(parse(&file(&[entry("v", "vsa", "")])).is_ok());
    for wrong in [
        file(&[entry("r", "receipts", "")]),
        file(&[entry("v", "vsa", "    types: [prompt]\n")]),
        file(&[entry("a", "statements", ""), entry("b", "vsa", "")]),
    ] {
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let once = parse(&full()).unwrap();
    let twice = parse(&once.to_yaml()).unwrap();
    assert_eq!(format!("{:?}", once.keys()), format!("{:?}", twice.keys()));
    assert_eq!(format!("{:?}", once.logs()), format!("{:?}", twice.logs()));
    assert_eq!(once.to_yaml(), twice.to_yaml());
    assert!(!once.to_yaml().contains("abab"), "secrets are never written");
    assert!(parse(&Trust::empty().to_yaml()).unwrap().is_empty());
    let mut odd = Trust::empty();
    odd.add_key(TrustKey::public("\"a\": #é [", Purpose::Root, key(1).public().clone())).unwrap();
    assert_eq!(parse(&odd.to_yaml()).unwrap().keys()[0].name, "\"a\": #é [");
}

#[test]
fn what_is_wrong_is_refused() {
    let one = |fields: &str| format!("version: 1\nkeys:\n  - {{{fields}}}\n");
    let pem = |n: u8| format!("{:?}", key(n).public().to_pem());
    let good = format!("name: a, purpose: receipts, key: {}", pem(1));
    assert!(parse(&one(&good)).is_ok());
    let two = |fields: &str| format!("{}  - {{{fields}}}\n", one(&good));
    let cases: Vec<(String, &str)> = vec![
        ("".into(), "Yaml"),
        ("hello".into(), "Yaml"),
        ("version: 1\nversion: 1\n".into(), "Yaml"),
        ("version: 2\n".into(), "Version"),
        ("keys: []\n".into(), "Yaml"),
        ("version: 1\nmore: 1\n".into(), "Yaml"),
        ("version: 1\n---\nversion: 1\n".into(), "Yaml"),
        (one(&format!("{good}, more: 1")), "Yaml"),
        (one("purpose: receipts, key: \"\""), "Yaml"),
        (one(&good.replace("receipts", "everything")), "Purpose"),
        (one(&good.replace("name: a", "name: \"\"")), "Name"),
        (one(&good.replace("name: a", "name: \"a\\nb\"")), "Name"),
        (one("name: a, purpose: receipts, key: hello"), "Key"),
        (one("name: a, purpose: receipts, key: \"file:lost\""), "Reference"),
        (
            one("name: a, purpose: hmac, key: abababababababababababababababababababab"),
            "SecretInline",
        ),
        (one("name: a, purpose: hmac, key: \"env:SHORT\""), "Secret"),
        (one("name: a, purpose: hmac, key: \"file:key2.pem\""), "Secret"),
        (one(&format!("{good}, agent_id: gateway")), "Agent"),
        (one(&format!("{}, agent_id: \"agent:a\"", good.replace("receipts", "root"))), "Agent"),
        (one(&format!("{}, agent_id: \"\"", good.replace("receipts", "feed"))), "Agent"),
        (one(&format!("{good}, valid: {{from: yesterday}}")), "Validity"),
        (
            one(&format!(
                "{good}, valid: {{from: 2027-01-01T00:00:00Z, until: 2026-01-01T00:00:00Z}}"
            )),
            "Validity",
        ),
        (one(&format!("{good}, valid: {{at: 2027-01-01T00:00:00Z}}")), "Yaml"),
        (two(&good.replace("receipts", "decisions")), "Reused"),
        (two(&good), "Reused"),
        (format!("{}logs:\n  - key: {}\n", one(&good), vkey("log", 1)), "Reused"),
        (
            one(
                "name: k, purpose: hmac, key: \"env:HMAC\"}\n  - {name: k, purpose: hmac, key: \"env:HMAC\"",
            ),
            "SameId",
        ),
        (
            format!(
                "version: 1\nlogs:\n  - key: {}\n  - key: {}\n",
                vkey("log", 3),
                vkey("log", 4)
            ),
            "SameLog",
        ),
        ("version: 1\nlogs:\n  - key: log+00000000+AAAA\n".into(), "Log"),
        (format!("version: 1\nlogs:\n  - key: {}\n    quorum: all\n", vkey("log", 3)), "Log"),
    ];
    for (yaml, kind) in cases {
        let error = parse(&yaml).expect_err(&yaml);
        assert!(format!("{error:?}").starts_with(kind), "{yaml}: {error:?}, expected {kind}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn messages_show_nothing_of_the_file() {
    let yaml = "version: 1\nkeys:\n  - {name: a, purpose: hmac, key: deadbeefdeadbeef, oops: 1}\n";
    let message = parse(yaml).unwrap_err().to_string();
    assert!(message.contains("oops") && !message.contains("deadbeef"), "{message}");
}
