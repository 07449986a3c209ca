//! Letters that look like ASCII letters and do not decompose to them.
//!
//! Our own small table, made by looking at glyphs: the scripts people really use to dodge word
//! filters. It decides what is *matched*, never what an identity is called.

/// What `c` reads as, if it is in the table.
pub(crate) fn lookup(c: char) -> Option<&'static str> {
    let code = c as u32;
    if code < 0xa1 {
        return None;
    }
    if let Some(letter) = enclosed(code) {
        return Some(letter);
    }
    let index = match FIRST.get(code as usize) {
        Some(next) => usize::from(*next).checked_sub(1)?,
        None if FAR.contains(&c) => return None,
        None => TABLE.binary_search_by_key(&c, |(from, _)| *from).ok()?,
    };
    TABLE.get(index).map(|(_, to)| *to)
}

/// For each of the first code points its place in the table, from 1.
static FIRST: [u8; 0x600] = {
    let mut places = [0; 0x600];
    let mut at = 0;
    while at < TABLE.len() && (TABLE[at].0 as usize) < places.len() {
        assert!(at < 255);
        places[TABLE[at].0 as usize] = at as u8 + 1;
        at += 1;
    }
    places
};

/// East Asian scripts have nothing in the table.
const FAR: std::ops::RangeInclusive<char> = '\u{3012}'..='\u{a72f}';

/// Parenthesised letters, regional indicators, negative circled and negative squared letters, in alphabetical order.
fn enclosed(code: u32) -> Option<&'static str> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
    for start in [0x249c, 0x1f110, 0x1f150, 0x1f170, 0x1f1e6] {
        if let Some(n) = code.checked_sub(start).filter(|n| *n < 26) {
            return LETTERS.get(n as usize..n as usize + 1);
        }
    }
    None
}

/// Sorted by code point.
#[rustfmt::skip]
static TABLE: &[(char, &str)] = &[
    // Latin beyond ASCII
    ('¡', "i"), ('¢', "c"), ('£', "l"), ('¥', "y"), ('©', "c"), ('«', "<"), ('®', "r"), ('»', ">"),
    ('Æ', "ae"), ('Ð', "d"), ('×', "x"), ('Ø', "o"), ('Þ', "p"), ('ß', "ss"), ('æ', "ae"),
    ('ð', "d"), ('ø', "o"), ('þ', "p"), ('Đ', "d"), ('đ', "d"), ('Ħ', "h"), ('ħ', "h"), ('ı', "i"),
    ('Ł', "l"), ('ł', "l"), ('Ŋ', "n"), ('ŋ', "n"), ('Œ', "oe"), ('œ', "oe"), ('Ŧ', "t"),
    ('ŧ', "t"), ('ƀ', "b"), ('ƈ', "c"), ('Ɖ', "d"), ('ƒ', "f"), ('Ɨ', "i"), ('ƙ', "k"), ('ƚ', "l"),
    ('ƞ', "n"), ('ƥ', "p"), ('ƭ', "t"), ('ƴ', "y"), ('ƶ', "z"), ('ǀ', "l"), ('ȷ', "j"), ('ɑ', "a"),
    ('ɓ', "b"), ('ɔ', "o"), ('ɖ', "d"), ('ɗ', "d"), ('ɘ', "e"), ('ə', "e"), ('ɛ', "e"), ('ɜ', "e"),
    ('ɟ', "j"), ('ɠ', "g"), ('ɡ', "g"), ('ɢ', "g"), ('ɣ', "y"), ('ɦ', "h"), ('ɨ', "i"), ('ɩ', "i"),
    ('ɪ', "i"), ('ɫ', "l"), ('ɬ', "l"), ('ɯ', "w"), ('ɱ', "m"), ('ɲ', "n"), ('ɴ', "n"), ('ɵ', "o"),
    ('ɹ', "r"), ('ɽ', "r"), ('ɾ', "r"), ('ʀ', "r"), ('ʂ', "s"), ('ʃ', "s"), ('ʇ', "t"), ('ʈ', "t"),
    ('ʉ', "u"), ('ʋ', "u"), ('ʌ', "v"), ('ʍ', "m"), ('ʎ', "y"), ('ʏ', "y"), ('ʐ', "z"), ('ʙ', "b"),
    ('ʛ', "g"), ('ʜ', "h"), ('ʝ', "j"), ('ʞ', "k"), ('ʟ', "l"), ('ʹ', "'"), ('ʻ', "'"), ('ʼ', "'"),
    // Greek
    ('Α', "a"), ('Β', "b"), ('Ε', "e"), ('Ζ', "z"), ('Η', "h"), ('Ι', "i"), ('Κ', "k"), ('Μ', "m"),
    ('Ν', "n"), ('Ο', "o"), ('Ρ', "p"), ('Τ', "t"), ('Υ', "y"), ('Χ', "x"), ('α', "a"), ('β', "b"),
    ('γ', "y"), ('ε', "e"), ('η', "n"), ('ι', "i"), ('κ', "k"), ('ν', "v"), ('ο', "o"), ('ρ', "p"),
    ('ς', "s"), ('σ', "o"), ('τ', "t"), ('υ', "u"), ('χ', "x"), ('ω', "w"), ('ϲ', "c"), ('ϳ', "j"),
    // Cyrillic
    ('Ѕ', "s"), ('І', "i"), ('Ј', "j"), ('А', "a"), ('В', "b"), ('Е', "e"), ('К', "k"), ('М', "m"),
    ('Н', "h"), ('О', "o"), ('Р', "p"), ('С', "c"), ('Т', "t"), ('У', "y"), ('Х', "x"), ('а', "a"),
    ('в', "b"), ('г', "r"), ('е', "e"), ('к', "k"), ('м', "m"), ('н', "h"), ('о', "o"), ('п', "n"),
    ('р', "p"), ('с', "c"), ('т', "t"), ('у', "y"), ('х', "x"), ('ё', "e"), ('є', "e"), ('ѕ', "s"),
    ('і', "i"), ('ї', "i"), ('ј', "j"), ('ѡ', "w"), ('ѵ', "v"), ('ү', "y"), ('һ', "h"), ('Ӏ', "i"),
    ('ӏ', "l"), ('ԁ', "d"), ('ԍ', "g"), ('ԛ', "q"), ('ԝ', "w"),
    // Armenian
    ('ա', "w"), ('գ', "q"), ('զ', "q"), ('հ', "h"), ('յ', "j"), ('ո', "n"), ('ս', "u"), ('ց', "g"),
    ('ք', "f"), ('օ', "o"),
    // Cherokee
    ('Ꭰ', "d"), ('Ꭱ', "r"), ('Ꭲ', "t"), ('Ꭵ', "i"), ('Ꭺ', "a"), ('Ꭻ', "j"), ('Ꭼ', "e"), ('Ꮃ', "w"),
    ('Ꮇ', "m"), ('Ꮋ', "h"), ('Ꮍ', "y"), ('Ꮐ', "g"), ('Ꮓ', "z"), ('Ꮤ', "w"), ('Ꮥ', "s"), ('Ꮩ', "v"),
    ('Ꮪ', "s"), ('Ꮮ', "l"), ('Ꮯ', "c"), ('Ꮲ', "p"), ('Ꮶ', "k"), ('Ᏼ', "b"),
    // small capitals
    ('ᴀ', "a"), ('ᴄ', "c"), ('ᴅ', "d"), ('ᴇ', "e"), ('ᴊ', "j"), ('ᴋ', "k"), ('ᴌ', "l"), ('ᴍ', "m"),
    ('ᴎ', "n"), ('ᴏ', "o"), ('ᴘ', "p"), ('ᴛ', "t"), ('ᴜ', "u"), ('ᴠ', "v"), ('ᴡ', "w"), ('ᴢ', "z"),
    // punctuation
    ('‐', "-"), ('‒', "-"), ('–', "-"), ('—', "-"), ('―', "-"), ('‘', "'"), ('’', "'"), ('‚', "'"),
    ('‛', "'"), ('“', "\""), ('”', "\""), ('„', "\""), ('‹', "<"), ('›', ">"), ('⁄', "/"),
    ('−', "-"), ('∕', "/"), ('∣', "|"), ('∶', ":"), ('⟨', "<"), ('⟩', ">"), ('〈', "<"), ('〉', ">"),
    ('【', "["), ('】', "]"), ('ꜰ', "f"), ('ꜱ', "s"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_folds_to_ascii() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        assert!(TABLE.iter().all(|(from, to)| !from.is_ascii() && to.is_ascii()));
        assert_eq!(lookup('\u{1f1ee}'), Some("i"));
        for (from, to) in TABLE {
            assert_eq!(lookup(*from), Some(*to));
        }
        assert_eq!([lookup('a'), lookup('\u{e9}'), lookup('\u{4e00}')], [None; 3]);
    }
}
