//! What stands in the way of a statement, and the exit of each.

use std::path::Path;

use attest::files::FileError;
use collect::{ConfigError, FolderError, MakeError};
use record::report::ExitClass;

use crate::exit::{Exit, Failure};

/// A configuration that is none.
pub fn config_failure(path: &Path, error: &ConfigError) -> Failure {
    Failure::new(Exit::Config, format!("{}: {error}", path.display()))
}

/// A statement that was not made.
pub fn make(error: MakeError) -> Failure {
    let exit = match &error {
        MakeError::File { error: FileError::Missing, .. } => Exit::NoPath,
        MakeError::File { error: FileError::Outside | FileError::Special, .. }
        | MakeError::Path { .. }
        | MakeError::Twice { .. }
        | MakeError::Count { .. }
        | MakeError::Ambiguous(_)
        | MakeError::Unfit { .. }
        | MakeError::Invalid(_) => Exit::Config,
        MakeError::File { error: FileError::Size(_), .. }
        | MakeError::Eval(_)
        | MakeError::NotText(_)
        | MakeError::TooLong => Exit::Input,
        MakeError::Missing(_) => Exit::Evidence(ExitClass::Missing),
        // a file that cannot be read
        _ => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

/// A folder that was not read or written.
pub fn folder(error: FolderError) -> Failure {
    let exit = match &error {
        FolderError::Open { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
            Exit::NoPath
        }
        FolderError::Unusable { .. } => Exit::Input,
        // a folder that cannot be made, or does not take a file
        _ => Exit::CannotCreate,
    };
    Failure::new(exit, error.to_string())
}
