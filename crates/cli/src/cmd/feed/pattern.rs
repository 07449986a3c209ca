//! What the engine makes of an indicator's pattern.

use record::feed::Matches;
use record::ioc::{Kind, code_points};
use regex::{Regex, RegexBuilder};

/// Memory that one compiled expression may take, bytes.
const COMPILED: usize = 1 << 20;

/// Says why a pattern cannot be matched in linear time and bounded memory.
pub fn compiles(kind: Kind, pattern: &str) -> Result<(), String> {
    match kind {
        Kind::Regex => compile(pattern).map(drop),
        Kind::UnicodeSignature => code_points(pattern).map(drop),
        Kind::Substring => Ok(()),
    }
}

/// Whether the pattern is in the text as it stands.
pub const MATCHES: &Matches<'static> = &|kind, pattern, text| match kind {
    Kind::Regex => Ok(compile(pattern)?.is_match(text)),
    Kind::Substring => Ok(text.contains(pattern)),
    Kind::UnicodeSignature => {
        let points = code_points(pattern)?;
        Ok(text.chars().any(|c| points.contains(&c)))
    }
};

fn compile(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(pattern).size_limit(COMPILED).dfa_size_limit(COMPILED).build();
    let regex = regex.map_err(|error| {
        // The last line is the reason; those before it draw the expression.
        let told = error.to_string();
        told.lines().last().unwrap_or_default().trim().to_owned()
    })?;
    match regex.is_match("") {
        true => Err("it matches the empty text, and so every text".into()),
        false => Ok(regex),
    }
}
