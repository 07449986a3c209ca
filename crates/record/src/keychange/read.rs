//! Reading a statement, strictly: one form, no member unknown, none to spare.

use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::jws::JwsError;
use seal::key::{KeyId, PublicKey};

use super::{LIMIT, NewKey, OldKey, REVOCATION, ROTATION, SignedStatement, Statement, header};
use crate::codes::Code;
use crate::report::Finding;
use crate::trust::Purpose;

const LIMITS: Limits = Limits { bytes: LIMIT, depth: 2 };

/// Reads a rotation or revocation. The signature is not checked.
pub fn read_signed(jws: &str) -> Result<SignedStatement, Vec<Finding>> {
    let malformed = |detail: String| vec![Finding::here(Code::KeyStatement, detail)];
    let token = seal::jws::split(jws, LIMIT).map_err(|error| match error {
        JwsError::SignatureLength => {
            vec![Finding::here(Code::KeyStatementSigner, error.to_string())]
        }
        _ => malformed(error.to_string()),
    })?;
    let stated = parse(&token.header, LIMITS).unwrap_or(Value::Null);
    let stated = |name| stated.get(name).and_then(Value::as_str);
    let kid = stated("kid")
        .and_then(|kid| kid.parse::<KeyId>().ok())
        .ok_or_else(|| malformed("the header names no key".into()))?;
    let typ = [ROTATION, REVOCATION]
        .into_iter()
        .find(|typ| stated("typ") == Some(typ))
        .filter(|typ| token.header == header(&kid, typ).as_bytes())
        .ok_or_else(|| {
            malformed(format!("the header is not that of {ROTATION} or {REVOCATION}"))
        })?;
    let value =
        parse(&token.payload, LIMITS).map_err(|error| malformed(format!("payload: {error}")))?;
    if !write_receipt(&value).is_ok_and(|text| text.as_bytes() == token.payload) {
        return Err(malformed("the payload is not canonical JSON".into()));
    }
    let statement = claims(&value, typ == ROTATION).map_err(malformed)?;
    let hash = Digest::of(jws.as_bytes());
    Ok(SignedStatement { hash, key_id: kid, jws: jws.to_string(), statement })
}

fn claims(payload: &Value, rotation: bool) -> Result<Statement, String> {
    let members = payload.as_object().ok_or_else(|| format!("payload is {}", payload.kind()))?;
    let optional = |name: &str| match payload.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
        Some(_) => Err(format!("{name} is empty or not a string")),
    };
    let text = |name: &str| optional(name)?.ok_or_else(|| format!("{name} is missing"));
    let digest =
        |name: &str| text(name)?.parse::<Digest>().map_err(|_| format!("{name} is not a digest"));
    let seconds = |name: &str| match payload.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| format!("{name} is no integer")),
    };
    let purpose: Purpose =
        text("purpose")?.parse().map_err(|_| "purpose is unknown".to_string())?;
    let secret = purpose == Purpose::Hmac;
    // Each kind has its own members, and a member that says nothing here says something elsewhere.
    let allowed = |name: &str| match name {
        "compromised_at" | "iat" | "key_id" | "log_origin" | "purpose" | "reason" => true,
        "key_fingerprint" => !secret,
        "agent_id" | "new_key_id" => rotation,
        "new_key" => rotation && !secret,
        "new_commitment" => rotation && secret,
        _ => false,
    };
    if let Some((unknown, _)) = members.iter().find(|(name, _)| !allowed(name)) {
        return Err(format!("member {unknown:?}"));
    }
    let old = match secret {
        true => OldKey::Secret { id: text("key_id")?.to_string() },
        false => OldKey::Public {
            id: text("key_id")?.parse().map_err(|_| "key_id is no key id".to_string())?,
            fingerprint: digest("key_fingerprint")?,
        },
    };
    let new = match (rotation, secret) {
        (false, _) => None,
        (true, true) => Some(NewKey::Secret {
            id: text("new_key_id")?.to_string(),
            commitment: digest("new_commitment")?,
        }),
        (true, false) => {
            let pem = text("new_key")?;
            let key = PublicKey::from_pem(pem).map_err(|error| format!("new_key: {error}"))?;
            if key.to_pem() != pem || key.key_id().to_string() != text("new_key_id")? {
                return Err("new_key is not in its one form, or new_key_id is not its id".into());
            }
            Some(NewKey::Public(key))
        }
    };
    let statement = Statement {
        log_origin: text("log_origin")?.to_string(),
        purpose,
        old,
        new,
        agent_id: optional("agent_id")?
            .map(|id| id.parse().map_err(|_| "agent_id is no agent id".to_string()))
            .transpose()?,
        reason: text("reason")?.parse().map_err(|_| "reason is unknown".to_string())?,
        compromised_at: seconds("compromised_at")?,
        iat: seconds("iat")?.ok_or("iat is missing")?,
    };
    statement.check()?;
    Ok(statement)
}
