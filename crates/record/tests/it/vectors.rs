//! Our own vectors: made from our own keys and texts, so that the repository alone pins the
//! format. `COUNTERSIGN_BLESS=1` rewrites them; a change there is a change of the format.

use record::capability::{self, Terms};
use record::dag::ChainOptions;
use record::receipt::{Operation, Receipt, Verdict, read, sign};
use record::report::{Code, ExitClass};
use record::trust::{Purpose, Trust, TrustKey};
use record::{SignedReceipt, hash};
use seal::Signer;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_pretty, write_receipt};
use seal::key::{PublicKey, SecretKey};

use crate::cases::{Input, cases};
use crate::common::*;

type Named = (&'static str, SignedReceipt);

const FILE: &str = "vectors/receipts/v1.json";

/// One receipt of each operation, with every kind of member.
fn receipts(key: &SecretKey) -> Vec<Named> {
    let agent: record::AgentId = "agent:harbour.pilot".parse().unwrap();
    let id = key.key_id();
    let mut at = 1_800_000_000;
    let mut all: Vec<Named> = Vec::new();
    let mut add = |name: &'static str, make: &dyn Fn(i64, &[Named]) -> Receipt| {
        at += 1;
        let receipt = make(at, &all);
        all.push((name, sign(&receipt, key).unwrap()));
    };
    let cite = |receipt: Receipt, all: &[(&str, SignedReceipt)], at: &[usize]| {
        let parents: Vec<_> =
            at.iter().map(|i| (all[*i].1.hash, &all[*i].1.receipt.taint)).collect();
        receipt.parents(&parents)
    };
    let question = hash::text("When does the tide turn at Dover?");
    let answer = hash::text("At 14:20. – Um 14:20 Uhr. 🌊");
    let rules = hash::text("rules of the harbour, edition 3");
    let arguments =
        hash::object(&Value::object([("port", Value::from("Dover")), ("hours", 12_i64.into())]))
            .unwrap();
    let times = hash::object(&Value::array(["14:20", "20:41"])).unwrap();
    add("user_input", &|at, _| Receipt::user_input(&agent, id, at, question));
    add("guardrail_scan of the input", &|at, all| {
        let scan =
            Receipt::guardrail_scan(&agent, id, at, question, rules, Verdict::Clean, "input");
        cite(scan, all, &[0])
    });
    add("retrieval from an untrusted corpus", &|at, all| {
        cite(Receipt::retrieval(&agent, id, at, "almanac", question, times, false), all, &[1])
    });
    add("retrieval from a trusted corpus", &|at, all| {
        cite(Receipt::retrieval(&agent, id, at, "charts", question, times, true), all, &[1])
    });
    add("model_call with extensions and tenant", &|at, all| {
        let call = Receipt::model_call(&agent, id, at, "pilot-2", question, answer)
            .tenant("north-sea")
            .extension("x_request", "r-1")
            .extension("x_\u{e000}", 1_i64)
            .extension("x_🔑", Value::object([("b", Value::Null), ("a", true.into())]));
        cite(call, all, &[2, 3])
    });
    add("tool_call", &|at, all| {
        cite(Receipt::tool_call(&agent, id, at, "tide-table", arguments, times), all, &[4])
    });
    add("guardrail_scan as a root", &|at, _| {
        let verdict = Verdict::Malicious;
        Receipt::guardrail_scan(&agent, id, at, times, rules, verdict, "tool_result")
    });
    add("agent_handoff", &|at, all| {
        let other = "agent:harbour.master".parse().unwrap();
        cite(Receipt::agent_handoff(&agent, id, at, &other, arguments), all, &[5])
    });
    add("sanitisation of two tags", &|at, all| {
        let removed = tags(&["rag:almanac", "external_user"]);
        cite(
            Receipt::sanitisation(&agent, id, at, "redactor:names", &removed, answer, times),
            all,
            &[4],
        )
    });
    add("merge", &|at, all| {
        let extra = tags(&["x-harbour:naïveté", "🔑", "\u{e000}"]);
        cite(Receipt::merge(&agent, id, at, times), all, &[5, 8, 6]).tainted(&extra)
    });
    all
}

/// Values and their canonical form.
fn canonical() -> Vec<(&'static str, Value)> {
    let object = |members: &[(&str, Value)]| {
        Value::Object(members.iter().map(|(k, v)| (k.to_string(), v.clone())).collect())
    };
    vec![
        ("empty object", object(&[])),
        (
            "UTF-16 key order",
            object(&[("\u{e000}", 1_i64.into()), ("a", 2_i64.into()), ("🔑", 3_i64.into())]),
        ),
        (
            "order at every depth",
            object(&[
                ("b", object(&[("z", 1_i64.into()), ("y", 2_i64.into())])),
                ("a", Value::Null),
            ]),
        ),
        ("escapes", "\"\\/\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}\u{2028}é<&>".into()),
        ("no normalisation", "A\u{30a} Å".into()),
        ("greatest integers", Value::array([9_007_199_254_740_991_i64, -9_007_199_254_740_991])),
    ]
}

/// Small chains and what must be found in them.
fn chains(key: &SecretKey) -> Vec<(&'static str, String, Vec<Code>, ExitClass)> {
    let all: Vec<SignedReceipt> = receipts(key).into_iter().map(|(_, receipt)| receipt).collect();
    let chain = |at: &[usize]| chain_of(&at.iter().map(|i| &all[*i]).collect::<Vec<_>>());
    let whole: Vec<usize> = (0..all.len()).collect();
    let dropped = Receipt { taint: tags(&[]), ..all[4].receipt.clone() };
    let dropped = sign(&dropped, key).unwrap();
    let renamed = chain(&[0]).replace(&all[0].hash.to_string(), &all[1].hash.to_string());
    vec![
        ("whole", chain(&whole), vec![], ExitClass::Ok),
        ("parent missing", chain(&[0, 2]), vec![Code::ChainParent], ExitClass::Malformed),
        ("child first", chain(&[1, 0]), vec![Code::ChainOrder], ExitClass::Malformed),
        ("twice", chain(&[0, 0]), vec![Code::ChainDuplicate], ExitClass::Malformed),
        (
            "taint dropped",
            chain(&[0, 1, 2, 3]) + &chain_of(&[&dropped]),
            vec![Code::ChainTaint],
            ExitClass::Violated,
        ),
        ("hash changed", renamed, vec![Code::ChainHash], ExitClass::Tampered),
        ("empty", String::new(), vec![Code::ChainEmpty], ExitClass::Missing),
    ]
}

fn our_key() -> SecretKey {
    SecretKey::from_seed(*Digest::of(b"countersign receipt vectors v1").as_bytes())
}

fn payload_text(receipt: &SignedReceipt) -> String {
    write_receipt(&payload(receipt)).unwrap()
}

fn generate() -> String {
    let key = our_key();
    let text = |text: &str| Value::from(text);
    let receipts = receipts(&key).into_iter().map(|(name, receipt)| {
        Value::object([
            ("name", text(name)),
            ("payload", payload_text(&receipt).into()),
            ("jws", text(&receipt.jws)),
            ("receipt_hash", receipt.hash.into()),
        ])
    });
    let canonical = canonical().into_iter().map(|(name, value)| {
        let form = write_receipt(&value).unwrap();
        let digest = Digest::of(form.as_bytes());
        Value::object([
            ("name", text(name)),
            ("value", value),
            ("canonical", form.into()),
            ("digest", digest.into()),
        ])
    });
    // The longest cases would drown the file; the tests make them themselves.
    let refused = cases().into_iter().filter_map(|case| match &case.input {
        Input::Token(jws) if jws.len() < 4_096 && read(jws).is_err() => Some(Value::object([
            ("case", i64::from(case.number).into()),
            ("name", text(&case.name)),
            ("jws", text(jws)),
            ("code", text(case.code.id())),
        ])),
        _ => None,
    });
    let terms = Terms {
        allowed_models: vec!["pilot-2".into(), "pilot-1".into()],
        allowed_tools: vec!["tide-table".into(), "redactor:names".into()],
        sanitisation_authority: vec!["rag:almanac".into(), "external_user".into()],
        expires_at: Some(1_900_000_000),
        ..Terms::new("agent:harbour.pilot".parse().unwrap(), key.public().clone(), 1_800_000_000)
    };
    let bare =
        Terms::new("agent:harbour.pilot".parse().unwrap(), key.public().clone(), 1_800_000_000);
    let issuer = SecretKey::from_seed([2; 32]);
    let signed: [(&str, Terms, &SecretKey); 3] = [
        ("self-signed", terms.clone(), &key),
        ("by an issuer", terms, &issuer),
        ("bare", bare, &key),
    ];
    let statements = signed.into_iter().map(|(name, terms, signer)| {
        let statement = capability::issue(terms, signer).unwrap();
        Value::object([
            ("name", text(name)),
            ("signed_by", signer.public().to_pem().into()),
            ("preimage", statement.preimage().into()),
            ("statement", statement.to_json().into()),
        ])
    });
    let chains = chains(&key).into_iter().map(|(name, chain, codes, exit)| {
        Value::object([
            ("name", text(name)),
            ("chain", chain.into()),
            ("codes", Value::array(codes.into_iter().map(|code| Value::from(code.id())))),
            ("exit", text(exit.as_str())),
        ])
    });
    write_pretty(&Value::object([
        ("format", text("countersign receipt vectors v1")),
        ("seed", seal::hex::encode(&*key.seed()).into()),
        ("public_key_pem", key.public().to_pem().into()),
        ("key_id", key.key_id().to_string().into()),
        ("refused_public_key_pem", crate::common::key(1).public().to_pem().into()),
        ("receipts", Value::array(receipts)),
        ("canonical", Value::array(canonical)),
        ("statements", Value::array(statements)),
        ("chains", Value::array(chains)),
        ("refused", Value::array(refused)),
    ]))
}

#[test]
fn the_file_is_what_the_generator_makes() {
    golden(FILE, &generate());
}

fn file() -> Value {
    let bytes = std::fs::read(root().join(FILE)).unwrap();
    parse(&bytes, Limits::DOCUMENT).unwrap()
}

fn list(file: &Value, name: &str) -> Vec<Value> {
    let list = file.get(name).unwrap().as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list.to_vec()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).unwrap().as_str().unwrap().to_string()
}

#[test]
fn receipts_are_read_and_made_again() {
    let file = file();
    let key = our_key();
    let public = PublicKey::from_pem(&text(&file, "public_key_pem")).unwrap();
    let mut operations = std::collections::BTreeSet::new();
    for vector in list(&file, "receipts") {
        let signed = read(&text(&vector, "jws")).unwrap();
        assert!(signed.verify(&public));
        assert_eq!(signed.hash.to_string(), text(&vector, "receipt_hash"));
        assert_eq!(payload_text(&signed), text(&vector, "payload"));
        assert_eq!(sign(&signed.receipt, &key).unwrap(), signed);
        operations.insert(signed.receipt.operation);
    }
    assert_eq!(operations.len(), Operation::ALL.len(), "every operation has a vector");
}

#[test]
fn everything_else_of_the_file() {
    let file = file();
    for vector in list(&file, "canonical") {
        let form = write_receipt(vector.get("value").unwrap()).unwrap();
        assert_eq!(form, text(&vector, "canonical"));
        assert_eq!(
            hash::object(vector.get("value").unwrap()).unwrap().to_string(),
            text(&vector, "digest")
        );
    }
    for vector in list(&file, "refused") {
        let found = read(&text(&vector, "jws")).expect_err(&text(&vector, "name"));
        assert!(
            found.iter().any(|finding| finding.code.id() == text(&vector, "code")),
            "{vector:?}"
        );
    }
    for vector in list(&file, "statements") {
        let statement = capability::read(text(&vector, "statement").as_bytes()).unwrap();
        assert_eq!(statement.preimage(), text(&vector, "preimage"));
        let issuer = PublicKey::from_pem(&text(&vector, "signed_by")).unwrap();
        statement.verify(&statement.public_key, &issuer).unwrap();
    }
    let mut trust = Trust::empty();
    let public = PublicKey::from_pem(&text(&file, "public_key_pem")).unwrap();
    trust.add_key(TrustKey::public("vectors", Purpose::Receipts, public)).unwrap();
    for vector in list(&file, "chains") {
        let (report, _) = judge(text(&vector, "chain").as_bytes(), &trust, ChainOptions::default());
        let codes = Value::array(errors(&report).into_iter().map(|code| Value::from(code.id())));
        assert_eq!(Some(&codes), vector.get("codes"), "{}", report.to_table());
        assert_eq!(report.exit_class().as_str(), text(&vector, "exit"));
    }
}
