//! What counts at a moment, out of all subscriptions.

use std::collections::BTreeSet;

use record::feed::{Gone, Live, Publisher, live_where};
use record::ioc::SignedIoc;
use scan::{FeedRoot, Indicator};
use seal::digest::Digest;

use super::store::Held;
use super::subscription::Policy;

/// All subscriptions, opened.
#[derive(Debug, Clone, Default)]
pub struct View {
    held: Vec<Held>,
}

/// An indicator that counts.
#[derive(Debug, Clone, Copy)]
pub struct Member<'v> {
    /// The subscription it came with.
    pub held: &'v Held,
    /// The indicator.
    pub ioc: &'v SignedIoc,
    /// The feed has it no more, without a revocation.
    pub kept: bool,
}

impl Member<'_> {
    /// What a match does.
    pub fn policy(&self) -> Policy {
        self.held.subscription.policy
    }
}

impl View {
    /// Over what [`super::Store::load_all`] gave.
    pub fn new(held: Vec<Held>) -> View {
        View { held }
    }

    /// The subscriptions, by issuer and feed id.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// The indicators that count at `now` (Unix seconds), in the order of subscriptions and
    /// documents. One that two feeds of a publisher have comes with the one that enforces.
    pub fn live(&self, now: i64) -> Vec<Member<'_>> {
        let counted = self.sort(now);
        let mut open: BTreeSet<(Publisher, Digest)> = counted
            .indicators
            .iter()
            .map(|(publisher, ioc)| (publisher.clone(), ioc.content_hash))
            .collect();
        let enforced: BTreeSet<(Publisher, Digest)> = self
            .members()
            .filter(|member| member.policy() == Policy::Enforce)
            .map(|member| (publisher(member.held), member.ioc.content_hash))
            .collect();
        let mut members = Vec::with_capacity(open.len());
        for member in self.members() {
            let key = (publisher(member.held), member.ioc.content_hash);
            let weaker = member.policy() == Policy::Monitor && enforced.contains(&key);
            if !weaker && open.remove(&key) {
                members.push(member);
            }
        }
        members
    }

    /// What the scan engine looks for at `now`, with the feeds that it is from.
    pub fn indicators(&self, now: i64) -> (Vec<Indicator>, Vec<FeedRoot>) {
        let indicator = |member: &Member<'_>| match member.policy() {
            Policy::Enforce => Indicator::of_ioc(member.ioc),
            Policy::Monitor => Indicator::of_ioc(member.ioc).monitored(),
        };
        let root = |held: &Held| FeedRoot {
            issuer: held.subscription.issuer.clone(),
            feed: held.subscription.feed_id.clone(),
            root: held.feed.root.text(),
        };
        let indicators = self.live(now).iter().map(indicator).collect();
        (indicators, self.held.iter().map(root).collect())
    }

    /// Those that do not count, and why.
    pub fn gone(&self, now: i64) -> Vec<(Digest, Gone)> {
        self.sort(now).gone.into_iter().map(|(_, ioc, why)| (ioc.content_hash, why)).collect()
    }

    /// Revocations of what only another publisher has, with the issuer who published them.
    pub fn strange(&self, now: i64) -> Vec<(String, Digest)> {
        let strange = self.sort(now).strange.into_iter();
        strange.map(|(publisher, digest)| (publisher.issuer, digest)).collect()
    }

    fn sort(&self, now: i64) -> Live<'_, Publisher> {
        let reaches = |of: &Publisher, by, signer| {
            let own = self.held.iter().filter(|held| publisher(held) == *of);
            own.map(|held| &held.subscription).all(|record| record.reaches(by, signer))
        };
        let all = self.members().map(|member| (publisher(member.held), member.ioc));
        live_where(all, now, &reaches)
    }

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.held.iter().flat_map(|held| {
            let there = held.feed.iocs.iter().map(move |ioc| Member { held, ioc, kept: false });
            there.chain(held.kept.iter().map(move |ioc| Member { held, ioc, kept: true }))
        })
    }
}

/// Who published: the issuer with the first key that was pinned, whatever keys came after it.
fn publisher(held: &Held) -> Publisher {
    let record = &held.subscription;
    let first =
        record.keys.first().map_or(record.accepted.key.as_bytes(), |key| key.key.as_bytes());
    Publisher { issuer: record.issuer.clone(), key: *first }
}
