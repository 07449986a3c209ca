//! Audit lines read beside the walk of a start: reading them strictly takes longer than checking the
//! frames they lie in. Results come in the order of the ledger, with bounded memory; a ledger that
//! is small needs no threads.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use record::entry::{ReadEntry, read_line};

/// What became of the line at an index.
pub(super) type Line = (u64, Option<ReadEntry>);

/// Takes lines in order and gives them back read, in the same order.
#[derive(Default)]
pub(super) struct Lines {
    chunk: Vec<(u64, Vec<u8>)>,
    bytes: usize,
    readers: Vec<Reader>,
    /// Chunks handed out, oldest first: which reader has it, and its first index.
    out: VecDeque<(usize, u64)>,
    next: usize,
}

struct Reader {
    chunks: SyncSender<Vec<(u64, Vec<u8>)>>,
    read: Receiver<Vec<Line>>,
}

impl Lines {
    /// Hands in a line; gives back those of an earlier chunk when it is their turn.
    pub fn push(&mut self, index: u64, line: &[u8]) -> Vec<Line> {
        self.bytes += line.len();
        self.chunk.push((index, line.to_vec()));
        if self.bytes < CHUNK {
            return Vec::new();
        }
        self.bytes = 0;
        let chunk = std::mem::take(&mut self.chunk);
        if self.readers.is_empty() {
            self.readers = readers();
        }
        if self.readers.is_empty() {
            // No thread to be had: read here.
            return read(chunk);
        }
        let reader = self.next % self.readers.len();
        self.next += 1;
        let first = chunk.first().map_or(0, |(index, _)| *index);
        // A reader that is gone is noticed when its answer is waited for.
        let _ = self.readers[reader].chunks.send(chunk);
        self.out.push_back((reader, first));
        if self.out.len() < AHEAD * self.readers.len() { Vec::new() } else { self.oldest() }
    }

    /// What is still out, piece by piece; empty at the end.
    pub fn rest(&mut self) -> Vec<Line> {
        match self.out.is_empty() {
            false => self.oldest(),
            true => read(std::mem::take(&mut self.chunk)),
        }
    }

    fn oldest(&mut self) -> Vec<Line> {
        let Some((reader, first)) = self.out.pop_front() else { return Vec::new() };
        // A reader that failed has read nothing: its chunk counts as unreadable.
        self.readers[reader].read.recv().unwrap_or_else(|_| vec![(first, None)])
    }
}

fn readers() -> Vec<Reader> {
    let count = thread::available_parallelism().map_or(1, usize::from).min(READERS);
    let start = |_| {
        let (chunks, given) = sync_channel::<Vec<(u64, Vec<u8>)>>(AHEAD);
        let (give, read_lines) = sync_channel(AHEAD);
        let reading = move || {
            for chunk in given {
                if give.send(read(chunk)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("replay".to_owned()).spawn(reading);
        thread.ok().map(|_| Reader { chunks, read: read_lines })
    };
    (0..count).filter_map(start).collect()
}

fn read(chunk: Vec<(u64, Vec<u8>)>) -> Vec<Line> {
    chunk.into_iter().map(|(index, line)| (index, read_line(&line).ok())).collect()
}

/// Lines are handed over in pieces of so many bytes.
const CHUNK: usize = 512 << 10;
/// So many pieces a reader may be behind.
const AHEAD: usize = 2;
const READERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_order_and_the_unreadable_ones_are_named() {
        let mut lines = Lines::default();
        let line = vec![b'x'; 100_000];
        let mut back = Vec::new();
        for index in 0..200 {
            back.extend(lines.push(index, &line));
        }
        assert!(!lines.readers.is_empty() && !back.is_empty(), "some were read meanwhile");
        loop {
            match lines.rest() {
                some if some.is_empty() => break,
                some => back.extend(some),
            }
        }
        let indices: Vec<u64> = back.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, (0..200).collect::<Vec<u64>>());
        assert!(back.iter().all(|(_, read)| read.is_none()));
    }
}
