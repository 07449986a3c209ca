//! The headline: what one publisher says never touches another's indicators.

use std::collections::BTreeSet;

use proptest::prelude::*;
use record::feed::{Feed, Judge, Pin, Publisher, judge, live};
use record::ioc::SignedIoc;
use seal::digest::Digest;
use seal::signer::Signer as _;

use super::{feed, indicator};
use crate::common::key;

/// One indicator in the making: its pattern, whom of all that exist so far it revokes, its end.
type Plan = (u8, Vec<u8>, Option<i64>);

/// Feeds in the making: which of the publishers, and its indicators.
fn plans() -> impl Strategy<Value = Vec<(u8, Vec<Plan>)>> {
    let plan = (0..6_u8, prop::collection::vec(any::<u8>(), 0..4), prop::option::of(0..20_i64));
    prop::collection::vec((0..4_u8, prop::collection::vec(plan, 0..6)), 1..7)
}

/// Two names, two keys each: the second key of a name is somebody who calls himself the same.
fn publisher(n: u8) -> (&'static str, seal::SecretKey) {
    (["alpha.example", "bravo.example"][usize::from(n % 2)], key(60 + n))
}

/// The feeds, and every id that was ever made: anyone may try to revoke anything.
fn build(plans: &[(u8, Vec<Plan>)]) -> Vec<Feed> {
    let mut ids: Vec<Digest> = Vec::new();
    let mut feeds = Vec::new();
    for (who, plans) in plans {
        let (issuer, key) = publisher(*who);
        let mut iocs: Vec<SignedIoc> = Vec::new();
        for (pattern, revokes, expires_at) in plans {
            let known = |n: &u8| ids.get(usize::from(*n) % ids.len().max(1)).copied();
            let revokes = revokes.iter().filter_map(known).collect();
            let ioc = indicator(issuer, &key, &format!("p{pattern}"), revokes, *expires_at);
            if iocs.iter().all(|other| other.content_hash != ioc.content_hash) {
                ids.push(ioc.content_hash);
                iocs.push(ioc);
            }
        }
        feeds.push(feed(issuer, &key, iocs));
    }
    feeds
}

fn live_of(feeds: &[&Feed], now: i64, whom: &Publisher) -> Vec<Digest> {
    let all = feeds.iter().flat_map(|feed| feed.iocs.iter().map(|ioc| (feed.publisher(), ioc)));
    let live = live(all, now);
    let own = live.indicators.iter().filter(|(publisher, _)| publisher == whom);
    own.map(|(_, ioc)| ioc.content_hash).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_live_set_of_a_publisher_is_a_function_of_its_own_feeds(
        plans in plans(),
        order in any::<u64>(),
        now in 0..25_i64,
    ) {
        let feeds = build(&plans);
        let publishers: BTreeSet<Publisher> = feeds.iter().map(Feed::publisher).collect();
        for whom in &publishers {
            let own: Vec<&Feed> = feeds.iter().filter(|feed| feed.publisher() == *whom).collect();
            let alone = live_of(&own, now, whom);
            // Among all others, wherever they stand in between.
            let mut mixed = own.clone();
            for (n, other) in feeds.iter().filter(|feed| feed.publisher() != *whom).enumerate() {
                let at = (order >> (n % 60)) as usize % (mixed.len() + 1);
                mixed.insert(at, other);
            }
            prop_assert_eq!(&live_of(&mixed, now, whom), &alone);
            // And whoever is not named by any of its own is there, until its time is over.
            let revoked: BTreeSet<Digest> = own
                .iter()
                .flat_map(|feed| feed.iocs.iter().flat_map(|ioc| ioc.ioc.revokes.clone()))
                .collect();
            let expected: BTreeSet<Digest> = own
                .iter()
                .flat_map(|feed| &feed.iocs)
                .filter(|ioc| !revoked.contains(&ioc.content_hash))
                .filter(|ioc| ioc.ioc.expires_at.is_none_or(|until| now < until))
                .map(|ioc| ioc.content_hash)
                .collect();
            prop_assert_eq!(alone.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }

    /// A document in another's name never verifies under one's own pin, and the other way round.
    #[test]
    fn nobody_publishes_in_anothers_name(plans in plans(), judge_as in 0..4_u8) {
        let (issuer, key) = publisher(judge_as);
        let pins = [Pin::new(key.public().clone()).issuer(issuer)];
        for feed in build(&plans) {
            let how = Judge { pins: &pins, threads: 1, ..Judge::default() };
            let verified = judge(feed.to_json().as_bytes(), &how).verified;
            let own = feed.issuer == issuer && feed.key == *key.public();
            prop_assert_eq!(verified.map(|v| v.into_feed()), own.then_some(feed));
        }
    }
}
