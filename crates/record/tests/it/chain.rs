//! Chains: envelopes, links, taint and capabilities.

use record::capability::{self, Statement, Terms};
use record::dag::ChainOptions;
use record::receipt::Receipt;
use record::report::{Assurance, Code, ExitClass};
use record::trust::{Purpose, Trust, TrustKey, Validity};
use record::{SignedReceipt, chainfile};
use seal::Signer;
use seal::json::Value;
use seal::time::UnixMillis;

use crate::cases::{merge, sanitisation, with_parents};
use crate::common::*;

fn story() -> Vec<SignedReceipt> {
    let mut story = vec![signed(user_input())];
    story.extend(with_parents());
    story
}

fn bytes_of(receipts: &[SignedReceipt]) -> String {
    chain_of(&receipts.iter().collect::<Vec<_>>())
}

/// Judges with key 1 trusted; expects exactly these error codes and the class that wins.
fn check(name: &str, chain: &str, options: ChainOptions, codes: &[Code], exit: ExitClass) {
    let (report, _) = judge(chain.as_bytes(), &trust(), options);
    assert_eq!(errors(&report), codes, "{name}: {}", report.to_table());
    assert_eq!(report.exit_class(), exit, "{name}");
    // What does not hold together is not called signed; what breaks a rule still is.
    let sound = matches!(exit, ExitClass::Ok | ExitClass::Violated);
    assert_eq!(
        report.assurance == Assurance::Signed,
        sound || exit == ExitClass::Untrusted,
        "{name}"
    );
}

#[test]
fn a_good_chain_is_signed() {
    let chain = bytes_of(&story());
    for threads in [1, 2, 4] {
        let options = ChainOptions { threads, ..ChainOptions::default() };
        let (report, summary) = judge(chain.as_bytes(), &trust(), options);
        assert!(report.findings.is_empty(), "{}", report.to_table());
        assert_eq!((summary.receipts, summary.signed, summary.roots), (7, 7, 1));
        assert_eq!(summary.assurance, Assurance::Signed);
    }
}

#[test]
fn envelopes() {
    use Code::*;
    use ExitClass::{Malformed, Missing, Tampered};
    let one = signed(user_input());
    let good = chain_of(&[&one]);
    let other = digest("other").to_string();
    let cases: Vec<(&str, String, Vec<Code>, ExitClass)> = vec![
        ("hash", good.replace(&one.hash.to_string(), &other), vec![ChainHash], Tampered),
        ("hash form", good.replace("sha256:", "sha1:"), vec![ChainEnvelope], Malformed),
        ("hash missing", format!("{{\"jws\":\"{}\"}}\n", one.jws), vec![ChainEnvelope], Malformed),
        (
            "jws missing",
            format!("{{\"receipt_hash\":\"{other}\"}}\n"),
            vec![ChainEnvelope],
            Malformed,
        ),
        ("extra", good.replace('}', ",\"a\":1}"), vec![ChainEnvelope], Malformed),
        ("duplicate", good.replace('}', ",\"jws\":\"\"}"), vec![ChainEnvelope], Malformed),
        ("rich", good.replace('}', ",\"operation\":\"user_input\"}"), vec![ChainLegacy], Malformed),
        ("null", "null\n".into(), vec![ChainEnvelope], Malformed),
        (
            "jws number",
            format!("{{\"receipt_hash\":\"{other}\",\"jws\":1}}\n"),
            vec![ChainEnvelope],
            Malformed,
        ),
        ("array", "[]\n".into(), vec![ChainEnvelope], Malformed),
        ("string", "\"a\"\n".into(), vec![ChainEnvelope], Malformed),
        ("no json", "hello\n".into(), vec![ChainEnvelope], Malformed),
        ("bom", format!("\u{feff}{good}"), vec![ChainEnvelope], Malformed),
        ("long", format!("{}\n", "a".repeat(200_000)), vec![ChainLine], Malformed),
        ("torn", format!("{good}{}", &good[..200]), vec![ChainTorn], Malformed),
        ("twice", format!("{good}{good}"), vec![ChainDuplicate], Malformed),
        ("empty", String::new(), vec![ChainEmpty], Missing),
        ("only blank lines", "\n\n".into(), vec![ChainEmpty], Missing),
    ];
    for (name, chain, codes, exit) in cases {
        check(name, &chain, ChainOptions::default(), &codes, exit);
    }
}

#[test]
fn unusual_framing_is_a_warning() {
    let good = bytes_of(&story());
    let spaced = [good.replace('\n', " \n"), good.replace('{', "\t{")];
    let others = [good.replace('\n', "\r\n"), good.replace('\n', "\n\n"), good.trim_end().into()];
    for chain in spaced.into_iter().chain(others) {
        let (report, _) = judge(chain.as_bytes(), &trust(), ChainOptions::default());
        assert!(report.ok() && report.has(Code::ChainFraming), "{}", report.to_table());
    }
}

#[test]
fn links() {
    use Code::*;
    use ExitClass::{Malformed, Violated};
    let root = signed(user_input());
    let call = signed(model_call(&root));
    let none = ChainOptions::default;
    check("no parent", &chain_of(&[&call]), none(), &[ChainParent], Malformed);
    check("order", &chain_of(&[&call, &root]), none(), &[ChainOrder], Malformed);
    let early = signed(Receipt { iat: T0 - 301, ..model_call(&root) });
    check("time", &chain_of(&[&root, &early]), none(), &[ChainTime], Malformed);
    let skewed = signed(Receipt { iat: T0 - 300, ..model_call(&root) });
    check("skew", &chain_of(&[&root, &skewed]), none(), &[], ExitClass::Ok);
    let clean = signed(Receipt { taint: tags(&[]), ..model_call(&root) });
    check("taint dropped", &chain_of(&[&root, &clean]), none(), &[ChainTaint], Violated);
    let more = signed(Receipt { taint: tags(&["external_user", "rag:x"]), ..model_call(&root) });
    check("taint added", &chain_of(&[&root, &more]), none(), &[], ExitClass::Ok);
    for taint in [&["external_user"][..], &["other"]] {
        let receipt = Receipt { taint: tags(taint), ..sanitisation().receipt };
        let chain = chain_of(&[&root, &signed(receipt)]);
        check("sanitisation", &chain, none(), &[ChainSanitised], Violated);
    }
    check("sanitised", &chain_of(&[&root, &sanitisation()]), none(), &[], ExitClass::Ok);
    // What a parent carried that is not there nobody can say.
    let mut parents = vec![root.hash, digest("nowhere")];
    parents.sort();
    for taint in [&[][..], &["of the other parent"]] {
        let (parents, taint) = (parents.clone(), tags(taint));
        let receipt = signed(Receipt { parents, taint, ..sanitisation().receipt });
        check("half", &chain_of(&[&root, &receipt]), none(), &[ChainParent], Malformed);
    }
    let plain = with_parents()[2].receipt.clone();
    let plain = signed(Receipt { taint: tags(&["external_user"]), ..plain });
    let (report, _) = judge(chain_of(&[&root, &plain]).as_bytes(), &trust(), none());
    assert!(report.ok() && report.has(ChainRetrieval), "{}", report.to_table());
}

#[test]
fn a_refused_parent_is_one_finding() {
    let root = signed(user_input());
    let call = signed(model_call(&root));
    let spoiled = spoiled(&root, "prompt", Some("hello".into()));
    // Refused as a receipt, as a line, or with another hash beside it: the child is not to blame.
    let child =
        |parent: seal::Digest| signed(Receipt { parents: vec![parent], ..call.receipt.clone() });
    let of_spoiled = child(seal::Digest::of(spoiled.as_bytes()));
    let chain = line_of(&spoiled) + &chain_of(&[&of_spoiled]);
    check(
        "receipt",
        &chain,
        ChainOptions::default(),
        &[Code::ReceiptUnknownMember],
        ExitClass::Malformed,
    );
    let chain = format!("null\n{}", chain_of(&[&call]));
    check("line", &chain, ChainOptions::default(), &[Code::ChainEnvelope], ExitClass::Malformed);
    let renamed = chain_of(&[&root]).replace(&root.hash.to_string(), &digest("o").to_string());
    let chain = renamed + &chain_of(&[&child(digest("o"))]);
    check("hash", &chain, ChainOptions::default(), &[Code::ChainHash], ExitClass::Tampered);
    // However many children it had.
    let other = signed(Receipt { iat: T0 + 2, ..call.receipt.clone() });
    let chain = format!("null\n{}", chain_of(&[&call, &other]));
    check("twice", &chain, ChainOptions::default(), &[Code::ChainEnvelope], ExitClass::Malformed);
    // But one lost line excuses one missing parent only.
    let chain = format!("null\n{}", chain_of(&[&call, &child(digest("o"))]));
    let codes = [Code::ChainEnvelope, Code::ChainParent];
    check("two", &chain, ChainOptions::default(), &codes, ExitClass::Malformed);
}

#[test]
fn expectations() {
    let story = story();
    let chain = bytes_of(&story);
    let cut = bytes_of(&story[..6]);
    let head = ChainOptions { expect_head: Some(story[6].hash), ..ChainOptions::default() };
    let count = ChainOptions { expect_count: Some(7), ..ChainOptions::default() };
    for options in [head, count] {
        check("whole", &chain, options.clone(), &[], ExitClass::Ok);
        check("cut", &cut, options.clone(), &[Code::ChainTruncated], ExitClass::Tampered);
        check("empty", "", options, &[Code::ChainTruncated], ExitClass::Tampered);
    }
    let now = Some(UnixMillis::from_seconds(T0 - 1_000));
    let (report, _) =
        judge(chain.as_bytes(), &trust(), ChainOptions { now, ..ChainOptions::default() });
    assert!(report.ok() && report.has(Code::ChainFuture));
}

#[test]
fn signers() {
    use Code::*;
    let chain = chain_of(&[&signed(user_input())]);
    let judged = |change: &dyn Fn(&mut TrustKey)| {
        let mut key = TrustKey::public("one", Purpose::Receipts, key(1).public().clone());
        change(&mut key);
        let mut trust = Trust::empty();
        trust.add_key(key).unwrap();
        let (report, summary) = judge(chain.as_bytes(), &trust, ChainOptions::default());
        (errors(&report), report.exit_class(), summary.assurance)
    };
    let consistent = |code| (vec![code], ExitClass::Untrusted, Assurance::Consistent);
    let seconds = UnixMillis::from_seconds;
    assert_eq!(judged(&|_| ()), (vec![], ExitClass::Ok, Assurance::Signed));
    let expired = Validity { until: Some(seconds(T0)), ..Validity::default() };
    assert_eq!(judged(&|key| key.valid = expired), consistent(ReceiptKeyTime));
    let future = Validity { from: Some(seconds(T0 + 1)), ..Validity::default() };
    assert_eq!(judged(&|key| key.valid = future), consistent(ReceiptKeyTime));
    let current = Validity { from: Some(seconds(T0)), until: Some(seconds(T0 + 1)) };
    assert_eq!(judged(&|key| key.valid = current), (vec![], ExitClass::Ok, Assurance::Signed));
    let agent = Some("agent:other".parse().unwrap());
    assert_eq!(judged(&|key| key.agent_id = agent.clone()), consistent(ReceiptKeyAgent));
    assert_eq!(judged(&|key| key.purpose = Purpose::Decisions), consistent(TrustPurpose));
}

fn terms() -> Terms {
    Terms {
        allowed_models: vec!["model-a".into()],
        allowed_tools: vec!["tool-a".into(), "redactor".into()],
        sanitisation_authority: vec!["external_user".into()],
        ..Terms::new(agent(), key(1).public().clone(), T0 - 10)
    }
}

fn with(statements: Vec<Statement>) -> ChainOptions {
    ChainOptions { statements, ..ChainOptions::default() }
}

#[test]
fn capabilities() {
    use Code::*;
    use ExitClass::{Ok, Untrusted, Violated};
    let chain = bytes_of(&story());
    let own = |terms: Terms| with(vec![capability::issue(terms, &key(1)).unwrap()]);
    check("allowed", &chain, own(terms()), &[], Ok);
    let cases: Vec<(Code, ExitClass, Terms)> = vec![
        (CapModel, Violated, Terms { allowed_models: vec!["model-b".into()], ..terms() }),
        (CapTool, Violated, Terms { allowed_tools: vec!["tool-a".into()], ..terms() }),
        (CapSanitise, Violated, Terms { sanitisation_authority: vec![], ..terms() }),
        (CapSanitise, Violated, Terms { sanitisation_authority: vec!["x".into()], ..terms() }),
        (CapAgent, Violated, Terms { agent_id: "agent:other".parse().unwrap(), ..terms() }),
        (CapTime, Untrusted, Terms { expires_at: Some(T0), ..terms() }),
        (CapTime, Untrusted, Terms { issued_at: T0 + 100, ..terms() }),
    ];
    for (code, exit, terms) in cases {
        check(code.id(), &chain, own(terms), &[code], exit);
    }
    let any = Terms { sanitisation_authority: vec!["*".into()], ..terms() };
    check("any tag", &chain, own(any), &[], Ok);
    let other = Terms::new(agent(), key(2).public().clone(), T0 - 10);
    let mut both = trust();
    both.add_key(TrustKey::public("two", Purpose::Receipts, key(2).public().clone())).unwrap();
    let options = with(vec![capability::issue(other, &key(2)).unwrap()]);
    let (report, _) = judge(chain.as_bytes(), &both, options);
    assert_eq!(errors(&report), [CapMissing]);
    // A renewal beside the old statement: one that allows is enough.
    let old = Terms { expires_at: Some(T0), ..terms() };
    let renewed = [old, terms()].map(|terms| capability::issue(terms, &key(1)).unwrap());
    check("renewed", &chain, with(renewed.into()), &[], Ok);
}

#[test]
fn statements_that_do_not_hold() {
    let chain = chain_of(&[&signed(user_input())]);
    let good = capability::issue(terms(), &key(1)).unwrap();
    let mut widened = good.clone();
    widened.allowed_models.clear();
    let mut renamed = good.clone();
    renamed.key_id = key(2).key_id();
    let mut swapped = good.clone();
    swapped.public_key = key(2).public().clone();
    let foreign = capability::issue(terms(), &key(3)).unwrap();
    for (statement, code) in [
        (widened, Code::CapSignature),
        (renamed, Code::CapKey),
        (swapped, Code::CapKey),
        (foreign, Code::CapSignature),
    ] {
        let (report, _) = judge(chain.as_bytes(), &trust(), with(vec![statement]));
        assert_eq!(errors(&report)[0], code);
        assert_eq!(report.exit_class(), ExitClass::Untrusted);
    }
}

/// An issuer whose key is trusted for capabilities vouches for an agent's key.
#[test]
fn an_issuer_introduces_an_agent() {
    let chain = bytes_of(&story());
    let by_issuer = capability::issue(terms(), &key(9)).unwrap();
    let mut trust = Trust::empty();
    trust
        .add_key(TrustKey::public("issuer", Purpose::Capabilities, key(9).public().clone()))
        .unwrap();
    let (report, summary) = judge(chain.as_bytes(), &trust, with(vec![by_issuer.clone()]));
    assert!(report.ok(), "{}", report.to_table());
    assert_eq!(summary.assurance, Assurance::Signed);
    // A self-signed statement introduces nobody.
    let by_itself = capability::issue(terms(), &key(1)).unwrap();
    let (report, _) = judge(chain.as_bytes(), &trust, with(vec![by_itself]));
    assert_eq!(report.exit_class(), ExitClass::Untrusted);
    // Nor does an issuer whose time is over, or has not come.
    let issued = UnixMillis::from_seconds(by_issuer.issued_at);
    for (from, until, holds) in [
        (Some(issued), None, true),
        (None, Some(issued), false),
        (Some(UnixMillis(issued.0 + 1)), None, false),
    ] {
        let mut issuer = TrustKey::public("issuer", Purpose::Capabilities, key(9).public().clone());
        issuer.valid = Validity { from, until };
        let mut trust = Trust::empty();
        trust.add_key(issuer).unwrap();
        let (report, _) = judge(chain.as_bytes(), &trust, with(vec![by_issuer.clone()]));
        assert_eq!(report.ok(), holds, "{}", report.to_table());
        assert_eq!(report.has(Code::CapSignature), !holds);
    }
    assert!(by_issuer.verify(key(1).public(), key(9).public()).is_ok());
    assert!(by_issuer.verify(key(1).public(), key(1).public()).is_err());
}

#[test]
fn statement_files() {
    let good = capability::issue(terms(), &key(1)).unwrap();
    let file = good.to_json();
    assert_eq!(capability::read(file.as_bytes()).unwrap(), good);
    let Value::Object(members) =
        seal::json::parse(file.as_bytes(), seal::json::Limits::LINE).unwrap()
    else {
        panic!("a statement is an object")
    };
    let refused = |members: Vec<(String, Value)>| {
        let text = seal::json::write_plain(&Value::Object(members));
        let findings = capability::read(text.as_bytes()).expect_err(&text);
        assert!(findings.iter().all(|finding| finding.code == Code::CapMalformed));
    };
    for at in 0..members.len() {
        let name = members[at].0.clone();
        for wrong in [Value::from(true), Value::array([1_i64]), Value::Float(1.5), "".into()] {
            let mut changed = members.clone();
            changed[at].1 = wrong;
            refused(changed);
        }
        let mut without = members.clone();
        without.remove(at);
        if name != "sanitisation_authority" {
            refused(without);
        }
    }
    let mut extra = members.clone();
    extra.push(("more".into(), 1_i64.into()));
    refused(extra);
    let mut twice = members.clone();
    twice.push(members[0].clone());
    refused(twice);
}

#[test]
fn a_graph_is_walked_and_drawn() {
    let mut graph = record::dag::Graph::new();
    let merged = merge();
    for receipt in [signed(user_input()), signed(model_call(&signed(user_input()))), merged.clone()]
    {
        graph.insert(receipt);
    }
    let walk = graph.ancestors(&merged.hash);
    let names: Vec<_> = walk.iter().map(|node| node.receipt.operation.as_str()).collect();
    assert_eq!(names[0], "merge");
    assert_eq!(walk.len(), 3);
    assert!(graph.ancestors(&digest("nowhere")).is_empty());
    let hostile =
        Receipt { model: Some("m\"]; evil\n\u{202e}".into()), ..model_call(&signed(user_input())) };
    let hostile = Receipt { parents: vec![digest("lost")], ..hostile };
    graph.insert(signed(hostile));
    let drawn = graph.to_dot();
    assert!(drawn.contains("m\\\"]; evil\\\\x0a\\\\u{202e}"), "{drawn}");
    assert!(drawn.contains("missing") && graph.missing() == [digest("lost")]);
    assert_eq!(graph.part(&merged.hash).len(), 3);
}

#[test]
fn lines_are_written_as_others_write_them() {
    let receipt = signed(user_input());
    let line = chainfile::write_line(&receipt);
    assert!(line.starts_with("{\"receipt_hash\": \"sha256:") && line.contains("\", \"jws\": \""));
    let (hash, jws) = chainfile::parse_line(line.trim_end()).unwrap();
    assert_eq!((hash, jws), (receipt.hash, receipt.jws));
}

/// A file of a million bad lines costs neither memory nor patience.
#[test]
fn a_report_keeps_a_hundred_of_a_kind() {
    let chain = "null\n".repeat(1_000);
    let (report, summary) = judge(chain.as_bytes(), &trust(), ChainOptions::default());
    assert_eq!(report.findings.len(), 100);
    assert_eq!(report.seen(Code::ChainEnvelope), 1_000);
    assert_eq!(summary.refused, 1_000);
    assert!(report.to_table().contains("CS-CHAIN-001: 900 more"));
}
