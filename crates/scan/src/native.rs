//! Text in its own script: what rules in Chinese, Arabic or Russian are matched against.
//!
//! Folding to ASCII leaves nothing of these scripts to match. So a text that holds letters of them
//! is also read as it is written: lower case, without marks that writers leave out, with one
//! spelling of letters that have several, and single spaces for all that is no letter or digit.

use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::normalize::is_invisible;
use crate::rule::RuleError;

/// A text in its own script, between two spaces: a word's border is a space at either end too.
pub(crate) struct Native {
    pub bytes: Vec<u8>,
    /// For each byte the range of its source character; made only when asked for.
    pub map: Vec<(u32, u32)>,
}

impl Native {
    /// Reads `text`.
    pub fn read(text: &str, with_map: bool) -> Native {
        let mut native = Native { bytes: Vec::with_capacity(text.len() + 2), map: Vec::new() };
        let end = text.len() as u32;
        native.push(' ', (0, 0), with_map);
        for (at, c) in text.char_indices() {
            let span = (at as u32, (at + c.len_utf8()) as u32);
            spell(c, &mut |letter| native.push(letter, span, with_map));
        }
        native.push(' ', (end, end), with_map);
        native
    }

    fn push(&mut self, letter: char, span: (u32, u32), with_map: bool) {
        if letter == ' ' && self.bytes.last() == Some(&b' ') {
            return;
        }
        let mut buffer = [0; 4];
        let bytes = letter.encode_utf8(&mut buffer).as_bytes();
        self.bytes.extend_from_slice(bytes);
        if with_map {
            self.map.extend(bytes.iter().map(|_| span));
        }
    }
}

/// How `text` is read, without the spaces around it.
pub(crate) fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| {
        spell(c, &mut |letter| {
            if letter != ' ' || !out.ends_with(' ') {
                out.push(letter);
            }
        });
    });
    out
}

/// The letters that stand for one character: none for what readers do not see or writers leave out.
fn spell(c: char, push: &mut dyn FnMut(char)) {
    match c {
        'a'..='z' | '0'..='9' => push(c),
        'A'..='Z' => push(c.to_ascii_lowercase()),
        '\0'..='\u{7f}' => push(' '),
        // ideographs, kana, syllables of Korean: each in one form
        '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fc}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' => push(c),
        // Arabic: vowel signs, elongation; then letters that keyboards and habits vary
        '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' => {}
        '\u{622}' | '\u{623}' | '\u{625}' | '\u{671}' => push('\u{627}'),
        '\u{649}' | '\u{6cc}' | '\u{626}' => push('\u{64a}'),
        '\u{629}' | '\u{6c0}' => push('\u{647}'),
        '\u{6a9}' => push('\u{643}'),
        '\u{624}' => push('\u{648}'),
        // Hebrew: points
        '\u{591}'..='\u{5bd}'
        | '\u{5bf}'
        | '\u{5c1}'
        | '\u{5c2}'
        | '\u{5c4}'
        | '\u{5c5}'
        | '\u{5c7}' => {}
        // Devanagari: the dot that many leave out, and the two ways to write a nasal
        '\u{93c}' => {}
        '\u{901}' => push('\u{902}'),
        '\u{958}' => push('\u{915}'),
        '\u{959}' => push('\u{916}'),
        '\u{95a}' => push('\u{917}'),
        '\u{95b}' => push('\u{91c}'),
        '\u{95c}' => push('\u{921}'),
        '\u{95d}' => push('\u{922}'),
        '\u{95e}' => push('\u{92b}'),
        '\u{451}' | '\u{401}' => push('\u{435}'),
        // full and half width, presentation forms
        '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{ff01}'..='\u{ffef}' => {
            decompose_compatible(c, |part| {
                if !('\u{fb1d}'..='\u{ffef}').contains(&part) {
                    spell(part, &mut *push);
                }
            });
        }
        _ if is_invisible(c) => {}
        _ if c.is_alphanumeric() => c.to_lowercase().for_each(push),
        // vowels of the scripts of India and South-East Asia; accents elsewhere are left out
        _ if is_combining_mark(c) => {
            if ('\u{900}'..='\u{109f}').contains(&c) {
                push(c);
            }
        }
        _ => push(' '),
    }
}

/// Finds the rules whose literals a text holds, a literal of each group.
pub(crate) struct Finder {
    automaton: Option<contiguous::NFA>,
    /// For each literal the groups it stands in: rule and bit.
    groups: Vec<Vec<(u16, u8)>>,
    /// For each rule all of its bits.
    whole: Vec<(u16, u8)>,
}

impl Finder {
    /// For rules with the literals of their groups, spelled as the reading spells them.
    pub fn new(rules: &[(u16, &[Vec<String>])]) -> Result<Finder, RuleError> {
        let (mut literals, mut groups): (Vec<String>, Vec<Vec<(u16, u8)>>) = Default::default();
        let mut whole = Vec::new();
        for (rule, all) in rules {
            let mut bits = 0;
            for (at, group) in (0u32..).zip(*all) {
                let bit = 1u8.checked_shl(at).unwrap_or(0);
                bits |= bit;
                for literal in group {
                    let at = literals.iter().position(|known| known == literal);
                    let at = at.unwrap_or_else(|| {
                        literals.push(literal.clone());
                        groups.push(Vec::new());
                        literals.len() - 1
                    });
                    if let Some(groups) = groups.get_mut(at) {
                        groups.push((*rule, bit));
                    }
                }
            }
            whole.push((*rule, bits));
        }
        let automaton = (!literals.is_empty()).then(|| {
            contiguous::Builder::new()
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .build(&literals)
                .map_err(|error| RuleError::Automaton { reason: error.to_string() })
        });
        Ok(Finder { automaton: automaton.transpose()?, groups, whole })
    }

    /// Whether there is anything to look for.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// The rules that have a literal of each group in the text, in order.
    pub fn find(&self, text: &[u8]) -> Vec<u16> {
        let mut seen = vec![0u8; self.whole.len()];
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return Vec::new() };
        let mut known = vec![false; self.groups.len()];
        let mut any = false;
        for byte in text {
            state = automaton.next_state(Anchored::No, state, *byte);
            if !automaton.is_special(state) || !automaton.is_match(state) {
                continue;
            }
            for index in 0..automaton.match_len(state) {
                let literal = automaton.match_pattern(state, index).as_usize();
                let Some(known) = known.get_mut(literal) else { continue };
                if std::mem::replace(known, true) {
                    continue;
                }
                any = true;
                for (rule, bit) in self.groups.get(literal).into_iter().flatten() {
                    let at = self.whole.iter().position(|(whole, _)| whole == rule);
                    if let Some(bits) = at.and_then(|at| seen.get_mut(at)) {
                        *bits |= bit;
                    }
                }
            }
        }
        if !any {
            return Vec::new();
        }
        let full = self.whole.iter().zip(&seen).filter(|((_, all), bits)| *all == **bits);
        full.map(|((rule, _), _)| *rule).collect()
    }
}

/// Words right before an order that turn it around.
#[rustfmt::skip]
static NEGATIONS: &[&str] = &[
    "不要", "不能", "不可", "不得", "不应", "不会", "请勿", "請勿", "切勿", "别", "別", "从不", "永不", "绝不",
    " не ", " нельзя ", " никогда не ", " לא ", " אל ", " لا ", " لن ", " لم ",
];

/// Whether one of them ends `before`, the reading up to an order.
pub(crate) fn is_negated(before: &[u8]) -> bool {
    let spaced = before.last() == Some(&b' ');
    NEGATIONS.iter().any(|words| {
        let words = words.as_bytes();
        before.ends_with(words) || !spaced && before.ends_with(words.trim_ascii_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        let check = |text: &str, expect: &str| {
            let native = Native::read(text, true);
            assert_eq!(String::from_utf8_lossy(&native.bytes), expect, "{text}");
            assert_eq!(native.map.len(), native.bytes.len());
        };
        check("Игн, \u{415}\u{301}Ё!", " игн ее ");
        check("忽\u{200b}略，\u{ff21}1", " 忽略 a1 ");
        check("أَح\u{640}مد", " احمد ");
        check("नियम", " नियम ");
    }

    #[test]
    fn rules_need_a_literal_of_each_group() {
        let groups = |groups: &[&str]| -> Vec<Vec<String>> {
            groups.iter().map(|group| group.split('|').map(str::to_owned).collect()).collect()
        };
        let (one, two) = (groups(&["忽略|无视", "指令"]), groups(&["规则"]));
        let finder = Finder::new(&[(3, &one), (7, &two)]).unwrap();
        let check = |text: &str, expect: &[u16]| assert_eq!(finder.find(text.as_bytes()), expect);
        check("无视指令", &[3]);
        check("忽略规则", &[7]);
        check("无视", &[]);
    }
}
