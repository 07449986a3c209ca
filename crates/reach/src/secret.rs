//! A secret that a program tells: `command:PROGRAM ARGUMENTS…` beside `file:` and `env:`.
//!
//! The program is run once, at a start, never while a request waits. No shell comes between:
//! [`words`] says how the text becomes arguments. Standard input is empty, standard error is thrown
//! away, and no error holds anything the program printed.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use seal::Zeroizing;

/// What the reference begins with.
pub const PREFIX: &str = "command:";
/// How long a program may take.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Most bytes it may print.
pub const LIMIT: usize = 64 << 10;

/// Why a program told no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// No program is named.
    #[error("expected command: and a program with its arguments")]
    Empty,
    /// A quote has no other end.
    #[error("a quote is not closed; '…' and \"…\" keep what is inside as it is")]
    Quote,
    /// It cannot be started.
    #[error("{program} cannot be started: {cause}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It ended with an error.
    #[error("{program} ended with {status}; run it by hand to see why")]
    Status {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
    },
    /// It took too long.
    #[error("{program} took longer than {} seconds and was ended", DEADLINE.as_secs())]
    Late {
        /// The program.
        program: String,
    },
    /// It printed too much.
    #[error("{program} printed more than {LIMIT} bytes, which is no secret")]
    Long {
        /// The program.
        program: String,
    },
    /// It printed nothing, or what is not text.
    #[error("{program} printed no text")]
    Nothing {
        /// The program.
        program: String,
    },
}

/// The arguments of a command: words between spaces and tabs. `'…'` and `"…"`, also inside a word,
/// keep what they hold as it is; nothing is escaped and nothing is expanded.
pub fn words(command: &str) -> Result<Vec<String>, SecretError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(SecretError::Quote);
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) { Err(SecretError::Empty) } else { Ok(words) }
}

/// Runs the command (without [`PREFIX`]) and returns what it printed, without the newline at its
/// end.
pub fn read(command: &str) -> Result<Zeroizing<String>, SecretError> {
    read_within(command, DEADLINE)
}

fn read_within(command: &str, deadline: Duration) -> Result<Zeroizing<String>, SecretError> {
    let words = words(command)?;
    let (program, arguments) = words.split_first().ok_or(SecretError::Empty)?;
    let named = || program.clone();
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|cause| SecretError::Start { program: named(), cause })?;
    let (give, printed) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        // Beside, because a pipe has no deadline. A process that the program left behind may hold
        // the pipe open for longer; this thread then ends with it.
        thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
            let read = pipe.take(LIMIT as u64 + 1).read_to_end(&mut bytes);
            let _ = give.send(read.map(|_| bytes));
        });
    }
    let printed = printed.recv_timeout(deadline);
    let too_long = matches!(&printed, Ok(Ok(bytes)) if bytes.len() > LIMIT);
    let status = loop {
        let left = deadline.checked_sub(began.elapsed());
        match (child.try_wait(), left) {
            (Ok(Some(status)), _) => break Some(status),
            (Ok(None), Some(_)) if printed.is_ok() && !too_long => {
                thread::sleep(Duration::from_millis(5));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    let bytes = match (printed, status) {
        _ if too_long => return Err(SecretError::Long { program: named() }),
        (_, Some(status)) if !status.success() => {
            return Err(SecretError::Status { program: named(), status: status.to_string() });
        }
        (Ok(Ok(bytes)), Some(_)) => bytes,
        (Ok(Err(_)), Some(_)) => return Err(SecretError::Nothing { program: named() }),
        (Err(_), _) | (_, None) => return Err(SecretError::Late { program: named() }),
    };
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.is_empty() {
        true => Err(SecretError::Nothing { program: named() }),
        false => Ok(Zeroizing::new(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_without_a_shell() {
        for (text, expected) in [
            ("vault read -field=x", &["vault", "read", "-field=x"][..]),
            ("  a\t'b c'\"d e\"f ''", &["a", "b cd ef", ""]),
            ("a $HOME * ; | `b` \\n", &["a", "$HOME", "*", ";", "|", "`b`", "\\n"]),
            ("\"it's\"", &["it's"]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        assert!(matches!(words("a 'b"), Err(SecretError::Quote)));
        for empty in ["", "  ", "'' a"] {
            assert!(matches!(words(empty), Err(SecretError::Empty)), "{empty:?}");
        }
    }

    #[test]
    fn what_a_program_prints_is_the_secret() {
        let said = |command: &str| read(command).map(|secret| secret.to_string());
        assert_eq!(said("printf 's3cret\\n'").unwrap(), "s3cret");
        assert_eq!(said("printf 's3cret\\r\\n'").unwrap(), "s3cret");
        assert_eq!(said("printf ' a b\\n\\n'").unwrap(), " a b\n");
        assert_eq!(said("echo $HOME").unwrap(), "$HOME");
    }

    #[test]
    fn a_program_that_fails_tells_nothing_of_what_it_printed() {
        for (command, part) in [
            ("sh -c 'echo s3cret; echo s3cret >&2; exit 3'", "exit status: 3"),
            ("true", "printed no text"),
            ("printf '\\377'", "printed no text"),
            ("/nowhere/at/all s3cret", "cannot be started"),
            ("head -c 70000 /dev/zero", "more than"),
            ("cat /dev/zero", "more than"),
        ] {
            let error = read(command).unwrap_err().to_string();
            assert!(error.contains(part), "{command}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        let slow = |command| read_within(command, Duration::from_millis(50)).unwrap_err();
        for command in ["sleep 60", "sh -c 'echo s3cret; exec >&-; sleep 60'"] {
            assert!(matches!(slow(command), SecretError::Late { .. }), "{command}");
        }
    }
}
