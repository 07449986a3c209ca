//! Keys over time: statements, and what they make of a log's keys.

use record::keychange::{
    self, History, LIMIT, NewKey, OldKey, ROTATION, Reason, Statement, commitment, read_signed,
    sign,
};
use record::report::{Code, Finding};
use record::trust::{Purpose, Trust, TrustKey, Validity};
use seal::Signer;
use seal::json::Value;
use seal::time::UnixMillis;

use crate::common::*;

const ORIGIN: &str = "countersign.local/0123456789ab";
/// The root key; receipts are signed by 1, decisions by 2.
const ROOT: u8 = 9;

fn trust() -> Trust {
    let mut trust = Trust::empty();
    let mut receipts = TrustKey::public("gateway", Purpose::Receipts, key(1).public().clone());
    receipts.agent_id = "agent:gateway".parse().ok();
    trust.add_key(receipts).unwrap();
    let decisions = TrustKey::public("decisions", Purpose::Decisions, key(2).public().clone());
    trust.add_key(decisions).unwrap();
    trust.add_key(TrustKey::public("root", Purpose::Root, key(ROOT).public().clone())).unwrap();
    trust
}

fn rotation(old: u8, new: u8) -> Statement {
    Statement {
        log_origin: ORIGIN.into(),
        purpose: Purpose::Receipts,
        old: OldKey::of(key(old).public()),
        new: Some(NewKey::Public(key(new).public().clone())),
        agent_id: "agent:gateway".parse().ok(),
        reason: Reason::Superseded,
        compromised_at: None,
        iat: T0,
    }
}

fn revocation(old: u8, compromised_at: Option<i64>) -> Statement {
    Statement {
        new: None,
        agent_id: None,
        reason: compromised_at.map_or(Reason::Retired, |_| Reason::Compromised),
        compromised_at,
        ..rotation(old, old)
    }
}

fn secret(old: &str, new: &str) -> Statement {
    Statement {
        purpose: Purpose::Hmac,
        old: OldKey::Secret { id: old.into() },
        new: Some(NewKey::Secret { id: new.into(), commitment: commitment(&[7; 32], ORIGIN, new) }),
        agent_id: None,
        ..rotation(1, 3)
    }
}

fn by_root(statement: &Statement) -> String {
    sign(statement, &key(ROOT)).unwrap()
}

fn now() -> UnixMillis {
    UnixMillis::from_seconds(T0)
}

fn history() -> History {
    History::new(&trust(), Some(ORIGIN))
}

/// Takes statements at 10, 20, 30 …; answers with the findings of the last.
fn take(history: &mut History, statements: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, jws) in statements.iter().enumerate() {
        assert!(found.is_empty(), "{found:?}");
        found = history.take((at as u64 + 1) * 10, now(), jws);
    }
    found
}

fn id(seed: u8) -> String {
    key(seed).public().key_id().to_string()
}

fn misplaced(history: &History, seed: u8, index: u64) -> Option<Code> {
    history.misplaced(Purpose::Receipts, &id(seed), index).map(|finding| finding.code)
}

#[test]
fn what_is_signed_is_read() {
    for statement in
        [rotation(1, 3), revocation(1, None), revocation(1, Some(T0 - 5)), secret("k1", "k2")]
    {
        let jws = by_root(&statement);
        assert!(jws.len() <= LIMIT);
        let signed = read_signed(&jws).unwrap();
        assert_eq!(signed.statement, statement);
        assert!(signed.verify(key(ROOT).public()) && !signed.verify(key(1).public()));
    }
}

/// `vectors/keychange/v1.json`: bytes that never change.
#[test]
fn the_vectors_hold() {
    let path = root().join("vectors/keychange/v1.json");
    let made = [rotation(1, 3), revocation(1, Some(T0 - 5)), secret("k1", "k2")];
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        let valid = made.iter().map(|statement| {
            let (what, jws) = (statement.typ(), by_root(statement));
            Value::object([("jws", Value::from(jws)), ("typ", Value::from(what))])
        });
        let refused = refused().into_iter().map(|(why, jws)| {
            Value::object([("why", Value::from(why)), ("jws", Value::from(jws))])
        });
        let file = Value::object([
            ("root", Value::from(key(ROOT).public().to_pem())),
            ("valid", Value::array(valid)),
            ("refused", Value::array(refused)),
        ]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = seal::json::write_receipt(&file).unwrap().replace("\"},{\"", "\"},\n{\"");
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let file = seal::json::parse(text.as_bytes(), seal::json::Limits::DOCUMENT).unwrap();
    let root = seal::PublicKey::from_pem(file.get("root").unwrap().as_str().unwrap()).unwrap();
    let valid = file.get("valid").unwrap().as_array().unwrap();
    assert_eq!(valid.len(), made.len());
    for (jws, statement) in valid.iter().zip(&made) {
        let signed = read_signed(jws.get("jws").unwrap().as_str().unwrap()).unwrap();
        assert!(signed.verify(&root));
        assert_eq!(&signed.statement, statement);
        assert_eq!(by_root(statement), signed.jws);
    }
    let refused = file.get("refused").unwrap().as_array().unwrap();
    assert!(refused.len() > 10);
    for case in refused {
        let jws = case.get("jws").unwrap().as_str().unwrap();
        let found = read_signed(jws).expect_err(case.get("why").unwrap().as_str().unwrap());
        assert_eq!(found[0].code, Code::KeyStatement);
    }
}

/// Payloads that break one rule each, properly signed.
fn refused() -> Vec<(&'static str, String)> {
    let signed = |typ: &str, payload: &str| {
        let kid = key(ROOT).public().key_id();
        let header = format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}");
        seal::jws::encode(&header, payload, &key(ROOT))
    };
    let payload =
        |jws: &str| String::from_utf8(seal::jws::split(jws, LIMIT).unwrap().payload).unwrap();
    let rotated = payload(&by_root(&rotation(1, 3)));
    let revoked = payload(&by_root(&revocation(1, Some(T0 - 5))));
    let hmac = payload(&by_root(&secret("k1", "k2")));
    let rotation = |from: &str, to: &str| {
        let changed = rotated.replacen(from, to, 1);
        assert_ne!(changed, rotated, "{from}");
        signed(ROTATION, &changed)
    };
    let revocation = |from: &str, to: &str| {
        let changed = revoked.replacen(from, to, 1);
        assert_ne!(changed, revoked, "{from}");
        signed(keychange::REVOCATION, &changed)
    };
    let secret = |from: &str, to: &str| {
        let changed = hmac.replacen(from, to, 1);
        assert_ne!(changed, hmac, "{from}");
        signed(ROTATION, &changed)
    };
    vec![
        ("another type", signed("countersign-decision/v1", &rotated)),
        ("a revocation that brings a key", signed(keychange::REVOCATION, &rotated)),
        ("a rotation without a key", signed(ROTATION, &revoked)),
        ("a space", rotation("{\"", "{ \"")),
        ("an unknown member", rotation("\"iat\"", "\"extra\":1,\"iat\"")),
        ("a member twice", rotation("\"iat\"", "\"iat\":1,\"iat\"")),
        ("a root", rotation("\"purpose\":\"receipts\"", "\"purpose\":\"root\"")),
        ("an authority", rotation("\"purpose\":\"receipts\"", "\"purpose\":\"tsa\"")),
        ("an unknown purpose", rotation("\"purpose\":\"receipts\"", "\"purpose\":\"log\"")),
        (
            "an agent for decisions",
            rotation("\"purpose\":\"receipts\"", "\"purpose\":\"decisions\""),
        ),
        (
            "a secret's members for a signing key",
            secret("\"purpose\":\"hmac\"", "\"purpose\":\"decisions\""),
        ),
        (
            "another new id",
            rotation(
                &format!("\"new_key_id\":\"{}", id(3)),
                &format!("\"new_key_id\":\"{}", id(4)),
            ),
        ),
        ("a key with other line ends", rotation("PUBLIC KEY-----\\n", "PUBLIC KEY-----\\r\\n")),
        ("no agent id", rotation("agent:gateway", "gateway")),
        ("an unknown reason", rotation("superseded", "lost")),
        ("compromised, and since when is not said", rotation("superseded", "compromised")),
        (
            "a time of compromise without one",
            revocation("\"reason\":\"compromised\"", "\"reason\":\"retired\""),
        ),
        (
            "compromised behind the statement",
            revocation(
                &format!("\"compromised_at\":{}", T0 - 5),
                &format!("\"compromised_at\":{}", T0 + 1),
            ),
        ),
        ("no time", revocation(&format!("\"iat\":{T0}"), "\"iat\":0")),
        ("a time as text", revocation(&format!("\"iat\":{T0}"), &format!("\"iat\":\"{T0}\""))),
        ("an empty origin", revocation(ORIGIN, "")),
        ("a control character", revocation(ORIGIN, "a\\u0007")),
        (
            "an id that climbs out of its folder",
            secret("\"new_key_id\":\"k2\"", "\"new_key_id\":\"../k2\""),
        ),
        ("the old key as the new one", secret("\"new_key_id\":\"k2\"", "\"new_key_id\":\"k1\"")),
        ("no payload", signed(ROTATION, "[]")),
    ]
}

#[test]
fn no_parse_panics_or_reads_beyond_the_limit() {
    let jws = by_root(&rotation(1, 3));
    for end in 0..jws.len() {
        assert!(read_signed(&jws[..end]).is_err());
    }
    let long = "a".repeat(300);
    let refused = sign(&Statement { log_origin: long, ..rotation(1, 3) }, &key(ROOT)).unwrap_err();
    assert!(refused.to_string().contains("log_origin"), "{refused}");
    assert!(read_signed(&"e".repeat(LIMIT + 1)).is_err());
    assert!(read_signed(&format!("{jws}=")).is_err());
}

#[test]
fn a_key_counts_between_its_entries() {
    let mut history = history();
    assert!(history.is_empty());
    assert_eq!(take(&mut history, &[by_root(&rotation(1, 3)), by_root(&rotation(3, 4))]), []);
    let places = [
        (1, 0, None),
        (1, 9, None),
        (1, 10, Some(Code::KeyGone)),
        (1, 500, Some(Code::KeyGone)),
        (3, 9, Some(Code::KeyEarly)),
        (3, 10, Some(Code::KeyEarly)),
        (3, 11, None),
        (3, 19, None),
        (3, 20, Some(Code::KeyGone)),
        (4, 20, Some(Code::KeyEarly)),
        (4, 21, None),
        (5, 21, None),
    ];
    for (seed, index, code) in places {
        assert_eq!(misplaced(&history, seed, index), code, "key {seed} at {index}");
    }
    // The agent goes along, and the new key is there for its purpose only.
    let brought = history.trust().find(Purpose::Receipts, &key(4).public().key_id()).unwrap();
    assert_eq!(brought.agent_id, "agent:gateway".parse().ok());
    assert_eq!((brought.name.as_str(), brought.valid), ("gateway", Validity::default()));
    assert!(history.trust().find(Purpose::Decisions, &key(4).public().key_id()).is_none());
    assert_eq!(history.newest(Purpose::Receipts, &id(1)).0, id(4));
    let story = history.known(Purpose::Receipts, &id(3)).unwrap().story();
    let expected = format!(
        "in force since entry 10, rotated from {}, rotated to {} at entry 20 (superseded)",
        id(1),
        id(4)
    );
    assert_eq!(story, expected);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let other_log = Statement { log_origin: "other".into(), ..rotation(1, 3) };
    let decisions = Statement { purpose: Purpose::Decisions, agent_id: None, ..rotation(1, 3) };
    let no_agent = Statement { agent_id: None, ..rotation(1, 3) };
    let fingerprint =
        OldKey::Public { id: key(1).public().key_id(), fingerprint: key(2).public().fingerprint() };
    let another = Statement { old: fingerprint, ..rotation(1, 3) };
    let first = by_root(&rotation(1, 3));
    let cases: Vec<(&str, Vec<String>, Code)> = vec![
        ("another log", vec![by_root(&other_log)], Code::KeyStatementRefused),
        ("an unknown key", vec![by_root(&rotation(5, 3))], Code::KeyStatementRefused),
        ("a key for something else", vec![by_root(&decisions)], Code::KeyStatementRefused),
        ("without its agent", vec![by_root(&no_agent)], Code::KeyStatementRefused),
        ("another fingerprint", vec![by_root(&another)], Code::KeyStatementRefused),
        ("twice the same", vec![first.clone(), first.clone()], Code::KeyStatementRefused),
        (
            "a second successor",
            vec![first.clone(), by_root(&rotation(1, 4))],
            Code::KeyStatementRefused,
        ),
        ("to a key of another purpose", vec![by_root(&rotation(1, 2))], Code::KeyStatementRefused),
        ("to the root", vec![by_root(&rotation(1, ROOT))], Code::KeyStatementRefused),
        (
            "back to where it came from",
            vec![first.clone(), by_root(&rotation(3, 1))],
            Code::KeyStatementRefused,
        ),
        (
            "to a key that was revoked",
            vec![
                by_root(&revocation(1, None)),
                by_root(&Statement { old: OldKey::of(key(3).public()), ..rotation(3, 1) }),
            ],
            Code::KeyStatementRefused,
        ),
        (
            "signed ahead of its time",
            vec![by_root(&Statement { iat: T0 + 400, ..rotation(1, 3) })],
            Code::KeyStatementRefused,
        ),
        ("by nobody", vec![sign(&rotation(1, 3), &key(7)).unwrap()], Code::KeyStatementSigner),
        (
            "by the key itself",
            vec![sign(&rotation(1, 3), &key(1)).unwrap()],
            Code::KeyStatementSigner,
        ),
        ("by the new key", vec![sign(&rotation(1, 3), &key(3)).unwrap()], Code::KeyStatementSigner),
    ];
    for (why, statements, code) in cases {
        let mut history = history();
        let found = take(&mut history, &statements);
        assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), [code], "{why}");
        let last = statements.len() as u64 * 10;
        for seed in [3, 4, 5] {
            let introduced =
                statements.len() > 1 && seed == 3 && why != "to a key that was revoked";
            let known = history.known(Purpose::Receipts, &id(seed)).is_some();
            assert_eq!(known, introduced, "{why}: key {seed}");
        }
        assert_eq!(misplaced(&history, 2, last), None, "{why}");
    }
    // A signature that was exchanged, and a root outside its time.
    let (jws, other) = (by_root(&rotation(1, 3)), by_root(&revocation(1, None)));
    let (signed, _) = jws.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", other.rsplit_once('.').unwrap().1);
    assert_eq!(take(&mut history(), &[forged])[0].code, Code::KeyStatementSigner);
    let mut late = Trust::empty();
    for key in trust().keys() {
        let mut key = key.clone();
        if key.purpose == Purpose::Root {
            key.valid.until = Some(now());
        }
        late.add_key(key).unwrap();
    }
    let mut history = History::new(&late, Some(ORIGIN));
    assert_eq!(take(&mut history, &[by_root(&rotation(1, 3))])[0].code, Code::KeyStatementSigner);
    assert!(history.is_empty());
}

#[test]
fn a_revoked_key_ends_there_and_may_have_a_successor() {
    let mut history = history();
    let statements = [by_root(&revocation(1, None)), by_root(&rotation(1, 3))];
    assert_eq!(take(&mut history, &statements), []);
    assert_eq!(misplaced(&history, 1, 9), None);
    assert_eq!(misplaced(&history, 1, 10), Some(Code::KeyGone));
    assert_eq!(misplaced(&history, 3, 20), Some(Code::KeyEarly));
    assert_eq!(misplaced(&history, 3, 21), None);
}

#[test]
fn a_compromise_reaches_back_to_what_is_proven() {
    let mut history = history();
    let later = Statement { iat: T0 + 1, ..revocation(1, Some(T0 - 50)) };
    let statements =
        [by_root(&rotation(1, 3)), by_root(&revocation(1, Some(T0 - 5))), by_root(&later)];
    assert_eq!(take(&mut history, &statements), []);
    let known = history.known(Purpose::Receipts, &id(1)).unwrap();
    // The earliest time counts, and it stays gone from where it was replaced.
    assert_eq!(known.compromised_at, Some(UnixMillis::from_seconds(T0 - 50)));
    assert_eq!(misplaced(&history, 1, 9), None);
    for (index, proven, exposed) in
        [(0, 0, true), (9, 0, true), (4, 5, false), (5, 5, true), (9, 10, false), (10, 0, false)]
    {
        assert_eq!(known.exposed(index, proven), exposed, "{index} under {proven}");
    }
    let other = history.known(Purpose::Receipts, &id(3)).unwrap();
    assert!(!other.exposed(15, 0));
}

#[test]
fn a_key_that_the_trust_file_got_later_is_the_same() {
    let mut trust = trust();
    let mut new = TrustKey::public("gateway 2", Purpose::Receipts, key(3).public().clone());
    new.agent_id = "agent:gateway".parse().ok();
    trust.add_key(new).unwrap();
    let mut history = History::new(&trust, Some(ORIGIN));
    assert_eq!(take(&mut history, &[by_root(&rotation(1, 3))]), []);
    assert_eq!(misplaced(&history, 3, 10), Some(Code::KeyEarly));
    assert_eq!(misplaced(&history, 3, 11), None);
}

#[test]
fn a_secret_is_recognised_without_being_told() {
    let mut history = history();
    // Whoever verifies may not hold the first secret.
    assert_eq!(
        take(&mut history, &[by_root(&secret("k1", "k2")), by_root(&secret("k2", "k3"))]),
        []
    );
    let known = history.known(Purpose::Hmac, "k3").unwrap();
    assert_eq!(known.name, "k1");
    let brought = known.brought.as_ref().unwrap();
    assert_eq!(brought.commitment, Some(commitment(&[7; 32], ORIGIN, "k3")));
    for other in [
        commitment(&[8; 32], ORIGIN, "k3"),
        commitment(&[7; 32], ORIGIN, "k2"),
        commitment(&[7; 32], "other", "k3"),
    ] {
        assert_ne!(brought.commitment, Some(other));
    }
    let code = |id, index| history.misplaced(Purpose::Hmac, id, index).map(|finding| finding.code);
    assert_eq!(code("k1", 10), Some(Code::KeyGone));
    assert_eq!(code("k2", 15), None);
    assert_eq!(code("k3", 15), Some(Code::KeyEarly));
}
