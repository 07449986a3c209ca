//! Rules from files: YAML in the shape that others use, read strictly. One invalid rule refuses the
//! file, with line and reason: a rule that is silently left out is a hole.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::{Error, Spanned, options};

use crate::indicator::{Indicator, Kind, Limits, Refusal, Source};
use crate::needles::check_pattern;
use crate::rule::{Severity, Targets};

/// Longest rule file, bytes.
pub const RULE_FILE_LIMIT: usize = 4 << 20;
/// Longest text of a rule but for its patterns, bytes.
const TEXT_LIMIT: usize = 1_024;
/// Most patterns of a rule.
const PATTERNS: usize = 1_000;

/// A rule file.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFile {
    /// The name it was given; part of what its hits say.
    pub name: Arc<str>,
    /// Its rules, in order.
    pub rules: Vec<FileRule>,
}

/// A rule of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRule {
    /// Its id.
    pub id: Arc<str>,
    /// Its name, for people.
    pub name: String,
    /// Its category.
    pub category: String,
    /// Its technique; the category where the file names none.
    pub technique: Arc<str>,
    /// As the file says, or else by its score: critical from 0.9 on, high from 0.75, medium from
    /// 0.5.
    pub severity: Severity,
    /// From 0 to 1; decides only where no severity stands.
    pub score: f64,
    /// What it is about.
    pub description: String,
    /// Expressions; one of them is enough.
    pub patterns: Vec<String>,
    /// The line it begins on.
    pub line: u64,
}

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// The file.
    pub file: Arc<str>,
    /// Counted from 1; 0 where it is the file as a whole.
    pub line: u64,
    /// What is wrong, and with which rule.
    pub reason: String,
}

impl std::fmt::Display for RuleFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.reason),
            line => write!(f, "{}:{line}: {}", self.file, self.reason),
        }
    }
}

impl std::error::Error for RuleFault {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    name: String,
    category: String,
    patterns: Vec<Spanned<String>>,
    score: Spanned<f64>,
    technique: Option<String>,
    severity: Option<Spanned<String>>,
    description: Option<String>,
}

impl RuleFile {
    /// Reads a file: `rules: [...]`, or the bare list. All faults of its rules are told, or the
    /// first of its YAML.
    pub fn parse(name: &str, text: &str, limits: &Limits) -> Result<RuleFile, Vec<RuleFault>> {
        let name: Arc<str> = name.into();
        let fault = |line: u64, reason: String| RuleFault { file: name.clone(), line, reason };
        if text.len() > RULE_FILE_LIMIT {
            let reason = format!("{} bytes, at most {RULE_FILE_LIMIT} are taken", text.len());
            return Err(vec![fault(0, reason)]);
        }
        let entries = read(text).map_err(|(line, reason)| vec![fault(line, reason)])?;
        let mut faults = Vec::new();
        if entries.is_empty() {
            faults.push(fault(0, "no rules: expected a list under `rules`".to_owned()));
        }
        let mut rules: Vec<FileRule> = Vec::with_capacity(entries.len());
        let mut known: BTreeMap<String, u64> = BTreeMap::new();
        for entry in entries {
            let line = entry.referenced.line();
            let entry = entry.value;
            judge(&entry, line, limits, &mut |line, reason| {
                faults.push(fault(line, format!("rule {:?}: {reason}", entry.id.value)));
            });
            if let Some(first) = known.insert(entry.id.value.clone(), line) {
                let reason =
                    format!("rule {:?}: the id is taken since line {first}", entry.id.value);
                faults.push(fault(entry.id.referenced.line(), reason));
            }
            rules.push(entry.into_rule(line));
        }
        if faults.is_empty() { Ok(RuleFile { name, rules }) } else { Err(faults) }
    }

    /// What the engine is to look for.
    pub fn indicators(&self) -> impl Iterator<Item = Indicator> + '_ {
        self.rules.iter().flat_map(move |rule| {
            let categories: Arc<[String]> = vec![rule.category.clone()].into();
            rule.patterns.iter().map(move |pattern| Indicator {
                id: rule.id.clone(),
                source: Source::File(self.name.clone()),
                kind: Kind::Regex,
                pattern: pattern.clone(),
                severity: rule.severity,
                categories: categories.clone(),
                technique: rule.technique.clone(),
                monitor: false,
                targets: Targets::ALL,
            })
        })
    }
}

/// Faults of several files together: ids that stand in two of them, or are taken by `ids`.
pub fn duplicates<'i>(files: &[RuleFile], ids: impl Iterator<Item = &'i str>) -> Vec<RuleFault> {
    let mut known: BTreeMap<&str, Arc<str>> = ids.map(|id| (id, "the product".into())).collect();
    let mut faults = Vec::new();
    for file in files {
        for rule in &file.rules {
            if let Some(first) = known.insert(&rule.id, file.name.clone()) {
                let reason = format!("rule {:?}: the id is taken by {first}", rule.id);
                faults.push(RuleFault { file: file.name.clone(), line: rule.line, reason });
            }
        }
    }
    faults
}

impl Entry {
    fn into_rule(self, line: u64) -> FileRule {
        let score = self.score.value;
        let named = self.severity.as_ref().and_then(|severity| Severity::named(&severity.value));
        let severity = named.unwrap_or(match score {
            0.9.. => Severity::Critical,
            0.75.. => Severity::High,
            0.5.. => Severity::Medium,
            _ => Severity::Low,
        });
        FileRule {
            id: self.id.value.into(),
            technique: self.technique.unwrap_or_else(|| self.category.clone()).into(),
            name: self.name,
            category: self.category,
            severity,
            score,
            description: self.description.unwrap_or_default(),
            patterns: self.patterns.into_iter().map(|pattern| pattern.value).collect(),
            line,
        }
    }
}

fn judge(entry: &Entry, line: u64, limits: &Limits, fault: &mut dyn FnMut(u64, String)) {
    let id = &entry.id.value;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        let reason = "ids are 1 to 64 characters of A-Z, a-z, 0-9, '-', '_' and '.'";
        fault(entry.id.referenced.line(), reason.to_owned());
    }
    let technique = entry.technique.as_deref().unwrap_or("-");
    for (what, text) in
        [("name", entry.name.as_str()), ("category", &entry.category), ("technique", technique)]
    {
        if text.is_empty() || text.len() > TEXT_LIMIT {
            fault(line, format!("{what} has {} bytes, expected 1 to {TEXT_LIMIT}", text.len()));
        }
    }
    if !(0.0..=1.0).contains(&entry.score.value) {
        let reason = format!("score {} is not between 0 and 1", entry.score.value);
        fault(entry.score.referenced.line(), reason);
    }
    if let Some(severity) = &entry.severity
        && Severity::named(&severity.value).is_none()
    {
        let reason =
            format!("severity {:?} is none of LOW, MEDIUM, HIGH, CRITICAL", severity.value);
        fault(severity.referenced.line(), reason);
    }
    if entry.patterns.is_empty() || entry.patterns.len() > PATTERNS {
        fault(line, format!("{} patterns, expected 1 to {PATTERNS}", entry.patterns.len()));
    }
    for (at, pattern) in (1..).zip(&entry.patterns) {
        // how many expressions have no literal is seen when all files are together
        if let Err(reason) = check_pattern(Kind::Regex, &pattern.value, limits)
            && !matches!(reason, Refusal::NoLiteral { .. })
        {
            fault(pattern.referenced.line(), format!("pattern {at}: {reason}"));
        }
    }
}

fn read(text: &str) -> Result<Vec<Spanned<Entry>>, (u64, String)> {
    // No snippet of the file in a message; a merge key is read by some and not by others.
    let options = || {
        options! {
            with_snippet: false,
            no_schema: true,
            strict_booleans: true,
            merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        }
    };
    let told = |error: Error| {
        let error = error.without_snippet();
        let line = error.location().map_or(0, |location| location.line());
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        (line, said.lines().next().unwrap_or_default().to_owned())
    };
    if is_list(text) {
        return serde_saphyr::from_str_with_options(text, options()).map_err(told);
    }
    let document: Result<Document, Error> = serde_saphyr::from_str_with_options(text, options());
    document.map(|document| document.rules).map_err(told)
}

/// Whether the file is the bare list.
fn is_list(text: &str) -> bool {
    let lines = text.lines().map(str::trim_start);
    let mut telling = lines.filter(|line| {
        !line.is_empty() && !line.starts_with(['#', '%']) && !line.starts_with("---")
    });
    telling
        .next()
        .is_some_and(|line| line == "-" || line.starts_with("- ") || line.starts_with('['))
}
