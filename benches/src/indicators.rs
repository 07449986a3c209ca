//! The scan engine with what others look for.

use std::hint::black_box;

use anyhow::{Result, ensure};
use scan::{Engine, Indicator, Options, Severity, Target};

use crate::figure::{Figure, Table};
use crate::floor;

#[path = "../../crates/scan/examples/indicators/feed.rs"]
pub mod feed;

const PROMPT: &str = "Could you help me plan a weekend in Lisbon? We arrive on Friday evening, like food markets and old trams, and would rather not rent a car. A budget of 600 euros for two is fine. Thanks a lot! ";

/// Builds engines and times scans.
pub fn run(table: &mut Table) -> Result<()> {
    table.section(
        "Scan with indicators",
        "Built-in rules and a generated feed (three tenths hosts and tokens, two phrases, four expressions, one characters; crates/scan/examples/indicators/feed.rs), one core, one text again and again. Floor: the same without indicators.",
    );
    let plain = Engine::builtin();
    let long = PROMPT.repeat((1 << 20) / PROMPT.len());
    for count in [10_000, 50_000] {
        let indicators = generate(count)?;
        let built = |indicators: Vec<Indicator>| {
            Engine::builtin_with(indicators, &Options::default()).map(|(engine, _)| engine)
        };
        let (engine, refused) = Engine::builtin_with(indicators.clone(), &Options::default())?;
        ensure!(refused.is_empty(), "{} indicators were refused", refused.len());
        let builds = floor::rate_of(1, || {
            black_box(built(indicators.clone()).is_ok());
        });
        let build = Figure::new(format!("{count} indicators: build"), 1e3 / builds, "ms");
        table.add(build.goal(500.0, 500.0));
        let megabytes = engine.indicator_memory() as f64 / 1e6;
        let memory = Figure::new(format!("{count} indicators: memory"), megabytes, "MB");
        table.add(memory.goal(64.0, 64.0));
        let rate = |engine: &Engine, text: &str| {
            floor::rate_of(4, || {
                black_box(engine.scan(black_box(text), Target::Input));
            })
        };
        let (ours, without) = (rate(&engine, PROMPT), rate(&plain, PROMPT));
        let name = format!("{count} indicators: a prompt of {} bytes", PROMPT.len());
        let prompt = Figure::new(name, 1e6 / ours, "µs").cpu(1e6 / ours);
        table.add(prompt.floor(1e6 / without, "without").goal(10.0, 10.0));
        let speed = |rate: f64| rate * long.len() as f64 / 1e6;
        let (ours, without) = (rate(&engine, &long), rate(&plain, &long));
        let prose = Figure::new(format!("{count} indicators: 1 MiB of prose"), speed(ours), "MB/s");
        table.add(prose.floor(speed(without), "without").cpu(1e6 / ours).goal(250.0, 250.0));
    }
    Ok(())
}

fn generate(count: usize) -> Result<Vec<Indicator>> {
    let one = |(n, (kind, pattern)): (usize, (&str, String))| {
        let (hash, severity) = (format!("sha256:{n:064x}"), Severity::High);
        let kind = kind.parse()?;
        Ok(Indicator::of_feed("bench.example".into(), &hash, kind, pattern, severity, Vec::new()))
    };
    feed::patterns(count).into_iter().enumerate().map(one).collect()
}
