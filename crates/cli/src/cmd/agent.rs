//! `countersign agent`: identities of agents.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use countersign::identity::{AgentIdentity, IdentityError, read_secret_key};
use record::capability::{self, Statement};
use seal::json::Value;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and a signed statement of what the agent may do
    #[command(after_help = "Examples:
  countersign agent new agent:mailer --allowed-models gpt-4o --allowed-tools send_email
  countersign agent new agent:redactor --may-clear external_user --ttl-days 90 --out keys/redactor
  countersign agent new agent:mailer --issuer-key authority.pem --issuer ops")]
    New(New),
    /// Show a statement and check its signature
    #[command(after_help = "Examples:
  countersign agent show mailer-capability.json
  countersign agent show mailer-capability.json --issuer-key authority-public.pem")]
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct New {
    /// The agent's name: `agent:` and a-z 0-9 _ - in parts separated by dots
    agent_id: String,
    /// Write PREFIX-private.pem, -public.pem, -capability.json and -trust.yaml; default: the agent's name
    #[arg(long, value_name = "PREFIX")]
    out: Option<PathBuf>,
    /// Models it may call; none named means any
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    allowed_models: Vec<String>,
    /// Tools it may call; none named means any
    #[arg(long, value_name = "TOOL", value_delimiter = ',')]
    allowed_tools: Vec<String>,
    /// Classifications of data it handles
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    classifications: Vec<String>,
    /// Taint tags it may clear (`*`: any); none named means none
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    may_clear: Vec<String>,
    /// How long the statement holds; for ever when not given
    #[arg(long, value_name = "DAYS")]
    ttl_days: Option<u32>,
    /// Use this private key (PEM) instead of a new one
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// Sign the statement with this private key instead of the agent's own
    #[arg(long, value_name = "PEM")]
    issuer_key: Option<PathBuf>,
    /// The issuer's name in the statement
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The statement (JSON)
    statement: PathBuf,
    /// Public key (PEM) of the issuer; the agent's own key when not given
    #[arg(long, value_name = "PEM")]
    issuer_key: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args) -> Outcome {
    match args.command {
        Command::New(args) => new(args),
        Command::Show(args) => show(args),
    }
}

fn new(args: New) -> Outcome {
    let secret = |path: &PathBuf| read_secret_key(path).map_err(failure);
    let mut making = match &args.key {
        None => AgentIdentity::generate(&args.agent_id),
        Some(path) => AgentIdentity::with_key(&args.agent_id, secret(path)?),
    }
    .map_err(failure)?
    .allowed_models(args.allowed_models)
    .allowed_tools(args.allowed_tools)
    .data_classifications(args.classifications)
    .sanitisation_authority(args.may_clear);
    if let Some(days) = args.ttl_days {
        making = making.ttl(Duration::from_secs(u64::from(days) * 86_400));
    }
    if let Some(issuer) = &args.issuer {
        making = making.issuer(issuer);
    }
    let identity = match &args.issuer_key {
        None => making.issue(),
        Some(path) => making.issue_by(&secret(path)?),
    }
    .map_err(failure)?;
    let prefix = args.out.unwrap_or_else(|| {
        PathBuf::from(identity.agent_id().as_str().trim_start_matches("agent:"))
    });
    let saved = identity.save(&prefix).map_err(failure)?;
    match args.format {
        Format::Json => output::json(&Value::object([
            ("agent_id", identity.agent_id().as_str().into()),
            ("key_id", identity.public().key_id().to_string().into()),
            ("fingerprint", identity.public().fingerprint().into()),
            ("private_key", saved.private_key.display().to_string().into()),
            ("public_key", saved.public_key.display().to_string().into()),
            ("statement", saved.statement.display().to_string().into()),
            ("trust", saved.trust.display().to_string().into()),
        ]))?,
        Format::Table => output::print(&format!(
            "agent        {}\nkey id       {}\nfingerprint  {}\nprivate key  {}\npublic key   {}\nstatement    {}\ntrust file   {}\n",
            identity.agent_id(),
            identity.public().key_id(),
            identity.public().fingerprint(),
            output::path(&saved.private_key),
            output::path(&saved.public_key),
            output::path(&saved.statement),
            output::path(&saved.trust),
        ))?,
    }
    Ok(Exit::Ok)
}

fn show(args: Show) -> Outcome {
    super::must_exist(&args.statement)?;
    let bytes = output::read_input(&args.statement, 64 << 10)?;
    let place = args.statement.display().to_string();
    let mut report = record::report::Report::new(place.as_str());
    report.kind = "capability statement".to_owned();
    let statement = match capability::read(&bytes) {
        Ok(statement) => Some(statement),
        Err(findings) => {
            report.push_all(&place, findings);
            None
        }
    };
    if let Some(statement) = &statement {
        let issuer = match &args.issuer_key {
            None => statement.public_key.clone(),
            Some(path) => {
                let pem = output::read_text(path, 64 << 10)?;
                seal::PublicKey::from_pem(&pem).map_err(|error| {
                    Failure::new(Exit::Input, format!("{}: {error}", path.display()))
                })?
            }
        };
        if let Err(finding) = statement.verify(&statement.public_key, &issuer) {
            report.push_all(&place, [finding]);
        }
    }
    match args.format {
        Format::Table => {
            if let Some(statement) = &statement {
                output::print(&table(statement, args.issuer_key.is_some()))?;
            }
            if !report.ok() {
                output::print(&report.to_table())?;
            }
        }
        Format::Json => {
            let file = statement
                .as_ref()
                .and_then(|statement| {
                    let text = statement.to_json();
                    seal::json::parse(text.as_bytes(), seal::json::Limits::DOCUMENT).ok()
                })
                .unwrap_or(Value::Null);
            output::json(&Value::object([("statement", file), ("report", report.to_json())]))?;
        }
    }
    Ok(Exit::Evidence(report.exit_class()))
}

fn table(statement: &Statement, issuer_given: bool) -> String {
    let list = |items: &[String], none: &str| {
        if items.is_empty() { none.to_owned() } else { output::safe(&items.join(", ")) }
    };
    let time = |seconds: i64| seal::time::UnixMillis::from_seconds(seconds).to_string();
    let signed = match (issuer_given, statement.is_signed_by(&statement.public_key)) {
        (false, true) => "by its own key (says who holds the key, not that you should trust it)",
        (false, false) => "not by its own key; give --issuer-key",
        (true, _) => "checked against the issuer's key",
    };
    [
        ("agent", statement.agent_id.to_string()),
        ("key id", statement.key_id.to_string()),
        ("fingerprint", statement.public_key.fingerprint().to_string()),
        ("models", list(&statement.allowed_models, "any")),
        ("tools", list(&statement.allowed_tools, "any")),
        ("data", list(&statement.data_classifications, "any")),
        ("may clear", list(&statement.sanitisation_authority, "nothing")),
        ("issuer", output::safe(&statement.issuer)),
        ("issued", time(statement.issued_at)),
        ("expires", statement.expires_at.map_or("never".to_owned(), time)),
        ("signed", signed.to_owned()),
    ]
    .iter()
    .map(|(name, value)| format!("{name:<13}{value}\n"))
    .collect()
}

pub fn failure(error: IdentityError) -> Failure {
    let exit = match &error {
        IdentityError::AgentId { .. } | IdentityError::Statement(_) => Exit::Usage,
        IdentityError::File { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
            Exit::NoPath
        }
        IdentityError::File { error, .. } if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Exit::CannotCreate
        }
        IdentityError::File { .. } => Exit::Io,
        IdentityError::Key { .. } => Exit::Input,
        IdentityError::Refused { .. } => Exit::Input,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}
