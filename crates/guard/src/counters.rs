//! Counters of what owners use, per window of time. The arithmetic; whoever owns them adds the
//! lock.

use std::collections::BTreeMap;
use std::fmt;

use seal::time::UnixMillis;

use crate::facts::Effect;

/// A window of time, aligned to the Unix epoch in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl Window {
    /// Its length.
    pub fn milliseconds(self) -> u64 {
        match self {
            Window::Minute => 60_000,
            Window::Hour => 3_600_000,
            Window::Day => 86_400_000,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Window::Minute => "minute",
            Window::Hour => "hour",
            Window::Day => "day",
        }
    }

    /// Seconds until the window that `now` lies in ends; at least 1.
    pub fn remaining_seconds(self, now: UnixMillis) -> u64 {
        let length = self.milliseconds();
        (length - now.0 % length).div_ceil(1000).max(1)
    }
}

/// One counter: whose, what, and for which stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// When the window began, Unix milliseconds. First, so that the oldest sort first.
    pub start: u64,
    /// The window.
    pub window: Window,
    /// What is counted.
    pub name: &'static str,
    /// The owner, as `kind:id`.
    pub owner: String,
}

impl CounterKey {
    /// The key for the window that `now` lies in.
    pub fn at(name: &'static str, owner: String, window: Window, now: UnixMillis) -> CounterKey {
        CounterKey { start: now.0 - now.0 % window.milliseconds(), window, name, owner }
    }

    fn end(&self) -> u64 {
        self.start.saturating_add(self.window.milliseconds())
    }
}

impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.name, self.window.as_str(), self.start, self.owner)
    }
}

/// What came of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The counter.
    pub key: CounterKey,
    /// Whether the amount is reserved now.
    pub granted: bool,
    /// Used before this reservation.
    pub used: u64,
    /// Reserved by others.
    pub reserved: u64,
}

/// Counters in memory.
#[derive(Debug, Clone)]
pub struct Counters {
    cells: BTreeMap<CounterKey, Cell>,
    most: usize,
    /// When to look for ended windows again.
    sweep: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    used: u64,
    reserved: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Counters::new(1 << 18)
    }
}

impl Counters {
    /// At most `most` counters at a time. A live counter is never evicted, or cycling through
    /// names would reset it: when all are live, new owners are refused until a window ends.
    pub fn new(most: usize) -> Counters {
        Counters { cells: BTreeMap::new(), most, sweep: 0 }
    }

    /// Executes an effect; a reservation has a result.
    pub fn execute(&mut self, effect: &Effect, now: UnixMillis) -> Option<Grant> {
        match effect {
            Effect::Reserve { key, amount, cap } => Some(self.reserve(key, *amount, *cap, now)),
            Effect::Settle { key, reserved, used } => {
                self.settle(key, *reserved, *used);
                None
            }
        }
    }

    /// Reserves unless used and reserved would exceed the cap.
    pub fn reserve(&mut self, key: &CounterKey, amount: u64, cap: u64, now: UnixMillis) -> Grant {
        self.drop_ended(now);
        let full = self.cells.len() >= self.most;
        let cell = self.cells.get(key).copied().unwrap_or_default();
        let total = cell.used.checked_add(cell.reserved).and_then(|sum| sum.checked_add(amount));
        let granted =
            total.is_some_and(|total| total <= cap) && (!full || self.cells.contains_key(key));
        if granted {
            self.cells.entry(key.clone()).or_default().reserved += amount;
        }
        Grant { key: key.clone(), granted, used: cell.used, reserved: cell.reserved }
    }

    /// Gives a reservation back and counts what was used. A window that is gone counts nothing.
    pub fn settle(&mut self, key: &CounterKey, reserved: u64, used: u64) {
        if let Some(cell) = self.cells.get_mut(key) {
            cell.reserved = cell.reserved.saturating_sub(reserved);
            cell.used = cell.used.saturating_add(used);
        }
    }

    /// Used and reserved under a key.
    pub fn read(&self, key: &CounterKey) -> (u64, u64) {
        self.cells.get(key).map_or((0, 0), |cell| (cell.used, cell.reserved))
    }

    /// Reserved under all keys: what is still to be settled.
    pub fn outstanding(&self) -> u64 {
        self.cells.values().map(|cell| cell.reserved).sum()
    }

    /// Once a minute forgets windows that ended and have nothing reserved; and those with
    /// reservations a day after their end, when no request can still be running.
    fn drop_ended(&mut self, now: UnixMillis) {
        const GRACE: u64 = 86_400_000;
        if now.0 < self.sweep {
            return;
        }
        self.sweep = now.0.saturating_add(Window::Minute.milliseconds());
        self.cells.retain(|key, cell| {
            let end = key.end();
            end > now.0 || (cell.reserved > 0 && end.saturating_add(GRACE) > now.0)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(owner: &str, now: u64) -> CounterKey {
        CounterKey::at("tokens", owner.to_owned(), Window::Minute, UnixMillis(now))
    }

    #[test]
    fn a_cap_holds_and_the_next_window_is_fresh() {
        let mut counters = Counters::default();
        let now = UnixMillis(61_000);
        assert!(counters.reserve(&key("a", now.0), 60, 100, now).granted);
        let refused = counters.reserve(&key("a", now.0), 41, 100, now);
        assert_eq!((refused.granted, refused.used, refused.reserved), (false, 0, 60));
        assert!(counters.reserve(&key("b", now.0), 100, 100, now).granted);
        counters.settle(&key("a", now.0), 60, 10);
        assert_eq!(counters.read(&key("a", now.0)), (10, 0));
        assert!(counters.reserve(&key("a", now.0), 90, 100, now).granted);
        assert!(counters.reserve(&key("a", 120_000), 100, 100, UnixMillis(120_000)).granted);
        assert!(!counters.reserve(&key("a", 120_000), u64::MAX, u64::MAX, now).granted);
    }

    #[test]
    fn cycling_names_resets_nobody() {
        let mut counters = Counters::new(2);
        let now = UnixMillis(0);
        assert!(counters.reserve(&key("a", 0), 100, 100, now).granted);
        assert!(counters.reserve(&key("b", 0), 1, 100, now).granted);
        assert!(!counters.reserve(&key("c", 0), 1, 100, now).granted);
        assert!(!counters.reserve(&key("a", 0), 1, 100, now).granted);
        counters.settle(&key("a", 0), 100, 1);
        counters.settle(&key("b", 0), 1, 1);
        let later = UnixMillis(60_000);
        assert!(counters.reserve(&key("c", later.0), 1, 100, later).granted, "ended windows go");
    }
}
