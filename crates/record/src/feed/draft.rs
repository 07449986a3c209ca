//! What a publisher signs next: indicators without signatures, with the texts they must and must not
//! match. Anyone can write one; a proposal is a file of drafts without an issuer.

use seal::digest::Digest;
use seal::json::{Limits, MAX_SAFE_INTEGER, Value, parse, write_pretty};
use seal::key::KeyId;

use super::{Finds, VERSION};
use crate::ioc::{Ioc, Kind, Severity, check_pattern, check_sizes};

/// The version of a drafts file.
pub const DRAFTS: &str = "countersign-feed-drafts/v1";
/// Largest drafts file, bytes.
pub const DRAFTS_LIMIT: usize = 16 << 20;
/// Most samples of either sort for one draft; each is at most 64 KiB.
const SAMPLES: usize = 256;
const SAMPLE: usize = 64 << 10;

/// A drafts file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drafts {
    /// The feed they belong to; a proposal has none.
    pub feed_id: Option<String>,
    /// Who will sign them; a proposal has none.
    pub issuer: Option<String>,
    /// In the order of the feed.
    pub indicators: Vec<Draft>,
}

/// An indicator before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// How the pattern is meant.
    pub kind: Kind,
    /// What to look for.
    pub pattern: String,
    /// How bad a match is.
    pub severity: Severity,
    /// What it is about.
    pub categories: Vec<String>,
    /// For people.
    pub description: String,
    /// When it was taken up, Unix seconds; a proposal has none.
    pub issued_at: Option<i64>,
    /// What it withdraws.
    pub revokes: Vec<Digest>,
    /// From this second on it no longer counts.
    pub expires_at: Option<i64>,
    /// Texts it must match.
    pub attacks: Vec<String>,
    /// Texts close by that it must not match.
    pub benign: Vec<String>,
}

/// A drafts file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// Not strict JSON.
    #[error("the drafts are not strict JSON: {0}")]
    Json(String),
    /// Of another version.
    #[error("expected {DRAFTS}, or a list of drafts, not {0}")]
    Version(String),
    /// A member that is missing, unknown or of the wrong type.
    #[error("draft {index}: {why}")]
    Draft {
        /// Its place, from 0.
        index: usize,
        /// What is wrong.
        why: String,
    },
    /// A member of the file itself.
    #[error("{0}")]
    Member(String),
}

/// What a draft does to its own samples that it should not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The pattern cannot be used.
    Pattern(String),
    /// An attack that it misses, by its place.
    Missed(usize),
    /// A benign text that it matches, by its place.
    Matched(usize),
    /// Nothing shows what it is for.
    NoSample(&'static str),
}

impl Drafts {
    /// Reads a drafts file, or the bare list that other tools of the format sign.
    pub fn read(bytes: &[u8]) -> Result<Drafts, DraftError> {
        let limits = Limits { bytes: DRAFTS_LIMIT, depth: 5 };
        let value = parse(bytes, limits).map_err(|error| DraftError::Json(error.to_string()))?;
        let members = match &value {
            Value::Array(list) => {
                return Ok(Drafts { indicators: drafts(list)?, ..Drafts::default() });
            }
            Value::Object(members) => members,
            other => return Err(DraftError::Version(other.kind().to_owned())),
        };
        match value.get("version").and_then(Value::as_str) {
            Some(DRAFTS) => {}
            Some(VERSION) => {
                return Err(DraftError::Version("a signed feed, which is no draft".to_owned()));
            }
            other => return Err(DraftError::Version(format!("{other:?}"))),
        }
        let known = ["version", "feed_id", "issuer", "indicators"];
        if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(DraftError::Member(format!("member {name:?} is unknown")));
        }
        let text = |name: &str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(DraftError::Member(format!("{name} is {}", other.kind()))),
        };
        let list = value.get("indicators").and_then(Value::as_array);
        let list =
            list.ok_or_else(|| DraftError::Member("indicators is missing or no list".into()))?;
        let (feed_id, issuer) = (text("feed_id")?, text("issuer")?);
        Ok(Drafts { feed_id, issuer, indicators: drafts(list)? })
    }

    /// The file. Characters that hide or move a cursor are escaped, so that a reviewer sees them.
    pub fn to_json(&self) -> String {
        let document = Value::object([
            ("version", DRAFTS.into()),
            ("feed_id", self.feed_id.as_deref().into()),
            ("issuer", self.issuer.as_deref().into()),
            ("indicators", Value::array(self.indicators.iter().map(Draft::to_value))),
        ]);
        seal::escape::json(&write_pretty(&document))
    }
}

impl Draft {
    /// What will be signed.
    pub fn ioc(&self, issuer: &str, key_id: KeyId, now: i64) -> Ioc {
        Ioc {
            kind: self.kind,
            pattern: self.pattern.clone(),
            severity: self.severity,
            categories: self.categories.clone(),
            description: self.description.clone(),
            issuer: issuer.to_owned(),
            key_id,
            issued_at: self.issued_at.unwrap_or(now),
            revokes: self.revokes.clone(),
            expires_at: self.expires_at,
        }
        .sorted()
    }

    /// Runs the samples. A revocation needs none: its pattern is there because the format asks for
    /// one.
    pub fn faults(&self, finds: &Finds<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, text) in self.attacks.iter().enumerate() {
            match finds(text) {
                Ok(true) => {}
                Ok(false) => faults.push(Fault::Missed(at)),
                Err(why) => return vec![Fault::Pattern(why)],
            }
        }
        for (at, text) in self.benign.iter().enumerate() {
            match finds(text) {
                Ok(true) => faults.push(Fault::Matched(at)),
                Ok(false) => {}
                Err(why) => return vec![Fault::Pattern(why)],
            }
        }
        if self.revokes.is_empty() {
            for (samples, sort) in [(&self.attacks, "attacks"), (&self.benign, "benign")] {
                if samples.is_empty() {
                    faults.push(Fault::NoSample(sort));
                }
            }
        }
        faults
    }

    fn to_value(&self) -> Value {
        Value::object([
            ("kind", self.kind.as_str().into()),
            ("pattern", Value::from(&self.pattern)),
            ("severity", self.severity.as_str().into()),
            ("categories", Value::array(&self.categories)),
            ("description", Value::from(&self.description)),
            ("issued_at", self.issued_at.into()),
            ("revokes", Value::array(&self.revokes)),
            ("expires_at", self.expires_at.into()),
            ("attacks", Value::array(&self.attacks)),
            ("benign", Value::array(&self.benign)),
        ])
    }
}

impl Fault {
    /// As a sentence about this draft.
    pub fn told(&self, draft: &Draft) -> String {
        let quote = |samples: &[String], at: usize| {
            samples.get(at).map(|text| format!("{text:?}")).unwrap_or_default()
        };
        match self {
            Fault::Pattern(why) => format!("the pattern cannot be used: {why}"),
            Fault::Missed(at) => format!("misses the attack {}", quote(&draft.attacks, *at)),
            Fault::Matched(at) => format!("matches the benign text {}", quote(&draft.benign, *at)),
            Fault::NoSample(sort) => format!("has no {sort} samples"),
        }
    }
}

const MEMBERS: [&str; 10] = [
    "kind",
    "pattern",
    "severity",
    "categories",
    "description",
    "issued_at",
    "revokes",
    "expires_at",
    "attacks",
    "benign",
];

fn drafts(list: &[Value]) -> Result<Vec<Draft>, DraftError> {
    let read = |(index, value)| draft(value).map_err(|why| DraftError::Draft { index, why });
    list.iter().enumerate().map(read).collect()
}

fn draft(value: &Value) -> Result<Draft, String> {
    let members = value.as_object().ok_or_else(|| format!("it is {}", value.kind()))?;
    if let Some((name, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("member {name:?} is unknown"));
    }
    let text = |name: &str| match value.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{name} is {}, not a string", other.kind())),
    };
    let list = |name: &str| match value.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
            .ok_or_else(|| format!("{name} is no list of strings")),
        Some(other) => Err(format!("{name} is {}, not a list of strings", other.kind())),
    };
    let seconds = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Int(number)) if (0..=MAX_SAFE_INTEGER).contains(number) => Ok(Some(*number)),
        Some(_) => Err(format!("{name} is no integer of Unix seconds")),
    };
    let samples = |name: &str| {
        let samples = list(name)?;
        match samples.len() > SAMPLES || samples.iter().any(|text| text.len() > SAMPLE) {
            true => Err(format!("{name}: at most {SAMPLES} of {SAMPLE} bytes")),
            false => Ok(samples),
        }
    };
    let kind: Kind = text("kind")?
        .ok_or("kind is missing")?
        .parse()
        .map_err(|error| format!("kind: {error}"))?;
    let severity = match text("severity")? {
        None => Severity::Medium,
        Some(name) => name.parse().map_err(|error| format!("severity: {error}"))?,
    };
    let pattern = text("pattern")?.ok_or("pattern is missing")?;
    check_pattern(kind, &pattern).map_err(|why| format!("pattern: {why}"))?;
    let revokes = list("revokes")?
        .iter()
        .map(|id| id.parse().map_err(|error| format!("revokes {id:?}: {error}")))
        .collect::<Result<Vec<Digest>, String>>()?;
    let (categories, description) = (list("categories")?, text("description")?.unwrap_or_default());
    check_sizes(&description, &categories, revokes.len())?;
    Ok(Draft {
        kind,
        pattern,
        severity,
        categories,
        description,
        issued_at: seconds("issued_at")?,
        revokes,
        expires_at: seconds("expires_at")?,
        attacks: samples("attacks")?,
        benign: samples("benign")?,
    })
}
