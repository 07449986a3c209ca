//! Where an export goes.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

/// Standard output, or a file that is new.
pub enum Out {
    /// Standard output, and whether its reader is still there.
    Stdout(BufWriter<std::io::Stdout>, bool),
    /// A file.
    File(BufWriter<File>, PathBuf),
}

impl Out {
    /// Opens it. An existing file is never overwritten; it is continued only where that is asked.
    pub fn open(path: Option<&Path>, go_on: bool) -> Result<Out, Failure> {
        let Some(path) = path else {
            return Ok(Out::Stdout(BufWriter::new(std::io::stdout()), true));
        };
        let mut options = OpenOptions::new();
        match go_on {
            true => options.append(true).create(true),
            false => options.write(true).create_new(true),
        };
        let file = options.open(path).map_err(|error| {
            Failure::new(Exit::CannotCreate, format!("{}: {error}", path.display()))
        })?;
        Ok(Out::File(BufWriter::new(file), path.to_path_buf()))
    }

    /// Ends a line that a full disk or a crash left unfinished in a file that is continued; what is
    /// on it comes again.
    pub fn end_line(&mut self) -> Result<(), Failure> {
        let Out::File(out, path) = self else { return Ok(()) };
        let last = || {
            let mut file = File::open(&*path)?;
            let mut last = [b'\n'];
            if file.metadata()?.len() > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            Ok(last == [b'\n'])
        };
        let ended = match out.get_ref().metadata().map(|meta| meta.is_file()) {
            Ok(true) => last(),
            other => other.map(|_| true),
        };
        match ended {
            Ok(true) => Ok(()),
            Ok(false) => out.write_all(b"\n").map_err(|error| Failure::io(path, &error)),
            Err(error) => Err(Failure::io(path, &error)),
        }
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Out::Stdout(out, open) => unless_closed(out.write_all(bytes), open),
            Out::File(out, path) => out.write_all(bytes).map_err(|error| Failure::io(path, &error)),
        }
    }

    /// Hands everything on; into a file durably, since a state may say that it is there.
    pub fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Out::Stdout(out, open) => unless_closed(out.flush(), open),
            Out::File(out, path) => {
                let synced = out.flush().and_then(|()| out.get_ref().sync_all());
                synced.map_err(|error| Failure::io(path, &error))
            }
        }
    }

    /// The end.
    pub fn close(mut self) -> Result<(), Failure> {
        self.flush()
    }

    /// Whether nobody reads any longer.
    pub fn is_closed(&self) -> bool {
        matches!(self, Out::Stdout(_, false))
    }
}

/// A reader that went away (`| head`) is no failure.
fn unless_closed(written: std::io::Result<()>, open: &mut bool) -> Result<(), Failure> {
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            *open = false;
            Ok(())
        }
        Err(error) => Err(Failure::new(Exit::Io, format!("standard output: {error}"))),
    }
}

/// Whether a file or directory is, lies in, or would lie in a directory.
pub fn lies_below(file: &Path, directory: &Path) -> bool {
    // What is not there yet lies where the first of its parents does that is.
    let there = file.ancestors().find_map(|path| match path.as_os_str().is_empty() {
        true => Path::new(".").canonicalize().ok(),
        false => path.canonicalize().ok(),
    });
    match (there, directory.canonicalize()) {
        (Some(there), Ok(directory)) => there.starts_with(directory),
        _ => false,
    }
}
