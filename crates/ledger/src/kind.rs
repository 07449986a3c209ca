//! What an entry is: a closed list, so that a verifier knows what to expect of every body.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $max:expr;)*) => {
        /// The kind of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind, in the order of the specification.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The name written into the leaf.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $text,)* }
            }

            /// The longest body this kind may have, in bytes.
            pub fn max_body(self) -> usize {
                match self { $(Kind::$name => $max,)* }
            }
        }

        impl FromStr for Kind {
            type Err = UnknownKind;
            fn from_str(text: &str) -> Result<Kind, UnknownKind> {
                match text {
                    $($text => Ok(Kind::$name),)*
                    _ => Err(UnknownKind),
                }
            }
        }
    };
}

kinds! {
    /// One line of the audit chain.
    Audit = "audit", 128 * KIB;
    /// A `provenance-receipt/v1` as compact JWS.
    Receipt = "receipt", 64 * KIB;
    /// A decision receipt as compact JWS.
    Decision = "decision", 4 * KIB;
    /// A capability statement.
    Capability = "capability", 64 * KIB;
    /// A ruleset, by digest, once.
    Ruleset = "ruleset", MAX_BODY;
    /// An effective configuration, by digest, once.
    Config = "config", MIB;
    /// The outside facts a ruling used.
    Facts = "facts", 256 * KIB;
    /// The manifest of a feed.
    Feed = "feed", MAX_BODY;
    /// A signed attestation.
    Attestation = "attestation", MAX_BODY;
    /// A new key, signed by the root key.
    Rotation = "rotation", 64 * KIB;
    /// A revoked key, signed by the root key.
    Revocation = "revocation", 64 * KIB;
    /// A timestamp or witness proof about a checkpoint.
    Anchor = "anchor", MIB;
    /// What a start or an operator cut off a damaged journal, and where it was put.
    Repair = "repair", 16 * KIB;
    /// Whose bodies were removed under a retention policy.
    Prune = "prune", MIB;
}

impl Kind {
    /// Kinds whose bodies are never pruned and never encrypted: what tells a verifier whose keys
    /// count, what time is attested, and what became of everything else.
    pub fn is_permanent(self) -> bool {
        use Kind::{Anchor, Prune, Repair, Revocation, Rotation};
        matches!(self, Rotation | Revocation | Anchor | Repair | Prune)
    }

    /// Kinds that only the ledger itself writes.
    pub fn is_reserved(self) -> bool {
        matches!(self, Kind::Repair | Kind::Prune)
    }
}

/// No body of any kind is longer: what a reader allocates for one frame is bounded.
pub const MAX_BODY: usize = 16 * MIB;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A kind this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of entry")]
pub struct UnknownKind;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
