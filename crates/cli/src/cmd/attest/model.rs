//! `attest model`: signatures of the OpenSSF over the directory of a model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attest::openssf::Manifest;
use attest::statement::PAYLOAD_TYPE;
use attest::{Bundle, Files as _, bundle};
use clap::Subcommand;
use collect::{Asked, Folder, Root, hash};
use record::report::ExitClass;
use seal::dsse::{Envelope, Signer as _};
use seal::json::Value;
use seal::{Digest, VerifyKey};

use super::failure;
use super::sign::{Passphrase, read_key};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Sign a model as PyPI `model-signing` does
    #[command(after_help = "Examples:
  countersign attest model sign model/weights --key release.pem --signature release.sig

`model_signing verify key` takes P-256 keys; the key's own kind is used. A signature inside of the
directory does not count as a file of the model.")]
    Sign(Sign),
    /// Judge such a signature, and the files of the model
    #[command(after_help = "Examples:
  countersign attest model verify model/weights --signature release.sig --key release.pub.pem

Exit 11: not signed by this key; 12: a file is missing, added or another one; 14: no such signature.")]
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
struct Sign {
    /// The directory of the model
    model: PathBuf,
    /// The private key
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// The file to write, which must not exist; default: model.sig in the directory
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The directory of the model
    model: PathBuf,
    /// The public key that must have signed
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The signature; default: model.sig in the directory
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// What signatures are called where nothing else is said.
const SIGNATURE: &str = "model.sig";

pub fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Sign(args) => sign(args),
        What::Verify(args) => verify(args),
    }
}

fn sign(args: &Sign) -> Outcome {
    let path = args.signature.clone().unwrap_or_else(|| args.model.join(SIGNATURE));
    let key = read_key(&args.key, &args.passphrase)?;
    let name = args.model.canonicalize().map_err(|error| Failure::io(&args.model, &error))?;
    let name = name.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut manifest = Manifest::of(&name.unwrap_or_default(), inside(&args.model, &path), vec![]);
    let file = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        let why = format!("{}: no name for a signature; use UTF-8 text", output::path(&path));
        Failure::new(Exit::Usage, why)
    })?;
    let files = read(&args.model, &manifest)?;
    if files.is_empty() {
        let why = format!("{}: no file lies there; a model has one at least", args.model.display());
        return Err(Failure::new(Exit::Input, why));
    }
    manifest = Manifest::of(&manifest.name, manifest.ignored, files);
    let envelope = Envelope::sign(PAYLOAD_TYPE, manifest.write().into_bytes(), &key)
        .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    // this format names a key by the digest of its PEM text
    let hint = key.public().fingerprint().hex();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = Folder::open(parent.unwrap_or(Path::new("."))).map_err(failure::folder)?;
    folder
        .write(file, Bundle::of(envelope, hint).write().as_bytes(), false)
        .map_err(failure::folder)?;
    told(&path, &manifest, args.format)
}

fn verify(args: &Verify) -> Outcome {
    let path = args.signature.clone().unwrap_or_else(|| args.model.join(SIGNATURE));
    crate::cmd::must_exist(&path)?;
    let failed = |class, why: String| {
        Failure::new(Exit::Evidence(class), format!("{}: {why}", path.display()))
    };
    let malformed = |why: String| failed(ExitClass::Malformed, why);
    let key = VerifyKey::from_pem(&output::read_text(&args.key, 64 << 10)?)
        .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", args.key.display())))?;
    let bytes = output::read_input(&path, bundle::LIMIT as u64)?;
    let bundle = Bundle::read(&bytes).map_err(|error| malformed(error.to_string()))?;
    if bundle.envelope.signers([&key]).is_empty() {
        return Err(failed(ExitClass::Untrusted, "not signed by this key".into()));
    }
    if bundle.envelope.payload_type != PAYLOAD_TYPE {
        return Err(malformed(format!("its payload is no {PAYLOAD_TYPE}")));
    }
    let stated =
        Manifest::read(&bundle.envelope.payload).map_err(|error| malformed(error.to_string()))?;
    let mut ignored = stated.clone();
    ignored.ignored.extend(inside(&args.model, &path));
    let found = Manifest::of(&stated.name, stated.ignored.clone(), read(&args.model, &ignored)?);
    if let Some(why) = difference(&stated.files, &found.files) {
        return Err(Failure::new(
            Exit::Evidence(ExitClass::Tampered),
            format!("{}: {why}", args.model.display()),
        ));
    }
    told(&path, &stated, args.format)
}

/// The first file that is not as it was signed.
fn difference(stated: &[(String, Digest)], found: &[(String, Digest)]) -> Option<String> {
    let by_path = |files: &[(String, Digest)]| files.iter().cloned().collect::<BTreeMap<_, _>>();
    let (stated, found) = (by_path(stated), by_path(found));
    for (path, digest) in &stated {
        match found.get(path) {
            None => return Some(format!("{path:?} is missing")),
            Some(other) if other != digest => {
                return Some(format!("{path:?} is not what was signed"));
            }
            Some(_) => {}
        }
    }
    let added = found.keys().find(|path| !stated.contains_key(*path));
    added.map(|path| format!("{path:?} was added"))
}

/// The path of a signature within the directory that it is about.
fn inside(model: &Path, signature: &Path) -> Vec<String> {
    let parent = signature.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok();
    let below = parent.zip(model.canonicalize().ok()).and_then(|(parent, model)| {
        let place = parent.strip_prefix(model).ok()?.join(signature.file_name()?);
        place.to_str().map(str::to_owned)
    });
    below.into_iter().collect()
}

/// All files of a model that count, with their digests.
fn read(model: &Path, manifest: &Manifest) -> Result<Vec<(String, Digest)>, Failure> {
    let root = Root::open(model).map_err(|error| Failure::io(model, &error))?;
    let failed = |path: String, error| failure::make(collect::MakeError::File { path, error });
    let paths = root.list("").map_err(|error| failed(model.display().to_string(), error))?;
    let asked: Vec<Asked> = paths
        .into_iter()
        .filter(|path| !manifest.ignores(path))
        .map(|path| Asked { path, keep: None })
        .collect();
    let found = hash(&root, &asked, None).map_err(|(path, error)| failed(path, error))?;
    Ok(asked.into_iter().zip(found).map(|(asked, found)| (asked.path, found.digest)).collect())
}

fn told(path: &Path, manifest: &Manifest, format: Format) -> Outcome {
    match format {
        Format::Table => output::print(&format!(
            "signature {}\nmodel     {}\nroot      {}\nfiles     {}\n",
            output::path(path),
            output::safe(&manifest.name),
            manifest.root(),
            manifest.files.len()
        ))?,
        Format::Json => output::json(&Value::object([
            ("signature", Value::from(path.display().to_string())),
            ("model", manifest.name.as_str().into()),
            ("root", manifest.root().into()),
            ("files", manifest.files.len().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
