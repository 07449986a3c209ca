//! What thousands of indicators cost: `cargo run --release -p countersign-scan --example indicators
//! [COUNT [TEXT]]`. The generator makes what feeds are made of: hosts, hexadecimal tokens, phrases,
//! expressions over phrases and hosts, and characters that nobody sees.

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
            let times = (20_000_000 / text.len()).clamp(1, 5_000);
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
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    (0..count)
        .map(|n| {
            let mut word = || WORDS[next(WORDS.len())];
            let (kind, pattern) = match n % 10 {
                0 | 1 => (Kind::Substring, format!("{}-{}{n}.example", word(), word())),
                2 => (
                    Kind::Substring,
                    format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                ),
                3 | 4 => {
                    (Kind::Substring, format!("{} the {} {} of {}", word(), word(), word(), word()))
                }
                5 | 6 => (
                    Kind::Regex,
                    format!(r"(?i)\b{}\s+(?:the|your|all)\s+{}\s+{}\b", word(), word(), word()),
                ),
                7 => (Kind::Regex, format!(r"(?i){}.{{0,40}}{} {}", word(), word(), word())),
                8 => (
                    Kind::Regex,
                    format!(r"https?://[a-z0-9.]{{1,40}}\.{}{n}\.example/\S{{1,80}}", word()),
                ),
                _ => (
                    Kind::UnicodeSignature,
                    format!("{:04X},{:05X}", 0x2060 + n % 16, 0xe0100 + n % 240),
                ),
            };
            let hash = format!("sha256:{n:064x}");
            Indicator::of_feed("bench.example".into(), &hash, kind, pattern, Severity::High, vec![])
        })
        .collect()
}

#[rustfmt::skip]
static WORDS: &[&str] = &[
    "absorb", "account", "admin", "agent", "amber", "answer", "archive", "attach", "balance", "banner", "basket",
    "beacon", "branch", "bridge", "budget", "bypass", "cancel", "canvas", "carbon", "castle", "channel", "cipher",
    "client", "cobalt", "collect", "command", "comment", "console", "context", "copper", "credential", "cursor",
    "debug", "decode", "delete", "desert", "detail", "device", "disable", "discard", "dragon", "effect", "embed",
    "engine", "entry", "escape", "execute", "expose", "fabric", "falcon", "filter", "forget", "forward", "frozen",
    "garden", "gateway", "ghost", "grant", "guard", "harbor", "hidden", "ignore", "import", "inject", "island",
    "jungle", "kernel", "ladder", "launch", "ledger", "legacy", "lender", "license", "linear", "locate", "magnet",
    "margin", "market", "master", "memory", "merge", "mirror", "module", "monitor", "native", "nebula", "notice",
    "object", "orange", "output", "override", "packet", "parent", "password", "payload", "pepper", "phantom",
    "pillar", "planet", "policy", "prefix", "prompt", "proxy", "purple", "quartz", "query", "random", "ransom",
    "record", "release", "remote", "replace", "report", "reset", "restore", "reveal", "rocket", "router", "sample",
    "secret", "select", "session", "shadow", "signal", "silent", "silver", "socket", "source", "spirit", "stream",
    "switch", "system", "tablet", "target", "tunnel", "unlock", "update", "upload", "vector", "velvet", "vendor",
    "verify", "violet", "virtual", "wallet", "window", "winter", "wizard", "zephyr", "zone",
];

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
        ("words", repeat(&WORDS.join(" "), 1 << 20)),
        ("hostile", hostile),
    ]
}
