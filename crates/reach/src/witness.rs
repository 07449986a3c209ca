//! Asking witnesses to cosign a checkpoint (C2SP tlog-witness, the log's side).
//!
//! What comes back is believed only as far as its signature reaches: a cosignature counts when the
//! key of the policy verifies it over the very checkpoint that was sent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use seal::base64;
use seal::cosign::{Cosignature, CosignerKey};
use seal::digest::Digest;
use seal::note::Checkpoint;
use seal::policy::{Name, Policy};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::http::{Answer, Ask, Client, HttpError, Url};

/// Gives the consistency proof from an older size to the one of the checkpoint, or says why it
/// cannot. May wait for a disk.
pub type Prove = Arc<dyn Fn(u64) -> Result<Vec<Digest>, String> + Send + Sync>;

/// What witnesses are asked about: a checkpoint that the log signed.
#[derive(Clone)]
pub struct Question {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The same, signed: a note whose first signature line is the log's.
    pub note: Arc<str>,
    /// Proofs from older sizes.
    pub prove: Prove,
}

/// Why a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It could not be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It did not answer in the time all of it may take.
    #[error("the witness did not answer in time")]
    Timeout,
    /// It has seen more of this log than there is: this ledger is an older copy, or another one.
    #[error(
        "the witness saw {seen} entries of this log and here are {here}: this ledger is an older copy or a fork; stop it and find the newest"
    )]
    Ahead {
        /// What the witness saw.
        seen: u64,
        /// What there is.
        here: u64,
    },
    /// It refused.
    #[error("the witness refused with status {status}: {said}")]
    Refused {
        /// The HTTP status: 404 the log is not known there, 403 its key is not, 422 the checkpoint
        /// does not extend what the witness saw.
        status: u16,
        /// Its words, made harmless; at most 200 characters.
        said: String,
    },
    /// It named another size at each try.
    #[error("the witness named another size at every try: is another ledger asking it, too?")]
    Restless,
    /// We cannot prove what it asks for.
    #[error("no proof from {from} entries: {cause}")]
    Unproven {
        /// The size it starts from.
        from: u64,
        /// Why.
        cause: String,
    },
    /// Its answer holds no cosignature by its key.
    #[error("the witness answered without a cosignature by the key the policy names for it")]
    Unsigned,
}

impl AskError {
    /// Whether the witness itself says that this log is not what it saw. No outage explains that.
    pub fn is_contradiction(&self) -> bool {
        matches!(self, AskError::Ahead { .. } | AskError::Refused { status: 422, .. })
    }
}

/// Why the witnesses of a policy cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyUrlError {
    /// The address cannot be used.
    #[error("witness {name}: {url:?} is no address (http:// or https://, no user, no query)")]
    Url {
        /// Its name in the policy.
        name: String,
        /// What stands there.
        url: String,
    },
    /// Even if all that have an address cosign, the quorum is not met.
    #[error(
        "the quorum cannot be met by the witnesses that have an address: put one behind their keys"
    )]
    Quorum,
    /// Nobody to ask.
    #[error("no witness of the policy has an address")]
    Nobody,
}

/// One witness.
struct Target {
    name: Name,
    key: CosignerKey,
    url: Url,
    /// What it is believed to have seen: where the next question starts from.
    seen: AtomicU64,
}

/// The witnesses of a policy. Cheap to clone.
#[derive(Clone)]
pub struct Witnesses {
    client: Client,
    targets: Arc<[Arc<Target>]>,
    policy: Arc<Policy>,
}

/// What one witness answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Its name in the policy.
    pub name: Name,
    /// Its key.
    pub key: CosignerKey,
    /// Its cosignature, verified, or why there is none.
    pub cosignature: Result<Cosignature, AskError>,
}

impl Witnesses {
    /// Those of a policy that have an address; refused where they could never be its quorum.
    pub fn of(policy: Policy, client: Client) -> Result<Witnesses, PolicyUrlError> {
        let mut targets = Vec::new();
        for witness in policy.witnesses() {
            let Some(text) = &witness.url else { continue };
            let url = text.parse::<Url>().and_then(|url| url.join("/add-checkpoint"));
            let bad = |_| PolicyUrlError::Url { name: witness.name.to_string(), url: text.clone() };
            targets.push(Arc::new(Target {
                name: witness.name.clone(),
                key: witness.key.clone(),
                url: url.map_err(bad)?,
                seen: AtomicU64::new(0),
            }));
        }
        let keys: Vec<CosignerKey> = targets.iter().map(|target| target.key.clone()).collect();
        if targets.is_empty() {
            return Err(PolicyUrlError::Nobody);
        }
        if !policy.is_met_by(&keys) {
            return Err(PolicyUrlError::Quorum);
        }
        Ok(Witnesses { client, targets: targets.into(), policy: Arc::new(policy) })
    }

    /// The policy they are from.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Asks all of them at once and waits until each has answered or `deadline` is over; the order
    /// is the policy's. Whoever does not answer in time holds up nobody else.
    pub async fn ask(&self, question: &Question, deadline: Duration) -> Vec<Answered> {
        let mut asking = JoinSet::new();
        for (at, target) in self.targets.iter().enumerate() {
            let (client, target, question) =
                (self.client.clone(), target.clone(), question.clone());
            asking.spawn(async move {
                let asked = timeout(deadline, target.ask(&client, &question, deadline)).await;
                (at, asked.unwrap_or(Err(AskError::Timeout)))
            });
        }
        let mut answers: Vec<Option<Result<Cosignature, AskError>>> =
            vec![None; self.targets.len()];
        while let Some(done) = asking.join_next().await {
            if let Ok((at, answer)) = done
                && let Some(slot) = answers.get_mut(at)
            {
                *slot = Some(answer);
            }
        }
        let answered = self.targets.iter().zip(answers).map(|(target, answer)| Answered {
            name: target.name.clone(),
            key: target.key.clone(),
            // A task that failed by a fault of ours did not answer either.
            cosignature: answer.unwrap_or(Err(AskError::Timeout)),
        });
        answered.collect()
    }
}

impl fmt::Debug for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.targets.iter().map(|target| &target.url)).finish()
    }
}

impl Target {
    async fn ask(
        &self,
        client: &Client,
        question: &Question,
        deadline: Duration,
    ) -> Result<Cosignature, AskError> {
        let size = question.checkpoint.size;
        // What it saw may be more than this checkpoint when two questions cross; it will say so.
        let mut old = self.seen.load(Ordering::Relaxed).min(size);
        for _ in 0..TRIES {
            let proof = prove(question, old).await?;
            let body = submission(old, &proof, &question.note);
            let ask = Ask {
                limit: ANSWER_BYTES,
                deadline,
                ..Ask::post(&self.url, "text/plain; charset=utf-8", body, &[])
            };
            let answer = client.ask(ask).await?;
            if answer.is_success() {
                let cosignature = self.cosignature(&answer, &question.checkpoint.text())?;
                self.seen.store(size, Ordering::Relaxed);
                return Ok(cosignature);
            }
            // Only this answer is worth another try (tlog-witness): it tells where to start.
            let seen = seen(&answer).ok_or_else(|| refused(&answer))?;
            self.seen.store(seen, Ordering::Relaxed);
            if seen > size {
                return Err(AskError::Ahead { seen, here: size });
            }
            old = seen;
        }
        Err(AskError::Restless)
    }

    /// The line by this witness's key over this text; lines of others are ignored.
    fn cosignature(&self, answer: &Answer, text: &str) -> Result<Cosignature, AskError> {
        let lines = std::str::from_utf8(&answer.body).map_err(|_| AskError::Unsigned)?;
        let mut made = lines.lines().filter_map(|line| Cosignature::parse(line).ok());
        made.find(|made| made.verify(&self.key, text)).ok_or(AskError::Unsigned)
    }
}

async fn prove(question: &Question, from: u64) -> Result<Vec<Digest>, AskError> {
    if from == 0 || from == question.checkpoint.size {
        return Ok(Vec::new());
    }
    let prove = question.prove.clone();
    let unproven = |cause| AskError::Unproven { from, cause };
    match spawn_blocking(move || prove(from)).await {
        Ok(proof) => proof.map_err(unproven),
        Err(_) => Err(unproven("the task that reads tiles failed".to_owned())),
    }
}

fn submission(old: u64, proof: &[Digest], note: &str) -> Bytes {
    let mut body = format!("old {old}\n");
    for hash in proof {
        body.push_str(&base64::std_encode(hash.as_bytes()));
        body.push('\n');
    }
    body.push('\n');
    body.push_str(note);
    body.into()
}

/// The size in a 409; the media type tells it from a 409 of something in between.
fn seen(answer: &Answer) -> Option<u64> {
    if answer.status != 409 || answer.content_type != "text/x.tlog.size" {
        return None;
    }
    let text = std::str::from_utf8(&answer.body).ok()?.strip_suffix('\n')?;
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

fn refused(answer: &Answer) -> AskError {
    let said = String::from_utf8_lossy(&answer.body);
    let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
    AskError::Refused { status: answer.status, said: seal::escape::terminal(&said) }
}

/// The first question, one with the size it named, and one more if another asker was faster.
const TRIES: usize = 3;
/// The longest answer: a few lines.
const ANSWER_BYTES: usize = 16 << 10;
