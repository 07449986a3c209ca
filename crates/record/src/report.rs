//! The one report: findings, what they add up to, and how it is shown.

use std::collections::BTreeMap;
use std::fmt;

use seal::digest::Digest;
use seal::escape::terminal;
use seal::json::Value;
use seal::time::UnixMillis;

pub use crate::codes::{Code, ExitClass, Severity};

/// Findings of one code that are kept in full; the rest are counted. A hostile file of a million
/// bad lines must not cost the verifier its memory, nor the reader his patience.
const KEPT_PER_CODE: u64 = 100;
/// Longest detail, bytes; what is cut ends in an ellipsis.
const DETAIL: usize = 1024;

/// One thing found, where, and in what detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The row of the table.
    pub code: Code,
    /// Where: a file, `line 3`, `entry 17`, a hash. Empty while the caller has not said.
    pub place: String,
    /// What exactly, for this case, cut off behind 1,024 bytes. May hold outside text: escape it when
    /// printing.
    pub detail: String,
}

impl Finding {
    /// A finding at a place.
    pub fn new(code: Code, place: impl Into<String>, detail: impl Into<String>) -> Self {
        Finding { code, place: place.into(), detail: shortened(detail.into()) }
    }

    /// A finding whose place the caller fills in.
    pub(crate) fn here(code: Code, detail: impl Into<String>) -> Self {
        Finding::new(code, "", detail)
    }

    /// The same finding at `place`; what it already names comes after.
    pub fn at(mut self, place: &str) -> Self {
        self.place = match self.place.is_empty() {
            true => place.to_string(),
            false => format!("{place}, {}", self.place),
        };
        self
    }

    /// As a JSON object, with title and remedy.
    pub fn to_json(&self) -> Value {
        Value::object([
            ("code", self.code.id().into()),
            ("severity", self.code.severity().as_str().into()),
            ("place", Value::from(self.place.as_str())),
            ("detail", Value::from(self.detail.as_str())),
            ("title", self.code.title().into()),
            ("remedy", self.code.remedy().into()),
        ])
    }
}

/// A finding names the fault; a member of thirty kilobytes need not be told in full.
fn shortened(mut detail: String) -> String {
    if detail.len() > DETAIL {
        let end = (0..=DETAIL).rev().find(|at| detail.is_char_boundary(*at)).unwrap_or(0);
        detail.truncate(end);
        detail.push('…');
        detail.shrink_to_fit();
    }
    detail
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.id(), self.code.severity().as_str())?;
        if !self.place.is_empty() {
            write!(f, " {}", terminal(&self.place))?;
        }
        write!(f, ": {}", self.code.title())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", terminal(&self.detail))?;
        }
        Ok(())
    }
}

/// How far the evidence can be relied on. Not a yes: findings are the no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Assurance {
    /// Nothing is established.
    #[default]
    None,
    /// The bytes agree with themselves.
    Consistent,
    /// Signed by keys of the trust file.
    Signed,
}

impl Assurance {
    /// Lower-case name, as printed and as `--require` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Assurance::None => "none",
            Assurance::Consistent => "consistent",
            Assurance::Signed => "signed",
        }
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far back a timestamp over a checkpoint reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorReach {
    /// The entries `0..size` were there.
    pub size: u64,
    /// Before this: the time stated and how far it may be off.
    pub before: UnixMillis,
    /// The authority's name in the trust file.
    pub authority: String,
}

impl fmt::Display for AnchorReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entries 0..{} at {} by {}", self.size, self.before, self.authority)
    }
}

/// How far witnesses reach who cosigned a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessReach {
    /// The entries `0..size` were there.
    pub size: u64,
    /// Who saw them, by their names in the policy, and when, as each of them says.
    pub witnesses: Vec<(String, UnixMillis)>,
}

impl WitnessReach {
    fn to_json(&self) -> Value {
        let witnesses = self.witnesses.iter().map(|(name, time)| {
            Value::object([("name", Value::from(name.as_str())), ("time", time.to_string().into())])
        });
        Value::object([("size", self.size.into()), ("witnesses", Value::array(witnesses))])
    }
}

impl fmt::Display for WitnessReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entries 0..{}", self.size)?;
        let mut before = " by";
        for (name, time) in &self.witnesses {
            write!(f, "{before} {name} at {time}")?;
            before = ",";
        }
        Ok(())
    }
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was judged: a path or a name.
    pub subject: String,
    /// What kind of evidence it was: `ledger`, `receipt chain`, `receipt`, `decision receipt`.
    pub kind: String,
    /// Findings, in the order they were made.
    pub findings: Vec<Finding>,
    /// The level reached.
    pub assurance: Assurance,
    /// All of it stands under timestamps of trusted authorities.
    pub anchored: bool,
    /// The timestamp over a checkpoint of the log that reaches furthest.
    pub anchored_to: Option<AnchorReach>,
    /// A quorum of witnesses saw all of it.
    pub witnessed: bool,
    /// The quorum that cosigned the checkpoint.
    pub witnessed_to: Option<WitnessReach>,
    /// Named counts, in the order they are shown.
    pub counts: Vec<(String, u64)>,
    /// Sentences for the reader.
    pub notes: Vec<String>,
    /// Keys that came or went within the evidence, as JSON objects (`spec/key-changes.md`).
    pub keys: Vec<Value>,
    /// The trust file used, if any.
    pub trust_file: Option<String>,
    /// Its digest.
    pub trust_digest: Option<Digest>,
    seen: BTreeMap<Code, u64>,
    assured: bool,
}

impl Report {
    /// An empty report about `subject`.
    pub fn new(subject: impl Into<String>) -> Self {
        Report { subject: subject.into(), ..Report::default() }
    }

    /// Adds a finding. Beyond 100 of one code only the number is kept.
    pub fn push(&mut self, finding: Finding) {
        let seen = self.seen.entry(finding.code).or_insert(0);
        *seen += 1;
        if *seen <= KEPT_PER_CODE {
            self.findings.push(finding);
        }
    }

    /// Adds findings, all at `place`.
    pub fn push_all(&mut self, place: &str, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.push(finding.at(place));
        }
    }

    /// Adds a sentence for the reader.
    pub fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Adds a named count, summing with one of the same name.
    pub fn count(&mut self, name: &str, number: u64) {
        match self.counts.iter_mut().find(|(known, _)| known == name) {
            Some((_, total)) => *total += number,
            None => self.counts.push((name.to_string(), number)),
        }
    }

    /// States the level one part of the evidence reached. The report's level is the lowest of
    /// those stated: a whole is no stronger than its weakest part.
    pub fn assure(&mut self, level: Assurance) {
        self.assurance = if self.assured { self.assurance.min(level) } else { level };
        self.assured = true;
    }

    /// Adds a finding when the level reached is below the required one.
    pub fn require(&mut self, level: Assurance) {
        if self.assurance < level {
            let detail = format!("{} is required, {} is reached", level, self.assurance);
            self.push(Finding::here(Code::TrustLevel, detail));
        }
    }

    /// How many findings of this code were made, kept or not.
    pub fn seen(&self, code: Code) -> u64 {
        self.seen.get(&code).copied().unwrap_or(0)
    }

    /// Whether a finding of this code was made.
    pub fn has(&self, code: Code) -> bool {
        self.seen(code) > 0
    }

    /// No finding of severity error.
    pub fn ok(&self) -> bool {
        self.exit_class() == ExitClass::Ok
    }

    /// The class that decides the exit: tampered, untrusted, malformed, violated, missing.
    pub fn exit_class(&self) -> ExitClass {
        let classes = self.seen.keys().map(|code| code.exit());
        classes.min_by_key(|class| class.rank()).unwrap_or(ExitClass::Ok)
    }

    /// Findings of a code that were counted but not kept.
    fn dropped(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        self.seen
            .iter()
            .filter(|(_, seen)| **seen > KEPT_PER_CODE)
            .map(|(code, seen)| (*code, seen - KEPT_PER_CODE))
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        let text = |text: &str| match text.is_empty() {
            true => Value::Null,
            false => Value::from(text),
        };
        let counts = self.counts.iter().map(|(name, n)| (name.clone(), Value::from(*n))).collect();
        let dropped =
            self.dropped().map(|(code, more)| (code.id().to_string(), Value::from(more))).collect();
        Value::object([
            ("subject", text(&self.subject)),
            ("kind", text(&self.kind)),
            ("ok", self.ok().into()),
            ("result", self.exit_class().as_str().into()),
            ("assurance", self.assurance.as_str().into()),
            ("anchored", self.anchored.into()),
            (
                "anchored_to",
                self.anchored_to.as_ref().map_or(Value::Null, |reach| {
                    Value::object([
                        ("size", reach.size.into()),
                        ("before", reach.before.to_string().into()),
                        ("authority", reach.authority.as_str().into()),
                    ])
                }),
            ),
            ("witnessed", self.witnessed.into()),
            ("witnessed_to", self.witnessed_to.as_ref().map_or(Value::Null, WitnessReach::to_json)),
            ("findings", Value::array(self.findings.iter().map(Finding::to_json))),
            ("not_listed", Value::Object(dropped)),
            ("counts", Value::Object(counts)),
            ("notes", Value::array(self.notes.iter().map(|note| Value::from(note.as_str())))),
            ("keys", Value::array(self.keys.iter().cloned())),
            (
                "trust",
                Value::object([
                    ("file", Value::from(self.trust_file.as_deref())),
                    ("digest", self.trust_digest.map(|digest| digest.to_string()).into()),
                ]),
            ),
        ])
    }

    /// The report for people. Everything from outside is escaped.
    pub fn to_table(&self) -> String {
        let mut out = String::new();
        let mut line = |label: &str, text: &str| {
            out.push_str(&format!("{label:<11} {}\n", terminal(text)));
        };
        if !self.subject.is_empty() {
            line("subject", &self.subject);
        }
        if !self.kind.is_empty() {
            line("kind", &self.kind);
        }
        line("result", if self.ok() { "ok" } else { self.exit_class().as_str() });
        let anchored = if self.anchored { ", anchored" } else { "" };
        let witnessed = if self.witnessed { ", witnessed" } else { "" };
        line("assurance", &format!("{}{anchored}{witnessed}", self.assurance));
        if let Some(reach) = &self.anchored_to {
            line("anchored", &reach.to_string());
        }
        if let Some(reach) = &self.witnessed_to {
            line("witnessed", &reach.to_string());
        }
        match (&self.trust_file, &self.trust_digest) {
            (Some(file), Some(digest)) => line("trust", &format!("{file} ({digest})")),
            (Some(file), None) => line("trust", file),
            (None, _) => line("trust", "none"),
        }
        for (name, number) in &self.counts {
            line(name, &number.to_string());
        }
        for note in &self.notes {
            line("note", note);
        }
        if self.findings.is_empty() {
            return out;
        }
        out.push('\n');
        for finding in &self.findings {
            out.push_str(&format!("{finding}\n"));
            if finding.code.severity() != Severity::Info {
                out.push_str(&format!("    remedy: {}\n", finding.code.remedy()));
            }
        }
        for (code, more) in self.dropped() {
            out.push_str(&format!("{code}: {more} more\n"));
        }
        out
    }
}
