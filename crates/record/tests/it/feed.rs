//! Feeds: the shared vectors, our own, and who may withdraw what.

mod drafts;
mod genesis;
mod pins;
mod property;
mod shared;
mod vectors;

use record::feed::{Feed, publish};
use record::ioc::{Ioc, Kind, Severity, SignedIoc};
use seal::digest::Digest;
use seal::key::SecretKey;
use seal::signer::Signer as _;

/// An indicator of `issuer`, signed by `key`.
fn indicator(
    issuer: &str,
    key: &SecretKey,
    pattern: &str,
    revokes: Vec<Digest>,
    expires_at: Option<i64>,
) -> SignedIoc {
    Ioc {
        kind: Kind::Substring,
        pattern: pattern.to_owned(),
        severity: Severity::High,
        categories: vec!["test".into()],
        description: String::new(),
        issuer: issuer.to_owned(),
        key_id: key.key_id(),
        issued_at: 1_800_000_000,
        revokes,
        expires_at,
    }
    .sign(key)
    .unwrap()
}

fn feed(issuer: &str, key: &SecretKey, iocs: Vec<SignedIoc>) -> Feed {
    publish("core", issuer, 1_800_000_100, iocs, key).unwrap()
}
