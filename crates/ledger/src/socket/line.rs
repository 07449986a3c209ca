//! One end of a connection: whole messages, within limits and deadlines.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::wire::HEADER;

/// A connected stream that counts what it reads.
pub(super) struct Line {
    stream: UnixStream,
    read: Arc<AtomicU64>,
}

/// Why no message was read or written.
#[derive(Debug)]
pub(super) enum Lost {
    /// The other side hung up between two messages.
    Ended,
    /// It hung up within one, did not speak or listen in time, or the system failed.
    Broken,
}

impl Line {
    /// `read` is added to with every byte that comes in.
    pub fn new(stream: UnixStream, read: Arc<AtomicU64>) -> io::Result<Line> {
        stream.set_write_timeout(Some(WRITE))?;
        Ok(Line { stream, read })
    }

    /// The account at the other end.
    pub fn peer(&self) -> io::Result<u32> {
        Ok(rustix::net::sockopt::socket_peercred(&self.stream)?.uid.as_raw())
    }

    /// The type and length of the next message, which may take so long to begin.
    pub fn header(&mut self, patience: Duration) -> Result<(u8, usize), Lost> {
        let mut header = [0u8; HEADER];
        let count = self.some(&mut header, Instant::now() + patience)?;
        if count == 0 {
            return Err(Lost::Ended);
        }
        self.all(header.get_mut(count..).unwrap_or_default(), Instant::now() + WHOLE)?;
        let [a, b, c, d, kind] = header;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        Ok((kind, length))
    }

    /// The content of a message. Memory grows with what comes, not with what was announced.
    pub fn content(&mut self, length: usize) -> Result<Vec<u8>, Lost> {
        let until = Instant::now() + WHOLE;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let at = bytes.len();
            bytes.resize(length.min(at + at.max(CHUNK)), 0);
            self.all(bytes.get_mut(at..).unwrap_or_default(), until)?;
        }
        Ok(bytes)
    }

    /// Reads the content of a message and keeps nothing of it.
    pub fn skip(&mut self, mut length: usize) -> Result<(), Lost> {
        let until = Instant::now() + WHOLE;
        let mut buffer = vec![0; CHUNK];
        while length > 0 {
            let part = length.min(CHUNK);
            self.all(buffer.get_mut(..part).unwrap_or_default(), until)?;
            length -= part;
        }
        Ok(())
    }

    /// Sends a message.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Lost> {
        self.stream.write_all(message).map_err(|_| Lost::Broken)
    }

    fn all(&mut self, mut buffer: &mut [u8], until: Instant) -> Result<(), Lost> {
        while !buffer.is_empty() {
            match self.some(buffer, until)? {
                0 => return Err(Lost::Broken),
                count => buffer = buffer.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// One read; 0 is the end.
    fn some(&mut self, buffer: &mut [u8], until: Instant) -> Result<usize, Lost> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return Err(Lost::Broken);
            }
            match self.stream.read(buffer) {
                Ok(count) => {
                    self.read.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Lost::Broken),
            }
        }
    }
}

/// A message that began must be whole within this time.
const WHOLE: Duration = Duration::from_secs(10);
/// So long may the other side not read.
const WRITE: Duration = Duration::from_secs(10);
/// Memory is taken in steps that begin with this.
const CHUNK: usize = 64 * 1024;
