//! What is counted of subscribed feeds. Labels of feeds come from the operator's subscriptions.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The series of feeds.
#[derive(Debug)]
pub struct FeedSeries {
    pulls: IntCounterVec,
    age: IntGaugeVec,
    confirmed: IntGaugeVec,
    alarm: IntGauge,
}

/// How old a feed is.
#[derive(Debug, Clone)]
pub struct FeedAge {
    /// Escaped.
    pub issuer: String,
    /// Escaped.
    pub feed: String,
    /// Since its document was issued.
    pub issued_seconds: i64,
    /// Since its publisher confirmed it; `None` where nobody knows.
    pub confirmed_seconds: Option<i64>,
}

impl FeedSeries {
    pub(super) fn register(registry: &Registry) -> Result<FeedSeries, prometheus::Error> {
        let labels = ["issuer", "feed"];
        let series = FeedSeries {
            pulls: IntCounterVec::new(
                Opts::new("countersign_feed_pulls_total", "Feeds asked for, by result."),
                &["result"],
            )?,
            age: IntGaugeVec::new(
                Opts::new("countersign_feed_age_seconds", "Since the feed that counts was issued."),
                &labels,
            )?,
            confirmed: IntGaugeVec::new(
                Opts::new(
                    "countersign_feed_confirmed_age_seconds",
                    "Since its publisher confirmed it; -1 where nobody knows.",
                ),
                &labels,
            )?,
            alarm: IntGauge::new(
                "countersign_feeds_alarm",
                "1 while a feed is stale, cannot be used, or its last pull failed.",
            )?,
        };
        registry.register(Box::new(series.pulls.clone()))?;
        registry.register(Box::new(series.age.clone()))?;
        registry.register(Box::new(series.confirmed.clone()))?;
        registry.register(Box::new(series.alarm.clone()))?;
        Ok(series)
    }

    /// A feed was asked for.
    pub fn pulled(&self, result: &'static str) {
        self.pulls.with_label_values(&[result]).inc();
    }

    pub(super) fn set(&self, ages: &[FeedAge], alarm: bool) {
        self.alarm.set(i64::from(alarm));
        // Those that were unsubscribed go.
        self.age.reset();
        self.confirmed.reset();
        for age in ages.iter().take(LABELLED) {
            let labels = [age.issuer.as_str(), age.feed.as_str()];
            self.age.with_label_values(&labels).set(age.issued_seconds);
            let confirmed = age.confirmed_seconds.unwrap_or(-1);
            self.confirmed.with_label_values(&labels).set(confirmed);
        }
    }
}

/// So many feeds have series of their own.
const LABELLED: usize = 64;
