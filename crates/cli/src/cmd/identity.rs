//! `--identity`: who can look into encrypted bodies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypt::Identities;
use ledger::Reader;

use super::ledger::open;
use crate::exit::{Exit, Failure};

/// Who can look into encrypted bodies.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Identity {
    /// Open encrypted bodies with this age identity: a file as age-keygen writes it
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl Identity {
    /// Reads the identity, if one was named.
    pub fn read(&self) -> Result<Option<Arc<Identities>>, Failure> {
        let Some(path) = &self.identity else { return Ok(None) };
        let text = seal::Zeroizing::new(crate::output::read_text(path, 64 << 10)?);
        let identities = Identities::parse(&text)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?;
        Ok(Some(Arc::new(identities)))
    }
}

/// Opens a ledger to look at, with its encrypted bodies where the identity allows.
pub fn look(path: &Path, identity: &Identity) -> Result<Reader, Failure> {
    Ok(open(path)?.opening(identity.read()?))
}
