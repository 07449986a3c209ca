//! Timestamps over checkpoints, in the background: no request waits for an authority, and none is
//! refused because one is away.
//!
//! Each authority has a task of its own. One stamp covers everything up to the newest published
//! checkpoint; where nothing came since but anchors, nobody is asked. What an authority answers is
//! judged before it is appended (`reach::tsa`), so that what lies in the ledger holds. Bytes of the
//! entry: spec/anchor.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::store::Store;
use ledger::{Entry, Kind, Ledger};
use reach::http::{Client, ClientError};
use reach::tsa::{Tsa, TsaError};
use record::anchor::{Anchor, imprint};
use record::trust::{Purpose, Trust};
use seal::digest::Digest;
use seal::note;
use seal::time::UnixMillis;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::{AnchorsConfig, ConfigError};
use crate::server::App;

/// The authorities, and what came of them so far.
pub(crate) struct Anchoring {
    tsas: Vec<Tsa>,
    client: Option<Client>,
    interval: Duration,
    overdue_ms: Option<u64>,
    started: UnixMillis,
    /// When the last anchor was appended, Unix milliseconds; 0 for never since the start.
    last_ms: AtomicU64,
    /// Anchors appended by this process.
    appended: AtomicU64,
}

impl Anchoring {
    /// Nobody configured is fine; one that could never work is not.
    pub(crate) fn open(
        config: &AnchorsConfig,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<Anchoring, ConfigError> {
        let urls = config.urls()?;
        let authorities = authorities(trust)?;
        let refused = |error: TsaError| ConfigError::Anchors(error.to_string());
        let tsa = |url| Tsa::new(url, None, authorities.clone()).map_err(refused);
        let tsas = urls.into_iter().map(tsa).collect::<Result<Vec<Tsa>, ConfigError>>()?;
        let client = |_| Client::new(None);
        let client = tsas.first().map(client).transpose();
        let client =
            client.map_err(|error: ClientError| ConfigError::Anchors(error.to_string()))?;
        Ok(Anchoring {
            tsas,
            client,
            interval: Duration::from_secs(config.interval_seconds),
            overdue_ms: config.overdue_seconds.map(|seconds| seconds.saturating_mul(1_000)),
            started: now,
            last_ms: AtomicU64::new(0),
            appended: AtomicU64::new(0),
        })
    }

    /// How many tasks there are to run.
    pub(crate) fn count(&self) -> usize {
        self.tsas.len()
    }

    /// Seconds since the last anchor; `None` before the first one of this process.
    pub(crate) fn age_seconds(&self, now: UnixMillis) -> Option<u64> {
        let last = Some(self.last_ms.load(Ordering::Acquire)).filter(|last| *last > 0)?;
        Some(now.0.saturating_sub(last) / 1_000)
    }

    /// Whether the last anchor (or the start, before the first) is longer ago than is allowed.
    pub(crate) fn is_overdue(&self, now: UnixMillis) -> bool {
        let last = self.last_ms.load(Ordering::Acquire).max(self.started.0);
        !self.tsas.is_empty()
            && self.overdue_ms.is_some_and(|limit| now.0.saturating_sub(last) > limit)
    }
}

/// The timestamp authorities of the trust file.
fn authorities(trust: &Trust) -> Result<Vec<stamp::Authority>, ConfigError> {
    let each = trust.keys_for(Purpose::Tsa).map(|key| {
        let window = stamp::Window { from: key.valid.from, until: key.valid.until };
        let refused =
            |error| ConfigError::Anchors(format!("trust file, key {}: {error}", key.name));
        stamp::Authority::new(key.name.as_str(), key.certificates(), window)
            .and_then(|authority| authority.under(&key.policies))
            .map_err(refused)
    });
    each.collect()
}

/// What one authority stamped last: a checkpoint of this size, when so many anchors had been
/// appended.
#[derive(Clone, Copy, Default)]
struct Stamped {
    size: u64,
    appended: u64,
}

/// Asks the authority of this number again and again, until the gateway stops.
pub(crate) async fn keep(app: Arc<App>, number: usize, mut stopping: watch::Receiver<bool>) {
    let anchoring = &app.anchoring;
    let (Some(tsa), Some(client)) = (anchoring.tsas.get(number), &anchoring.client) else {
        return;
    };
    let mut stamped = Stamped::default();
    let mut failures = 0;
    // Not at once: a gateway that is restarted every few seconds asks nobody.
    let mut pause = anchoring.interval.min(SETTLED);
    loop {
        if timeout(jittered(pause), stopping.changed()).await.is_ok() {
            return;
        }
        let done = tokio::select! {
            _ = stopping.changed() => return,
            done = round(&app, tsa, client, stamped) => done,
        };
        pause = match done {
            Ok(done) => {
                failures = 0;
                stamped = done.unwrap_or(stamped);
                anchoring.interval
            }
            Err(error) => {
                app.metrics.anchor_failed();
                failures += 1;
                let again = backoff(anchoring.interval, failures);
                tracing::warn!(
                    tsa = tsa.url().as_str(),
                    %error,
                    again_in_seconds = again.as_secs(),
                    "the checkpoint was not timestamped"
                );
                again
            }
        };
    }
}

/// One question; `None` when there is nothing to ask about.
async fn round(
    app: &App,
    tsa: &Tsa,
    client: &Client,
    before: Stamped,
) -> Result<Option<Stamped>, AnchorError> {
    let anchoring = &app.anchoring;
    // Beside another sequencer it is that one who has checkpoints stamped.
    let Some(ledger) = app.recorder.ledger().cloned() else { return Ok(None) };
    let (store, vkey) = (app.store(), ledger.vkey().clone());
    let read = tokio::task::spawn_blocking(move || published(&*store)).await;
    let Some(note) = read.map_err(|_| AnchorError::Lost)?? else { return Ok(None) };
    // Anchors that come from here on may lie beyond this checkpoint: counted too often rather than
    // too rarely, which costs a stamp and loses none.
    let appended = anchoring.appended.load(Ordering::Acquire);
    // What we would not believe ourselves is stamped for nobody.
    note::open(note.as_bytes(), &[vkey]).map_err(|_| AnchorError::Checkpoint)?;
    let size = Anchor::size_of(&note).ok_or(AnchorError::Checkpoint)?;
    let own = appended.saturating_sub(before.appended);
    if size <= before.size.saturating_add(own) || app.recorder.shut().is_some() {
        return Ok(None);
    }
    let stamped = tsa.stamp(client, imprint(&note).as_bytes()).await?;
    let anchor = Anchor::new(&note, &stamped.reply).map_err(|_| AnchorError::Checkpoint)?;
    let appending = tokio::task::spawn_blocking(move || append(&ledger, &anchor));
    let index = appending.await.map_err(|_| AnchorError::Lost)??;
    anchoring.appended.fetch_add(1, Ordering::AcqRel);
    anchoring.last_ms.store(app.now().0, Ordering::Release);
    app.metrics.anchored();
    tracing::info!(tsa = tsa.url().as_str(), size, index, "the checkpoint was timestamped");
    Ok(Some(Stamped { size, appended }))
}

/// The published checkpoint, cosignatures included.
fn published(store: &dyn Store) -> Result<Option<String>, AnchorError> {
    match store.read(CHECKPOINT, record::anchor::NOTE_LIMIT) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| AnchorError::Checkpoint),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AnchorError::Read(error)),
    }
}

fn append(ledger: &Ledger, anchor: &Anchor) -> Result<u64, AnchorError> {
    let body = anchor.to_body().into_bytes();
    let id = Digest::of(&body).to_string();
    let entry = Entry { kind: Kind::Anchor, id, body };
    Ok(ledger.append(vec![entry]).map(|indices| indices.start)?)
}

/// Why a checkpoint was not anchored.
#[derive(Debug, thiserror::Error)]
enum AnchorError {
    #[error(transparent)]
    Tsa(#[from] TsaError),
    #[error("public/checkpoint is not the log's: run `countersign verify`")]
    Checkpoint,
    #[error("public/checkpoint cannot be read: {0}")]
    Read(std::io::Error),
    #[error("the anchor was not written: {0}")]
    Append(#[from] ledger::AppendError),
    #[error("a thread was lost")]
    Lost,
}

/// Twice as long after each failure, at most an hour.
pub(crate) fn backoff(interval: Duration, failures: u32) -> Duration {
    let first = interval.min(AGAIN);
    first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST)
}

/// Between three quarters of it and all of it, so that gateways do not ask in step.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness they may.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(1.0 - f64::from(byte[0]) / 1_024.0)
}

const CHECKPOINT: &str = "public/checkpoint";
/// A gateway that lives so long is not in a loop of restarts.
const SETTLED: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_longer_pauses() {
        let seconds = Duration::from_secs;
        let hourly = |failures| backoff(seconds(3_600), failures).as_secs();
        assert_eq!([1, 2, 3, 7, 8, 90].map(hourly), [30, 60, 120, 1_920, 3_600, 3_600]);
        assert_eq!(backoff(seconds(1), 1), seconds(1));
        for _ in 0..100 {
            let pause = jittered(seconds(100));
            assert!(pause <= seconds(100) && pause >= seconds(75), "{pause:?}");
        }
    }
}
