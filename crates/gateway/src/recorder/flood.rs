//! The flood rule: refusals that come before any content check are, beyond a rate per peer,
//! counted into one entry instead of written one by one (spec/request-evidence.md).

use std::collections::HashMap;

use seal::digest::Digest;

/// Counts refusals per peer and window. Holds at most [`PEERS`] peers; whoever comes beyond shares
/// one count, so a flood from many addresses costs no memory either.
pub(super) struct Flood {
    allowed: u32,
    windows: HashMap<String, Window>,
}

/// What was counted instead of written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Aggregate {
    pub peer: String,
    pub count: u64,
    pub first: Digest,
    pub last: Digest,
    pub from_ms: u64,
    pub until_ms: u64,
}

struct Window {
    started_ms: u64,
    written: u32,
    excess: Option<Aggregate>,
}

impl Flood {
    pub fn new(allowed: u32) -> Flood {
        Flood { allowed, windows: HashMap::new() }
    }

    /// Notes a refusal; true if it must be written on its own.
    pub fn note(&mut self, peer: &str, digest: Digest, now_ms: u64) -> bool {
        let known = self.windows.contains_key(peer);
        let peer = if known || self.windows.len() < PEERS { peer } else { OTHERS };
        let window = self.windows.entry(peer.to_owned()).or_insert(Window {
            started_ms: now_ms,
            written: 0,
            excess: None,
        });
        if window.excess.is_none() && now_ms.saturating_sub(window.started_ms) >= WINDOW_MS {
            window.started_ms = now_ms;
            window.written = 0;
        }
        if window.written < self.allowed {
            window.written += 1;
            return true;
        }
        let excess = window.excess.get_or_insert(Aggregate {
            peer: peer.to_owned(),
            count: 0,
            first: digest,
            last: digest,
            from_ms: now_ms,
            until_ms: now_ms,
        });
        excess.count += 1;
        excess.last = digest;
        excess.until_ms = now_ms;
        false
    }

    /// Takes the windows that are over at `now_ms` (all of them for `None`) and answers with what
    /// they counted.
    pub fn take(&mut self, now_ms: Option<u64>) -> Vec<Aggregate> {
        let mut due = Vec::new();
        self.windows.retain(|_, window| {
            let over = now_ms.is_none_or(|now| now.saturating_sub(window.started_ms) >= WINDOW_MS);
            if over {
                due.extend(window.excess.take());
            }
            !over
        });
        due.sort_by(|a, b| a.peer.cmp(&b.peer));
        due
    }
}

const WINDOW_MS: u64 = 60_000;
const PEERS: usize = 4096;
const OTHERS: &str = "others";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_rate_refusals_are_counted() {
        let (one, two, three) = (Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3"));
        let mut flood = Flood::new(1);
        assert!(flood.note("a", one, 1_000));
        assert!(!flood.note("a", two, 2_000));
        assert!(!flood.note("a", three, 3_000));
        assert!(flood.note("b", one, 3_000));
        assert_eq!(flood.take(Some(60_999)), []);
        let expected = Aggregate {
            peer: "a".to_owned(),
            count: 2,
            first: two,
            last: three,
            from_ms: 2_000,
            until_ms: 3_000,
        };
        assert_eq!(flood.take(Some(61_000)), [expected]);
        assert!(flood.note("a", one, 61_001), "a new window");
        assert!(!flood.note("a", one, 61_002));
        assert_eq!(flood.take(None).len(), 1);
        assert_eq!(flood.windows.len(), 0);
    }

    #[test]
    fn many_peers_share_one_count() {
        let mut flood = Flood::new(1);
        for peer in 0..PEERS + 100 {
            flood.note(&peer.to_string(), Digest::of(b""), 0);
        }
        assert!(flood.windows.len() <= PEERS + 1);
        assert_eq!(flood.take(None).iter().map(|a| a.count).sum::<u64>(), 99);
    }
}
