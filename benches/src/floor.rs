//! What no product on this machine can be better than.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use seal::{Digest, SecretKey, Signer};

/// Each floor is measured for about so long.
const SPAN: Duration = Duration::from_millis(700);

/// Operations per second of CPU of `operation`, on one core. CPU and not the clock, so that a
/// neighbour on the machine does not count.
pub fn rate(operation: impl FnMut()) -> f64 {
    rate_of(64, operation)
}

/// The same, looking at the clock after every `batch` operations.
pub fn rate_of(batch: u64, mut operation: impl FnMut()) -> f64 {
    let (begun, busy) = (Instant::now(), on_cpu());
    let mut count = 0u64;
    while begun.elapsed() < SPAN || count == 0 {
        for _ in 0..batch {
            operation();
        }
        count += batch;
    }
    let spent = match (busy, on_cpu()) {
        (Some(before), Some(after)) if after > before => after - before,
        _ => begun.elapsed(),
    };
    count as f64 / spent.as_secs_f64()
}

/// How long this thread has been on a core, as the scheduler counts it.
fn on_cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Ed25519 signatures a second, one core.
pub fn signatures() -> f64 {
    let key = SecretKey::from_seed([7; 32]);
    let message = [3u8; 600];
    rate(|| {
        black_box(key.sign(black_box(&message)));
    })
}

/// Strict Ed25519 verifications a second on `threads` threads together.
pub fn verifications(threads: usize) -> f64 {
    let key = SecretKey::from_seed([7; 32]);
    let message = [3u8; 600];
    let signature = key.sign(&message);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    rate(|| {
                        black_box(key.public().verify(black_box(&message), &signature));
                    })
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0.0)).sum()
    })
}

/// SHA-256 over messages of 1 KiB, MB a second, one core.
pub fn sha256() -> f64 {
    let message = [5u8; 1024];
    rate(|| {
        black_box(Digest::of(black_box(&message)));
    }) * 1024.0
        / 1e6
}

/// Appends of `bytes` bytes, each synced, a second.
pub fn syncs(dir: &Path, bytes: usize) -> Result<f64> {
    let mut file = File::create(dir.join("floor"))?;
    let block = vec![b'x'; bytes];
    let begun = Instant::now();
    let mut count = 0u32;
    while begun.elapsed() < SPAN {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}
