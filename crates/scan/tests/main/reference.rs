//! What the engine finds against what the simplest search finds, and readers against any bytes.

use countersign_scan::{
    Engine, Indicator, Kind, Limits, Options, RuleFile, Severity, Target, check_pattern,
};
use proptest::prelude::*;
use regex::Regex;

fn engine(patterns: &[(Kind, String)]) -> Option<Engine> {
    let one = |(n, (kind, pattern)): (usize, &(Kind, String))| {
        let hash = format!("sha256:{n:064x}");
        let pattern = pattern.clone();
        Indicator::of_feed("a".into(), &hash, *kind, pattern, Severity::High, vec![])
    };
    let all = patterns.iter().enumerate().map(one).collect();
    let (engine, refused) = Engine::build(vec![], all, &Options::default()).unwrap();
    refused.is_empty().then_some(engine)
}

/// Whether the pattern with this number hits.
fn hits(engine: &Engine, text: &str, n: usize) -> bool {
    let scan = engine.scan(text, Target::Input);
    assert!(!scan.incomplete(), "{text:?}");
    let hash = format!("sha256:{n:064x}");
    scan.hits.iter().any(|hit| hit.source.content_hash() == Some(&hash))
}

/// Few letters, so that patterns meet texts: with case, accents, look-alikes, what vanishes.
fn letters(longest: usize) -> impl Strategy<Value = String> {
    let letter = prop::sample::select(vec![
        'a', 'b', 'c', 'A', ' ', '.', '\n', '\u{e9}', '\u{430}', '\u{200b}', '\u{301}', '\u{4e2d}',
    ]);
    prop::collection::vec(letter, 1..longest).prop_map(|letters| letters.into_iter().collect())
}

fn expression() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "abca",
        "(?i)bcab",
        "[ab]{1,3}",
        "a.{0,5}b",
        r"\s+",
        r"\bab",
        "(?:abc|bcb|cab)",
        "cc?",
        "\u{e9}a",
        "(?i:\u{e9}b)",
        "a+",
        "[^a]",
        "\u{4e2d}",
    ]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_substring_is_found(
        patterns in prop::collection::vec(letters(8), 1..12),
        text in letters(60),
        with in any::<prop::sample::Index>(),
    ) {
        let patterns: Vec<(Kind, String)> =
            patterns.into_iter().map(|pattern| (Kind::Substring, pattern)).collect();
        if let Some(engine) = engine(&patterns) {
            let planted = format!("{text}{}{text}", with.get(&patterns).1);
            for text in [text, planted] {
                for (n, (_, pattern)) in patterns.iter().enumerate() {
                    let there = text.contains(pattern.as_str());
                    // in plain ASCII nothing is disguised
                    if there || text.is_ascii() && !text.contains(char::is_control) {
                        prop_assert_eq!(hits(&engine, &text, n), there, "{:?} {:?}", pattern, text);
                    }
                }
            }
        }
    }

    #[test]
    fn every_match_of_an_expression_is_found(
        patterns in prop::collection::vec(expression(), 1..6),
        text in letters(80),
    ) {
        let patterns: Vec<(Kind, String)> =
            patterns.into_iter().map(|pattern| (Kind::Regex, pattern)).collect();
        if let Some(engine) = engine(&patterns) {
            for (n, (_, pattern)) in patterns.iter().enumerate() {
                if Regex::new(pattern).unwrap().is_match(&text) {
                    prop_assert!(hits(&engine, &text, n), "{:?} {:?}", pattern, text);
                }
            }
        }
    }

    #[test]
    fn any_pattern_is_taken_or_refused(pattern in any::<String>(), text in any::<String>()) {
        for kind in Kind::ALL {
            let good = check_pattern(kind, &pattern, &Limits::default()).is_ok();
            let built = engine(&[(kind, pattern.clone())]);
            prop_assert_eq!(good, built.is_some());
            if let Some(engine) = built {
                for hit in engine.scan(&text, Target::Input).hits {
                    prop_assert!(text.get(hit.span).is_some());
                }
                prop_assert!(engine.held_from(&text, Target::Input) <= text.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_rule_file_or_none(
        text in "(rules:|- |id: |[a-z]{1,4}: |'|\"|\\[|\\]|\\{|\\}|\n|  |&a |\\*a|<<: |[0-9]|!!)*",
    ) {
        let _ = RuleFile::parse("x", &text, &Limits::default());
    }
}
