//! The document that a Rego policy sees. Bytes: `spec/gates.md`.

use attest::gate::{Change, Facts, Proven};
use attest::verify::Attested;
use record::report::{Finding, Report};
use seal::json::Value;

/// Of what was verified and what changed.
pub fn of(facts: &Facts<'_>, report: &Report, attested: &[Attested<'_>]) -> Value {
    let change = |one: &Change| {
        Value::object([
            ("path", Value::from(&one.path)),
            ("gone", one.gone.into()),
            ("whole", one.whole.into()),
        ])
    };
    let finding = |one: &Finding| {
        Value::object([
            ("code", Value::from(one.code.id())),
            ("severity", one.code.severity().as_str().into()),
            ("place", Value::from(&one.place)),
            ("detail", Value::from(&one.detail)),
        ])
    };
    let nanoseconds = i64::try_from(facts.now.0).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Value::object([
        ("version", Value::from(1u32)),
        ("now", facts.now.to_string().into()),
        ("now_ns", nanoseconds.into()),
        ("all", facts.changes.is_none().into()),
        ("changes", Value::array(facts.changes.unwrap_or_default().iter().map(change))),
        (
            "verification",
            Value::object([
                ("ok", Value::from(report.ok())),
                ("result", report.exit_class().as_str().into()),
                ("findings", Value::array(report.findings.iter().map(finding))),
            ]),
        ),
        (
            "statements",
            Value::array(
                attested.iter().zip(facts.proven).map(|(one, proven)| statement(one, proven)),
            ),
        ),
    ])
}

fn statement(one: &Attested<'_>, proven: &Proven<'_>) -> Value {
    let whole = one.statement.to_value();
    let part = |name: &str| whole.get(name).cloned().unwrap_or(Value::Null);
    Value::object([
        ("type", Value::from(one.statement.kind.name)),
        ("payload", one.payload.to_string().into()),
        ("bundles", Value::array(one.files.iter().copied())),
        ("signers", Value::array(one.signers.iter().copied())),
        ("at", proven.at().to_string().into()),
        ("stamped", one.stamped.map(|at| at.to_string()).into()),
        ("logged", one.logged.into()),
        ("subject", part("subject")),
        ("predicate", part("predicate")),
    ])
}
