//! Audit logs with rotated keys, timestamps and tampering: one file of cases, `vectors/audit/cases.json`,
//! made here and judged here and by the binary.

mod anchored;

use std::path::PathBuf;

use countersign::verify::audit::{LogTerms, judge_log, require_anchored};
use record::entry::{AuditChain, Keyring, LogBreak, read_line};
use record::report::{ExitClass, Report};
use record::trust::{Trust, TrustKey};
use seal::Zeroizing;
use seal::json::{Value, write_audit, write_pretty};
use seal::mac::hmac_sha256;
use stamp::Hash;
use testkit::tsa::{Issue, Reply, der, pem};

const HEX_K1: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const HEX_K2: &str = "0202020202020202020202020202020202020202020202020202020202020202";

fn ring(ids: &[&str]) -> Keyring {
    let mut ring = Keyring::new();
    for id in ids {
        let secret = if *id == "k2" { HEX_K2 } else { HEX_K1 };
        ring.insert(*id, Zeroizing::new(seal::hex::decode(secret).expect("hex")));
    }
    ring
}

fn root() -> Issue {
    Issue::root("countersign test root", 21)
}

fn signer() -> Issue {
    Issue::signer("countersign test tsa", 22, &root())
}

fn trust() -> Trust {
    let mut trust = Trust::empty();
    trust.add_key(TrustKey::tsa("test", &pem(&root().certificate())).expect("PEM")).expect("added");
    trust
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a generated file with the one in the repository, or writes it.
fn golden(name: &str, expected: &str) {
    let path = repository().join("vectors/audit").join(name);
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(&path, expected).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; run with COUNTERSIGN_BLESS=1 to rewrite it");
}

/// The lines of `vectors/audit/v1.jsonl`.
fn plain() -> Vec<String> {
    let log = std::fs::read_to_string(repository().join("vectors/audit/v1.jsonl")).expect("a log");
    log.lines().map(str::to_owned).collect()
}

/// Two lines under k1, then two under k2 that follow them.
fn rotated() -> Vec<String> {
    let mut head = None;
    let seal = |(index, line): (usize, &String)| {
        let (id, secret) = if index < 2 { ("k1", HEX_K1) } else { ("k2", HEX_K2) };
        let secret = Zeroizing::new(seal::hex::decode(secret).expect("hex"));
        let mut chain = AuditChain::new(id.into(), secret, "gateway".into(), head.take());
        let entry = read_line(line.as_bytes()).expect("an entry").entry;
        let line = chain.seal(entry).expect("sealed").line;
        head = Some(chain.head().to_owned());
        line
    };
    plain().iter().enumerate().map(seal).collect()
}

/// The lines again, each with the `_anchor` that is made of its index and tentative HMAC.
fn stamped(lines: &[String], anchor: &dyn Fn(usize, [u8; 32]) -> Value) -> Vec<String> {
    let secret = seal::hex::decode(HEX_K1).expect("hex");
    let mut prev = String::new();
    let seal = |(index, line): (usize, &String)| {
        let mut value = seal::json::parse(line.as_bytes(), seal::json::Limits::LINE).expect("JSON");
        let Value::Object(members) = &mut value else { panic!("an object") };
        members.retain(|(name, _)| name != "hmac");
        for (name, member) in members.iter_mut() {
            match (name.as_str(), member) {
                ("prev_hmac", member) => *member = prev.as_str().into(),
                ("metadata", Value::Object(meta)) => meta.retain(|(name, _)| name != "_anchor"),
                _ => {}
            }
        }
        let mac =
            |value: &Value| hmac_sha256(&secret, write_audit(value).expect("written").as_bytes());
        let anchor = anchor(index, mac(&value));
        if let Some(Value::Object(meta)) = value.get_mut("metadata") {
            meta.push(("_anchor".into(), anchor));
        }
        prev = seal::hex::encode(&mac(&value));
        let Value::Object(members) = &mut value else { panic!("an object") };
        members.push(("hmac".into(), prev.as_str().into()));
        write_audit(&value).expect("written")
    };
    lines.iter().enumerate().map(seal).collect()
}

fn success(reply: &[u8]) -> Value {
    Value::object([
        ("backend", "rfc3161".into()),
        ("receipt", seal::base64::std_encode(reply).into()),
        ("success", true.into()),
    ])
}

/// A good stamp, so many seconds after the first.
fn reply(second: usize, digest: [u8; 32]) -> Vec<u8> {
    let reply = Reply::over(Hash::Sha256, &digest, &signer());
    Reply { time: format!("202701150800{second:02}Z"), ..reply }.bytes()
}

fn anchored() -> Vec<String> {
    stamped(&plain(), &|index, digest| success(&reply(index, digest)))
}

/// A log that is judged: under which keys, with which authority, against what.
struct Case {
    name: &'static str,
    log: String,
    keys: &'static [&'static str],
    tsa: bool,
    options: Vec<(&'static str, String)>,
    result: ExitClass,
    breaks: &'static [(u64, &'static str)],
}

/// Name, lines, whether the authority is trusted, whether timestamps are required, what comes of it.
type Stamped<'l> =
    (&'static str, &'l [String], bool, bool, ExitClass, &'static [(u64, &'static str)]);

fn join(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Line `at` with `from` replaced, or removed from it.
fn edit(lines: &[String], at: usize, from: &str, to: &str) -> String {
    let mut lines = lines.to_vec();
    assert!(lines[at].contains(from), "{from} is not in line {at}");
    lines[at] = lines[at].replacen(from, to, 1);
    join(&lines)
}

fn cases() -> Vec<Case> {
    use ExitClass::{Malformed, Missing, Ok, Tampered, Untrusted};
    let case = |name, log: String, keys, result, breaks| Case {
        name,
        log,
        keys,
        tsa: false,
        options: Vec::new(),
        result,
        breaks,
    };
    let k1: &[&str] = &["k1"];
    let lines = plain();
    let rotated = rotated();
    let mac = |line: &String| read_line(line.as_bytes()).expect("an entry").hmac;
    let (mac1, prev1) = (mac(&lines[1]), mac(&lines[0]));
    let self_1: &[(u64, &str)] = &[(1, "self_mismatch")];
    let mut cases = vec![
        case("intact", join(&lines), k1, Ok, &[]),
        case("empty", String::new(), k1, Ok, &[]),
        case("rotated", join(&rotated), &["k1", "k2"], Ok, &[]),
        case(
            "rotated, the old key is missing",
            join(&rotated),
            &["k2"],
            Untrusted,
            &[(0, "unknown_key"), (1, "unknown_key")],
        ),
        case(
            "rotated, the new key is missing",
            join(&rotated),
            k1,
            Untrusted,
            &[(2, "unknown_key"), (3, "unknown_key")],
        ),
        case(
            "rotated, an old line edited",
            edit(&rotated, 0, "reason 0", "reason 9"),
            &["k1", "k2"],
            Tampered,
            &[(0, "self_mismatch")],
        ),
        // One edit of each member.
        case("approval_chain", edit(&lines, 1, "[]", "[\"a\"]"), k1, Tampered, self_1),
        case("check_name", edit(&lines, 1, "pipeline.adm", "pipeline.ADM"), k1, Tampered, self_1),
        case("decision", edit(&lines, 1, "\"block\"", "\"allow\""), k1, Tampered, self_1),
        case("entry_id", edit(&lines, 1, "000000000001\"", "00000000000a\""), k1, Tampered, self_1),
        case(
            "metadata",
            edit(&lines, 1, "\"_request\":\"r\"", "\"_request\":\"s\""),
            k1,
            Tampered,
            self_1,
        ),
        case(
            "owner_type",
            edit(&lines, 0, "\"human\"", "\"agent\""),
            k1,
            Tampered,
            &[(0, "self_mismatch")],
        ),
        case(
            "owner_id",
            edit(&lines, 0, "\"owner_id\":\"alice", "\"owner_id\":\"mallory"),
            k1,
            Tampered,
            &[(0, "self_mismatch")],
        ),
        case("reason", edit(&lines, 1, "reason 1", "reason 2"), k1, Tampered, self_1),
        case("request_fingerprint", edit(&lines, 1, "sha256:0", "sha256:1"), k1, Tampered, self_1),
        case("ts_ns", edit(&lines, 1, "000000001}", "000000000}"), k1, Tampered, self_1),
        case(
            "prev_hmac",
            edit(&lines, 1, &prev1, &"0".repeat(64)),
            k1,
            Tampered,
            &[(1, "link_mismatch")],
        ),
        case(
            "hmac",
            edit(&lines, 1, &mac1, &"0".repeat(64)),
            k1,
            Tampered,
            &[(1, "self_mismatch"), (2, "link_mismatch")],
        ),
        // Whole lines.
        case(
            "a line removed",
            join(&[&lines[..1], &lines[2..]].concat()),
            k1,
            Tampered,
            &[(1, "link_mismatch")],
        ),
        case("the beginning removed", join(&lines[1..]), k1, Tampered, &[(0, "link_mismatch")]),
        case(
            "two lines swapped",
            join(&[lines[0].clone(), lines[2].clone(), lines[1].clone(), lines[3].clone()]),
            k1,
            Tampered,
            &[(1, "link_mismatch"), (2, "link_mismatch"), (3, "link_mismatch")],
        ),
        case(
            "a line twice",
            join(&[&lines[..2], &lines[1..]].concat()),
            k1,
            Tampered,
            &[(2, "link_mismatch")],
        ),
        case("the end removed", join(&lines[..2]), k1, Ok, &[]),
        case(
            "no key id",
            edit(&lines, 1, "\"_signing_key_id\":\"k1\",", ""),
            k1,
            Malformed,
            &[(1, "missing_key_id")],
        ),
        case(
            "a key id that is a list",
            edit(&lines, 1, "\"_signing_key_id\":\"k1\"", "\"_signing_key_id\":[\"k1\"]"),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "a key id of another key",
            edit(&lines, 1, "\"_signing_key_id\":\"k1\"", "\"_signing_key_id\":\"k3\""),
            k1,
            Untrusted,
            &[(1, "unknown_key")],
        ),
        // Bytes and types.
        case(
            "a further member",
            edit(&lines, 1, ",\"ts_ns\"", ",\"t\":1,\"ts_ns\""),
            k1,
            Tampered,
            &[(1, "non_canonical"), (1, "self_mismatch")],
        ),
        case(
            "a member missing",
            edit(&lines, 1, "\"reason\":\"reason 1\",", ""),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "members in another order",
            edit(
                &lines,
                1,
                "\"owner_id\":\"\",\"owner_type\":\"unresolved\"",
                "\"owner_type\":\"unresolved\",\"owner_id\":\"\"",
            ),
            k1,
            Malformed,
            &[(1, "non_canonical")],
        ),
        case(
            "a member twice",
            edit(&lines, 1, "\"decision\"", "\"decision\":\"allow\",\"decision\""),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "a space",
            edit(&lines, 1, "\"reason\":", "\"reason\": "),
            k1,
            Malformed,
            &[(1, "non_canonical")],
        ),
        case(
            "an escape that need not be",
            edit(&lines, 1, "reason 1", "reason\\u00201"),
            k1,
            Malformed,
            &[(1, "non_canonical")],
        ),
        case(
            "half a character",
            edit(&lines, 1, "reason 1", "\\ud800"),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "a number beyond all",
            edit(&lines, 1, "000000001}", "000000001e999}"),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "a time that is a float",
            edit(&lines, 1, "000000001}", "000000001.5}"),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "an HMAC that is short",
            edit(&lines, 1, &mac1, &mac1[..63]),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "upper-case digits",
            edit(&lines, 1, &mac1, &mac1.to_uppercase()),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "nested deeply",
            edit(
                &lines,
                1,
                "\"_request\":\"r\"",
                &format!("\"_request\":{}{}", "[".repeat(200), "]".repeat(200)),
            ),
            k1,
            Malformed,
            &[(1, "malformed_line")],
        ),
        case(
            "a torn end",
            join(&lines).trim_end_matches("}\n").to_owned(),
            k1,
            Malformed,
            &[(3, "malformed_line")],
        ),
        case("a byte order mark", format!("\u{feff}{}", join(&lines)), k1, Ok, &[]),
        case("blank lines", join(&lines).replace('\n', "\n\n"), k1, Ok, &[]),
    ];
    for (name, (option, value)) in [
        ("the end removed, and counted", ("--expect-count", "4".to_owned())),
        ("the end removed, and noted", ("--expect-head", mac(&lines[3]))),
    ] {
        let options = vec![(option, value)];
        cases.push(Case { options, ..case(name, join(&lines[..2]), k1, Tampered, &[]) });
    }
    let require = || vec![("--require", "anchored".to_owned())];
    let good = anchored();
    let mut some = good[..2].to_vec();
    some.extend(stamped(&lines, &|_, digest| success(&reply(0, digest))).into_iter().skip(2));
    let garbage = stamped(&lines, &|_, _| success(b"<html>503</html>"));
    let no_text = stamped(&lines[..1], &|_, _| {
        Value::object([("backend", "rfc3161".into()), ("success", true.into())])
    });
    let failed = stamped(&lines, &|_, _| {
        Value::object([
            ("backend", "rfc3161".into()),
            ("error", "503 Service Unavailable".into()),
            ("success", false.into()),
        ])
    });
    let mixed = stamped(&lines, &|index, digest| match index {
        3 => Value::object([("backend", "noop".into()), ("success", true.into())]),
        _ => success(&reply(index, digest)),
    });
    let swapped = stamped(&lines, &|index, digest| {
        success(&reply(index, if index == 1 { [9; 32] } else { digest }))
    });
    let backwards = stamped(&lines, &|index, digest| success(&reply(30 - 10 * index, digest)));
    // Two signers in turns, whose clocks may be a minute off, going back by forty seconds a line.
    let turns = stamped(&lines, &|index, digest| {
        let by = if index % 2 == 0 { signer() } else { Issue::signer("second", 25, &root()) };
        let over = Reply::over(Hash::Sha256, &digest, &by);
        let seconds = 150 - 40 * index;
        let time = format!("2027011508{:02}{:02}Z", seconds / 60, seconds % 60);
        success(&Reply { time, accuracy: der(0x30, &[&der(2, &[&[60]])]), ..over }.bytes())
    });
    let foreign = Issue::signer("elsewhere", 23, &Issue::root("elsewhere root", 24));
    let elsewhere = stamped(&lines[..1], &|_, digest| {
        success(&Reply::over(Hash::Sha256, &digest, &foreign).bytes())
    });
    let all: &[(u64, &str)] = &[
        (0, "anchor_invalid"),
        (1, "anchor_invalid"),
        (2, "anchor_invalid"),
        (3, "anchor_invalid"),
    ];
    let stamped_cases: Vec<Stamped<'_>> = vec![
        ("stamped", &good, true, false, Ok, &[]),
        ("stamped, and it must be", &good, true, true, Ok, &[]),
        ("stamped, and nobody is trusted", &good, false, false, Ok, &[]),
        ("stamped, it must be, and nobody is trusted", &good, false, true, Untrusted, &[]),
        ("not stamped, and it must be", &lines, true, true, Missing, &[]),
        ("stamped with junk", &garbage, true, false, Malformed, all),
        ("stamped with junk, and nobody is trusted", &garbage, false, false, Ok, &[]),
        ("stamped with nothing", &no_text, true, false, Malformed, &[(0, "anchor_invalid")]),
        ("the authority failed", &failed, true, false, Ok, &[]),
        ("the authority failed, and it must be", &failed, true, true, Missing, &[]),
        ("one line is not stamped", &mixed, true, false, Ok, &[]),
        ("one line is not stamped, and it must be", &mixed, true, true, Missing, &[]),
        ("a stamp over something else", &swapped, true, false, Tampered, &[(1, "anchor_invalid")]),
        (
            "stamps that run backwards",
            &backwards,
            true,
            false,
            Malformed,
            &[(1, "anchor_order"), (2, "anchor_order"), (3, "anchor_order")],
        ),
        (
            "stamps of two signers that drift back",
            &turns,
            true,
            false,
            Malformed,
            &[(2, "anchor_order"), (3, "anchor_order")],
        ),
        ("stamped by somebody", &elsewhere, true, false, Untrusted, &[(0, "anchor_invalid")]),
    ];
    for (name, log, tsa, required, result, breaks) in stamped_cases {
        let options = if required { require() } else { Vec::new() };
        let log = join(log);
        cases.push(Case { name, log, keys: k1, tsa, options, result, breaks });
    }
    cases
}

fn judge(case: &Case) -> (Report, Vec<LogBreak>) {
    let option = |name: &str| {
        case.options.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let authorities = if case.tsa { trust() } else { Trust::empty() };
    let terms = LogTerms {
        ring: ring(case.keys),
        authorities: countersign::anchor::authorities(&authorities).expect("authorities"),
        expect_head: option("--expect-head"),
        expect_count: option("--expect-count").and_then(|count| count.parse().ok()),
    };
    let mut report = Report::new("log");
    let mut breaks = Vec::new();
    let figures =
        judge_log(&mut case.log.as_bytes(), &terms, &mut report, &mut |broken| breaks.push(broken));
    figures.expect("read from memory");
    if option("--require").is_some() {
        require_anchored(&mut report, terms.authorities.len(), "required");
    }
    (report, breaks)
}

#[test]
fn every_case_gets_its_verdict() {
    let mut written = Vec::new();
    for case in cases() {
        let (report, breaks) = judge(&case);
        let found: Vec<(u64, &str)> = breaks.iter().map(|b| (b.index, b.kind.as_str())).collect();
        assert_eq!(found, case.breaks, "{}\n{}", case.name, report.to_table());
        assert_eq!(report.exit_class(), case.result, "{}\n{}", case.name, report.to_table());
        let listed = breaks.iter().map(|broken| {
            Value::object([
                ("index", Value::from(broken.index)),
                ("entry_id", Value::from(broken.entry_id.as_str())),
                ("kind", Value::from(broken.kind.as_str())),
            ])
        });
        let options = case.options.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        written.push(Value::object([
            ("name", Value::from(case.name)),
            ("keys", Value::array(case.keys.iter().copied())),
            ("tsa", case.tsa.into()),
            ("options", Value::array(options)),
            ("result", case.result.as_str().into()),
            ("breaks", Value::array(listed)),
            ("log", Value::from(case.log.as_str())),
        ]));
    }
    let file = Value::object([
        ("keys", Value::object([("k1", Value::from(HEX_K1)), ("k2", Value::from(HEX_K2))])),
        ("tsa", pem(&root().certificate()).into()),
        ("cases", written.into()),
    ]);
    golden("cases.json", &write_pretty(&file));
    golden("anchored.jsonl", &join(&anchored()));
    golden("tsa-root.pem", &pem(&root().certificate()));
}
