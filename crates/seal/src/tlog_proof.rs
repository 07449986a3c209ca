//! Proofs as files: that an entry is in a log (`.tlog-proof`, C2SP tlog-proof) and that a log only
//! grew (the body of a tlog-witness request), each with the checkpoint it leads to.

use std::fmt;

use crate::base64;
use crate::digest::Digest;
use crate::merkle::{verify_consistency, verify_inclusion};
use crate::note::{Checkpoint, NoteError, text_of};
use crate::policy::{Judged, Policy};

/// First line of a `.tlog-proof`.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Longest proof file read, bytes.
const LIMIT: usize = 192 * 1024;
/// Longest extra data, bytes before base64.
pub const EXTRA_LIMIT: usize = 64 * 1024;
/// Most hashes of a proof: 63 lines are what a witness takes, and an audit path has 64 at most.
const HASHES: usize = 64;

/// The bytes are not a proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFormError {
    /// Longer than any proof needs to be, or with more hashes.
    #[error("the proof is larger than {LIMIT} bytes or has more than {HASHES} hashes")]
    TooLong,
    /// Not the lines of the format.
    #[error("not a proof: line {line} is not what the format has there")]
    Line {
        /// From 1.
        line: usize,
    },
    /// Not UTF-8, or without the blank line and the checkpoint behind it.
    #[error("not a proof: expected lines of text, a blank line and a signed checkpoint")]
    Text,
    /// What stands behind the blank line states no size and root.
    #[error("the proof's checkpoint is not one: expected origin, size and root hash")]
    Checkpoint,
}

/// A proof does not hold, or whom it rests on is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The checkpoint is not signed by a log of the policy.
    #[error("the checkpoint does not count: {0}")]
    Checkpoint(#[from] NoteError),
    /// Too few of the policy's witnesses cosigned.
    #[error("the witnesses that cosigned are not the quorum of the policy")]
    Quorum,
    /// The hashes do not lead from the entry to the root.
    #[error("the entry is not in the log at this index")]
    Inclusion,
    /// The two checkpoints are of different logs.
    #[error("the checkpoints are of different logs")]
    Origin,
    /// The hashes do not lead from the one root to the other.
    #[error("the newer checkpoint does not extend the older one")]
    Consistency,
}

/// That an entry is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes that nobody vouches for.
    pub extra: Option<Vec<u8>>,
    /// Position of the entry, from 0.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub hashes: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl TlogProof {
    /// Reads a proof; every line must be as the format has it. No signature is checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFormError> {
        let (head, checkpoint) = halves(bytes)?;
        let mut lines = head.split('\n').enumerate().map(|(n, line)| (n + 1, line)).peekable();
        let wrong = |line| ProofFormError::Line { line };
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(wrong(1));
        }
        let extra = match lines.next_if(|(_, line)| line.starts_with("extra ")) {
            None => None,
            Some((at, line)) => {
                let extra =
                    line.strip_prefix("extra ").and_then(|text| base64::std_decode(text).ok());
                let short = extra.filter(|extra| extra.len() <= EXTRA_LIMIT);
                Some(short.ok_or_else(|| wrong(at))?)
            }
        };
        let (at, line) = lines.next().ok_or_else(|| wrong(2))?;
        let index = numbered(line, "index ").ok_or_else(|| wrong(at))?;
        let hashes = hashes(lines)?;
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Whether the hashes lead from this leaf hash to the root of its checkpoint, whoever signed
    /// that; `false` also when it is no checkpoint.
    pub fn includes(&self, leaf: &Digest) -> bool {
        stated(&self.checkpoint).is_ok_and(|stated| {
            verify_inclusion(self.index, stated.size, leaf, &self.hashes, &stated.root)
        })
    }

    /// Whether the entry with this leaf hash is in a log of the policy, and its quorum saw it.
    pub fn verify(&self, leaf: &Digest, policy: &Policy) -> Result<Judged, ProofError> {
        let judged = policy.judge(self.checkpoint.as_bytes())?;
        if !judged.quorum_met {
            return Err(ProofError::Quorum);
        }
        if self.includes(leaf) { Ok(judged) } else { Err(ProofError::Inclusion) }
    }
}

/// The file.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64::std_encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        write_hashes(f, &self.hashes)?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// That the log of a checkpoint extends what it was at an earlier size: the body of a tlog-witness
/// `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The earlier size.
    pub old: u64,
    /// As RFC 6962 section 2.1.2 has them.
    pub hashes: Vec<Digest>,
    /// The newer signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl ConsistencyProof {
    /// Reads a proof; every line must be as the format has it. No signature is checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFormError> {
        let (head, checkpoint) = halves(bytes)?;
        let mut lines = head.split('\n').enumerate().map(|(n, line)| (n + 1, line)).peekable();
        let first = lines.next().and_then(|(_, line)| numbered(line, "old "));
        let old = first.ok_or(ProofFormError::Line { line: 1 })?;
        let hashes = hashes(lines)?;
        Ok(Self { old, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Whether the hashes lead from the root of the older checkpoint, whose size must be
    /// [`ConsistencyProof::old`], to that of its own, whoever signed them.
    pub fn extends(&self, old: &Checkpoint) -> bool {
        self.old == old.size
            && stated(&self.checkpoint).is_ok_and(|new| {
                verify_consistency(old.size, new.size, &self.hashes, &old.root, &new.root)
            })
    }

    /// Whether its checkpoint extends the older signed one, both by one log of the policy and both
    /// seen by its quorum.
    pub fn verify(&self, old_note: &[u8], policy: &Policy) -> Result<[Judged; 2], ProofError> {
        let old = policy.judge(old_note)?;
        let new = policy.judge(self.checkpoint.as_bytes())?;
        if !old.quorum_met || !new.quorum_met {
            return Err(ProofError::Quorum);
        }
        if old.checkpoint.origin != new.checkpoint.origin {
            return Err(ProofError::Origin);
        }
        if self.extends(&old.checkpoint) { Ok([old, new]) } else { Err(ProofError::Consistency) }
    }
}

/// The body of the request.
impl fmt::Display for ConsistencyProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        write_hashes(f, &self.hashes)?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What a note states, if it is a checkpoint; nothing is verified.
pub fn stated(note: &str) -> Result<Checkpoint, NoteError> {
    Checkpoint::parse_extended(text_of(note).ok_or(NoteError::Checkpoint)?)
        .map(|(stated, _)| stated)
}

/// The lines before the first blank line, and the checkpoint behind it.
fn halves(bytes: &[u8]) -> Result<(&str, &str), ProofFormError> {
    if bytes.len() > LIMIT {
        return Err(ProofFormError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ProofFormError::Text)?;
    let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofFormError::Text)?;
    if !checkpoint.ends_with('\n') || stated(checkpoint).is_err() {
        return Err(ProofFormError::Checkpoint);
    }
    Ok((head, checkpoint))
}

fn hashes<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Vec<Digest>, ProofFormError> {
    let mut hashes = Vec::new();
    for (at, line) in lines {
        if hashes.len() == HASHES {
            return Err(ProofFormError::TooLong);
        }
        let raw = base64::std_decode(line).ok().and_then(|raw| raw.try_into().ok());
        hashes.push(Digest::from_bytes(raw.ok_or(ProofFormError::Line { line: at })?));
    }
    Ok(hashes)
}

/// The number behind a word, in its one spelling.
fn numbered(line: &str, word: &str) -> Option<u64> {
    let text = line.strip_prefix(word)?;
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn write_hashes(f: &mut fmt::Formatter<'_>, hashes: &[Digest]) -> fmt::Result {
    hashes.iter().try_for_each(|hash| writeln!(f, "{}", base64::std_encode(hash.as_bytes())))
}
