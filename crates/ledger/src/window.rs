//! A moving view of one file: bounded memory, whatever the file's length.

use std::io;

use crate::store::Source;

/// How much is read at a time. A longer frame widens the view for as long as it is looked at.
const STEP: usize = 256 * 1024;

pub(crate) struct Window {
    name: String,
    /// Length when the view was opened; what a live writer adds later is not looked at.
    length: u64,
    /// Offset of `bytes[0]` in the file.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    pub fn open(source: &dyn Source, name: String) -> io::Result<Window> {
        let length = source.len(&name)?;
        Ok(Window { name, length, start: 0, bytes: Vec::new() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes at an offset: `count` of them, or fewer where the file ends.
    pub fn load(&mut self, source: &dyn Source, at: u64, count: usize) -> io::Result<&[u8]> {
        let rest = self.length.saturating_sub(at);
        let count = usize::try_from(rest).map_or(count, |rest| count.min(rest));
        let end = at + count as u64;
        if at < self.start || end > self.start + self.bytes.len() as u64 {
            let want = usize::try_from(rest).map_or(STEP, |rest| rest.min(STEP)).max(count);
            self.bytes.resize(want, 0);
            self.bytes.shrink_to(STEP.max(want));
            let found = source.read_at(&self.name, at, &mut self.bytes)?;
            self.bytes.truncate(found);
            self.start = at;
            if found < want {
                // Shorter than it was when opened: cut meanwhile. What is there, counts.
                self.length = at + found as u64;
            }
        }
        Ok(self.loaded(at, count))
    }

    /// Bytes that the last `load` brought; fewer or none if it brought fewer.
    pub fn loaded(&self, at: u64, count: usize) -> &[u8] {
        let from = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let from = from.min(self.bytes.len());
        let to = from.saturating_add(count).min(self.bytes.len());
        &self.bytes[from..to]
    }
}
