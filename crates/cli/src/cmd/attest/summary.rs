//! The summary that `attest verify --vsa` signs, for who consumes it instead of verifying again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use attest::bundle::{ENDING, PROOF, proof_name};
use attest::statement::PAYLOAD_TYPE;
use attest::{Bundle, Verification, Vsa};
use collect::{Checkout, Folder};
use record::logged;
use seal::dsse::{Envelope, PrivateKey, Signer as _};
use seal::tlog_proof::TlogProof;

use super::enter;
use super::failure;
use super::sign::{Passphrase, read_key};
use crate::exit::{Exit, Failure};
use crate::output;

/// What is asked of the summary.
#[derive(Debug, clap::Args)]
pub struct Summed {
    /// Sign a summary of the verification (SLSA VSA) with this private key (PEM, Ed25519 or P-256)
    #[arg(long, value_name = "KEY")]
    vsa: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Where the summary goes; default: attestations/verification.vsa.json in --dir
    #[arg(long, value_name = "FILE", requires = "vsa")]
    out: Option<PathBuf>,
    /// Enter the summary into the ledger of --dir, and put the proof beside it
    #[arg(long, requires = "vsa")]
    log: bool,
    /// Who verifies, as the summary says it
    #[arg(
        long,
        value_name = "URI",
        requires = "vsa",
        default_value = "https://countersign.dev/verifier"
    )]
    verifier: String,
    /// What is verified, as the summary says it; default: PATH
    #[arg(long, value_name = "URI", requires = "vsa")]
    resource: Option<String>,
}

/// Whether a summary may be put there: not over a key, a bundle or a device.
fn is_free(path: &Path) -> Result<bool, Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure::io(path, &error)),
        Ok(there) if !there.is_file() => Ok(false),
        Ok(there) if there.len() == 0 => Ok(true),
        Ok(_) => {
            let bundle = Bundle::read(&output::read_input(path, LIMIT)?);
            Ok(bundle.is_ok_and(|bundle| Vsa::read(&bundle.envelope.payload).is_ok()))
        }
    }
}

/// Largest summary, bytes.
const LIMIT: u64 = 64 << 20;

/// A summary to be written, its key read.
pub struct Order {
    key: PrivateKey,
    out: PathBuf,
    log: bool,
    verifier: String,
    resource: Option<String>,
}

impl Order {
    /// What is asked for, if anything. A key that cannot be used is told before anything is judged.
    pub fn of(asked: &Summed, dir: &Path) -> Result<Option<Order>, Failure> {
        let Some(path) = &asked.vsa else { return Ok(None) };
        let key = read_key(path, &asked.passphrase)?;
        let default = || dir.join(super::FOLDER).join("verification.vsa.json");
        let out = asked.out.clone().unwrap_or_else(default);
        if !is_free(&out)? {
            let what = "is there and is no verification summary; it is left alone, name another";
            let what = format!("{}: {what}", output::path(&out));
            return Err(Failure::new(Exit::CannotCreate, what));
        }
        if let Some(other) = shares(&out) {
            let what = format!(
                "{}: its proof would be called like that of {}; name another",
                output::path(&out),
                output::path(&other)
            );
            return Err(Failure::new(Exit::CannotCreate, what));
        }
        Ok(Some(Order {
            key,
            out,
            log: asked.log,
            verifier: asked.verifier.clone(),
            resource: asked.resource.clone(),
        }))
    }

    /// Writes the summary, also of a verification that failed: it says so. Without a trust file or a
    /// statement there is nothing to sum up.
    /// `checkout` is what the compared files lie in: they are of its commit, or of none. `dir` has the
    /// ledger.
    pub fn write(
        self,
        verification: &Verification,
        checkout: Option<&Checkout>,
        dir: &Path,
    ) -> Result<(), Failure> {
        let report = verification.report();
        let policy = report.trust_file.clone().zip(report.trust_digest);
        let resource = self.resource.as_deref().unwrap_or(&report.subject);
        let statements = verification.bundles().iter().filter_map(|one| one.statement.as_ref());
        let subjects = statements.flat_map(|statement| &statement.subjects);
        let source = checkout.filter(|checkout| checkout.holds(subjects));
        let source = source.map(|checkout| checkout.commit.clone());
        let vsa = policy.and_then(|policy| {
            Vsa::of(verification, &self.verifier, resource, policy, source, super::now())
        });
        let Some(vsa) = vsa else {
            output::complain("no summary: there is no statement, or no trust file");
            return Ok(());
        };
        if vsa.source.is_none() {
            output::complain(
                "the summary names no commit, and no gate will take it: attested files are not as a commit of git has them, or git ignores them",
            );
        }
        let payload = vsa.write().into_bytes();
        // What nobody could read is not signed.
        Vsa::read(&payload)
            .map_err(|why| Failure::new(Exit::Usage, format!("the summary: {why}")))?;
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload, &self.key)
            .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
        let bundle = Bundle::of(envelope, self.key.public().hint());
        let (folder, name) = place(&self.out)?;
        // Whoever else sums up here waits until this summary has its proof.
        folder.alone();
        let failed = |path: &Path, error: std::io::Error| {
            Failure::new(Exit::CannotCreate, format!("{}: {error}", output::path(path)))
        };
        // The proof of the summary that was here before is none of this one.
        let before = folder.path(&proof_name(&name));
        if outdated(&before)? {
            std::fs::remove_file(&before).map_err(|error| failed(&before, error))?;
        }
        countersign::files::replace(&self.out, bundle.write().as_bytes())
            .map_err(|error| failed(&self.out, error))?;
        if self.log {
            enter::enter(dir, &folder, &[&name])?;
        }
        Ok(())
    }
}

/// The folder of a file, and the file's name in it.
fn place(out: &Path) -> Result<(Folder, String), Failure> {
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = out.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{}: not the name of a file", output::path(out)))
    })?;
    Ok((Folder::make(parent).map_err(failure::folder)?, name.to_owned()))
}

/// The bundle that lies beside, and whose proof has the name that this one's would have.
fn shares(out: &Path) -> Option<PathBuf> {
    let name = out.file_name()?.to_str()?;
    let proof = proof_name(name);
    let stem = proof.strip_suffix(PROOF)?;
    let others = [format!("{stem}{ENDING}"), format!("{stem}.json"), stem.to_owned()];
    let others = others.into_iter().filter(|other| other != name);
    others.map(|other| out.with_file_name(other)).find(|other| other.is_file())
}

/// Whether a proof lies here, which alone may be removed.
fn outdated(path: &Path) -> Result<bool, Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Failure::io(path, &error)),
        Ok(_) => {}
    }
    let bytes = output::read_input(path, logged::LIMIT as u64)?;
    match TlogProof::parse(&bytes) {
        Ok(_) => Ok(true),
        Err(error) => {
            let why = format!("{}: {error}; a summary's proof goes there", output::path(path));
            Err(Failure::new(Exit::CannotCreate, why))
        }
    }
}
