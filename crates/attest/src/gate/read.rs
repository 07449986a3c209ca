//! Reading a policy into typed structs, with nothing unknown allowed.

use std::collections::BTreeSet;

use seal::digest::Digest;
use serde::{Deserialize, Deserializer};

use super::{Condition, Gate, Plaintext, Policy, Requirement};
use crate::glob::{Glob, GlobError};
use crate::types::{self, Type};

/// Largest policy, bytes.
pub const LIMIT: usize = 1 << 20;
/// Most gates, and most entries of a list.
const ENTRIES: usize = 1_000;
/// Longest age, days: a hundred years.
const DAYS: u32 = 36_525;

/// A policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Larger than any policy needs to be.
    #[error("the policy is larger than {0} bytes")]
    TooLong(usize),
    /// Not the YAML of the format.
    #[error("the policy is malformed: {0}")]
    Yaml(String),
    /// A version this program does not know.
    #[error("the policy has version {0}, expected 1")]
    Version(u64),
    /// A gate or an exception that means nothing.
    #[error("{place} {why}")]
    Entry {
        /// Which.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// A pattern of a gate.
    #[error("{place}: {error}")]
    Glob {
        /// Which gate.
        place: String,
        /// What is wrong with the pattern.
        error: GlobError,
    },
    /// A condition of a gate.
    #[error("{place}: the condition {condition:?} {why}")]
    Condition {
        /// Which gate.
        place: String,
        /// As it was written.
        condition: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    gates: Vec<OneGate>,
    #[serde(default)]
    plaintext: Vec<Exception>,
}

/// What is there says something: a member whose value was taken out is none that was left out.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneGate {
    id: String,
    #[serde(default, deserialize_with = "said")]
    paths: Option<Vec<String>>,
    require: Vec<Required>,
    #[serde(default, deserialize_with = "said")]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Required {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "said")]
    signers: Option<Vec<String>>,
    #[serde(default, deserialize_with = "said")]
    threshold: Option<usize>,
    #[serde(default, deserialize_with = "said")]
    max_age_days: Option<u32>,
    #[serde(default, deserialize_with = "said", rename = "where")]
    conditions: Option<Vec<String>>,
    #[serde(default, deserialize_with = "said", rename = "match")]
    matching: Option<String>,
    #[serde(default)]
    covers: bool,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    logged: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    #[serde(default)]
    digest: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    paths: Option<Vec<String>>,
}

pub(super) fn parse(yaml: &str) -> Result<Policy, PolicyError> {
    if yaml.len() > LIMIT {
        return Err(PolicyError::TooLong(LIMIT));
    }
    // Merge keys are YAML 1.1, and two readers could take them for different policies.
    let options = serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
    };
    let file: File = serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| PolicyError::Yaml(error.to_string()))?;
    if file.version != 1 {
        return Err(PolicyError::Version(file.version));
    }
    // A policy without gates lets everything pass, and nobody writes that on purpose.
    some("the policy", "gates", &file.gates)?;
    let mut ids = BTreeSet::new();
    let mut gates = Vec::with_capacity(file.gates.len());
    for gate in file.gates {
        let gate = read_gate(gate)?;
        if !ids.insert(gate.id.clone()) {
            return Err(entry(&format!("gate {:?}", gate.id), "is there twice"));
        }
        gates.push(gate);
    }
    let plaintext = file.plaintext.into_iter().map(exception).collect::<Result<_, _>>()?;
    Ok(Policy { gates, plaintext, digest: Digest::of(yaml.as_bytes()) })
}

fn read_gate(gate: OneGate) -> Result<Gate, PolicyError> {
    let place = format!("gate {:?}", gate.id);
    if !label(&gate.id, 128) {
        return Err(entry(&place, "has an empty or unprintable id"));
    }
    if gate.message.as_deref().is_some_and(|message| !label(message, 1024)) {
        return Err(entry(&place, "has a message that is empty, long or not one line"));
    }
    some(&place, "require", &gate.require)?;
    let paths = match gate.paths {
        None => Vec::new(),
        Some(paths) => globs(&place, &paths)?,
    };
    let require =
        gate.require.into_iter().map(|one| required(one, &place)).collect::<Result<_, _>>()?;
    Ok(Gate { id: gate.id, paths, require, message: gate.message })
}

fn required(one: Required, place: &str) -> Result<Requirement, PolicyError> {
    let kind = kind_of(&one.kind, place)?;
    let condition = |text: &String| {
        Condition::parse(text, kind).map_err(|why| PolicyError::Condition {
            place: place.to_owned(),
            condition: text.chars().take(256).collect(),
            why,
        })
    };
    if let Some(conditions) = &one.conditions {
        some(place, "where", conditions)?;
    }
    let conditions = one.conditions.iter().flatten().map(condition).collect::<Result<_, _>>()?;
    let signers = match one.signers {
        None => Vec::new(),
        Some(signers) => {
            some(place, "signers", &signers)?;
            let distinct: BTreeSet<&String> = signers.iter().collect();
            if distinct.len() < signers.len() {
                return Err(entry(place, "names a signer twice"));
            }
            signers
        }
    };
    let threshold = one.threshold.unwrap_or(1);
    if threshold == 0 || (!signers.is_empty() && threshold > signers.len()) {
        return Err(entry(place, "has a threshold that is 0 or more than its signers"));
    }
    if one.max_age_days.is_some_and(|days| days == 0 || days > DAYS) {
        return Err(entry(place, "has a max_age_days that is not from 1 to 36525"));
    }
    let any = match one.matching.as_deref() {
        None | Some("every") => false,
        Some("any") => true,
        Some(_) => return Err(entry(place, "has a match that is neither every nor any")),
    };
    let trusted_time = match one.time.as_deref() {
        None | Some("stated") => false,
        Some("trusted") => true,
        Some(_) => return Err(entry(place, "has a time that is neither stated nor trusted")),
    };
    let (max_age_days, covers, logged) = (one.max_age_days, one.covers, one.logged);
    Ok(Requirement {
        kind,
        signers,
        threshold,
        max_age_days,
        trusted_time,
        logged,
        conditions,
        any,
        covers,
    })
}

fn exception(one: Exception) -> Result<Plaintext, PolicyError> {
    let place = "an entry of plaintext";
    match (one.digest, one.kind, one.paths) {
        (Some(digest), None, None) => {
            let hex = digest.strip_prefix("sha256:").and_then(Digest::from_hex);
            hex.map(Plaintext::Digest).ok_or_else(|| entry(place, "has a digest that is none"))
        }
        (None, Some(kind), Some(paths)) => {
            Ok(Plaintext::Files(kind_of(&kind, place)?, globs(place, &paths)?))
        }
        _ => Err(entry(place, "has neither digest alone nor type and paths")),
    }
}

fn kind_of(name: &str, place: &str) -> Result<&'static Type, PolicyError> {
    types::named(name).ok_or_else(|| entry(place, format!("has the type {name:?}, which is none")))
}

fn globs(place: &str, paths: &[String]) -> Result<Vec<Glob>, PolicyError> {
    some(place, "paths", paths)?;
    let glob = |text: &String| {
        Glob::parse(text).map_err(|error| PolicyError::Glob { place: place.to_owned(), error })
    };
    paths.iter().map(glob).collect()
}

/// A list that is there says something.
fn some<T>(place: &str, name: &str, list: &[T]) -> Result<(), PolicyError> {
    match list.len() {
        0 => Err(entry(place, format!("has an empty list {name}"))),
        1..=ENTRIES => Ok(()),
        _ => Err(entry(place, format!("has more than {ENTRIES} entries in {name}"))),
    }
}

/// One line of text that is there.
fn label(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control)
}

fn entry(place: &str, why: impl Into<String>) -> PolicyError {
    PolicyError::Entry { place: place.to_owned(), why: why.into() }
}
