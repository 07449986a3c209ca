//! The rules that come with the product: our own starter set, one table for each subject.
//!
//! Each rule carries texts it must hit and texts close by that it must not; a test runs them all.

mod abuse;
mod agents;
mod asked;
mod boundary;
mod channels;
mod chinese;
mod conceal;
mod content;
mod cyrillic;
mod evade;
mod exfiltrate;
mod extract;
mod hidden;
mod indic;
mod jailbreak;
mod japanese;
mod korean;
mod languages;
mod latins;
mod lexicon;
mod natural;
mod overrides;
mod paraphrases;
mod persona;
mod poison;
mod restrictions;
mod reworded;
mod semitic;
mod takeover;
mod templates;
mod tokens;
mod tongue;
mod unbind;
mod world;

use crate::indicator::Source;
use crate::native::spelled;
use crate::rule::{Action, Category, Pattern, Rule, Severity, Targets, View};

/// All built-in rules, which [`Engine::builtin`](crate::Engine::builtin) compiles.
pub fn rules() -> Vec<Rule> {
    let mut rules = overrides::rules();
    rules.extend(extract::rules());
    rules.extend(persona::rules());
    rules.extend(restrictions::rules());
    rules.extend(templates::rules());
    rules.extend(exfiltrate::rules());
    rules.extend(conceal::rules());
    rules.extend(languages::rules());
    rules.extend(latins::rules());
    rules.extend(chinese::rules());
    rules.extend(japanese::rules());
    rules.extend(korean::rules());
    rules.extend(cyrillic::rules());
    rules.extend(semitic::rules());
    rules.extend(indic::rules());
    rules.extend(paraphrases::rules());
    rules.extend(reworded::rules());
    rules.extend(takeover::rules());
    rules.extend(asked::rules());
    rules.extend(boundary::rules());
    rules.extend(evade::rules());
    rules.extend(jailbreak::rules());
    rules.extend(unbind::rules());
    rules.extend(channels::rules());
    rules.extend(agents::rules());
    rules.extend(poison::rules());
    rules.extend(abuse::rules());
    rules.extend(world::rules());
    rules.extend(natural::rules());
    rules.extend(hidden::rules());
    rules.extend(content::rules());
    rules.extend(tokens::rules());
    rules
}

/// One row of an injection table.
struct Row<'a> {
    id: &'a str,
    technique: &'a str,
    severity: Severity,
    targets: Targets,
    pattern: Pattern,
    about: &'a str,
    hits: &'a [&'a str],
    misses: &'a [&'a str],
}

impl Row<'_> {
    /// Instructions are refused by their verdict; a low hit is only reported.
    fn injection(self) -> Rule {
        let action = match self.severity {
            Severity::Low => Action::Flag,
            Severity::Medium | Severity::High | Severity::Critical => Action::Block,
        };
        self.rule(Category::Injection, action)
    }

    fn rule(self, category: Category, action: Action) -> Rule {
        Rule {
            id: self.id.to_owned(),
            category,
            technique: self.technique.to_owned(),
            severity: self.severity,
            action,
            targets: self.targets,
            pattern: self.pattern,
            description: self.about.to_owned(),
            source: Source::Builtin,
            hits: self.hits.iter().map(|text| (*text).to_owned()).collect(),
            misses: self.misses.iter().map(|text| (*text).to_owned()).collect(),
        }
    }
}

/// Word groups in order; alternatives are separated by `|`.
fn phrase(gap: u8, groups: &[&str]) -> Pattern {
    Pattern::Phrase { groups: split(groups), gap, negatable: false, apart: false }
}

/// The same, turned around by `never` and the like right before it.
fn negatable(gap: u8, groups: &[&str]) -> Pattern {
    Pattern::Phrase { groups: split(groups), gap, negatable: true, apart: false }
}

/// Word groups in order, each word of its own.
fn spaced(gap: u8, groups: &[&str]) -> Pattern {
    Pattern::Phrase { groups: split(groups), gap, negatable: false, apart: true }
}

fn words(requires: &[&str], regex: &str) -> Pattern {
    Pattern::Regex { view: View::Words, requires: split(requires), regex: regex.to_owned() }
}

/// Here the alternatives are separated by a space, since `|` is what they look for.
fn exact(requires: &[&str], regex: &str) -> Pattern {
    let requires = requires
        .iter()
        .map(|group| group.split(' ').map(|literal| literal.to_owned()).collect())
        .collect();
    Pattern::Regex { view: View::Exact, requires, regex: regex.to_owned() }
}

/// Words of another script that follow one another, with at most `gap` characters between; `_` is
/// the border of a word.
fn native(gap: u8, groups: &[&str]) -> Pattern {
    let requires: Vec<Vec<String>> = groups
        .iter()
        .map(|group| group.split('|').map(|words| spelled(&words.replace('_', " "))).collect())
        .collect();
    let parts: Vec<String> =
        requires.iter().map(|group| format!("(?:{})", group.join("|"))).collect();
    let regex = parts.join(&format!(".{{0,{gap}}}?"));
    Pattern::Regex { view: View::Native, requires, regex }
}

fn split(groups: &[&str]) -> Vec<Vec<String>> {
    groups
        .iter()
        .map(|group| group.split('|').map(|alternative| alternative.to_owned()).collect())
        .collect()
}
