//! Statements about what was reviewed, their bundles, and the results of evals.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::attest::eval::{Bound, Figures};
use ::attest::shape::{Decimal, Shape};
use ::attest::statement::{PAYLOAD_TYPE, Privacy};
use ::attest::verify::{Blob, How, Outcome, Stage};
use ::attest::{Bundle, Statement, Subject, Vsa, types, verify};
use record::trust::{Purpose, Trust, TrustKey};
use seal::dsse::{Envelope, PrivateKey, Signer as _};
use seal::json::Value;
use seal::time::UnixMillis;
use seal::{Digest, SecretKey, Signer as _};

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let mut trust = Trust::empty();
    let key = SecretKey::from_seed([1; 32]).public().clone();
    trust.add_key(TrustKey::public("ada", Purpose::Statements, key)).expect("one key");
    trust
});

/// A bundle that is read is what its own writer writes, and whatever it is, it is judged.
pub fn bundle(input: &[u8]) {
    match Bundle::read(input) {
        Ok(bundle) => assert_eq!(Bundle::read(bundle.write().as_bytes()), Ok(bundle)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let blob =
        Blob { name: "x".into(), bytes: Ok(input.to_vec()), proof: Some(Ok(input.to_vec())) };
    let how = How { now: UnixMillis(4_000_000_000_000), ..How::default() };
    let judged = verify([blob], None, None, &how);
    assert!(!judged.report().ok() && judged.attested().is_empty(), "nobody is trusted");
    assert!(Vsa::judge(input, None).is_err(), "nobody is trusted");
    ::attest::render::svg(&judged.to_json());
    ::attest::render::markdown(&judged.to_json());
}

/// A statement that is read is what its own writer writes; signed by who may, only its own faults are
/// told.
pub fn statement(input: &[u8]) {
    let read = Statement::read(input);
    match &read {
        Ok(statement) => assert_eq!(Statement::read(statement.write().as_bytes()), read),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let key = PrivateKey::ed25519(SecretKey::from_seed([1; 32]));
    let envelope = Envelope::sign(PAYLOAD_TYPE, input.to_vec(), &key).expect("signed");
    let text = Bundle::of(envelope, key.public().hint()).write();
    let blob = Blob { name: "x".into(), bytes: Ok(text.into_bytes()), proof: None };
    let how = How { now: UnixMillis(253_402_300_000_000), ..How::default() };
    let judged = verify([blob], Some(&TRUST), None, &how);
    let one = &judged.bundles()[0];
    assert_eq!(
        one.statement.is_some(),
        read.is_ok() || one.outcome(Stage::Digest) == Outcome::Fails
    );
    assert_eq!(judged.attested().len(), usize::from(judged.report().ok()));
}

/// Figures that can be computed are of the shape that statements have.
pub fn results(input: &[u8]) {
    let thresholds = BTreeMap::from([(
        "a".to_owned(),
        Bound { min: Decimal::parse("0.5"), max_drop: Decimal::parse("0"), ..Bound::default() },
    )]);
    let kind = types::named("eval").expect("a type");
    for (scoring, results) in [(SCORING, input), (input, RESULTS)] {
        match Figures::compute(scoring, results, RESULTS, &thresholds) {
            Ok(figures) => {
                assert_eq!(figures.passed, figures.failures.is_empty());
                let mut members = figures.members(&thresholds);
                members.push(("suite_id".into(), "x".into()));
                let misfits = Shape::Object(kind.fields).judge(&Value::Object(members), "");
                let none = |place: &str| place == "/metrics" && figures.metrics.is_empty();
                assert!(misfits.iter().all(|misfit| none(&misfit.place)), "{misfits:?}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

const SCORING: &[u8] = b"metrics:\n  a: {aggregate: mean}\n  b: {aggregate: p95}\n";
const RESULTS: &[u8] = b"{\"id\":\"1\",\"scores\":{\"a\":\"0.5\",\"b\":2}}\n{\"id\":\"2\",\"scores\":{\"a\":1,\"b\":\"-0.25\"}}\n";

/// Where fuzzing starts.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let statement = sample().write().into_bytes();
    match target {
        "statement" => vec![statement],
        "results" => vec![RESULTS.to_vec(), SCORING.to_vec()],
        _ => {
            let key = PrivateKey::ed25519(SecretKey::from_seed([1; 32]));
            let envelope = Envelope::sign(PAYLOAD_TYPE, statement, &key).expect("signed");
            vec![Bundle::of(envelope, key.public().hint()).write().into_bytes()]
        }
    }
}

fn sample() -> Statement {
    let texts = [
        ("profile_id", "x"),
        ("ttft_ms_p50", "1"),
        ("ttft_ms_p95", "2.5"),
        ("tokens_per_second_p50", "1"),
        ("cost_per_1k_tokens_cap_usd", "0.1"),
        ("error_rate_cap", "0.1"),
        ("error_budget_remaining", "1"),
    ];
    let mut own: Vec<(String, Value)> =
        texts.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect();
    let window = [("start", "2024-01-01T00:00:00Z"), ("end", "2024-02-01T00:00:00Z")];
    own.push(("window".into(), Value::object(window.map(|(name, at)| (name, Value::from(at))))));
    Statement {
        kind: types::named("slo").expect("a type"),
        id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
        generated_at: UnixMillis(1_704_067_200_000),
        expires_at: None,
        generator: ("countersign".into(), "0.1.0".into()),
        source: None,
        subjects: vec![Subject {
            role: "profile".into(),
            path: "slo.json".into(),
            digest: Digest::of(b"x"),
            size: 1,
            salt: None,
        }],
        trees: Vec::new(),
        depends_on: Vec::new(),
        privacy: Privacy::PlaintextExplicit(vec![("slo.json".into(), "x".into())]),
        sensitivity: vec!["internal".into()],
        own: Value::Object(own),
    }
}
