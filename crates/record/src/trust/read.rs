//! Reading the YAML into typed structs, with nothing unknown allowed.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use seal::Zeroizing;
use seal::digest::Digest;
use seal::hex;
use seal::time::{UnixMillis, parse_rfc3339};

use super::{KeyMaterial, LogKey, Purpose, Quorum, Trust, TrustError, TrustKey, Validity};

/// Largest trust file, bytes.
const LIMIT: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    #[serde(default)]
    keys: Vec<Key>,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    purpose: String,
    key: String,
    #[serde(default, deserialize_with = "stated")]
    agent_id: Option<String>,
    #[serde(default, deserialize_with = "stated")]
    valid: Option<Valid>,
    #[serde(default, deserialize_with = "stated")]
    policies: Option<Vec<String>>,
    #[serde(default, deserialize_with = "stated")]
    types: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Valid {
    #[serde(default, deserialize_with = "stated")]
    from: Option<String>,
    #[serde(default, deserialize_with = "stated")]
    until: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    key: String,
    #[serde(default, deserialize_with = "stated")]
    quorum: Option<String>,
}

/// A member that limits a key and stands there without a value is no member that is left out.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let value = Option::deserialize(from)?;
    value.map(Some).ok_or_else(|| D::Error::custom("has no value; give one, or leave it out"))
}

type Resolve<'a> = &'a dyn Fn(&str) -> Result<String, String>;

pub(super) fn parse(yaml: &str, resolve: Resolve<'_>) -> Result<Trust, TrustError> {
    if yaml.len() > LIMIT {
        return Err(TrustError::TooLong(LIMIT));
    }
    // No snippet of the file in the message: a key may stand beside the fault.
    // Merge keys are YAML 1.1, and two readers could take them for different files.
    let options = serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
    };
    let file: File = serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| TrustError::Yaml(error.to_string()))?;
    if file.version != 1 {
        return Err(TrustError::Version(file.version));
    }
    let mut trust = Trust { digest: Some(Digest::of(yaml.as_bytes())), ..Trust::empty() };
    for key in file.keys {
        trust.add_key(trust_key(key, resolve)?)?;
    }
    for log in file.logs {
        trust.add_log(log_key(log)?)?;
    }
    // Behind all keys, so that no witness of a policy is one of them.
    for log in trust.logs.clone() {
        let Quorum::Policy(reference) = &log.quorum else { continue };
        let text = resolve(reference).map_err(|cause| TrustError::Policy {
            log: log.vkey.name.clone(),
            reference: reference.clone(),
            cause,
        })?;
        trust.set_policy(&log.vkey.name, &text)?;
    }
    Ok(trust)
}

fn trust_key(key: Key, resolve: Resolve<'_>) -> Result<TrustKey, TrustError> {
    let name = key.name;
    let purpose = key
        .purpose
        .parse::<Purpose>()
        .map_err(|_| TrustError::Purpose { name: name.clone(), purpose: key.purpose.clone() })?;
    let reference = is_reference(&key.key).then(|| key.key.clone());
    let text = match &reference {
        Some(reference) => Zeroizing::new(resolve(reference).map_err(|cause| {
            TrustError::Reference { name: name.clone(), reference: reference.clone(), cause }
        })?),
        None if purpose == Purpose::Hmac => return Err(TrustError::SecretInline(name)),
        None => Zeroizing::new(key.key),
    };
    let material = match purpose {
        Purpose::Hmac => {
            KeyMaterial::Secret(secret(&text).ok_or_else(|| TrustError::Secret(name.clone()))?)
        }
        Purpose::Tsa => TrustKey::tsa(name.as_str(), &text)?.key,
        _ => KeyMaterial::from_pem(purpose, &text)
            .map_err(|error| TrustError::Key { name: name.clone(), cause: error.to_string() })?,
    };
    let (agent_id, issuer) = match purpose {
        Purpose::Feed => (None, key.agent_id),
        _ => (key.agent_id, None),
    };
    let agent_id = match agent_id {
        None => None,
        Some(agent_id) => {
            Some(agent_id.parse().map_err(|_| TrustError::Agent { name: name.clone(), agent_id })?)
        }
    };
    let valid = match key.valid {
        None => Validity::default(),
        Some(valid) => {
            let time = |text: Option<String>| match text {
                None => Ok(None),
                Some(text) => match parse_rfc3339(&text) {
                    Some(time) => Ok::<Option<UnixMillis>, TrustError>(Some(time)),
                    None => Err(TrustError::Validity(name.clone())),
                },
            };
            Validity { from: time(valid.from)?, until: time(valid.until)? }
        }
    };
    let policies = key.policies.unwrap_or_default();
    if !policies.is_empty() && purpose != Purpose::Tsa {
        let cause = "only a timestamp authority has policies".to_owned();
        return Err(TrustError::Key { name, cause });
    }
    let types = key.types.unwrap_or_default();
    Ok(TrustKey {
        name,
        purpose,
        key: material,
        reference,
        agent_id,
        issuer,
        valid,
        policies,
        types,
    })
}

fn is_reference(key: &str) -> bool {
    key.starts_with("file:") || key.starts_with("env:")
}

/// An HMAC secret: lower-case hex, at least 16 bytes, surrounding white space ignored.
fn secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = Zeroizing::new(hex::decode(text.trim())?);
    (bytes.len() >= 16).then_some(bytes)
}

fn log_key(log: Log) -> Result<LogKey, TrustError> {
    let refuse = || TrustError::Log(log.key.clone());
    let vkey = log.key.trim().parse().map_err(|_| refuse())?;
    let quorum = match log.quorum.as_deref() {
        None | Some("none") => Quorum::None,
        Some(policy) if policy.starts_with("file:") => Quorum::Policy(policy.to_string()),
        Some(_) => return Err(refuse()),
    };
    Ok(LogKey { vkey, quorum })
}
