//! Words that many rules share, and the short form in which the tables of shapes are written.
//!
//! A rule looks for the shape of a technique: who is to do what to what, within a few words. The
//! words for the same thing stand here once.

use super::{Row, negatable, phrase, words};
use crate::rule::{Pattern, Rule, Severity, Targets};

/// One row: groups of words that follow one another.
pub(super) struct Shape<'a> {
    pub id: &'a str,
    pub technique: &'a str,
    pub severity: Severity,
    pub targets: Targets,
    /// How many other words may stand between two groups.
    pub gap: u8,
    /// Whether it gives an order, which `never` right before it turns around.
    pub order: bool,
    pub groups: &'a [&'a str],
    pub about: &'a str,
    pub hits: &'a [&'a str],
    pub misses: &'a [&'a str],
}

pub(super) fn rules(shapes: &[Shape<'_>]) -> Vec<Rule> {
    let rule = |shape: &Shape<'_>| {
        Row {
            id: shape.id,
            technique: shape.technique,
            severity: shape.severity,
            targets: shape.targets,
            pattern: match (shape.order, shape.severity) {
                (true, _) => negatable(shape.gap, shape.groups),
                (false, Severity::High | Severity::Critical) => phrase(shape.gap, shape.groups),
                (false, _) => spaced(shape.gap, shape.groups),
            },
            about: shape.about,
            hits: shape.hits,
            misses: shape.misses,
        }
        .injection()
    };
    shapes.iter().map(rule).collect()
}

/// The same words in the same order, each a word of its own: shapes that are made of short and common
/// words are not looked for where spaces were lost, for there they stand in every text.
fn spaced(gap: u8, groups: &[&str]) -> Pattern {
    let mut regex = String::new();
    let mut requires = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let alternatives: Vec<&str> = group.split('|').collect();
        if at > 0 {
            regex.push_str(&format!(" (?:[a-z0-9\\x7f]{{1,32}} ){{0,{gap}}}"));
        }
        regex.push_str(&format!(
            "\\b(?:{})\\b",
            alternatives.join("|").replace('*', "[a-z0-9]{0,12}")
        ));
        let literals: Vec<&str> = alternatives.iter().map(|words| telling(words)).collect();
        requires.push(literals.join("|"));
    }
    // groups of words that stand in every text say nothing about where to look
    let rare =
        |group: &&String| !group.split('|').any(|word| word.len() < 4 || COMMON.contains(&word));
    let telling: Vec<&str> = requires.iter().filter(rare).map(String::as_str).collect();
    let all = requires.iter().map(String::as_str).collect::<Vec<_>>();
    words(if telling.len() > 1 { &telling } else { &all }, &regex)
}

/// Words of four letters and more that most texts hold.
static COMMON: &[&str] = &[
    "that", "this", "with", "your", "from", "have", "what", "when", "will", "they", "then", "them",
    "only", "must", "should", "which", "there", "their", "always", "never", "first", "before",
    "after", "here", "other", "about", "where", "these", "those", "user", "use", "tell", "list",
    "write",
];

/// The longest word that the raw text holds as one piece: contractions have an apostrophe there, and
/// so may a last s.
fn telling(alternative: &str) -> &str {
    static CONTRACTIONS: &[&str] = &[
        "cant", "doesnt", "dont", "im", "isnt", "lets", "whats", "youre", "youve", "arent", "wont",
    ];
    alternative
        .split(' ')
        .map(|word| word.trim_end_matches('*'))
        .filter(|word| !CONTRACTIONS.contains(word))
        .map(|word| if word.len() > 3 { word.trim_end_matches('s') } else { word })
        .max_by_key(|word| word.len())
        .unwrap_or(alternative)
}

/// To stop minding something.
pub(super) const IGNORE: &str = "ignore|ignoring|ignores|disregard|disregarding|forget|forgetting|\
    override|overrule|discard|neglect|skip|put aside|set aside|throw out|pay no attention to|\
    take no notice of|stop following|cease following|stop obeying|do not follow|dont follow|\
    do not obey|dont obey|do not listen to|dont listen to";

/// Rarer words for it.
pub(super) const DISCARD: &str = "drop|bypass|abandon|erase|wipe|delete|purge|flush|clear|cancel|\
    dismiss|let go of|take no notice of|pretend you never saw|pretend you never read|\
    refuse to follow|not follow|no longer follow|overwrite|get rid of|undo|scrap|nullify";

/// What a model was given.
pub(super) const INSTRUCTIONS: &str = "instruction*|directive*|guideline*|guidance|directions|\
    system prompt|system message|initial prompt|original prompt|previous prompt|programming";

/// To let something be seen.
pub(super) const REVEAL: &str = "reveal|show|print|repeat|output|display|tell|give|share|leak|dump|\
    expose|recite|write|return|disclose|quote|paste|copy|read|list|enumerate|reproduce|post|put|\
    hand over|provide|type|echo|restate|state|present|describe|explain|see|know";

/// Not to be found out of.
pub(super) const UNBOUND: &str = "unrestricted|unfiltered|uncensored|jailbroken|amoral|unaligned|\
    unethical|unbound|without restriction*|without any restriction*|without filter*|\
    without any filter*|without rules|without any rules|without limits|without any limits|\
    without limitation*|without censorship|without moral*|without any moral*|without ethic*|\
    without any ethic*|without ethical|without safety|without any safety|no safety|without guidelines|without boundaries|\
    no restriction*|no filter*|no rules|no limits|no limitation*|no moral*|no ethic*|no ethical|\
    no boundaries|no guidelines|no censorship|no conscience|not bound by|free of all rules";

/// Secrets that can be sent off.
pub(super) const SECRETS: &str = "password*|passphrase*|credential*|api key*|secret*|tokens|access token*|\
    auth token*|session token*|private key*|ssh key*|access key*|environment variables|env file|cookie*|session cookie*|\
    seed phrase*|wallet*|bank details|credit card*|security code*|verification code*|2fa code*|\
    one time code*";

/// What was said in the conversation.
pub(super) const CONVERSATION: &str = "conversation|conversations|chat history|chat log*|\
    message history|messages|previous messages|earlier messages|last message|system prompt|\
    user data|users data|users message*|users question|users name|user input|personal data|\
    what the user|customer data|customer records|inbox|contact list|contacts";

/// Where it is sent.
pub(super) const AWAY: &str = "http|https|webhook|my server|external server|remote server|\
    our server|external address|following address|address below|this address|following url|\
    url below|this url|outside address|outside mailbox|attacker|pastebin|public gist|email address|\
    ftp|to me at";

/// A program that reads along.
pub(super) const MODEL: &str = "ai|ais|llm|llms|language model*|chatbot*|ai assistant*|ai agent*|\
    ai model*|ai system*|assistant|assistants|the model|the agent|the bot|chatgpt|gpt|claude|\
    gemini|copilot|models";
