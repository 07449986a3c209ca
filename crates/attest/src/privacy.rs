//! What stays apart from a statement: the salts of commitments, and the archive that is encrypted.

use std::collections::BTreeMap;

use seal::base64;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::mac::{equal, hmac_sha256, hmac_sha256_of};

use crate::statement::{Privacy, Statement};

/// The secret from which every salt of one statement follows; whoever has it can check commitments, and
/// guess what they commit to.
#[derive(Clone, PartialEq, Eq)]
pub struct Salts {
    secret: [u8; 32],
}

/// Why a text is no file of salts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a file of salts: expected {{\"statement\": …, \"secret\": 64 hexadecimal digits, \"v\": 1}}"
)]
pub struct SaltsError;

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salts(secret)")
    }
}

impl Salts {
    /// From 32 random bytes.
    pub fn of(secret: [u8; 32]) -> Salts {
        Salts { secret }
    }

    /// The salt of one file.
    pub fn salt(&self, role: &str, path: &str) -> [u8; 32] {
        hmac_sha256_of(&self.secret, &[b"salt\0", role.as_bytes(), b"\0", path.as_bytes()])
    }

    /// The commitment to a file's content, and the digest that names its salt.
    pub fn commit(&self, role: &str, path: &str, content: &[u8]) -> (Digest, Digest) {
        let salt = self.salt(role, path);
        (Digest::from_bytes(hmac_sha256(&salt, content)), Digest::of(&salt))
    }

    /// The salts of all commitments of a statement, by the digests that name them.
    pub fn of_statement(&self, statement: &Statement) -> BTreeMap<Digest, Vec<u8>> {
        let salted = statement.subjects.iter().filter(|subject| subject.salt.is_some());
        let salts = salted.map(|subject| self.salt(&subject.role, &subject.path));
        salts.map(|salt| (Digest::of(&salt), salt.to_vec())).collect()
    }

    /// As the text of a file that its owner keeps.
    pub fn write(&self, statement: &str) -> String {
        let value = Value::object([
            ("v", Value::from(1i64)),
            ("statement", statement.into()),
            ("secret", seal::hex::encode(&self.secret).into()),
        ]);
        seal::json::write_plain(&value) + "\n"
    }

    /// Reads what [`Salts::write`] wrote: the id of the statement, and its salts.
    pub fn read(text: &[u8]) -> Result<(String, Salts), SaltsError> {
        let value = parse(text, Limits { bytes: 4096, depth: 4 }).map_err(|_| SaltsError)?;
        let members = value.as_object().ok_or(SaltsError)?;
        let member = |name: &str| value.get(name).and_then(Value::as_str).ok_or(SaltsError);
        if members.len() != 3 || value.get("v").and_then(Value::as_i64) != Some(1) {
            return Err(SaltsError);
        }
        let secret = Digest::from_hex(member("secret")?).ok_or(SaltsError)?;
        Ok((member("statement")?.to_owned(), Salts { secret: *secret.as_bytes() }))
    }
}

/// The files of a statement, as they are encrypted: a line with the secret, then JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Archive {
    /// The key of the commitment; the salts of the statement follow from it.
    pub salts: Salts,
    /// Role, path and content.
    pub files: Vec<(String, String, Vec<u8>)>,
}

/// Longest archive, bytes.
pub const ARCHIVE_LIMIT: usize = 64 << 20;

/// Why decrypted bytes are not what a statement says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Not an archive.
    #[error("what is inside is no archive of attested files")]
    Form,
    /// Not what was committed to.
    #[error("what is inside is not what the statement commits to")]
    Commitment,
    /// A file is missing, or is another one.
    #[error("{0:?} inside is not what the statement says of it")]
    File(String),
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({} files)", self.files.len())
    }
}

impl Archive {
    /// The bytes that are encrypted, and the commitment to them.
    pub fn write(&self) -> (Vec<u8>, Digest) {
        let files = self.files.iter().map(|(role, path, content)| {
            Value::object([
                ("role", Value::from(role)),
                ("name", path.into()),
                ("content", base64::std_encode(content).into()),
            ])
        });
        let body = write_receipt(&Value::object([("files", Value::array(files))]))
            .expect("an archive holds texts only");
        let commitment = hmac_sha256_of(&self.salts.secret, &[b"archive\0", body.as_bytes()]);
        let head = seal::hex::encode(&self.salts.secret);
        (format!("{head}\n{body}\n").into_bytes(), Digest::from_bytes(commitment))
    }

    /// Reads decrypted bytes, and holds them against the statement that they travelled with.
    pub fn read(bytes: &[u8], statement: &Statement) -> Result<Archive, ArchiveError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ArchiveError::Form)?;
        let (head, body) = text.split_once('\n').ok_or(ArchiveError::Form)?;
        let body = body.strip_suffix('\n').ok_or(ArchiveError::Form)?;
        let secret = *Digest::from_hex(head).ok_or(ArchiveError::Form)?.as_bytes();
        let found = hmac_sha256_of(&secret, &[b"archive\0", body.as_bytes()]);
        match &statement.privacy {
            Privacy::EncryptedPayload { commitment, .. }
                if equal(&found, commitment.as_bytes()) => {}
            _ => return Err(ArchiveError::Commitment),
        }
        let value = parse(body.as_bytes(), Limits { bytes: ARCHIVE_LIMIT, depth: 8 })
            .map_err(|_| ArchiveError::Form)?;
        let listed = value.get("files").and_then(Value::as_array).ok_or(ArchiveError::Form)?;
        let file = |one: &Value| {
            let text = |name: &str| one.get(name)?.as_str().map(str::to_owned);
            Some((text("role")?, text("name")?, base64::std_decode(&text("content")?).ok()?))
        };
        let files: Option<Vec<_>> = listed.iter().map(file).collect();
        let archive = Archive { salts: Salts::of(secret), files: files.ok_or(ArchiveError::Form)? };
        archive.is_of(statement)?;
        Ok(archive)
    }

    fn is_of(&self, statement: &Statement) -> Result<(), ArchiveError> {
        // who wrote both sorted both
        for (at, subject) in statement.subjects.iter().enumerate() {
            let same = self.files.get(at).is_some_and(|(role, path, content)| {
                let (commitment, salt) = self.salts.commit(role, path, content);
                (role, path) == (&subject.role, &subject.path)
                    && content.len() as u64 == subject.size
                    && subject.salt == Some(salt)
                    && subject.digest == commitment
            });
            if !same {
                return Err(ArchiveError::File(subject.path.clone()));
            }
        }
        match self.files.get(statement.subjects.len()) {
            Some((_, path, _)) => Err(ArchiveError::File(path.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_are_of_one_file_each_and_are_not_shown() {
        let salts = Salts::of([7; 32]);
        let (a, b) = (salts.commit("r", "a", b"yes"), salts.commit("r", "b", b"yes"));
        assert!(a.0 != b.0 && a.1 != b.1);
        assert_ne!(salts.commit("s", "a", b"yes"), a);
        assert_ne!(a.0, Digest::of(b"yes"));
        let text = salts.write("some-id");
        assert_eq!(Salts::read(text.as_bytes()), Ok(("some-id".into(), salts.clone())));
        assert_eq!(Salts::read(text.replace("\"v\":1", "\"v\":2").as_bytes()), Err(SaltsError));
        assert_eq!(Salts::read(b"{}"), Err(SaltsError));
        assert!(!format!("{salts:?}").contains('7'));
    }
}
