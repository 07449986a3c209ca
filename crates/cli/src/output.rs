//! What goes to the terminal: text from outside is escaped, colour only for people.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use seal::json::{Value, write_pretty};

use crate::exit::{Exit, Failure};

/// How a command prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// Prints text on standard output. A reader that went away (`| head`) is no failure: the verdict
/// still is the exit.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') || text.is_empty() { Ok(()) } else { out.write_all(b"\n") }
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, format!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Sends what is told while serving to standard error, as much as COUNTERSIGN_LOG asks for.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Prints a value as JSON that people can read.
pub fn json(value: &Value) -> Result<(), Failure> {
    print(&inert(&write_pretty(value)))
}

/// JSON text in which nothing moves a cursor or hides.
pub fn inert(json: &str) -> String {
    seal::escape::json(json)
}

/// A line on standard error; a closed one is no reason to stop.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "countersign: {text}");
}

/// Text from outside, safe for a terminal.
pub fn safe(text: &str) -> String {
    seal::escape::terminal(text)
}

/// A path, safe for a terminal.
pub fn path(path: &Path) -> String {
    safe(&path.display().to_string())
}

/// Whether standard output is a terminal for people.
pub fn on_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// `text` in a colour, on a terminal only.
pub fn paint(text: &str, good: bool) -> String {
    if on_terminal() && std::env::var_os("NO_COLOR").is_none() {
        let colour = if good { "32" } else { "31" };
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// The text of a file, or of standard input for `-`.
pub fn read_input(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::io(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::new(
            Exit::Input,
            format!("{}: more than {limit} bytes", path.display()),
        ));
    }
    Ok(bytes)
}

/// Text of a file, which must be UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    String::from_utf8(read_input(path, limit)?)
        .map_err(|_| Failure::new(Exit::Input, format!("{}: not UTF-8 text", path.display())))
}

/// Creates a file that must not exist yet; secrets are readable by their owner alone.
pub fn create(path: &Path, bytes: &[u8], secret: bool) -> Result<(), Failure> {
    countersign::files::create(path, bytes, secret).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            Failure::new(
                Exit::CannotCreate,
                format!("{} exists and is never overwritten; choose another name", path.display()),
            )
        } else {
            Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inert_json_is_the_same_document() {
        let hostile = Value::from("a\u{1b}[31m\u{202e}\u{9b}\u{e0041}\\ é \u{1f511}\"");
        let text = inert(&write_pretty(&hostile));
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text}");
        assert!(!text.contains('\u{202e}') && text.contains('é'), "{text}");
        let limits = seal::json::Limits::DOCUMENT;
        assert_eq!(seal::json::parse(text.as_bytes(), limits), Ok(hostile));
    }
}
