//! Work on many items by all cores, results in the order of the items.
//!
//! Signatures are checked one by one, never in a batch: a batch equation can accept what single
//! verification refuses, and its blinding can be ground by the signer.

use std::collections::BTreeMap;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{ChainSource, Checked, Item};

/// Items in one portion, and their text at which a portion is full earlier.
const PORTION: usize = 256;
const PORTION_BYTES: usize = 1 << 20;

/// Runs `check` over every receipt of the source on several threads, and hands the results to
/// `take` in order. Holds a few portions at a time.
pub(super) fn each(
    source: &mut dyn ChainSource,
    threads: usize,
    check: impl Fn(Item) -> Checked + Sync,
    mut take: impl FnMut(Checked),
) {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores() } else { threads };
    if threads == 1 {
        return source.for_each(&mut |place, hash, jws| take(check(item(place, hash, jws))));
    }
    thread::scope(|scope| {
        let (give, work) = sync_channel::<(u64, Vec<Item>)>(threads);
        let (answer, done) = channel::<(u64, Vec<Checked>)>();
        // The receiver is shared by the workers alone: when they are gone, giving fails.
        let work = Arc::new(Mutex::new(work));
        for _ in 0..threads {
            let (work, answer, check) = (Arc::clone(&work), answer.clone(), &check);
            scope.spawn(move || {
                loop {
                    let next = match work.lock() {
                        Ok(work) => work.recv(),
                        Err(_) => return,
                    };
                    let Ok((number, items)) = next else { return };
                    let checked = items.into_iter().map(check).collect();
                    if answer.send((number, checked)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((work, answer));
        let mut inbox = Inbox { next: 0, early: BTreeMap::new() };
        let (mut number, mut bytes, mut portion) = (0, 0, Vec::with_capacity(PORTION));
        source.for_each(&mut |place, hash, jws| {
            bytes += jws.len();
            portion.push(item(place, hash, jws));
            if portion.len() == PORTION || bytes >= PORTION_BYTES {
                let full = std::mem::replace(&mut portion, Vec::with_capacity(PORTION));
                // Fails only when every worker has panicked; the scope then passes that on.
                let _ = give.send((number, full));
                (number, bytes) = (number + 1, 0);
                while let Ok((number, checked)) = done.try_recv() {
                    inbox.put(number, checked, &mut take);
                }
            }
        });
        let _ = give.send((number, portion));
        drop(give);
        for (number, checked) in done {
            inbox.put(number, checked, &mut take);
        }
    });
}

fn item(place: &str, hash: Option<&str>, jws: &str) -> Item {
    Item { place: place.to_string(), hash: hash.map(str::to_string), jws: jws.to_string() }
}

/// Puts portions back into order.
struct Inbox {
    next: u64,
    early: BTreeMap<u64, Vec<Checked>>,
}

impl Inbox {
    fn put(&mut self, number: u64, checked: Vec<Checked>, take: &mut impl FnMut(Checked)) {
        self.early.insert(number, checked);
        while let Some(portion) = self.early.remove(&self.next) {
            portion.into_iter().for_each(&mut *take);
            self.next += 1;
        }
    }
}
