//! The gateway's configuration: one strict YAML file. An unknown key, a value
//! out of range or a check that cannot work is an error at start, never a
//! surprise at run time. Its effective form is evidence: its digest stands in
//! every entry.

#[cfg(test)]
mod agreement;
mod anchors;
mod error;
mod feeds;
#[cfg(test)]
mod hostile;
pub mod keys;
mod problems;
mod read;
mod schema;
mod settings;
mod storing;
mod witnesses;

pub use anchors::AnchorsConfig;
pub use error::ConfigError;
pub use feeds::{FeedsConfig, OnStale};
pub use problems::Problem;
pub use schema::schema;
pub use storing::{EncryptionConfig, Storing};
pub use witnesses::WitnessesConfig;

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use guard::GuardConfig;
use seal::digest::Digest;
use seal::json::{Value, WriteError};
use serde::Deserialize;

use crate::recorder::Profile;
use crate::upstream::{Upstream, UpstreamLimits};

/// The configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where callers connect.
    pub listen: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// Host names, besides the loopback ones and the bound address, under which
    /// the listeners may be addressed.
    pub hosts: Vec<String>,
    /// The model API. Without one, only a bare `up` serves (the simulator).
    pub upstream: Option<UpstreamConfig>,
    /// What is written, and when.
    pub evidence: EvidenceConfig,
    /// The ledger's place on the disk.
    pub ledger: LedgerConfig,
    /// Seconds between two signed checkpoints.
    pub checkpoint_interval_seconds: u64,
    /// Subscribed feeds.
    pub feeds: FeedsConfig,
    /// The checks.
    pub guard: GuardConfig,
    /// Sizes and deadlines.
    pub limits: LimitsConfig,
    /// The simulator may stand in for a missing upstream (bare `up` only; never
    /// from a file).
    #[serde(skip)]
    pub simulator: bool,
    /// Take the next free port when one is taken (`up` only; never from a file).
    #[serde(skip)]
    pub next_free_port: bool,
}

/// The model API behind the gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Its base, for example `https://api.openai.com/v1`.
    pub url: String,
    /// Our key for it: `env:NAME`, `file:PATH` or `command:PROGRAM`. Without it the caller's own
    /// `Authorization` is forwarded.
    #[serde(default)]
    pub key: Option<String>,
    /// What evidence calls it; host and port if absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// What is written, and when.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceConfig {
    /// When the admission must be durable.
    pub release: Release,
    /// How much each request leaves behind.
    pub profile: ProfileName,
}

/// The ledger's place on the disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// Room that new requests leave to those under way, in bytes.
    pub headroom_bytes: u64,
    /// The group that may read the evidence: a name of `/etc/group`, or a number.
    pub group: Option<String>,
    /// What that group may.
    pub mode: SharedMode,
    /// What a further gateway on the same directory does.
    pub second: Second,
    /// The name under which a further gateway writes.
    pub writer: String,
    /// Who stamps checkpoints.
    pub anchors: AnchorsConfig,
    /// Who cosigns checkpoints.
    pub witnesses: WitnessesConfig,
    /// A segment of this length is full, in bytes.
    pub segment_bytes: u64,
    /// So is one whose first entry is older, in seconds.
    pub segment_age_seconds: Option<u64>,
    /// For whom bodies are encrypted.
    pub encryption: EncryptionConfig,
}

/// What a gateway does whose directory another process owns (docs/operating/many-processes.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Second {
    /// It does not start.
    #[default]
    Refuse,
    /// It writes through the socket of that process.
    Join,
}

impl Second {
    /// As the file has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Second::Refuse => "refuse",
            Second::Join => "join",
        }
    }
}

/// The mode of evidence files that have a group of readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum SharedMode {
    /// The owner alone.
    #[serde(rename = "0600")]
    Owner,
    /// The group may read.
    #[default]
    #[serde(rename = "0640")]
    GroupReads,
}

/// When the admission must be durable (spec/request-evidence.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// Before the first upstream byte reaches the caller.
    #[default]
    BeforeRelease,
    /// Before anything goes upstream.
    BeforeForward,
}

/// The evidence profile's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// Every step a receipt.
    #[default]
    Full,
    /// Audit entries and decision receipts only.
    Sealed,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Full => Self::Full,
            ProfileName::Sealed => Self::Sealed,
        }
    }
}

/// Sizes and deadlines.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The largest request body.
    pub body_bytes: u64,
    /// The largest unary answer of the upstream.
    pub answer_bytes: u64,
    /// Open connections on the data listener.
    pub connections: u32,
    /// For request line and headers.
    pub header_read_seconds: u64,
    /// For the request body.
    pub body_read_seconds: u64,
    /// For the connection to the upstream.
    pub upstream_connect_seconds: u64,
    /// From the forwarded request to the first header of the answer.
    pub upstream_answer_seconds: u64,
    /// Between two pieces of an answer.
    pub upstream_read_seconds: u64,
    /// So long may a caller not read before it counts as gone.
    pub caller_stall_seconds: u64,
    /// So long may requests under way finish at a stop.
    pub stop_grace_seconds: u64,
    /// Refusals before any content check that one peer gets recorded one by one.
    pub refusals_per_minute: u32,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            listen: loopback(8443),
            admin: loopback(8444),
            hosts: Vec::new(),
            upstream: None,
            evidence: EvidenceConfig::default(),
            ledger: LedgerConfig::default(),
            checkpoint_interval_seconds: 1,
            feeds: FeedsConfig::default(),
            guard: GuardConfig::default(),
            limits: LimitsConfig::default(),
            simulator: false,
            next_free_port: false,
        }
    }
}

impl LedgerConfig {
    /// The group that may read the evidence, if any.
    pub fn readers(&self) -> Option<&str> {
        self.group.as_deref().filter(|_| self.mode == SharedMode::GroupReads)
    }
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            headroom_bytes: 64 << 20,
            group: None,
            mode: SharedMode::default(),
            second: Second::default(),
            writer: "gateway-2".to_owned(),
            anchors: AnchorsConfig::default(),
            witnesses: WitnessesConfig::default(),
            segment_bytes: storing::SEGMENT_BYTES,
            segment_age_seconds: None,
            encryption: EncryptionConfig::default(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            answer_bytes: 16 << 20,
            connections: 1024,
            header_read_seconds: 10,
            body_read_seconds: 30,
            upstream_connect_seconds: 10,
            upstream_answer_seconds: 120,
            upstream_read_seconds: 60,
            caller_stall_seconds: 60,
            stop_grace_seconds: 10,
            refusals_per_minute: 60,
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(BYTES as u64 + 1).read_to_string(&mut text))
            .map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
        Self::parse(&text)
    }

    /// Everything that a start would object to in this text, as far as [`Config::rehearse`] goes,
    /// in the order of the lines; nothing when it would not object.
    pub fn problems(text: &str) -> Vec<Problem> {
        match Self::parse(text) {
            Err(error) => problems::problems(text, error),
            Ok(config) => config.objections(),
        }
    }

    /// Reads YAML text. An empty document is the defaults.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > BYTES {
            let what = format!("it is larger than {BYTES} bytes");
            return Err(ConfigError::Yaml { line: 0, what });
        }
        let config = read::read(text)?;
        config.check()?;
        Ok(config)
    }

    /// Everything that a start checks and that needs neither network nor state directory: values,
    /// upstream, its key, and whether the checks can work with the rules there are.
    pub fn rehearse(&self) -> Result<(), ConfigError> {
        match self.objections().into_iter().next() {
            Some(problem) => Err(problem.error),
            None => Ok(()),
        }
    }

    fn objections(&self) -> Vec<Problem> {
        let guard = self.guard.validate(RULES.iter());
        let steps = [
            self.check(),
            self.open_upstream().map(|_| ()),
            self.storing().map(|_| ()),
            self.ledger.witnesses.policy().map(|_| ()),
            guard.map_err(|error| ConfigError::Check(error.to_string())),
        ];
        let failed = steps.into_iter().filter_map(Result::err);
        failed.map(|error| Problem { line: 0, error }).collect()
    }

    /// Whether every value can work by itself.
    pub fn check(&self) -> Result<(), ConfigError> {
        // Nothing here tells one network caller from another yet, so the data
        // listener is loopback without exception; the admin listener has its token.
        if !self.listen.ip().to_canonical().is_loopback() {
            return Err(ConfigError::Exposed { key: "listen", address: self.listen });
        }
        if self.listen == self.admin && self.listen.port() != 0 {
            return Err(ConfigError::OneAddress(self.admin));
        }
        for host in &self.hosts {
            let good = !host.is_empty()
                && host.len() <= 253
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            if !good {
                return Err(ConfigError::Host(host.clone()));
            }
        }
        self.ledger.anchors.urls()?;
        self.ledger.encryption.check()?;
        let limits = &self.limits;
        let numbers = [
            ("checkpoint_interval_seconds", self.checkpoint_interval_seconds),
            ("ledger.headroom_bytes", self.ledger.headroom_bytes),
            ("ledger.segment_bytes", self.ledger.segment_bytes),
            ("ledger.segment_age_seconds", self.ledger.segment_age_seconds.unwrap_or(60)),
            ("ledger.anchors.interval_seconds", self.ledger.anchors.interval_seconds),
            ("ledger.witnesses.deadline_seconds", self.ledger.witnesses.deadline_seconds),
            ("ledger.anchors.overdue_seconds", self.ledger.anchors.overdue_seconds.unwrap_or(1)),
            ("feeds.interval_seconds", self.feeds.interval_seconds),
            ("feeds.deadline_seconds", self.feeds.deadline_seconds),
            ("feeds.stale_seconds", self.feeds.stale_seconds),
            ("limits.body_bytes", limits.body_bytes),
            ("limits.answer_bytes", limits.answer_bytes),
            ("limits.connections", u64::from(limits.connections)),
            ("limits.header_read_seconds", limits.header_read_seconds),
            ("limits.body_read_seconds", limits.body_read_seconds),
            ("limits.upstream_connect_seconds", limits.upstream_connect_seconds),
            ("limits.upstream_answer_seconds", limits.upstream_answer_seconds),
            ("limits.upstream_read_seconds", limits.upstream_read_seconds),
            ("limits.caller_stall_seconds", limits.caller_stall_seconds),
            ("limits.stop_grace_seconds", limits.stop_grace_seconds),
            ("limits.refusals_per_minute", u64::from(limits.refusals_per_minute)),
        ];
        for (key, value) in numbers {
            if let Some(keys::Kind::Number { least, most }) = keys::find(key).map(|key| key.kind)
                && !(least..=most).contains(&value)
            {
                return Err(ConfigError::Range { key, least, most });
            }
        }
        Ok(())
    }

    /// Opens the upstream: reads its key from where the configuration says.
    pub fn open_upstream(&self) -> Result<Upstream, ConfigError> {
        let Some(upstream) = &self.upstream else {
            return if self.simulator {
                Ok(Upstream::simulator())
            } else {
                Err(ConfigError::NoUpstream)
            };
        };
        let key = upstream.key.as_deref().map(secret).transpose()?;
        let seconds = Duration::from_secs;
        let limits = UpstreamLimits {
            connect: seconds(self.limits.upstream_connect_seconds),
            answer: seconds(self.limits.upstream_answer_seconds),
            read: seconds(self.limits.upstream_read_seconds),
            bytes: usize::try_from(self.limits.answer_bytes).unwrap_or(usize::MAX),
        };
        Ok(Upstream::http(&upstream.url, upstream.name.as_deref(), key.as_deref(), limits)?)
    }

    /// The digest of the effective configuration, the same wherever it is computed. Entries cite it
    /// salted ([`crate::state::cited_config`]).
    pub fn digest(&self) -> Result<Digest, WriteError> {
        Ok(Digest::of(seal::json::write_receipt(&self.effective())?.as_bytes()))
    }

    /// The effective configuration as evidence: everything that shapes a
    /// decision, no secret, no address.
    pub fn effective(&self) -> Value {
        let upstream = match &self.upstream {
            None => Value::object([("name", "simulator".into())]),
            Some(upstream) => Value::object([
                ("url", upstream.url.as_str().into()),
                ("key", upstream.key.as_deref().map_or(Value::Null, Into::into)),
                ("name", upstream.name.as_deref().map_or(Value::Null, Into::into)),
            ]),
        };
        let number = |n: u64| -> Value { i64::try_from(n).unwrap_or(i64::MAX).into() };
        let limits = Value::object([
            ("body_bytes", number(self.limits.body_bytes)),
            ("answer_bytes", number(self.limits.answer_bytes)),
            ("upstream_answer_seconds", number(self.limits.upstream_answer_seconds)),
            ("upstream_read_seconds", number(self.limits.upstream_read_seconds)),
            ("refusals_per_minute", number(u64::from(self.limits.refusals_per_minute))),
        ]);
        Value::object([
            ("version", 1_i64.into()),
            ("upstream", upstream),
            (
                "evidence",
                Value::object([
                    ("release", self.evidence.release.as_str().into()),
                    ("profile", self.evidence.profile.as_str().into()),
                ]),
            ),
            ("guard", self.guard.to_value()),
            ("limits", limits),
        ])
    }
}

impl Release {
    fn as_str(self) -> &'static str {
        match self {
            Self::BeforeRelease => "before-release",
            Self::BeforeForward => "before-forward",
        }
    }
}

impl SharedMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "0600",
            Self::GroupReads => "0640",
        }
    }
}

impl ProfileName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Sealed => "sealed",
        }
    }
}

/// The rules that a start has, for those who only ask about a file.
static RULES: LazyLock<Vec<scan::Rule>> = LazyLock::new(scan::builtin_rules);

/// The largest configuration file, and then some.
const BYTES: usize = 1 << 20;
/// The largest file with a key.
const SECRET_BYTES: u64 = 1 << 16;

/// Reads a secret from where its source says; never from the configuration itself.
fn secret(source: &str) -> Result<String, ConfigError> {
    let missing = || ConfigError::Key { source_name: source.to_owned() };
    let text = if let Some(name) = source.strip_prefix("env:") {
        std::env::var(name).map_err(|_| missing())?
    } else if let Some(path) = source.strip_prefix("file:") {
        short_text(path).map_err(|cause| ConfigError::Read { path: path.into(), cause })?
    } else if let Some(command) = source.strip_prefix(reach::secret::PREFIX) {
        let told =
            reach::secret::read(command).map_err(|error| ConfigError::Secret(error.to_string()))?;
        told.to_string()
    } else {
        // The value itself may be a key that was pasted here: it is not repeated.
        return Err(ConfigError::Key {
            source_name: "a source other than env:NAME, file:PATH or command:PROGRAM".to_owned(),
        });
    };
    let text = text.trim();
    if text.is_empty() { Err(missing()) } else { Ok(text.to_owned()) }
}

/// The text of a file that holds a secret. A device or a log named by mistake has no end.
fn short_text(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(SECRET_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES {
        let cause = format!("more than {SECRET_BYTES} bytes, which is no key");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, cause));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str, expect: Result<(), &str>) {
        let got = Config::parse(yaml).and_then(|config| config.open_upstream().map(|_| ()));
        match (got, expect) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => {
                let text = error.to_string();
                assert!(text.contains(part), "{text:?} does not say {part:?}");
            }
            (got, expect) => panic!("{yaml:?}: {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn what_cannot_work_is_an_error_at_start() {
        check("upstream: {url: 'http://127.0.0.1:1/v1'}", Ok(()));
        check("", Err("upstream is missing"));
        check("listen: 0.0.0.0:8443", Err("not a loopback address"));
        check("listen: '[::ffff:127.0.0.1]:8443'\nupstream: {url: 'http://a/v1'}", Ok(()));
        check("unknown: 1", Err("unknown key `unknown`"));
        check("upstream: {url: 'http://a/v1', key: sk-secret}", Err("env:NAME"));
        check(
            "upstream: {url: 'http://a/v1', key: 'env:COUNTERSIGN_TEST_UNSET'}",
            Err("gives no key"),
        );
        for endless in ["/dev/zero", "/dev/urandom"] {
            let yaml = format!("upstream: {{url: 'http://a/v1', key: 'file:{endless}'}}");
            check(&yaml, Err(endless));
        }
        check("upstream: {url: 'http://a/v1', key: 'command:echo sk-1'}", Ok(()));
        for (command, told) in [("false", "ended with"), ("echo 'sk-1", "not closed")] {
            let yaml = format!("upstream: {{url: 'http://a/v1', key: \"command:{command}\"}}");
            check(&yaml, Err(told));
        }
        check("admin: 127.0.0.1:8443\nupstream: {url: 'http://a/v1'}", Err("two ports"));
        check("limits: {body_bytes: 0}", Err("limits.body_bytes"));
        check("hosts: ['http://x']", Err("not a host name"));
        check("evidence: {release: later}", Err("not valid"));
        check("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", Err("not valid"));
    }

    #[test]
    fn a_pasted_key_is_not_repeated_in_the_error() {
        let config = Config::parse("upstream: {url: 'http://a/v1', key: sk-secret}").unwrap();
        assert!(!config.open_upstream().unwrap_err().to_string().contains("sk-secret"));
    }
}
