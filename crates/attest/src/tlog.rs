//! Entries of transparency logs inside a bundle (Sigstore `TransparencyLogEntry`), as other tools
//! write them: read within limits, and judged where the trust file names the log.

use record::logged::{Logged, NotLogged, Standing, policy_for};
use record::trust::Trust;
use seal::base64;
use seal::digest::Digest;
use seal::dsse::Envelope;
use seal::json::{Limits, Value, parse};
use seal::merkle::leaf_hash;
use seal::tlog_proof::{TlogProof, stated};

/// Most entries of a bundle.
pub const ENTRIES: usize = 16;
/// Longest body of an entry, bytes; it may hold the envelope again.
const BODY: usize = 16 << 20;
/// Longest checkpoint, bytes.
const CHECKPOINT: usize = 64 << 10;
/// Most hashes of a proof.
const HASHES: usize = 64;

/// One entry, taken apart; nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which log it is said to be of: the digest of a key, as its tool names it.
    pub log_id: String,
    /// What was logged: canonical JSON, as the log keeps it.
    pub body: Vec<u8>,
    /// That it was; some logs promise it first.
    pub proof: Option<TlogProof>,
}

impl Entry {
    /// Reads an entry.
    pub fn read(value: &Value) -> Result<Entry, String> {
        only(
            value,
            "",
            &[
                "logIndex",
                "logId",
                "kindVersion",
                "integratedTime",
                "inclusionPromise",
                "inclusionProof",
                "canonicalizedBody",
            ],
        )?;
        number(value, "logIndex")?;
        number(value, "integratedTime")?;
        let log_id = match value.get("logId") {
            None => String::new(),
            Some(id) => {
                only(id, "logId", &["keyId"])?;
                base64::std_encode(&bytes(id, "keyId", 1_024)?)
            }
        };
        if let Some(kind) = value.get("kindVersion") {
            only(kind, "kindVersion", &["kind", "version"])?;
            text(kind, "kind")?;
            text(kind, "version")?;
        }
        if let Some(promise) = value.get("inclusionPromise") {
            only(promise, "inclusionPromise", &["signedEntryTimestamp"])?;
            bytes(promise, "signedEntryTimestamp", 4_096)?;
        }
        let proof = value.get("inclusionProof").map(read_proof).transpose()?;
        if proof.is_none() && value.get("inclusionPromise").is_none() {
            return Err("it has neither inclusionProof nor inclusionPromise".into());
        }
        Ok(Entry { log_id, body: bytes(value, "canonicalizedBody", BODY)?, proof })
    }
}

fn read_proof(value: &Value) -> Result<TlogProof, String> {
    let names = ["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"];
    only(value, "inclusionProof", &names)?;
    let index = number(value, "logIndex")?;
    let size = number(value, "treeSize")?;
    let root = hash(value.get("rootHash")).ok_or("inclusionProof.rootHash is no hash")?;
    let hashes = match value.get("hashes") {
        None => &[],
        Some(list) => list.as_array().ok_or("inclusionProof.hashes is no list")?,
    };
    if hashes.len() > HASHES {
        return Err(format!("inclusionProof.hashes has more than {HASHES}"));
    }
    let hashes: Option<Vec<Digest>> = hashes.iter().map(|one| hash(Some(one))).collect();
    let hashes = hashes.ok_or("inclusionProof.hashes has what is no hash")?;
    let note = value.get("checkpoint").ok_or("inclusionProof.checkpoint is missing")?;
    only(note, "checkpoint", &["envelope"])?;
    let note = text(note, "envelope")?;
    if note.len() > CHECKPOINT {
        return Err(format!("checkpoint has more than {CHECKPOINT} bytes"));
    }
    let checkpoint = stated(note).map_err(|_| "checkpoint.envelope is no signed checkpoint")?;
    if (checkpoint.size, checkpoint.root) != (size, root) {
        return Err("inclusionProof and its checkpoint state another size or root".into());
    }
    Ok(TlogProof { extra: None, index, hashes, checkpoint: note.to_owned() })
}

/// What a trust file says of an entry that should be about an envelope.
pub fn judge(
    entry: &Entry,
    envelope: &Envelope,
    trust: Option<&Trust>,
) -> Result<Standing, NotLogged> {
    let Some(proof) = &entry.proof else {
        // A promise is a signature of a key that no trust file has a place for.
        return Ok(Standing::Unjudged { origin: format!("a promise of {}", entry.log_id) });
    };
    let origin = stated(&proof.checkpoint).map(|stated| stated.origin).unwrap_or_default();
    let Some(policy) = policy_for(trust, &origin)? else {
        return Ok(Standing::Unjudged { origin });
    };
    let judged = proof.verify(&leaf_hash(&entry.body), &policy)?;
    if !names(&entry.body, envelope).map_err(NotLogged::Other)? {
        let origin = format!("{origin}, in a form that is not known here");
        return Ok(Standing::Unjudged { origin });
    }
    Ok(Standing::Logged(Logged::of(judged, proof.index, &policy)))
}

/// Whether a logged body is about an envelope; `false` where nobody here can tell.
fn names(body: &[u8], envelope: &Envelope) -> Result<bool, String> {
    let value = parse(body, Limits { bytes: BODY, depth: 16 })
        .map_err(|error| format!("what was logged is no JSON: {error}"))?;
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    if text(&value, "kind").as_deref() != Some("dsse") {
        return Ok(false);
    }
    let version = text(&value, "apiVersion");
    let spec = value.get("spec");
    let (spec, sig) = match version.as_deref() {
        Some("0.0.1") => (spec, "signature"),
        Some("0.0.2") => (spec.and_then(|spec| spec.get("dsseV002")), "content"),
        _ => return Ok(false),
    };
    let payload = Digest::of(&envelope.payload);
    let logged = spec.and_then(|spec| spec.get("payloadHash"));
    // one version writes hexadecimal digits, the other Base64
    let same = logged.is_some_and(|hash| {
        text(hash, "value").is_some_and(|hex| hex == payload.hex())
            || text(hash, "digest").is_some_and(|b64| b64 == base64::std_encode(payload.as_bytes()))
    });
    let listed = spec.and_then(|spec| spec.get("signatures")).and_then(Value::as_array);
    let ours = envelope.signatures.iter().map(|one| base64::std_encode(&one.sig));
    let signed = ours.into_iter().all(|ours| {
        let mut listed = listed.unwrap_or_default().iter();
        listed.any(|one| text(one, sig).as_deref() == Some(ours.as_str()))
    });
    match same && signed {
        true => Ok(true),
        false => Err("what was logged has another payload or signature".into()),
    }
}

fn hash(value: Option<&Value>) -> Option<Digest> {
    let raw = base64::std_decode(value?.as_str()?).ok()?;
    Some(Digest::from_bytes(raw.try_into().ok()?))
}

/// A number as a decimal text or as one; what is left out is 0.
fn number(value: &Value, name: &str) -> Result<u64, String> {
    let wrong = || format!("{name} is no number");
    match value.get(name) {
        None => Ok(0),
        Some(Value::String(text)) => {
            let number: u64 = text.parse().map_err(|_| wrong())?;
            if number.to_string() == *text { Ok(number) } else { Err(wrong()) }
        }
        Some(other) => {
            other.as_i64().and_then(|number| u64::try_from(number).ok()).ok_or_else(wrong)
        }
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, String> {
    value.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing or no text"))
}

fn bytes(value: &Value, name: &str, most: usize) -> Result<Vec<u8>, String> {
    let raw = base64::std_decode(text(value, name)?).map_err(|_| format!("{name} is no Base64"))?;
    match raw.len() {
        0 => Err(format!("{name} is empty")),
        len if len > most => Err(format!("{name} has more than {most} bytes")),
        _ => Ok(raw),
    }
}

fn only(value: &Value, place: &str, names: &[&str]) -> Result<(), String> {
    let members = value.as_object().ok_or_else(|| format!("{place} is no object"))?;
    match members.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(format!("{place}: unknown member {name:?}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the public instance writes them; the hashes are made up.
    const REKOR: &str = r#"{"logIndex":"7","logId":{"keyId":"wNI9atQGlz+VWfO6LRygH4QUfY/8W4RFwiT5i5WRgB0="},"kindVersion":{"kind":"dsse","version":"0.0.1"},"integratedTime":"1700000000","inclusionPromise":{"signedEntryTimestamp":"MEUCIQ=="},"inclusionProof":{"logIndex":"3","rootHash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","treeSize":"22","hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],"checkpoint":{"envelope":"rekor.example - 2605736670972794746\n22\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nTimestamp: 1700000000000000000\n\n\u2014 rekor.example wNI9ajBEAiA=\n"}},"canonicalizedBody":"e30="}"#;

    fn read(text: &str) -> Result<Entry, String> {
        Entry::read(&parse(text.as_bytes(), Limits::DOCUMENT).unwrap())
    }

    #[test]
    fn an_entry_is_read_as_it_is_written_elsewhere() {
        let entry = read(REKOR).unwrap();
        let proof = entry.proof.unwrap();
        assert_eq!((proof.index, proof.hashes.len(), entry.body.as_slice()), (3, 1, &b"{}"[..]));
        assert_eq!(
            stated(&proof.checkpoint).unwrap().origin,
            "rekor.example - 2605736670972794746"
        );
        // An index of 0 is left out, and a number may be one.
        read(&REKOR.replacen("\"logIndex\":\"7\",", "", 1)).unwrap();
        read(&REKOR.replacen("\"22\"", "22", 1)).unwrap();
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for (from, to) in [
            ("\"logIndex\":\"7\"", "\"logIndex\":\"-7\""),
            ("\"logIndex\":\"7\"", "\"logIndex\":\"07\""),
            ("\"logIndex\":\"7\"", "\"index\":\"7\""),
            ("\"keyId\":\"wNI9", "\"keyId\":\"w!I9"),
            ("\"treeSize\":\"22\"", "\"treeSize\":\"23\""),
            ("\"hashes\":[\"AAAA", "\"hashes\":[\"AAA"),
            ("- 2605736670972794746\\n22\\n", "- 2605736670972794746\\n"),
            ("\"envelope\"", "\"text\""),
            ("\"canonicalizedBody\":\"e30=\"", "\"canonicalizedBody\":\"\""),
            ("\"signedEntryTimestamp\":\"MEUCIQ==\"", "\"signedEntryTimestamp\":7"),
        ] {
            let changed = REKOR.replacen(from, to, 1);
            assert_ne!(changed, REKOR, "{from}");
            assert!(read(&changed).is_err(), "{to}");
        }
        let many = format!(
            "\"hashes\":[{}\"",
            "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",".repeat(64)
        );
        assert!(read(&REKOR.replacen("\"hashes\":[\"", &many, 1)).is_err());
        assert!(read("{\"logIndex\":\"7\",\"canonicalizedBody\":\"e30=\"}").is_err());
        assert!(read("[]").is_err());
    }
}
