//! A timestamp authority that a command asks.

use std::path::Path;
use std::time::Duration;

use reach::http::{Client, Url, block_on};
use reach::tsa::{Stamped, Tsa, TsaError};
use record::report::ExitClass;
use record::trust::Trust;
use seal::Digest;

use crate::exit::{Exit, Failure};
use crate::output;

/// One that is ready to be asked.
pub struct Authority {
    tsa: Tsa,
    client: Client,
}

impl Authority {
    /// The one at `url`. Its answers are believed if they lead to a root of the trust file (purpose
    /// tsa), and are under `policy` where one is named.
    pub fn of(
        url: &str,
        policy: Option<&str>,
        trust: &Trust,
        https_ca: Option<&Path>,
        timeout_seconds: u64,
    ) -> Result<Authority, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Config, error.to_string());
        let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error.to_string());
        let authorities = countersign::anchor::authorities(trust).map_err(|error| wrong(&error))?;
        let url: Url = url.parse().map_err(|error| usage(&error))?;
        let tsa = Tsa::new(url, policy, authorities)
            .map_err(|error| match error {
                TsaError::NoRoot { .. } => wrong(&error),
                error => usage(&error),
            })?
            .within(Duration::from_secs(timeout_seconds));
        let roots = match https_ca {
            Some(path) => Some(output::read_input(path, 1 << 20)?),
            None => None,
        };
        let client = Client::new(roots.as_deref()).map_err(|error| wrong(&error))?;
        Ok(Authority { tsa, client })
    }

    /// Its stamp over a digest, judged.
    pub fn stamp(&self, digest: &Digest) -> Result<Stamped, Failure> {
        block_on(self.tsa.stamp(&self.client, digest.as_bytes()))
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?
            .map_err(failure)
    }
}

/// An authority that is away is 69; one whose answer proves nothing is untrusted.
fn failure(error: TsaError) -> Failure {
    let exit = match &error {
        TsaError::Refused { .. } => Exit::Evidence(ExitClass::Untrusted),
        TsaError::Http(_) | TsaError::Status { .. } => Exit::Unavailable,
        TsaError::NoRoot { .. } => Exit::Config,
        TsaError::Policy(_) => Exit::Usage,
        _ => Exit::Internal,
    };
    Failure::new(exit, format!("{error}; nothing was stored"))
}
