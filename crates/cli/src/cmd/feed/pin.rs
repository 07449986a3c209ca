//! Whose feeds are believed: a key given here, or those of the trust file.

use std::path::{Path, PathBuf};

use record::feed::Pin;
use record::report::{Code, Finding, Report};
use seal::PublicKey;
use seal::key::KeyError;

use crate::exit::{Exit, Failure};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct PinArgs {
    /// The publisher's public key (PEM), got over another way than the feed; trust in this command
    #[arg(long, value_name = "PEM", conflicts_with = "trust")]
    pin: Vec<PathBuf>,
    /// The issuer that the pinned key publishes for; without it, whichever the feed names
    #[arg(long, value_name = "NAME", requires = "pin")]
    issuer: Option<String>,
    /// The trust file, for its keys of purpose feed; default: as for `countersign verify`
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

impl PinArgs {
    /// The pins, and what to say about them in the report.
    pub fn read(&self, dir: &Path, evidence: &Path) -> Result<(Vec<Pin>, Report), Failure> {
        let mut about = Report::new(output::path(evidence));
        let mut pins = Vec::new();
        for path in &self.pin {
            let pem = output::read_text(path, 64 << 10)?;
            match PublicKey::from_pem(&pem) {
                Ok(key) => {
                    let pin = Pin::new(key);
                    pins.push(match &self.issuer {
                        Some(issuer) => pin.issuer(issuer),
                        None => pin,
                    });
                }
                // Such a key trusts everybody: as a pin it counts for nothing.
                Err(KeyError::Point) => {
                    about.push(Finding::new(
                        Code::FeedKeyWeak,
                        output::path(path),
                        "the pinned key",
                    ));
                }
                Err(error) => {
                    let message = format!("{}: {error}", path.display());
                    return Err(Failure::new(Exit::Input, message));
                }
            }
        }
        if self.pin.is_empty() {
            let (file, passed_over) =
                super::super::trust_for(self.trust.as_deref(), dir, evidence)?;
            for remark in passed_over {
                about.note(remark);
            }
            if let Some(file) = file {
                pins = Pin::of(&file.trust);
                about.trust_file = Some(file.path.display().to_string());
                about.trust_digest = Some(file.digest);
            }
        }
        Ok((pins, about))
    }
}
