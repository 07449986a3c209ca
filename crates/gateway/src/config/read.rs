//! What is wrong with a configuration file, and where. A text from the file is repeated only where
//! it is a name: anything else may be a secret that was pasted into the wrong place.

use serde_saphyr::{Error, Options, options};

use super::{Config, ConfigError};
use super::{keys, problems};

/// YAML text to a configuration whose values are not yet judged. An empty document is the defaults.
pub(super) fn read(text: &str) -> Result<Config, ConfigError> {
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    let config =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| explain(&error))?;
    problems::unquoted(text)?;
    Ok(config)
}

/// A number or `true` is not a text: what the schema refuses, and what another reader may take for
/// something else, is refused here too.
pub(super) fn options() -> Options {
    options! { no_schema: true, strict_booleans: true }
}

fn explain(error: &Error) -> ConfigError {
    let error = error.without_snippet();
    let line = error.location().map_or(0, |location| location.line());
    let wrong = |what: String| ConfigError::Yaml { line, what };
    match error {
        Error::SerdeUnknownField { field, expected, .. } => ConfigError::UnknownKey {
            line,
            key: name(field),
            nearest: keys::nearest(field, expected),
        },
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            wrong(format!("{} is none of {}", name(variant), expected.join(", ")))
        }
        Error::SerdeMissingField { field, .. } => wrong(format!("{field} is missing here")),
        Error::DuplicateMappingKey { key, .. } => {
            wrong(format!("{} stands here twice", key.as_deref().map_or("a key".into(), name)))
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            wrong(format!("expected {expected}"))
        }
        other => {
            // The line is told already, and the first word of a reader's type to nobody.
            let said = other.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            match said {
                "invalid u32" | "invalid u64" => wrong("expected a whole number".to_owned()),
                // It repeats the value.
                said if said.ends_with("must be quoted") => {
                    wrong("expected a text: put it between quotes".to_owned())
                }
                said => wrong(said.to_owned()),
            }
        }
    }
}

/// A text that looks like a name of the file.
fn name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !text.is_empty() && text.len() <= 32 && text.chars().all(plain) {
        format!("`{text}`")
    } else {
        format!("a text of {} bytes", text.len())
    }
}
