//! Which indicators count at a moment.
//!
//! The one rule that federation rests on: what a publisher says has effect on that publisher's
//! indicators alone. Nobody can revoke, expire, overwrite or shadow what another one published.

use std::collections::{BTreeMap, BTreeSet};

use seal::digest::Digest;
use seal::key::KeyId;

use crate::ioc::SignedIoc;

/// An indicator that does not count, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gone {
    /// An indicator of the same publisher withdraws it.
    Revoked,
    /// Its time is over.
    Expired,
}

/// What counts and what does not, each in the order given.
#[derive(Debug, Clone, Default)]
pub struct Live<'a, P> {
    /// The indicators that count, once each for a publisher.
    pub indicators: Vec<(P, &'a SignedIoc)>,
    /// Those that do not.
    pub gone: Vec<(P, &'a SignedIoc, Gone)>,
    /// Revocations of what only another publisher published: without effect, and worth a look.
    pub strange: Vec<(P, Digest)>,
}

/// Sorts indicators into those that count at `now` (Unix seconds) and those that do not.
///
/// `P` says who published, beyond what any document claims: the pinned (issuer, key), or one value
/// for all keys of a publisher who rotated. A revocation counts even when it is itself expired or
/// revoked, and there is no way back: what was withdrawn is issued anew.
pub fn live<'a, P: Ord + Clone>(
    indicators: impl IntoIterator<Item = (P, &'a SignedIoc)>,
    now: i64,
) -> Live<'a, P> {
    live_where(indicators, now, &|_, _, _| true)
}

/// The same, where a key of a publisher may not have a say over what another one signed:
/// `reaches(publisher, by, of)` says whether a revocation signed by `by` counts for an indicator
/// signed by `of`.
pub fn live_where<'a, P: Ord + Clone>(
    indicators: impl IntoIterator<Item = (P, &'a SignedIoc)>,
    now: i64,
    reaches: &dyn Fn(&P, KeyId, KeyId) -> bool,
) -> Live<'a, P> {
    let all: Vec<(P, &SignedIoc)> = indicators.into_iter().collect();
    let mut revoked: BTreeMap<&P, BTreeMap<&Digest, Vec<KeyId>>> = BTreeMap::new();
    let mut owners: BTreeMap<&Digest, BTreeSet<&P>> = BTreeMap::new();
    for (publisher, signed) in &all {
        let words = revoked.entry(publisher).or_default();
        for digest in &signed.ioc.revokes {
            let by = words.entry(digest).or_default();
            if !by.contains(&signed.ioc.key_id) {
                by.push(signed.ioc.key_id);
            }
        }
        owners.entry(&signed.content_hash).or_default().insert(publisher);
    }
    let mut live = Live { indicators: Vec::new(), gone: Vec::new(), strange: Vec::new() };
    let mut seen = BTreeSet::new();
    for (publisher, signed) in &all {
        if !seen.insert((publisher, &signed.content_hash)) {
            continue;
        }
        let by = revoked.get(publisher).and_then(|words| words.get(&signed.content_hash));
        let of = signed.ioc.key_id;
        let withdrawn =
            by.is_some_and(|by| by.iter().any(|by| *by == of || reaches(publisher, *by, of)));
        let gone = match (withdrawn, signed.ioc.expired(now)) {
            (true, _) => Some(Gone::Revoked),
            (false, true) => Some(Gone::Expired),
            (false, false) => None,
        };
        match gone {
            Some(why) => live.gone.push((publisher.clone(), signed, why)),
            None => live.indicators.push((publisher.clone(), signed)),
        }
    }
    for (publisher, digests) in &revoked {
        let foreign = digests
            .keys()
            .filter(|digest| owners.get(**digest).is_some_and(|who| !who.contains(*publisher)));
        live.strange.extend(foreign.map(|digest| ((*publisher).clone(), **digest)));
    }
    live
}
