//! A part of a feed: some of its indicators, each with the path that leads from it to the root that
//! the publisher stated for the whole.

use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_plain, write_pretty};
use seal::merkle::{inclusion_proof, leaf_hash, verify_inclusion};

use super::{Proof, leaves, read_statement};
use crate::codes::Code;
use crate::feed::{Compiles, Feed, Pin};
use crate::ioc::{self, SignedIoc};
use crate::report::{Assurance, Finding, Report};

/// The version of a part.
pub const PART: &str = "countersign-feed-part/v1";
/// Largest part, bytes.
pub const PART_LIMIT: usize = 16 << 20;
/// Longest path: a tree of 2^40 indicators.
const PATH: usize = 40;

/// Some indicators of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The publisher's statement about the whole.
    pub proof: Proof,
    /// The indicators, each with its place in the tree and its path.
    pub members: Vec<(SignedIoc, u64, Vec<Digest>)>,
}

/// A part that cannot be cut out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The feed has no such indicator.
    #[error("the feed has no indicator {0}")]
    Unknown(Digest),
    /// The proof is about another publishing.
    #[error("the proof is not about this feed as it stands")]
    Other,
}

/// Cuts indicators out of a feed, with their paths.
pub fn part(feed: &Feed, proof: &Proof, wanted: &[Digest]) -> Result<Part, PartError> {
    if proof.statement.manifest != Digest::of(feed.manifest().as_bytes()) {
        return Err(PartError::Other);
    }
    let mut ids = feed.ids();
    ids.sort_unstable();
    let leaves = leaves(&ids);
    let member = |id: &Digest| {
        let signed = feed.iocs.iter().find(|ioc| ioc.content_hash == *id);
        let place = ids.binary_search(id);
        let (Some(signed), Ok(place)) = (signed, place) else {
            return Err(PartError::Unknown(*id));
        };
        Ok((signed.clone(), place as u64, inclusion_proof(&leaves, place)))
    };
    Ok(Part {
        proof: Proof { log: None, ..proof.clone() },
        members: wanted.iter().map(member).collect::<Result<_, _>>()?,
    })
}

impl Part {
    /// The file.
    pub fn to_json(&self) -> String {
        let members = self.members.iter().map(|(signed, index, path)| {
            Value::object([
                ("index", (*index).into()),
                ("path", Value::array(path)),
                ("ioc", signed.to_value()),
            ])
        });
        write_pretty(&Value::object([
            ("version", PART.into()),
            ("statement", self.proof.jws.as_str().into()),
            ("indicators", Value::array(members)),
        ]))
    }

    /// Reads a part, strictly; ids are recomputed, nothing else is verified.
    pub fn read(bytes: &[u8]) -> Result<Part, Vec<Finding>> {
        let malformed = |detail: String| vec![Finding::here(Code::FeedProof, detail)];
        let value = parse(bytes, Limits { bytes: PART_LIMIT, depth: 6 })
            .map_err(|error| malformed(error.to_string()))?;
        let only = |value: &Value, known: [&str; 3]| match value.as_object() {
            Some(members) => match members.iter().find(|(n, _)| !known.contains(&n.as_str())) {
                Some((name, _)) => Err(malformed(format!("member {name:?} is unknown"))),
                None => Ok(()),
            },
            None => Err(malformed(format!("expected an object, not {}", value.kind()))),
        };
        only(&value, ["version", "statement", "indicators"])?;
        if value.get("version").and_then(Value::as_str) != Some(PART) {
            return Err(malformed(format!("expected version {PART:?}")));
        }
        let jws = value.get("statement").and_then(Value::as_str);
        let jws = jws.ok_or_else(|| malformed("statement is missing or not a string".into()))?;
        let (statement, key_id) = read_statement(jws).map_err(|finding| vec![finding])?;
        let list = value.get("indicators").and_then(Value::as_array);
        let list = list.ok_or_else(|| malformed("indicators is missing or no list".into()))?;
        let mut members = Vec::with_capacity(list.len());
        for (number, value) in list.iter().enumerate() {
            let place = format!("indicator {number}");
            let at = |findings: Vec<Finding>| -> Vec<Finding> {
                findings.into_iter().map(|finding| finding.at(&place)).collect()
            };
            only(value, ["index", "path", "ioc"]).map_err(at)?;
            let index = value.get("index").and_then(Value::as_i64);
            let path = value.get("path").and_then(Value::as_array).filter(|p| p.len() <= PATH);
            let path = path.and_then(|path| {
                path.iter().map(|hash| hash.as_str()?.parse().ok()).collect::<Option<Vec<Digest>>>()
            });
            let (Some(index), Some(path)) = (index.and_then(|i| u64::try_from(i).ok()), path)
            else {
                return Err(at(malformed("index or path is missing or malformed".into())));
            };
            let alone = write_plain(value.get("ioc").unwrap_or(&Value::Null));
            members.push((ioc::read(alone.as_bytes()).map_err(at)?, index, path));
        }
        let proof = Proof { statement, key_id, jws: jws.to_owned(), log: None };
        Ok(Part { proof, members })
    }
}

/// Judges a part under pins: the statement, and every indicator with its path. The indicators that
/// come back are those of a part that holds.
pub fn judge_part(
    bytes: &[u8],
    pins: &[Pin],
    compiles: &Compiles<'_>,
    now: Option<i64>,
) -> (Report, Vec<SignedIoc>) {
    let mut report = Report::new("");
    report.kind = "part of a feed".into();
    let part = match Part::read(bytes) {
        Ok(part) => part,
        Err(findings) => {
            report.push_all("", findings);
            report.assure(Assurance::None);
            return (report, Vec::new());
        }
    };
    let statement = &part.proof.statement;
    report.count("indicators", part.members.len() as u64);
    report.note(format!(
        "of {} indicators of feed {:?} of {:?}, publishing {}",
        statement.size, statement.feed_id, statement.issuer, statement.sequence
    ));
    let mut found = Vec::new();
    if part.members.is_empty() {
        found.push(Finding::here(Code::EvidenceEmpty, "no indicator"));
    }
    part.proof.check_time(now, &mut found);
    let key = pin(&part.proof, pins).map_err(|finding| found.push(*finding)).ok();
    if let Some(key) = key {
        part.proof.check_signature(&key.key, &mut found);
    }
    report.push_all("", found);
    for (number, (signed, index, path)) in part.members.iter().enumerate() {
        let mut found = Vec::new();
        if let Some(pin) = key {
            found.extend(signed.verify(&pin.key, &statement.issuer).err().unwrap_or_default());
        }
        if let Err(why) = compiles(signed.ioc.kind, &signed.ioc.pattern) {
            found.push(Finding::here(Code::IocPattern, why));
        }
        let leaf = leaf_hash(signed.content_hash.as_bytes());
        if !verify_inclusion(*index, statement.size, &leaf, path, &statement.tree) {
            let detail = format!("it does not lead to the root from place {index}");
            found.push(Finding::here(Code::FeedProofTree, detail));
        }
        report.push_all(&format!("indicator {number}"), found);
    }
    report.assure(if report.ok() { Assurance::Signed } else { Assurance::None });
    let good = report.ok();
    let members = part.members.into_iter().map(|(signed, ..)| signed).filter(|_| good);
    (report, members.collect())
}

/// The pin that counts for this statement.
fn pin<'a>(proof: &Proof, pins: &'a [Pin]) -> Result<&'a Pin, Box<Finding>> {
    let refuse = |code, detail: String| Box::new(Finding::here(code, detail));
    let statement = &proof.statement;
    if pins.is_empty() {
        return Err(refuse(Code::FeedUnpinned, format!("it names the key {}", proof.key_id)));
    }
    let same: Vec<&Pin> = pins.iter().filter(|pin| pin.key.key_id() == proof.key_id).collect();
    if same.is_empty() {
        return Err(refuse(Code::FeedPin, format!("it names the key {}", proof.key_id)));
    }
    let named = |pin: &&&Pin| pin.issuer.as_ref().is_none_or(|name| *name == statement.issuer);
    let of_issuer: Vec<&&Pin> = same.iter().filter(named).collect();
    if of_issuer.is_empty() {
        let detail = format!("the key is not pinned for {:?}", statement.issuer);
        return Err(refuse(Code::FeedIssuer, detail));
    }
    let timely = |pin: &&&&Pin| pin.valid.contains_seconds(statement.issued_at);
    let found = of_issuer.iter().find(timely).copied().copied();
    found.ok_or_else(|| refuse(Code::FeedKeyTime, format!("issued at {}", statement.issued_at)))
}
