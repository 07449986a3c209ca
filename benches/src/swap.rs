//! What requests notice while the indicators of a feed are replaced under them: latency at half of
//! the measured peak rate, without and with swaps, in one run.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use record::feed::publish;
use record::ioc::{Ioc, Severity, SignedIoc};
use seal::{SecretKey, Signer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::figure::{Figure, Table};
use crate::gateway::{Store, configured};
use crate::indicators::feed;
use crate::load::{self, Load};
use crate::process::{self, Process};
use crate::upstream::{self, Wire};

const INDICATORS: usize = 50_000;
const SPAN: Duration = Duration::from_secs(20);
/// Between two indicators that end by themselves, seconds.
const EVERY: i64 = 2;
/// From the signing of the feed to the first of them: what comes before it must fit in, seconds.
const LEAD: i64 = 75;
const CONNECTIONS: usize = 8;
/// Of the feed, besides the first; more than come into force in the span.
const VERSIONS: i64 = 8;
const PEAK: usize = 24_000;
const LOOK: Duration = Duration::from_millis(100);

/// Times requests with and without swaps.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    ensure!(binary.exists(), "{} is not there; `./x build` makes it", binary.display());
    let stub = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let upstream = stub.block_on(upstream::start())?;
    std::thread::spawn(move || stub.block_on(std::future::pending::<()>()));

    let dir = tempfile::tempdir()?;
    let state = dir.path().join("state");
    std::fs::create_dir(&state)?;
    let key = SecretKey::from_seed([12; 32]);
    let signed = now()?;
    let mut publisher = Publisher::new(key, signed + LEAD)?;
    for version in 0..=VERSIONS {
        // what a publisher does must not take the time of what is measured
        publisher.put(&state.join(name(version)), signed - VERSIONS + version)?;
    }
    std::fs::rename(state.join(name(0)), state.join(FEED))?;
    std::fs::write(state.join(PIN), publisher.key.public().to_pem())?;
    let mut subscribe = Command::new(binary);
    subscribe.arg("--dir").arg(&state).args(["feed", "subscribe"]).arg(state.join(FEED));
    subscribe.arg("--pin").arg(state.join(PIN)).args(["--monitor"]);
    let subscribed = process::run(subscribe)?;
    ensure!(subscribed.success, "the feed was not taken:\n{}", subscribed.output);

    let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = format!(
        "upstream: {{url: 'http://127.0.0.1:{upstream}/v1'}}\nfeeds: {{interval_seconds: 86400}}\n"
    );
    let process = configured(binary, dir.path(), &config, &admin.to_string(), Store::Memory)?;
    let token = std::fs::read_to_string(state.join(".countersign/keys/admin.token"))?;
    let operator = Operator { port: admin.port(), token: token.trim().to_owned() };
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    one.block_on(load::run(process.port, 32, 2_000))?;
    let peak = one.block_on(load::run(process.port, 32, PEAK))?;
    let rate = PEAK as f64 / peak.wall.as_secs_f64() / 2.0;
    table.section(
        "Swap of feeds",
        &format!(
            "{INDICATORS} indicators of one feed (crates/scan/examples/indicators/feed.rs) in a gateway with one worker, profile full, memory store. Requests of 192 bytes at {rate:.0}/s, half of the peak of this run, over {CONNECTIONS} connections for {} s each, timed from the moment that they were due. Then the same while an indicator ends every {EVERY} s, for which all rules are made anew; then while the publisher has another version as soon as the last one is in force, each verified whole. Floor: the same without swaps.",
            SPAN.as_secs()
        ),
    );
    let none = measure(&process, &operator, rate, |_| Ok(()))?;
    ensure!(none.swaps == 0, "there was a swap before its time");
    let wait = signed + LEAD - EVERY - now()?;
    ensure!(wait >= 0, "this machine is too slow for a lead of {LEAD} s");
    std::thread::sleep(Duration::from_secs(wait.unsigned_abs()));
    let ends = measure(&process, &operator, rate, |_| Ok(()))?;
    let pulls = measure(&process, &operator, rate, |over| {
        for version in 1..=VERSIONS {
            if over.load(Ordering::Relaxed) {
                break;
            }
            std::fs::rename(state.join(name(version)), state.join(FEED))?;
            let before = operator.ruleset()?;
            operator.ask("POST", "/feeds/pull")?;
            while !over.load(Ordering::Relaxed) && operator.ruleset()? == before {
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    })?;
    for (name, with) in [("rules made anew", &ends), ("versions pulled", &pulls)] {
        ensure!(with.swaps > 0, "no swap came: {name}");
        for (share, goal) in [(0.5, None), (0.99, Some(1.2)), (0.999, None)] {
            let (ours, floor) = (with.load.percentile(share), none.load.percentile(share));
            let percent = share * 100.0;
            let named = format!("{name}, {} swaps: p{percent}", with.swaps);
            let figure = Figure::new(named, ours, "ms").floor(floor, "without swaps");
            table.add(match goal {
                Some(times) => figure.goal(floor * times, floor * times),
                None => figure,
            });
        }
        let cpu = Figure::new(format!("{name}: CPU of the gateway"), with.cpu, "s");
        table.add(cpu.floor(none.cpu, "without swaps"));
        let memory = Figure::new(format!("{name}: resident memory"), with.memory, "MB");
        table.add(memory.floor(none.memory, "without swaps"));
    }
    Ok(())
}

struct Measured {
    load: Load,
    swaps: usize,
    cpu: f64,
    memory: f64,
}

/// Sends requests at this rate for the span, while `beside` runs and swaps are counted.
fn measure(
    process: &Process,
    operator: &Operator,
    rate: f64,
    beside: impl FnOnce(&AtomicBool) -> Result<()> + Send,
) -> Result<Measured> {
    let over = AtomicBool::new(false);
    let before = process.cpu()?;
    let lost = |_| anyhow!("a caller panicked");
    let (load, swaps) = std::thread::scope(|scope| {
        let counts = scope.spawn(|| operator.swaps(&over));
        let beside = scope.spawn(|| beside(&over));
        let begun = Instant::now();
        let callers: Vec<_> = (0..CONNECTIONS)
            .map(|at| scope.spawn(move || caller(process.port, begun, at, rate)))
            .collect();
        let latencies = callers.into_iter().map(|caller| caller.join().map_err(lost)?);
        let latencies = latencies.collect::<Result<Vec<Vec<Duration>>>>();
        let wall = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        beside.join().map_err(lost)??;
        let swaps = counts.join().map_err(lost)??;
        anyhow::Ok((Load::of(wall, latencies?.concat()), swaps))
    })?;
    let cpu = (process.cpu()? - before).as_secs_f64();
    Ok(Measured { load, swaps, cpu, memory: process.memory("VmRSS")? })
}

/// One connection's share of the requests, each timed from when it was due: what waits because an
/// earlier one was slow has waited, too. A thread of its own sleeps more exactly than a timer wheel.
fn caller(port: u16, begun: Instant, first: usize, rate: f64) -> Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let request = load::small(port);
        let mut wire = Wire::default();
        let mut latencies = Vec::new();
        for turn in (first..).step_by(CONNECTIONS) {
            let due = Duration::from_secs_f64(turn as f64 / rate);
            if due >= SPAN {
                break;
            }
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            stream.write_all(request.as_bytes()).await?;
            let head = wire.message(&mut stream).await?;
            latencies.push(begun.elapsed().saturating_sub(due));
            ensure!(head.starts_with("http/1.1 200"), "the answer is {head}");
        }
        Ok(latencies)
    })
}

/// Asks the admin listener.
struct Operator {
    port: u16,
    token: String,
}

impl Operator {
    fn ask(&self, method: &str, path: &str) -> Result<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port))?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            self.port, self.token
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        Ok(answer)
    }

    fn ruleset(&self) -> Result<String> {
        let answer = self.ask("GET", "/version")?;
        let (_, rest) = answer.split_once("\"ruleset\":\"").context("a ruleset")?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }

    /// How often other rules came into force.
    fn swaps(&self, over: &AtomicBool) -> Result<usize> {
        let (mut last, mut swaps) = (self.ruleset()?, 0);
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            let now = self.ruleset()?;
            swaps += usize::from(now != last);
            last = now;
        }
        Ok(swaps)
    }
}

/// Who signs the feed; each version has one indicator more.
struct Publisher {
    key: SecretKey,
    iocs: Vec<SignedIoc>,
}

const FEED: &str = "core.json";
const PIN: &str = "pin.pem";
const ISSUER: &str = "bench.example";

impl Publisher {
    /// Besides those that are always there, some end by themselves, the first of them `then`.
    fn new(key: SecretKey, then: i64) -> Result<Publisher> {
        let mut publisher = Publisher { key, iocs: Vec::new() };
        for (kind, pattern) in feed::patterns(INDICATORS) {
            publisher.sign(kind, pattern, None)?;
        }
        for turn in 0..SPAN.as_secs().cast_signed() / EVERY {
            let until = then + turn * EVERY;
            publisher.sign("substring", format!("a token that ends {turn}"), Some(until))?;
        }
        Ok(publisher)
    }

    fn sign(&mut self, kind: &str, pattern: String, expires_at: Option<i64>) -> Result<()> {
        let ioc = Ioc {
            kind: kind.parse()?,
            pattern,
            severity: Severity::Medium,
            categories: vec!["bench".to_owned()],
            description: "made for the bench".to_owned(),
            issuer: ISSUER.to_owned(),
            key_id: self.key.key_id(),
            // patterns may come twice, indicators may not
            issued_at: 1_700_000_000 + i64::try_from(self.iocs.len())?,
            revokes: Vec::new(),
            expires_at,
        };
        self.iocs.push(ioc.sign(&self.key)?);
        Ok(())
    }

    /// Writes another version.
    fn put(&mut self, path: &Path, issued_at: i64) -> Result<()> {
        let version = self.iocs.len();
        self.sign("substring", format!("version {version} of the feed"), None)?;
        let feed = publish("bench", ISSUER, issued_at, self.iocs.clone(), &self.key)?;
        Ok(std::fs::write(path, feed.to_json())?)
    }
}

fn name(version: i64) -> String {
    format!("version-{version}")
}

fn now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?)
}
