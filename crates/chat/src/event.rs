//! The events every provider's answer is brought to: text on a channel of a choice, and whole
//! tool calls.

use std::fmt;

/// Where a piece of answer text belongs. Each (choice, channel) is accumulated by itself, so that
/// ids, names and other fields that travel between two pieces of text cannot split a forbidden one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// What the model says to the user.
    Content,
    /// The model's published chain of thought.
    Reasoning,
    /// The provider's refusal text.
    Refusal,
    /// The transcript of an audio answer.
    Transcript,
    /// Any other text of the answer, by its place with array indexes as `*`: fields that nobody
    /// defined, object keys, the lines of a stream beside `data:`. Inspected like the rest.
    Other(String),
}

impl Channel {
    /// The channel's name in evidence; `other` for all the undefined fields.
    pub fn name(&self) -> &'static str {
        match self {
            Channel::Content => "content",
            Channel::Reasoning => "reasoning",
            Channel::Refusal => "refusal",
            Channel::Transcript => "transcript",
            Channel::Other(_) => "other",
        }
    }

    /// Whether every chunk repeats its string whole: an object key, an id, a name.
    pub fn repeats(&self) -> bool {
        matches!(self, Channel::Other(place)
            if place.ends_with("#key") || REPEATED.contains(&place.as_str()))
    }

    /// Whether each of its strings is complete in itself, so that no client joins it with the next:
    /// what repeats, words of an enumeration, padding, lines of a stream beside `data:`.
    pub fn is_whole(&self) -> bool {
        let word = |place: &str| {
            place == "sse" || place.rsplit('/').next().is_some_and(|name| WORDS.contains(&name))
        };
        self.repeats() || matches!(self, Channel::Other(place) if word(place))
    }
}

/// Members that every chunk repeats whole.
const REPEATED: [&str; 6] =
    ["/id", "/model", "/object", "/system_fingerprint", "/service_tier", "/provider"];
/// Members that hold one word of a list, as providers write it, or padding.
const WORDS: [&str; 5] =
    ["finish_reason", "native_finish_reason", "role", "severity", "obfuscation"];

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Channel::Other(place) => write!(f, "other:{place}"),
            named => f.write_str(named.name()),
        }
    }
}

/// How a tool call was written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CallKind {
    /// `tool_calls[].function`.
    #[default]
    Function,
    /// `tool_calls[].custom`, whose input is free text.
    Custom,
    /// The legacy `function_call` member.
    Legacy,
}

impl CallKind {
    /// The name used in the normal form.
    pub fn as_str(self) -> &'static str {
        match self {
            CallKind::Function => "function",
            CallKind::Custom => "custom",
            CallKind::Legacy => "legacy",
        }
    }
}

/// One complete tool call, proposed in an answer or repeated in a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolCall {
    /// The choice that proposes it; in a request, the index of the message.
    pub choice: u32,
    /// Its position among the calls of the choice, in order of appearance.
    pub index: u32,
    /// The provider's call id; empty when there is none (legacy calls).
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments exactly as the model wrote them: text that is usually, not always, JSON.
    pub arguments: String,
    /// How it was written.
    pub kind: CallKind,
    /// Where the arguments are in the document; `None` when they came in pieces.
    pub pointer: Option<String>,
}

/// Token counts as the provider reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt: u64,
    /// Tokens of all choices of the answer.
    pub completion: u64,
    /// Both.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_joins_is_whole() {
        for (place, repeats, whole) in [
            ("/id", true, true),
            ("/choices/*/delta/zzz#key", true, true),
            ("sse", false, true),
            ("/choices/*/finish_reason", false, true),
            ("/choices/*/content_filter_results/hate/severity", false, true),
            ("/obfuscation", false, true),
            ("/choices/*/delta/zzz", false, false),
            ("/choices/*/delta/id", false, false),
        ] {
            let channel = Channel::Other(place.to_owned());
            assert_eq!((channel.repeats(), channel.is_whole()), (repeats, whole), "{place}");
        }
        assert!(!Channel::Content.is_whole() && !Channel::Reasoning.is_whole());
    }
}
