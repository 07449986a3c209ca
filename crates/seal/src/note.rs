//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint) with Ed25519.

use std::fmt;
use std::str::FromStr;

use crate::cosign::{Cosignature, CosignerKey};
use crate::digest::Digest;
use crate::key::PublicKey;
use crate::signer::Signer;
use crate::{base64, hex};

/// Longest note read, bytes.
const LIMIT: usize = 64 * 1024;
/// Most signature lines read; the format asks for at least 16.
const SIGNATURES: usize = 128;
/// Signature type byte of Ed25519.
const ED25519: u8 = 0x01;

/// A note, key or checkpoint could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Not text, blank line and signature lines as the format has them.
    #[error("not a signed note")]
    Malformed,
    /// Not `name+hash+key`, or the hash is not that of name and key.
    #[error("not a verifier key: expected name+8 hex digits+base64")]
    VerifierKey,
    /// Not `name+hash+key` with a key for cosignatures, or the hash is not that of name and key.
    #[error("not a cosigner's key: expected name+8 hex digits+base64 of a key of type 4")]
    CosignerKey,
    /// Not the line of a cosignature.
    #[error("not a cosignature line: expected a dash, a name and base64 of id, time and signature")]
    Cosignature,
    /// A signature names a known key and does not verify.
    #[error("the signature by {0} does not verify")]
    BadSignature(String),
    /// None of the given keys signed.
    #[error("not signed by any key that is trusted here")]
    Unsigned,
    /// The text is not origin, size and root.
    #[error("not a checkpoint: expected origin, size and root hash")]
    Checkpoint,
}

/// A note verifier key: `name+hash+base64(type || key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// Key name; for a log it is the origin.
    pub name: String,
    /// `SHA-256(name || LF || type || key)[..4]`.
    pub id: [u8; 4],
    /// The Ed25519 key.
    pub key: PublicKey,
}

impl VerifierKey {
    /// Names a key; `None` when the name is empty or has white space or `+`.
    pub fn new(name: &str, key: PublicKey) -> Option<Self> {
        let id = key_id(name, ED25519, &key);
        is_key_name(name).then(|| Self { name: name.to_owned(), id, key })
    }
}

/// Whether a key can have this name: not empty, no white space, no `+`.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || c.is_control())
}

pub(crate) fn key_id(name: &str, kind: u8, key: &PublicKey) -> [u8; 4] {
    let mut message = name.as_bytes().to_vec();
    message.extend([b'\n', kind]);
    message.extend(key.as_bytes());
    let digest = Digest::of(&message);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

/// The text of a verifier key whose signatures are of this type.
pub(crate) fn vkey_text(name: &str, id: [u8; 4], kind: u8, key: &PublicKey) -> String {
    let mut typed = vec![kind];
    typed.extend(key.as_bytes());
    format!("{name}+{}+{}", hex::encode(&id), base64::std_encode(&typed))
}

/// Strict inverse of [`vkey_text`].
pub(crate) fn parse_vkey(text: &str, kind: u8) -> Option<(String, [u8; 4], PublicKey)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, typed) = (parts.next()?, parts.next()?, parts.next()?);
    let typed = base64::std_decode(typed).ok()?;
    let key = PublicKey::from_bytes(typed.strip_prefix(&[kind])?.try_into().ok()?).ok()?;
    let found = key_id(name, kind, &key);
    (is_key_name(name) && hex::encode(&found) == id).then(|| (name.to_owned(), found, key))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&vkey_text(&self.name, self.id, ED25519, &self.key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = parse_vkey(text, ED25519).ok_or(NoteError::VerifierKey)?;
        Ok(Self { name, id, key })
    }
}

/// A named signer of notes.
pub struct NoteSigner<'a> {
    key: VerifierKey,
    signer: &'a dyn Signer,
}

impl<'a> NoteSigner<'a> {
    /// Names a signer; see [`VerifierKey::new`].
    pub fn new(name: &str, signer: &'a dyn Signer) -> Option<Self> {
        VerifierKey::new(name, signer.public().clone()).map(|key| Self { key, signer })
    }

    /// The key that verifies its notes.
    pub fn vkey(&self) -> &VerifierKey {
        &self.key
    }
}

/// The note over `text`, which ends with a newline, with one signature line per signer.
pub fn sign(text: &str, signers: &[NoteSigner<'_>]) -> String {
    let mut note = format!("{text}\n");
    for signer in signers {
        let mut blob = signer.key.id.to_vec();
        blob.extend(signer.signer.sign(text.as_bytes()));
        note.push_str(&format!("\u{2014} {} {}\n", signer.key.name, base64::std_encode(&blob)));
    }
    note
}

/// A note at least one known key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text with its final newline.
    pub text: String,
    /// Names of the known keys whose signatures verify.
    pub verified: Vec<String>,
    /// The known keys whose signatures verify, each once.
    pub signers: Vec<VerifierKey>,
    /// The known cosigners whose cosignatures verify, each once.
    pub cosigned: Vec<Cosigned>,
    /// Names on signature lines of keys that are not known here.
    pub unknown: Vec<String>,
}

/// A cosigner that signed, and when it says it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Whose cosignature verified.
    pub key: CosignerKey,
    /// Unix seconds; of several cosignatures by one key the earliest.
    pub time_seconds: u64,
}

impl From<(CosignerKey, u64)> for Cosigned {
    fn from((key, time_seconds): (CosignerKey, u64)) -> Self {
        Self { key, time_seconds }
    }
}

/// Reads a note and checks its signatures against `keys`.
///
/// A known key with a bad signature refuses the note; unknown keys are listed and prove nothing.
pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<Note, NoteError> {
    open_cosigned(note, keys, &[])
}

/// As [`open`], with keys of cosigners: a known one with a bad cosignature refuses the note, too.
/// One of `keys` must have signed; cosigners cannot stand in for the log.
pub fn open_cosigned(
    note: &[u8],
    keys: &[VerifierKey],
    cosigners: &[CosignerKey],
) -> Result<Note, NoteError> {
    let opened = read(note, keys, cosigners)?;
    if opened.verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(opened) }
}

fn read(note: &[u8], keys: &[VerifierKey], cosigners: &[CosignerKey]) -> Result<Note, NoteError> {
    if note.len() > LIMIT {
        return Err(NoteError::Malformed);
    }
    let note = std::str::from_utf8(note).map_err(|_| NoteError::Malformed)?;
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Malformed);
    }
    let text = text_of(note).ok_or(NoteError::Malformed)?;
    let lines = note.get(text.len() + 1..).ok_or(NoteError::Malformed)?;
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let mut opened = Note {
        text: text.to_owned(),
        verified: Vec::new(),
        signers: Vec::new(),
        cosigned: Vec::new(),
        unknown: Vec::new(),
    };
    for (count, line) in lines.split('\n').enumerate() {
        if count == SIGNATURES {
            return Err(NoteError::Malformed);
        }
        let (name, blob) = signature_line(line).ok_or(NoteError::Malformed)?;
        let (id, signature) = blob.split_at_checked(4).ok_or(NoteError::Malformed)?;
        if let Some(known) = cosigners.iter().find(|key| key.name == name && key.id == id) {
            let bad = || NoteError::BadSignature(name.to_owned());
            let made = Cosignature::from_blob(name, &blob).filter(|made| made.verify(known, text));
            let time_seconds = made.ok_or_else(bad)?.time_seconds;
            match opened.cosigned.iter_mut().find(|seen| seen.key == *known) {
                Some(seen) => seen.time_seconds = seen.time_seconds.min(time_seconds),
                None => opened.cosigned.push(Cosigned { key: known.clone(), time_seconds }),
            }
            continue;
        }
        let Some(known) = keys.iter().find(|key| key.name == name && key.id == id) else {
            opened.unknown.push(name.to_owned());
            continue;
        };
        let valid = <&[u8; 64]>::try_from(signature)
            .is_ok_and(|signature| known.key.verify(text.as_bytes(), signature));
        if !valid {
            return Err(NoteError::BadSignature(name.to_owned()));
        }
        // A second line of one key adds nothing.
        if !opened.signers.contains(known) {
            opened.signers.push(known.clone());
        }
        if !opened.verified.iter().any(|seen| seen == name) {
            opened.verified.push(name.to_owned());
        }
    }
    Ok(opened)
}

/// The text of a note, with its final newline: what stands before the last blank line. Nothing is
/// verified.
pub fn text_of(note: &str) -> Option<&str> {
    note.rfind("\n\n").map(|split| &note[..=split])
}

/// Name and blob (key id and signature) of a signature line without its newline.
pub(crate) fn signature_line(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    if !is_key_name(name) {
        return None;
    }
    Some((name, base64::std_decode(blob).ok()?))
}

/// The statement of a log about its size and root (C2SP tlog-checkpoint), without extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The note text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64::std_encode(self.root.as_bytes()))
    }

    /// Strict inverse of [`Checkpoint::text`]; extension lines are refused.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        match Self::parse_extended(text)? {
            (checkpoint, "") => Ok(checkpoint),
            _ => Err(NoteError::Checkpoint),
        }
    }

    /// Reads a text that other logs may have signed: behind the three lines there may be extension
    /// lines, none of them empty. They come back as they stand and mean nothing here.
    pub fn parse_extended(text: &str) -> Result<(Self, &str), NoteError> {
        let mut lines = text.strip_suffix('\n').ok_or(NoteError::Checkpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Checkpoint);
        };
        let root = base64::std_decode(root).ok().and_then(|raw| raw.try_into().ok());
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| NoteError::Checkpoint)?,
            root: Digest::from_bytes(root.ok_or(NoteError::Checkpoint)?),
        };
        let extension = text.strip_prefix(&checkpoint.text()).ok_or(NoteError::Checkpoint)?;
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(NoteError::Checkpoint);
        }
        Ok((checkpoint, extension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    const NOTE: &str = "log.example/receipts\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n\u{2014} log.example/receipts tcK6LCGpd68u6m7cH5gcZfV4YMMB2/6jRhEbW6blxPXIVQu4oU6SWeTF28aPsYWUbcAzXDksRWjsPF/L9crFxrroLg0=\n";

    fn log_key() -> SecretKey {
        SecretKey::from_seed(std::array::from_fn(|n| n as u8))
    }

    #[test]
    fn specification_vector() {
        let key: VerifierKey =
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
                .parse()
                .unwrap();
        let text = "This is an example message.\n";
        let signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";
        let note = format!("{text}\n\u{2014} example.com/foo {signature}\n");
        let opened = open(note.as_bytes(), &[key]).unwrap();
        assert_eq!((opened.text.as_str(), opened.verified.len()), (text, 1));
    }

    #[test]
    fn checkpoint_vector_is_reproduced() {
        let key = log_key();
        let signer = NoteSigner::new("log.example/receipts", &key).unwrap();
        let vkey = "log.example/receipts+b5c2ba2c+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
        assert_eq!(signer.vkey().to_string(), vkey);
        let opened = open(NOTE.as_bytes(), &[vkey.parse().unwrap()]).unwrap();
        let checkpoint = Checkpoint::parse(&opened.text).unwrap();
        assert_eq!(checkpoint.size, 8);
        assert_eq!(sign(&checkpoint.text(), &[signer]), NOTE);
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let key = NoteSigner::new("log.example/receipts", &log_key()).unwrap().vkey().clone();
        for at in 0..NOTE.len() {
            let mut bytes = NOTE.as_bytes().to_vec();
            bytes[at] ^= 1;
            let opened = open(&bytes, std::slice::from_ref(&key));
            assert!(opened.is_err(), "byte {at}: {opened:?}");
        }
    }

    #[test]
    fn many_signers_and_not_without_end() {
        let key = log_key();
        let vkey = NoteSigner::new("log.example/receipts", &key).unwrap().vkey().clone();
        let stranger = "\u{2014} stranger.example AAAAAAAAAAA=\n";
        let many = |count| format!("{NOTE}{}", stranger.repeat(count));
        let keys = std::slice::from_ref(&vkey);
        let opened = open(many(SIGNATURES - 1).as_bytes(), keys).unwrap();
        assert_eq!((opened.verified.len(), opened.unknown.len()), (1, SIGNATURES - 1));
        assert_eq!(open(many(SIGNATURES).as_bytes(), keys), Err(NoteError::Malformed));
        let huge = many(SIGNATURES - 1) + &" ".repeat(LIMIT);
        assert_eq!(open(huge.as_bytes(), keys), Err(NoteError::Malformed));
    }

    #[test]
    fn malformed_checkpoints() {
        let root = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";
        for bad in [
            "".to_owned(),
            format!("o\n8\n{root}"),
            format!("o\n08\n{root}\n"),
            format!("o\n+8\n{root}\n"),
            format!("\n8\n{root}\n"),
            format!("o\n8\n{root}\nextension\n"),
            "o\n8\nAAAA\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::parse(&bad), Err(NoteError::Checkpoint), "{bad:?}");
        }
        let extended = format!("o\n8\n{root}\none\ntwo\n");
        let (checkpoint, extension) = Checkpoint::parse_extended(&extended).unwrap();
        assert_eq!((checkpoint.size, extension), (8, "one\ntwo\n"));
        for bad in ["\n", "a\n\n", "a\n\nb\n", "a"] {
            let text = format!("o\n8\n{root}\n{bad}");
            assert!(Checkpoint::parse_extended(&text).is_err(), "{bad:?}");
        }
    }
}
