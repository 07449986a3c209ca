//! Text that speaks about attacks quotes them. What stands inside of quotation marks, and is spoken
//! about right beside them, counts less than what is said: one step where one word speaks about it,
//! two where several do.
//!
//! An attacker quotes as well, so there is no discount where somebody near the quotation asks for
//! it to be done, where the text says something without its quotations, or a quotation too little by
//! itself, or where the marks belong to JSON or markup. Only what a person could see counts less: never what was decoded or is
//! invisible, never secrets, never what a tool is called with.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::finding::Hit;
use crate::indicator::Source;
use crate::mode::Mode;
use crate::rule::{Action, Category, Severity, Target, Targets};

/// How far beside a quotation it may be spoken about, in bytes.
const BESIDE: usize = 160;
/// Longer quotations are texts of their own.
const LONGEST: usize = 600;

/// Lowers what is quoted and spoken about; the parts of the text that are. `judge` says how bad the
/// worst is that a text says.
pub(crate) fn discount(
    text: &str,
    target: Target,
    mode: Mode,
    hits: &mut [Hit],
    judge: &dyn Fn(&str) -> Option<Severity>,
) -> Vec<Range<usize>> {
    if mode == Mode::Strict || !Targets::READ.contains(target) {
        return Vec::new();
    }
    let mut reported = reported(text);
    // what nobody speaks about, and what no quotation may cover
    let touches =
        |span: &Range<usize>, hit: &Hit| span.start < hit.span.end && hit.span.start < span.end;
    let covered = |hit: &Hit| may(hit) && reported.iter().any(|(span, _)| touches(span, hit));
    if reported.is_empty() || hits.iter().any(|hit| speaks(hit) && !covered(hit)) {
        return Vec::new();
    }
    let loud: Vec<Range<usize>> =
        hits.iter().filter(|hit| speaks(hit)).map(|hit| hit.span.clone()).collect();
    let spans = reported.iter().map(|(span, _)| span.clone()).collect::<Vec<_>>();
    // without its quotations the text says nothing
    if loud.len() > MOST || !loud.is_empty() && judge(&without(text, &spans)).is_some() {
        return Vec::new();
    }
    // a quotation says by itself what was found with what stands around it
    let quoted = |span: &Range<usize>| judge(text.get(span.clone()).unwrap_or_default());
    let worst: Vec<Option<Severity>> = reported
        .iter()
        .map(|(span, _)| {
            let touched = loud.iter().any(|hit| span.start < hit.end && hit.start < span.end);
            if touched { quoted(span) } else { None }
        })
        .collect();
    let steps = |hit: &Hit| {
        let mut all = reported.iter().zip(&worst);
        let whole = |((span, _), worst): &(&(Range<usize>, u8), &Option<Severity>)| {
            touches(span, hit) && worst.is_some_and(|worst| worst >= hit.severity)
        };
        all.find(whole).map(|((_, steps), _)| *steps)
    };
    let each: Vec<Option<u8>> =
        hits.iter().map(|hit| if speaks(hit) { steps(hit) } else { Some(0) }).collect();
    if each.contains(&None) {
        return Vec::new();
    }
    for (hit, steps) in hits.iter_mut().zip(each) {
        for _ in 0..steps.unwrap_or(0) {
            hit.severity = lower(hit.severity);
        }
        if steps > Some(0) && hit.severity == Severity::Low {
            hit.action = Action::Flag;
        }
    }
    reported.drain(..).map(|(span, _)| span).collect()
}

/// A text with more hits is not looked at.
const MOST: usize = 64;

/// The text with spaces for what is quoted.
pub(crate) fn without(text: &str, quoted: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in quoted {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.extend(std::iter::repeat_n(' ', span.len()));
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Whether a hit says that the text gives orders.
pub(crate) fn speaks(hit: &Hit) -> bool {
    hit.category == Category::Injection && hit.severity >= Severity::Medium && !hit.monitor
}

/// Whether a quotation may take something off it.
fn may(hit: &Hit) -> bool {
    speaks(hit)
        && hit.source == Source::Builtin
        && !hit.decoded
        && hit.severity < Severity::Critical
        && &*hit.technique != "hidden-unicode"
}

fn lower(severity: Severity) -> Severity {
    match severity {
        Severity::Critical | Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
    }
}

/// Quotations that are spoken about, each with how many steps they count less.
fn reported(text: &str) -> Vec<(Range<usize>, u8)> {
    let quotations = quotations(text);
    if quotations.is_empty() {
        return Vec::new();
    }
    let said = Said::of(text);
    let weighed = quotations.into_iter().filter_map(|span| {
        let before = span.start.saturating_sub(BESIDE)..span.start;
        let after = span.end..span.end.saturating_add(BESIDE);
        let (mut obeyed, mut reported) = (false, 0u128);
        for word in said.within(&before).chain(said.within(&after)) {
            match word.checked_sub(REPORTED.len()) {
                None => reported |= 1 << word,
                Some(_) => obeyed = true,
            }
        }
        match reported.count_ones() {
            _ if obeyed => None,
            0 => None,
            1 => Some((span, 1)),
            _ => Some((span, 2)),
        }
    });
    weighed.collect()
}

/// Where a text says words of [`REPORTED`] and, numbered behind them, of [`OBEYED`].
struct Said {
    /// Where each begins and ends, and its number; in the order of their beginnings.
    words: Vec<(u32, u32, u8)>,
}

impl Said {
    /// Between other signs than letters, where a word is of ASCII.
    fn of(text: &str) -> Said {
        static WORDS: OnceLock<Option<AhoCorasick>> = OnceLock::new();
        let words = WORDS.get_or_init(|| {
            let all = REPORTED.iter().chain(OBEYED);
            AhoCorasick::builder().match_kind(MatchKind::Standard).build(all).ok()
        });
        let (lower, map) = lowered(text);
        let place = |at: usize| map.get(at).copied().unwrap_or(at as u32);
        let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = lower.as_bytes();
        let apart = |start: usize, end: usize| {
            let first = bytes.get(start..end).is_some_and(<[u8]>::is_ascii);
            let before = start.checked_sub(1).and_then(|before| bytes.get(before));
            !first || !letter(before) && !letter(bytes.get(end))
        };
        let found = words.iter().flat_map(|words| words.find_overlapping_iter(&lower));
        let apart = found.filter(|found| apart(found.start(), found.end()));
        let mut words: Vec<(u32, u32, u8)> = apart
            .map(|found| {
                let word = u8::try_from(found.pattern().as_usize()).unwrap_or(u8::MAX);
                (place(found.start()), place(found.end()), word)
            })
            .collect();
        words.sort_unstable();
        Said { words }
    }

    /// The numbers of the words that stand within a stretch as a whole.
    fn within(&self, span: &Range<usize>) -> impl Iterator<Item = usize> {
        let (start, end) = (span.start as u32, span.end as u32);
        let first = self.words.partition_point(|(at, _, _)| *at < start);
        let rest = self.words.get(first..).unwrap_or_default();
        let begun = rest.iter().take_while(move |(at, _, _)| *at < end);
        begun.filter(move |(_, last, _)| *last <= end).map(|(_, _, word)| usize::from(*word))
    }
}

/// A text in small letters, and for each byte and the end where it came from; nothing where all bytes
/// stay in their places.
fn lowered(text: &str) -> (String, Vec<u32>) {
    if text.is_ascii() {
        return (text.to_ascii_lowercase(), Vec::new());
    }
    let (mut lower, mut map) = (String::with_capacity(text.len()), Vec::new());
    for (at, c) in text.char_indices() {
        lower.extend(c.to_lowercase());
        map.resize(lower.len(), at as u32);
    }
    map.push(text.len() as u32);
    (lower, map)
}

/// What stands between quotation marks, in code or behind `>`, marks included; not one inside
/// another.
fn quotations(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, char)> = None;
    let mut before = ['\n'; 2];
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match open {
            Some((start, close)) => {
                let end = at + c.len_utf8();
                let word = next.is_some_and(char::is_alphanumeric);
                if c == close && !(c == '\'' && word) || c == '\u{201d}' && close == '\u{201c}' {
                    if !continues_json(text, end) {
                        found.push(start..end);
                    }
                    open = None;
                } else if at - start > LONGEST || c == '\n' && before[1] == '\n' {
                    open = None;
                }
            }
            None => {
                let apart = !before[1].is_alphanumeric();
                let close = match c {
                    '"' if apart && !in_json(text, at) => Some('"'),
                    '\'' if apart
                        && next.is_some_and(char::is_alphanumeric)
                        && before[1] != '=' =>
                    {
                        Some('\'')
                    }
                    '`' => Some('`'),
                    '\u{201c}' => Some('\u{201d}'),
                    '\u{201e}' => Some('\u{201c}'),
                    '\u{ab}' => Some('\u{bb}'),
                    '\u{bb}' => Some('\u{ab}'),
                    '\u{300c}' => Some('\u{300d}'),
                    '\u{300e}' => Some('\u{300f}'),
                    '\u{2018}' => Some('\u{2019}'),
                    '>' if before[1] == '\n' => Some('\n'),
                    _ => None,
                };
                open = close.map(|close| (at, close));
            }
        }
        before = [before[1], c];
    }
    // a line behind `>` that the text ends with
    if let Some((start, '\n')) = open {
        found.push(start..text.len());
    }
    found
}

/// Whether a mark at `at` belongs to a value of JSON, of markup or of a setting.
fn in_json(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().trim_end().as_bytes();
    match before {
        [.., b'{' | b'[' | b'='] => true,
        [.., last, b':' | b','] => matches!(last, b'"' | b'\'' | b']' | b'}'),
        _ => text.trim_start().starts_with(['{', '[']),
    }
}

/// Whether what ended at `end` was the name of a member.
fn continues_json(text: &str, end: usize) -> bool {
    text.get(end..).unwrap_or_default().starts_with("\":")
}

/// Words that speak about what is quoted.
#[rustfmt::skip]
static REPORTED: &[&str] = &[
    "example", "examples", "for instance", "e.g.", "phrase", "phrases", "such as", "test string",
    "attack", "attacks", "attacker", "attackers", "injection", "injections", "jailbreak",
    "jailbreaks", "jailbreaking", "detect", "detects", "detected", "detector", "detection", "flag",
    "flags", "flagged", "blocked", "blocks", "filter", "filters", "filtered", "classifier",
    "assert", "researchers", "red team", "payload", "malicious", "suspicious", "tricked", "log",
    "logs", "logged", "moderation", "moderators", "incident", "caught", "catches", "scanner",
    "sample", "samples", "awareness", "scam", "warning sign",
    "beispiel", "angriff", "ejemplo", "ataque", "exemple", "attaque", "exemplo", "sinal de alerta",
    "frase", "esempio", "attacco",
    "пример", "фраз", "атак", "例子", "例えば", "危険な例", "攻撃", "例如", "反面", "反诈", "引用",
    "攻击", "攻擊", "예시", "공격", "مثال", "بعبارة", "عبارة", "उदाहरण", "हमल",
];

/// Words that ask for what is quoted to be done.
#[rustfmt::skip]
static OBEYED: &[&str] = &[
    "do what", "do as", "do it", "do this", "do so", "do exactly", "follow", "obey", "execute",
    "comply", "carry out", "act on", "act upon", "accordingly", "apply", "adopt", "perform", "run it",
    "as it says", "what it says", "what this says", "says to do", "respond to it", "answer it",
    "your instructions", "your new", "your task", "you must", "you will", "you are to", "you now",
    "treat it", "use it as", "decode", "repeat after", "reply with", "output", "tu es", "du musst",
    "befolge", "haz lo", "fais ce", "faça o", "выполни", "照做", "执行", "執行", "従って", "実行",
    "따라", "실행", "نفذ", "पालन",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> =
            quotations(text).into_iter().filter_map(|span| text.get(span)).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn the_page_lists_the_words() {
        let page = include_str!("../../../spec/quotations.md");
        let missing = |word: &&&str| !page.contains(&format!("`{word}`"));
        let missing: Vec<&&str> = REPORTED.iter().chain(OBEYED).filter(missing).collect();
        assert!(missing.is_empty(), "spec/quotations.md lacks {missing:?}");
    }

    #[test]
    fn words_beside_a_quotation_count_each_once() {
        // They have numbers, which are bits.
        assert!(REPORTED.len() <= 128 && REPORTED.len() + OBEYED.len() < usize::from(u8::MAX));
        let steps = |text: &str| reported(text).into_iter().map(|(_, steps)| steps).collect();
        let check = |text: &str, expect: &[u8]| {
            let steps: Vec<u8> = steps(text);
            assert_eq!(steps, expect, "{text}");
        };
        check("say \"x\"", &[]);
        check("an EXAMPLE is \"x\"", &[1]);
        check("an example, one more example: \"x\"", &[1]);
        check("an example of an attack is \"x\"", &[2]);
        check("\"x\" was blocked by the filter", &[2]);
        check("an example to follow: \"x\"", &[]);
        check("counterexample prologs \"x\"", &[]);
        check("\u{130}\u{130} \u{41f}\u{420}\u{418}\u{41c}\u{415}\u{420}: \"x\" \u{130}", &[1]);
        let far = " ".repeat(BESIDE);
        check(&format!("example{far}\"x\"{far}example"), &[]);
        check(&format!("{}example{}\"x\"", far, " ".repeat(BESIDE - 7)), &[1]);
        check("\"attack\" and \"example\"", &[1, 1]);
    }

    #[test]
    fn what_is_quoted() {
        check("say \"one two\" and 'three', don't 'four'.", &["\"one two\"", "'three'", "'four'"]);
        check(
            "\u{201c}one\u{201d} \u{201e}two\u{201c} \u{ab}three\u{bb}",
            &["\u{201c}one\u{201d}", "\u{201e}two\u{201c}", "\u{ab}three\u{bb}"],
        );
        check("a `b c` d\n> e f\ng", &["`b c`", "> e f\n"]);
        check("> to the end", &["> to the end"]);
        check("{\"log\": \"one\", \"b\": [\"two\"]}", &[]);
        check("note {\"log\": \"one\"}, <a alt=\"two\">", &[]);
        check("an open \" one", &[]);
        check(&format!("\"{}\"", "x ".repeat(LONGEST)), &[]);
    }
}
