//! `attest init`: what a project needs to be attested.

use std::path::{Path, PathBuf};

use attest::types::{self, Count, Type};
use collect::Project;
use countersign::identity::new_secret_key;
use record::trust::{Purpose, Trust, TrustKey};
use seal::Signer as _;
use seal::json::Value;

use super::schema::kind;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign attest init
  countersign attest init --type prompt --type eval --key ../keys/reviewer.pem

Makes countersign.attest.yaml, a configuration for each type in attest/ to be filled in, the folder
attestations with a .gitignore for what must not be published, and, unless it is there, a key: the
private half goes outside of what is attested, the entry for trust files is printed. Nothing is
overwritten.")]
pub struct Args {
    /// The types of statements; default: all
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kinds: Vec<&'static Type>,
    /// Where the private key goes; default: .countersign/keys/statements.pem in --dir
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let project = dir.join(Project::FILE);
    if project.symlink_metadata().is_ok() {
        let why = format!("{} exists and is never overwritten", project.display());
        return Err(Failure::new(Exit::CannotCreate, why));
    }
    let asked = match args.kinds.is_empty() {
        true => types::ALL.as_slice(),
        false => args.kinds.as_slice(),
    };
    let mut all: Vec<&'static Type> = Vec::new();
    for kind in asked {
        // a type that is named twice is one
        if !all.contains(kind) {
            all.push(kind);
        }
    }
    let mut made = Vec::new();
    for folder in [dir.join("attest"), dir.join(super::FOLDER)] {
        std::fs::create_dir_all(&folder).map_err(|error| {
            Failure::new(Exit::CannotCreate, format!("{}: {error}", folder.display()))
        })?;
    }
    let mut listed = String::new();
    for kind in &all {
        let file = format!("attest/{}.yaml", kind.name);
        listed += &format!("  - {{type: {}, config: {file}}}\n", kind.name);
        put(&dir.join(&file), &template(kind), &mut made)?;
    }
    put(&dir.join(super::FOLDER).join(".gitignore"), IGNORED, &mut made)?;
    let (key, fresh) = keys(args, dir, &mut made)?;
    let yaml = format!("{HEAD}statements:\n{listed}");
    put(&project, &yaml, &mut made)?;
    match args.format {
        Format::Table => {
            let mut text: String =
                made.iter().map(|path| format!("made      {}\n", output::path(path))).collect();
            if let Some(entry) = &fresh {
                text +=
                    &format!("\nIn the trust file of everyone who verifies, under keys:\n{entry}");
            }
            text += &format!(
                "\nFill in attest/*.yaml, then:\n  countersign attest create\n  countersign attest sign --key {}\n",
                output::path(&key)
            );
            output::print(&text)?;
        }
        Format::Json => output::json(&Value::object([
            ("made", Value::array(made.iter().map(|path| path.display().to_string()))),
            ("key", key.display().to_string().into()),
            ("trust_entry", fresh.into()),
        ]))?,
    }
    Ok(Exit::Ok)
}

/// Writes what is not there.
fn put(path: &Path, text: &str, made: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    output::create(path, text.as_bytes(), false)?;
    made.push(path.to_owned());
    Ok(())
}

/// The private key; one that is there stays. Second: the entry of a fresh one for trust files.
fn keys(
    args: &Args,
    dir: &Path,
    made: &mut Vec<PathBuf>,
) -> Result<(PathBuf, Option<String>), Failure> {
    let home = dir.join(".countersign");
    let path = args.key.clone().unwrap_or_else(|| home.join("keys").join("statements.pem"));
    if path.symlink_metadata().is_ok() {
        return Ok((path, None));
    }
    if args.key.is_none() {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = home.join("keys");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(
            |error| Failure::new(Exit::CannotCreate, format!("{}: {error}", folder.display())),
        )?;
        // a private key that is committed is nobody's any more
        put(&home.join(".gitignore"), "*\n", made)?;
    }
    let secret = new_secret_key().map_err(crate::cmd::agent::failure)?;
    output::create(&path, secret.to_pem().as_bytes(), true)?;
    made.push(path.clone());
    let public = path.with_extension("pub.pem");
    output::create(&public, secret.public().to_pem().as_bytes(), false)?;
    made.push(public);
    let mut trust = Trust::empty();
    let key = TrustKey::public("statements", Purpose::Statements, secret.public().clone());
    trust.add_key(key).map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let yaml = trust.to_yaml();
    let entry = yaml.lines().filter(|line| line.starts_with("  "));
    Ok((path, Some(entry.map(|line| format!("{line}\n")).collect())))
}

/// A configuration to be filled in: every key of the type with what it is for.
fn template(kind: &Type) -> String {
    let mut text = format!("# {}\n# Paths are relative to the attested root.\n", kind.about);
    for role in kind.roles {
        let (mark, value) = match role.count {
            Count::One => ("", "PATH"),
            Count::Tree => ("", "DIRECTORY"),
            Count::Optional => ("# ", "PATH"),
            Count::OptionalTree => ("# ", "DIRECTORY"),
            Count::Files => ("# ", "[PATH, PATH]"),
        };
        text += &format!("# {}\n{mark}{}: {value}\n", role.about, role.name);
    }
    for field in kind.fields.iter().filter(|field| !collect::is_computed(field.name)) {
        let mark = if field.required { "" } else { "# " };
        text += &format!("# {}\n{mark}{}: {}\n", field.about, field.name, sample(field.shape));
    }
    text += OPTIONS;
    text
}

/// What could stand there.
fn sample(shape: attest::shape::Shape) -> String {
    use attest::shape::Shape;
    match shape {
        Shape::Decimal => "0.5".into(),
        Shape::Count => "1".into(),
        Shape::Bool => "true".into(),
        Shape::Time => "2026-01-01T00:00:00Z".into(),
        Shape::Sha256 => "0".repeat(64),
        Shape::Is(text) => text.into(),
        Shape::OneOf(texts) => texts.first().copied().unwrap_or_default().into(),
        Shape::List(inner, _) => format!("[{}]", sample(*inner)),
        Shape::Map(inner, _) => format!("{{NAME: {}}}", sample(*inner)),
        Shape::Object(fields) => {
            let shown = fields.iter().filter(|field| field.required || fields.len() <= 4);
            let members: Vec<String> =
                shown.map(|field| format!("{}: {}", field.name, sample(field.shape))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Shape::Purl => "pkg:generic/NAME@VERSION".into(),
        Shape::Text | Shape::Content | Shape::Any | Shape::Uuid => "TEXT".into(),
    }
}

const HEAD: &str = "# What of this project is attested. `countersign attest create` makes the statements.
version: 1
# The attested root, relative to this file.
root: .
# A changed file that matches calls for a new statement of the type, besides the files of its configuration:
# paths: {prompt: [\"app/**\"]}
# Types whose statements may hold their files in the clear:
# privacy: {plaintext_allowed: []}
";

const OPTIONS: &str = "# Days after which it no longer counts.
# expires_days: 90
# Where the sources live.
# repository: https://example.org/project
# What is sensitive in the files.
# sensitivity: [internal]
# hash_only (default), plaintext_explicit, or encrypted_payload with recipients: [age1...]
# privacy_mode: hash_only
# Roles whose content could be guessed from its digest: committed to under a secret salt.
# salted: []
";

/// What of the folder must not be published.
pub const IGNORED: &str =
    "# Whoever has the salts can guess what is committed to.\n*.salts.json\n.*.new\n";
