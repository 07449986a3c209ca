//! Runs the scan engine over what passes, and says where in the document each hit lies.
//!
//! Strings of one kind are read as one text, joined by line ends: all message text of a role, each
//! tool result by itself, and everything else in the request. So a payload that is split over
//! several messages or parts is still one payload, and one scan serves many strings. Where a text
//! holds a backslash it is read again with its escapes resolved.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use chat::ToolCall;
use chat::escapes::{Unescaped, unescape};
use chat::exchange::Exchange;
use chat::leaves::{Path, walk};
use scan::{Action, Category, Engine, Hit, Severity, Source, Target, Verdict};
use seal::json::Value;

use crate::check::TextEvent;
use crate::verdict::Place;
use crate::words::api_word;

/// A hit of the engine, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rule's id.
    pub rule: Arc<str>,
    /// What kind of thing it is.
    pub category: Category,
    /// How bad it is.
    pub severity: Severity,
    /// Who wrote the rule.
    pub source: Source,
    /// What the rule asks for.
    pub action: Action,
    /// What was scanned.
    pub target: Target,
    /// Whether it was found in decoded text.
    pub decoded: bool,
    /// What stands there after a redaction.
    pub replacement: String,
    /// The spans, one per string that the hit runs over. Empty when it lies where nothing can be
    /// edited.
    pub spots: Vec<Spot>,
    /// The role of the messages it was found in.
    pub role: Option<String>,
    /// The message it was found in, for tool results.
    pub message: Option<usize>,
}

/// A span of one string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Which string.
    pub place: Place,
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// What one scan said, for its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// What was scanned.
    pub target: Target,
    /// The index of the message, when it is a tool result.
    pub message: Option<usize>,
    /// The verdict.
    pub verdict: Verdict,
    /// The ids of the rules that hit, sorted, each once.
    pub rules: Vec<Arc<str>>,
    /// The indicators of signed feeds that hit, sorted, each once.
    pub sources: Vec<Source>,
}

impl Scanned {
    /// A scan that found nothing.
    pub fn clean(target: Target, message: Option<usize>) -> Scanned {
        Scanned { target, message, verdict: Verdict::Clean, rules: Vec::new(), sources: Vec::new() }
    }

    /// Takes note of where a hit came from.
    pub(crate) fn came_from(&mut self, source: &Source) {
        if let Source::Feed { .. } = source
            && let Err(at) = self.sources.binary_search(source)
        {
            self.sources.insert(at, source.clone());
        }
    }

    /// Takes the worse verdict and the rules of both.
    pub fn merge(&mut self, verdict: Verdict, rules: impl IntoIterator<Item = Arc<str>>) {
        self.verdict = self.verdict.max(verdict);
        for rule in rules {
            if let Err(at) = self.rules.binary_search(&rule) {
                self.rules.insert(at, rule);
            }
        }
    }
}

/// Scans a request: everything but tool results as [`Target::Input`], each tool result by itself.
pub(crate) fn request(engine: &Engine, exchange: &Exchange) -> (Vec<Found>, Vec<Scanned>) {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<Of<'_>, usize> = HashMap::new();
    let mut ordinal = 0;
    each_leaf(&exchange.value, &mut |of, _, _, text| {
        let at = *known.entry(of).or_insert_with(|| {
            groups.push(Group { of, pieces: Vec::new(), length: 0 });
            groups.len() - 1
        });
        groups[at].push(ordinal, text);
        ordinal += 1;
    });
    let mut scanned = vec![Scanned::clean(Target::Input, None)];
    let mut raw: Vec<Raw> = Vec::new();
    for group in &groups {
        let (target, message) = match group.of {
            Of::Tool(message) => (Target::ToolResult, Some(message)),
            Of::Role(_) | Of::Rest => (Target::Input, None),
        };
        let at = scanned.iter().position(|scanned| scanned.message == message);
        let at = at.unwrap_or_else(|| {
            scanned.push(Scanned::clean(target, message));
            scanned.len() - 1
        });
        let role = match group.of {
            Of::Role(role) => Some(role),
            Of::Tool(_) => Some("tool"),
            Of::Rest => None,
        };
        let joined;
        let text = match group.pieces.as_slice() {
            [only] => only.text,
            pieces => {
                joined = pieces.iter().map(|piece| piece.text).collect::<Vec<_>>().join("\n");
                joined.as_str()
            }
        };
        let mut rules = Vec::new();
        let mut quotes = Quotes::default();
        let of_group = &mut scanned[at];
        let verdict = scan_layers(engine, text, target, &mut |hit, span| {
            rules.push(hit.rule.clone());
            of_group.came_from(&hit.source);
            let mut found = Found { role: role.map(str::to_owned), message, ..found(hit, target) };
            let spots = span.map_or_else(Vec::new, |span| group.spots(span));
            if let [(ordinal, span)] = spots.as_slice() {
                quotes.leave(&mut found, *ordinal, group.text(*ordinal), span.start);
            }
            raw.push((found, spots));
        });
        scanned[at].merge(verdict, rules);
    }
    (placed(&exchange.value, raw), scanned)
}

/// Scans the new part of an answer's text with enough of the old before it, and says from where on
/// the text must be held. `redacted` is the last span that was cut out of this text: when it ran to
/// the end of the old part, what follows may still belong to it. What ends before `settled` was
/// judged for good. `held_from` says from where on a text must be held. `far` is what is left of
/// [`FAR`] for this answer.
pub(crate) fn text(
    engine: &Engine,
    event: &TextEvent<'_>,
    redacted: Option<&Range<usize>>,
    settled: usize,
    far: &mut usize,
    held_from: &dyn Fn(&str) -> usize,
) -> (Vec<Found>, Scanned, usize) {
    let TextEvent { choice, channel, text, from, open, last } = *event;
    let nearest = from.saturating_sub(FARTHEST);
    let mut start = window_start(text, from).min(settled.max(nearest));
    if let Some(redacted) = redacted.filter(|redacted| redacted.end == from) {
        start = start.min(redacted.start.max(nearest));
    }
    let left = far.checked_sub((from - start).saturating_sub(NEAR));
    match left {
        Some(left) => *far = left,
        None => start = from.saturating_sub(NEAR),
    }
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let window = text.get(start..).unwrap_or(text);
    let mut held = match last {
        true => text.len(),
        false => start + held_from(window),
    };
    let mut all = Vec::new();
    let mut rules = Vec::new();
    let mut scanned = Scanned::clean(Target::Output, None);
    let mut fresh = Verdict::Clean;
    scan_layers(engine, window, Target::Output, &mut |hit, span| {
        let span = span.map(|span| start + span.start..start + span.end);
        if let Some(span) = &span {
            if span.end <= settled {
                return;
            }
            // What ends with the text may grow, or with the next character be none.
            let unfinished = !last && span.end == text.len() && hit.action != Action::Flag;
            if unfinished && span.start >= open.max(text.len().saturating_sub(UNFINISHED)) {
                held = held.min(span.start);
                return;
            }
        }
        rules.push(hit.rule.clone());
        scanned.came_from(&hit.source);
        if hit.action != Action::Redact {
            fresh = fresh.max(hit.severity.verdict());
        }
        let place = || Place::Text { choice, channel: channel.clone() };
        let spot = |span: Range<usize>| Spot { place: place(), start: span.start, end: span.end };
        let spots = span.into_iter().map(spot).collect();
        all.push(Found { spots, ..found(hit, Target::Output) });
    });
    if left.is_none() {
        let unread = engine.unread(text.len());
        fresh = fresh.max(unread.severity.verdict());
        rules.push(unread.rule.clone());
        all.push(found(&unread, Target::Output));
    }
    scanned.merge(fresh, rules);
    (all, scanned, held)
}

/// Scans a proposed tool call: its arguments, and its name and id, which nothing can edit.
pub(crate) fn tool_call(engine: &Engine, call: &ToolCall) -> (Vec<Found>, Scanned) {
    let mut scanned = Scanned::clean(Target::ToolCall, None);
    let mut all = Vec::new();
    let mut rules = Vec::new();
    let mut quotes = Quotes::default();
    let mut verdict = scan_layers(engine, &call.arguments, Target::ToolCall, &mut |hit, span| {
        rules.push(hit.rule.clone());
        scanned.came_from(&hit.source);
        let mut found = found(hit, Target::ToolCall);
        if let Some(span) = span {
            let place = Place::Arguments { choice: call.choice, index: call.index };
            found.spots = vec![Spot { place, start: span.start, end: span.end }];
            quotes.leave(&mut found, 0, &call.arguments, span.start);
        }
        all.push(found);
    });
    let plain = |text: &str| {
        text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    // What is short and plain may still be a key. Only ids are numbers of the provider's making,
    // one in ten of which could be a card's.
    for (label, numbered) in [(&call.name, false), (&call.id, true)] {
        let plain = plain(label);
        let mut of_hits = Verdict::Clean;
        let of_label = scan_layers(engine, label, Target::ToolCall, &mut |hit, _| {
            let counts = match hit.category {
                // Who signed it meant it.
                _ if matches!(hit.source, Source::Feed { .. }) => true,
                Category::Secret => true,
                Category::Pii => !(plain && numbered),
                Category::Injection | Category::Engine => !plain,
            };
            if counts {
                of_hits = of_hits.max(hit.severity.verdict());
                rules.push(hit.rule.clone());
                scanned.came_from(&hit.source);
                all.push(found(hit, Target::ToolCall));
            }
        });
        verdict = verdict.max(if plain { of_hits } else { of_label });
    }
    scanned.merge(verdict, rules);
    (all, scanned)
}

/// The strings of one kind, in the order of [`each_leaf`].
struct Group<'v> {
    of: Of<'v>,
    pieces: Vec<Piece<'v>>,
    /// Of the joined text, with a line end behind the last piece.
    length: usize,
}

/// One string, its number, and where it begins in the joined text.
struct Piece<'v> {
    ordinal: usize,
    begin: usize,
    text: &'v str,
}

/// A hit, and its spans by the number of the string.
type Raw = (Found, Vec<(usize, Range<usize>)>);

/// What a string of a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Of<'v> {
    /// Message text of a role.
    Role(&'v str),
    /// The result of a tool, by the index of the message.
    Tool(usize),
    /// Anything else.
    Rest,
}

impl<'v> Group<'v> {
    fn push(&mut self, ordinal: usize, text: &'v str) {
        self.pieces.push(Piece { ordinal, begin: self.length, text });
        self.length += text.len() + 1;
    }

    /// The parts of a span of the joined text, per piece.
    fn spots(&self, span: Range<usize>) -> Vec<(usize, Range<usize>)> {
        let first =
            self.pieces.partition_point(|piece| piece.begin + piece.text.len() <= span.start);
        let reached = self.pieces.iter().skip(first).take_while(|piece| piece.begin < span.end);
        let part = |piece: &Piece<'_>| {
            let start = span.start.max(piece.begin) - piece.begin;
            let end = span.end.min(piece.begin + piece.text.len()) - piece.begin;
            (start < end).then_some((piece.ordinal, start..end))
        };
        reached.filter_map(part).collect()
    }

    fn text(&self, ordinal: usize) -> &'v str {
        let at = self.pieces.binary_search_by_key(&ordinal, |piece| piece.ordinal);
        at.ok().and_then(|at| self.pieces.get(at)).map_or("", |piece| piece.text)
    }
}

/// Every string of a request that could carry anything, keys included, in a fixed order. Words of
/// the API itself, exactly as the API writes them, are left out.
fn each_leaf<'v>(value: &'v Value, visit: &mut dyn FnMut(Of<'v>, &Path<'_>, bool, &'v str)) {
    let root = Path::Root("");
    for (key, member) in value.as_object().unwrap_or(&[]) {
        let path = Path::Member(&root, key);
        match member {
            Value::Array(messages) if key == "messages" => {
                for (index, message) in messages.iter().enumerate() {
                    each_leaf_of_message(&Path::Item(&path, index), index, message, visit);
                }
            }
            _ => rest(&path, key, member, visit),
        }
    }
}

fn each_leaf_of_message<'v>(
    path: &Path<'_>,
    index: usize,
    message: &'v Value,
    visit: &mut dyn FnMut(Of<'v>, &Path<'_>, bool, &'v str),
) {
    let of = match message.get("role").and_then(Value::as_str).unwrap_or("") {
        "tool" | "function" => Of::Tool(index),
        role => Of::Role(role),
    };
    for (key, member) in message.as_object().unwrap_or(&[]) {
        let path = Path::Member(path, key);
        match member {
            Value::String(text) if key == "content" => visit(of, &path, false, text),
            Value::Array(parts) if key == "content" => {
                for (at, part) in parts.iter().enumerate() {
                    let path = Path::Item(&path, at);
                    match part {
                        Value::String(text) => visit(of, &path, false, text),
                        Value::Object(members) => {
                            for (key, member) in members {
                                let path = Path::Member(&path, key);
                                match member {
                                    Value::String(text) if key == "text" => {
                                        visit(of, &path, false, text);
                                    }
                                    _ => rest(&path, key, member, visit),
                                }
                            }
                        }
                        _ => rest(&path, "content", part, visit),
                    }
                }
            }
            _ => rest(&path, key, member, visit),
        }
    }
}

fn rest<'v>(
    path: &Path<'_>,
    key: &'v str,
    value: &'v Value,
    visit: &mut dyn FnMut(Of<'v>, &Path<'_>, bool, &'v str),
) {
    if !api_word(key) {
        visit(Of::Rest, path, true, key);
    }
    walk(path, value, &mut |path, is_key, text| {
        if !api_word(text) {
            visit(Of::Rest, path, is_key, text);
        }
    });
}

/// Names the strings that raw spots lie in, by walking the document a second time. Most requests
/// have no hit, and pay for no pointer.
fn placed(value: &Value, raw: Vec<Raw>) -> Vec<Found> {
    let mut wanted: Vec<usize> =
        raw.iter().flat_map(|(_, spots)| spots.iter().map(|(ordinal, _)| *ordinal)).collect();
    if wanted.is_empty() {
        return raw.into_iter().map(|(found, _)| found).collect();
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut places = Vec::with_capacity(wanted.len());
    let mut ordinal = 0;
    each_leaf(value, &mut |_, path, key, _| {
        if wanted.binary_search(&ordinal).is_ok() {
            places.push(Place::Request { pointer: path.pointer(), key });
        }
        ordinal += 1;
    });
    let named = |(ordinal, span): (usize, Range<usize>)| {
        let place = places.get(wanted.binary_search(&ordinal).ok()?)?.clone();
        Some(Spot { place, start: span.start, end: span.end })
    };
    raw.into_iter()
        .map(|(found, spots)| Found {
            spots: spots.into_iter().filter_map(named).collect(),
            ..found
        })
        .collect()
}

/// Scans a text, and again with up to three layers of escapes resolved. Spans are of the text as
/// given. A hit that a deeper layer only repeats is not reported again. Beyond [`HITS`] each rule is
/// reported once more, without a span: what it would cut out is then refused.
fn scan_layers(
    engine: &Engine,
    text: &str,
    target: Target,
    report: &mut dyn FnMut(&Hit, Option<Range<usize>>),
) -> Verdict {
    if text.is_empty() {
        return Verdict::Clean;
    }
    let scan = engine.scan(text, target);
    let mut verdict = scan.verdict;
    let mut seen: Vec<(Arc<str>, Range<usize>)> = Vec::new();
    let mut beyond: Vec<Arc<str>> = Vec::new();
    let mut tell = |hit: &Hit, span: Range<usize>, seen: &mut Vec<(Arc<str>, Range<usize>)>| {
        if seen.len() < HITS {
            report(hit, Some(span.clone()));
            seen.push((hit.rule.clone(), span));
        } else if !beyond.contains(&hit.rule) {
            report(hit, None);
            beyond.push(hit.rule.clone());
        }
    };
    for hit in &scan.hits {
        tell(hit, hit.span.clone(), &mut seen);
    }
    let mut layers: Vec<Unescaped> = Vec::new();
    for _ in 0..LAYERS {
        let Some(layer) = unescape(layers.last().map_or(text, |layer| &layer.text)) else {
            break;
        };
        let scan = engine.scan(&layer.text, target);
        verdict = verdict.max(scan.verdict);
        layers.push(layer);
        for hit in &scan.hits {
            let span = layers.iter().rev().fold(hit.span.clone(), |span, layer| layer.source(span));
            let known = |(rule, at): &(Arc<str>, Range<usize>)| *rule == hit.rule && *at == span;
            if !seen.iter().any(known) {
                tell(hit, span, &mut seen);
            }
        }
    }
    verdict
}

fn found(hit: &Hit, target: Target) -> Found {
    Found {
        rule: hit.rule.clone(),
        category: hit.category,
        severity: hit.severity,
        source: hit.source.clone(),
        action: hit.action,
        target,
        decoded: hit.decoded,
        replacement: hit.replacement(),
        spots: Vec::new(),
        role: None,
        message: None,
    }
}

/// Follows the quotes of JSON text. Hits come in order, so each text is read about once.
#[derive(Default)]
struct Quotes {
    ordinal: usize,
    at: usize,
    inside: bool,
    escaped: bool,
}

impl Quotes {
    /// A number that is cut out of JSON text (a card number in arguments) leaves a string there, or
    /// the text would be JSON no more.
    fn leave(&mut self, found: &mut Found, ordinal: usize, text: &str, at: usize) {
        if !text.trim_start().starts_with(['{', '[']) {
            return;
        }
        if self.ordinal != ordinal || self.at > at {
            *self = Quotes { ordinal, ..Quotes::default() };
        }
        for byte in text.as_bytes().get(self.at..at).unwrap_or_default() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = self.inside,
                b'"' => self.inside = !self.inside,
                _ => {}
            }
        }
        self.at = at;
        if !self.inside && text.as_bytes().get(at).is_some_and(u8::is_ascii_digit) {
            found.replacement = format!("\"{}\"", found.replacement);
        }
    }
}

/// Where the window begins that is read again before new text: so many visible characters back,
/// however many invisible ones are strewn between them.
fn window_start(text: &str, from: usize) -> usize {
    let Some(plain) = from.checked_sub(VISIBLE) else {
        return 0;
    };
    let Some(old) = text.get(..from) else {
        return 0;
    };
    if old.as_bytes().get(plain..).is_some_and(<[u8]>::is_ascii) {
        return plain;
    }
    let mut visible = 0;
    for (at, ch) in old.char_indices().rev() {
        if ch.is_alphanumeric() || ch.is_ascii() {
            visible += 1;
        }
        if visible == VISIBLE || from - at > FARTHEST {
            return at;
        }
    }
    0
}

/// How many hits of one text are located and can be cut out one by one.
const HITS: usize = 1024;
/// How many layers of escapes are resolved: JSON in a JSON string in a JSON string.
const LAYERS: usize = 3;
/// How many visible characters of old text are read again with new text.
const VISIBLE: usize = 512;
/// How many bytes of old text are read again at most.
const FARTHEST: usize = 1 << 16;
/// So many of them cost nothing: no more than [`VISIBLE`] characters of any script are.
const NEAR: usize = 4096;
/// Bytes of old text that may be read again beyond [`NEAR`] over one answer. Text of little but
/// invisible characters, a piece at a time, would otherwise be read thousands of times.
pub(crate) const FAR: usize = 32 << 20;
/// A match that ends with the text is waited for no longer than this, in bytes.
const UNFINISHED: usize = 4096;
