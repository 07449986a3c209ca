//! Words that many rules share, and the short form in which the tables of shapes are written.
//!
//! A rule looks for the shape of a technique: who is to do what to what, within a few words. The
//! words for the same thing stand here once.

use super::{Row, negatable, phrase, spaced};
use crate::rule::{Rule, Severity, Targets};

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
