use super::*;
use crate::statement::{Source, Subject};
use crate::types;
use seal::json::{Limits, parse};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn statement(kind: &str, own: &str, paths: &[&str]) -> Statement {
    let subject = |path: &&str| Subject {
        role: "system_prompt".into(),
        path: (*path).into(),
        digest: Digest::of(b"x"),
        size: 1,
        salt: None,
    };
    Statement {
        kind: types::named(kind).unwrap(),
        id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
        generated_at: NOW,
        expires_at: None,
        generator: ("countersign".into(), "0.1.0".into()),
        source: Some(Source { repository: None, commit: "abc".into() }),
        subjects: paths.iter().map(subject).collect(),
        trees: vec![],
        depends_on: vec![],
        privacy: Privacy::HashOnly,
        sensitivity: vec!["internal".into()],
        own: parse(own.as_bytes(), Limits::DOCUMENT).unwrap(),
    }
}

fn eval(regression: bool, accuracy: &str) -> Statement {
    let own = format!(
        r#"{{"suite_id":"s","metrics":{{"accuracy":"{accuracy}"}},"baseline":{{}},"thresholds":{{"accuracy":{{"min":"0.9"}}}},"passed":true,"regression_detected":{regression},"failures":[]}}"#
    );
    statement("eval", &own, &["eval/testset.jsonl"])
}

struct Set {
    statements: Vec<Statement>,
    signers: Vec<&'static str>,
    stamped: Option<UnixMillis>,
    logged: bool,
    root: &'static str,
}

fn set(statements: Vec<Statement>) -> Set {
    Set { statements, signers: vec!["ci"], stamped: None, logged: false, root: "" }
}

#[track_caller]
fn check(policy: &str, set: &Set, changes: Option<&[&str]>, expect: &[&str]) -> Vec<Finding> {
    let policy = Policy::parse(policy).unwrap();
    let proven: Vec<Proven<'_>> = set
        .statements
        .iter()
        .map(|statement| Proven {
            place: "a.bundle.json",
            statement,
            payload: Digest::of(statement.write().as_bytes()),
            signers: &set.signers,
            stamped: set.stamped,
            logged: set.logged,
        })
        .collect();
    let changes: Option<Vec<Change>> = changes.map(|paths| {
        let change = |path: &&str| match path.strip_prefix('-') {
            Some(path) => Change { path: path.into(), gone: true, whole: false },
            None => Change {
                path: path.trim_end_matches('/').into(),
                gone: false,
                whole: path.ends_with('/'),
            },
        };
        paths.iter().map(change).collect()
    });
    let facts = Facts { proven: &proven, changes: changes.as_deref(), root: set.root, now: NOW };
    let found = policy.judge(&facts).findings;
    let ids: Vec<&str> = found.iter().map(|finding| finding.code.id()).collect();
    assert_eq!(ids, expect, "{found:?}");
    found
}

fn gate(rest: &str) -> String {
    format!(
        "version: 1\ngates:\n  - id: g\n    paths: [\"app/**\"]\n    require:\n      - {rest}\n"
    )
}

#[test]
fn a_gate_applies_to_its_paths() {
    let policy = gate("{type: prompt}");
    let (none, one) = (set(vec![]), set(vec![statement("prompt", "{}", &["app/a"])]));
    check(&policy, &none, Some(&["docs/a"]), &[]);
    check(&policy, &none, Some(&[]), &[]);
    check(&policy, &none, Some(&["docs/a", "app/a"]), &["CS-GATE-001"]);
    check(&policy, &none, Some(&["-app/a"]), &["CS-GATE-001"]);
    check(&policy, &none, None, &["CS-GATE-001"]);
    check(&policy, &one, Some(&["app/a"]), &[]);
    let always = policy.replace("    paths: [\"app/**\"]\n", "");
    check(&always, &none, Some(&[]), &["CS-GATE-001"]);
}

#[test]
fn what_stands_for_all_below_opens_the_gates_below() {
    let policy = gate("{type: prompt}").replace("app/**", "vendor/app/prompts/*.txt");
    let none = set(vec![]);
    for path in ["vendor/", "vendor/app/", "vendor/app/prompts/", "vendor/app/prompts/a.txt/"] {
        check(&policy, &none, Some(&[path]), &["CS-GATE-001"]);
    }
    for path in ["vendor", "vendor/app", "vendor/other/", "other/", "vendor/app/prompts/a/"] {
        check(&policy, &none, Some(&[path]), &[]);
    }
}

#[test]
fn a_file_of_another_directory_covers_nothing() {
    let policy = gate("{type: prompt, covers: true}").replace("app/**", "**");
    let mut below = set(vec![statement("prompt", "{}", &["app/a"])]);
    check(&policy, &below, Some(&["app/a"]), &[]);
    below.root = "service/";
    check(&policy, &below, Some(&["service/app/a"]), &[]);
    check(&policy, &below, Some(&["app/a"]), &["CS-GATE-005"]);
    check(&policy, &below, Some(&["other/app/a"]), &["CS-GATE-005"]);
}

#[test]
fn every_violation_is_listed() {
    let policy = "version: 1
gates:
  - id: one
    require:
      - {type: prompt}
      - {type: corpus}
  - id: two
    message: ask the owners
    require:
      - type: eval
        signers: [alice, bob]
        threshold: 2
        max_age_days: 1
        where: [regression_detected == false, metrics.accuracy >= 0.9, metrics.recall > 0]
";
    let mut late = set(vec![eval(true, "0.85")]);
    late.statements[0].generated_at = UnixMillis(NOW.0 - 2 * DAY_MS);
    let found = check(
        policy,
        &late,
        None,
        &[
            "CS-GATE-001",
            "CS-GATE-001",
            "CS-GATE-003",
            "CS-GATE-002",
            "CS-GATE-004",
            "CS-GATE-004",
            "CS-GATE-004",
        ],
    );
    assert!(found[2].detail.contains("ask the owners") && found[2].place == "gate two");
    assert!(found[6].detail.contains("there is no metrics.recall"), "{}", found[6].detail);
}

#[test]
fn each_statement_of_a_type_counts_unless_any_does() {
    let (good, bad) = (eval(false, "0.95"), eval(true, "0.95"));
    let both = set(vec![good.clone(), bad.clone()]);
    let every = gate("{type: eval, where: [regression_detected == false]}");
    check(&every, &both, None, &["CS-GATE-004"]);
    let any = gate("{type: eval, match: any, where: [regression_detected == false]}");
    check(&any, &both, None, &[]);
    check(&any, &set(vec![bad]), None, &["CS-GATE-004"]);
}

#[test]
fn signers_are_counted_and_named() {
    let mut both = set(vec![eval(false, "1")]);
    both.signers = vec!["ci", "alice"];
    check(&gate("{type: eval, threshold: 2}"), &both, None, &[]);
    check(&gate("{type: eval, threshold: 3}"), &both, None, &["CS-GATE-003"]);
    check(&gate("{type: eval, signers: [alice]}"), &both, None, &[]);
    check(&gate("{type: eval, signers: [bob]}"), &both, None, &["CS-GATE-003"]);
    both.signers.clear();
    check(&gate("{type: eval}"), &both, None, &["CS-GATE-003"]);
}

#[test]
fn age_has_both_ends() {
    let policy = gate("{type: eval, max_age_days: 2}");
    let mut one = set(vec![eval(false, "1")]);
    for (at, expect) in [
        (NOW.0 - 2 * DAY_MS, &[][..]),
        (NOW.0 - 2 * DAY_MS - 1, &["CS-GATE-002"][..]),
        (NOW.0 + AHEAD_MS, &[]),
        (NOW.0 + AHEAD_MS + 1, &["CS-GATE-002"]),
    ] {
        one.statements[0].generated_at = UnixMillis(at);
        check(&policy, &one, None, expect);
    }
}

/// Days ago: what the statement says, what somebody trusted says, and what a gate of two days makes of it.
#[test]
fn no_late_stamp_and_no_late_statement_looks_fresh() {
    let policy = gate("{type: eval, max_age_days: 2}");
    let ago = |days: u64| UnixMillis(NOW.0 - days * DAY_MS);
    for (made, stamped, expect) in [
        // an old statement that was stamped today
        (9, Some(0), &["CS-GATE-002"][..]),
        // a statement that says it is of today, and was there last week
        (0, Some(9), &["CS-GATE-002"]),
        (1, Some(0), &[]),
        (1, None, &[]),
    ] {
        let mut one = set(vec![eval(false, "1")]);
        one.statements[0].generated_at = ago(made);
        one.stamped = stamped.map(ago);
        check(&policy, &one, None, expect);
    }
    // A stamp that is not there cannot be older: where it counts, it is asked for.
    let policy = gate("{type: eval, max_age_days: 2, time: trusted}");
    let mut one = set(vec![eval(false, "1")]);
    check(&policy, &one, None, &["CS-GATE-012"]);
    one.stamped = Some(NOW);
    check(&policy, &one, None, &[]);
    check(&policy.replace("trusted", "stated"), &set(vec![eval(false, "1")]), None, &[]);
    assert!(Policy::parse(&policy.replace("trusted", "maybe")).is_err());
}

#[test]
fn what_must_be_logged_is_logged() {
    let policy = gate("{type: eval, logged: true}");
    let mut one = set(vec![eval(false, "1")]);
    check(&policy, &one, None, &["CS-GATE-011"]);
    check(&policy.replace("true", "false"), &one, None, &[]);
    one.logged = true;
    check(&policy, &one, None, &[]);
}

#[test]
fn changed_files_are_covered_where_it_is_asked() {
    let policy = gate("{type: prompt, covers: true}");
    let one = set(vec![statement("prompt", "{}", &["app/a"])]);
    check(&policy, &one, Some(&["app/a"]), &[]);
    check(&policy, &one, Some(&["app/a", "app/b", "-app/c", "x"]), &["CS-GATE-005"]);
}

#[test]
fn files_in_clear_need_an_exception() {
    let mut open = statement("prompt", "{}", &["app/a"]);
    open.privacy = Privacy::PlaintextExplicit(vec![
        ("app/a".into(), "text".into()),
        ("app/b".into(), "text".into()),
    ]);
    let digest = Digest::of(open.write().as_bytes());
    let one = set(vec![open]);
    let policy = gate("{type: prompt}");
    check(&policy, &one, Some(&[]), &["CS-GATE-006"]);
    for (exception, expect) in [
        (format!("{{digest: \"{digest}\"}}"), &[][..]),
        ("{type: prompt, paths: [\"app/*\"]}".into(), &[]),
        ("{type: prompt, paths: [\"app/a\"]}".into(), &["CS-GATE-006"]),
        ("{type: corpus, paths: [\"**\"]}".into(), &["CS-GATE-006"]),
        (format!("{{digest: \"{}\"}}", Digest::of(b"x")), &["CS-GATE-006"]),
    ] {
        check(&format!("{policy}plaintext:\n  - {exception}\n"), &one, Some(&[]), expect);
    }
}

#[test]
fn conditions_hold_or_say_why() {
    let one = eval(false, "0.95");
    let route = statement(
        "route",
        r#"{"strategy":"x","providers":[{"provider":"a","model":"m"},{"provider":"b","model":"n"}]}"#,
        &["r"],
    );
    for (statement, text, holds) in [
        (&one, "regression_detected == false", true),
        (&one, "regression_detected != true", true),
        (&one, "passed == false", false),
        (&one, "metrics.accuracy >= 0.95", true),
        (&one, "metrics.accuracy > 0.95", false),
        (&one, "metrics.accuracy < 0.950000001", true),
        (&one, "metrics.accuracy <= 0.9", false),
        (&one, "metrics.accuracy == 0.950", true),
        (&one, "metrics.accuracy in [0.9, 0.95]", true),
        (&one, "metrics.other != 1", false),
        (&one, "metrics.\"a.b\" != 1", false),
        (&one, "metrics[*] > 0.9", true),
        (&one, "baseline[*] > 0.9", false),
        (&one, "thresholds.accuracy.min >= 0.9", true),
        (&one, "failures excludes \"accuracy\"", true),
        (&one, "failures contains \"accuracy\"", false),
        (&one, "suite_id in [\"s\", \"t\"]", true),
        (&one, "predicate.source.commit == \"abc\"", true),
        (&one, "predicate.source.repository != \"abc\"", false),
        (&one, "predicate.sensitivity contains \"internal\"", true),
        (&one, "predicate.privacy.mode == \"hash_only\"", true),
        (&route, "providers[*].provider in [\"a\", \"b\"]", true),
        (&route, "providers[*].provider == \"a\"", false),
    ] {
        let condition = Condition::parse(text, statement.kind).unwrap();
        assert_eq!(condition.holds(statement).is_ok(), holds, "{text}");
    }
}

#[test]
fn conditions_that_mean_nothing_are_refused() {
    let kind = types::named("eval").unwrap();
    for text in [
        "",
        "regression_detected",
        "regression == false",
        "regression_detected = false",
        "regression_detected == \"false\"",
        "regression_detected < true",
        "metrics > 1",
        "metrics.accuracy == true",
        "metrics.accuracy == 1e3",
        "metrics.accuracy == .5",
        "metrics.accuracy >= \"0.9\"",
        "suite_id > \"a\"",
        "suite_id contains \"a\"",
        "failures == \"a\"",
        "failures.a == \"b\"",
        "failures[*].a == \"b\"",
        "suite_id[*] == \"a\"",
        "predicate == 1",
        "predicate.eval == 1",
        "predicate.nothing == 1",
        "suite_id in []",
        "suite_id in [\"a\"",
        "suite_id in \"a\"",
        "suite_id == \"a\" and passed == true",
        "suite_id == 'a'",
        "suite_id == \"a",
        "passed == false false",
        "predicate.privacy.mode == \"x\"",
        ".passed == true",
        "passed. == true",
        "passed[*] == true",
    ] {
        assert!(Condition::parse(text, kind).is_err(), "{text}");
    }
}

#[test]
fn policies_that_mean_nothing_are_refused() {
    let fine = gate("{type: prompt}");
    assert!(Policy::parse(&fine).is_ok());
    for policy in [
        "".to_owned(),
        "version: 1\n".into(),
        "version: 1\ngates: []\n".into(),
        fine.replace("version: 1", "version: 2"),
        fine.replace("id: g", "id: \"\""),
        fine.replace("id: g", "id: g\n    trigger_paths: [x]"),
        fine.replace("[\"app/**\"]", "[]"),
        fine.replace("[\"app/**\"]", "[\"/app\"]"),
        fine.replace("[\"app/**\"]", "null\n    paths: [a]"),
        fine.replace("type: prompt", "type: prompts"),
        fine.replace("type: prompt", "type: prompt, threshold: 0"),
        fine.replace("type: prompt", "type: prompt, signers: []"),
        fine.replace("type: prompt", "type: prompt, signers: [a, a]"),
        fine.replace("type: prompt", "type: prompt, signers: [a], threshold: 2"),
        fine.replace("type: prompt", "type: prompt, max_age_days: 0"),
        fine.replace("type: prompt", "type: prompt, max_age_days: -1"),
        fine.replace("type: prompt", "type: prompt, match: all"),
        fine.replace("type: prompt", "type: prompt, where: [x == 1]"),
        fine.replace("type: prompt", "type: prompt, covers: maybe"),
        fine.replace("type: prompt", "type: prompt, where: []"),
        fine.replace("[\"app/**\"]", ""),
        fine.replace("type: prompt", "type: prompt, where:"),
        fine.replace("type: prompt", "type: prompt, signers: ~"),
        fine.replace("type: prompt", "type: prompt, signers:"),
        fine.replace("type: prompt", "type: prompt, threshold: null"),
        fine.replace("type: prompt", "type: prompt, max_age_days: ~"),
        fine.replace("type: prompt", "type: prompt, match: ~"),
        format!("{fine}plaintext:\n  - {{digest: abc}}\n"),
        format!("{fine}plaintext:\n  - {{type: prompt}}\n"),
        format!("{fine}plaintext:\n  - {{}}\n"),
        format!("{fine}more: 1\n"),
        fine.replace("gates:\n", "gates:\n  - {id: g, require: [{type: eval}]}\n"),
        " ".repeat(read::LIMIT + 1),
    ] {
        assert!(Policy::parse(&policy).is_err(), "{policy}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,64}") {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&gate(&text));
        let _ = Condition::parse(&text, types::named("eval").unwrap());
    }
}
