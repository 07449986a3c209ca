//! Large files, many files, and the same many files again.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use collect::{Asked, Root, hash};
use seal::Digest;
use seal::dsse::{PrivateKey, Signer as _};
use seal::key::SecretKey;

use super::{least, middle, synced, timed};
use crate::figure::{Figure, Table, cores};
use crate::{floor, process};

/// Files of the large tree.
const LARGE: u64 = 16;
const FILES: usize = 100_000;
/// Files of one directory.
const TOGETHER: usize = 1_000;
const TIMES: usize = 5;

pub fn run(binary: &Path, gigabytes: u64, table: &mut Table) -> Result<()> {
    table.section(
        "Hashing of trees",
        &format!(
            "{gigabytes} GB in {LARGE} files (holes, in the page cache), and {FILES} files of 14 to 220 bytes in directories of {TOGETHER}, by `collect::hash`; best of {TIMES}, the floor in turn with it. Then a corpus of these {FILES} documents by the release binary: `attest create` with a cold and a warm `--incremental` cache, `sign`, `verify`."
        ),
    );
    let dir = tempfile::tempdir()?;
    large(&dir.path().join("large"), gigabytes, table)?;
    many(binary, dir.path(), table)
}

fn large(dir: &Path, gigabytes: u64, table: &mut Table) -> Result<()> {
    fs::create_dir(dir)?;
    let each = gigabytes * 1_000_000_000 / LARGE;
    for n in 0..LARGE {
        File::create(dir.join(n.to_string()))?.set_len(each)?;
    }
    let root = Root::open(dir)?;
    let asked = (0..LARGE).map(|n| Asked { path: n.to_string(), keep: None });
    let asked: Vec<Asked> = asked.collect();
    let work =
        || hash(&root, &asked, None).map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"));
    work()?; // from here on the page cache has it
    let (mut ours, mut floors, mut busy) = (Vec::new(), Vec::new(), Duration::ZERO);
    for _ in 0..TIMES {
        floors.push(1.0 / sha256_of_all()?);
        let (begun, before) = (Instant::now(), process::own()?);
        black_box(work()?);
        ours.push(begun.elapsed().as_secs_f64());
        busy += process::own()?.saturating_sub(before);
    }
    let megabytes = (each * LARGE) as f64 / 1e6;
    let best = 1.0 / least(&floors);
    let name = format!("SHA-256 from the nearest cache, {} cores", cores());
    table.add(
        Figure::new(format!("a tree of {gigabytes} GB"), megabytes / least(&ours), "MB/s")
            .floor(best, name)
            .goal(0.9 * best, 0.9 * best),
    );
    let by_cpu = cores() as f64 * megabytes * TIMES as f64 / busy.as_secs_f64();
    let alone = cores() as f64 * sha256_alone();
    table.add(
        Figure::new("the same by this CPU, all cores idle", by_cpu, "MB/s")
            .floor(alone, "SHA-256 by CPU time")
            .goal(0.9 * alone, 0.9 * alone),
    );
    for n in 0..LARGE {
        fs::remove_file(dir.join(n.to_string()))?;
    }
    Ok(())
}

const PIECE: usize = 64 << 10;

/// MB a second that all cores give together, by the clock.
fn sha256_of_all() -> Result<f64> {
    let begun = Instant::now();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                let message = vec![0u8; PIECE];
                while begun.elapsed() < Duration::from_millis(700) {
                    black_box(Digest::of(black_box(&message)));
                    done.fetch_add(PIECE, Ordering::Relaxed);
                }
            });
        }
    });
    Ok(done.into_inner() as f64 / 1e6 / begun.elapsed().as_secs_f64())
}

/// MB a second of CPU of one core.
fn sha256_alone() -> f64 {
    let message = vec![0u8; PIECE];
    floor::rate(|| {
        black_box(Digest::of(black_box(&message)));
    }) * PIECE as f64
        / 1e6
}

fn many(binary: &Path, dir: &Path, table: &mut Table) -> Result<()> {
    let project = dir.join("project");
    super::example(&project)?;
    let mut paths = Vec::with_capacity(FILES);
    for n in 0..FILES {
        let parent = format!("docs/{:03}", n / TOGETHER);
        if n % TOGETHER == 0 {
            fs::create_dir_all(project.join(&parent))?;
        }
        let path = format!("{parent}/{n:05}.txt");
        fs::write(project.join(&path), format!("document {n}\n{}", "x".repeat(n % 200)))?;
        paths.push(path);
    }
    let root = Root::open(&project)?;
    let asked: Vec<Asked> =
        paths.iter().map(|path| Asked { path: path.clone(), keep: None }).collect();
    let (mut ours, mut floors, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        floors.push(open_read_close(&project, &paths)?);
        let begun = Instant::now();
        let found = hash(&root, &asked, None);
        ours.push(begun.elapsed().as_secs_f64());
        ensure!(found.is_ok_and(|found| found.len() == FILES), "not all files were read");
        let begun = Instant::now();
        ensure!(attest::Files::list(&root, "docs").is_ok_and(|list| list.len() == FILES));
        listed.push(begun.elapsed().as_secs_f64());
    }
    let rate = |seconds: &[f64]| FILES as f64 / least(seconds);
    table.add(
        Figure::new(format!("{FILES} small files"), rate(&ours), "/s")
            .floor(rate(&floors), "open, read, close; as many threads")
            .goal(0.8 * rate(&floors), 0.8 * rate(&floors)),
    );
    table.add(Figure::new("their directories listed", least(&listed), "s"));
    again(binary, dir, &project, table)
}

/// The floor: whole paths, one read each, shared out as `collect::hash` shares them out.
fn open_read_close(dir: &Path, paths: &[String]) -> Result<f64> {
    let paths: Vec<_> = paths.iter().map(|path| dir.join(path)).collect();
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                let mut buffer = vec![0; PIECE];
                loop {
                    let first = next.fetch_add(64, Ordering::Relaxed);
                    if first >= paths.len() {
                        break;
                    }
                    for path in paths.iter().skip(first).take(64) {
                        if let Ok(mut file) = File::open(path) {
                            let _ = black_box(file.read(&mut buffer));
                        }
                    }
                }
            });
        }
    });
    Ok(begun.elapsed().as_secs_f64())
}

fn again(binary: &Path, dir: &Path, project: &Path, table: &mut Table) -> Result<()> {
    let config = project.join("attest/corpus.yaml");
    let text = fs::read_to_string(&config)?.replace("data/documents", "docs");
    fs::write(&config, text)?;
    let key = SecretKey::from_seed([13; 32]);
    fs::write(dir.join("key.pem"), key.to_pem().as_bytes())?;
    super::bundles::write_trust(&dir.join("trust.yaml"), PrivateKey::ed25519(key).public())?;
    let attest = |words: &[&str]| {
        let mut command = Command::new(binary);
        command.arg("attest").args(words).current_dir(project);
        command
    };
    let create = ["create", "--type", "corpus", "--config", "attest/corpus.yaml", "--commit", "x"];
    let create = [&create[..], &["--incremental", "--replace"]].concat();
    // a file is cached when it is two seconds old
    std::thread::sleep(Duration::from_millis(2500));
    let cold = timed(&mut attest(&create))?;
    let mut times = Vec::new();
    let mut floors = Vec::new();
    let mut cpu = Duration::ZERO;
    for _ in 0..TIMES + 2 {
        floors.push(synced(&dir.join("floor"), statement(project)?)?);
        let ended = process::run(attest(&create))?;
        ensure!(ended.success, "create failed:\n{}", ended.output);
        times.push(ended.wall.as_secs_f64());
        cpu += ended.cpu;
    }
    let each = cpu.as_secs_f64() / (TIMES + 2) as f64;
    table.add(Figure::new(format!("create of {FILES}, cold"), cold.as_secs_f64(), "s"));
    table.add(
        Figure::new(format!("create of {FILES} again, nothing changed, best"), least(&times), "s")
            .floor(least(&floors), "the statement written and synced")
            .cpu(each * 1e6 / FILES as f64)
            .goal(0.3, 0.3),
    );
    table.add(Figure::new("the same, median", middle(&times), "s").goal(0.3, 0.3));
    table.add(Figure::new("its CPU time", each, "s").goal(0.3, 0.3));
    let key = dir.join("key.pem");
    let signed = timed(attest(&["sign"]).arg("--key").arg(key))?;
    table.add(Figure::new(format!("sign of {FILES}"), signed.as_secs_f64(), "s"));
    let mut verify = attest(&["verify", "attestations"]);
    verify.arg("--trust").arg(dir.join("trust.yaml"));
    let ended = process::run(verify)?;
    ensure!(ended.success, "verify failed:\n{}", ended.output);
    table.add(Figure::new(format!("verify of {FILES}"), ended.wall.as_secs_f64(), "s"));
    table.add(Figure::new("peak memory of it", ended.peak, "MB"));
    Ok(())
}

/// The length of the one statement.
fn statement(project: &Path) -> Result<usize> {
    for entry in fs::read_dir(project.join("attestations"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".statement.json") {
            return Ok(usize::try_from(entry.metadata()?.len())?);
        }
    }
    anyhow::bail!("no statement")
}
