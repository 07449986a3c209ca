//! Cosignatures of witnesses (C2SP tlog-cosignature, `cosignature/v1` with Ed25519): somebody else
//! saw this checkpoint, at this time, and it extended all that they had seen of the log before.
//!
//! The message that is signed does not name the cosigner, so a key belongs to one cosigner name.

use std::fmt;
use std::str::FromStr;

use crate::base64;
use crate::key::PublicKey;
use crate::note::{self, NoteError};
use crate::signer::Signer;

/// Signature type byte of a timestamped Ed25519 cosignature.
const COSIGNATURE: u8 = 0x04;
/// Latest time of a cosignature, seconds: 2^63 - 1.
const LATEST: u64 = i64::MAX as u64;

/// The key of a cosigner: `name+hash+base64(0x04 || key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignerKey {
    /// The cosigner's name.
    pub name: String,
    /// `SHA-256(name || LF || 0x04 || key)[..4]`.
    pub id: [u8; 4],
    /// The Ed25519 key.
    pub key: PublicKey,
}

impl CosignerKey {
    /// Names a key; `None` when the name is empty or has white space or `+`.
    pub fn new(name: &str, key: PublicKey) -> Option<Self> {
        let id = note::key_id(name, COSIGNATURE, &key);
        note::is_key_name(name).then(|| Self { name: name.to_owned(), id, key })
    }

    /// Whether this key made `signature` over the checkpoint text, which ends with a newline, at
    /// that time.
    pub fn verify(&self, text: &str, time_seconds: u64, signature: &[u8; 64]) -> bool {
        (1..=LATEST).contains(&time_seconds)
            && self.key.verify(message(text, time_seconds).as_bytes(), signature)
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&note::vkey_text(&self.name, self.id, COSIGNATURE, &self.key))
    }
}

impl FromStr for CosignerKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = note::parse_vkey(text, COSIGNATURE).ok_or(NoteError::CosignerKey)?;
        Ok(Self { name, id, key })
    }
}

/// What a cosigner signs; `text` is the whole checkpoint without signature lines.
fn message(text: &str, time_seconds: u64) -> String {
    format!("cosignature/v1\ntime {time_seconds}\n{text}")
}

/// A named maker of cosignatures.
pub struct Cosigner<'a> {
    key: CosignerKey,
    signer: &'a dyn Signer,
}

impl<'a> Cosigner<'a> {
    /// Names a signer; see [`CosignerKey::new`].
    pub fn new(name: &str, signer: &'a dyn Signer) -> Option<Self> {
        CosignerKey::new(name, signer.public().clone()).map(|key| Self { key, signer })
    }

    /// The key that verifies its cosignatures.
    pub fn vkey(&self) -> &CosignerKey {
        &self.key
    }

    /// The cosignature of a checkpoint text, which ends with a newline, at a Unix time in seconds;
    /// `None` when the time is 0 or above 2^63 - 1.
    pub fn sign(&self, text: &str, time_seconds: u64) -> Option<Cosignature> {
        (1..=LATEST).contains(&time_seconds).then(|| Cosignature {
            name: self.key.name.clone(),
            id: self.key.id,
            time_seconds,
            signature: self.signer.sign(message(text, time_seconds).as_bytes()),
        })
    }
}

/// One cosignature line of a note, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Who is said to have made it.
    pub name: String,
    /// Short id of the key; a hint.
    pub id: [u8; 4],
    /// When, in Unix seconds.
    pub time_seconds: u64,
    /// Ed25519 over time and checkpoint text.
    pub signature: [u8; 64],
}

impl Cosignature {
    /// Reads one line, with or without its newline. The signature is not checked.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let (name, blob) = note::signature_line(line).ok_or(NoteError::Cosignature)?;
        Self::from_blob(name, &blob).ok_or(NoteError::Cosignature)
    }

    pub(crate) fn from_blob(name: &str, blob: &[u8]) -> Option<Self> {
        let (id, rest) = blob.split_first_chunk::<4>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let time_seconds = u64::from_be_bytes(*time);
        let signature = <[u8; 64]>::try_from(rest).ok()?;
        (1..=LATEST).contains(&time_seconds).then(|| Self {
            name: name.to_owned(),
            id: *id,
            time_seconds,
            signature,
        })
    }

    /// Whether this key made it over this checkpoint text.
    pub fn verify(&self, key: &CosignerKey, text: &str) -> bool {
        self.name == key.name
            && self.id == key.id
            && key.verify(text, self.time_seconds, &self.signature)
    }
}

/// The line, with its newline.
impl fmt::Display for Cosignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blob = self.id.to_vec();
        blob.extend(self.time_seconds.to_be_bytes());
        blob.extend(self.signature);
        writeln!(f, "\u{2014} {} {}", self.name, base64::std_encode(&blob))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use crate::note::{NoteSigner, VerifierKey, open, open_cosigned};

    const TEXT: &str = "log.example/receipts\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n";
    const NOTE: &str = "log.example/receipts\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n\u{2014} log.example/receipts tcK6LCGpd68u6m7cH5gcZfV4YMMB2/6jRhEbW6blxPXIVQu4oU6SWeTF28aPsYWUbcAzXDksRWjsPF/L9crFxrroLg0=\n\u{2014} witness.example/w1 IDJKvgAAAABlU/EAlCXRGXjkClazC9cyFQxu9zQugCsqFW2fiSHe3QwLxTcMB2QTLYLPA4aQ1iI23OV26CMO3EToy4VZE6j20g/KBg==\n";
    const WITNESS: &str =
        "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
    const TIME: u64 = 1_700_000_000;

    fn secret(from: u8) -> SecretKey {
        SecretKey::from_seed(std::array::from_fn(|n| from + n as u8))
    }

    fn log_key() -> VerifierKey {
        NoteSigner::new("log.example/receipts", &secret(0)).unwrap().vkey().clone()
    }

    #[test]
    fn the_full_vector_is_reproduced() {
        let (log, wit) = (secret(0), secret(0x20));
        let witness = Cosigner::new("witness.example/w1", &wit).unwrap();
        assert_eq!(witness.vkey().to_string(), WITNESS);
        assert_eq!(WITNESS.parse(), Ok(witness.vkey().clone()));
        let signer = NoteSigner::new("log.example/receipts", &log).unwrap();
        let mut note = note::sign(TEXT, &[signer]);
        note.push_str(&witness.sign(TEXT, TIME).unwrap().to_string());
        assert_eq!(note, NOTE);
        let keys = [witness.vkey().clone()];
        let opened = open_cosigned(NOTE.as_bytes(), &[log_key()], &keys).unwrap();
        assert_eq!(opened.verified, ["log.example/receipts"]);
        assert_eq!(opened.cosigned, [(keys[0].clone(), TIME)].map(Into::into));
        assert_eq!(opened.unknown, Vec::<String>::new());
        // Who knows no witness sees a line of somebody unknown.
        assert_eq!(open(NOTE.as_bytes(), &[log_key()]).unwrap().unknown, ["witness.example/w1"]);
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let keys = [WITNESS.parse().unwrap()];
        let behind = NOTE.rfind('\u{2014}').unwrap();
        for at in 0..NOTE.len() {
            for bit in [1, 0x20] {
                let mut bytes = NOTE.as_bytes().to_vec();
                bytes[at] ^= bit;
                let opened = open_cosigned(&bytes, &[log_key()], &keys);
                // Another name or id is somebody unknown, whose line proves nothing.
                let lost =
                    at > behind && opened.as_ref().is_ok_and(|note| note.cosigned.is_empty());
                assert!(opened.is_err() || lost, "byte {at}: {opened:?}");
            }
        }
    }

    #[test]
    fn a_cosigner_alone_is_not_the_log_and_the_log_no_cosigner() {
        let only =
            NOTE.replacen(NOTE.split('\n').nth(4).unwrap(), "", 1).replacen("\n\n\n", "\n\n", 1);
        let keys = [WITNESS.parse().unwrap()];
        assert_eq!(open_cosigned(only.as_bytes(), &[log_key()], &keys), Err(NoteError::Unsigned));
        let (log, wit) = (log_key().to_string(), WITNESS);
        assert_eq!(log.parse::<CosignerKey>(), Err(NoteError::CosignerKey));
        assert_eq!(wit.parse::<VerifierKey>(), Err(NoteError::VerifierKey));
    }

    #[test]
    fn times_and_texts_are_bound() {
        let wit = secret(0x20);
        let witness = Cosigner::new("w", &wit).unwrap();
        for time in [0, LATEST + 1, u64::MAX] {
            assert_eq!(witness.sign(TEXT, time), None);
            // Nor does one count that somebody made all the same.
            let signature = wit.sign(message(TEXT, time).as_bytes());
            assert!(!witness.vkey().verify(TEXT, time, &signature), "{time}");
            let line = Cosignature {
                name: "w".into(),
                id: witness.vkey().id,
                time_seconds: time,
                signature,
            };
            assert_eq!(Cosignature::parse(&line.to_string()), Err(NoteError::Cosignature));
        }
        let made = witness.sign(TEXT, TIME).unwrap();
        assert!(made.verify(witness.vkey(), TEXT));
        assert!(!made.verify(witness.vkey(), &TEXT[1..]));
        assert!(
            !Cosignature { time_seconds: TIME + 1, ..made.clone() }.verify(witness.vkey(), TEXT)
        );
        assert!(!made.verify(&CosignerKey::new("v", wit.public().clone()).unwrap(), TEXT));
        assert_eq!(Cosignature::parse(&made.to_string()), Ok(made));
        for bad in ["", "\u{2014} w AAAA", "w AAAA", "\u{2014} w", "\u{2014} w+ AAAA"] {
            assert_eq!(Cosignature::parse(bad), Err(NoteError::Cosignature), "{bad:?}");
        }
    }

    #[test]
    fn a_second_line_of_one_cosigner_counts_once_with_the_earlier_time() {
        let wit = secret(0x20);
        let witness = Cosigner::new("witness.example/w1", &wit).unwrap();
        let keys = [witness.vkey().clone()];
        for time in [TIME - 5, TIME + 5] {
            let note = format!("{NOTE}{}", witness.sign(TEXT, time).unwrap());
            let opened = open_cosigned(note.as_bytes(), &[log_key()], &keys).unwrap();
            assert_eq!(opened.cosigned, [(keys[0].clone(), time.min(TIME))].map(Into::into));
        }
    }
}
