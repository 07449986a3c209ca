//! The only home of exit numbers.

use std::process::ExitCode;

use record::report::ExitClass;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well; a scan was clean.
    Ok,
    /// A scan found something doubtful.
    Suspicious,
    /// A scan found an attack.
    Malicious,
    /// What the evidence says.
    Evidence(ExitClass),
    /// The arguments are wrong.
    Usage,
    /// Input that is not evidence cannot be used.
    Input,
    /// PATH does not exist.
    NoPath,
    /// A service is unreachable.
    Unavailable,
    /// A fault of this program.
    Internal,
    /// A file cannot be created.
    CannotCreate,
    /// Reading or writing failed.
    Io,
    /// The configuration, trust or policy file is wrong.
    Config,
}

impl Exit {
    /// The number the shell sees.
    pub fn number(self) -> u8 {
        match self {
            Exit::Ok | Exit::Evidence(ExitClass::Ok) => 0,
            Exit::Suspicious => 1,
            Exit::Malicious => 2,
            Exit::Evidence(ExitClass::Missing) => 10,
            Exit::Evidence(ExitClass::Untrusted) => 11,
            Exit::Evidence(ExitClass::Tampered) => 12,
            Exit::Evidence(ExitClass::Violated) => 13,
            Exit::Evidence(ExitClass::Malformed) => 14,
            Exit::Usage => 64,
            Exit::Input => 65,
            Exit::NoPath => 66,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::CannotCreate => 73,
            Exit::Io => 74,
            Exit::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// A command that could not do its work: what to tell, and the exit.
#[derive(Debug)]
pub struct Failure {
    /// The exit.
    pub exit: Exit,
    /// Lower case: what was expected, what came, what to do.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// A failure of reading or writing `path`, told apart by its kind.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind;
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NoPath,
            ErrorKind::AlreadyExists => Exit::CannotCreate,
            _ => Exit::Io,
        };
        Failure::new(exit, format!("{}: {error}", path.display()))
    }
}

/// What every command returns.
pub type Outcome = Result<Exit, Failure>;
