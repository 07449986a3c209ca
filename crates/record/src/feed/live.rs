//! Which indicators count at a moment.
//!
//! The one rule that federation rests on: what a publisher says has effect on that publisher's
//! indicators alone. Nobody can revoke, expire, overwrite or shadow what another one published.

use std::collections::{BTreeMap, BTreeSet};

use seal::digest::Digest;

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
    let all: Vec<(P, &SignedIoc)> = indicators.into_iter().collect();
    let mut revoked: BTreeMap<&P, BTreeSet<&Digest>> = BTreeMap::new();
    let mut owners: BTreeMap<&Digest, BTreeSet<&P>> = BTreeMap::new();
    for (publisher, signed) in &all {
        revoked.entry(publisher).or_default().extend(&signed.ioc.revokes);
        owners.entry(&signed.content_hash).or_default().insert(publisher);
    }
    let mut live = Live { indicators: Vec::new(), gone: Vec::new(), strange: Vec::new() };
    let mut seen = BTreeSet::new();
    for (publisher, signed) in &all {
        if !seen.insert((publisher, &signed.content_hash)) {
            continue;
        }
        let withdrawn = revoked.get(publisher).is_some_and(|r| r.contains(&signed.content_hash));
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
            .iter()
            .filter(|digest| owners.get(**digest).is_some_and(|who| !who.contains(*publisher)));
        live.strange.extend(foreign.map(|digest| ((*publisher).clone(), **digest)));
    }
    live
}
