//! `countersign trust`: whose keys count.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use countersign::trustfile::{FILE_NAME, TrustFile};
use record::report::{Code, Finding, Report};
use record::trust::{KeyMaterial, LogKey, Purpose, Quorum, Trust, TrustKey, Validity};
use seal::Digest;
use seal::json::Value;
use seal::time::{UnixMillis, parse_rfc3339};
use stamp::Certificate;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the keys of a trust file
    #[command(after_help = "Examples:
  countersign trust show
  countersign trust show --trust auditors.yaml --format json")]
    Show(Which),
    /// Add a key or a log; the file is written anew (its comments are not kept)
    #[command(after_help = "Examples:
  countersign trust add --name mailer --purpose receipts --key mailer.pem --agent-id agent:mailer
  countersign trust add --log 'example.org/log+1a2b3c4d+AfQ...'
  countersign trust add --log 'example.org/log+1a2b3c4d+AfQ...' --quorum file:witnesses.policy
  countersign trust add --name k1 --purpose hmac --reference file:hmac-k1.hex
  countersign trust add --name freetsa --purpose tsa --key root.pem --until 2027-01-01T00:00:00Z")]
    Add(Box<Add>),
    /// Check a trust file: form, references, expired keys
    #[command(after_help = "Examples:
  countersign trust check
  countersign trust check --trust auditors.yaml")]
    Check(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The trust file; default: countersign.trust.yaml in --dir
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The trust file, made when missing; default: countersign.trust.yaml in --dir
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A log's verifier key (vkey); its name is the log's origin
    #[arg(long, value_name = "VKEY", conflicts_with_all = ["name", "purpose", "key", "reference", "agent_id", "from", "until", "policy", "types"])]
    log: Option<String>,
    /// The witnesses whose cosignatures its checkpoints need: none, or file:PATH of a C2SP
    /// tlog-policy beside the trust file
    #[arg(long, value_name = "QUORUM", requires = "log")]
    quorum: Option<String>,
    /// The key's name in reports
    #[arg(long, required_unless_present = "log")]
    name: Option<String>,
    /// What the key is for: root, receipts, decisions, capabilities, feed, statements, vsa, approvals, tsa, hmac
    #[arg(long, required_unless_present = "log")]
    purpose: Option<String>,
    /// A public key file (PEM), copied into the trust file; for tsa the root certificate (PEM), or a
    /// chain that ends with it
    #[arg(long, value_name = "PEM", conflicts_with = "reference")]
    key: Option<PathBuf>,
    /// A reference instead of the key itself: file:PATH (beside the trust file) or env:NAME
    #[arg(long, value_name = "REF")]
    reference: Option<String>,
    /// Which agent the key signs as; for feed, the issuer it publishes for
    #[arg(long, value_name = "AGENT")]
    agent_id: Option<String>,
    /// Valid from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Valid before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For tsa: take stamps under this policy (dotted OID) only; may be repeated
    #[arg(long, value_name = "OID")]
    policy: Vec<String>,
    /// For statements: the key may sign this type only; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Show(which) => show(&which, dir),
        Command::Check(which) => check(&which, dir),
        Command::Add(add_args) => add(*add_args, dir),
    }
}

fn load(which: &Which, dir: &Path) -> Result<TrustFile, Failure> {
    let path = which.trust.clone().unwrap_or_else(|| dir.join(FILE_NAME));
    super::must_exist(&path)?;
    TrustFile::read(&path, None).map_err(super::trust_failure)
}

fn show(which: &Which, dir: &Path) -> Outcome {
    let file = load(which, dir)?;
    match which.format {
        Format::Json => output::json(&to_json(&file))?,
        Format::Table => {
            let mut out = format!("{} ({})\n", output::path(&file.path), file.digest);
            for key in file.trust.keys() {
                let id = match (key.verify_key(), key.certificates().last()) {
                    (Some(key), _) => key.key_id().to_string(),
                    (None, Some(root)) => Digest::of(root).hex().chars().take(16).collect(),
                    (None, None) => "-".repeat(16),
                };
                out.push_str(&format!(
                    "{:<14}{id}  {}",
                    key.purpose.as_str(),
                    output::safe(&key.name)
                ));
                if let Some(agent) = &key.agent_id {
                    out.push_str(&format!("  as {agent}"));
                }
                if let Some(issuer) = &key.issuer {
                    out.push_str(&format!("  for {}", output::safe(issuer)));
                }
                if let Some(from) = key.valid.from {
                    out.push_str(&format!("  from {from}"));
                }
                if let Some(until) = key.valid.until {
                    out.push_str(&format!("  until {until}"));
                }
                if !key.policies.is_empty() {
                    out.push_str(&format!("  under {}", key.policies.join(", ")));
                }
                if let Some((_, cause)) = unreadable(&file, &key.name) {
                    out.push_str(&format!("  (not readable: {})", output::safe(cause)));
                }
                out.push('\n');
                for certificate in certificates(key) {
                    let (from, until) = window(&certificate);
                    out.push_str(&format!(
                        "{:<14}{}  {from} to {until}\n{:<14}{}\n",
                        "",
                        output::safe(&certificate.subject()),
                        "",
                        certificate.fingerprint(),
                    ));
                }
            }
            for log in file.trust.logs() {
                out.push_str(&format!(
                    "{:<14}{}  {}{}\n",
                    "log",
                    log.vkey.key.key_id(),
                    output::safe(&log.vkey.name),
                    quorum(log)
                        .map(|q| format!("  quorum {}", output::safe(q)))
                        .unwrap_or_default()
                ));
            }
            output::print(&out)?;
        }
    }
    Ok(Exit::Ok)
}

/// The certificates of a timestamp authority, the root last. They were read with the file.
fn certificates(key: &TrustKey) -> impl Iterator<Item = Certificate> {
    key.certificates().iter().filter_map(|der| Certificate::from_der(der).ok())
}

/// A certificate's own window, both ends inclusive.
fn window(certificate: &Certificate) -> (UnixMillis, UnixMillis) {
    let (from, until) = certificate.validity_seconds();
    let millis = |seconds: u64| UnixMillis(seconds.saturating_mul(1_000));
    (millis(from), millis(until))
}

fn unreadable<'a>(file: &'a TrustFile, name: &str) -> Option<&'a (String, String)> {
    file.unreadable.iter().find(|(known, _)| known == name)
}

fn to_json(file: &TrustFile) -> Value {
    let time = |time: Option<UnixMillis>| Value::from(time.map(|time| time.to_string()));
    let certificate = |certificate: Certificate| {
        let (from, until) = window(&certificate);
        Value::object([
            ("subject", certificate.subject().into()),
            ("fingerprint", certificate.fingerprint().into()),
            ("from", from.to_string().into()),
            ("until", until.to_string().into()),
        ])
    };
    let key = |key: &TrustKey| {
        Value::object([
            ("name", key.name.as_str().into()),
            ("purpose", key.purpose.as_str().into()),
            ("key_id", key.public_key().map(|key| key.key_id().to_string()).into()),
            ("fingerprint", key.public_key().map(|key| key.fingerprint()).into()),
            ("certificates", Value::array(certificates(key).map(certificate))),
            ("agent_id", key.agent_id.as_ref().map(|agent| agent.to_string()).into()),
            ("issuer", Value::from(key.issuer.as_deref())),
            ("from", time(key.valid.from)),
            ("until", time(key.valid.until)),
            ("policies", Value::array(key.policies.iter().map(|oid| Value::from(oid.as_str())))),
            ("reference", Value::from(key.reference.as_deref())),
            ("readable", unreadable(file, &key.name).is_none().into()),
        ])
    };
    let log = |log: &LogKey| {
        Value::object([
            ("origin", log.vkey.name.as_str().into()),
            ("vkey", log.vkey.to_string().into()),
            ("fingerprint", log.vkey.key.fingerprint().into()),
            ("quorum", Value::from(quorum(log))),
        ])
    };
    Value::object([
        ("file", file.path.display().to_string().into()),
        ("digest", file.digest.into()),
        ("keys", Value::array(file.trust.keys().iter().map(key))),
        ("logs", Value::array(file.trust.logs().iter().map(log))),
    ])
}

/// Where the witness policy of a log is, if it asks for one.
fn quorum(log: &LogKey) -> Option<&str> {
    match &log.quorum {
        Quorum::None => None,
        Quorum::Policy(reference) => Some(reference),
    }
}

fn check(which: &Which, dir: &Path) -> Outcome {
    let file = load(which, dir)?;
    let mut report = Report::new(file.path.display().to_string());
    report.kind = "trust file".to_owned();
    report.trust_file = Some(file.path.display().to_string());
    report.trust_digest = Some(file.digest);
    report.count("keys", file.trust.keys().len() as u64);
    report.count("logs", file.trust.logs().len() as u64);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    for key in file.trust.keys() {
        for certificate in certificates(key) {
            let (from, until) = window(&certificate);
            let subject = certificate.subject();
            if until.0 < now {
                let detail = format!("the certificate {subject} is valid until {until}");
                report.push(Finding::new(Code::TrustExpired, key.name.as_str(), detail));
            }
            if from.0 > now {
                let detail = format!("the certificate {subject} is valid from {from}");
                report.push(Finding::new(Code::TrustNotYet, key.name.as_str(), detail));
            }
        }
        if let Some(until) = key.valid.until.filter(|until| until.0 <= now) {
            report.push(Finding::new(
                Code::TrustExpired,
                key.name.as_str(),
                format!("valid until {until}"),
            ));
        }
        if let Some(from) = key.valid.from.filter(|from| from.0 > now) {
            report.push(Finding::new(
                Code::TrustNotYet,
                key.name.as_str(),
                format!("valid from {from}"),
            ));
        }
    }
    for (name, cause) in &file.unreadable {
        report.note(format!("key {name}: {cause}; what it protects is not checked here"));
    }
    match which.format {
        Format::Json => output::json(&report.to_json())?,
        Format::Table => output::print(&report.to_table())?,
    }
    Ok(Exit::Evidence(report.exit_class()))
}

fn add(args: Add, dir: &Path) -> Outcome {
    let path = args.trust.clone().unwrap_or_else(|| dir.join(FILE_NAME));
    let existing = path.symlink_metadata().is_ok();
    let mut trust = if existing {
        let file = TrustFile::read(&path, None).map_err(super::trust_failure)?;
        // What is not readable could not be written back as it was.
        if let Some((name, cause)) = file.unreadable.first() {
            return Err(Failure::new(
                Exit::Config,
                format!("{}: key {name}: {cause}", path.display()),
            ));
        }
        file.trust
    } else {
        Trust::empty()
    };
    let refused = |error: record::trust::TrustError| Failure::new(Exit::Config, error.to_string());
    let what = if let Some(vkey) = &args.log {
        let vkey: seal::note::VerifierKey = vkey
            .trim()
            .parse()
            .map_err(|error| Failure::new(Exit::Usage, format!("--log: {error}")))?;
        let what = format!("log {} {}", vkey.name, vkey.key.fingerprint());
        let origin = vkey.name.clone();
        let quorum = match args.quorum.as_deref() {
            None | Some("none") => Quorum::None,
            Some(reference) if reference.starts_with("file:") => {
                Quorum::Policy(reference.to_owned())
            }
            Some(_) => {
                return Err(Failure::new(Exit::Usage, "--quorum: expected none or file:PATH"));
            }
        };
        trust.add_log(LogKey { vkey, quorum: quorum.clone() }).map_err(refused)?;
        if let Quorum::Policy(reference) = quorum {
            // Seen before the file is written: afterwards nothing could read it.
            let text = countersign::trustfile::resolve(&reference, &path)
                .map_err(|cause| Failure::new(Exit::Config, format!("{reference}: {cause}")))?;
            trust.set_policy(&origin, &text).map_err(refused)?;
        }
        what
    } else {
        let key = key_of(&args, &path)?;
        let fingerprint = match (key.verify_key(), key.certificates().last()) {
            (Some(key), _) => key.fingerprint().to_string(),
            (None, Some(root)) => Digest::of(root).to_string(),
            (None, None) => "(secret)".to_owned(),
        };
        let mut what = format!("{} {} {fingerprint}", key.purpose, key.name);
        for certificate in certificates(&key) {
            what.push_str(&format!(", {}", certificate.subject()));
        }
        trust.add_key(key).map_err(refused)?;
        // Seen before the file is written: afterwards nothing could read it.
        countersign::anchor::authorities(&trust).map_err(refused)?;
        what
    };
    let written = if existing {
        countersign::files::replace(&path, trust.to_yaml().as_bytes())
    } else {
        countersign::files::create(&path, trust.to_yaml().as_bytes(), false)
    };
    written.map_err(|error| {
        Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display()))
    })?;
    output::print(&format!("added {}\nto    {}\n", output::safe(&what), output::path(&path)))?;
    Ok(Exit::Ok)
}

fn key_of(args: &Add, trust_path: &Path) -> Result<TrustKey, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let purpose: Purpose = args
        .purpose
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| usage(format!("--purpose: {error}")))?;
    let time = |name: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => parse_rfc3339(text).map(Some).ok_or_else(|| {
            usage(format!("--{name}: {text:?} is not a time like 2027-01-31T00:00:00Z"))
        }),
    };
    let valid = Validity { from: time("from", &args.from)?, until: time("until", &args.until)? };
    let (agent_id, issuer) = match purpose {
        Purpose::Feed => (None, args.agent_id.clone()),
        _ => (args.agent_id.as_deref(), None),
    };
    let agent_id = agent_id
        .map(|id| id.parse().map_err(|error| usage(format!("--agent-id: {error}"))))
        .transpose()?;
    let key = match (&args.key, &args.reference) {
        (Some(path), _) if purpose == Purpose::Hmac => {
            return Err(usage(format!(
                "{}: a secret is never copied into the trust file; use --reference file:PATH",
                path.display()
            )));
        }
        (Some(path), _) if purpose == Purpose::Tsa => {
            let pem = output::read_text(path, 256 << 10)?;
            chain_of(&pem, &path.display().to_string())?
        }
        (Some(path), _) => {
            let pem = output::read_text(path, 64 << 10)?;
            KeyMaterial::from_pem(purpose, &pem).map_err(|error| {
                Failure::new(Exit::Input, format!("{}: {error}", path.display()))
            })?
        }
        (None, Some(reference)) => {
            let text = countersign::trustfile::resolve(reference, trust_path)
                .map_err(|cause| Failure::new(Exit::Config, format!("{reference}: {cause}")))?;
            if purpose == Purpose::Hmac {
                let secret = seal::hex::decode(text.trim()).ok_or_else(|| {
                    Failure::new(Exit::Input, format!("{reference}: not lower-case hex"))
                })?;
                KeyMaterial::Secret(seal::Zeroizing::new(secret))
            } else if purpose == Purpose::Tsa {
                chain_of(&text, reference)?
            } else {
                KeyMaterial::from_pem(purpose, &text)
                    .map_err(|error| Failure::new(Exit::Input, format!("{reference}: {error}")))?
            }
        }
        (None, None) => return Err(usage("give --key or --reference".to_owned())),
    };
    Ok(TrustKey {
        name: args.name.clone().unwrap_or_default(),
        purpose,
        key,
        reference: args.reference.clone(),
        agent_id,
        issuer,
        valid,
        policies: args.policy.clone(),
        types: args.types.clone(),
    })
}

fn chain_of(pem: &str, source: &str) -> Result<KeyMaterial, Failure> {
    let key = TrustKey::tsa(source, pem);
    key.map(|key| key.key).map_err(|error| Failure::new(Exit::Input, error.to_string()))
}
