//! The subscriptions as a running gateway asks for them: what counts, and what is newer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::feeds::{All, Held, LedgerMarks, Memory, NoMemory, Outcome, Policy, Store, View};
use gateway::feeds::{Counting, Feed, Feeds, Keep, Pulled, Trouble};
use record::report::Severity;
use scan::{FeedRoot, Indicator};
use seal::time::UnixMillis;

use super::{consume, update};
use crate::exit::{Exit, Failure};

/// The subscriptions of a directory.
#[derive(Debug)]
pub struct Standing {
    dir: PathBuf,
}

impl Standing {
    /// Of the directory that holds `.countersign`.
    pub fn of(dir: &Path) -> Standing {
        Standing { dir: dir.to_owned() }
    }

    /// All of them or none: a gateway that leaves out one whose files were changed would look for
    /// less than it was told to.
    fn all(&self) -> Result<Option<(Store, Vec<Held>)>, String> {
        let Some(store) = consume::store(&self.dir).map_err(|failure| failure.message)? else {
            return Ok(None);
        };
        let All { held, broken, .. } = store.load_all().map_err(|error| error.to_string())?;
        match broken.first() {
            Some((slot, finding)) => Err(format!("subscription {slot}: {finding}")),
            None => Ok(Some((store, held))),
        }
    }
}

impl Feeds for Standing {
    fn counting(&self, now: UnixMillis) -> Result<Counting, String> {
        let Some((store, held)) = self.all()? else { return Ok(Counting::default()) };
        let root = |held: &Held| FeedRoot {
            issuer: held.subscription.issuer.clone(),
            feed: held.subscription.feed_id.clone(),
            root: held.feed.root.text(),
        };
        let feed = |held: &Held| Feed {
            confirmed_at: Some(store.confirmed(held.slot).max(held.subscription.accepted.at)),
            issuer: held.subscription.issuer.clone(),
            feed_id: held.subscription.feed_id.clone(),
            issued_at: held.subscription.accepted.issued_at,
            max_age: held.subscription.max_age,
        };
        let roots = held.iter().map(root).collect();
        let feeds = held.iter().map(feed).collect();
        let view = View::new(held);
        let live = view.live(now.seconds());
        let changes_at = live.iter().filter_map(|member| member.ioc.ioc.expires_at).min();
        let indicator = |member: &countersign::feeds::Member<'_>| {
            let indicator = Indicator::of_ioc(member.ioc);
            match member.policy() {
                Policy::Enforce => indicator,
                Policy::Monitor => indicator.monitored(),
            }
        };
        let indicators = live.iter().map(indicator).collect();
        Ok(Counting { indicators, roots, feeds, changes_at })
    }

    fn pull(&self, _: UnixMillis, deadline: Duration, keep: &mut Keep<'_>) -> Vec<Pulled> {
        // What cannot be opened is told by `counting`.
        let Ok(Some((store, held))) = self.all() else { return Vec::new() };
        let ledger = super::super::ledger_of(&self.dir);
        let mut marks = LedgerMarks::new(&ledger, keep).with_cache(&store);
        // A ledger in memory remembers nothing of an earlier process, and has no files.
        let memory: &mut dyn Memory = if ledger.is_dir() { &mut marks } else { &mut NoMemory };
        let mut pulled = Vec::with_capacity(held.len());
        for held in held {
            let outcome = update::one(&store, &held, None, deadline, memory);
            let (result, told) = match outcome {
                Ok(outcome) => said(&outcome),
                Err(failure) => (Err(trouble(failure)), Vec::new()),
            };
            let (issuer, feed_id) = (held.subscription.issuer, held.subscription.feed_id);
            pulled.push(Pulled { issuer, feed_id, result, told });
        }
        pulled
    }
}

fn said(outcome: &Outcome) -> (Result<bool, Trouble>, Vec<String>) {
    let all = outcome.report.findings.iter();
    let (errors, told): (Vec<_>, Vec<_>) =
        all.partition(|finding| finding.code.severity() == Severity::Error);
    let told = told.into_iter().map(ToString::to_string);
    let told = consume::passed_over(&outcome.report).cloned().chain(told).collect();
    match errors.first() {
        None if outcome.report.ok() => (Ok(outcome.changed), told),
        None => (Err(Trouble::Refused("it does not hold".to_owned())), told),
        Some(first) => (Err(Trouble::Refused(first.to_string())), told),
    }
}

fn trouble(failure: Failure) -> Trouble {
    match failure.exit {
        Exit::Evidence(_) => Trouble::Refused(failure.message),
        Exit::Internal | Exit::Config | Exit::CannotCreate | Exit::Usage => {
            Trouble::Failed(failure.message)
        }
        _ => Trouble::Unreachable(failure.message),
    }
}
