//! Rules made ready: expressions compiled within limits, literals checked, the body that is
//! digested.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use seal::digest::Digest;
use seal::json::{Value, write_receipt};

use crate::decode::{FUEL_BASE, FUEL_FACTOR, MIN_RUN};
use crate::engine::{ENGINE_VERSION, MAX_DEPTH, Options};
use crate::filter::{WORK_BASE, WORK_FACTOR};
use crate::indicator::{Indicator, Source};
use crate::normalize::unicode_version;
use crate::rule::{Detector, Pattern, Rule, RuleError, Severity, View};
use crate::semantic::{Semantic, THRESHOLDS};
use crate::unpack::INFLATED;
use crate::walk::Needs;

/// A rule ready to run.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub rule: Rule,
    pub id: Arc<str>,
    pub technique: Arc<str>,
    pub matcher: Matcher,
}

/// How a rule is verified.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// Over words; `glued` over words whose spaces were lost.
    Words { regex: Regex, glued: Option<Regex>, negatable: bool },
    /// Over the folded text.
    Exact(Regex),
    /// By code.
    Detector(Detector),
}

/// More groups mean a rule that should be two.
const MAX_GROUPS: usize = 8;
/// Memory that one compiled expression may take.
const REGEX_BYTES: usize = 1 << 20;
/// Words longer than this end a gap between two groups.
const GAP_WORD: usize = 32;

/// Compiles all rules and lists what the automaton has to look for.
pub(crate) fn compile(rules: Vec<Rule>) -> Result<(Vec<Compiled>, Vec<Option<Needs>>), RuleError> {
    let mut ids = BTreeSet::new();
    let mut compiled = Vec::with_capacity(rules.len());
    let mut needs = Vec::with_capacity(rules.len());
    for rule in rules {
        check_id(&rule.id)?;
        if !ids.insert(rule.id.clone()) {
            return Err(RuleError::DuplicateId { id: rule.id });
        }
        let (matcher, need) = matcher(&rule)?;
        needs.push(need);
        compiled.push(Compiled {
            id: rule.id.as_str().into(),
            technique: rule.technique.as_str().into(),
            rule,
            matcher,
        });
    }
    Ok((compiled, needs))
}

/// The canonical JSON that stands for a ruleset: everything that decides a verdict.
pub(crate) fn body(
    rules: &[Compiled],
    indicators: &[Indicator],
    semantic: Option<&Semantic>,
    options: &Options,
) -> Result<String, RuleError> {
    let rules = rules.iter().map(|compiled| describe(&compiled.rule));
    let feeds = options.feeds.iter().map(|feed| {
        Value::object([
            ("feed", feed.feed.as_str().into()),
            ("issuer", feed.issuer.as_str().into()),
            ("root", feed.root.as_str().into()),
        ])
    });
    // rules from files stand here in full, for nobody else keeps them; indicators of feeds by what
    // their publishers signed
    let of_files = indicators.iter().filter(|one| matches!(one.source, Source::File(_)));
    let of_feeds: Vec<&Indicator> =
        indicators.iter().filter(|one| matches!(one.source, Source::Feed { .. })).collect();
    let mut hashes: Vec<String> = of_feeds.iter().map(|one| signed(one)).collect();
    hashes.sort();
    let value = Value::object([
        ("engine", ENGINE_VERSION.into()),
        ("feeds", Value::array(feeds)),
        ("files", Value::array(of_files.map(describe_indicator))),
        (
            "indicators",
            Value::object([
                ("count", number(of_feeds.len())),
                ("digest", Digest::of(hashes.concat().as_bytes()).to_string().as_str().into()),
            ]),
        ),
        (
            "limits",
            Value::object([
                ("depth", i64::from(MAX_DEPTH).into()),
                ("fuel_base", number(FUEL_BASE)),
                ("fuel_factor", number(FUEL_FACTOR)),
                ("inflated", number(INFLATED)),
                ("run", number(MIN_RUN)),
                ("work_base", number(WORK_BASE)),
                ("work_factor", number(WORK_FACTOR)),
            ]),
        ),
        ("mode", options.mode.as_str().into()),
        ("rules", Value::array(rules)),
        ("semantic", describe_layer(semantic, options)),
        ("type", "countersign-ruleset/v1".into()),
        ("unicode", unicode_version().into()),
        (
            "verdicts",
            Value::object(SEVERITIES.map(|severity| {
                (severity.as_str(), Value::from(options.mode.verdict(severity).as_str()))
            })),
        ),
    ]);
    write_receipt(&value).map_err(|error| RuleError::Body { reason: error.to_string() })
}

const SEVERITIES: [Severity; 4] =
    [Severity::Critical, Severity::High, Severity::Low, Severity::Medium];

/// A feed whose indicators are in a ruleset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedRoot {
    /// Who signed it.
    pub issuer: String,
    /// Its id.
    pub feed: String,
    /// Its root, `sha256:` and 64 hexadecimal digits.
    pub root: String,
}

/// What stands for an indicator of a feed: what was signed, and what is done about it here.
fn signed(indicator: &Indicator) -> String {
    let watched = if indicator.monitor { "monitor" } else { "act" };
    format!("{} {watched}\n", indicator.source.content_hash().unwrap_or_default())
}

fn describe_indicator(indicator: &Indicator) -> Value {
    Value::object([
        ("categories", Value::array(indicator.categories.iter().map(String::as_str))),
        ("id", (&*indicator.id).into()),
        ("kind", indicator.kind.as_str().into()),
        ("pattern", indicator.pattern.as_str().into()),
        ("severity", indicator.severity.as_str().into()),
        ("technique", (&*indicator.technique).into()),
    ])
}

/// The second layer: what scores, and what a score leads to.
fn describe_layer(semantic: Option<&Semantic>, options: &Options) -> Value {
    let layer = semantic.map(|semantic| semantic.digest().to_string());
    let judge = options.judge.map(|digest| digest.to_string());
    Value::object([
        ("alert", i64::from(THRESHOLDS.alert).into()),
        ("alone", i64::from(THRESHOLDS.alone).into()),
        ("digest", layer.as_deref().unwrap_or_default().into()),
        ("judge", judge.as_deref().unwrap_or_default().into()),
        ("note", i64::from(THRESHOLDS.note).into()),
        ("together", i64::from(THRESHOLDS.together).into()),
    ])
}

fn number(value: usize) -> Value {
    Value::from(i64::try_from(value).unwrap_or(i64::MAX))
}

fn describe(rule: &Rule) -> Value {
    let groups = |groups: &[Vec<String>]| {
        Value::array(groups.iter().map(|group| Value::array(group.iter().map(String::as_str))))
    };
    let pattern = match &rule.pattern {
        Pattern::Phrase { groups: words, gap, negatable } => Value::object([
            ("gap", i64::from(*gap).into()),
            ("negatable", (*negatable).into()),
            ("phrase", groups(words)),
        ]),
        Pattern::Regex { view, requires, regex } => Value::object([
            ("regex", regex.as_str().into()),
            ("requires", groups(requires)),
            ("view", view.as_str().into()),
        ]),
        Pattern::Detector(detector) => {
            Value::object([("detector", Value::from(detector.as_str()))])
        }
    };
    Value::object([
        ("action", rule.action.as_str().into()),
        ("category", rule.category.as_str().into()),
        ("description", rule.description.as_str().into()),
        ("id", rule.id.as_str().into()),
        ("pattern", pattern),
        ("severity", rule.severity.as_str().into()),
        ("targets", Value::array(rule.targets.iter().map(|target| target.as_str()))),
        ("technique", rule.technique.as_str().into()),
    ])
}

fn check_id(id: &str) -> Result<(), RuleError> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.is_empty() || id.len() > 64 || !id.bytes().all(usable) {
        return Err(RuleError::BadId { id: id.to_owned() });
    }
    Ok(())
}

fn matcher(rule: &Rule) -> Result<(Matcher, Option<Needs>), RuleError> {
    match &rule.pattern {
        Pattern::Phrase { groups, gap, negatable } => {
            check_groups(rule, groups)?;
            let spelled = phrase(groups, *gap);
            let glued = glued_phrase(groups, *gap);
            let reach = reach(rule, &spelled)?.max(reach(rule, &glued)?);
            let literals = groups
                .iter()
                .map(|group| group.iter().map(|words| required_word(rule, words)).collect())
                .collect::<Result<Vec<Vec<String>>, RuleError>>()?;
            let matcher = Matcher::Words {
                regex: build(rule, &spelled)?,
                glued: Some(build(rule, &glued)?),
                negatable: *negatable,
            };
            Ok((matcher, Some(Needs { groups: literals, reach })))
        }
        Pattern::Regex { view, requires, regex } => {
            check_groups(rule, requires)?;
            let reach = reach(rule, regex)?;
            let compiled = build(rule, regex)?;
            let matcher = match view {
                View::Words => {
                    for literal in requires.iter().flatten() {
                        check_word(rule, literal)?;
                    }
                    Matcher::Words { regex: compiled, glued: None, negatable: false }
                }
                View::Exact => Matcher::Exact(compiled),
            };
            Ok((matcher, Some(Needs { groups: requires.clone(), reach })))
        }
        Pattern::Detector(detector) => Ok((Matcher::Detector(*detector), None)),
    }
}

fn check_groups(rule: &Rule, groups: &[Vec<String>]) -> Result<(), RuleError> {
    if groups.len() > MAX_GROUPS {
        return Err(RuleError::TooManyGroups {
            id: rule.id.clone(),
            count: groups.len(),
            limit: MAX_GROUPS,
        });
    }
    let empty = groups.is_empty()
        || groups.iter().any(|group| group.is_empty() || group.iter().any(String::is_empty));
    if empty { Err(RuleError::NoLiteral { id: rule.id.clone() }) } else { Ok(()) }
}

fn check_word(rule: &Rule, word: &str) -> Result<(), RuleError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if word.is_empty() || !word.bytes().all(plain) {
        return Err(RuleError::BadLiteral { id: rule.id.clone(), literal: word.to_owned() });
    }
    Ok(())
}

/// The word of an alternative that the automaton looks for: the longest that the raw text holds
/// as one piece. Contractions (`dont`) are written with an apostrophe and would be missed; so
/// would the s of a possessive.
fn required_word(rule: &Rule, alternative: &str) -> Result<String, RuleError> {
    let words = || alternative.split(' ').map(|word| word.trim_end_matches('*'));
    for word in words() {
        check_word(rule, word)?;
    }
    words()
        .filter(|word| !CONTRACTIONS.contains(word))
        .map(|word| if word.len() > 3 { word.trim_end_matches('s') } else { word })
        .max_by_key(|word| word.len())
        .map(str::to_owned)
        .ok_or_else(|| RuleError::NoLiteral { id: rule.id.clone() })
}

static CONTRACTIONS: &[&str] = &[
    "arent", "cant", "couldnt", "didnt", "doesnt", "dont", "im", "isnt", "ive", "lets", "shouldnt",
    "theyre", "wont", "wouldnt", "youd", "youll", "youre", "youve", "weve", "wasnt", "havent",
];

/// First words of this length are found inside a longer word too (`Pleaseignore`).
const GLUE_PREFIX: usize = 6;

fn phrase(groups: &[Vec<String>], gap: u8) -> String {
    let mut out = String::new();
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            out.push_str(&format!(" (?:[a-z0-9\\x7f]{{1,{GAP_WORD}}} ){{0,{gap}}}"));
        }
        let alternatives: Vec<String> = group
            .iter()
            .map(|alternative| {
                let first = alternative.split(' ').next().unwrap_or_default();
                let start =
                    if first.trim_end_matches('*').len() < GLUE_PREFIX { "\\b" } else { "" };
                format!("{start}{}\\b", alternative.replace('*', "[a-z0-9]{0,12}"))
            })
            .collect();
        out.push_str(&format!("(?:{})", alternatives.join("|")));
    }
    out
}

fn glued_phrase(groups: &[Vec<String>], gap: u8) -> String {
    let glue = format!("[a-z0-9 \\x7f]{{0,{}}}", usize::from(gap) * 8);
    let groups: Vec<String> = groups
        .iter()
        .map(|group| {
            let alternatives: Vec<String> =
                group.iter().map(|a| a.replace('*', "").replace(' ', " ?")).collect();
            format!("(?:{})", alternatives.join("|"))
        })
        .collect();
    groups.join(&glue)
}

fn build(rule: &Rule, regex: &str) -> Result<Regex, RuleError> {
    RegexBuilder::new(regex)
        .unicode(false)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(REGEX_BYTES)
        .build()
        .map_err(|error| RuleError::BadRegex { id: rule.id.clone(), reason: error.to_string() })
}

/// The longest text an expression can match: how far apart its literals can stand.
fn reach(rule: &Rule, regex: &str) -> Result<u32, RuleError> {
    let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
    let parsed = regex_automata::util::syntax::parse_with(regex, &syntax)
        .map_err(|error| RuleError::BadRegex { id: rule.id.clone(), reason: error.to_string() })?;
    let length = parsed.properties().maximum_len();
    length
        .and_then(|length| u32::try_from(length).ok())
        .ok_or_else(|| RuleError::Unbounded { id: rule.id.clone() })
}
