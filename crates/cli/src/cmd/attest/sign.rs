//! `attest sign`: statements become bundles.

use std::path::{Path, PathBuf};

use attest::statement::{PAYLOAD_TYPE, Privacy};
use attest::{Bundle, Statement};
use collect::{BUNDLE, Folder, STATEMENT, name_of};
use seal::dsse::{Envelope, PrivateKey, Signer as _};
use seal::json::Value;
use seal::{Digest, VerifyKey, Zeroizing};

use super::create::PAYLOAD;
use super::enter::{self, Entered};
use super::failure;
use super::written::Written;
use crate::cmd::authority::Authority;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest sign --key reviewer.pem
  countersign attest sign --in build/attestations --key reviewer.pem --passphrase-file /run/secrets/p
  countersign attest sign --key release.pem --log
  countersign attest sign --key release.pem --tsa https://freetsa.org/tsr --trust reviewers.trust.yaml

Every statement of the folder that this key has not signed yet gets a bundle (Sigstore bundle v0.3 with
a DSSE envelope) beside it, or in --out. A second key's bundle lies beside the first one's: signers of
one payload add up. All statements are judged before anything is signed. The key is PKCS#8 PEM, Ed25519
or ECDSA P-256; a passphrase comes from --passphrase-file or COUNTERSIGN_PASSPHRASE.")]
pub struct Args {
    /// A folder of statements, or one; default: attestations in --dir
    #[arg(long = "in", value_name = "PATH")]
    from: Option<PathBuf>,
    /// The private key
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The folder to write to; default: where the statement is
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Have each signature stamped by this timestamp authority (RFC 3161), whose root is in the trust
    /// file with purpose tsa
    #[arg(long, value_name = "URL")]
    tsa: Option<String>,
    /// Ask for stamps under this policy (dotted OID), and take no other
    #[arg(long, value_name = "OID", requires = "tsa")]
    tsa_policy: Option<String>,
    /// The trust file with the authority; default: countersign.trust.yaml in --dir (unless git tracks
    /// it), then the user's own
    #[arg(long, value_name = "FILE", requires = "tsa")]
    trust: Option<PathBuf>,
    /// Certificate authorities (PEM) for https beside those of the web
    #[arg(long, value_name = "PEM", requires = "tsa")]
    https_ca: Option<PathBuf>,
    /// How long the authority may take for a stamp
    #[arg(long, value_name = "SECONDS", default_value_t = 20, requires = "tsa", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Enter the bundles into the ledger of --dir, and put the proof beside each
    #[arg(long)]
    log: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// Where the passphrase of a key comes from.
#[derive(Debug, clap::Args)]
pub struct Passphrase {
    /// A file whose first line is the key's passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The passphrase; others on this machine can see it
    #[arg(long, value_name = "TEXT", conflicts_with = "passphrase_file")]
    passphrase: Option<String>,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let from = args.from.clone().unwrap_or_else(|| dir.join(super::FOLDER));
    crate::cmd::must_exist(&from)?;
    let (source, names) = statements(&from)?;
    let out_path = match (&args.out, from.is_dir()) {
        (Some(out), _) => out.clone(),
        (None, true) => from.clone(),
        (None, false) => parent(&from),
    };
    let key = read_key(&args.key, &args.passphrase)?;
    let authority = authority(args, dir, &out_path)?;
    // All are judged before the first is signed.
    let mut judged = Vec::new();
    for name in &names {
        judged.push(judge(&source, name)?);
    }
    let out = Folder::make(&out_path).map_err(failure::folder)?;
    out.alone();
    let mut signed: Vec<Signed> = Vec::new();
    let mut fresh: Vec<(String, Bundle)> = Vec::new();
    for (payload, statement) in judged {
        let digest = Digest::of(&payload);
        match place(&out, &statement, digest, key.public())? {
            Place::Signed(file) => {
                if authority.is_some()
                    && out.bundle(&file).is_ok_and(|(b, _)| b.timestamps.is_empty())
                {
                    output::complain(&format!(
                        "{}: signed before without a timestamp, and never rewritten; remove it and its proof to have it signed again",
                        output::path(&out.path(&file))
                    ));
                }
                signed.push(Signed { statement, digest, file, new: false });
            }
            // the same statement twice
            Place::Free(file) if fresh.iter().any(|(name, _)| *name == file) => {}
            Place::Free(file) => {
                let envelope = Envelope::sign(PAYLOAD_TYPE, payload, &key)
                    .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
                let mut bundle = Bundle::of(envelope, key.public().hint());
                if let Some(authority) = &authority {
                    for one in &bundle.envelope.signatures {
                        bundle.timestamps.push(authority.stamp(&Digest::of(&one.sig))?.reply);
                    }
                }
                fresh.push((file.clone(), bundle));
                signed.push(Signed { statement, digest, file, new: true });
            }
        }
    }
    let mut written = Written::to(&out);
    for (file, bundle) in &fresh {
        written.put(file, bundle.write().as_bytes(), false)?;
    }
    written.keep()?;
    let entered = match args.log {
        true => {
            let files: Vec<&str> = signed.iter().map(|one| one.file.as_str()).collect();
            enter::enter(dir, &out, &files)?
        }
        false => Vec::new(),
    };
    told(&out, &signed, &entered, args.format)
}

/// Whom to ask for stamps.
fn authority(args: &Args, dir: &Path, out: &Path) -> Result<Option<Authority>, Failure> {
    let Some(url) = &args.tsa else { return Ok(None) };
    let (file, passed_over) = crate::cmd::trust_for(args.trust.as_deref(), dir, out)?;
    for note in passed_over {
        output::complain(&note);
    }
    let trust = file.map(|file| file.trust).unwrap_or_default();
    let (policy, https_ca) = (args.tsa_policy.as_deref(), args.https_ca.as_deref());
    Authority::of(url, policy, &trust, https_ca, args.timeout).map(Some)
}

struct Signed {
    statement: Statement,
    digest: Digest,
    file: String,
    new: bool,
}

/// The folder, and the names of the statements in it.
fn statements(from: &Path) -> Result<(Folder, Vec<String>), Failure> {
    if from.is_dir() {
        let folder = Folder::open(from).map_err(failure::folder)?;
        let names = folder.names(STATEMENT).map_err(failure::folder)?;
        if names.is_empty() {
            let why = format!(
                "{}: no *{STATEMENT} to sign; `countersign attest create` makes them",
                from.display()
            );
            return Err(Failure::new(Exit::Evidence(record::report::ExitClass::Missing), why));
        }
        return Ok((folder, names));
    }
    let name = from.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Failure::new(Exit::Input, format!("{}: not the name of a statement", from.display()))
    })?;
    let folder = Folder::open(&parent(from)).map_err(failure::folder)?;
    Ok((folder, vec![name.to_owned()]))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A statement that may be signed: what every reader will accept, with what travels beside it.
fn judge(folder: &Folder, name: &str) -> Result<(Vec<u8>, Statement), Failure> {
    let refuse =
        |why: &str| Failure::new(Exit::Input, format!("{}: {why}", folder.path(name).display()));
    let payload = folder.read(name, attest::statement::LIMIT as u64).map_err(failure::folder)?;
    let (statement, faults) =
        attest::examine(&payload).map_err(|error| refuse(&error.to_string()))?;
    if statement.write().as_bytes() != payload {
        return Err(refuse("not the bytes that `attest create` wrote; create it again"));
    }
    if let Some(fault) = faults.first() {
        return Err(refuse(&format!(
            "{}: {}; every verifier would refuse it, create it again",
            fault.code.title(),
            output::safe(&fault.detail)
        )));
    }
    if statement.expires_at.is_some_and(|at| at <= super::now()) {
        return Err(refuse("it has expired; create it again"));
    }
    if let Privacy::EncryptedPayload { ciphertext, .. } = &statement.privacy {
        let beside = name_of(&statement, PAYLOAD);
        let sealed = folder.read(&beside, ENCRYPTED).map_err(failure::folder)?;
        if Digest::of(&sealed) != *ciphertext {
            return Err(refuse("the encrypted payload beside it is another one"));
        }
    }
    Ok((payload, statement))
}

/// Longest encrypted payload, bytes: Base64 twice, of the longest archive.
pub const ENCRYPTED: u64 = 128 << 20;

enum Place {
    /// This key signed it before.
    Signed(String),
    Free(String),
}

/// Where a bundle goes: under the digest of the payload, and for further signers under their keys too.
fn place(
    out: &Folder,
    statement: &Statement,
    digest: Digest,
    key: &VerifyKey,
) -> Result<Place, Failure> {
    let hex = digest.hex();
    let stem = format!("{}-{}", statement.kind.name, hex.get(..16).unwrap_or_default());
    let names = [format!("{stem}{BUNDLE}"), format!("{stem}.{}{BUNDLE}", key.key_id())];
    for name in names {
        match out.path(&name).symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Place::Free(name));
            }
            Err(error) => return Err(Failure::io(&out.path(&name), &error)),
            Ok(_) => {}
        }
        let (bundle, _) = out.bundle(&name).map_err(failure::folder)?;
        let ours = !bundle.envelope.signers([key]).is_empty();
        if ours && Digest::of(&bundle.envelope.payload) == digest {
            return Ok(Place::Signed(name));
        }
    }
    let why = format!("{}: bundles of others have the names that these would get", stem);
    Err(Failure::new(Exit::CannotCreate, why))
}

/// Reads a private key, with its passphrase where it has one.
pub fn read_key(path: &Path, passphrase: &Passphrase) -> Result<PrivateKey, Failure> {
    let text = Zeroizing::new(output::read_text(path, 64 << 10)?);
    let passphrase = match PrivateKey::is_encrypted(&text) {
        true => passphrase.read()?,
        false => None,
    };
    let bytes = passphrase.as_ref().map(|text| text.as_bytes());
    PrivateKey::from_pem(&text, bytes).map_err(|error| {
        let hint = match passphrase {
            None if PrivateKey::is_encrypted(&text) => {
                "; give --passphrase-file, or COUNTERSIGN_PASSPHRASE"
            }
            _ => "",
        };
        Failure::new(Exit::Input, format!("{}: {error}{hint}", path.display()))
    })
}

impl Passphrase {
    fn read(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        if let Some(path) = &self.passphrase_file {
            let text = Zeroizing::new(output::read_text(path, 4096)?);
            let line = text.lines().next().unwrap_or_default();
            return Ok(Some(Zeroizing::new(line.to_owned())));
        }
        if let Some(text) = &self.passphrase {
            output::complain(
                "--passphrase: others on this machine can see a command line; use --passphrase-file",
            );
            return Ok(Some(Zeroizing::new(text.clone())));
        }
        Ok(std::env::var("COUNTERSIGN_PASSPHRASE").ok().map(Zeroizing::new))
    }
}

fn told(out: &Folder, signed: &[Signed], entered: &[Entered], format: Format) -> Outcome {
    let index = |file: &str| entered.iter().find(|one| one.file == file).map(|one| one.index);
    match format {
        Format::Table => {
            let lines = signed.iter().map(|one| {
                let state = if one.new { "signed " } else { "already" };
                let logged = index(&one.file).map(|at| format!("  entry {at}")).unwrap_or_default();
                let path = output::path(&out.path(&one.file));
                format!("{:<7} {state} {path}{logged}\n", one.statement.kind.name)
            });
            output::print(&lines.collect::<String>())?;
        }
        Format::Json => {
            let list = signed.iter().map(|one| {
                Value::object([
                    ("type", Value::from(one.statement.kind.name)),
                    ("payload", one.digest.into()),
                    ("file", out.path(&one.file).display().to_string().into()),
                    ("new", one.new.into()),
                    ("entry", index(&one.file).into()),
                ])
            });
            output::json(&Value::object([("bundles", Value::array(list))]))?;
        }
    }
    Ok(Exit::Ok)
}
