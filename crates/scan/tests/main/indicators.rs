//! What others look for: indicators of feeds, and what they may cost.

use std::sync::Arc;

use countersign_scan::{
    Engine, Indicator, Kind, Limits, Mode, Options, Refusal, Refused, Scan, Severity, Source,
    Target, Verdict,
};

#[path = "../../examples/indicators/feed.rs"]
mod feed;

const HASH: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn indicator(kind: Kind, pattern: &str) -> Indicator {
    let issuer: Arc<str> = "alpha.example".into();
    let categories = vec!["jailbreak".to_owned()];
    Indicator::of_feed(issuer, HASH, kind, pattern.to_owned(), Severity::Critical, categories)
}

fn built(indicators: Vec<Indicator>) -> (Engine, Vec<Refused>) {
    Engine::build(Vec::new(), indicators, &Options::default()).unwrap()
}

fn refusal(kind: Kind, pattern: &str) -> Option<Refusal> {
    built(vec![indicator(kind, pattern)]).1.pop().map(|refused| refused.reason)
}

/// The parts of `text` that the pattern hits.
fn hits(kind: Kind, pattern: &str, text: &str) -> Vec<String> {
    let (engine, refused) = built(vec![indicator(kind, pattern)]);
    assert_eq!(refused, [], "{pattern}");
    let scan = engine.scan(text, Target::Input);
    assert!(!scan.incomplete(), "{pattern} {text}");
    scan.hits.iter().map(|hit| text[hit.span.clone()].to_owned()).collect()
}

#[test]
fn substrings_are_exact_and_seen_through_disguises() {
    let check = |pattern: &str, text: &str, expect: &[&str]| {
        assert_eq!(hits(Kind::Substring, pattern, text), expect, "{pattern:?} in {text:?}");
    };
    check("EXPIRED_TOKEN", "an EXPIRED_TOKEN, EXPIRED_TOKEN", &["EXPIRED_TOKEN", "EXPIRED_TOKEN"]);
    check("Secret", "secret", &[]);
    check("<|im_start|>system", "x<|im_start|>system", &["<|im_start|>system"]);
    check("ab", "cab", &["ab"]);
    check("a b", "A b a b", &["a b"]);
    check("\u{1b}[31m", "x\u{1b}[31my", &["\u{1b}[31m"]);
    check("caf\u{e9} noir", "un caf\u{e9} noir", &["caf\u{e9} noir"]);
    check("\u{79d8}\u{5bc6}", "\u{79d8}\u{5bc6}\u{79d8}\u{5bc5}", &["\u{79d8}\u{5bc6}"]);
    check("\u{202e}", "a\u{202e}b", &["\u{202e}"]);
    check(
        "\u{438}\u{437} \u{434}\u{430}",
        "\u{438}\u{437} \u{434}\u{430}.",
        &["\u{438}\u{437} \u{434}\u{430}"],
    );
    // in a disguise letters count without case, elsewhere they do not
    check("collect.example", "COLLECT.EXAMPLE", &[]);
    check("collect.example", "c\u{43e}llect.ex\u{200b}ample", &["c\u{43e}llect.ex\u{200b}ample"]);
    check("collect.example", "caf\u{e9} Collect.example", &[]);
    check(
        "ignore all rules",
        "so i g n o r e  a l l  R U L E S",
        &["i g n o r e  a l l  R U L E S"],
    );
    // the whole run is what has to go
    check(
        "collect.example",
        "x aHR0cHM6Ly9jb2xsZWN0LmV4YW1wbGUvcA== y",
        &["aHR0cHM6Ly9jb2xsZWN0LmV4YW1wbGUvcA"],
    );
    check(
        "collect.example",
        "%63%6f%6c%6c%65%63%74%2e%65%78%61%6d%70%6c%65",
        &["%63%6f%6c%6c%65%63%74%2e%65%78%61%6d%70%6c%65"],
    );
}

#[test]
fn signatures_are_any_of_their_characters() {
    let check = |pattern: &str, text: &str, expect: usize| {
        assert_eq!(
            hits(Kind::UnicodeSignature, pattern, text).len(),
            expect,
            "{pattern:?} {text:?}"
        );
    };
    check("200B,FEFF", "a\u{200b}b\u{feff}", 2);
    check("200b", "a\u{200b}b", 1);
    check("200B", "ab", 0);
    check("E0001", "a\u{e0001}b", 1);
    check("001B", "a\u{1b}b", 1);
    for wrong in ["", "U+200B", "20", "D800", "110000", "200B,", " 200B", "200G"] {
        assert!(refusal(Kind::UnicodeSignature, wrong).is_some(), "{wrong:?}");
    }
}

#[test]
fn expressions_run_where_their_literals_stand() {
    let check = |pattern: &str, text: &str, expect: &[&str]| {
        assert_eq!(hits(Kind::Regex, pattern, text), expect, "{pattern:?} in {text:?}");
    };
    check(r"(?i)\bignore\s+(all|any)\s+rules\b", "So IGNORE  any rules!", &["IGNORE  any rules"]);
    check(r"\bignore\b", "ignored, signore", &[]);
    check(r"ignore.*rules", "ignore the many rules", &["ignore the many rules"]);
    check(r"ignore.*rules", "ignore\nrules", &[]);
    check(r"curl\s+\S*\$\w+", "curl -d$SECRET x", &["curl -d$SECRET"]);
    check(r"^ignore", "ignore ignore", &["ignore"]);
    check(r"ignore\Z", "ignore ignore", &["ignore"]);
    check(r"(?:cats|dogs|birds)!", "dogs! birds", &["dogs!"]);
    check(r"\u0130gnore", "\u{130}gnore", &["\u{130}gnore"]);
    check(
        "\u{4f60}\u{597d}\u{5417}?\u{554a}",
        "\u{4f60}\u{597d}\u{554a}",
        &["\u{4f60}\u{597d}\u{554a}"],
    );
    check(r"(?i)ignore\s+all", "\u{456}gn\u{43e}re all", &["\u{456}gn\u{43e}re all"]);
    // without a literal: over every text
    check(r"[0-9]{3}-[0-9]{4}", "call 555-1234", &["555-1234"]);
    check(r"a[0-9]b", "xa7b", &["a7b"]);
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason() {
    let check = |kind, pattern: &str, like: &str| {
        let reason = refusal(kind, pattern).map(|reason| reason.to_string()).unwrap_or_default();
        assert!(reason.contains(like), "{pattern:?}: {reason}");
    };
    check(Kind::Substring, "", "empty");
    check(Kind::Substring, "a", "single");
    check(Kind::Substring, &"a".repeat(20_000), "20000 bytes");
    check(Kind::Regex, "", "empty");
    check(Kind::Regex, "x(", "unclosed");
    check(Kind::Regex, "(?=x)ignore", "look-around");
    check(Kind::Regex, r"(a)\1", "backreferences");
    check(Kind::Regex, "a*", "empty text");
    check(Kind::Regex, r"^\b$", "empty text");
    check(Kind::Regex, "(?:ignore{500}){500}", "costs");
    check(Kind::Regex, r"(?s).{50000,}", "costs");
    check(Kind::Regex, &r"\pL".repeat(65), "classes");
    check(Kind::Regex, &format!("{}x{}", "(".repeat(100), ")".repeat(100)), "nest");
}

#[test]
fn the_slow_lane_and_each_source_are_bounded() {
    let lanes = |n: usize| (0..n).map(|n| indicator(Kind::Regex, &format!("[a-f]{{{}}}", n + 2)));
    let (engine, refused) = built(lanes(20).collect());
    assert_eq!((engine.indicators().len(), refused.len()), (16, 4));
    assert_eq!(refused[0].index, 16);
    assert!(matches!(refused[0].reason, Refusal::NoLiteral { limit: 16 }));
    let limits = Limits { source_price: 260, patterns: 3, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let dear = |n: usize| indicator(Kind::Regex, &format!("ignore{n}[a-z]{{40}}"));
    let (engine, refused) =
        Engine::build(Vec::new(), (0..3).map(dear).collect(), &options).unwrap();
    assert_eq!(engine.indicators().len(), 2);
    assert!(matches!(refused[0].reason, Refusal::SourceTooDear { limit: 260 }));
    let many = (0..4).map(|n| indicator(Kind::Substring, &format!("needle {n}"))).collect();
    let (_, refused) = Engine::build(Vec::new(), many, &options).unwrap();
    assert!(matches!(refused[0].reason, Refusal::TooMany { limit: 3 }));
    let same = (0..300).map(|n| indicator(Kind::Regex, &format!("zzzz[{n}-\u{1000}]"))).collect();
    assert!(built(same).1.iter().all(|one| matches!(one.reason, Refusal::Crowded { .. })));
}

#[test]
fn a_hit_says_whose_it_is_and_asks_for_what_its_severity_says() {
    let verdict = |mode, one: Indicator| {
        let options = Options { mode, ..Options::default() };
        let (engine, _) = Engine::build(Vec::new(), vec![one], &options).unwrap();
        engine.scan("a NEEDLE here", Target::ToolCall)
    };
    let needle = || indicator(Kind::Substring, "NEEDLE");
    let scan = verdict(Mode::Standard, needle());
    let hit = &scan.hits[0];
    assert_eq!(&*hit.rule, "feed:alpha.example:0123456789abcdef");
    assert_eq!(hit.source.name(), "feed:alpha.example");
    assert_eq!(hit.source.content_hash(), Some(HASH));
    assert_eq!(*hit.labels, ["jailbreak".to_owned()]);
    for mode in Mode::ALL {
        let of =
            |severity, monitor| verdict(mode, Indicator { severity, monitor, ..needle() }).verdict;
        assert_eq!(of(Severity::Critical, false), Verdict::Malicious, "{mode:?}");
        assert_eq!(of(Severity::High, false), Verdict::Malicious, "{mode:?}");
        assert!(of(Severity::Medium, false) >= Verdict::Suspicious, "{mode:?}");
        assert_eq!(of(Severity::Critical, true), Verdict::Clean, "{mode:?}");
    }
    assert!(verdict(Mode::Strict, needle().monitored()).hits[0].monitor);
    // a rule of a file is softened as those of the product are
    let file =
        Indicator { source: Source::File("a.yaml".into()), severity: Severity::High, ..needle() };
    assert_eq!(verdict(Mode::Permissive, file).verdict, Verdict::Suspicious);
    let strange = Indicator::of_feed(
        "<img src=x>".into(),
        HASH,
        Kind::Substring,
        "ab".into(),
        Severity::Low,
        vec![],
    );
    assert_eq!(&*strange.id, "feed:_img_src_x_:0123456789abcdef");
}

#[test]
fn work_is_bounded_and_said_to_be() {
    // each place of the text costs an expression over all of it
    let dear = |n: usize| indicator(Kind::Regex, &format!(r"ignore.*[\pL]{{8}}x{n}"));
    let (engine, refused) = built((0..100).map(dear).collect());
    assert_eq!(refused, []);
    let scan = engine.scan(&"ignore it ".repeat(20_000), Target::Input);
    assert!(scan.incomplete());
    assert!(scan.rules().iter().any(|rule| &**rule == "CS-ENG-002"));
    assert_eq!(scan.verdict, Verdict::Suspicious);
    let modes = Mode::ALL.map(|mode| scan.hits[0].verdict(mode));
    assert_eq!(modes, [Verdict::Malicious, Verdict::Suspicious, Verdict::Suspicious]);
}

#[test]
fn clean_text_never_exhausts_the_work_of_a_large_feed() {
    let one = |(kind, pattern): (&str, String)| indicator(kind.parse().unwrap(), &pattern);
    let (engine, refused) = built(feed::patterns(50_000).into_iter().map(one).collect());
    assert_eq!(refused, []);
    let report = "The quarterly report shows that revenue grew by 12 percent while costs stayed flat; please \
        compare it with last year's figures, list the three largest changes, and keep the tone formal. ";
    let trip = "Could you help me plan a weekend in Lisbon? We arrive on Friday evening, like food markets and \
        old trams, and would rather not rent a car. A budget of 600 euros for two is fine. Thanks a lot! ";
    let varied = include_str!("../../src/ordinary.txt");
    for text in [format!("{report}{trip}").repeat(2_800), varied.repeat(16)] {
        let scan = scan_of(&engine, &text);
        assert!(!scan.incomplete() && scan.hits.is_empty(), "{:?}", scan.hits);
    }
}

#[test]
fn the_digest_covers_indicators_feeds_and_mode() {
    let digest = |indicators: Vec<Indicator>, options: &Options| {
        Engine::build(Vec::new(), indicators, options).unwrap().0.ruleset_digest()
    };
    let standard = Options::default();
    let one = || vec![indicator(Kind::Substring, "NEEDLE")];
    let feeds = vec![countersign_scan::FeedRoot {
        issuer: "alpha.example".into(),
        feed: "alpha/core".into(),
        root: HASH.into(),
    }];
    let mut digests: Vec<_> = [
        digest(vec![], &standard),
        digest(one(), &standard),
        digest(one().into_iter().map(Indicator::monitored).collect(), &standard),
        digest(one(), &Options { mode: Mode::Strict, ..standard.clone() }),
        digest(one(), &Options { feeds, ..standard.clone() }),
        digest(vec![Indicator { source: Source::File("f".into()), ..one()[0].clone() }], &standard),
    ]
    .into();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}

fn scan_of(engine: &Engine, text: &str) -> Scan {
    engine.scan(text, Target::Input)
}

#[test]
fn ten_thousand_indicators_are_told_apart() {
    let pattern = |n: usize| format!("needle-{n:05}.example");
    let all = (0..10_000).map(|n| indicator(Kind::Substring, &pattern(n))).collect();
    let (engine, refused) = built(all);
    assert_eq!(refused, []);
    assert!(engine.indicator_memory() < 64 << 20);
    for n in [0, 4_711, 9_999] {
        let text = format!("see https://{}/x", pattern(n));
        assert_eq!(scan_of(&engine, &text).hits.len(), 1, "{text}");
    }
    assert!(scan_of(&engine, "see https://needle-10000.example/x").hits.is_empty());
}

/// For every cut of a growing text: what may go out before it is known what the cut off part
/// becomes.
#[test]
fn nothing_of_a_match_is_out_before_the_match_is_known() {
    for (kind, pattern, text) in [
        (Kind::Substring, "EXPIRED_TOKEN", "an EXPIRED_TOKEN, EXPIRED_EXPIRED_TOKEN."),
        (Kind::Substring, "caf\u{e9} noir", "un caf\u{e9} caf\u{e9} noir"),
        (Kind::Substring, "\u{79d8}\u{5bc6}", "\u{79d8}\u{79d8}\u{5bc6}"),
        (Kind::Substring, "collect.example", "c\u{43e}llect.ex\u{200b}ample"),
        (Kind::UnicodeSignature, "202E", "a\u{202e}b"),
        (Kind::Regex, r"(?i)\bignore\s+(all|any)\s+rules\b", "So IGNORE  any rules!"),
        (Kind::Regex, "ignore.*rules", "to ignore the many, many rules"),
        (Kind::Regex, r"https?://[a-z0-9.]{1,40}\.evil\.example", "see https://a.b.evil.example"),
        (Kind::Regex, r"[a-z]{1,20}@evil\.example", "from somebody@evil.example"),
    ] {
        let (engine, _) = built(vec![indicator(kind, pattern)]);
        let scan = scan_of(&engine, text);
        assert!(!scan.hits.is_empty(), "{pattern}");
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let mut out = 0;
        for cut in cuts {
            out = out.max(engine.held_from(&text[..cut], Target::Input));
            for hit in &scan.hits {
                let inside = hit.span.start < cut && cut < hit.span.end;
                assert!(!inside || out <= hit.span.start, "{pattern} {:?} {out}", &text[..cut]);
            }
        }
    }
    let (engine, _) = built(vec![indicator(Kind::Substring, "EXPIRED_TOKEN")]);
    assert_eq!(engine.held_from("an ordinary sentence.", Target::Input), 21);
    assert_eq!(engine.hold_back(Target::Input), 13);
}

#[test]
fn padding_does_not_push_the_parts_of_an_expression_apart() {
    let pattern = r"(?i)ignore\s+all\s+rules";
    let space = " \n\t".repeat(4_000);
    let text = format!("{} ignore{space}all{space}rules", "words and words ".repeat(400));
    assert_eq!(hits(Kind::Regex, pattern, &text).len(), 1);
}

#[test]
fn the_starter_feed_is_taken_whole_and_finds_its_samples() {
    let drafts = include_bytes!("../../../../feeds/genesis/drafts.json");
    let drafts = record::feed::Drafts::read(drafts).unwrap().indicators;
    let one = |(n, draft): (usize, &record::feed::Draft)| {
        let hash = format!("sha256:{n:064x}");
        let pattern = draft.pattern.clone();
        let issuer = "countersign".into();
        Indicator::of_feed(issuer, &hash, draft.kind, pattern, Severity::High, vec![])
    };
    let (engine, refused) = built(drafts.iter().enumerate().map(one).collect());
    assert_eq!(refused, []);
    for (draft, indicator) in drafts.iter().zip(engine.indicators()) {
        let fires = |text: &String| {
            let scan = engine.scan(text, Target::ToolResult);
            assert!(!scan.incomplete(), "{text}");
            scan.hits.iter().any(|hit| hit.source == indicator.source)
        };
        let missed: Vec<&String> = draft.attacks.iter().filter(|text| !fires(text)).collect();
        let wrong: Vec<&String> = draft.benign.iter().filter(|text| fires(text)).collect();
        assert!(missed.is_empty() && wrong.is_empty(), "{}: {missed:?} {wrong:?}", draft.pattern);
    }
}
