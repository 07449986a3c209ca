//! Anchor entries (`countersign-anchor/v1`): a signed checkpoint, and what a timestamp authority
//! answered about it. Bytes and rules: `spec/anchor.md`.

use seal::base64;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::note::Checkpoint;

use crate::codes::Code;
use crate::report::Finding;

/// The type constant of the format.
pub const TYP: &str = "countersign-anchor/v1";
/// Longest body, bytes.
pub const LIMIT: usize = 256 << 10;
/// Longest note inside, bytes: that of a signed note.
pub const NOTE_LIMIT: usize = 64 << 10;
/// Longest reply inside, bytes, before its base64: that of any timestamp.
pub const REPLY_LIMIT: usize = 64 << 10;
const LIMITS: Limits = Limits { bytes: LIMIT, depth: 1 };

/// One anchor: that this note existed when the authority answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    note: String,
    checkpoint: Checkpoint,
    reply: Vec<u8>,
}

/// What cannot be an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The note.
    #[error(
        "the note must be a signed checkpoint of at most 64 KiB whose first signature line is the log's"
    )]
    Note,
    /// The reply.
    #[error("the timestamp must have 1 to 65,536 bytes")]
    Reply,
}

impl Anchor {
    /// Puts a note and the authority's reply together. Neither is judged.
    pub fn new(note: &str, reply: &[u8]) -> Result<Anchor, AnchorError> {
        let checkpoint = checkpoint_of(note).ok_or(AnchorError::Note)?;
        if reply.is_empty() || reply.len() > REPLY_LIMIT {
            return Err(AnchorError::Reply);
        }
        Ok(Anchor { note: note.to_owned(), checkpoint, reply: reply.to_vec() })
    }

    /// Reads a body strictly: canonical JSON, these members and no others. Signature and timestamp
    /// are for the caller to judge.
    pub fn read(body: &[u8]) -> Result<Anchor, Finding> {
        let bad = |why: String| Finding::here(Code::AnchorBody, why);
        let value = parse(body, LIMITS).map_err(|error| bad(error.to_string()))?;
        if write_receipt(&value).ok().as_deref().map(str::as_bytes) != Some(body) {
            return Err(bad("not in canonical form".to_owned()));
        }
        let Value::Object(members) = &value else { return Err(bad("not an object".to_owned())) };
        let text = |name: &str| {
            let found = value.get(name).and_then(Value::as_str);
            found.ok_or_else(|| bad(format!("{name} is not there, or no text")))
        };
        let (typ, note, reply) = (text("typ")?, text("checkpoint")?, text("rfc3161")?);
        if typ != TYP {
            return Err(bad(format!("typ {typ:?}, expected {TYP}")));
        }
        if members.len() != 3 {
            return Err(bad("a member that the format does not have".to_owned()));
        }
        let reply = base64::std_decode(reply);
        let reply = reply.map_err(|_| bad("rfc3161 is not base64".to_owned()))?;
        Anchor::new(note, &reply).map_err(|error| bad(error.to_string()))
    }

    /// The body: the only encoding of this anchor.
    pub fn to_body(&self) -> String {
        let value = Value::object([
            ("checkpoint", self.note.as_str().into()),
            ("rfc3161", base64::std_encode(&self.reply).into()),
            ("typ", TYP.into()),
        ]);
        // Texts alone: there is nothing that the form could refuse.
        write_receipt(&value).unwrap_or_default()
    }

    /// The size that a note states, if it has the form that an anchor asks for.
    pub fn size_of(note: &str) -> Option<u64> {
        checkpoint_of(note).map(|checkpoint| checkpoint.size)
    }

    /// The note, every signature line included.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// What the note says about the log; unverified.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The authority's answer, a TimeStampResp in DER; unverified.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// The digest that must be stamped.
    pub fn imprint(&self) -> Digest {
        imprint(&self.note)
    }
}

/// What an authority is asked to stamp: SHA-256 over the whole note as it is embedded, signature
/// lines included. So `openssl ts -verify -data NOTE` checks an anchor, and no signature that came
/// later can hide under an earlier stamp.
pub fn imprint(note: &str) -> Digest {
    Digest::of(note.as_bytes())
}

/// What a note says, when its form is that of a checkpoint whose first signature line is named for
/// the log. The lines' signatures are judged with keys (`seal::note::open`).
fn checkpoint_of(note: &str) -> Option<Checkpoint> {
    if note.len() > NOTE_LIMIT || !note.ends_with('\n') {
        return None;
    }
    let split = note.rfind("\n\n")?;
    let checkpoint = Checkpoint::parse(note.get(..=split)?).ok()?;
    let first = note.get(split + 2..)?.strip_prefix("\u{2014} ")?;
    let (name, _) = first.split_once(' ')?;
    (name == checkpoint.origin).then_some(checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "log.example/receipts\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n\u{2014} log.example/receipts tcK6LCGpd68u6m7cH5gcZfV4YMMB2/6jRhEbW6blxPXIVQu4oU6SWeTF28aPsYWUbcAzXDksRWjsPF/L9crFxrroLg0=\n";

    #[test]
    fn the_bytes_of_a_body() {
        let anchor = Anchor::new(NOTE, &[0x30, 0x03, 1, 2, 3]).expect("an anchor");
        assert_eq!(anchor.checkpoint().size, 8);
        let body = anchor.to_body();
        assert!(body.starts_with("{\"checkpoint\":\"log.example/receipts\\n8\\nXcna"), "{body}");
        assert!(
            body.ends_with("\\n\",\"rfc3161\":\"MAMBAgM=\",\"typ\":\"countersign-anchor/v1\"}"),
            "{body}"
        );
        assert_eq!(Anchor::read(body.as_bytes()), Ok(anchor.clone()));
        // `printf '%s' NOTE | sha256sum`: nothing is put before it or behind it.
        assert_eq!(anchor.imprint(), Digest::of(NOTE.as_bytes()));
    }

    #[test]
    fn what_is_no_body() {
        let body = Anchor::new(NOTE, &[1]).expect("an anchor").to_body();
        let read = |text: &str| Anchor::read(text.as_bytes()).map_err(|finding| finding.code);
        assert!(read(&body).is_ok());
        let cases = [
            ("white space", body.replace("\",\"typ", "\", \"typ")),
            ("a member more", body.replace("{\"ch", "{\"a\":1,\"ch")),
            ("another type", body.replace("anchor/v1", "anchor/v2")),
            ("no type", body.replace("\"typ\"", "\"typo\"")),
            ("no reply", body.replace("\"AQ==\"", "\"\"")),
            ("no base64", body.replace("AQ==", "AQ")),
            ("no text", body.replace("\"AQ==\"", "1")),
            ("order", body.replace("checkpoint\"", "z\"").replace("typ\"", "checkpoint\"")),
            ("another name", body.replace("\u{2014} log", "\u{2014} lag")),
            ("unsigned", body.replace("\u{2014} ", "")),
            ("no size", body.replace("\\n8\\n", "\\n08\\n")),
            ("cut", body[..body.len() - 1].to_owned()),
            ("nothing", String::new()),
            ("a list", "[]".to_owned()),
            ("an escape", body.replace("log.example", "\\u006cog.example")),
        ];
        for (name, text) in cases {
            assert_ne!(text, body, "{name}");
            assert_eq!(read(&text), Err(Code::AnchorBody), "{name}: {text}");
        }
        assert_eq!(Anchor::new(NOTE, &[]), Err(AnchorError::Reply));
        assert_eq!(Anchor::new(NOTE, &[0; REPLY_LIMIT + 1]), Err(AnchorError::Reply));
        let long = NOTE.replace("log.example", &"l".repeat(NOTE_LIMIT));
        assert_eq!(Anchor::new(&long, &[1]), Err(AnchorError::Note));
    }
}
