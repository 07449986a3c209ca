//! What a ledger holds, in the formats other systems read: OCSF, ECS, CEF and RFC 5424.
//!
//! An [`Event`] is what all of them tell of one audit entry or decision receipt; nothing is in it
//! that the entry does not hold. How each format spells it: `docs/operating/siem.md`.

mod cef;
mod ecs;
mod event;
mod ocsf;
mod syslog;

use std::str::FromStr;

use record::report::ExitClass;
use seal::Zeroizing;
use seal::json::{Value, write_plain};

pub use event::{Event, Place, Severity};

/// A format of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OCSF 1.5.0, one JSON object a line: API Activity (6003) for what went through, Detection
    /// Finding (2004) for what was refused, redacted or escalated.
    Ocsf,
    /// Elastic Common Schema 8.11, one JSON object a line.
    Ecs,
    /// ArcSight Common Event Format, `CEF:0`, one event a line.
    Cef,
    /// Syslog messages of RFC 5424 with structured data.
    Syslog,
}

/// The text names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format of events; use ocsf, ecs, cef or syslog")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "ocsf" => Ok(Format::Ocsf),
            "ecs" => Ok(Format::Ecs),
            "cef" => Ok(Format::Cef),
            "syslog" => Ok(Format::Syslog),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

/// The private enterprise number of RFC 5612, which is for documentation: a placeholder for that of
/// whoever runs this.
pub const ENTERPRISE: u32 = 32_473;

/// How events are spelled.
#[derive(Clone)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// Syslog: the name of this host; none is written without.
    pub hostname: Option<String>,
    /// Syslog: the private enterprise number in the id of the structured data.
    pub enterprise: u32,
    /// Syslog: each message behind its length (RFC 6587, octet counting) instead of before a
    /// newline.
    pub octet_counting: bool,
}

impl Style {
    /// A format with everything else as it is without options.
    pub fn of(format: Format) -> Style {
        Style { format, hostname: None, enterprise: ENTERPRISE, octet_counting: false }
    }

    /// One event with its framing, ready to be written.
    pub fn frame(&self, event: &Event) -> Vec<u8> {
        let mut text = match self.format {
            Format::Ocsf => json(&ocsf::value(event)),
            Format::Ecs => json(&ecs::value(event)),
            Format::Cef => cef::line(event),
            Format::Syslog => syslog::message(event, self),
        };
        if self.format == Format::Syslog && self.octet_counting {
            text.insert_str(0, &format!("{} ", text.len()));
        } else {
            text.push('\n');
        }
        text.into_bytes()
    }
}

/// Names for owners that say nothing, the same for the same owner under one secret.
pub struct Pseudonyms(Zeroizing<Vec<u8>>);

impl Pseudonyms {
    /// Shortest secret, bytes: shorter ones can be guessed, and then so can the owners.
    pub const SHORTEST: usize = 16;

    /// Pseudonyms under a secret; `None` when it is too short.
    pub fn new(secret: Zeroizing<Vec<u8>>) -> Option<Pseudonyms> {
        (secret.len() >= Pseudonyms::SHORTEST).then_some(Pseudonyms(secret))
    }

    fn of(&self, owner: &str) -> String {
        let message = [b"countersign-export-owner/v1\0", owner.as_bytes()].concat();
        let mac = seal::mac::hmac_sha256(&self.0, &message);
        format!("owner_{}", seal::hex::encode(&mac[..8]))
    }
}

/// What an export that met this damage ends with: what `verify` would say of it alone.
pub fn class_of(damage: &ledger::Damage) -> ExitClass {
    crate::verify::ledger::finding(damage).code.exit()
}

fn json(value: &Value) -> String {
    seal::escape::json(&write_plain(value))
}

/// An object of the members that say something.
fn object(members: Vec<(&str, Value)>) -> Value {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let kept = members.into_iter().filter(|(_, value)| says(value));
    Value::Object(kept.map(|(name, value)| (name.to_owned(), value)).collect())
}
