//! Which logs and witnesses count, and how many of them must have signed (C2SP tlog-policy): the
//! file an offline verifier brings along.
//!
//! Everything fails closed: a line that is not understood, a name that is not defined, a missing
//! quorum refuse the whole file, and `quorum none` is said, never assumed.

mod read;

use std::fmt;

use crate::cosign::CosignerKey;
use crate::note::{self, Checkpoint, Cosigned, NoteError, VerifierKey};

pub use read::{PolicyError, PolicyFault};

/// Most logs, most witnesses and most groups of a policy, each.
pub const LIMIT: usize = 64;

/// A name inside a policy: octets without white space, with no meaning outside of the file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// For people: octets that are no text are replaced.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// A log whose checkpoints count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its key; the key's name is the origin.
    pub key: VerifierKey,
    /// Where it is, as the file says; not looked at here.
    pub url: Option<String>,
}

/// A witness whose cosignatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name in this policy.
    pub name: Name,
    /// Its key.
    pub key: CosignerKey,
    /// Its submission prefix, as the file says; not looked at here.
    pub url: Option<String>,
}

/// Members of which some must have witnessed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: Name,
    /// How many of the members, from 1 to all.
    threshold: usize,
    members: Vec<Member>,
}

/// What a name stands for: a place in the list of witnesses or of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    /// Defined before whatever refers to it, so that nothing refers to itself.
    Group(usize),
}

/// A policy, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// `None` is the explicit `quorum none`.
    quorum: Option<Member>,
}

/// What a policy says about a checkpoint that one of its logs signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What the log states.
    pub checkpoint: Checkpoint,
    /// The log's key.
    pub log: VerifierKey,
    /// The witnesses of the policy that cosigned, in the order of the note's lines.
    pub witnesses: Vec<Cosigner>,
    /// Whether they are the quorum; with `quorum none` always.
    pub quorum_met: bool,
    /// Names on lines of keys the policy does not know; they prove nothing.
    pub unknown: Vec<String>,
}

/// A witness that cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    /// Its name in the policy.
    pub name: Name,
    /// Its key.
    pub key: CosignerKey,
    /// When, as it says, in Unix seconds.
    pub time_seconds: u64,
}

impl Policy {
    /// Reads a policy: octets, every line ended by a newline, at most 128 KiB.
    pub fn parse(octets: &[u8]) -> Result<Policy, PolicyError> {
        read::parse(octets)
    }

    /// A log alone, without witnesses: `log KEY`, `quorum none`.
    pub fn of_log(key: VerifierKey) -> Policy {
        let logs = vec![Log { key, url: None }];
        Policy { logs, witnesses: Vec::new(), groups: Vec::new(), quorum: None }
    }

    /// The logs, in the order of the file; there may be none where the log is known from elsewhere.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses, in the order of the file, those that no quorum needs included.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The keys of all witnesses.
    pub fn cosigner_keys(&self) -> Vec<CosignerKey> {
        self.witnesses.iter().map(|witness| witness.key.clone()).collect()
    }

    /// The name of the quorum; `None` where the policy says that none is needed.
    pub fn quorum(&self) -> Option<&Name> {
        self.quorum.and_then(|quorum| match quorum {
            Member::Witness(at) => self.witnesses.get(at).map(|witness| &witness.name),
            Member::Group(at) => self.groups.get(at).map(|group| &group.name),
        })
    }

    /// The same policy for this log alone; `None` when the policy lists logs and this key is not
    /// among them. A policy without logs takes the one it is given.
    pub fn for_log(&self, key: &VerifierKey) -> Option<Policy> {
        let url = match self.logs.iter().find(|log| log.key == *key) {
            Some(log) => log.url.clone(),
            None if self.logs.is_empty() => None,
            None => return None,
        };
        // Nobody is witness of what they signed themselves.
        if self.witnesses.iter().any(|witness| witness.key.key == key.key) {
            return None;
        }
        Some(Policy { logs: vec![Log { key: key.clone(), url }], ..self.clone() })
    }

    /// Whether these keys are the quorum. Keys that the policy does not know do not count.
    pub fn is_met_by(&self, cosigners: &[CosignerKey]) -> bool {
        self.quorum.is_none_or(|quorum| self.has_witnessed(quorum, cosigners))
    }

    fn has_witnessed(&self, member: Member, cosigners: &[CosignerKey]) -> bool {
        match member {
            Member::Witness(at) => {
                self.witnesses.get(at).is_some_and(|witness| cosigners.contains(&witness.key))
            }
            // Each name is a member at most once, so this visits everything at most once.
            Member::Group(at) => self.groups.get(at).is_some_and(|group| {
                let count = group.members.iter().filter(|m| self.has_witnessed(**m, cosigners));
                count.count() >= group.threshold
            }),
        }
    }

    /// Judges a signed checkpoint. A known key with a bad signature, a checkpoint that none of the
    /// logs signed, or one whose origin is not the name of the key that signed it, is an error; a
    /// quorum that is not met is said in the answer.
    pub fn judge(&self, note: &[u8]) -> Result<Judged, NoteError> {
        let keys: Vec<VerifierKey> = self.logs.iter().map(|log| log.key.clone()).collect();
        let opened = note::open_cosigned(note, &keys, &self.cosigner_keys())?;
        let checkpoint = Checkpoint::parse_extended(&opened.text)?.0;
        let signed =
            |key: &&VerifierKey| opened.signers.contains(key) && key.name == checkpoint.origin;
        let log = keys.iter().find(signed).ok_or(NoteError::Unsigned)?.clone();
        let cosigners: Vec<CosignerKey> = opened.cosigned.iter().map(|c| c.key.clone()).collect();
        Ok(Judged {
            quorum_met: self.is_met_by(&cosigners),
            witnesses: opened.cosigned.into_iter().filter_map(|c| self.named(c)).collect(),
            unknown: opened.unknown,
            checkpoint,
            log,
        })
    }

    fn named(&self, cosigned: Cosigned) -> Option<Cosigner> {
        let witness = self.witnesses.iter().find(|witness| witness.key == cosigned.key)?;
        Some(Cosigner {
            name: witness.name.clone(),
            key: cosigned.key,
            time_seconds: cosigned.time_seconds,
        })
    }
}
