//! Who reads: decrypting.

use std::fmt;
use std::io::Read;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, x25519};

use crate::recipients::Recipients;

/// Private keys that open bodies.
#[derive(Clone)]
pub struct Identities(Vec<x25519::Identity>);

/// Text that holds no identity. None of it is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableIdentity {
    /// There is none.
    #[error("no identity is there: expected a line AGE-SECRET-KEY-1…, as `age-keygen` writes it")]
    None,
    /// A line is neither a comment nor an X25519 identity.
    #[error("line {line} is no age identity: expected AGE-SECRET-KEY-1… or a comment")]
    Form {
        /// Which line, from 1.
        line: usize,
    },
}

/// A body that was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is addressed to others.
    #[error("the body is encrypted for others")]
    NotForUs,
    /// It is not an age file that holds together.
    #[error("the encrypted body is damaged, or is no age file")]
    Damaged,
    /// What is inside is longer than it may be.
    #[error("the encrypted body is longer than {limit} bytes inside")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

impl Identities {
    /// Reads what `age-keygen` writes: one identity a line, `#` begins a comment.
    pub fn parse(text: &str) -> Result<Identities, UnusableIdentity> {
        let mut identities = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity = line.parse().map_err(|_| UnusableIdentity::Form { line: at + 1 })?;
            identities.push(identity);
        }
        if identities.is_empty() { Err(UnusableIdentity::None) } else { Ok(Identities(identities)) }
    }

    /// Decrypts an armoured age file of at most `limit` bytes inside.
    pub fn open(&self, sealed: &[u8], limit: usize) -> Result<Vec<u8>, OpenError> {
        let failed = |error| match error {
            DecryptError::NoMatchingKeys => OpenError::NotForUs,
            _ => OpenError::Damaged,
        };
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(failed)?;
        let identities = self.0.iter().map(|identity| identity as &dyn age::Identity);
        let reader = decryptor.decrypt(identities).map_err(failed)?;
        let mut body = Vec::new();
        // One byte more tells a longer one; what an outsider wrote decides no allocation.
        let mut reader = reader.take(limit as u64 + 1);
        reader.read_to_end(&mut body).map_err(|_| OpenError::Damaged)?;
        if body.len() > limit { Err(OpenError::TooLong { limit }) } else { Ok(body) }
    }

    /// The public halves.
    pub fn recipients(&self) -> Recipients {
        Recipients::of(self.0.iter().map(x25519::Identity::to_public).collect())
    }

    /// Whether these open what is encrypted for those: tried, not compared.
    pub fn open_what_is_for(&self, recipients: &Recipients) -> bool {
        const PROBE: &[u8] = b"probe";
        let Ok(sealed) = recipients.seal(PROBE) else { return false };
        self.open(&sealed, PROBE.len()).is_ok_and(|body| body == PROBE)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} identities (secret)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the age specification's test suite: nobody's keys.
    const SECRET: &str =
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn what_is_sealed_is_opened_by_its_recipients_alone() {
        let ours = Identities::parse(&format!("# ours\n\n{SECRET}\n")).unwrap();
        let other = x25519::Identity::generate();
        let other = Identities(vec![other]);
        assert_eq!(ours.recipients().0[0].to_string(), PUBLIC);
        for body in [&b""[..], b"text", &[b'x'; 100_000]] {
            let sealed = Recipients::parse([PUBLIC]).unwrap().seal(body).unwrap();
            assert!(sealed.is_ascii() && !sealed.contains(&0));
            assert_eq!(ours.open(&sealed, body.len()).as_deref(), Ok(body));
            assert_eq!(other.open(&sealed, body.len()), Err(OpenError::NotForUs));
            if !body.is_empty() {
                let limit = body.len() - 1;
                assert_eq!(ours.open(&sealed, limit), Err(OpenError::TooLong { limit }));
            }
        }
        let both =
            Recipients(vec![ours.recipients().0[0].clone(), other.recipients().0[0].clone()]);
        let sealed = both.seal(b"for two").unwrap();
        assert_eq!(ours.open(&sealed, 10).unwrap(), other.open(&sealed, 10).unwrap());
        assert!(ours.open_what_is_for(&both) && !other.open_what_is_for(&ours.recipients()));
    }

    #[test]
    fn no_changed_byte_passes() {
        let ours = Identities::parse(SECRET).unwrap();
        let sealed = ours.recipients().seal(b"a body").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            // Armour may be written in several ways; what is inside may not change.
            if let Ok(body) = ours.open(&changed, 100) {
                assert_eq!(body, b"a body", "byte {at}");
            }
        }
        for end in 0..sealed.len() - 1 {
            assert!(ours.open(&sealed[..end], 100).is_err(), "cut at {end}");
        }
        assert_eq!(ours.open(b"no age file", 100), Err(OpenError::Damaged));
    }

    #[test]
    fn errors_and_debug_show_no_key() {
        let error = Identities::parse(&SECRET.replace('Q', "B")).unwrap_err();
        assert_eq!(error, UnusableIdentity::Form { line: 1 });
        assert_eq!(Identities::parse("# none\n").unwrap_err(), UnusableIdentity::None);
        assert_eq!(
            Recipients::parse([PUBLIC, SECRET]).unwrap_err(),
            crate::UnusableRecipient::Form { position: 2 }
        );
        assert!(Recipients::parse([]).is_err());
        let shown = format!("{:?} {error} {error:?}", Identities::parse(SECRET).unwrap());
        assert!(!shown.contains("-1GQ"), "{shown}");
        assert!(format!("{:?}", Recipients::parse([PUBLIC]).unwrap()).contains(PUBLIC));
    }
}
