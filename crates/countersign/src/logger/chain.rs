//! The chain file: one writer, one synced write a receipt, torn tails set aside.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use record::chainfile;
use record::receipt::{self, SignedReceipt};
use seal::Digest;

use super::{OpenError, RecordError, Sink};
use crate::files;

/// Longest line read, bytes.
const LINE_LIMIT: u64 = 128 << 10;

/// A chain file open for appending. Holds the file's lock.
pub(super) struct ChainFile {
    file: File,
    path: PathBuf,
    /// Length of what is durable.
    len: u64,
    /// A write failed and could not be taken back.
    broken: bool,
}

impl ChainFile {
    /// Opens the file, shows every receipt in it, and sets a torn last line aside.
    pub(super) fn open(
        path: &Path,
        visit: &mut dyn FnMut(SignedReceipt),
    ) -> Result<ChainFile, OpenError> {
        let failed = |error| OpenError::File { path: path.to_path_buf(), error };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: path.to_path_buf() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut chain = ChainFile { file, path: path.to_path_buf(), len: 0, broken: false };
        let torn = chain.replay(visit)?;
        if let Some(torn) = torn {
            chain.set_aside(&torn).map_err(failed)?;
        }
        chain.file.sync_all().map_err(failed)?;
        files::sync_directory_of(path).map_err(failed)?;
        chain.file.seek(SeekFrom::Start(chain.len)).map_err(failed)?;
        Ok(chain)
    }

    /// Reads the whole lines; what comes after the last newline is given back. A last line that
    /// only lacks its newline is torn too: its write was never acknowledged.
    fn replay(
        &mut self,
        visit: &mut dyn FnMut(SignedReceipt),
    ) -> Result<Option<Vec<u8>>, OpenError> {
        let failed = |error| OpenError::File { path: self.path.clone(), error };
        let mut reader = BufReader::new(&self.file);
        let mut number = 0u64;
        loop {
            let mut line = Vec::new();
            let read = io::Read::take(&mut reader, LINE_LIMIT + 1)
                .read_until(b'\n', &mut line)
                .map_err(failed)?;
            if read == 0 {
                return Ok(None);
            }
            number += 1;
            let damaged = |finding: String| OpenError::Damaged {
                path: self.path.clone(),
                place: format!("line {number}"),
                finding,
            };
            if line.last() != Some(&b'\n') {
                if line.len() as u64 > LINE_LIMIT {
                    return Err(damaged(format!("the line is longer than {LINE_LIMIT} bytes")));
                }
                return Ok(Some(line));
            }
            self.len += read as u64;
            let text = std::str::from_utf8(&line).map_err(|_| damaged("not UTF-8".to_owned()))?;
            if text.trim().is_empty() {
                continue;
            }
            let (hash, jws) = chainfile::parse_line(text.trim_end_matches(['\n', '\r']))
                .map_err(|finding| damaged(finding.to_string()))?;
            let signed = receipt::read(&jws).map_err(|findings| {
                damaged(findings.first().map(ToString::to_string).unwrap_or_default())
            })?;
            if signed.hash != hash {
                return Err(damaged("the receipt hash differs from the receipt".to_owned()));
            }
            visit(signed);
        }
    }

    /// Keeps the torn bytes beside the file, then cuts them off. In this order: a crash between
    /// the two leaves both, and the next opening finds the copy already made.
    fn set_aside(&mut self, torn: &[u8]) -> io::Result<()> {
        let digest = Digest::of(torn).hex();
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".torn-{}", digest.get(..12).unwrap_or("")));
        match files::create(Path::new(&name), torn, true) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.file.set_len(self.len)?;
        self.file.sync_all()
    }
}

impl Sink for ChainFile {
    fn append(&mut self, receipt: &SignedReceipt) -> Result<(), RecordError> {
        if self.broken {
            return Err(RecordError::Store(format!(
                "an earlier write to {} failed and could not be taken back; open it again",
                self.path.display()
            )));
        }
        let mut line = chainfile::write_line(receipt);
        if !line.ends_with('\n') {
            line.push('\n');
        }
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // After a failed sync nobody knows what is on disk: cut back, or take no more.
            let back = self
                .file
                .set_len(self.len)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.len)))
                .and_then(|_| self.file.sync_all());
            self.broken = back.is_err();
            return Err(RecordError::Store(format!("{}: {error}", self.path.display())));
        }
        self.len += line.len() as u64;
        Ok(())
    }
}
