//! Ways of writing text that a model undoes by itself: letters moved along the alphabet, the alphabet
//! mirrored, the text from its end.

/// One such way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Letters moved so far along the alphabet, 1 to 25.
    Moved(u8),
    /// `a` is `z`, `b` is `y`.
    Mirrored,
    /// From its end.
    Reversed,
}

impl Turn {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Turn> {
        (1..=25).map(Turn::Moved).chain([Turn::Mirrored, Turn::Reversed])
    }

    /// Whether the word, turned this way, is no chance: moved by something unusual, short ones turn up
    /// in long stretches of random letters.
    pub fn gives_away(self, word: &str) -> bool {
        let usual = matches!(self, Turn::Moved(13) | Turn::Mirrored | Turn::Reversed);
        usual || word.len() >= 7
    }

    /// Its place in a set.
    pub fn bit(self) -> u32 {
        match self {
            Turn::Moved(by) => 1 << by,
            Turn::Mirrored => 1,
            Turn::Reversed => 1 << 31,
        }
    }

    /// The word, turned.
    pub fn apply(self, word: &str) -> String {
        let turned = match self {
            // what moves back undoes moving on
            Turn::Moved(by) => Turn::Moved(26 - by).undo(word.as_bytes()),
            Turn::Mirrored | Turn::Reversed => self.undo(word.as_bytes()),
        };
        turned.into_iter().map(char::from).collect()
    }

    /// What the text says.
    pub fn undo(self, text: &[u8]) -> Vec<u8> {
        match self {
            Turn::Moved(by) => letters(text, |letter| (letter + 26 - by) % 26),
            Turn::Mirrored => letters(text, |letter| 25 - letter),
            Turn::Reversed => text.iter().rev().copied().collect(),
        }
    }
}

/// The text with each letter's place in the alphabet changed.
fn letters(text: &[u8], turn: impl Fn(u8) -> u8) -> Vec<u8> {
    let byte = |byte: &u8| match byte {
        b'a'..=b'z' => turn(byte - b'a') + b'a',
        b'A'..=b'Z' => turn(byte - b'A') + b'A',
        other => *other,
    };
    text.iter().map(byte).collect()
}

/// Words of attacks and secrets. Turned they mean nothing, so whoever writes them so has turned the
/// text.
pub(crate) static TELLTALES: &[&str] = &[
    "ignore",
    "disregard",
    "forget",
    "override",
    "previous",
    "instruction",
    "system",
    "prompt",
    "reveal",
    "secret",
    "password",
    "execute",
    "bypass",
    "pretend",
    "restriction",
    "guideline",
    "developer",
    "unfiltered",
    "anweisung",
    "instruccion",
    "consigne",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_is_undone() {
        let mut bits = 0;
        for turn in Turn::all() {
            assert_eq!(turn.undo(turn.apply("Ignore, 1").as_bytes()), b"Ignore, 1", "{turn:?}");
            assert_eq!(bits & turn.bit(), 0, "{turn:?}");
            bits |= turn.bit();
        }
        assert_eq!(Turn::Moved(1).apply("Haz"), "Iba");
        assert_eq!(Turn::Mirrored.apply("az"), "za");
        assert_eq!(Turn::Reversed.apply("abc"), "cba");
    }
}
