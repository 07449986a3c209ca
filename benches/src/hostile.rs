//! What one caller with a bad body does to the others: small requests and health checks, with and
//! without four megabytes under way that are made to be slow.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use scan::{Engine, Pattern};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::figure::{Figure, Table};
use crate::gateway::{Store, configured};
use crate::load::{self, Load};
use crate::upstream::{self, Wire};

/// Just below the default limit of a body.
const BYTES: usize = (4 << 20) - 1024;
const SPAN: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(2);

/// Times the others.
pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    let runtime = plain()?;
    let port = runtime.block_on(upstream::start())?;
    let dir = tempfile::tempdir()?;
    let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = format!("upstream: {{url: 'http://127.0.0.1:{port}/v1'}}\n");
    let process = configured(binary, dir.path(), &config, &admin.to_string(), Store::Memory)?;
    // the stub serves whenever somebody asks, from a thread of its own
    let stub = std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let data = process.port;
    table.section(
        "One hostile body",
        &format!(
            "A caller sends one body of {BYTES} bytes after the other; meanwhile another sends small chat completions and a third asks /healthz, every {} ms. One worker. Floor: the same without the body. The goal is the delay, which is the difference.",
            PAUSE.as_millis()
        ),
    );
    let engine = Engine::builtin();
    let idle = others(data, admin.port(), None)?;
    for (name, body) in [
        ("one text of the rules' own words", words(&engine)),
        ("very many small messages", messages()),
        ("nested arrays", nested()),
    ] {
        let busy = others(data, admin.port(), Some(&load::request(data, &body)))?;
        ensure!(busy.bodies > 0, "no answer to {name}");
        for (who, with, without) in [
            ("a small request", &busy.small, &idle.small),
            ("/healthz", &busy.health, &idle.health),
        ] {
            for (which, share, goal) in
                [("p50", 0.5, None), ("p99", 0.99, None), ("longest", 1.0, Some(()))]
            {
                let (ours, floor) = (with.percentile(share), without.percentile(share));
                let figure = Figure::new(format!("{name}: {who}, {which}"), ours, "ms")
                    .floor(floor, "without it");
                table.add(match goal {
                    Some(()) => figure.goal(floor + 10.0, floor + 10.0),
                    None => figure,
                });
            }
        }
        let each = busy.small.wall.as_secs_f64() * 1e3 / busy.bodies as f64;
        table.add(Figure::new(format!("{name}: the body's own answer"), each, "ms"));
    }
    drop(process);
    drop(stub);
    Ok(())
}

fn plain() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

struct Others {
    small: Load,
    health: Load,
    /// Hostile bodies that were answered.
    bodies: usize,
}

/// Each caller has a thread: a slow one must not be what the others wait for.
fn others(data: u16, admin: u16, hostile: Option<&str>) -> Result<Others> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let attack = scope.spawn(|| match hostile {
            Some(request) => plain()?.block_on(attack(data, request, &over)),
            None => Ok(0),
        });
        let small = scope.spawn(|| plain()?.block_on(ask(data, load::small(data), &over)));
        let get = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{admin}\r\n\r\n");
        let health = plain()?.block_on(ask(admin, get, &over));
        let lost = |_| anyhow!("a caller panicked");
        Ok(Others {
            small: small.join().map_err(lost)??,
            health: health?,
            bodies: attack.join().map_err(lost)??,
        })
    })
}

async fn ask(port: u16, request: String, over: &AtomicBool) -> Result<Load> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut wire = Wire::default();
    let mut latencies = Vec::new();
    let all = Instant::now();
    while all.elapsed() < SPAN && !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let head = wire.message(&mut stream).await?;
        latencies.push(begun.elapsed());
        ensure!(head.starts_with("http/1.1 200"), "the answer is {head}");
        tokio::time::sleep(PAUSE).await;
    }
    over.store(true, Ordering::Relaxed);
    Ok(Load::of(all.elapsed(), latencies))
}

/// Sends the body again and again, each time on a connection of its own: an answer before the last
/// byte closes it.
async fn attack(port: u16, request: &str, over: &AtomicBool) -> Result<usize> {
    let mut bodies = 0;
    while !over.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let sent = stream.write_all(request.as_bytes()).await;
        let head = Wire::default().message(&mut stream).await;
        sent.context("the body was not taken")?;
        ensure!(head?.starts_with("http/1.1 "), "no answer to the body");
        bodies += 1;
    }
    Ok(bodies)
}

/// Every rule has to be verified, few fire.
fn words(engine: &Engine) -> String {
    let mut words = String::new();
    for rule in engine.rules() {
        if let Pattern::Phrase { groups, .. } = &rule.pattern {
            for group in groups.iter().rev() {
                words.push_str(&group[group.len() - 1].replace(['*', '"', '\\'], ""));
                words.push(' ');
            }
        }
    }
    let text: String = words.chars().filter(char::is_ascii).cycle().take(BYTES - 128).collect();
    format!(r#"{{"model":"bench","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

/// As many values, and as many turns of a conversation, as bytes allow.
fn messages() -> String {
    const ONE: &str = r#"{"role":"assistant","content":"a"},{"role":"user","content":"b"},"#;
    let all = ONE.repeat((BYTES - 128) / ONE.len());
    format!(r#"{{"model":"bench","messages":[{}]}}"#, all.trim_end_matches(','))
}

/// A member that nobody knows, wide and deep.
fn nested() -> String {
    const ONE: &str = "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],";
    let all = ONE.repeat((BYTES - 256) / ONE.len());
    format!(
        r#"{{"model":"bench","messages":[{{"role":"user","content":"a"}}],"metadata":[{}]}}"#,
        all.trim_end_matches(',')
    )
}
