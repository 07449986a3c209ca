//! Every case of the checklist, through the doors that users come in by: alone it has its code, at
//! its place, and its exit; beside other faults it hides none of them, and nothing good is lost.

use std::collections::{BTreeMap, BTreeSet};

use record::capability::{self, Statement};
use record::dag::{ChainOptions, ChainSummary};
use record::receipt::read;
use record::report::{Assurance, Code, ExitClass, Finding, Report, Severity};
use record::trust::{Purpose, TrustKey};
use record::verify::{Judge, verify_receipt_jws};
use record::{SignedReceipt, Trust};
use seal::Signer;

use crate::cases::*;
use crate::common::*;

/// Keys 1 and 2 sign receipts.
fn both() -> Trust {
    let mut both = trust();
    both.add_key(TrustKey::public("two", Purpose::Receipts, key(2).public().clone())).unwrap();
    both
}

/// A chain around a case, and where in it things stand.
struct Setting {
    bytes: Vec<u8>,
    options: ChainOptions,
    /// Where the finding of the case belongs.
    place: String,
    /// Lines of good receipts.
    good: Vec<usize>,
    /// Where the later fault stands, with its code.
    planted: Option<(String, Code)>,
}

/// A fault of another class than the case's, so that neither decides the other's exit.
fn plant(exit: ExitClass) -> (String, Code) {
    let one = signed(user_input_of("planted"));
    match exit {
        ExitClass::Tampered => {
            (line_of(&spoiled(&one, "prompt", Some("hello".into()))), Code::ReceiptUnknownMember)
        }
        _ => (
            line_of(&one.jws).replace(&one.hash.to_string(), &digest("other").to_string()),
            Code::ChainHash,
        ),
    }
}

/// A good root, the case, a good step, perhaps a planted fault, another good step.
fn setting(case: &Case, planted: bool) -> Option<Setting> {
    let mut options = ChainOptions { threads: 2, ..ChainOptions::default() };
    let mut middle: Vec<String> = Vec::new();
    let mut at = 0;
    let mut tail: &[u8] = b"";
    let own = || capability::issue(terms(1), &key(1)).unwrap();
    match &case.input {
        Input::Token(jws) => middle.push(line_of(jws)),
        Input::Lines(lines, line) => {
            (middle, at) = (lines.clone(), *line);
        }
        Input::Under(statements, lines, line) => {
            options.statements = [&[own()], statements.as_slice()].concat();
            (middle, at) = (lines.clone(), *line);
        }
        Input::Statement(file) => {
            options.statements = vec![own()];
            match capability::read(file) {
                Ok(statement) => options.statements.push(statement),
                Err(findings) => {
                    options.refused_statements =
                        findings.into_iter().map(|f| f.at("capability statement")).collect();
                }
            }
        }
        Input::Tail(bytes) => tail = bytes,
        Input::Nothing => {
            // Nothing can stand beside it but a statement.
            let planted = planted.then(|| {
                options.refused_statements =
                    vec![Finding::new(Code::CapMalformed, "planted", "of no use")];
                ("planted".to_string(), Code::CapMalformed)
            });
            let (bytes, place, good) = (Vec::new(), String::new(), Vec::new());
            return Some(Setting { bytes, options, place, good, planted });
        }
        Input::ShortOfHead => options.expect_head = Some(digest("the head")),
        Input::ShortOfCount => options.expect_count = Some(99),
        Input::Keys(..) => return None,
    }
    let root = parent();
    let next = signed(model_call(&root));
    let last = signed(model_call(&next));
    let mut lines = vec![line_of(&root.jws)];
    let mut place = match &case.input {
        Input::Statement(_) => "capability statement".to_string(),
        Input::ShortOfHead | Input::ShortOfCount => String::new(),
        _ => format!("line {}", lines.len() + 1 + at),
    };
    lines.extend(middle);
    lines.push(line_of(&next.jws));
    let mut good = vec![1, lines.len()];
    let planted = planted.then(|| {
        lines.push(line_of(&signed(user_input_of("between")).jws));
        let (line, code) = plant(case.exit);
        lines.push(line);
        (format!("line {}", lines.len()), code)
    });
    lines.push(line_of(&last.jws));
    good.push(lines.len());
    if !tail.is_empty() {
        place = format!("line {}", lines.len() + 1);
    }
    let bytes = [lines.concat().as_bytes(), tail].concat();
    Some(Setting { bytes, options, place, good, planted })
}

fn judged(setting: &Setting) -> (Report, ChainSummary) {
    judge(&setting.bytes, &both(), setting.options.clone())
}

/// The codes at a place, without remarks on the framing.
fn codes_at(report: &Report, place: &str) -> BTreeSet<Code> {
    let here = report.findings.iter().filter(|f| f.place == place);
    here.map(|f| f.code).filter(|code| *code != Code::ChainFraming).collect()
}

/// What a report says about every other place than these: nothing, in a setting of ours.
fn elsewhere<'a>(report: &'a Report, places: &[&str]) -> Vec<&'a Finding> {
    let known = |f: &&Finding| places.contains(&f.place.as_str());
    report.findings.iter().filter(|f| !known(f) && f.code != Code::ChainFraming).collect()
}

#[test]
fn every_number_of_the_checklist_has_its_case() {
    let numbers: BTreeSet<u8> = cases().iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=70).collect());
    let mut names = BTreeMap::new();
    for case in cases() {
        let before = names.insert(case.to_string(), ());
        assert!(before.is_none(), "{case} twice");
    }
}

/// The verdict on a chain with one case in it.
#[test]
fn a_case_has_its_code_at_its_place_and_its_exit() {
    for case in cases() {
        let Some(setting) = setting(&case, false) else { continue };
        let (report, summary) = judged(&setting);
        let shown = report.to_table();
        assert_eq!(codes_at(&report, &setting.place), [case.code].into(), "{case}\n{shown}");
        assert!(elsewhere(&report, &[&setting.place]).is_empty(), "{case}\n{shown}");
        assert_eq!(report.exit_class(), case.exit, "{case}\n{shown}");
        assert!(summary.signed >= setting.good.len() as u64, "{case}\n{shown}");
        // What is malformed or tampered with is not called signed as a whole.
        let sound = matches!(case.exit, ExitClass::Ok | ExitClass::Violated)
            || matches!(case.input, Input::Statement(_))
            || case.code == Code::CapTime;
        assert_eq!(report.assurance == Assurance::Signed, sound, "{case}\n{shown}");
        // However many threads: the same report.
        let one = ChainOptions { threads: 1, ..setting.options.clone() };
        let (alone, _) = judge(&setting.bytes, &both(), one);
        assert_eq!(alone.findings, report.findings, "{case}");
    }
}

/// A fault further down is reported beside it, and the good receipts around them count.
#[test]
fn no_case_hides_what_comes_later() {
    for case in cases() {
        let Some(setting) = setting(&case, true) else { continue };
        let (report, summary) = judged(&setting);
        let shown = report.to_table();
        let (place, code) = setting.planted.as_ref().expect("a fault was planted");
        assert_eq!(codes_at(&report, &setting.place), [case.code].into(), "{case}\n{shown}");
        assert_eq!(codes_at(&report, place), [*code].into(), "{case}\n{shown}");
        assert!(elsewhere(&report, &[&setting.place, place]).is_empty(), "{case}\n{shown}");
        let both = [case.exit, code.exit()];
        let first = both.into_iter().min_by_key(|class| class.rank());
        assert_eq!(Some(report.exit_class()), first, "{case}\n{shown}");
        for line in &setting.good {
            assert!(codes_at(&report, &format!("line {line}")).is_empty(), "{case}\n{shown}");
        }
        // The three of the setting and the one beside the fault.
        let good = setting.good.len() as u64 + u64::from(!setting.good.is_empty());
        assert!(summary.signed >= good, "{case}: {summary:?}");
    }
}

/// The same tokens, each in a file of its own.
#[test]
fn a_token_alone_has_the_same_code_and_exit() {
    let both = both();
    let (judge, _) = Judge::new(&both, &[]);
    let mut count = 0;
    for case in cases() {
        let Input::Token(jws) = &case.input else { continue };
        count += 1;
        let mut report = Report::new("receipt");
        let signed = verify_receipt_jws(jws, "here", &judge, &mut report);
        let shown = report.to_table();
        assert_eq!(codes_at(&report, "here"), [case.code].into(), "{case}\n{shown}");
        assert_eq!(report.exit_class(), case.exit, "{case}\n{shown}");
        assert_ne!(report.assurance, Assurance::Signed, "{case}");
        // The parts are right but not who signed them, or it is no receipt at all.
        assert_eq!(signed.is_some(), read(jws).is_ok(), "{case}");
        if signed.is_none() {
            assert!(report.findings.iter().all(|f| f.code.severity() == Severity::Error));
        }
    }
    assert!(count > 150, "{count} tokens");
}

/// All of them in one chain: each is still found where it is.
#[test]
fn all_cases_in_one_chain() {
    let mut lines = vec![line_of(&parent().jws)];
    let mut expected = Vec::new();
    for case in cases() {
        let (more, at) = match &case.input {
            Input::Token(jws) => (vec![line_of(jws)], 0),
            // Among so many lines that could not be read a missing parent may have been one.
            Input::Lines(more, at) if more.len() == 1 && case.code != Code::ChainParent => {
                (more.clone(), *at)
            }
            _ => continue,
        };
        expected.push((case.to_string(), format!("line {}", lines.len() + 1 + at), case.code));
        lines.extend(more);
    }
    let (report, summary) = judge(lines.concat().as_bytes(), &both(), ChainOptions::default());
    let told: u64 = Code::ALL.iter().map(|code| report.seen(*code)).sum();
    assert!(told >= expected.len() as u64);
    assert_eq!(summary.receipts + summary.refused, lines.len() as u64);
    for (name, place, code) in expected {
        // Of one kind a hundred are shown.
        let found = codes_at(&report, &place);
        assert!(found.contains(&code) || report.seen(code) > 100, "{name}: {found:?}");
    }
    assert_eq!(report.exit_class(), ExitClass::Tampered);
}

/// What is wrong with a key is said before anything is judged by it.
#[test]
fn keys_that_are_none_are_not_loaded() {
    let mut count = 0;
    for case in cases() {
        let Input::Keys(yaml, said) = &case.input else { continue };
        count += 1;
        let refused = Trust::parse(yaml, &|_| Err("nothing".into())).expect_err(&case.name);
        assert!(refused.to_string().contains(said), "{case}: {refused}");
    }
    assert_eq!(count, 6);
}

/// A statement that cannot be read does not lift the statements: its key may do nothing.
#[test]
fn an_unreadable_statement_grants_nothing() {
    let receipt = record::Receipt { key_id: key(2).key_id(), ..user_input() };
    let receipt: SignedReceipt = record::receipt::sign(&receipt, &key(2)).unwrap();
    let refused = capability::read(b"{").unwrap_err();
    let options = ChainOptions { refused_statements: refused, ..ChainOptions::default() };
    let (report, _) = judge(line_of(&receipt.jws).as_bytes(), &both(), options);
    assert_eq!(errors(&report), [Code::CapMalformed, Code::CapMissing]);
    assert_eq!(report.exit_class(), ExitClass::Malformed);
}

/// A statement's signature counts by the keys that the verifier holds, whoever it embeds; each
/// case's spoiled one fails under its own key as well.
#[test]
fn no_spoiled_statement_verifies() {
    for case in cases() {
        let Input::Statement(file) = &case.input else { continue };
        let Ok(statement) = capability::read(file) else { continue };
        let holds =
            |statement: &Statement, n| statement.verify(key(n).public(), key(n).public()).is_ok();
        assert!(!holds(&statement, 2) && !holds(&statement, 3), "{case}");
    }
}

#[test]
fn the_good_ones_are_read_as_written() {
    for receipt in with_parents().into_iter().chain([parent(), scan()]) {
        assert_eq!(read(&receipt.jws).unwrap(), receipt);
    }
    let tenant = signed(user_input().tenant(""));
    assert_eq!(read(&tenant.jws).unwrap().receipt.tenant.as_deref(), Some(""));
    let bare = spoiled(&scan(), "ruleset_hash", Some(digest("rules").hex().into()));
    assert!(read(&bare).is_ok(), "some emitters write the ruleset hash bare");
    // At the limits, and not beyond.
    let room = |payload: &str| 32_768 - payload.len();
    let payload = seal::json::write_receipt(&payload(&parent())).unwrap();
    let filler = format!(",\"x_a\":\"{}\"}}", "a".repeat(room(&payload) - ",\"x_a\":\"\"".len()));
    let full = payload.replace('}', &filler);
    assert_eq!(full.len(), 32_768);
    assert!(read(&forge(header(), full)).is_ok());
    let deep = format!(",\"x_d\":{}{}}}", "[".repeat(31), "]".repeat(31));
    assert!(read(&forge(header(), payload.replace('}', &deep))).is_ok());
}

#[test]
fn assurance_of_one_receipt() {
    let verdict = |jws: &str, trust: &Trust| {
        let mut report = Report::new("receipt");
        verify_receipt_jws(jws, "line 1", &Judge::new(trust, &[]).0, &mut report);
        (errors(&report), report.assurance)
    };
    let good = parent().jws;
    assert_eq!(verdict(&good, &trust()), (vec![], Assurance::Signed));
    let unknown = vec![Code::ReceiptKeyUnknown];
    assert_eq!(verdict(&good, &Trust::empty()), (unknown, Assurance::Consistent));
    let zero = format!("{}.{}", good.rsplit_once('.').unwrap().0, "A".repeat(86));
    assert_eq!(verdict(&zero, &trust()), (vec![Code::ReceiptSignature], Assurance::None));
}
