//! Keys for the HMACs of audit lines, as a command takes them.

use std::path::{Path, PathBuf};

use record::entry::Keyring;
use seal::Zeroizing;
use seal::json::{self, Limits, Value};

use crate::exit::{Exit, Failure};
use crate::output;

/// Shorter secrets can be guessed.
const SHORTEST: usize = 16;

/// Options that name HMAC keys, for this command only.
#[derive(Debug, Default, clap::Args)]
pub struct HmacKeys {
    /// A key for the HMACs of audit lines, in this command only: ID=file:PATH, ID=env:NAME or
    /// ID=HEX (visible to every user of the machine)
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
            let text = Zeroizing::new(output::read_text(path, 1 << 20)?);
            keyring(&text, path, &mut ring)
                .map_err(|why| Failure::new(Exit::Config, format!("{}: {why}", path.display())))?;
        }
        for argument in &self.hmac_keys {
            let usage = |why: String| Failure::new(Exit::Usage, format!("--hmac-key: {why}"));
            let (id, source) = pair(argument).map_err(usage)?;
            if !is_reference(source) {
                output::complain(
                    "--hmac-key: a secret on the command line is visible to every user of this machine; use file: or env:",
                );
            }
            // Paths on the command line are relative to where it is given.
            add(&mut ring, id, source, Path::new(".")).map_err(usage)?;
        }
        Ok(ring)
    }
}

/// The keys of a keyring file.
fn keyring(text: &str, path: &Path, ring: &mut Keyring) -> Result<(), String> {
    if text.trim_start().starts_with('{') {
        let value = json::parse(text.as_bytes(), Limits::DOCUMENT).map_err(|e| e.to_string())?;
        for (id, secret) in value.as_object().unwrap_or_default() {
            let Value::String(source) = secret else {
                return Err(format!("the secret of {id:?} is not a string"));
            };
            add(ring, id, source, path)?;
        }
        return Ok(());
    }
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let told = |why| format!("line {}: {why}", number + 1);
        let (id, source) = pair(line).map_err(told)?;
        add(ring, id, source, path).map_err(told)?;
    }
    Ok(())
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    let (id, source) =
        text.split_once('=').ok_or("expected ID=file:PATH, ID=env:NAME or ID=HEX")?;
    Ok((id.trim(), source.trim()))
}

fn is_reference(source: &str) -> bool {
    source.starts_with("file:") || source.starts_with("env:")
}

/// Adds a key; nothing it says holds the secret.
fn add(ring: &mut Keyring, id: &str, source: &str, beside: &Path) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
    if id.is_empty() || !id.bytes().all(fits) {
        return Err(format!("key id {id:?}: expected letters, digits and _ . : -"));
    }
    if ring.has(id) {
        return Err(format!("key {id} is given twice"));
    }
    let text = match is_reference(source) {
        true => countersign::trustfile::resolve(source, beside)
            .map_err(|cause| format!("{source}: {cause}"))?,
        false => source.to_owned(),
    };
    let text = Zeroizing::new(text);
    let secret = seal::hex::decode(text.trim())
        .ok_or_else(|| format!("the secret of {id} is not lower-case hex"))?;
    let secret = Zeroizing::new(secret);
    if secret.len() < SHORTEST {
        return Err(format!("the secret of {id} is shorter than {SHORTEST} bytes"));
    }
    ring.insert(id, secret);
    Ok(())
}
