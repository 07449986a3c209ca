//! Hold-back: nothing of a match is out before the match is known, and ordinary text hardly waits.

use std::sync::LazyLock;

use countersign_scan::{Action, Category, Engine, HOLD_BACK, Holder, Scan, Target, Targets};
use proptest::prelude::*;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::builtin);

/// Gives `text` piece by piece, cut at `cuts`, and says for each piece how much was out then.
fn released(holder: &Holder, text: &str, cuts: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let mut out = 0;
    cuts.chain([text.len()])
        .filter_map(|cut| {
            out = out.max(holder.held_from(text.get(..cut)?));
            Some((cut, out))
        })
        .collect()
}

/// What a caller would have to cut out or refuse: the rules that ask for it and are found within
/// the bound. Encoded data is held only from its sixteenth character on.
fn protected(scan: &Scan, text: &str) -> Vec<std::ops::Range<usize>> {
    let near = |span: &std::ops::Range<usize>| text[span.clone()].chars().count() <= HOLD_BACK;
    scan.hits
        .iter()
        .filter(|hit| hit.action != Action::Flag && !hit.decoded && near(&hit.span))
        .map(|hit| hit.span.clone())
        .collect()
}

fn check(holder: &Holder, target: Target, text: &str, cuts: impl Iterator<Item = usize>) {
    let scan = ENGINE.scan(text, target);
    let steps = released(holder, text, cuts);
    for span in protected(&scan, text) {
        for (cut, out) in &steps {
            assert!(
                !(span.start < *cut && *cut <= span.end) || *out <= span.start,
                "{text:?}: at byte {cut} the first {out} bytes were out, of a match at {span:?}"
            );
        }
    }
}

#[test]
fn no_part_of_a_match_is_out_before_the_match_is_known() {
    let mut spans = 0;
    for target in Target::ALL {
        let holder = ENGINE.holder(target);
        // what the model writes is streamed, so every rule of it is cut everywhere
        let written = Targets::WRITTEN.contains(target);
        let rules = ENGINE.rules().filter(|rule| rule.targets.contains(target));
        for rule in rules.step_by(if written { 1 } else { 8 }) {
            for sample in rule.hits.iter().take(if written { 2 } else { 1 }) {
                for text in [
                    sample.clone(),
                    format!("And so on. {sample}"),
                    format!("{sample}{sample} x {sample}."),
                    sample.chars().flat_map(|c| [c, '\u{200b}', '\u{301}']).collect(),
                    disguised(sample),
                ] {
                    check(holder, target, &text, (0..text.len()).step_by(1 + text.len() / 160));
                    spans += protected(&ENGINE.scan(&text, target), &text).len();
                }
            }
        }
    }
    assert!(spans > 500, "{spans}");
}

/// ASCII as full-width forms.
fn disguised(text: &str) -> String {
    let wide = |c: char| if c.is_ascii_graphic() { c as u32 + 0xfee0 } else { c as u32 };
    text.chars().filter_map(|c| char::from_u32(wide(c))).collect()
}

#[test]
fn escapes_hide_nothing_from_it() {
    let holder = ENGINE.holder(Target::Output);
    let secret = "AKIAIOSFODNN7EXAMPLE";
    let percent: String = secret.bytes().map(|b| format!("%{b:02x}")).collect();
    let json: String = secret.bytes().map(|b| format!("\\u{b:04x}")).collect();
    let entities: String = secret.bytes().map(|b| format!("&#{b};")).collect();
    let mixed: String = secret
        .chars()
        .enumerate()
        .map(|(n, c)| if n % 3 == 0 { format!("%{:02x}", c as u32) } else { c.to_string() })
        .collect();
    let twice: String = percent.bytes().map(|b| format!("%{b:02x}")).collect();
    let wide: String = disguised(secret).bytes().map(|b| format!("%{b:02x}")).collect();
    for text in [percent, json, entities, mixed, twice, wide] {
        for text in [format!("key: {text}"), format!("key: {text}, and more")] {
            let scan = ENGINE.scan(&text, Target::Output);
            assert!(!protected(&scan, &text).is_empty(), "{text:?}: {:?}", scan.hits);
            check(holder, Target::Output, &text, 0..text.len());
        }
    }
}

#[test]
fn a_match_that_may_grow_is_held_from_its_start() {
    let held = |text: &str| ENGINE.held_from(text, Target::Output);
    let key = "sk-0123456789abcdefghijklmnopqrstuvwx";
    assert_eq!(held(&format!("my key {key}")), 7);
    assert_eq!(held(&format!("my key {key} ")), format!("my key {key} ").len());
    for (text, expect) in [
        ("", 0),
        ("An ordinary sentence, as people write them.", 43),
        ("the AK", 4),
        ("the AKz", 7),
        ("page 4", 5),
        ("card 4111 1111 11", 5),
        ("call 555-12", 5),
        ("call 555-12-z", 13),
        ("caf\u{e9} A\u{200b}K\u{301}", 6),
        ("heart \u{2764}\u{fe0f}", 6),
        ("ok%", 2),
        ("100%", 0),
        ("100% fit", 8),
        ("a \\u00", 2),
        ("a run of aGVsbG8gd29ybGQhIQ", 9),
    ] {
        assert_eq!(held(text), expect, "{text:?}");
    }
}

#[test]
fn ordinary_text_hardly_waits() {
    let text = include_str!("../../../../README.md");
    let held_at = |at: usize| {
        let from = ENGINE.held_from(&text[..at], Target::Output);
        text[from..at].chars().count()
    };
    let mut held: Vec<usize> = text.char_indices().map(|(at, _)| held_at(at)).collect();
    held.sort_unstable();
    let rank = |percent: usize| held[held.len() * percent / 100];
    assert!(rank(50) <= 2 && rank(90) <= 16, "p50 {} p90 {} p99 {}", rank(50), rank(90), rank(99));
    assert!(held.last() <= Some(&HOLD_BACK));
}

#[test]
fn the_bound_holds_for_every_target_and_wanted_rule() {
    for target in Target::ALL {
        assert!((1..=HOLD_BACK).contains(&ENGINE.hold_back(target)));
    }
    let none = Engine::from_rules(Vec::new()).unwrap();
    assert_eq!(none.held_from("sk-abc AKIA", Target::Output), 11);
    assert_eq!(none.hold_back(Target::Output), 0);
    let addresses = ENGINE.holder_with(Target::Output, &|rule| rule.category == Category::Pii);
    assert_eq!(addresses.held_from("write to ada@exact"), 9);
    assert_eq!(ENGINE.held_from("write to ada@exact", Target::Output), 18);
}

proptest! {
    #[test]
    fn what_is_held_is_bounded_and_whole(text in "(?s:.{0,40})|[sk4-9A-Z _%&\\\\u0-9-]{0,400}|\\PC{0,300}") {
        for target in Target::ALL {
            let from = ENGINE.held_from(&text, target);
            prop_assert!(text.is_char_boundary(from));
        }
    }

    #[test]
    fn any_cut_holds_the_same_secrets(
        before in "[a-z .,\n\u{e9}]{0,40}",
        after in "[ .,\n][a-z ]{0,20}",
        cuts in proptest::collection::btree_set(0usize..160, 0..12),
    ) {
        for secret in ["AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghijABCDEFGHIJ012345", "4111 1111 1111 1111"] {
            let text = format!("{before} {secret}{after}");
            check(ENGINE.holder(Target::Output), Target::Output, &text, cuts.iter().copied().filter(|cut| *cut < text.len()));
        }
    }
}
