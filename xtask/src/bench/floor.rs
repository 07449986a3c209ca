//! What the machine can do at all: the floor under each figure.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use seal::digest::Digest;
use seal::key::SecretKey;
use seal::signer::Signer;

const TIME: Duration = Duration::from_millis(700);

/// How often per second `act` runs on one core.
fn rate(mut act: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut count = 0u64;
    while begun.elapsed() < TIME {
        for _ in 0..16 {
            act();
        }
        count += 16;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// SHA-256 in MB/s.
pub fn sha256() -> f64 {
    let message = [7u8; 1024];
    rate(|| {
        black_box(Digest::of(black_box(&message)));
    }) * 1024.0
        / 1e6
}

/// Ed25519 signatures a second, by the portable implementation.
pub fn signatures() -> f64 {
    let key = SecretKey::from_seed([7; 32]);
    rate(|| {
        black_box(key.sign(black_box(&[7u8; 512])));
    })
}

/// Strict Ed25519 verifications a second.
pub fn verifications() -> f64 {
    let key = SecretKey::from_seed([7; 32]);
    let message = [7u8; 512];
    let signature = key.sign(&message);
    rate(|| {
        black_box(Signer::public(&key).verify(black_box(&message), &signature));
    })
}

/// 1 KiB appends a second, each synced before the next.
pub fn syncs(dir: &Path) -> Result<f64> {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("floor"))?;
    let begun = Instant::now();
    let mut count = 0u32;
    while begun.elapsed() < TIME {
        file.write_all(&[7; 1024])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}
