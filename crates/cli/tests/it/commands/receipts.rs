//! Receipt chains through the built binary: every kind of fault with its exit, and what a long
//! chain costs in memory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use record::chainfile::write_line;
use record::receipt::{Receipt, sign};
use record::report::{Code, ExitClass};
use record::{AgentId, capability, hash};
use seal::json::{Limits, Value, parse};
use seal::{Digest, SecretKey, Signer};

use crate::running::{countersign, said};
use crate::sdk::repository;

/// The numbers of the contract, said once more: a test that took them from the product would
/// follow it anywhere.
fn number(class: ExitClass) -> i32 {
    match class {
        ExitClass::Ok => 0,
        ExitClass::Missing => 10,
        ExitClass::Untrusted => 11,
        ExitClass::Tampered => 12,
        ExitClass::Violated => 13,
        ExitClass::Malformed => 14,
    }
}

fn code(id: &str) -> Code {
    *Code::ALL.iter().find(|code| code.id() == id).expect("a code of the table")
}

fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect("a member of the vectors")
}

/// `countersign verify NAME` with the key for receipts; what it said.
fn verify(dir: &Path, name: &str, more: &[&str], exit: i32) -> String {
    let args = [&["verify", name, "--pubkeys", "key.pem"], more].concat();
    let output = countersign(dir, &args);
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
    said(&output)
}

/// One token of every case, and every chain, of the vectors.
#[test]
fn the_vectors_have_their_codes_and_exits() {
    let file = repository().join("vectors/receipts/v1.json");
    let file = parse(&fs::read(file).expect("the vectors"), Limits::DOCUMENT).expect("JSON");
    let list = |name: &str| file.get(name).and_then(Value::as_array).expect("a list").to_vec();
    let dir = tempfile::tempdir().expect("a directory");
    let (dir, mut seen) = (dir.path(), BTreeSet::new());
    fs::write(dir.join("key.pem"), member(&file, "refused_public_key_pem")).expect("written");
    for vector in list("refused") {
        let case = vector.get("case").and_then(Value::as_i64).expect("a number");
        if !seen.insert(case) {
            continue;
        }
        let token = member(&vector, "jws");
        let mut line = format!("{{\"receipt_hash\":\"{}\",\"jws\":", Digest::of(token.as_bytes()));
        seal::json::push_string(token, &mut line);
        fs::write(dir.join("chain.jsonl"), line + "}\n").expect("written");
        let code = code(member(&vector, "code"));
        let told = verify(dir, "chain.jsonl", &[], number(code.exit()));
        assert!(told.contains(&format!("{} error line 1", code.id())), "case {case}: {told}");
        // Alone in a file: another kind of file at worst, and never well.
        fs::write(dir.join("token.jws"), token).expect("written");
        let output = countersign(dir, &["verify", "token.jws", "--pubkeys", "key.pem"]);
        let exit = output.status.code();
        let empty = token.is_empty().then_some(10);
        assert_eq!(exit, empty.or(Some(number(code.exit()))), "case {case}: {}", said(&output));
    }
    assert!(seen.len() >= 40, "{seen:?}");
    fs::write(dir.join("key.pem"), member(&file, "public_key_pem")).expect("written");
    for vector in list("chains") {
        fs::write(dir.join("chain.jsonl"), member(&vector, "chain")).expect("written");
        let exit = [ExitClass::Ok, ExitClass::Missing, ExitClass::Untrusted, ExitClass::Tampered]
            .into_iter()
            .chain([ExitClass::Violated, ExitClass::Malformed])
            .find(|class| class.as_str() == member(&vector, "exit"));
        let told = verify(dir, "chain.jsonl", &[], number(exit.expect("a class")));
        for id in vector.get("codes").and_then(Value::as_array).expect("codes") {
            assert!(told.contains(id.as_str().expect("a code")), "{told}");
        }
    }
}

/// What a statement forbids, what is wrong with statements, and what no key file may be.
#[test]
fn statements_and_keys_have_their_exits() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let key = SecretKey::from_seed([1; 32]);
    let agent: AgentId = "agent:test".parse().expect("an id");
    let root = sign(&Receipt::user_input(&agent, key.key_id(), 1_000, hash::text("a")), &key)
        .expect("a good receipt");
    let call = Receipt::model_call(&agent, key.key_id(), 1_001, "m", root.hash, root.hash)
        .parents(&[(root.hash, &root.receipt.taint)]);
    let call = sign(&call, &key).expect("a good receipt");
    fs::write(dir.join("chain.jsonl"), write_line(&root) + &write_line(&call)).expect("written");
    fs::write(dir.join("key.pem"), key.public().to_pem()).expect("written");
    let terms = capability::Terms::new(agent, key.public().clone(), 900);
    let judged = |terms: capability::Terms, change: fn(String) -> String, codes: &[&str], exit| {
        let file = capability::issue(terms, &key).expect("a good statement").to_json();
        fs::write(dir.join("s.json"), change(file)).expect("written");
        let told = verify(dir, "chain.jsonl", &["--statement", "s.json"], exit);
        assert_eq!(codes.is_empty(), !told.contains("CS-"), "{told}");
        assert!(codes.iter().all(|code| told.contains(code)), "{told}");
    };
    let (same, of) = (
        |file: String| file,
        |models: &[&str]| capability::Terms {
            allowed_models: models.iter().map(|model| (*model).to_owned()).collect(),
            ..terms.clone()
        },
    );
    judged(terms.clone(), same, &[], 0);
    judged(of(&["other"]), same, &["CS-CAP-007"], 13);
    let late = capability::Terms { issued_at: 1_001, ..terms.clone() };
    judged(late, same, &["CS-CAP-006", "line 1"], 11);
    let over = capability::Terms { expires_at: Some(1_001), ..terms.clone() };
    judged(over, same, &["CS-CAP-006", "line 2"], 11);
    judged(of(&["other"]), |file| file.replace("other", "m"), &["CS-CAP-003"], 11);
    // What cannot be read grants nothing, and does not lift the rule.
    let codes = ["CS-CAP-001", "s.json", "CS-CAP-004"];
    judged(terms.clone(), |file| file.replacen('{', "{\"more\":1,", 1), &codes, 14);
    judged(terms.clone(), |file| file.replacen('{', "{\"issuer\":\"a\",", 1), &codes, 14);
    judged(terms.clone(), |_| "null".into(), &codes, 14);

    let pem =
        |body: &str| format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let x25519 = pem("MCowBQYDK2VuAyEAcSZR9FC6BbY4mLme9fe6RWMujiUn9/cVzWcexAJMxR4=");
    let small = pem("MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    for bad in [x25519, small, key.to_pem().to_string(), "hello".into(), String::new()] {
        fs::write(dir.join("key.pem"), &bad).expect("written");
        verify(dir, "chain.jsonl", &[], 65);
        let trust =
            format!("version: 1\nkeys:\n  - name: a\n    purpose: receipts\n    key: {bad:?}\n");
        fs::write(dir.join("trust.yaml"), trust).expect("written");
        let output = countersign(dir, &["verify", "chain.jsonl", "--trust", "trust.yaml"]);
        assert_eq!(output.status.code(), Some(78), "{bad}: {}", said(&output));
    }
    fs::write(dir.join("key.pem"), key.public().to_pem()).expect("written");
    let output = countersign(
        dir,
        &["verify", "chain.jsonl", "--pubkeys", "key.pem", "--pubkeys", "key.pem"],
    );
    assert_eq!(output.status.code(), Some(65), "{}", said(&output));
}

/// A chain may be longer than memory: what is kept of a receipt is little, in whatever order the
/// lines stand, and nothing is kept of lines that are none.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_follow_the_chain() {
    let key = SecretKey::from_seed([1; 32]);
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("key.pem"), key.public().to_pem()).expect("written");
    const FEW: usize = 5_000;
    const MANY: usize = 25_000;
    for (name, shape) in [
        ("in order", in_order as fn(&SecretKey, &mut dyn FnMut(String), usize)),
        ("backwards", backwards),
        ("no receipts", no_receipts),
    ] {
        let [few, many] = [FEW, MANY].map(|count| {
            let mut file = BufWriter::new(File::create(dir.path().join("c.jsonl")).expect("made"));
            let mut put = |line: String| file.write_all(line.as_bytes()).expect("written");
            loud(&mut put);
            shape(&key, &mut put, count);
            file.flush().expect("written");
            peak(dir.path())
        });
        let per_line = |many: usize| many.saturating_sub(few) * 1024 / (MANY - FEW);
        // How many portions are under way at once (a MiB or two in all) is up to the scheduler: what
        // that adds comes and goes, what is kept of a line is there every time.
        let mut each = per_line(many);
        for _ in 0..3 {
            if each > 130 {
                each = each.min(per_line(peak(dir.path())));
            }
        }
        assert!(each <= 130, "{name}: {each} bytes a line ({few} and {many} KiB)");
    }
}

/// The most memory that verifying needed, KiB. The report is longer than a pipe holds, so the
/// process waits to be read, with its work behind it.
fn peak(dir: &Path) -> usize {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["verify", "c.jsonl", "--pubkeys", "key.pem", "--format", "json"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut out = child.stdout.take().expect("stdout is piped");
    let mut report = vec![0];
    out.read_exact(&mut report).expect("the beginning of a report");
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    out.read_to_end(&mut report).expect("the rest");
    // Nothing in there is well.
    let exit = child.wait().expect("it ends").code();
    assert!(matches!(exit, Some(11 | 14)), "exit {exit:?}");
    assert!(report.len() > (64 << 10), "a report of {} bytes fits into a pipe", report.len());
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()).expect("a size");
    number.parse().expect("a number")
}

/// Lines whose findings are long: a hundred of them are more than a pipe holds.
fn loud(put: &mut dyn FnMut(String)) {
    for _ in 0..100 {
        put(format!("{{\"{}\":1}}\n", "a".repeat(2_000)));
    }
}

/// A receipt without a signature worth the name: it is looked at, and kept, all the same.
fn unsigned(key: &SecretKey, number: usize, parent: &Digest) -> (Digest, String) {
    let id = key.key_id();
    let header = format!(
        "{{\"alg\":\"EdDSA\",\"crit\":[\"raucle/v1\"],\"kid\":\"{id}\",\"raucle/v1\":\"provenance\",\"typ\":\"provenance-receipt/v1\"}}"
    );
    let content = Digest::from_bytes([7; 32]);
    let payload = format!(
        "{{\"agent_id\":\"agent:test\",\"agent_key_id\":\"{id}\",\"iat\":{},\"input_hash\":\"{content}\",\"iss\":\"a\",\"model\":\"m\",\"operation\":\"model_call\",\"output_hash\":\"{content}\",\"parents\":[\"{parent}\"],\"taint\":[],\"typ\":\"provenance-receipt/v1\"}}",
        1_000 + number
    );
    let part = |text: &str| seal::base64::url_encode(text.as_bytes());
    let jws = format!("{}.{}.{}", part(&header), part(&payload), "A".repeat(86));
    let hash = Digest::of(jws.as_bytes());
    (hash, format!("{{\"receipt_hash\":\"{hash}\",\"jws\":\"{jws}\"}}\n"))
}

fn in_order(key: &SecretKey, put: &mut dyn FnMut(String), count: usize) {
    let mut last = Digest::of(b"nothing");
    for number in 0..count {
        let (hash, line) = unsigned(key, number, &last);
        put(line);
        last = hash;
    }
}

/// Every line cites one that comes later, or never.
fn backwards(key: &SecretKey, put: &mut dyn FnMut(String), count: usize) {
    let (mut last, mut lines) = (Digest::of(b"nothing"), Vec::new());
    for number in 0..count {
        let (hash, line) = unsigned(key, number, &last);
        lines.push(line);
        last = hash;
    }
    lines.into_iter().rev().for_each(put);
}

fn no_receipts(_: &SecretKey, put: &mut dyn FnMut(String), count: usize) {
    (0..count).for_each(|_| put("{\n".into()));
}
