//! What to attest: the configuration of one statement.
//!
//! One key for each role of the type (a path, or a list of paths), one for each of its own members that
//! is not computed, and those that all types have. Paths are relative to the attested root.

use std::fmt;

use attest::shape::{Field, Shape, may};
use attest::types::{Count, Role, Type};
use seal::digest::Digest;
use seal::json::Value;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};

use crate::yaml::{Shaped, Texts, options, told};

/// Longest configuration, bytes.
pub const LIMIT: u64 = 1 << 20;

/// The configuration of a statement.
#[derive(Debug, Clone)]
pub struct Config {
    /// The type.
    pub kind: &'static Type,
    /// For each role that was named, its paths.
    pub files: Vec<(&'static Role, Vec<String>)>,
    /// The type's own members.
    pub own: Vec<(String, Value)>,
    /// What it builds on; nothing said is one of each type that it needs.
    pub depends_on: Vec<Wanted>,
    /// It counts for so many days.
    pub expires_days: Option<u64>,
    /// How much can be told from the statement.
    pub mode: Mode,
    /// Who can read an encrypted payload: age public keys.
    pub recipients: Vec<String>,
    /// Roles whose files are committed to instead of digested.
    pub salted: Vec<String>,
    /// What is sensitive.
    pub sensitivity: Vec<String>,
    /// Where the sources live.
    pub repository: Option<String>,
}

/// How much can be told from a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Digests only.
    HashOnly,
    /// The files are in it.
    Plaintext,
    /// The files travel beside it, encrypted.
    Encrypted,
}

/// A statement that another one builds on, as a configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `eval`, or `model:NAME`: the newest of that type, with that `name` among its own members.
    Newest {
        /// The type.
        kind: &'static Type,
        /// The name.
        name: Option<String>,
    },
    /// `eval@sha256:…`: the one with this payload.
    Exactly {
        /// The type.
        kind: &'static Type,
        /// Of the payload.
        digest: Digest,
    },
}

/// Why a text is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

const COMMON: &[Field] = &[
    may("depends_on", Shape::List(&Shape::Text, 0), ""),
    may("expires_days", Shape::Count, ""),
    may(
        "privacy_mode",
        Shape::OneOf(&["hash_only", "plaintext_explicit", "encrypted_payload"]),
        "",
    ),
    may("recipients", Shape::List(&Shape::Text, 1), ""),
    may("salted", Shape::List(&Shape::Text, 1), ""),
    may("sensitivity", Shape::List(&Shape::Text, 0), ""),
    may("repository", Shape::Text, ""),
];

/// Members that are computed from files.
const COMPUTED: &[&str] =
    &["metrics", "baseline", "passed", "regression_detected", "failures", "root"];

/// Whether a member of a type is computed from files, and not configured.
pub fn is_computed(name: &str) -> bool {
    COMPUTED.contains(&name)
}

impl Config {
    /// Reads the YAML of a statement of `kind`.
    pub fn read(kind: &'static Type, yaml: &[u8]) -> Result<Config, ConfigError> {
        if yaml.len() as u64 > LIMIT {
            return Err(ConfigError(format!("a configuration has at most {LIMIT} bytes")));
        }
        let text = std::str::from_utf8(yaml).map_err(|_| ConfigError("not UTF-8 text".into()))?;
        let (files, mut members) =
            serde_saphyr::with_deserializer_from_str_with_options(text, options(), |from| {
                Whole(kind).deserialize(from)
            })
            .map_err(|error| ConfigError(told(&error)))?;
        let mut common = Vec::new();
        members.retain(|(name, value)| {
            let is_common = COMMON.iter().any(|field| field.name == name);
            if is_common {
                common.push((name.clone(), value.clone()));
            }
            !is_common
        });
        let common = Value::Object(common);
        if let Some(misfit) = Shape::Object(COMMON).judge(&common, "").first() {
            return Err(ConfigError(misfit.to_string()));
        }
        for field in kind.fields.iter().filter(|field| field.required) {
            let there = members.iter().any(|(name, _)| name == field.name);
            if !there && !COMPUTED.contains(&field.name) {
                return Err(ConfigError(format!("{} is missing: {}", field.name, field.about)));
            }
        }
        let config = Config {
            kind,
            files,
            own: members,
            depends_on: depends_on(kind, &common)?,
            expires_days: common
                .get("expires_days")
                .and_then(Value::as_i64)
                .and_then(|days| u64::try_from(days).ok()),
            mode: match common.get("privacy_mode").and_then(Value::as_str) {
                Some("plaintext_explicit") => Mode::Plaintext,
                Some("encrypted_payload") => Mode::Encrypted,
                _ => Mode::HashOnly,
            },
            recipients: texts(&common, "recipients"),
            salted: texts(&common, "salted"),
            sensitivity: texts(&common, "sensitivity"),
            repository: common.get("repository").and_then(Value::as_str).map(str::to_owned),
        };
        config.judged()
    }

    /// Whether one of these files, relative to the attested root, is or would be a file of it.
    pub fn names(&self, changed: &[String]) -> bool {
        self.files.iter().any(|(role, paths)| {
            let tree = matches!(role.count, Count::Tree | Count::OptionalTree);
            paths.iter().any(|path| {
                let path = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
                let below = attest::Tree { role: String::new(), path: path.to_owned() };
                // a repository within this one is told as a directory
                let within = |dir: &str| path.strip_prefix(dir).is_some_and(|p| p.starts_with('/'));
                changed.iter().any(|one| {
                    let one = one.trim_end_matches('/');
                    one == path || (tree && below.holds(one)) || within(one)
                })
            })
        })
    }

    /// The types of the statements that it builds on or points to.
    pub fn leans_on(&self) -> Vec<&'static Type> {
        let mut kinds: Vec<&'static Type> = self.depends_on.iter().map(Wanted::kind).collect();
        let pointing = self.own.iter().filter_map(|(_, value)| value.as_array()).flatten();
        if pointing.filter_map(|one| one.get("statement")).next().is_some() {
            kinds.extend(attest::types::named("model"));
        }
        kinds
    }

    fn judged(self) -> Result<Config, ConfigError> {
        let wrong = |why: String| Err(ConfigError(why));
        for role in self.kind.roles {
            let paths = self.files.iter().find(|(one, _)| one.name == role.name);
            let count = paths.map_or(0, |(_, paths)| paths.len());
            let (least, most) = match role.count {
                Count::One => (1, 1),
                Count::Optional => (0, 1),
                Count::Files | Count::OptionalTree => (0, usize::MAX),
                Count::Tree => (1, usize::MAX),
            };
            if count < least {
                return wrong(format!("{} is missing: {}", role.name, role.about));
            }
            if count > most {
                return wrong(format!("{} is one path, and {count} are given", role.name));
            }
        }
        if let Some(role) = self.salted.iter().find(|role| self.kind.role(role).is_none()) {
            let roles: Vec<&str> = self.kind.roles.iter().map(|role| role.name).collect();
            return wrong(format!("salted: {role:?} is none of the roles {}", roles.join(", ")));
        }
        let hidden = self.mode == Mode::Encrypted || self.salted.iter().any(|one| one == "weights");
        if self.kind.name == "model" && hidden {
            return wrong("the root of a model is over the digests of its weights; salted and encrypted_payload hide them".into());
        }
        match (self.mode, self.recipients.is_empty(), self.salted.is_empty()) {
            (Mode::Encrypted, true, _) => {
                wrong("encrypted_payload needs recipients: age public keys, age1…".into())
            }
            (Mode::HashOnly | Mode::Plaintext, false, _) => {
                wrong("recipients are for privacy_mode: encrypted_payload".into())
            }
            (Mode::Plaintext, _, false) => {
                wrong("salted hides what plaintext_explicit shows: leave one of them out".into())
            }
            _ => Ok(self),
        }
    }
}

/// What a statement builds on: what is said, or one of each type that is needed.
fn depends_on(kind: &'static Type, common: &Value) -> Result<Vec<Wanted>, ConfigError> {
    if common.get("depends_on").is_none() {
        let needed = kind.needs.iter().filter_map(|need| attest::types::named(need));
        return Ok(needed.map(|kind| Wanted::Newest { kind, name: None }).collect());
    }
    let wanted: Vec<Wanted> = texts(common, "depends_on")
        .iter()
        .map(|text| Wanted::parse(text))
        .collect::<Result<_, _>>()?;
    for need in kind.needs {
        if !wanted.iter().any(|wanted| wanted.kind().name == *need) {
            let why = format!(
                "depends_on: a statement of type {} builds on one of type {need}",
                kind.name
            );
            return Err(ConfigError(why));
        }
    }
    Ok(wanted)
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let listed = value.get(name).and_then(Value::as_array).unwrap_or_default();
    listed.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

impl Wanted {
    /// Reads `TYPE`, `TYPE:NAME` or `TYPE@sha256:…`.
    pub fn parse(text: &str) -> Result<Wanted, ConfigError> {
        let wrong = || {
            let known: Vec<&str> = attest::types::ALL.iter().map(|kind| kind.name).collect();
            let known = known.join(", ");
            ConfigError(format!(
                "depends_on: {text:?} is not TYPE, TYPE:NAME or TYPE@sha256:…, with TYPE one of {known}"
            ))
        };
        let named = |name: &str| attest::types::named(name).ok_or_else(wrong);
        match (text.split_once('@'), text.split_once(':')) {
            (Some((kind, digest)), _) => {
                let digest = digest.parse().map_err(|_| wrong())?;
                Ok(Wanted::Exactly { kind: named(kind)?, digest })
            }
            (None, Some((kind, name))) => {
                Ok(Wanted::Newest { kind: named(kind)?, name: Some(name.to_owned()) })
            }
            (None, None) => Ok(Wanted::Newest { kind: named(text)?, name: None }),
        }
    }

    /// Its type.
    pub fn kind(&self) -> &'static Type {
        match self {
            Wanted::Newest { kind, .. } | Wanted::Exactly { kind, .. } => kind,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Newest { kind, name: None } => f.write_str(kind.name),
            Wanted::Newest { kind, name: Some(name) } => write!(f, "{}:{name}", kind.name),
            Wanted::Exactly { kind, digest } => write!(f, "{}@{digest}", kind.name),
        }
    }
}

type Read = (Vec<(&'static Role, Vec<String>)>, Vec<(String, Value)>);

struct Whole(&'static Type);

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Read, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration of a {} statement", self.0.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let (mut files, mut members) = (Vec::new(), Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            if let Some(role) = self.0.role(&name) {
                files.push((role, map.next_value_seed(Texts)?));
                continue;
            }
            if COMPUTED.contains(&name.as_str()) {
                let why = format!("{name} is computed from the files; leave it out");
                return Err(A::Error::custom(why));
            }
            let field = self.0.fields.iter().chain(COMMON).find(|field| field.name == name);
            let field = field.ok_or_else(|| A::Error::custom(self.unknown(&name)))?;
            members.push((name, map.next_value_seed(Shaped(field.shape))?));
        }
        Ok((files, members))
    }
}

impl Whole {
    fn unknown(&self, name: &str) -> String {
        let roles = self.0.roles.iter().map(|role| role.name);
        let fields = self.0.fields.iter().chain(COMMON).map(|field| field.name);
        let known: Vec<&str> =
            roles.chain(fields).filter(|name| !COMPUTED.contains(name)).collect();
        format!("unknown key {name:?}; a {} statement has {}", self.0.name, known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, yaml: &str) -> Result<Config, ConfigError> {
        Config::read(attest::types::named(kind).unwrap(), yaml.as_bytes())
    }

    const PROMPT: &str = "system_prompt: a\ntemplates: t\nsafety_policy: s\n";

    #[test]
    fn texts_stay_as_they_were_written() {
        let yaml = "profile: p\nprofile_id: 1.10\nwindow: {start: 2026-01-01T00:00:00Z, end: 2026-02-01T00:00:00Z}\nttft_ms_p50: 0.90\nttft_ms_p95: 1\ntokens_per_second_p50: 40\ncost_per_1k_tokens_cap_usd: '0.002'\nerror_rate_cap: 0.010\nerror_budget_remaining: 1\nexpires_days: 30\n";
        let config = read("slo", yaml).unwrap();
        let own = Value::Object(config.own.clone());
        assert_eq!(own.get("profile_id").unwrap().as_str(), Some("1.10"));
        assert_eq!(own.get("ttft_ms_p50").unwrap().as_str(), Some("0.90"));
        assert_eq!(own.get("error_rate_cap").unwrap().as_str(), Some("0.010"));
        let start = own.get("window").unwrap().get("start").unwrap().as_str();
        assert_eq!(start, Some("2026-01-01T00:00:00Z"));
        assert_eq!(config.expires_days, Some(30));
        assert_eq!(
            config.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["route"]
        );
    }

    #[test]
    fn paths_are_one_or_many() {
        let config = read("prompt", &format!("{PROMPT}tool_schemas: [x, y]\n")).unwrap();
        let of = |name: &str| {
            config.files.iter().find(|(role, _)| role.name == name).map(|(_, paths)| paths.clone())
        };
        assert_eq!(of("templates"), Some(vec!["t".to_owned()]));
        assert_eq!(of("tool_schemas"), Some(vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_a_reason() {
        for (kind, added, why) in [
            ("prompt", "templates: u\n", "duplicate"),
            ("prompt", "temlates: u\n", "unknown key"),
            ("prompt", "salted: [nobody]\n", "none of the roles"),
            ("prompt", "privacy_mode: secret\n", "privacy_mode"),
            ("prompt", "privacy_mode: encrypted_payload\n", "recipients"),
            ("prompt", "recipients: [age1x]\n", "encrypted_payload"),
            ("prompt", "privacy_mode: plaintext_explicit\nsalted: [templates]\n", "salted"),
            ("prompt", "depends_on: [prompts]\n", "one of prompt"),
            ("prompt", "expires_days: -1\n", ""),
            ("prompt", "<<: {a: b}\n", ""),
            ("prompt", "sensitivity: internal\n", ""),
        ] {
            let error = read(kind, &format!("{PROMPT}{added}")).unwrap_err().to_string();
            assert!(error.to_lowercase().contains(why), "{added}: {error}");
        }
        assert!(
            read("prompt", "system_prompt: a\nsafety_policy: s\n")
                .unwrap_err()
                .0
                .contains("templates")
        );
        assert!(
            read("prompt", &PROMPT.replace(": a", ": [a, b]")).unwrap_err().0.contains("one path")
        );
        assert!(read("prompt", "").is_err() && read("prompt", "- a\n").is_err());
        let eval = "testset: a\nscoring_config: b\nbaseline_results: c\ncandidate_results: d\nsuite_id: s\nthresholds: {m: {min: 1}}\n";
        assert!(read("eval", eval).is_ok());
        for (added, why) in [
            ("metrics: {m: 1}\n", "computed"),
            ("passed: true\n", "computed"),
            ("depends_on: [prompt]\n", "corpus"),
        ] {
            let error = read("eval", &format!("{eval}{added}")).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
