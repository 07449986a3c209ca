//! Cases 62 to 69: capability statements, and the version that comes after this one.

use record::capability::{self, Statement, Terms};
use record::receipt::{Receipt, sign};
use record::report::Code::{self, *};
use seal::Signer;
use seal::json::{Value, write_plain};

use super::{Input, List, good, parent, sanitisation, with_parents};
use crate::common::*;

/// Terms for key `n` under which it may do what the cases do.
pub fn terms(n: u8) -> Terms {
    Terms {
        allowed_models: vec!["model-a".into()],
        allowed_tools: vec!["tool-a".into(), "redactor".into()],
        sanitisation_authority: vec!["external_user".into()],
        ..Terms::new(agent(), key(n).public().clone(), T0 - 10)
    }
}

/// A step of key 2, under these terms.
pub fn under(list: &mut List, number: u8, name: &str, terms: Terms, receipt: Receipt, code: Code) {
    let statement = capability::issue(terms, &key(2)).unwrap();
    let receipt = Receipt { key_id: key(2).key_id(), ..receipt };
    let line = line_of(&sign(&receipt, &key(2)).unwrap().jws);
    list.add(number, name, Input::Under(vec![statement], vec![line], 0), code);
}

pub fn statement(list: &mut List, number: u8, name: &str, statement: Statement, code: Code) {
    list.add(number, name, Input::Statement(statement.to_json().into_bytes()), code);
}

pub fn statement_cases(list: &mut List) {
    let good = capability::issue(terms(2), &key(2)).unwrap();
    for (name, widen) in [
        ("models", (|s: &mut Statement| s.allowed_models.clear()) as fn(&mut Statement)),
        ("tools", |s| s.allowed_tools.push("tool-b".into())),
        ("authority", |s| s.sanitisation_authority = vec!["*".into()]),
        ("time", |s| s.expires_at = Some(9_000_000_000)),
        ("agent", |s| s.agent_id = "agent:other".parse().unwrap()),
        ("issuer", |s| s.issuer = "another".into()),
    ] {
        let mut widened = good.clone();
        widen(&mut widened);
        statement(list, 62, name, widened, CapSignature);
    }
    let foreign = capability::issue(terms(2), &key(9)).unwrap();
    statement(list, 62, "issued by nobody trusted", foreign, CapSignature);
    let mut renamed = good.clone();
    renamed.key_id = key(9).key_id();
    statement(list, 62, "key_id of another", renamed, CapKey);
    // A whole and valid statement of key 9, under the id of key 2.
    let mut registered = capability::issue(terms(9), &key(9)).unwrap();
    registered.key_id = key(2).key_id();
    statement(list, 62, "registered under another id", registered, CapKey);

    let by_two = |receipt: Receipt| {
        let receipt = Receipt { key_id: key(2).key_id(), ..receipt };
        line_of(&sign(&receipt, &key(2)).unwrap().jws)
    };
    let call = model_call(&parent());
    let line = by_two(call.clone());
    list.add(63, "another key's", Input::Under(vec![], vec![line], 0), CapMissing);
    let other = Terms { agent_id: "agent:other".parse().unwrap(), ..terms(2) };
    under(list, 64, "another", other, call.clone(), CapAgent);
    let wider = Terms { agent_id: "agent:test.sub".parse().unwrap(), ..terms(2) };
    under(list, 64, "a sub-scope", wider, call.clone(), CapAgent);
    let below = Receipt { agent_id: "agent:test.sub".parse().unwrap(), ..call.clone() };
    under(list, 64, "as a sub-scope", terms(2), below, CapAgent);
    let until = |at| Terms { expires_at: Some(at), ..terms(2) };
    under(list, 65, "at the end", until(call.iat), call.clone(), CapTime);
    under(list, 65, "long after", until(T0 - 9), call.clone(), CapTime);
    let from = |at| Terms { issued_at: at, ..terms(2) };
    under(list, 66, "a second before", from(call.iat + 1), call.clone(), CapTime);
    let model = Terms { allowed_models: vec!["model-b".into()], ..terms(2) };
    under(list, 67, "model", model, call, CapModel);
    let tool = Terms { allowed_tools: vec!["tool-b".into()], ..terms(2) };
    under(list, 67, "tool", tool.clone(), with_parents()[1].receipt.clone(), CapTool);
    under(list, 67, "sanitiser", tool, sanitisation().receipt, CapTool);

    let Value::Object(members) =
        seal::json::parse(good.to_json().as_bytes(), seal::json::Limits::LINE).unwrap()
    else {
        panic!("a statement is an object")
    };
    let mut file = |name: String, members: Vec<(String, Value)>| {
        let text = write_plain(&Value::Object(members));
        list.add(68, name, Input::Statement(text.into_bytes()), CapMalformed);
    };
    for (at, (name, _)) in members.iter().enumerate() {
        for wrong in [true.into(), Value::array([1_i64]), Value::Float(1.5), "".into(), Value::Null]
        {
            if name == "expires_at" && wrong == Value::Null {
                continue;
            }
            let mut changed = members.clone();
            changed[at].1 = wrong.clone();
            file(format!("{name} {}", wrong.kind()), changed);
        }
        let mut without = members.clone();
        without.remove(at);
        // Its absence has a meaning, and is seen by the signature.
        if name != "sanitisation_authority" {
            file(format!("without {name}"), without);
        }
        let mut twice = members.clone();
        twice.push(members[at].clone());
        file(format!("{name} twice"), twice);
    }
    let mut more = members.clone();
    more.push(("more".into(), 1_i64.into()));
    file("unknown member".into(), more);
    let text = good.to_json();
    for (name, bytes) in [
        ("null", b"null".to_vec()),
        ("array", format!("[{text}]").into_bytes()),
        ("empty", Vec::new()),
        ("not UTF-8", [text.as_bytes(), b"\xff"].concat()),
        ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("deep", vec![b'['; 60_000]),
        ("long", format!("{text}{}", " ".repeat(64 * 1024)).into_bytes()),
        ("signature unpadded", text.replace("==\"", "\"").into_bytes()),
        ("key with CRLF", text.replace("\\n", "\\r\\n").into_bytes()),
        ("float time", text.replace(&(T0 - 10).to_string(), "1.0").into_bytes()),
        ("time beyond 2^53", text.replace(&(T0 - 10).to_string(), "9007199254740992").into_bytes()),
    ] {
        list.add(68, name, Input::Statement(bytes), CapMalformed);
    }
}

/// The hybrid post-quantum form, which this version does not know: refused in every shape.
pub fn later_version_cases(list: &mut List) {
    let pq = |pqk: &str| {
        let crit = "[\"raucle/v1\",\"raucle/pq1\"]";
        let header = header().replace("[\"raucle/v1\"]", crit);
        header.replace(
            ",\"raucle/v1\":",
            &format!(",\"pqk\":\"{pqk}\",\"raucle/pq1\":\"ml-dsa-65\",\"raucle/v1\":"),
        )
    };
    let second = seal::base64::url_encode(&[7; 3309]);
    let hybrid = forge(pq("38cbe7cdb3ce5200"), good());
    list.token(69, "whole", format!("{hybrid}.{second}"), ReceiptHeader);
    list.token(69, "second half stripped", hybrid.clone(), ReceiptHeader);
    let (input, _) = hybrid.rsplit_once('.').unwrap();
    let zero = seal::base64::url_encode(&[0; 64]);
    list.token(69, "first half flipped", format!("{input}.{zero}.{second}"), ReceiptHeader);
    let flipped = seal::base64::url_encode(&[8; 3309]);
    list.token(69, "second half flipped", format!("{hybrid}.{flipped}"), ReceiptHeader);
    for pqk in ["0000000000000000", "38CBE7CDB3CE5200", ""] {
        let hybrid = forge(pq(pqk), good());
        list.token(69, format!("pqk {pqk:?}"), format!("{hybrid}.{second}"), ReceiptHeader);
    }
}
