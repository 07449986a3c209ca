//! Reading a receipt: strict, total, and with every fault named.

use seal::digest::Digest;
use seal::json::{
    JsonErrorKind, Limits, MAX_SAFE_INTEGER, Value, parse, utf16_order, write_receipt,
};
use seal::jws::JwsError;
use seal::key::KeyId;

use super::emit;
use super::{JWS_LIMIT, Operation, Receipt, SignedReceipt, TYP, Verdict, rules};
use crate::agent::AgentId;
use crate::codes::Code;
use crate::report::Finding;
use crate::taint::TaintSet;

const HEADER_LIMITS: Limits = Limits { bytes: 4_096, depth: 8 };

/// Reads a compact JWS as a receipt. Structure and rules are checked, the signature is not.
/// Findings have no place yet: the caller knows where the text came from.
pub fn read(jws: &str) -> Result<SignedReceipt, Vec<Finding>> {
    read_with_signature(jws).map(|(receipt, _)| receipt)
}

/// As [`read`], with the decoded signature.
pub(crate) fn read_with_signature(jws: &str) -> Result<(SignedReceipt, [u8; 64]), Vec<Finding>> {
    let Parts { receipt, signature, .. } = read_parts(jws)?;
    let hash = Digest::of(jws.as_bytes());
    Ok((SignedReceipt { hash, jws: jws.to_string(), receipt }, signature))
}

/// A receipt that was read, beside the parts of its token that the signature needs.
pub(crate) struct Parts<'a> {
    pub(crate) receipt: Receipt,
    /// What the signature covers.
    pub(crate) signing_input: &'a str,
    pub(crate) signature: [u8; 64],
}

/// As [`read`], without copying the token.
pub(crate) fn read_parts(jws: &str) -> Result<Parts<'_>, Vec<Finding>> {
    let token = seal::jws::split(jws, JWS_LIMIT).map_err(|error| vec![refused(jws, &error)])?;
    let mut found = Vec::new();
    let payload = parsed(&token.payload, Limits::RECEIPT, "payload", &mut found);
    let mut faults = Vec::new();
    let receipt = payload.as_ref().and_then(|value| claims(value, &mut faults));
    // Writing the claims again is the quickest proof of canonical bytes. Only when that fails the
    // value itself is written, to tell other bytes from other faults.
    let rewritten = receipt.as_ref().and_then(|receipt| emit::payload(receipt).ok());
    if rewritten.is_some_and(|text| text.as_bytes() == token.payload) {
        found.append(&mut faults);
    } else if let Some(value) = &payload {
        // Of a payload that two parsers could read differently nothing else is said.
        match is_canonical(value, &token.payload, "payload", &mut found) {
            true => found.append(&mut faults),
            false => faults.clear(),
        }
    }
    let named = payload.as_ref().and_then(|value| value.get("agent_key_id"));
    check_header(&token.header, named.and_then(Value::as_str), &mut found);
    match receipt {
        Some(receipt) if found.is_empty() => {
            let seal::jws::Jws { signing_input, signature, .. } = token;
            Ok(Parts { receipt, signing_input, signature })
        }
        _ => Err(found),
    }
}

/// A token that could not be taken apart. A signature that was merely cut is a bad signature;
/// one with foreign characters is a bad encoding.
fn refused(jws: &str, error: &JwsError) -> Finding {
    if let Some(version) = later_version(jws, error) {
        return version;
    }
    let code = match error {
        JwsError::TooLong(_) => Code::ReceiptLimit,
        JwsError::SignatureLength => Code::ReceiptSignature,
        JwsError::Encoding("signature") if is_cut(jws) => Code::ReceiptSignature,
        _ => Code::ReceiptEncoding,
    };
    Finding::here(code, error.to_string())
}

/// Later versions of the format add segments, and say so in `crit`: who does not know what is
/// critical refuses it, and can say why.
fn later_version(jws: &str, error: &JwsError) -> Option<Finding> {
    let JwsError::Segments(4..) = error else { return None };
    let header = seal::base64::url_decode(jws.split('.').next()?).ok()?;
    let header = parse(&header, HEADER_LIMITS).ok()?;
    let critical = header.get("crit")?.as_array()?;
    let unknown =
        critical.iter().find_map(|name| name.as_str().filter(|name| *name != "raucle/v1"))?;
    let detail = format!("crit names {unknown:?}, which this version does not know");
    Some(Finding::here(Code::ReceiptHeader, detail))
}

fn is_cut(jws: &str) -> bool {
    let signature = jws.rsplit('.').next().unwrap_or("");
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    signature.len() < 86 && signature.bytes().all(in_alphabet)
}

fn parsed(bytes: &[u8], limits: Limits, part: &str, found: &mut Vec<Finding>) -> Option<Value> {
    match parse(bytes, limits) {
        Ok(value) => Some(value),
        Err(error) => {
            let code = match error.kind {
                JsonErrorKind::TooLong | JsonErrorKind::TooDeep => Code::ReceiptLimit,
                JsonErrorKind::DuplicateKey | JsonErrorKind::NonFinite => Code::ReceiptCanonical,
                _ => Code::ReceiptJson,
            };
            found.push(Finding::here(code, format!("{part}: {error}")));
            None
        }
    }
}

/// Whether the bytes are the value's own canonical form.
fn is_canonical(value: &Value, bytes: &[u8], part: &str, found: &mut Vec<Finding>) -> bool {
    let detail = match write_receipt(value) {
        Ok(text) if text.as_bytes() == bytes => return true,
        Ok(_) => format!("{part}: the bytes are not their canonical form"),
        Err(error) => format!("{part}: {error}"),
    };
    found.push(Finding::here(Code::ReceiptCanonical, detail));
    false
}

/// The header is a constant but for the key id, so the usual case is one comparison.
fn check_header(bytes: &[u8], named: Option<&str>, found: &mut Vec<Finding>) {
    if named.is_some_and(|kid| kid.parse::<KeyId>().is_ok() && emit::is_header(bytes, kid)) {
        return;
    }
    let Some(value) = parsed(bytes, HEADER_LIMITS, "header", found) else { return };
    if !is_canonical(&value, bytes, "header", found) {
        return;
    }
    let mut say = |code, detail: String| found.push(Finding::here(code, detail));
    let Some(members) = value.as_object() else {
        return say(Code::ReceiptHeader, format!("header is {}", value.kind()));
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if text("alg") != Some("EdDSA") {
        say(Code::ReceiptHeader, "alg is not EdDSA".into());
    }
    if value.get("crit") != Some(&Value::array(["raucle/v1"])) {
        say(Code::ReceiptHeader, "crit is not [\"raucle/v1\"]".into());
    }
    match text("kid") {
        None => say(Code::ReceiptHeader, "kid is missing".into()),
        Some(kid) => {
            if kid.parse::<KeyId>().is_err() {
                say(Code::ReceiptKeyId, format!("kid {kid:?}"));
            }
            if named.is_some_and(|named| named != kid) {
                say(Code::ReceiptHeader, "kid is not the payload's agent_key_id".into());
            }
        }
    }
    if text("typ") != Some(TYP) {
        say(Code::ReceiptHeader, format!("typ is not {TYP}"));
    }
    if text("raucle/v1") != Some("provenance") {
        say(Code::ReceiptHeader, "raucle/v1 is not provenance".into());
    }
    for (name, _) in members {
        if !matches!(name.as_str(), "alg" | "crit" | "kid" | "raucle/v1" | "typ") {
            say(Code::ReceiptHeader, format!("member {name:?}"));
        }
    }
}

/// The claims of a payload, or what is wrong with them.
fn claims(payload: &Value, found: &mut Vec<Finding>) -> Option<Receipt> {
    let Some(members) = payload.as_object() else {
        found.push(Finding::here(Code::ReceiptType, format!("payload is {}", payload.kind())));
        return None;
    };
    let mut reader = Reader { payload, found };
    if reader.required_text("typ").is_some_and(|typ| typ != TYP) {
        reader.say(Code::ReceiptType, format!("typ is not {TYP}"));
    }
    let iss = reader.required_text("iss").map(str::to_string);
    let iat = reader.iat();
    let agent_id = reader.required_text("agent_id").and_then(|text| reader.agent_id(text));
    let key_id = reader.required_text("agent_key_id").and_then(|text| reader.key_id(text));
    let operation = reader.required_text("operation").and_then(|text| reader.operation(text));
    let parents = reader.list("parents").and_then(|list| reader.parents(&list));
    let taint = reader.list("taint").map(TaintSet::of);
    let input_hash = reader.hash("input_hash");
    let output_hash = reader.hash("output_hash");
    let [model, tool, corpus, ruleset_hash] =
        ["model", "tool", "corpus", "ruleset_hash"].map(|name| reader.optional_text(name));
    let verdict = reader.optional_text("guardrail_verdict");
    let verdict = verdict.and_then(|text| reader.verdict(&text));
    let tenant = reader.tenant();
    let mut extensions = Vec::new();
    for (name, value) in members {
        match name.as_str() {
            "iss" | "typ" | "iat" | "agent_id" | "agent_key_id" | "operation" | "parents"
            | "taint" | "input_hash" | "output_hash" | "model" | "tool" | "corpus"
            | "ruleset_hash" | "guardrail_verdict" | "tenant" => {}
            extension if extension.starts_with("x_") => {
                extensions.push((name.clone(), value.clone()));
            }
            unknown => reader.say(Code::ReceiptUnknownMember, format!("member {unknown:?}")),
        }
    }
    let clean_so_far = reader.found.is_empty();
    let receipt = Receipt {
        iss: iss?,
        iat: iat?,
        agent_id: agent_id?,
        key_id: key_id?,
        operation: operation?,
        parents: parents?,
        taint: taint?,
        input_hash,
        output_hash,
        model,
        tool,
        corpus,
        ruleset_hash,
        verdict,
        tenant,
        extensions,
    };
    // A member that was refused above is absent here; its absence is not a second fault.
    if clean_so_far {
        found.extend(rules::check(&receipt));
    }
    Some(receipt)
}

struct Reader<'a> {
    payload: &'a Value,
    found: &'a mut Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn say(&mut self, code: Code, detail: String) {
        self.found.push(Finding::here(code, detail));
    }

    fn required_text(&mut self, name: &str) -> Option<&'a str> {
        match self.payload.get(name) {
            Some(Value::String(text)) => Some(text),
            Some(other) => {
                self.say(Code::ReceiptMember, format!("{name} is {}", other.kind()));
                None
            }
            None => {
                self.say(Code::ReceiptMember, format!("{name} is missing"));
                None
            }
        }
    }

    fn iat(&mut self) -> Option<i64> {
        match self.payload.get("iat") {
            Some(Value::Int(seconds)) if (1..=MAX_SAFE_INTEGER).contains(seconds) => Some(*seconds),
            Some(Value::Int(_)) => {
                self.say(Code::ReceiptMember, "iat is not positive".into());
                None
            }
            Some(other) => {
                self.say(Code::ReceiptMember, format!("iat is {}", other.kind()));
                None
            }
            None => {
                self.say(Code::ReceiptMember, "iat is missing".into());
                None
            }
        }
    }

    fn agent_id(&mut self, text: &str) -> Option<AgentId> {
        let id = text.parse().ok();
        if id.is_none() {
            self.say(Code::ReceiptAgentId, format!("agent_id {text:?}"));
        }
        id
    }

    fn key_id(&mut self, text: &str) -> Option<KeyId> {
        let id = text.parse().ok();
        if id.is_none() {
            self.say(Code::ReceiptKeyId, format!("agent_key_id {text:?}"));
        }
        id
    }

    fn operation(&mut self, text: &str) -> Option<Operation> {
        let operation = text.parse().ok();
        if operation.is_none() {
            self.say(Code::ReceiptOperation, format!("operation {text:?}"));
        }
        operation
    }

    fn verdict(&mut self, text: &str) -> Option<Verdict> {
        let verdict = text.parse().ok();
        if verdict.is_none() {
            self.say(Code::ReceiptVerdict, format!("guardrail_verdict {text:?}"));
        }
        verdict
    }

    /// A sorted list of unique strings.
    fn list(&mut self, name: &str) -> Option<Vec<&'a str>> {
        let Some(value) = self.payload.get(name) else {
            self.say(Code::ReceiptMember, format!("{name} is missing"));
            return None;
        };
        let texts = value
            .as_array()
            .and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<&'a str>>>());
        let Some(texts) = texts else {
            self.say(Code::ReceiptMember, format!("{name} is not an array of strings"));
            return None;
        };
        if !texts.is_sorted_by(|a, b| utf16_order(a, b).is_lt()) {
            self.say(Code::ReceiptOrder, name.to_string());
        }
        Some(texts)
    }

    fn parents(&mut self, list: &[&str]) -> Option<Vec<Digest>> {
        let hashes: Option<Vec<Digest>> = list.iter().map(|text| text.parse().ok()).collect();
        if hashes.is_none() {
            self.say(Code::ReceiptHash, "parents".into());
        }
        hashes
    }

    fn hash(&mut self, name: &str) -> Option<Digest> {
        match self.payload.get(name)? {
            Value::String(text) if text.is_empty() => {
                self.say(Code::ReceiptOptional, format!("{name} is empty"));
                None
            }
            Value::String(text) => {
                let hash = text.parse().ok();
                if hash.is_none() {
                    self.say(Code::ReceiptHash, name.to_string());
                }
                hash
            }
            other => {
                self.say(Code::ReceiptHash, format!("{name} is {}", other.kind()));
                None
            }
        }
    }

    fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.payload.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            other => {
                let what = if other.as_str().is_some() { "empty" } else { other.kind() };
                self.say(Code::ReceiptOptional, format!("{name} is {what}"));
                None
            }
        }
    }

    /// Unlike the others, tenant may be the empty string.
    fn tenant(&mut self) -> Option<String> {
        match self.payload.get("tenant")? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.say(Code::ReceiptOptional, format!("tenant is {}", other.kind()));
                None
            }
        }
    }
}
