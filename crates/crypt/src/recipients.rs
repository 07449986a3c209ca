//! Who may read: encrypting.

use std::fmt;
use std::io::{self, Write};

use age::armor::{ArmoredWriter, Format};
use age::{Encryptor, x25519};

/// Public keys that bodies are encrypted for.
#[derive(Clone)]
pub struct Recipients(pub(crate) Vec<x25519::Recipient>);

/// Text that names no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableRecipient {
    /// There is none.
    #[error("no recipient is named: give at least one public key, age1…")]
    None,
    /// Not an X25519 recipient. The text is not repeated: it may be a secret in the wrong place.
    #[error("recipient {position} is no age public key: expected age1… (X25519)")]
    Form {
        /// Which one, from 1.
        position: usize,
    },
    /// More than a body's header may carry.
    #[error("{count} recipients are named, at most {LIMIT} may be")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// Nothing was encrypted.
#[derive(Debug, thiserror::Error)]
#[error("the body could not be encrypted: {0}")]
pub struct SealError(#[from] io::Error);

/// As many as fit the room that a ledger keeps for an encrypted body's header.
const LIMIT: usize = 64;

impl Recipients {
    /// Reads public keys, `age1…` each.
    pub fn parse<'a>(
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Recipients, UnusableRecipient> {
        let mut recipients = Vec::new();
        for (at, key) in keys.into_iter().enumerate() {
            let recipient = key.trim().parse();
            recipients.push(recipient.map_err(|_| UnusableRecipient::Form { position: at + 1 })?);
        }
        match recipients.len() {
            0 => Err(UnusableRecipient::None),
            count if count > LIMIT => Err(UnusableRecipient::TooMany { count }),
            _ => Ok(Recipients(recipients)),
        }
    }

    pub(crate) fn of(recipients: Vec<x25519::Recipient>) -> Recipients {
        Recipients(recipients)
    }

    /// Encrypts for all of them: an armoured age file, ASCII.
    pub fn seal(&self, body: &[u8]) -> Result<Vec<u8>, SealError> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut out = Vec::with_capacity(body.len() / 3 * 4 + 512);
        let armor = ArmoredWriter::wrap_output(&mut out, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(body)?;
        writer.finish()?.finish()?;
        Ok(out)
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(ToString::to_string)).finish()
    }
}
