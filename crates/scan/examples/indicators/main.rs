//! What thousands of indicators cost: `cargo run --release -p countersign-scan --example indicators
//! [COUNT [TEXT [TIMES]]]`.

mod feed;

use std::hint::black_box;
use std::time::Instant;

use countersign_scan::{Engine, Indicator, Kind, Options, Severity, Target};

fn main() {
    let asked = std::env::args().nth(1).and_then(|count| count.parse().ok());
    for count in asked.map_or(vec![0, 1_000, 10_000, 50_000], |count: usize| vec![count]) {
        let indicators = generate(count);
        let before = resident();
        let start = Instant::now();
        let (engine, refused) =
            Engine::builtin_with(indicators.clone(), &Options::default()).expect("our own rules");
        let built = start.elapsed();
        println!(
            "{count} indicators: built in {:.0} ms, {:.1} MB of tables, {:.1} MB resident, {} refused",
            built.as_secs_f64() * 1e3,
            engine.indicator_memory() as f64 / 1e6,
            (resident().saturating_sub(before)) as f64 / 1e6,
            refused.len(),
        );
        if let Some(first) = refused.first() {
            println!("  first refused: {}", first.reason);
        }
        let only = std::env::args().nth(2);
        let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
        for (name, text) in texts(&indicators).into_iter().filter(|(name, _)| wanted(name)) {
            let times = std::env::args().nth(3).and_then(|times| times.parse().ok());
            let times = times.unwrap_or_else(|| (20_000_000 / text.len()).clamp(1, 5_000));
            let mut taken: Vec<f64> = (0..times)
                .map(|_| {
                    let start = Instant::now();
                    black_box(engine.scan(black_box(&text), Target::Input));
                    start.elapsed().as_secs_f64() * 1e6
                })
                .collect();
            taken.sort_by(f64::total_cmp);
            let scan = engine.scan(&text, Target::Input);
            println!(
                "  {name:<10} {:>8} B  best {:>9.2}  p50 {:>9.2}  p99 {:>9.2} us  {:>6.1} MB/s  {} hits{}",
                text.len(),
                taken[0],
                taken[taken.len() / 2],
                taken[taken.len() * 99 / 100],
                text.len() as f64 / taken[0],
                scan.hits.len(),
                if scan.incomplete() { ", incomplete" } else { "" },
            );
        }
    }
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).unwrap_or(0) * 1024
}

fn generate(count: usize) -> Vec<Indicator> {
    let one = |(n, (kind, pattern)): (usize, (&str, String))| {
        let hash = format!("sha256:{n:064x}");
        let kind: Kind = kind.parse().expect("a kind");
        Indicator::of_feed("bench.example".into(), &hash, kind, pattern, Severity::High, vec![])
    };
    feed::patterns(count).into_iter().enumerate().map(one).collect()
}

fn texts(indicators: &[Indicator]) -> Vec<(&'static str, String)> {
    let prompt = "Could you help me plan a weekend in Lisbon? We arrive on Friday evening, like food \
        markets and old trams, and would rather not rent a car. A budget of 600 euros for two is fine. Thanks a lot!";
    let report = "The quarterly report shows that revenue grew by 12 percent while costs stayed flat; please compare \
        it with last year's figures, list the three largest changes, and keep the tone formal. ";
    let repeat = |text: &str, bytes: usize| text.repeat(1 + bytes / text.len());
    let planted = indicators.iter().rev().find(|one| one.kind == Kind::Substring);
    let planted = planted.map_or_else(String::new, |one| one.pattern.clone());
    // every pattern of the feed, one behind the other: each is a candidate
    let mut hostile: String = indicators
        .iter()
        .filter(|one| one.kind == Kind::Substring)
        .take(20_000)
        .map(|one| format!("{} ", one.pattern))
        .collect();
    hostile.push_str(report);
    vec![
        ("prompt", prompt.to_owned()),
        ("planted", format!("{prompt} {planted}")),
        ("report", repeat(report, 15_000)),
        ("accents", repeat(&report.replace('e', "\u{e9}"), 15_000)),
        ("prose", repeat(&format!("{report}{prompt} "), 1 << 20)),
        ("ordinary", repeat(include_str!("../../src/ordinary.txt"), 1 << 20)),
        ("words", repeat(&feed::WORDS.join(" "), 1 << 20)),
        ("hostile", hostile),
    ]
}
