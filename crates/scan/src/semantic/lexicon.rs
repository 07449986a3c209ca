//! Concepts, and the words that carry them.

use std::collections::BTreeMap;

use super::read::letters;
use super::table::{SHORTEST_STEM, Table};

/// The words, in a language of lines: see the head of the file.
pub(crate) const TEXT: &str = include_str!("lexicon.txt");

/// No more concepts than bits.
pub(crate) const MAX_CONCEPTS: usize = 64;

/// Stands at a machine that is spoken to: one of [`CALLED`] with a comma or colon behind it.
pub(crate) const ADDRESSED: u64 = 1 << (MAX_CONCEPTS - 1);

/// Concepts of machines that may be spoken to.
const CALLED: [&str; 2] = ["model", "reader"];

/// Words found by their letters: those of ASCII in a table, all others in a tree. Its root is node
/// 1; 0 is no node.
pub(crate) struct Lexicon {
    pub table: Table,
    nodes: Vec<Node>,
    /// Edges of letters, sorted: node and letter, then the next node.
    edges: Vec<(u64, u32)>,
    /// By their last twelve bits, letters that begin a word.
    starts: [u64; 64],
    /// Concepts without which nothing is looked at more closely.
    pub keys: u64,
    /// Concepts of machines that may be spoken to.
    pub called: u64,
}

/// Where the letters so far lead.
#[derive(Clone, Copy, Default)]
struct Node {
    /// Concepts of the word that ends here.
    word: u64,
    /// Concepts of all words that begin so.
    stem: u64,
}

/// A tree under construction.
#[derive(Default)]
struct Branch {
    next: BTreeMap<char, Branch>,
    word: u64,
    stem: u64,
}

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the lexicon: {what}")]
pub(crate) struct LexiconError {
    line: usize,
    what: &'static str,
}

impl Lexicon {
    /// Reads the lines of a lexicon.
    pub fn read(text: &str) -> Result<Lexicon, LexiconError> {
        let mut names: Vec<&str> = Vec::new();
        let mut keys = ADDRESSED;
        let mut root = Branch::default();
        let mut plain: BTreeMap<(String, bool), u64> = BTreeMap::new();
        for (line, content) in (1..).zip(text.lines()) {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let wrong = |what| LexiconError { line, what };
            let (name, words) = content.split_once(':').ok_or(wrong("no name before the words"))?;
            let (name, key) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
            let at = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            if at >= MAX_CONCEPTS - 1 {
                return Err(wrong("more than 63 names"));
            }
            keys |= u64::from(key) << at;
            for word in words.split_whitespace() {
                let (word, open) = word.strip_suffix('*').map_or((word, false), |w| (w, true));
                let spelled = spelled(word);
                let Some(first) = spelled.first() else {
                    return Err(wrong("a word of no letters"));
                };
                if spelled.iter().all(char::is_ascii) {
                    let word: String = spelled.into_iter().collect();
                    if open && word.len() < SHORTEST_STEM {
                        return Err(wrong("a stem of fewer than four letters"));
                    }
                    if open {
                        *plain.entry((word.clone(), true)).or_default() |= 1 << at;
                    }
                    *plain.entry((word, false)).or_default() |= 1 << at;
                    continue;
                }
                // what is written without spaces, or with what belongs to a word before or behind it
                let open = open || *first >= '\u{5d0}';
                let mut branch = &mut root;
                for letter in spelled {
                    branch = branch.next.entry(letter).or_default();
                }
                branch.word |= 1 << at;
                branch.stem |= u64::from(open) << at;
            }
        }
        let nodes = vec![Node::default(), Node::default()];
        let called = names.iter().enumerate().filter(|(_, name)| CALLED.contains(name));
        let called = called.fold(0, |bits, (at, _)| bits | 1 << at);
        let plain = plain.into_iter().map(|((word, stem), concepts)| (word, stem, concepts));
        let table = Table::new(plain);
        let mut lexicon =
            Lexicon { table, nodes, edges: Vec::new(), starts: [0; 64], keys, called };
        lexicon.grow(1, &root);
        for letter in root.next.keys() {
            let (at, bit) = start_bit(*letter);
            lexicon.starts[at] |= bit;
        }
        lexicon.edges.sort_unstable();
        Ok(lexicon)
    }

    fn grow(&mut self, node: usize, branch: &Branch) {
        let first = self.nodes.len();
        self.nodes.extend(branch.next.iter().map(|_| Node::default()));
        self.nodes[node] = Node { word: branch.word, stem: branch.stem };
        for (at, (letter, branch)) in (first..).zip(&branch.next) {
            self.edges.push((edge(node as u32, *letter), at as u32));
            self.grow(at, branch);
        }
    }

    /// A place before the first letter.
    pub fn start(&self) -> Place {
        Place { node: 1, stem: 0 }
    }

    /// Goes on by one letter.
    #[inline]
    pub fn step(&self, place: &mut Place, letter: char) {
        if place.node == 0 {
            return;
        }
        place.node = self.next(place.node, letter);
        if let Some(node) = self.nodes.get(place.node as usize)
            && node.stem != 0
        {
            place.stem = node.stem;
        }
    }

    fn next(&self, node: u32, letter: char) -> u32 {
        let (at, bit) = start_bit(letter);
        if node == 1 && self.starts[at] & bit == 0 {
            return 0;
        }
        let at = self.edges.binary_search_by_key(&edge(node, letter), |(edge, _)| *edge);
        at.ok().and_then(|at| self.edges.get(at)).map_or(0, |(_, next)| *next)
    }

    /// Concepts of a word with letters that are not ASCII, which ended at `place`.
    pub fn concepts(&self, place: Place) -> u64 {
        let word = self.nodes.get(place.node as usize).map_or(0, |node| node.word);
        if word == 0 { place.stem } else { word }
    }
}

/// Where in the tree the letters of a word led.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    node: u32,
    stem: u64,
}

impl Place {
    /// Whether no word of the lexicon begins so.
    pub fn is_lost(self) -> bool {
        self.node == 0
    }

    /// Concepts of all words that begin so.
    pub fn stem(self) -> u64 {
        self.stem
    }
}

fn spelled(word: &str) -> Vec<char> {
    let mut spelled = Vec::new();
    word.chars().for_each(|c| letters(c, &mut |letter| spelled.push(letter)));
    spelled
}

/// Where a letter stands in [`Lexicon::starts`].
fn start_bit(letter: char) -> (usize, u64) {
    let low = letter as usize & 4095;
    (low / 64, 1 << (low % 64))
}

fn edge(node: u32, letter: char) -> u64 {
    u64::from(node) << 32 | u64::from(u32::from(letter))
}

#[cfg(test)]
mod tests {
    use super::super::spell::spell;
    use super::*;

    fn check(lexicon: &Lexicon, word: &str, expect: u64) {
        let spelled: String = spelled(word).into_iter().collect();
        let mut place = lexicon.start();
        spelled.chars().for_each(|letter| lexicon.step(&mut place, letter));
        let found = match spelled.is_ascii() {
            true => lexicon.table.concepts(&spell(spelled.as_bytes(), 0)),
            false => lexicon.concepts(place),
        };
        assert_eq!(found, expect, "{word}");
    }

    #[test]
    fn words_stems_and_other_scripts() {
        let text = "# a\nvoid!: ignor* forget\nrules: ignorance r\u{e8}gle \u{43f}\u{440}\u{430}\u{432}\u{438}\u{43b}* \u{89c4}\u{5219}\nvoid: r1\n";
        let lexicon = Lexicon::read(text).unwrap();
        assert_eq!(lexicon.keys, 1 | ADDRESSED);
        check(&lexicon, "Ignoring", 1);
        check(&lexicon, "ignorance", 2);
        check(&lexicon, "ignorances", 1);
        check(&lexicon, "forget", 1);
        check(&lexicon, "forgets", 0);
        check(&lexicon, "REGLE", 2);
        check(&lexicon, "\u{41f}\u{440}\u{430}\u{432}\u{438}\u{43b}\u{430}", 2);
        check(&lexicon, "\u{89c4}\u{5219}", 2);
        check(&lexicon, "r1", 1);
        check(&lexicon, "ign", 0);
        check(&lexicon, "ignition", 0);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let error = |text| Lexicon::read(text).err().map(|error| error.line);
        assert_eq!(error("a: b\nno name"), Some(2));
        assert_eq!(error("a: *"), Some(1));
        assert_eq!(error("a: abc*"), Some(1));
        let many: String = (0..64).map(|n| format!("n{n}: w{n}\n")).collect();
        assert_eq!(error(&many), Some(64));
        assert_eq!(error(TEXT), None);
    }
}
