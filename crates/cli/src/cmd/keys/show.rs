//! `countersign keys show`.

use std::path::{Path, PathBuf};

use countersign::Verifier;
use countersign::trustfile::{FILE_NAME, TrustFile};
use record::keychange::History;
use record::trust::{KeyMaterial, Purpose, Trust, TrustKey};
use seal::json::Value;
use seal::{PublicKey, SecretKey};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

/// One key: of a file, of the trust file, or both.
#[derive(Default)]
struct Row {
    file: Option<PathBuf>,
    public: Option<PublicKey>,
    id: String,
    /// Where the trust file has it, from 1.
    trusted: Option<usize>,
    purpose: Option<String>,
    /// As the trust file says it.
    name: Option<String>,
    valid: String,
    agent: Option<String>,
    story: Option<String>,
    history: Option<Value>,
    state: &'static str,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let keys = dir.join(".countersign").join("keys");
    let entries = std::fs::read_dir(&keys).map_err(|error| Failure::io(&keys, &error))?;
    let path = dir.join(FILE_NAME);
    let file = match path.exists() {
        true => Some(TrustFile::read(&path, None).map_err(super::super::trust_failure)?),
        false => None,
    };
    let ledger = super::super::ledger_of(dir);
    let history = match ledger.exists() {
        true => Verifier::new()
            .trust_file(file.clone())
            .key_history(&ledger)
            .map_err(super::super::verify::failure)?,
        false => None,
    };
    let trust = file.map(|file| file.trust).unwrap_or_default();
    let history = history.unwrap_or_else(|| History::new(&trust, None));

    let mut rows: Vec<(String, Row)> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::io(&keys, &error))?.path();
        let Some(row) = of_file(&path)? else { continue };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        rows.push((name, row));
    }
    // The file in use comes before the copies of those before it.
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    for (at, key) in trust.keys().iter().enumerate() {
        add_trusted(&mut rows, at + 1, key);
    }
    for (at, log) in trust.logs().iter().enumerate() {
        let known = rows.iter_mut().find(|(_, row)| row.public.as_ref() == Some(&log.vkey.key));
        if let Some((_, row)) = known {
            row.trusted = Some(at + 1);
            row.purpose = Some("log".to_owned());
            row.name = Some(log.vkey.name.clone());
            row.state = "in force";
        }
    }
    for (_, row) in &mut rows {
        add_history(row, &history);
    }
    match args.format {
        Format::Table => output::print(&table(&rows))?,
        Format::Json => {
            output::json(&Value::array(rows.iter().map(|(name, row)| row.to_json(name, &trust))))?;
        }
    }
    Ok(Exit::Ok)
}

/// A private file; secrets are known by their id alone.
fn of_file(path: &Path) -> Result<Option<Row>, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("pem") => {
            let text = output::read_text(path, 64 << 10)?;
            let key = SecretKey::from_pem(&text).map_err(|error| {
                Failure::new(Exit::Config, format!("{}: {error}", path.display()))
            })?;
            let public = seal::Signer::public(&key).clone();
            let id = public.key_id().to_string();
            let file = Some(path.to_path_buf());
            Ok(Some(Row { file, public: Some(public), id, state: "not trusted", ..Row::default() }))
        }
        Some("hex") => Ok(stem.strip_prefix("hmac-").map(|id| Row {
            file: Some(path.to_path_buf()),
            id: id.to_owned(),
            purpose: Some(Purpose::Hmac.to_string()),
            state: "not trusted",
            ..Row::default()
        })),
        _ => Ok(None),
    }
}

/// A key of the trust file: said of the file that has it, or a row of its own.
fn add_trusted(rows: &mut Vec<(String, Row)>, at: usize, key: &TrustKey) {
    let is_it = |row: &Row| match &key.key {
        KeyMaterial::Public(public) => row.public.as_ref() == Some(public),
        KeyMaterial::Secret(_) => row.public.is_none() && row.file.is_some() && row.id == key.name,
        KeyMaterial::Ecdsa(_) | KeyMaterial::Certificates(_) => false,
    };
    let mut any = false;
    for (_, row) in rows.iter_mut().filter(|(_, row)| is_it(row)) {
        any = true;
        say(row, at, key);
    }
    if !any {
        let id = match &key.key {
            KeyMaterial::Public(public) => public.key_id().to_string(),
            KeyMaterial::Secret(_) => key.name.clone(),
            KeyMaterial::Ecdsa(key) => key.key_id().to_string(),
            KeyMaterial::Certificates(_) => "-".to_owned(),
        };
        let mut row = Row { public: key.public_key().cloned(), id, ..Row::default() };
        say(&mut row, at, key);
        rows.push((key.name.clone(), row));
    }
}

fn say(row: &mut Row, at: usize, key: &TrustKey) {
    let time = |at: Option<seal::time::UnixMillis>| at.map_or("-".to_owned(), |at| at.to_string());
    row.trusted = Some(at);
    row.purpose = Some(key.purpose.to_string());
    row.name = Some(key.name.clone());
    row.agent = key.agent_id.as_ref().map(ToString::to_string);
    if key.valid.from.is_some() || key.valid.until.is_some() {
        row.valid = format!("{} to {}", time(key.valid.from), time(key.valid.until));
    }
    row.state = "in force";
}

/// What the ledger says of it.
fn add_history(row: &mut Row, history: &History) {
    let known = history.all().find(|known| {
        let secret = known.purpose == Purpose::Hmac;
        known.id == row.id && secret == row.public.is_none()
    });
    let Some(known) = known else { return };
    row.purpose = Some(known.purpose.to_string());
    row.name.get_or_insert_with(|| known.name.clone());
    row.story = Some(known.story());
    row.history = Some(known.to_json());
    row.state = match &known.gone {
        None => "in force",
        Some(gone) if gone.revoked => "revoked",
        Some(_) => "replaced",
    };
    if row.agent.is_none() {
        let id = row.public.as_ref().map(PublicKey::key_id);
        let key = id.and_then(|id| history.trust().find(known.purpose, &id));
        row.agent = key.and_then(|key| key.agent_id.as_ref()).map(ToString::to_string);
    }
}

fn table(rows: &[(String, Row)]) -> String {
    let mut out = String::new();
    for (name, row) in rows {
        let print =
            row.public.as_ref().map_or_else(|| "-".to_owned(), |key| key.fingerprint().to_string());
        let said = row.story.clone().unwrap_or_else(|| match row.trusted {
            Some(at) if row.valid.is_empty() => format!("trust file, number {at}"),
            Some(at) => format!("trust file, number {at}, valid {}", row.valid),
            None => "not in the trust file, and not in the ledger".to_owned(),
        });
        out += &format!(
            "{:<27} {:<12} {:<16}  {:<11}  {}\n{:<27} {print}\n",
            output::safe(name),
            row.purpose.as_deref().unwrap_or("-"),
            output::safe(&row.id),
            row.state,
            output::safe(&said),
            "",
        );
    }
    out
}

impl Row {
    fn to_json(&self, name: &str, trust: &Trust) -> Value {
        let text = |text: &Option<String>| Value::from(text.as_deref());
        Value::object([
            ("name", Value::from(name)),
            ("file", self.file.as_ref().map(|file| file.display().to_string()).into()),
            ("key_id", self.id.as_str().into()),
            ("fingerprint", self.public.as_ref().map(|key| key.fingerprint().to_string()).into()),
            ("public_key", self.public.as_ref().map(PublicKey::to_pem).into()),
            ("purpose", text(&self.purpose)),
            ("agent_id", text(&self.agent)),
            ("state", self.state.into()),
            ("trust_name", text(&self.name)),
            ("trust_number", self.trusted.map(|at| at as u64).into()),
            ("trust_digest", trust.digest().map(|digest| digest.to_string()).into()),
            ("valid", (!self.valid.is_empty()).then_some(self.valid.as_str()).into()),
            ("ledger", self.history.clone().unwrap_or(Value::Null)),
        ])
    }
}
