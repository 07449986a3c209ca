//! The pipeline as the gateway drives it.

mod answers;
mod budget;
mod requests;

use std::sync::{Arc, OnceLock};

use chat::Exchange;
use countersign_guard::{Facts, GuardConfig, Identity, Outcome, Pipeline, Run};
use scan::Engine;
use seal::json::Limits;
use seal::time::UnixMillis;

/// 2026-11-20T12:00:00Z.
const NOON: UnixMillis = UnixMillis(1_795_176_000_000);

fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Arc::new(Engine::builtin())).clone()
}

fn pipeline(config: &str) -> Pipeline {
    let config: GuardConfig = serde_json::from_str(config).expect("a configuration");
    Pipeline::new(config, engine())
}

fn facts(headers: &[(&str, &str)]) -> Facts {
    let headers =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Facts::of(Identity::asserted(headers), NOON)
}

fn alice() -> Facts {
    facts(&[("x-commit-owner", "human:alice")])
}

fn exchange(body: &str) -> Exchange {
    Exchange::parse(body, Limits::REQUEST).expect(body)
}

fn user(text: &str) -> String {
    let text = seal::json::write_plain(&text.into());
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":{text}}}]}}"#)
}

/// Judges a request under the defaults.
fn judge(body: &str) -> Outcome {
    pipeline("{}").start().request(&exchange(body), &alice())
}

/// A run whose request was harmless.
fn admitted(config: &str, facts: &Facts) -> Run {
    let mut run = pipeline(config).start();
    let outcome = run.request(&exchange(&user("hello")), facts);
    assert_eq!(outcome.ruling.name(), "allow", "{:?}", outcome.ruling);
    run
}

fn code(outcome: &Outcome) -> &str {
    outcome.ruling.cause().map_or(outcome.ruling.name(), |cause| cause.code)
}
