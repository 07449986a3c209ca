//! `scope_drift`: answers that go beyond what was asked for, in sensitivity or in length.
//!
//! Markers are looked for in a folded copy of each channel's text (compatibility forms and a few
//! look-alikes to ASCII, invisible characters and emphasis gone, white space collapsed). Only the
//! end of that copy is kept, so the padding between the pieces of a marker may be as long as it
//! likes. The verdict does not depend on how the text was cut into events.

use chat::Channel;
use chat::escapes::unescape;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::check::{Check, Event, State, TextEvent, Turn};
use crate::checks::classification_gate::{Level, classification};
use crate::config::ScopeDriftConfig;
use crate::facts::{Facts, Want};
use crate::verdict::Ruling;

/// What the check remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    level: Level,
    /// Most characters of content per choice.
    limit: Option<u64>,
    channels: Vec<Tail>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tail {
    choice: u32,
    channel: Channel,
    fold: Fold,
    chars: u64,
}

/// The check.
#[derive(Debug, Clone)]
pub struct ScopeDrift {
    config: ScopeDriftConfig,
    /// Highest level first.
    markers: Vec<(Level, Regex)>,
    /// What may still become a marker, at the end of a text.
    begun: Regex,
}

impl ScopeDrift {
    /// With this configuration.
    pub fn new(config: ScopeDriftConfig) -> ScopeDrift {
        let compile = |(level, pattern): &(Level, &str)| {
            let pattern = pattern.replace("CONTROL", CONTROL).replace("OPEN", OPEN);
            (*level, Regex::new(&pattern).expect("the marker table is tested"))
        };
        let begun = Regex::new(&begun()).expect("made of the table of heads");
        ScopeDrift { config, markers: MARKERS.iter().map(compile).collect(), begun }
    }

    fn marker(&self, folded: &str, above: Level) -> Option<Level> {
        // Every marker holds one of these; most text holds none.
        if !folded.contains(['/', '(']) && !folded.contains("TOP SECRET") {
            return None;
        }
        self.markers
            .iter()
            .take_while(|(level, _)| *level > above)
            .find(|(_, pattern)| pattern.is_match(folded))
            .map(|(level, _)| *level)
    }

    fn drifted(&self, found: Level, asked: Level) -> Ruling {
        Ruling::deny(
            self.name(),
            "classification_drift",
            format!("a {} marking in the answer to a {} request", found.as_str(), asked.as_str()),
        )
    }

    /// The ruling, and from where on the text must be held.
    fn text(&self, drift: &mut Drift, event: &TextEvent<'_>) -> (Ruling, Option<usize>) {
        let level = drift.level;
        let limit = drift.limit;
        let same = |tail: &Tail| tail.choice == event.choice && tail.channel == *event.channel;
        let at = drift.channels.iter().position(same).unwrap_or_else(|| {
            let (choice, channel) = (event.choice, event.channel.clone());
            drift.channels.push(Tail { choice, channel, fold: Fold::default(), chars: 0 });
            drift.channels.len() - 1
        });
        let Some(tail) = drift.channels.get_mut(at) else {
            return (Ruling::Allow, None);
        };
        let new = event.text.get(event.from..).unwrap_or(event.text);
        let (mut ruling, mut held) = (Ruling::Allow, None);
        if self.config.length && *event.channel == Channel::Content {
            tail.chars = tail.chars.saturating_add(new.chars().count() as u64);
            if limit.is_some_and(|limit| tail.chars > limit) {
                ruling = Ruling::deny(
                    self.name(),
                    "length_drift",
                    "the answer is far longer than the request's token limit allows",
                );
            }
        }
        if self.config.markers {
            tail.fold.push(new, event.text.len() - new.len());
            let mut found = self.marker(&tail.fold.text, level);
            if event.last {
                // Only to look: should it go on all the same, nothing stands between.
                let mut ended = tail.fold.clone();
                ended.push("\n", event.text.len());
                found = found.max(self.marker(&ended.text, level));
            } else {
                let begun = self.begun.find(&tail.fold.text);
                held = begun.and_then(|begun| tail.fold.at.get(begun.start()).copied());
            }
            if let Some(found) = found {
                ruling = self.drifted(found, level);
            }
            tail.fold.keep_end();
        }
        (ruling, held)
    }

    /// A marker that only the end of the text completes.
    fn ended(&self, drift: &mut Drift) -> Ruling {
        for tail in &mut drift.channels {
            tail.fold.push("\n", 0);
            if let Some(found) = self.marker(&tail.fold.text, drift.level) {
                return self.drifted(found, drift.level);
            }
        }
        Ruling::Allow
    }

    /// The ruling, and whether more text behind these arguments could change it.
    fn arguments(&self, drift: &Drift, arguments: &str) -> (Ruling, bool) {
        let mut view = unescape(arguments).map(|view| view.text);
        let mut texts = vec![arguments.to_owned()];
        // Arguments are JSON in JSON; what a tool reads may be wrapped once more.
        for _ in 0..2 {
            let Some(text) = view else { break };
            view = unescape(&text).map(|view| view.text);
            texts.push(text);
        }
        let mut begun = false;
        for text in texts {
            let mut fold = Fold::default();
            fold.push(&text, 0);
            begun |= self.begun.is_match(&fold.text);
            fold.push("\n", text.len());
            if let Some(found) = self.marker(&fold.text, drift.level) {
                return (self.drifted(found, drift.level), false);
            }
        }
        (Ruling::Allow, begun)
    }
}

impl Check for ScopeDrift {
    fn name(&self) -> &'static str {
        "scope_drift"
    }

    fn rule(&self, state: State, event: &Event<'_>, facts: &Facts) -> Turn {
        if !self.config.enabled {
            return Turn::allow(state);
        }
        let mut drift = match state {
            State::Drift(drift) => drift,
            _ => Drift::default(),
        };
        let ruling = match event {
            Event::Request { exchange, .. } => {
                let Some(identity) = &facts.identity else {
                    return Turn::want(State::Drift(drift), Want::Identity);
                };
                // What the gate refuses to read counts as the lowest here.
                drift.level = classification(identity).unwrap_or_default();
                drift.limit = exchange.token_limit().map(|tokens| {
                    let chars = tokens.saturating_mul(self.config.chars_per_token);
                    chars.saturating_add(chars / 10).saturating_add(self.config.slack_chars)
                });
                Ruling::Allow
            }
            Event::Text { text, .. } => {
                let (ruling, held) = self.text(&mut drift, text);
                return Turn { held, ..Turn::ruled(State::Drift(drift), ruling) };
            }
            Event::ToolCall { call, .. } if self.config.markers => {
                // The name and the id reach the caller too, and nothing of them can be cut.
                let [name, id, (arguments, begun)] = [&call.name, &call.id, &call.arguments]
                    .map(|text| self.arguments(&drift, text));
                let ruling = name.0.join(id.0).join(arguments);
                let held = begun.then_some(call.arguments.len());
                return Turn { held, ..Turn::ruled(State::Drift(drift), ruling) };
            }
            Event::Completion(_) if self.config.markers => self.ended(&mut drift),
            Event::ToolCall { .. } | Event::Completion(_) | Event::Disconnect(_) => Ruling::Allow,
        };
        Turn::ruled(State::Drift(drift), ruling)
    }
}

/// The end of a text, folded. Begins as if after a line end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fold {
    text: String,
    /// For each byte where it is in the text that was folded.
    at: Vec<usize>,
}

impl Default for Fold {
    fn default() -> Self {
        Fold { text: "\n".to_owned(), at: vec![0] }
    }
}

impl Fold {
    /// Longer than any match of a marker, so that every marker is seen whole once.
    const KEPT: usize = 128;

    /// `begin` is where `new` begins in the whole text.
    fn push(&mut self, new: &str, begin: usize) {
        let mut rest = new;
        while !rest.is_empty() {
            // Most text is runs of what folds to itself.
            let run = rest.bytes().position(|byte| !plain(byte)).unwrap_or(rest.len());
            let (same, other) = rest.split_at(run);
            let at = begin + (new.len() - rest.len());
            self.text.push_str(same);
            self.at.extend(at..at + run);
            let at = at + run;
            let mut chars = other.chars();
            match chars.next() {
                None => {}
                Some(ch) if ch.is_ascii() => self.push_folded(ch, at),
                Some(ch) if invisible(ch) => {}
                Some(ch) => {
                    for part in std::iter::once(ch).nfkd().filter(|part| !is_combining_mark(*part))
                    {
                        self.push_folded(look_alike(part), at);
                    }
                }
            }
            rest = chars.as_str();
        }
    }

    fn push_folded(&mut self, ch: char, at: usize) {
        match ch {
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                self.pop_space();
                if !self.text.ends_with('\n') {
                    self.put('\n', at);
                }
            }
            ch if ch.is_whitespace() => {
                if !self.text.ends_with([' ', '\n', '/']) {
                    self.put(' ', at);
                }
            }
            '/' => {
                self.pop_space();
                self.put('/', at);
            }
            // Emphasis and escapes of Markdown.
            '*' | '`' | '\\' => {}
            ch if ch.is_control() => {}
            ch => self.put(ch, at),
        }
    }

    fn put(&mut self, ch: char, at: usize) {
        self.text.push(ch);
        self.at.resize(self.text.len(), at);
    }

    fn pop_space(&mut self) {
        if self.text.ends_with(' ') {
            self.text.pop();
            self.at.pop();
        }
    }

    fn keep_end(&mut self) {
        if self.text.len() > 2 * Fold::KEPT {
            let mut cut = self.text.len() - Fold::KEPT;
            while !self.text.is_char_boundary(cut) {
                cut -= 1;
            }
            self.text.drain(..cut);
            self.at.drain(..cut);
        }
    }
}

/// ASCII that is neither white space nor control, and that no rule of folding is about.
fn plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'/' | b'*' | b'`' | b'\\')
}

/// Characters that a reader does not see.
fn invisible(ch: char) -> bool {
    matches!(ch,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || is_combining_mark(ch)
}

/// Capitals and slashes of other scripts that look like those of the markers.
fn look_alike(ch: char) -> char {
    match ch {
        'С' | 'Ϲ' => 'C',
        'Е' | 'Ε' => 'E',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'І' | 'Ι' => 'I',
        'Ν' => 'N',
        'К' | 'Κ' => 'K',
        'Н' | 'Η' => 'H',
        '⁄' | '∕' | '⧸' | '╱' => '/',
        other => other,
    }
}

/// Dissemination controls and compartments. Short ones, which begin ordinary words too, need
/// something after them that ends the word.
const CONTROL: &str = concat!(
    "(?:NO ?FORN|REL ?TO|RELIDO|ORCON|PROPIN|IMCON|FISA|FGI|COMINT|HCS|TALENT|CNWDI|FOUO|LIMDIS",
    "|EXDIS|NODIS|25X[1-9]|20[0-9]{6}|(?:NF|REL|OC|SI|TK|SAR|SCI|RD|FRD|MR)[^A-Za-z0-9])",
);

/// Where a portion marking stands: at the start of a line, list items and headings included, or
/// after the end of a sentence. Elsewhere `(S)` is a plural, `(TS)` a language, `(CUI)` an
/// abbreviation being introduced.
const OPEN: &str = r#"(?:\n ?(?:[-#>•]{1,6} ?|[0-9]{1,2}[.)] ?)?|[.!?:;)"\]] )"#;

/// What is looked for in folded text, highest level first. No match is longer than
/// [`Fold::KEPT`].
const MARKERS: [(Level, &str); 12] = [
    (
        Level::TsSci,
        r"(?i)(?:TOP ?SECRET|\bTS)//(?:SCI|COMINT|HCS|TALENT|KLONDIKE|(?:SI|TK)[^A-Za-z0-9])",
    ),
    (Level::TsSci, r"\bTS/SCI[^A-Za-z0-9]"),
    (Level::Ts, r"(?i)TOP ?SECRET//"),
    (Level::Ts, r"\bTOP SECRET"),
    (Level::Ts, r"(?i)\bTS//CONTROL"),
    (Level::Ts, r"\(TS//[A-Z0-9 ,/-]{1,40}\)"),
    (Level::Ts, r"OPEN\(TS\)[ \n]"),
    (Level::Secret, r"(?i)(?:SECRET|CONFIDENTIAL)//CONTROL"),
    (Level::Secret, r"\([SC]//[A-Z0-9 ,/-]{1,40}\)"),
    (Level::Secret, r"OPEN\(S\)[ \n]"),
    (Level::Cui, r"\bCUI//[A-Z]"),
    (Level::Cui, r"OPEN\(CUI(?://[A-Z0-9 ,/-]{1,40})?\)[ \n]"),
];

/// The words that markers begin with; a space may be missing.
const HEADS: [&str; 5] = ["TOP SECRET", "TS", "SECRET", "CONFIDENTIAL", "CUI"];
/// What may stand behind a word before it is a marker, or certainly none: as long as the longest of
/// [`CONTROL`] and of the compartments.
const REST: &str = "(?: ?(?:/(?:/?[A-Z0-9 ]{0,9})?)?)?";
/// A portion marking that is not closed, or not followed by anything.
const PORTION: &str = r"\((?:TS?|S|C(?:UI?)?)?(?: ?(?:/(?:/[A-Z0-9 ,/-]{0,40})?)?)?\)?";

/// Every beginning of a marker, at the end of folded text. What it takes for one too many is only
/// held a little longer.
fn begun() -> String {
    let head = |word: &&str| {
        let (first, others) = word.split_at(1);
        let rest = others.chars().rev().fold(REST.to_owned(), |rest, ch| match ch {
            ' ' => format!("(?: ?{rest})?"),
            ch => format!("(?:{ch}{rest})?"),
        });
        format!("{first}{rest}")
    };
    let heads: Vec<String> = HEADS.iter().map(head).collect();
    format!(r"(?:(?i:{})|{PORTION})\z", heads.join("|"))
}
