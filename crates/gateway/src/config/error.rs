//! Why a configuration cannot be used.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::upstream::UpstreamConfigError;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The YAML is not a configuration.
    #[error("the configuration is not valid: {}{what}", at(*line))]
    Yaml {
        /// Counted from 1; 0 where it is the file as a whole.
        line: u64,
        /// What was expected there.
        what: String,
    },
    /// A key that means nothing.
    #[error("line {line}: unknown key {key}; the nearest known one is `{nearest}`")]
    UnknownKey {
        /// Counted from 1.
        line: u64,
        /// The key, in a form that may be printed.
        key: String,
        /// The known key most like it.
        nearest: &'static str,
    },
    /// A timestamp authority's address is none. Its place in the list, from 1.
    #[error(
        "ledger.anchors.tsa: address {0} must be http:// or https:// with a host, without user, query or fragment"
    )]
    Tsa(usize),
    /// A timestamp authority could never be believed.
    #[error("ledger.anchors: {0}")]
    Anchors(String),
    /// The witness policy cannot be read, or could never work.
    #[error("ledger.witnesses.policy: {0}")]
    Witnesses(String),
    /// A number is out of range.
    #[error("{key} must be between {least} and {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// The least value.
        least: u64,
        /// The greatest value.
        most: u64,
    },
    /// An address that anyone could reach, without anything that tells callers apart.
    #[error(
        "{key}: {address} is not a loopback address, and without an authenticator only loopback may be bound"
    )]
    Exposed {
        /// The key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Both listeners on one port.
    #[error("admin: {0} is also listen: give them two ports")]
    OneAddress(SocketAddr),
    /// A name that cannot stand in a `Host` header.
    #[error("hosts: {0:?} is not a host name (no scheme, no port, no path)")]
    Host(String),
    /// No upstream.
    #[error(
        "upstream is missing: set upstream.url (the simulator serves only a bare `countersign up`)"
    )]
    NoUpstream,
    /// The upstream cannot be used.
    #[error("upstream: {0}")]
    Upstream(#[from] UpstreamConfigError),
    /// The key's source gave nothing.
    #[error(
        "upstream.key: {source_name} gives no key: set it, or remove upstream.key to forward the callers' own"
    )]
    Key {
        /// `env:NAME`, `file:PATH` or what else was there.
        source_name: String,
    },
    /// The program that knows the key told none.
    #[error("upstream.key: {0}")]
    Secret(String),
    /// Bodies could not be encrypted as configured.
    #[error("ledger.encryption.recipients: {0}")]
    Recipients(String),
    /// What opens encrypted bodies cannot be had.
    #[error("ledger.encryption.identity: {0}")]
    Identity(String),
    /// A check that could not work as configured.
    #[error("guard: {0}")]
    Check(String),
}

/// Where in the file, before what is wrong there.
fn at(line: u64) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}
