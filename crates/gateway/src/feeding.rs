//! Pulls in the background: what publishers have that is new, and what counts no more. No request
//! waits for any of it. What fails leaves the rules in force and raises an alarm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scan::{Engine, Options};
use seal::digest::Digest;
use seal::escape;
use seal::time::UnixMillis;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::timeout;

use crate::anchoring::{backoff, jittered};
use crate::aside::apart;
use crate::config::{FeedsConfig, OnStale};
use crate::feeds::{Counting, Feed, Feeds, Pulled};
use crate::metrics::FeedAge;
use crate::recorder::Recorder;
use crate::rules;
use crate::server::{App, ServeError};

/// The subscriptions, and how they stand.
pub(crate) struct Feeding {
    port: Option<Arc<dyn Feeds>>,
    config: FeedsConfig,
    standing: Mutex<Standing>,
    /// No new request is admitted.
    shut: AtomicBool,
    /// An operator wants a pull now.
    wanted: Notify,
}

#[derive(Default)]
struct Standing {
    feeds: Vec<One>,
    /// What is stored cannot be used, or not all of it.
    trouble: Option<String>,
    changes_at: Option<i64>,
    /// Over what counts: where it stays the same, no engine is built.
    counts: Option<Digest>,
}

struct One {
    feed: Feed,
    /// When it was confirmed last; the start, where nobody knows.
    checked: UnixMillis,
    confirmed: bool,
    /// Of the last pull.
    failed: bool,
}

/// Why somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// What is stored cannot be used.
    Unusable,
    /// A feed is older than it may be.
    Stale,
    /// The last pull of a feed failed.
    Failing,
}

impl Alarm {
    /// For readiness and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Alarm::Unusable => "feeds_unusable",
            Alarm::Stale => "feeds_stale",
            Alarm::Failing => "feeds_failing",
        }
    }
}

impl Feeding {
    /// The engine of the start. Subscriptions that cannot be used stop it: a gateway that was told
    /// to look for something must not begin by looking for nothing.
    pub(crate) fn open(
        port: Option<Arc<dyn Feeds>>,
        config: FeedsConfig,
        now: UnixMillis,
    ) -> Result<(Feeding, Engine), ServeError> {
        let counting = match &port {
            Some(port) => port.counting(now).map_err(ServeError::Feeds)?,
            None => Counting::default(),
        };
        let (engine, summary) = build(counting).map_err(ServeError::Feeds)?;
        let standing = Mutex::default();
        let shut = AtomicBool::new(false);
        let feeding = Feeding { port, config, standing, shut, wanted: Notify::new() };
        feeding.counted(summary, now);
        feeding.look(now);
        Ok((feeding, engine))
    }

    /// Whether there is anything to be told of.
    pub(crate) fn is_on(&self) -> bool {
        let standing = self.standing();
        !standing.feeds.is_empty() || standing.trouble.is_some()
    }

    /// Has the publishers asked at once; `false` where nobody could be. Wishes that come while they
    /// are asked make one more pull.
    pub(crate) fn pull_now(&self) -> bool {
        self.wanted.notify_one();
        self.port.is_some()
    }

    /// Whether new requests are refused.
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// Why somebody should look, if so: the worst of it.
    pub(crate) fn alarm(&self, now: UnixMillis) -> Option<Alarm> {
        let standing = self.standing();
        let stale = |one: &One| {
            let age = now.seconds().saturating_sub(one.feed.issued_at);
            let quiet = now.0.saturating_sub(one.checked.0) / 1_000;
            one.feed.max_age.is_some_and(|most| age > most) || quiet > self.config.stale_seconds
        };
        match () {
            () if standing.trouble.is_some() => Some(Alarm::Unusable),
            () if standing.feeds.iter().any(stale) => Some(Alarm::Stale),
            () if standing.feeds.iter().any(|one| one.failed) => Some(Alarm::Failing),
            () => None,
        }
    }

    /// Looks whether requests may come in; every few seconds, since feeds grow stale by themselves.
    pub(crate) fn look(&self, now: UnixMillis) {
        let bad = matches!(self.alarm(now), Some(Alarm::Unusable | Alarm::Stale));
        let shut = bad && self.config.on_stale == OnStale::Refuse;
        if self.shut.swap(shut, Ordering::AcqRel) != shut {
            match shut {
                true => tracing::error!("feeds are stale or unusable: new requests are refused"),
                false => tracing::info!("feeds are fresh again: requests are served"),
            }
        }
    }

    /// How old everything is.
    pub(crate) fn ages(&self, now: UnixMillis) -> Vec<FeedAge> {
        let standing = self.standing();
        let age = |one: &One| FeedAge {
            issuer: printed(&one.feed.issuer),
            feed: printed(&one.feed.feed_id),
            issued_seconds: now.seconds().saturating_sub(one.feed.issued_at),
            confirmed_seconds: one
                .confirmed
                .then(|| now.seconds().saturating_sub(one.checked.seconds())),
        };
        standing.feeds.iter().map(age).collect()
    }

    /// Takes note of what counts now.
    fn counted(&self, summary: Summary, now: UnixMillis) {
        let mut standing = self.standing();
        let known = std::mem::take(&mut standing.feeds);
        let same =
            |one: &Feed, other: &Feed| one.issuer == other.issuer && one.feed_id == other.feed_id;
        for One { feed, .. } in &known {
            if !summary.feeds.iter().any(|one| same(one, feed)) {
                let (issuer, feed) = (printed(&feed.issuer), printed(&feed.feed_id));
                tracing::warn!(issuer, feed, "a feed counts no more: its subscription is gone");
            }
        }
        let one = |feed: Feed| {
            // By an earlier process, or by hand; a clock that was put back makes nothing fresher.
            let told = feed.confirmed_at.and_then(|at| u64::try_from(at).ok());
            let told = told.map(|at| UnixMillis(at.saturating_mul(1_000)).min(now));
            match known.iter().find(|one| same(&one.feed, &feed)) {
                Some(before) => One {
                    feed,
                    checked: told.map_or(before.checked, |told| told.max(before.checked)),
                    confirmed: before.confirmed || told.is_some(),
                    failed: before.failed,
                },
                None => One {
                    feed,
                    checked: told.unwrap_or(now),
                    confirmed: told.is_some(),
                    failed: false,
                },
            }
        };
        standing.feeds = summary.feeds.into_iter().map(one).collect();
        standing.changes_at = summary.changes_at;
        standing.trouble = summary.trouble;
        standing.counts = Some(summary.counts);
    }

    /// What counts is what counted before: only times may have changed. `None` where it is not.
    fn unchanged(&self, counting: &Counting) -> Option<Summary> {
        let standing = self.standing();
        let counts = counts(counting);
        // What failed is tried again.
        let same = standing.counts == Some(counts) && standing.trouble.is_none();
        same.then(|| Summary {
            feeds: counting.feeds.clone(),
            trouble: None,
            changes_at: counting.changes_at,
            counts,
        })
    }

    /// Takes note of what publishers said; whether all of them said something that holds.
    fn pulled(&self, app: &App, pulled: &[Pulled], now: UnixMillis) -> bool {
        let mut standing = self.standing();
        for one in pulled {
            let known = standing
                .feeds
                .iter_mut()
                .find(|known| known.feed.issuer == one.issuer && known.feed.feed_id == one.feed_id);
            for told in one.told.iter().take(TOLD) {
                tracing::warn!(
                    issuer = printed(&one.issuer),
                    feed = printed(&one.feed_id),
                    told = printed_long(told),
                    "a feed was found to be odd"
                );
            }
            match &one.result {
                Ok(changed) => {
                    app.metrics.feeds.pulled(if *changed { "changed" } else { "same" });
                    if *changed {
                        let (issuer, feed) = (printed(&one.issuer), printed(&one.feed_id));
                        tracing::info!(issuer, feed, "a feed was updated");
                    }
                }
                Err(trouble) => {
                    app.metrics.feeds.pulled(trouble.as_str());
                    tracing::error!(
                        issuer = printed(&one.issuer),
                        feed = printed(&one.feed_id),
                        result = trouble.as_str(),
                        why = printed_long(&trouble.to_string()),
                        "a feed was not updated: what counted before goes on counting"
                    );
                }
            }
            if let Some(known) = known {
                known.failed = one.result.is_err();
                if one.result.is_ok() {
                    (known.checked, known.confirmed) = (now, true);
                }
            }
        }
        pulled.iter().all(|one| one.result.is_ok())
    }

    /// What counts now is not known; the next pull asks again.
    fn failed(&self, why: String) {
        let mut standing = self.standing();
        standing.trouble = Some(why);
        standing.changes_at = None;
    }

    fn changes_at(&self) -> Option<i64> {
        self.standing().changes_at
    }

    /// A panic elsewhere leaves it whole: each change is one assignment.
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left of [`Counting`] when the engine is built.
struct Summary {
    feeds: Vec<Feed>,
    trouble: Option<String>,
    changes_at: Option<i64>,
    counts: Digest,
}

/// A digest over what the ruleset of `counting` depends on.
fn counts(counting: &Counting) -> Digest {
    let mut text = String::new();
    for root in &counting.roots {
        text.push_str(&format!("{:?} {:?} {}\n", root.issuer, root.feed, root.root));
    }
    for indicator in &counting.indicators {
        let hash = indicator.source.content_hash().unwrap_or(&indicator.pattern);
        text.push_str(&format!("{hash} {}\n", indicator.monitor));
    }
    Digest::of(text.as_bytes())
}

fn build(counting: Counting) -> Result<(Engine, Summary), String> {
    let counts = counts(&counting);
    let Counting { indicators, roots, feeds, changes_at } = counting;
    let options = Options { feeds: roots, ..Options::default() };
    let (engine, refused) =
        Engine::builtin_with(indicators, &options).map_err(|error| error.to_string())?;
    // They are not looked for, so it must be told.
    let trouble = refused.first().map(|first| {
        format!("{} indicators are not used: {}, {}", refused.len(), first.id, first.reason)
    });
    if let Some(why) = &trouble {
        tracing::error!(why = printed_long(why), "not all subscribed indicators are looked for");
    }
    Ok((engine, Summary { feeds, trouble, changes_at, counts }))
}

/// Asks again and again, until the gateway stops.
pub(crate) async fn keep(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let Some(port) = app.feeding.port.clone() else {
        // Tasks of the gateway do not end by themselves.
        let _ = stopping.changed().await;
        return;
    };
    let interval = Duration::from_secs(app.feeding.config.interval_seconds);
    let mut failures = 0;
    // Not at once: a gateway that is restarted every few seconds asks nobody. One that serves nobody
    // before it has asked does.
    let mut pause = match app.feeding.is_shut() {
        true => Duration::ZERO,
        false => jittered(interval.min(SETTLED)),
    };
    let mut under_way: Option<oneshot::Receiver<Vec<Pulled>>> = None;
    loop {
        let ends = app.feeding.changes_at().map(|at| {
            let seconds = at.saturating_sub(app.now().seconds()).max(0);
            Duration::from_secs(seconds.unsigned_abs()).saturating_add(Duration::from_secs(1))
        });
        let until = ends.map_or(pause, |ends| ends.min(pause));
        tokio::select! {
            _ = stopping.changed() => break,
            wanted = timeout(until, app.feeding.wanted.notified()) => match wanted {
                Ok(()) => {
                    tracing::info!("an operator has the publishers of feeds asked now");
                    pause = Duration::ZERO;
                }
                Err(_) => pause = pause.saturating_sub(until),
            },
        }
        if pause.is_zero() {
            let good = tokio::select! {
                _ = stopping.changed() => break,
                good = pull(&app, &port, &mut under_way) => good,
            };
            failures = if good { 0 } else { failures + 1 };
            pause = jittered(if good { interval } else { backoff(interval, failures) });
        }
        refresh(&app, &port).await;
        app.feeding.look(app.now());
    }
    // What is being accepted may be finished; a publisher that does not answer is not waited for.
    if let Some(pull) = under_way {
        let _ = timeout(LAST_WORDS, pull).await;
    }
}

/// Asks all publishers once. One that hangs beyond every deadline is not asked a second time beside.
async fn pull(
    app: &Arc<App>,
    port: &Arc<dyn Feeds>,
    under_way: &mut Option<oneshot::Receiver<Vec<Pulled>>>,
) -> bool {
    let deadline = Duration::from_secs(app.feeding.config.deadline_seconds);
    let asking = under_way.get_or_insert_with(|| {
        let (port, recorder, now) = (port.clone(), app.recorder.clone(), app.now());
        let runtime = Handle::current();
        apart(move || {
            port.pull(now, deadline, &mut |entries| {
                // Requests wait for the ledger, so whoever writes it must not be one that yields.
                let recorder = recorder.clone();
                let written = runtime.spawn_blocking(move || append(&recorder, entries));
                runtime.block_on(written).unwrap_or_else(|error| Err(error.to_string()))
            })
        })
    });
    let feeds = u32::try_from(app.feeding.standing().feeds.len()).unwrap_or(u32::MAX);
    let all = deadline.saturating_mul(feeds.clamp(1, LONGEST));
    let pulled = timeout(all, asking).await;
    let Ok(pulled) = pulled else {
        tracing::error!(seconds = all.as_secs(), "the publishers of feeds did not answer in time");
        app.metrics.feeds.pulled("late");
        app.feeding.standing().feeds.iter_mut().for_each(|one| one.failed = true);
        return false;
    };
    *under_way = None;
    match pulled {
        Ok(pulled) => app.feeding.pulled(app, &pulled, app.now()),
        Err(_) => {
            tracing::error!("asking for feeds failed by a fault of ours");
            app.metrics.feeds.pulled("failed");
            false
        }
    }
}

fn append(recorder: &Recorder, entries: Vec<ledger::Entry>) -> Result<(), String> {
    recorder.append(entries).map_err(|error| error.to_string())
}

/// Puts into force what counts now, if it is something else than before.
async fn refresh(app: &Arc<App>, port: &Arc<dyn Feeds>) {
    let (own, port, now) = (app.clone(), port.clone(), app.now());
    let built = apart(move || {
        let counting = port.counting(now)?;
        if let Some(summary) = own.feeding.unchanged(&counting) {
            return Ok((None, summary));
        }
        let (engine, summary) = build(counting)?;
        Ok::<_, String>((Some(rules::prepare(&own.config.guard, engine)), summary))
    });
    let failed = |why: String| {
        tracing::error!(why = printed_long(&why), "what is subscribed cannot be used now");
        app.feeding.failed(why);
    };
    let (pipeline, summary) = match built.await {
        Ok(Ok(built)) => built,
        Ok(Err(why)) => return failed(why),
        Err(_) => return failed("a fault of ours".to_owned()),
    };
    let replaced = match pipeline {
        Some(pipeline) => app.rules.replace(&app.recorder, pipeline).await,
        None => Ok(false),
    };
    match replaced {
        Ok(false) => app.feeding.counted(summary, now),
        Ok(true) => {
            app.feeding.counted(summary, now);
            let ruleset = app.recorder.ruleset_digest().to_string();
            app.metrics.in_force(&ruleset, &app.recorder.config_digest().to_string());
            tracing::info!(ruleset, "another ruleset is in force");
        }
        // What cannot be recorded is not used.
        Err(error) => failed(format!("the ruleset was not stored: {error}")),
    }
}

/// A publisher's text as it may be printed.
fn printed(text: &str) -> String {
    escape::terminal(&text.chars().take(64).collect::<String>())
}

fn printed_long(text: &str) -> String {
    escape::terminal(&text.chars().take(400).collect::<String>())
}

/// A gateway that lives so long is not in a loop of restarts.
const SETTLED: Duration = Duration::from_secs(60);
/// How long a stop waits for what is being accepted.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Oddities of one pull that are logged.
const TOLD: usize = 16;
/// Questions that all publishers together have time for.
const LONGEST: u32 = 64;
