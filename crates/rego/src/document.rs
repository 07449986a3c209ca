//! The document that a policy sees. Bytes: `spec/gates.md`.

use std::collections::BTreeMap;

use attest::Subject;
use attest::gate::{Change, Facts, Proven};
use attest::verify::Attested;
use record::cores;
use record::report::{Finding, Report};
use seal::json::Value;

/// A document in the engine's own form, made once for all rules.
#[derive(Clone)]
pub struct Document(pub(crate) regorus::Value);

impl Document {
    /// Of what was verified and what changed.
    pub fn of(facts: &Facts<'_>, report: &Report, attested: &[Attested<'_>]) -> Document {
        let nanoseconds = i64::try_from(facts.now.0).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let changes = facts.changes.unwrap_or_default();
        let verification = object([
            ("ok", report.ok().into()),
            ("result", report.exit_class().as_str().into()),
            ("findings", list(report.findings.iter().map(finding))),
        ]);
        Document(object([
            ("version", 1i64.into()),
            ("now", facts.now.to_string().into()),
            ("now_ns", nanoseconds.into()),
            ("all", facts.changes.is_none().into()),
            ("changes", list(changes.iter().map(change))),
            ("verification", verification),
            ("statements", statements(attested, facts.proven)),
        ]))
    }
}

impl From<&Value> for Document {
    fn from(value: &Value) -> Document {
        Document(plain(value))
    }
}

fn change(one: &Change) -> regorus::Value {
    object([
        ("path", one.path.as_str().into()),
        ("gone", one.gone.into()),
        ("whole", one.whole.into()),
    ])
}

fn finding(one: &Finding) -> regorus::Value {
    object([
        ("code", one.code.id().into()),
        ("severity", one.code.severity().as_str().into()),
        ("place", one.place.as_str().into()),
        ("detail", one.detail.as_str().into()),
    ])
}

/// On all cores: this is half of the time that a gate takes.
fn statements(attested: &[Attested<'_>], proven: &[Proven<'_>]) -> regorus::Value {
    let mut all = Vec::with_capacity(attested.len());
    let some = |(some, proven): (&[Attested<'_>], &[Proven<'_>])| {
        let made = some.iter().zip(proven).map(|(one, proven)| statement(one, proven));
        made.collect::<Vec<_>>()
    };
    cores::ordered(
        // one, where there is too little to share
        if attested.len() > SOME { 0 } else { 1 },
        some,
        |mut made: Vec<regorus::Value>| all.append(&mut made),
        |give| attested.chunks(SOME).zip(proven.chunks(SOME)).for_each(give),
    );
    all.into()
}

const SOME: usize = 64;

fn statement(one: &Attested<'_>, proven: &Proven<'_>) -> regorus::Value {
    object([
        ("type", one.statement.kind.name.into()),
        ("payload", one.payload.text().into()),
        ("bundles", list(one.files.iter().map(|file| (*file).into()))),
        ("signers", list(one.signers.iter().map(|signer| (*signer).into()))),
        ("at", proven.at().to_string().into()),
        ("stamped", one.stamped.map_or(regorus::Value::Null, |at| at.to_string().into())),
        ("logged", one.logged.into()),
        ("subject", list(one.statement.subjects.iter().map(subject))),
        ("predicate", plain(&one.statement.predicate())),
    ])
}

/// As the statement itself has it.
fn subject(one: &Subject) -> regorus::Value {
    let mut notes = vec![("role", one.role.as_str().into()), ("size", one.size.into())];
    notes.extend(one.salt.map(|salt| ("salt", salt.hex().into())));
    object([
        ("name", one.path.as_str().into()),
        ("digest", object([("sha256", one.digest.hex().into())])),
        ("annotations", object(notes)),
    ])
}

fn object(members: impl IntoIterator<Item = (&'static str, regorus::Value)>) -> regorus::Value {
    let members = members.into_iter().map(|(name, value)| (regorus::Value::from(name), value));
    members.collect::<BTreeMap<_, _>>().into()
}

fn list(items: impl Iterator<Item = regorus::Value>) -> regorus::Value {
    items.collect::<Vec<_>>().into()
}

fn plain(value: &Value) -> regorus::Value {
    match value {
        Value::Null => regorus::Value::Null,
        Value::Bool(is) => (*is).into(),
        Value::Int(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => list(items.iter().map(plain)),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (regorus::Value::from(name.as_str()), plain(value)))
            .collect::<BTreeMap<_, _>>()
            .into(),
        Value::Float(number) => (*number).into(),
        // Digits alone, which the engine's numbers take at any length.
        Value::Big(digits) => {
            regorus::Value::from_json_str(digits).unwrap_or(regorus::Value::Undefined)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attest::statement::{Privacy, Statement, Tree};
    use attest::types;
    use record::report::Code;
    use seal::digest::Digest;
    use seal::time::UnixMillis;

    /// What is made directly is what the statement says of itself.
    #[test]
    fn it_is_the_statement_as_it_was_signed() {
        let subject = |n: u64| Subject {
            role: "templates".into(),
            path: format!("app/{n}"),
            digest: Digest::of(b"x"),
            size: n,
            salt: n.is_multiple_of(2).then(|| Digest::of(b"s")),
        };
        let one = Statement {
            kind: types::named("prompt").unwrap(),
            id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
            generated_at: UnixMillis(1_700_000_000_000),
            expires_at: None,
            generator: ("countersign".into(), "0.1.0".into()),
            source: None,
            subjects: (0..3).map(subject).collect(),
            trees: vec![Tree { role: "templates".into(), path: "app".into() }],
            depends_on: Vec::new(),
            privacy: Privacy::HashOnly,
            sensitivity: Vec::new(),
            own: Value::Object(Vec::new()),
        };
        let attested = |n: u8| Attested {
            payload: Digest::of(&[n]),
            statement: &one,
            signers: vec!["ada"],
            stamped: (n == 3).then_some(UnixMillis(5_000)),
            logged: n == 4,
            files: vec!["x.bundle.json"],
        };
        let all: Vec<Attested<'_>> = (0..200).map(attested).collect();
        let changes = [Change { path: "app/1".into(), gone: true, whole: false }];
        let proven: Vec<Proven<'_>> = all
            .iter()
            .map(|one| Proven {
                place: "x",
                statement: one.statement,
                payload: one.payload,
                signers: &one.signers,
                stamped: one.stamped,
                logged: one.logged,
            })
            .collect();
        let facts =
            Facts { proven: &proven, changes: Some(&changes), root: "", now: UnixMillis(7) };
        let mut report = Report::default();
        report.push(Finding::new(Code::EvidenceEmpty, "place", "why"));
        let document = Document::of(&facts, &report, &all).0;
        let statements = &document["statements"];
        assert_eq!(statements.as_array().unwrap().len(), 200);
        let whole = plain(&one.to_value());
        for (n, statement) in (0..).zip(statements.as_array().unwrap()) {
            assert_eq!(statement["payload"], Digest::of(&[n]).text().into());
            assert_eq!(statement["subject"], whole["subject"]);
            assert_eq!(statement["predicate"], whole["predicate"]);
            assert_eq!(statement["type"], "prompt".into());
            let at = if n == 3 { "1970-01-01T00:00:05Z" } else { "2023-11-14T22:13:20Z" };
            assert_eq!(statement["at"], at.into());
            let stamped = if n == 3 { at.into() } else { regorus::Value::Null };
            assert_eq!(statement["stamped"], stamped);
            assert_eq!(statement["logged"], (n == 4).into());
            assert_eq!(statement["signers"], plain(&Value::array(["ada"])));
            assert_eq!(statement["bundles"], plain(&Value::array(["x.bundle.json"])));
        }
        assert_eq!(
            document["changes"].to_string(),
            r#"[{"gone":true,"path":"app/1","whole":false}]"#
        );
        assert_eq!(document["verification"]["findings"][0]["detail"], "why".into());
        assert_eq!(document["now_ns"], 7_000_000i64.into());
        assert_eq!(document["all"], false.into());
    }
}
