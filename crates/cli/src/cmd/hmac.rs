//! Keys for the HMACs of audit lines, as a command takes them.

use std::path::{Path, PathBuf};

use countersign::trustfile;
use record::entry::Keyring;
use record::keyring::{self, KeyringError};
use seal::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::output;

/// Options that name HMAC keys, for this command only.
#[derive(Debug, Default, clap::Args)]
pub struct HmacKeys {
    /// A key for the HMACs of audit lines, in this command only: ID=file:PATH, ID=env:NAME,
    /// ID=command:PROGRAM ARGUMENTS (run without a shell; what it prints is the key) or ID=HEX
    /// (visible to every user of the machine)
    #[arg(long = "hmac-key", value_name = "ID=SOURCE")]
    hmac_keys: Vec<String>,
    /// A file with such keys: one ID=SOURCE a line (# begins a comment, file: is beside it), or a
    /// JSON object of id and hex
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

impl HmacKeys {
    /// Whether any option was given.
    pub fn given(&self) -> bool {
        self.keyring.is_some() || !self.hmac_keys.is_empty()
    }

    /// The keys.
    pub fn read(&self) -> Result<Keyring, Failure> {
        let mut ring = Keyring::new();
        if let Some(path) = &self.keyring {
            let text = Zeroizing::new(output::read_text(path, keyring::LIMIT as u64)?);
            ring = keyring::read(&text, &|reference| secret(reference, path))
                .map_err(|why| Failure::new(Exit::Config, format!("{}: {why}", path.display())))?;
        }
        for argument in &self.hmac_keys {
            let usage = |why: KeyringError| Failure::new(Exit::Usage, format!("--hmac-key: {why}"));
            let (id, source) = keyring::pair(argument).map_err(usage)?;
            if !keyring::is_reference(source) {
                output::complain(
                    "--hmac-key: a secret on the command line is visible to every user of this machine; use file:, env: or command:",
                );
            }
            // Paths on the command line are relative to where it is given.
            let resolve = |reference: &str| secret(reference, Path::new("."));
            keyring::add(&mut ring, id, source, &resolve).map_err(usage)?;
        }
        Ok(ring)
    }
}

/// The secret behind `file:PATH` (beside `file`), `env:NAME` or `command:PROGRAM ARGUMENTS`.
pub fn secret(reference: &str, file: &Path) -> Result<String, String> {
    match reference.strip_prefix(reach::secret::PREFIX) {
        Some(command) => reach::secret::read(command)
            .map(|secret| secret.to_string())
            .map_err(|error| error.to_string()),
        None => trustfile::resolve(reference, file),
    }
}
