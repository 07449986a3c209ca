//! A timestamp authority, asked over HTTP (RFC 3161 section 3.4).
//!
//! What comes back is judged before anybody sees it, as strictly as a verifier will judge it later:
//! an answer that proves nothing is an error here, whatever its HTTP status says.

use std::time::Duration;

use stamp::{Asked, Authority, Hash, Stamp};

use crate::http::{Ask, Client, HttpError, Url};

/// An authority to ask.
#[derive(Debug, Clone)]
pub struct Tsa {
    url: Url,
    policy: Option<String>,
    authorities: Vec<Authority>,
    deadline: Duration,
}

/// A timestamp that holds.
#[derive(Debug, Clone)]
pub struct Stamped {
    /// The TimeStampResp as it came, DER.
    pub reply: Vec<u8>,
    /// What it says.
    pub stamp: Stamp,
}

/// Why there is no timestamp.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsaError {
    /// Whatever it answers could not be believed.
    #[error(
        "no root of {url} is trusted: add it with countersign trust add --name NAME --purpose tsa --key ROOT.pem"
    )]
    NoRoot {
        /// Whom we would ask.
        url: String,
    },
    /// The policy is no OID.
    #[error("the policy {0:?} is no dotted OID, such as 1.2.3.4.1")]
    Policy(String),
    /// The system gave no randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// No answer, or not one of RFC 3161.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A status that is no success.
    #[error("{url} answered with status {status}")]
    Status {
        /// Whom we asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that proves nothing. What is wrong with it, escaped.
    #[error("{url} answered with what is no timestamp for us: {faults}")]
    Refused {
        /// Whom we asked.
        url: String,
        /// Everything that is wrong with the answer.
        faults: String,
    },
}

impl Tsa {
    /// An authority at `url`, whose answers are believed if they lead to one of these roots. With
    /// a policy (dotted OID) it is asked for stamps under that one, and others are refused. It has
    /// 20 seconds to answer.
    pub fn new(
        url: Url,
        policy: Option<&str>,
        authorities: Vec<Authority>,
    ) -> Result<Tsa, TsaError> {
        if authorities.is_empty() {
            return Err(TsaError::NoRoot { url: url.to_string() });
        }
        let tsa = Tsa { url, policy: policy.map(str::to_owned), authorities, deadline: DEADLINE };
        match tsa.request(&[0; 32], &[1]) {
            Some(_) => Ok(tsa),
            None => Err(TsaError::Policy(policy.unwrap_or_default().to_owned())),
        }
    }

    /// Gives it another time to answer.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Tsa {
        self.deadline = deadline;
        self
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Asks for a timestamp over a SHA-256 digest, with a nonce and for the signer's certificate,
    /// and judges the answer: status, imprint, nonce, policy, signature, signer, and the chain to a
    /// trusted root at the time that it states.
    pub async fn stamp(&self, client: &Client, digest: &[u8; 32]) -> Result<Stamped, TsaError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| TsaError::Random(error.to_string()))?;
        let policy = || TsaError::Policy(self.policy.clone().unwrap_or_default());
        let request = self.request(digest, &nonce).ok_or_else(policy)?;
        let mut ask = Ask::post(&self.url, QUERY, request, &[REPLY]);
        ask.limit = stamp::LIMIT;
        ask.deadline = self.deadline;
        let answer = client.ask(ask).await?;
        if !answer.is_success() {
            return Err(TsaError::Status { url: self.url.to_string(), status: answer.status });
        }
        let policies: Vec<&str> = self.policy.as_deref().into_iter().collect();
        let asked = Asked::digest(Hash::Sha256, digest).nonce(&nonce).policies(&policies);
        match stamp::verify(&answer.body, &asked, &self.authorities) {
            Ok(stamp) => Ok(Stamped { reply: answer.body.to_vec(), stamp }),
            Err(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                let faults = seal::escape::terminal(&faults.join("; "));
                Err(TsaError::Refused { url: self.url.to_string(), faults })
            }
        }
    }

    fn request(&self, digest: &[u8; 32], nonce: &[u8]) -> Option<Vec<u8>> {
        stamp::request(Hash::Sha256, digest, Some(nonce), self.policy.as_deref(), true)
    }
}

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";
const DEADLINE: Duration = Duration::from_secs(20);
