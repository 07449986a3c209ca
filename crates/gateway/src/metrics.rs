//! What the gateway counts. Every label value comes from a closed set of our
//! own names, or from the operator's subscriptions, so nobody outside can grow
//! the number of series.

mod feeds;

pub use feeds::{FeedAge, FeedSeries};

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// The routes of the data listener, as labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `GET /v1/models`.
    Models,
    /// Whatever did not come as far as a route.
    None,
}

impl Route {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Models => "models",
            Self::None => "none",
        }
    }
}

/// All series.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    decisions: IntCounterVec,
    upstream_seconds: Histogram,
    upstream_failures: IntCounterVec,
    evidence_failures: IntCounter,
    anchors: IntCounterVec,
    anchor_age: IntGauge,
    witnesses: IntCounterVec,
    witnessed_entries: IntGauge,
    witnessed_age: IntGauge,
    connections: IntGauge,
    ledger_entries: IntGauge,
    ledger_free: IntGauge,
    ledger_headroom: IntGauge,
    reserved_tokens: IntGauge,
    ready: IntGauge,
    info: IntGaugeVec,
    /// Of subscribed feeds.
    pub feeds: FeedSeries,
}

impl Metrics {
    /// Registers every series; `ruleset` and `config` are digests.
    pub fn new(ruleset: &str, config: &str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            feeds: FeedSeries::register(&registry)?,
            registry,
            requests: IntCounterVec::new(
                Opts::new("countersign_requests_total", "Answers by route and status class."),
                &["route", "status"],
            )?,
            decisions: IntCounterVec::new(
                Opts::new("countersign_decisions_total", "Rulings by check, stage and decision."),
                &["check", "stage", "decision"],
            )?,
            upstream_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "countersign_upstream_seconds",
                    "Time from the forwarded request to the upstream's first header.",
                )
                .buckets(vec![0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]),
            )?,
            upstream_failures: IntCounterVec::new(
                Opts::new("countersign_upstream_failures_total", "Unusable answers by cause."),
                &["cause"],
            )?,
            evidence_failures: IntCounter::new(
                "countersign_evidence_failures_total",
                "Requests refused because evidence could not be written.",
            )?,
            anchors: IntCounterVec::new(
                Opts::new("countersign_anchors_total", "Timestamps asked for, by result."),
                &["result"],
            )?,
            anchor_age: IntGauge::new(
                "countersign_anchor_age_seconds",
                "Since the last timestamp over a checkpoint; -1 before the first of this process.",
            )?,
            witnesses: IntCounterVec::new(
                Opts::new("countersign_witness_answers_total", "Answers of witnesses, by result."),
                &["result"],
            )?,
            witnessed_entries: IntGauge::new(
                "countersign_witnessed_entries",
                "Entries that a quorum of witnesses saw; 0 before the first of this process.",
            )?,
            witnessed_age: IntGauge::new(
                "countersign_witness_quorum_age_seconds",
                "Since the last quorum of witnesses; -1 before the first of this process.",
            )?,
            connections: IntGauge::new(
                "countersign_connections",
                "Open connections of the data listener.",
            )?,
            ledger_entries: IntGauge::new("countersign_ledger_entries", "Entries in the ledger.")?,
            ledger_free: IntGauge::new(
                "countersign_ledger_free_bytes",
                "Room on the ledger's disk at the last look; -1 where nothing tells.",
            )?,
            ledger_headroom: IntGauge::new(
                "countersign_ledger_headroom_bytes",
                "Room that new requests leave to those under way: below it they get 503.",
            )?,
            reserved_tokens: IntGauge::new(
                "countersign_budget_reserved_tokens",
                "Tokens reserved by requests under way.",
            )?,
            ready: IntGauge::new("countersign_ready", "1 while evidence can be written.")?,
            info: IntGaugeVec::new(
                Opts::new("countersign_info", "The version, ruleset and configuration in force."),
                &["version", "ruleset", "config"],
            )?,
        };
        metrics.in_force(ruleset, config);
        let all: [Box<dyn prometheus::core::Collector>; 17] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.decisions.clone()),
            Box::new(metrics.upstream_seconds.clone()),
            Box::new(metrics.upstream_failures.clone()),
            Box::new(metrics.evidence_failures.clone()),
            Box::new(metrics.anchors.clone()),
            Box::new(metrics.anchor_age.clone()),
            Box::new(metrics.witnesses.clone()),
            Box::new(metrics.witnessed_entries.clone()),
            Box::new(metrics.witnessed_age.clone()),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.ledger_entries.clone()),
            Box::new(metrics.ledger_free.clone()),
            Box::new(metrics.ledger_headroom.clone()),
            Box::new(metrics.reserved_tokens.clone()),
            Box::new(metrics.ready.clone()),
            Box::new(metrics.info.clone()),
        ];
        for collector in all {
            metrics.registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// The digests in force, from here on.
    pub fn in_force(&self, ruleset: &str, config: &str) {
        self.info.reset();
        self.info.with_label_values(&[env!("CARGO_PKG_VERSION"), ruleset, config]).set(1);
    }

    /// An answer left.
    pub fn answered(&self, route: Route, status: u16) {
        let class = match status {
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.with_label_values(&[route.as_str(), class]).inc();
    }

    /// A check ruled. All three are names from our own tables.
    pub fn decided(&self, check: &str, stage: &str, decision: &str) {
        self.decisions.with_label_values(&[check, stage, decision]).inc();
    }

    /// The upstream's first header came.
    pub fn upstream_answered(&self, after: Duration) {
        self.upstream_seconds.observe(after.as_secs_f64());
    }

    /// The upstream gave nothing usable.
    pub fn upstream_failed(&self, cause: &'static str) {
        self.upstream_failures.with_label_values(&[cause]).inc();
    }

    /// A request was refused because its evidence could not be written.
    pub fn evidence_failed(&self) {
        self.evidence_failures.inc();
    }

    /// A checkpoint was timestamped.
    pub fn anchored(&self) {
        self.anchors.with_label_values(&["kept"]).inc();
    }

    /// An authority gave no timestamp that holds.
    pub fn anchor_failed(&self) {
        self.anchors.with_label_values(&["failed"]).inc();
    }

    /// A witness answered, or did not.
    pub fn witnessed(&self, result: &str) {
        self.witnesses.with_label_values(&[result]).inc();
    }

    /// A connection was opened; closed when the guard is dropped.
    pub fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// The exposition text.
    pub fn render(&self, now: &Now) -> String {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let (free, headroom) = now.room.map_or((-1, 0), |(free, kept)| (gauge(free), gauge(kept)));
        self.ledger_entries.set(gauge(now.ledger_entries));
        self.ledger_free.set(free);
        self.ledger_headroom.set(headroom);
        self.reserved_tokens.set(gauge(now.reserved_tokens));
        self.ready.set(i64::from(now.ready));
        self.anchor_age.set(now.anchor_age_seconds.map_or(-1, gauge));
        self.witnessed_entries.set(gauge(now.witnessed_entries));
        self.witnessed_age.set(now.witnessed_age_seconds.map_or(-1, gauge));
        self.feeds.set(&now.feeds, now.feeds_alarm);
        let mut text = Vec::new();
        // Writing into memory cannot fail; a family that cannot be written is left out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

/// What is asked for when somebody looks.
#[derive(Debug, Clone)]
pub struct Now {
    /// Entries in the ledger.
    pub ledger_entries: u64,
    /// Bytes free on its disk and bytes kept; `None` where nothing tells.
    pub room: Option<(u64, u64)>,
    /// Tokens reserved by requests under way.
    pub reserved_tokens: u64,
    /// Whether requests are served.
    pub ready: bool,
    /// Since the last timestamp over a checkpoint; `None` before the first.
    pub anchor_age_seconds: Option<u64>,
    /// Entries that a quorum of witnesses saw.
    pub witnessed_entries: u64,
    /// Since the last quorum; `None` before the first.
    pub witnessed_age_seconds: Option<u64>,
    /// How old subscribed feeds are.
    pub feeds: Vec<FeedAge>,
    /// Whether somebody should look at them.
    pub feeds_alarm: bool,
}

/// An open connection.
#[derive(Debug)]
pub struct Connected(IntGauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
