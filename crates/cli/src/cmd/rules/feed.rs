//! Indicators of signed feeds, for one command: the pin is trust enough.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use countersign::feeds::{Store, StoreError, View};
use record::feed::{Judge, LIMIT, Pin, Verified, judge, live};
use scan::{FeedRoot, Indicator, Limits, check_pattern};
use seal::PublicKey;

use crate::exit::{Exit, Failure};
use crate::output;

/// Which feeds.
#[derive(Debug, clap::Args)]
pub struct FeedArgs {
    /// A signed feed whose indicators are looked for, too
    #[arg(long, value_name = "FILE", requires = "pin")]
    feed: Vec<PathBuf>,
    /// A publisher's public key (PEM), got over another way than the feed
    #[arg(long, value_name = "PEM", requires = "feed")]
    pin: Vec<PathBuf>,
    /// The indicators of the subscriptions in a state directory (default: here), too
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "."
    )]
    subscriptions: Option<PathBuf>,
    /// Only report what indicators of a --feed find
    #[arg(long, requires = "feed")]
    monitor: bool,
}

impl FeedArgs {
    /// The indicators that count now, and the feeds they are from. A feed that does not hold is the
    /// command's failure, with the exit of what is wrong.
    pub fn read(&self) -> Result<(Vec<Indicator>, Vec<FeedRoot>), Failure> {
        let pins = self.pin.iter().map(|path| pin(path)).collect::<Result<Vec<Pin>, Failure>>()?;
        let feeds = self.feed.iter().map(|file| verified(file, &pins));
        let feeds = feeds.collect::<Result<Vec<Verified>, Failure>>()?;
        let all = feeds.iter().flat_map(|verified| {
            let feed = verified.feed();
            let by = feed.publisher();
            feed.iocs.iter().map(move |ioc| (by.clone(), ioc))
        });
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let indicators = live(all, now).indicators.into_iter().map(|(_, signed)| {
            let indicator = Indicator::of_ioc(signed);
            if self.monitor { indicator.monitored() } else { indicator }
        });
        let roots = feeds.iter().map(Verified::feed).map(|feed| FeedRoot {
            issuer: feed.issuer.clone(),
            feed: feed.feed_id.clone(),
            root: feed.root.to_string(),
        });
        let (subscribed, their_roots) = match &self.subscriptions {
            Some(dir) => subscribed(dir, now)?,
            None => (Vec::new(), Vec::new()),
        };
        Ok((indicators.chain(subscribed).collect(), roots.chain(their_roots).collect()))
    }
}

/// What the subscriptions of a state directory look for. One whose files were changed stops the
/// scan: what it was to find would not be found.
fn subscribed(dir: &Path, now: i64) -> Result<(Vec<Indicator>, Vec<FeedRoot>), Failure> {
    let failure = |error: StoreError| match error {
        StoreError::Key { .. } | StoreError::Gone { .. } => {
            Failure::new(Exit::Config, error.to_string())
        }
        _ => Failure::new(Exit::Io, error.to_string()),
    };
    let store = Store::open(&dir.join(".countersign")).map_err(failure)?;
    let Some(store) = store else {
        let message = format!("{}: there are no subscriptions here", dir.display());
        return Err(Failure::new(Exit::NoPath, message));
    };
    let all = store.load_all().map_err(failure)?;
    if let Some((slot, finding)) = all.broken.first() {
        let message = format!("subscription {slot}: {finding}");
        return Err(Failure::new(Exit::Evidence(finding.code.exit()), message));
    }
    Ok(View::new(all.held).indicators(now))
}

fn pin(path: &Path) -> Result<Pin, Failure> {
    let pem = output::read_text(path, 64 << 10)?;
    let key = PublicKey::from_pem(&pem)
        .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", path.display())))?;
    Ok(Pin::new(key))
}

fn verified(path: &Path, pins: &[Pin]) -> Result<Verified, Failure> {
    let bytes = output::read_input(path, LIMIT as u64 + 1)?;
    let limits = Limits::default();
    let compiles = |kind, pattern: &str| {
        check_pattern(kind, pattern, &limits).map_err(|reason| reason.to_string())
    };
    let judged = judge(&bytes, &Judge { pins, compiles: &compiles, ..Judge::default() });
    judged.verified.ok_or_else(|| {
        let told = output::safe(&judged.report.to_table());
        let message = format!("{} is not used:\n{told}", path.display());
        Failure::new(Exit::Evidence(judged.report.exit_class()), message)
    })
}
