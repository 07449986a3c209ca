//! `attest decrypt`: what travelled encrypted beside a statement, held against its commitment.

use std::path::{Path, PathBuf};

use attest::Statement;
use attest::files::is_path;
use attest::privacy::{ARCHIVE_LIMIT, Archive, ArchiveError};
use attest::statement::Privacy;
use collect::{BUNDLE, Folder, name_of};
use crypt::{Identities, OpenError};
use record::report::ExitClass;
use seal::Digest;
use seal::Zeroizing;
use seal::json::Value;

use super::create::{PAYLOAD, SALTS};
use super::failure;
use super::sign::ENCRYPTED;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest decrypt attestations/prompt-0123456789abcdef.bundle.json --identity me.age --out opened
  countersign attest decrypt attestations/prompt-0f8fad5b.statement.json --identity me.age

The encrypted payload (TYPE-ID.payload.age, or --payload) must be the one whose digest is signed, what is
inside must be what the statement commits to, and each file what its subject says: else exit 12, and
nothing is written. Whose statement it is says `attest verify`. With --out the files are written below
that directory, which must not exist, with the salts with which `attest verify` compares them.")]
pub struct Args {
    /// A bundle or a statement with privacy mode encrypted_payload
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The private key, as `age-keygen` writes it
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// The encrypted payload; default: beside the bundle
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// Write the files below this directory, which must not exist; default: only check
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    let (folder, statement) = read(&args.file)?;
    let Privacy::EncryptedPayload { ciphertext, .. } = &statement.privacy else {
        let why = format!(
            "{}: its privacy mode is {}; there is nothing to decrypt",
            args.file.display(),
            statement.privacy.mode()
        );
        return Err(Failure::new(Exit::Input, why));
    };
    let beside = name_of(&statement, PAYLOAD);
    let (path, sealed) = match &args.payload {
        Some(path) => (path.clone(), output::read_input(path, ENCRYPTED)?),
        None => {
            let path = folder.path(&beside);
            crate::cmd::must_exist(&path)?;
            (path, folder.read(&beside, ENCRYPTED).map_err(failure::folder)?)
        }
    };
    let tampered = |why: String| {
        let why = format!("{}: {why}", path.display());
        Failure::new(Exit::Evidence(ExitClass::Tampered), why)
    };
    if Digest::of(&sealed) != *ciphertext {
        return Err(tampered("not the encrypted payload whose digest is in the statement".into()));
    }
    let text = Zeroizing::new(output::read_text(&args.identity, 64 << 10)?);
    let identities = Identities::parse(&text).map_err(|error| {
        Failure::new(Exit::Input, format!("{}: {error}", args.identity.display()))
    })?;
    // Base64 of the longest archive, and what stands around it
    let opened = identities.open(&sealed, ARCHIVE_LIMIT / 3 * 4 + (1 << 20));
    let opened = opened.map_err(|error| match error {
        OpenError::NotForUs => {
            let why = format!("{}: {error}; give one of the identities it is for", path.display());
            Failure::new(Exit::Input, why)
        }
        error => tampered(error.to_string()),
    })?;
    let archive = Archive::read(&opened, &statement).map_err(|error| match error {
        ArchiveError::Form => Failure::new(
            Exit::Evidence(ExitClass::Malformed),
            format!("{}: {error}", path.display()),
        ),
        error => tampered(error.to_string()),
    })?;
    if let Some(out) = &args.out {
        write(out, &statement, &archive)?;
    }
    told(args, &statement, &archive)
}

/// The statement in a bundle or by itself.
fn read(path: &Path) -> Result<(Folder, Statement), Failure> {
    crate::cmd::must_exist(path)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = Folder::open(parent.unwrap_or(Path::new("."))).map_err(failure::folder)?;
    let statement = match name.ends_with(BUNDLE) {
        true => folder.bundle(name).map(|(_, statement)| statement),
        false => folder.payload(name).map(|(_, statement)| statement),
    };
    let statement = statement
        .map_err(|error| Failure::new(Exit::Evidence(ExitClass::Malformed), error.to_string()))?;
    Ok((folder, statement))
}

/// Into a directory that is made: no path of an archive leads out of it, and nothing there is replaced.
fn write(out: &Path, statement: &Statement, archive: &Archive) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |path: &Path, error: std::io::Error| {
        Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display()))
    };
    if let Some((_, path, _)) = archive.files.iter().find(|(_, path, _)| !is_path(path)) {
        let why = format!("{path:?} is no path below a directory; nothing is written");
        return Err(Failure::new(Exit::Evidence(ExitClass::Malformed), why));
    }
    // what was encrypted is its reader's alone
    let own = |path: &Path| std::fs::DirBuilder::new().mode(0o700).create(path);
    own(out).map_err(|error| failed(out, error))?;
    let written = fill(out, statement, archive);
    if written.is_err() {
        // half of an archive is of no use, and was secret
        let _ = std::fs::remove_dir_all(out);
    }
    written
}

fn fill(out: &Path, statement: &Statement, archive: &Archive) -> Result<(), Failure> {
    for (_, path, content) in &archive.files {
        let path = out.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| {
                Failure::new(Exit::CannotCreate, format!("{}: {error}", parent.display()))
            })?;
        }
        output::create(&path, content, true)?;
    }
    let salts = archive.salts.write(&statement.id);
    output::create(&out.join(name_of(statement, SALTS)), salts.as_bytes(), true)
}

fn told(args: &Args, statement: &Statement, archive: &Archive) -> Outcome {
    match args.format {
        Format::Table => {
            let mut text = format!(
                "{} statement {}: what is inside is what it commits to\n",
                statement.kind.name, statement.id
            );
            for (role, path, content) in &archive.files {
                text += &format!("{} ({role}, {} bytes)\n", output::safe(path), content.len());
            }
            output::print(&text)?;
        }
        Format::Json => {
            let files = archive.files.iter().map(|(role, path, content)| {
                Value::object([
                    ("name", Value::from(path)),
                    ("role", role.into()),
                    ("size", content.len().into()),
                ])
            });
            output::json(&Value::object([
                ("type", Value::from(statement.kind.name)),
                ("id", statement.id.as_str().into()),
                ("files", Value::array(files)),
            ]))?;
        }
    }
    Ok(Exit::Ok)
}
