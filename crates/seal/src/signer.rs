//! The joint through which every signature is made, so that keys may live elsewhere.

use crate::key::{KeyId, PublicKey};

/// Makes Ed25519 signatures with one key.
///
/// An implementation signs exactly the bytes given (no prehash), answers with a signature that
/// [`PublicKey::verify`] accepts, and never shows the private key.
pub trait Signer: Send + Sync {
    /// The key that verifies what this signer signs.
    fn public(&self) -> &PublicKey;

    /// The short id of that key.
    fn key_id(&self) -> KeyId {
        self.public().key_id()
    }

    /// Signs `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

impl<T: Signer + ?Sized> Signer for &T {
    fn public(&self) -> &PublicKey {
        (**self).public()
    }

    fn key_id(&self) -> KeyId {
        (**self).key_id()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        (**self).sign(message)
    }
}
