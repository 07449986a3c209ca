//! Decision receipts.

use record::decision::{
    DECISIONS, Decision, LIMIT, SignError, heads_digest, read, read_signed, sign,
};
use record::report::{Assurance, Code, ExitClass, Report};
use record::source::Source;
use record::trust::{Purpose, Trust, TrustKey, Validity};
use record::verify::verify_decision_jws;
use seal::Signer;
use seal::json::Value;
use seal::time::UnixMillis;

use crate::common::*;

fn decision() -> Decision {
    Decision {
        log_origin: "countersign.local/0123456789ab".into(),
        request_id: "3f2c1d7e-8a51-4f0e-9b1c-2d3e4f5a6b7c".into(),
        audit_entry_id: "a7c1d7e0-8a51-4f0e-9b1c-2d3e4f5a6b7c".into(),
        decision: "allow".into(),
        reason_code: "completed".into(),
        route: "/v1/chat/completions".into(),
        profile: "full".into(),
        request_digest: digest("request"),
        response_digest: Some(digest("response")),
        config_digest: digest("config"),
        ruleset_digest: digest("rules"),
        upstream: "http://127.0.0.1:9000/v1".into(),
        model: "pilot-2 \"é\"".into(),
        heads: Vec::new(),
        heads_digest: None,
        sources: Vec::new(),
        sources_digest: None,
        iat: T0,
    }
}

fn with_heads(n: usize) -> Decision {
    let mut decision = decision();
    let heads: Vec<_> = (0..n).map(|i| digest(&i.to_string())).collect();
    decision.bind_heads(&heads);
    assert!(decision.binds(&heads));
    assert!(n == 0 || !decision.binds(&heads[1..]));
    decision
}

fn header() -> String {
    format!(
        "{{\"alg\":\"EdDSA\",\"kid\":\"{}\",\"typ\":\"countersign-decision/v1\"}}",
        key(1).key_id()
    )
}

#[test]
fn what_is_signed_is_read() {
    for heads in [0, 1, 4, 5, 100] {
        let decision = with_heads(heads);
        let jws = sign(&decision, &key(1)).unwrap();
        assert!(jws.len() <= LIMIT, "{} characters", jws.len());
        assert_eq!(read(&jws).unwrap(), decision);
        let signed = read_signed(&jws).unwrap();
        assert!(signed.verify(key(1).public()) && !signed.verify(key(2).public()));
        assert_eq!(signed.key_id, key(1).key_id());
    }
    for name in DECISIONS {
        let nobody = Decision {
            decision: name.into(),
            upstream: "".into(),
            model: "".into(),
            response_digest: None,
            ..decision()
        };
        assert_eq!(read(&sign(&nobody, &key(1)).unwrap()).unwrap(), nobody);
    }
    assert_eq!(
        heads_digest(&[digest("a"), digest("b")]),
        heads_digest(&[digest("b"), digest("a")])
    );
}

#[test]
fn the_bytes_are_pinned() {
    let golden = "vectors/decisions/v1.json";
    let with_sources = |n: u8| {
        let issuers = ["alpha.example", "beta \"é\"", "gamma.example"];
        let of = |n: u8| Source::of_feed(issuers[usize::from(n)], digest(&n.to_string()));
        let mut decision = with_heads(2);
        decision.bind_sources(&(0..n).map(of).collect::<Vec<Source>>());
        decision
    };
    let vectors = [
        ("two heads", with_heads(2)),
        ("many heads", with_heads(9)),
        ("two indicators", with_sources(2)),
        ("three indicators", with_sources(3)),
    ]
    .map(|(name, decision)| {
        let jws = sign(&decision, &key(1)).unwrap();
        let payload = seal::jws::split(&jws, LIMIT).unwrap().payload;
        Value::object([
            ("name", Value::from(name)),
            ("payload", String::from_utf8(payload).unwrap().into()),
            ("jws", jws.into()),
        ])
    });
    let file = Value::object([
        ("format", Value::from("countersign decision vectors v1")),
        ("public_key_pem", key(1).public().to_pem().into()),
        ("decisions", Value::Array(vectors.into())),
    ]);
    crate::common::golden(golden, &seal::json::write_pretty(&file));
}

#[test]
fn what_breaks_a_rule_is_not_signed() {
    let refused = |decision: Decision| {
        assert!(matches!(sign(&decision, &key(1)), Err(SignError::Refused(_))), "{decision:?}");
    };
    refused(Decision { decision: "perhaps".into(), ..decision() });
    refused(Decision { request_id: "".into(), ..decision() });
    refused(Decision { model: "a\nb".into(), ..decision() });
    refused(Decision { route: "x".repeat(257), ..decision() });
    refused(Decision { iat: 0, ..decision() });
    refused(Decision { heads: vec![digest("a"); 2], ..decision() });
    refused(Decision { heads_digest: Some(digest("a")), ..with_heads(1) });
    let long = Decision {
        route: "x".repeat(256),
        upstream: "y".repeat(256),
        model: "z".repeat(256),
        ..with_heads(4)
    };
    assert!(matches!(sign(&long, &key(1)), Err(SignError::TooLong(_))));
}

#[test]
fn spoiled_ones_are_refused() {
    let jws = sign(&with_heads(2), &key(1)).unwrap();
    let payload = String::from_utf8(seal::jws::split(&jws, LIMIT).unwrap().payload).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(payload.contains(from), "{from}");
        forge(header(), payload.replacen(from, to, 1))
    };
    let (input, _) = jws.rsplit_once('.').unwrap();
    use Code::*;
    let cases = [
        (forge(header().replace("EdDSA", "none"), &payload), DecisionMalformed),
        (forge(header().replace("/v1\"}", "/v2\"}"), &payload), DecisionMalformed),
        (forge(header().replace('}', ",\"x\":1}"), &payload), DecisionMalformed),
        (forge("[]", &payload), DecisionMalformed),
        (edit("{", "{ "), DecisionCanonical),
        (edit("\"allow\"", "\"maybe\""), DecisionMalformed),
        (edit("\"iat\":", "\"extra\":1,\"iat\":"), DecisionCanonical),
        (edit(",\"log_origin\"", ",\"j\":1,\"log_origin\""), DecisionMalformed),
        (edit("\"profile\":\"full\",", ""), DecisionMalformed),
        (edit("\"profile\":\"full\"", "\"profile\":\"\""), DecisionMalformed),
        (edit("\"config_digest\":\"sha256:", "\"config_digest\":\"sha512:"), DecisionMalformed),
        (edit("\"heads\":[", "\"heads\":[1,"), DecisionMalformed),
        (edit("\"heads\":", "\"hoods\":"), DecisionMalformed),
        (forge(header(), "[]"), DecisionMalformed),
        (format!("{input}."), DecisionSignature),
        (format!("{jws}="), DecisionMalformed),
        ("".into(), DecisionMalformed),
        ("a".repeat(3_000), DecisionMalformed),
    ];
    for (jws, code) in cases {
        let found = read(&jws).expect_err(&jws);
        assert!(found.iter().any(|finding| finding.code == code), "{jws}: {found:?}");
    }
}

#[test]
fn signers() {
    let jws = sign(&decision(), &key(1)).unwrap();
    let judged = |change: &dyn Fn(&mut TrustKey), jws: &str| {
        let mut key = TrustKey::public("one", Purpose::Decisions, key(1).public().clone());
        change(&mut key);
        let mut trust = Trust::empty();
        trust.add_key(key).unwrap();
        let mut report = Report::new("decision");
        verify_decision_jws(jws, "header", &trust, &mut report);
        (errors(&report), report.exit_class(), report.assurance)
    };
    use ExitClass::Untrusted;
    assert_eq!(judged(&|_| (), &jws), (vec![], ExitClass::Ok, Assurance::Signed));
    let wrong = (vec![Code::TrustPurpose], Untrusted, Assurance::Consistent);
    assert_eq!(judged(&|key| key.purpose = Purpose::Receipts, &jws), wrong);
    let late = Validity { until: Some(UnixMillis::from_seconds(T0)), ..Validity::default() };
    let late_found = (vec![Code::DecisionKeyTime], Untrusted, Assurance::Consistent);
    assert_eq!(judged(&|key| key.valid = late, &jws), late_found);
    let unknown = sign(&decision(), &key(2)).unwrap();
    let unknown_found = (vec![Code::DecisionKeyUnknown], Untrusted, Assurance::Consistent);
    assert_eq!(judged(&|_| (), &unknown), unknown_found);
    let forged = unknown.rsplit_once('.').unwrap().1;
    let forged = format!("{}.{forged}", jws.rsplit_once('.').unwrap().0);
    assert_eq!(
        judged(&|_| (), &forged),
        (vec![Code::DecisionSignature], Untrusted, Assurance::None)
    );
}

#[test]
fn indicators_are_listed_or_stand_as_a_digest() {
    let source = |n: u8| Source::of_feed(&format!("issuer {n}"), digest(&n.to_string()));
    let bound = |all: &[Source]| {
        let mut decision = with_heads(4);
        decision.bind_sources(all);
        let jws = sign(&decision, &key(1)).unwrap();
        assert!(jws.len() <= LIMIT, "{} characters", jws.len());
        assert_eq!(read(&jws).unwrap(), decision);
        decision
    };
    let none = bound(&[]);
    assert_eq!((none.sources.len(), none.sources_bound()), (0, None));
    let two = bound(&[source(2), source(1), source(2)]);
    assert_eq!(two.sources.len(), 2);
    assert!(two.sources.is_sorted());
    let short = {
        let mut short = two.clone();
        short.shorten_sources();
        short
    };
    assert!(short.sources.is_empty() && short.sources_digest.is_some());
    assert_eq!(short.sources_bound(), two.sources_bound(), "either form binds the same");
    let many: Vec<Source> = (0..40).map(source).collect();
    let many = bound(&many);
    assert!(many.sources.is_empty() && many.sources_digest.is_some());
    assert_ne!(many.sources_bound(), two.sources_bound());
}

#[test]
fn an_issuer_cannot_say_more_than_its_name() {
    let hash = digest("x");
    let source = |issuer: &str| Source::of_feed(issuer, hash).name().to_owned();
    assert_eq!(source("alpha.example"), "feed:alpha.example");
    assert_eq!(source("a\u{1b}[2J\n\u{85}b"), "feed:a[2Jb");
    assert_eq!(source(&"é".repeat(100)), format!("feed:{}", "é".repeat(48)));
    for text in [
        r#"{"content_hash":"sha256:00","source":"feed:a"}"#.to_owned(),
        format!(r#"{{"content_hash":"{hash}","source":"file"}}"#),
        format!(r#"{{"content_hash":"{hash}","source":"feed:{}"}}"#, "a".repeat(97)),
        format!(r#"{{"content_hash":"{hash}","source":"feed:a","more":1}}"#),
        format!(r#"{{"content_hash":"{hash}","source":"feed:\u001b"}}"#),
    ] {
        let value = seal::json::parse(text.as_bytes(), seal::json::Limits::DOCUMENT).unwrap();
        assert_eq!(Source::read(&value), None, "{text}");
    }
}
