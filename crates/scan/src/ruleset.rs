//! Rules made ready: expressions compiled within limits, literals checked, the body that is
//! digested.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use seal::digest::Digest;
use seal::json::{Value, write_receipt};

use crate::decode::{FUEL_BASE, FUEL_FACTOR, MIN_RUN};
use crate::engine::{ENGINE_VERSION, MAX_DEPTH, Options};
use crate::expression::{Expression, Unusable};
use crate::filter::{WORK_BASE, WORK_FACTOR};
use crate::hold::Ruled;
use crate::indicator::{Indicator, Source};
use crate::native::{Finder, spelled};
use crate::normalize::unicode_version;
use crate::phrase::Phrase;
use crate::rule::{Detector, Pattern, Rule, RuleError, Severity, Target, View};
use crate::semantic::{Semantic, THRESHOLDS};
use crate::unpack::INFLATED;
use crate::walk::{Needs, Spread, Walker};

/// Rules made ready. Engines that differ in what others look for share one.
#[derive(Clone)]
pub(crate) struct Ready {
    pub rules: Arc<[Compiled]>,
    pub walker: Arc<Walker>,
    pub native: Arc<Finder>,
    /// Rules without literals that look at numbers and addresses.
    pub detectors: Arc<[u16]>,
    /// For each rule how far its literals can stand apart, in significant characters.
    pub reach: Arc<[usize]>,
    /// What stands for the rules: the same for every engine, so written once, and named in the body
    /// of a ruleset by its digest.
    pub described: Arc<str>,
    /// For each target, made when first asked for.
    holds: Arc<[OnceLock<Arc<Ruled>>; Target::ALL.len()]>,
}

impl Ready {
    /// Refuses what cannot be bounded. Expressions that a test has compiled need not be compiled
    /// `now`, but when a text first asks for them.
    pub fn new(rules: Vec<Rule>, now: bool) -> Result<Ready, RuleError> {
        let (rules, needs) = compile(rules, now)?;
        let detectors = (0u16..)
            .zip(&rules)
            .filter(|(_, compiled)| matches!(compiled.matcher, Matcher::Detector(_)))
            .map(|(index, _)| index);
        let reach = |(needs, compiled): (&Option<Needs>, &Compiled)| match &compiled.matcher {
            Matcher::Native(expression) => expression.reach(),
            _ => needs.as_ref().map_or(LONGEST_NUMBER, |needs| needs.reach as usize),
        };
        let native = (0u16..).zip(&rules).filter_map(|(index, one)| match &one.rule.pattern {
            Pattern::Regex { view: View::Native, requires, .. } => Some((index, &**requires)),
            _ => None,
        });
        let native: Vec<(u16, &[Vec<String>])> = native.collect();
        Ok(Ready {
            walker: Arc::new(Walker::new(&needs)?),
            detectors: detectors.collect(),
            native: Arc::new(Finder::new(&native)?),
            reach: needs.iter().zip(&rules).map(reach).collect(),
            described: written(&Value::object([
                ("rules", Value::array(rules.iter().map(|one| describe(&one.rule)))),
                ("type", "countersign-rules/v1".into()),
            ]))?
            .into(),
            rules: rules.into(),
            holds: Arc::default(),
        })
    }

    /// What of a growing text of `target` may become part of a match of these rules.
    pub fn held(&self, target: Target) -> Arc<Ruled> {
        let at = Target::ALL.iter().position(|known| *known == target).unwrap_or(0);
        let made = || Arc::new(self.held_with(target, &|_| false));
        self.holds.get(at).map_or_else(made, |held| held.get_or_init(made).clone())
    }

    /// The same, also of those that are `wanted`.
    pub fn held_with(&self, target: Target, wanted: &dyn Fn(&Rule) -> bool) -> Ruled {
        let rules = self.rules.iter().map(|compiled| &compiled.rule);
        Ruled::new(rules.zip(self.reach.iter().copied()), target, wanted)
    }
}

/// No detector reads more of a text for one finding (an IBAN with separators is 42 long).
const LONGEST_NUMBER: usize = 64;

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
    /// Over words; one that is not `apart` also over words whose spaces were lost.
    Phrase { phrase: Phrase, negatable: bool, apart: bool },
    /// Over words.
    Words(Expression),
    /// Over the folded text.
    Exact(Expression),
    /// Over the text in its own script.
    Native(Expression),
    /// By code.
    Detector(Detector),
}

/// More groups mean a rule that should be two.
const MAX_GROUPS: usize = 8;

/// Makes all rules ready and lists what the automaton has to look for. Expressions that a test has
/// compiled need not be compiled `now`.
pub(crate) fn compile(
    rules: Vec<Rule>,
    now: bool,
) -> Result<(Vec<Compiled>, Vec<Option<Needs>>), RuleError> {
    let mut ids = BTreeSet::new();
    let mut compiled = Vec::with_capacity(rules.len());
    let mut needs = Vec::with_capacity(rules.len());
    for rule in rules {
        check_id(&rule.id)?;
        if !ids.insert(rule.id.clone()) {
            return Err(RuleError::DuplicateId { id: rule.id });
        }
        let (matcher, need) = matcher(&rule, now)?;
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
    ready: &Ready,
    indicators: &[Indicator],
    semantic: Option<&Semantic>,
    options: &Options,
) -> Result<String, RuleError> {
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
        ("rules", Digest::of(ready.described.as_bytes()).into()),
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
    written(&value)
}

fn written(value: &Value) -> Result<String, RuleError> {
    write_receipt(value).map_err(|error| RuleError::Body { reason: error.to_string() })
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
        Pattern::Phrase { groups: words, gap, negatable, apart } => Value::object([
            ("apart", (*apart).into()),
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

fn matcher(rule: &Rule, now: bool) -> Result<(Matcher, Option<Needs>), RuleError> {
    match &rule.pattern {
        Pattern::Phrase { groups, gap, negatable, apart } => {
            check_groups(rule, groups)?;
            let literals = groups
                .iter()
                .map(|group| group.iter().map(|words| required_word(rule, words)).collect())
                .collect::<Result<Vec<Vec<String>>, RuleError>>()?;
            let words = |one: &String| u16::try_from(one.split(' ').count()).unwrap_or(u16::MAX);
            let longest = |group: &Vec<String>| group.iter().map(words).max().unwrap_or(0);
            let words = groups.iter().map(longest).collect();
            let spread = Spread { words, gap: u16::from(*gap), apart: *apart };
            let phrase = Phrase::new(groups, *gap, *apart);
            let reach = bounded(rule, phrase.reach())?;
            let matcher = Matcher::Phrase { phrase, negatable: *negatable, apart: *apart };
            Ok((
                matcher,
                Some(Needs { groups: literals, reach, phrase: Some(spread), words: true }),
            ))
        }
        Pattern::Regex { view, requires, regex } => {
            check_groups(rule, requires)?;
            let id = || rule.id.clone();
            let native = *view == View::Native;
            let expression = Expression::new(regex, native, now).map_err(|error| match error {
                Unusable::Invalid(reason) => RuleError::BadRegex { id: id(), reason },
                Unusable::Unbounded => RuleError::Unbounded { id: id() },
            })?;
            let reach = bounded(rule, expression.reach())?;
            let matcher = match view {
                View::Words => {
                    for literal in requires.iter().flatten() {
                        check_word(rule, literal)?;
                    }
                    Matcher::Words(expression)
                }
                View::Exact => Matcher::Exact(expression),
                View::Native => {
                    let wrong = |word: &&String| spelled(word) != **word;
                    if let Some(literal) = requires.iter().flatten().find(wrong) {
                        let literal = literal.clone();
                        return Err(RuleError::BadLiteral { id: id(), literal });
                    }
                    // it is not looked for in what folding leaves
                    return Ok((Matcher::Native(expression), None));
                }
            };
            let words = *view == View::Words;
            Ok((matcher, Some(Needs { groups: requires.clone(), reach, phrase: None, words })))
        }
        Pattern::Detector(detector) => Ok((Matcher::Detector(*detector), None)),
    }
}

fn bounded(rule: &Rule, length: usize) -> Result<u32, RuleError> {
    u32::try_from(length).map_err(|_| RuleError::Unbounded { id: rule.id.clone() })
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
