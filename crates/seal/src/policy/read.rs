//! Reading the file, octet by octet as the format asks.

use std::str::FromStr;

use super::{Group, LIMIT, Log, Member, Name, Policy, Witness};
use crate::cosign::CosignerKey;
use crate::note::VerifierKey;

/// Longest policy read, bytes.
const FILE_LIMIT: usize = 128 * 1024;

/// A policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", place(*line))]
pub struct PolicyError {
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong there.
    pub fault: PolicyFault,
}

fn place(line: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Longer than any policy needs to be.
    #[error("the policy is larger than {FILE_LIMIT} bytes")]
    TooLong,
    /// The last line does not end: it may have been cut.
    #[error("the last line has no newline, so something may be missing; end it")]
    Cut,
    /// A control character other than tab and newline.
    #[error("control characters other than tab and newline are not allowed (CRLF line ends?)")]
    Control,
    /// Not a line of the format.
    #[error(
        "expected `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K NAME...` or `quorum NAME|none`"
    )]
    Line,
    /// A log's key is none, or of a type that is not known.
    #[error("not a log key: expected name+8 hex digits+base64 of an Ed25519 key (type 1)")]
    LogKey,
    /// A witness's key is none, or of a type that is not known.
    #[error(
        "not a witness key: expected name+8 hex digits+base64 of an Ed25519 cosignature key (type 4)"
    )]
    WitnessKey,
    /// The same public key twice, or as log and witness.
    #[error("this public key is there already; every key counts once")]
    SameKey,
    /// Two keys that signature lines cannot tell apart.
    #[error("another key has the same name and short id; replace one")]
    SameId,
    /// A name twice, or the name `none`.
    #[error("the name {0:?} is taken")]
    Taken(Name),
    /// A name that no line before this one defines.
    #[error("no line before this one defines {0:?}")]
    Undefined(Name),
    /// A name is a member twice.
    #[error("{0:?} is a member of a group already")]
    Member(Name),
    /// A threshold that is no number from 1 to the number of members.
    #[error("the threshold is `any`, `all` or a number from 1 to the number of members")]
    Threshold,
    /// More logs, witnesses or groups than are read.
    #[error("more than {LIMIT} lines of one kind")]
    TooMany,
    /// A second quorum line.
    #[error("there is a quorum line already")]
    SecondQuorum,
    /// No quorum line.
    #[error("there is no quorum line; write `quorum none` if no witness is needed")]
    NoQuorum,
}

pub(super) fn parse(octets: &[u8]) -> Result<Policy, PolicyError> {
    let whole = |fault| PolicyError { line: 0, fault };
    if octets.len() > FILE_LIMIT {
        return Err(whole(PolicyFault::TooLong));
    }
    let mut reader = Reader::default();
    let mut lines = octets.split(|octet| *octet == b'\n').enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let at = |fault| PolicyError { line: number + 1, fault };
        if lines.peek().is_none() && !line.is_empty() {
            return Err(at(PolicyFault::Cut));
        }
        reader.line(line).map_err(at)?;
    }
    let quorum = reader.quorum.ok_or_else(|| whole(PolicyFault::NoQuorum))?;
    let Reader { logs, witnesses, groups, .. } = reader;
    Ok(Policy { logs, witnesses, groups, quorum })
}

#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// Members of a group so far.
    members: Vec<Member>,
    /// The outer `None`: no line so far; the inner one: `quorum none`.
    quorum: Option<Option<Member>>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        if line.iter().any(|octet| (*octet < b' ' && *octet != b'\t') || *octet == 0x7f) {
            return Err(PolicyFault::Control);
        }
        let white = |octet: &u8| *octet == b' ' || *octet == b'\t';
        let items: Vec<&[u8]> = line.split(white).filter(|item| !item.is_empty()).collect();
        let Some((keyword, items)) = items.split_first() else { return Ok(()) };
        match (*keyword, items) {
            (comment, _) if comment.starts_with(b"#") => Ok(()),
            (b"log", [key]) => self.log(key, None),
            (b"log", [key, url]) => self.log(key, Some(url)),
            (b"witness", [name, key]) => self.witness(name, key, None),
            (b"witness", [name, key, url]) => self.witness(name, key, Some(url)),
            (b"group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            (b"quorum", [name]) => self.set_quorum(name),
            _ => Err(PolicyFault::Line),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&&[u8]>) -> Result<(), PolicyFault> {
        let key: VerifierKey = vkey(key).ok_or(PolicyFault::LogKey)?;
        if self.logs.iter().any(|log| log.key.key == key.key)
            || self.witnesses.iter().any(|witness| witness.key.key == key.key)
        {
            return Err(PolicyFault::SameKey);
        }
        if self.is_named(&key.name, key.id) {
            return Err(PolicyFault::SameId);
        }
        push(&mut self.logs, Log { key, url: text(url) })
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&&[u8]>) -> Result<(), PolicyFault> {
        let name = self.new_name(name)?;
        let key: CosignerKey = vkey(key).ok_or(PolicyFault::WitnessKey)?;
        // A log that witnesses itself would be one party that looks like two.
        if self.witnesses.iter().any(|witness| witness.key.key == key.key)
            || self.logs.iter().any(|log| log.key.key == key.key)
        {
            return Err(PolicyFault::SameKey);
        }
        if self.is_named(&key.name, key.id) {
            return Err(PolicyFault::SameId);
        }
        push(&mut self.witnesses, Witness { name, key, url: text(url) })
    }

    fn group(
        &mut self,
        name: &[u8],
        threshold: &[u8],
        members: &[&[u8]],
    ) -> Result<(), PolicyFault> {
        let name = self.new_name(name)?;
        let mut found = Vec::new();
        for member in members {
            let at = self.defined(member)?;
            if self.members.contains(&at) {
                return Err(PolicyFault::Member(Name(member.to_vec())));
            }
            self.members.push(at);
            found.push(at);
        }
        let threshold = match threshold {
            b"any" => 1,
            b"all" => found.len(),
            number => decimal(number).ok_or(PolicyFault::Threshold)?,
        };
        if threshold == 0 || threshold > found.len() {
            return Err(PolicyFault::Threshold);
        }
        push(&mut self.groups, Group { name, threshold, members: found })
    }

    fn set_quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        self.quorum = Some(if name == NONE { None } else { Some(self.defined(name)?) });
        Ok(())
    }

    /// Whether a signature line of this name and id would already be somebody's.
    fn is_named(&self, name: &str, id: [u8; 4]) -> bool {
        let logs = self.logs.iter().map(|log| (&log.key.name, log.key.id));
        let witnesses = self.witnesses.iter().map(|witness| (&witness.key.name, witness.key.id));
        logs.chain(witnesses).any(|(other, taken)| other == name && taken == id)
    }

    fn new_name(&self, name: &[u8]) -> Result<Name, PolicyFault> {
        let new = name != NONE && self.defined(name).is_err();
        let name = Name(name.to_vec());
        if new { Ok(name) } else { Err(PolicyFault::Taken(name)) }
    }

    /// Witnesses and groups share their names.
    fn defined(&self, name: &[u8]) -> Result<Member, PolicyFault> {
        let witness = self.witnesses.iter().position(|witness| witness.name.0 == name);
        let group = || self.groups.iter().position(|group| group.name.0 == name);
        let found = witness.map(Member::Witness).or_else(|| group().map(Member::Group));
        found.ok_or_else(|| PolicyFault::Undefined(Name(name.to_vec())))
    }
}

const NONE: &[u8] = b"none";

fn vkey<K: FromStr>(octets: &[u8]) -> Option<K> {
    std::str::from_utf8(octets).ok()?.parse().ok()
}

/// A URL for people and for who asks witnesses; octets that are no text are replaced.
fn text(url: Option<&&[u8]>) -> Option<String> {
    url.map(|url| String::from_utf8_lossy(url).into_owned())
}

fn decimal(octets: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(octets).ok()?;
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), PolicyFault> {
    if list.len() == LIMIT {
        return Err(PolicyFault::TooMany);
    }
    list.push(item);
    Ok(())
}
