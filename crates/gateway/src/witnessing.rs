//! Cosignatures under checkpoints: a checkpoint waits for its witnesses, at most until a deadline,
//! and is published with the lines of those who answered. No request waits for one, and none is
//! refused because witnesses are away.
//!
//! A witness that says that it saw another history of this log is no outage: it is told loudly, and
//! the checkpoint is published without its line, which every verifier with a quorum then refuses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger::{CheckpointError, Ledger, Signed};
use reach::http::Client;
use reach::witness::{Answered, Question, Witnesses};
use record::trust::{Quorum, Trust};
use seal::cosign::Cosignature;
use seal::note::VerifierKey;
use seal::time::UnixMillis;
use tokio::task::spawn_blocking;

use crate::config::{ConfigError, WitnessesConfig};
use crate::server::App;

/// The witnesses, and what came of them so far.
pub(crate) struct Witnessing {
    witnesses: Option<Witnesses>,
    deadline: Duration,
    /// Size of the last checkpoint that its quorum cosigned, and when; 0 for none of this process.
    size: AtomicU64,
    last_ms: AtomicU64,
    told: Mutex<Told>,
}

/// What was said last, so that each change is said once.
#[derive(Default)]
struct Told {
    witnesses: BTreeMap<String, Standing>,
    quorum: Option<bool>,
    /// The checkpoint that was published last.
    published: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Cosigns,
    Away,
    Contradicts,
}

/// Why there is no new checkpoint.
pub(crate) enum Unsigned {
    /// The ledger says why.
    Checkpoint(CheckpointError),
    /// A fault of ours.
    Lost,
}

impl Witnessing {
    /// Nobody configured is fine; a policy that could never work is not.
    pub(crate) fn open(
        config: &WitnessesConfig,
        trust: &Trust,
        log: Option<&VerifierKey>,
    ) -> Result<Witnessing, ConfigError> {
        let refused = |why: String| ConfigError::Witnesses(why);
        let witnesses = match config.policy()? {
            None => None,
            Some(policy) => {
                let policy = log.and_then(|log| policy.for_log(log)).ok_or_else(|| {
                    refused(
                        "the policy is for other logs, or a witness in it has the key of this log"
                            .to_owned(),
                    )
                })?;
                let client = Client::new(None).map_err(|error| refused(error.to_string()))?;
                let witnesses = Witnesses::of(policy, client);
                Some(witnesses.map_err(|error| refused(error.to_string()))?)
            }
        };
        let wanted = log.is_some_and(|log| {
            let known = trust.logs().iter().find(|known| known.vkey == *log);
            known.is_some_and(|known| known.quorum != Quorum::None)
        });
        if wanted && witnesses.is_none() {
            tracing::warn!(
                "the trust file asks for a quorum of witnesses on this log, and none are asked: set ledger.witnesses.policy"
            );
        }
        Ok(Witnessing {
            witnesses,
            deadline: config.deadline(),
            size: AtomicU64::new(0),
            last_ms: AtomicU64::new(0),
            told: Mutex::default(),
        })
    }

    /// Whether anybody is asked.
    pub(crate) fn is_on(&self) -> bool {
        self.witnesses.is_some()
    }

    /// Whether the last checkpoint still lacks its quorum.
    pub(crate) fn wants(&self) -> bool {
        self.is_on() && self.lock().quorum != Some(true)
    }

    /// Entries that a quorum saw; 0 before the first of this process.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Seconds since the last quorum; `None` before the first of this process.
    pub(crate) fn age_seconds(&self, now: UnixMillis) -> Option<u64> {
        let last = Some(self.last_ms.load(Ordering::Acquire)).filter(|last| *last > 0)?;
        Some(now.0.saturating_sub(last) / 1_000)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down what the witnesses answered and returns the lines.
    fn note(&self, app: &App, size: u64, answered: Vec<Answered>) -> Vec<Cosignature> {
        let mut told = self.lock();
        let mut keys = Vec::new();
        let mut lines = Vec::new();
        for answer in answered {
            let name = answer.name.to_string();
            let standing = match answer.cosignature {
                Ok(line) => {
                    keys.push(answer.key);
                    lines.push(line);
                    Standing::Cosigns
                }
                Err(error) => {
                    let standing = match error.is_contradiction() {
                        true => Standing::Contradicts,
                        false => Standing::Away,
                    };
                    if told.witnesses.get(&name) != Some(&standing) {
                        match standing {
                            Standing::Contradicts => tracing::error!(
                                witness = name, size, %error,
                                "a witness saw another history of this log"
                            ),
                            _ => tracing::warn!(
                                witness = name, size, %error,
                                "a witness does not cosign"
                            ),
                        }
                    }
                    standing
                }
            };
            app.metrics.witnessed(match standing {
                Standing::Cosigns => "cosigned",
                Standing::Away => "failed",
                Standing::Contradicts => "contradicted",
            });
            let before = told.witnesses.insert(name.clone(), standing);
            if standing == Standing::Cosigns && before.is_some_and(|before| before != standing) {
                tracing::warn!(witness = name, size, "a witness cosigns again");
            }
        }
        let met = self.witnesses.as_ref().is_some_and(|all| all.policy().is_met_by(&keys));
        if met {
            self.size.store(size, Ordering::Release);
            self.last_ms.store(app.now().0, Ordering::Release);
        }
        match (told.quorum, met) {
            (Some(true) | None, false) => {
                tracing::warn!(size, "the checkpoint has no quorum of witnesses");
            }
            (Some(false), true) => tracing::warn!(size, "checkpoints have their quorum again"),
            _ => {}
        }
        told.quorum = Some(met);
        lines
    }
}

/// Signs and publishes a checkpoint; with witnesses it waits for them in between.
pub(crate) async fn checkpoint(app: Arc<App>, ledger: Arc<Ledger>) -> Result<(), Unsigned> {
    let witnessing = &app.witnessing;
    let Some(witnesses) = &witnessing.witnesses else {
        return beside(move || ledger.checkpoint()).await;
    };
    let signing = ledger.clone();
    let Signed { checkpoint, note } = beside(move || signing.sign_checkpoint()).await?;
    let size = checkpoint.size;
    let tiles = ledger.clone();
    let question = Question {
        checkpoint: checkpoint.clone(),
        note: note.into(),
        prove: Arc::new(move |from| {
            tiles.consistency(from, size).map_err(|error| error.to_string())
        }),
    };
    let answered = witnesses.ask(&question, witnessing.deadline).await;
    let lines = witnessing.note(&app, size, answered);
    // The same again, and nobody new: it is there already.
    if lines.is_empty() && witnessing.lock().published == Some(size) {
        return Ok(());
    }
    let published = beside(move || ledger.publish_cosigned(&checkpoint, &lines)).await?;
    if published {
        witnessing.lock().published = Some(size);
    }
    Ok(())
}

/// Not on a worker: a signature and its sync may take milliseconds.
async fn beside<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, CheckpointError> + Send + 'static,
) -> Result<T, Unsigned> {
    match spawn_blocking(act).await {
        Ok(done) => done.map_err(Unsigned::Checkpoint),
        Err(_) => Err(Unsigned::Lost),
    }
}
