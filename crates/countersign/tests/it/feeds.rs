//! Subscriptions: the shared vectors through subscribe and update, and what a hostile mirror, a
//! hostile publisher and a changed file can do.

mod proofs;
mod rules;
mod shared;
mod state;

use std::path::Path;

use countersign::Report;
use countersign::feeds::{
    Document, Held, Memory, MemoryError, NoMemory, Offer, Outcome, Source, Store, Terms, View,
    Wanted,
};
use record::feed::{Feed, publish};
use record::ioc::{Ioc, Kind, Severity, SignedIoc};
use record::report::Code;
use seal::Digest;
use seal::key::{PublicKey, SecretKey};
use seal::signer::Signer as _;

const NOW: i64 = 1_750_000_000;

/// A state directory.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn home(&self) -> std::path::PathBuf {
        self.0.path().join(".countersign")
    }

    fn store(&self) -> Store {
        Store::create(&self.home()).unwrap()
    }

    fn subscribe(&self, wanted: &Wanted, document: &[u8]) -> Outcome {
        self.subscribe_with(wanted, document, &mut NoMemory)
    }

    fn subscribe_with(&self, wanted: &Wanted, document: &[u8], memory: &mut dyn Memory) -> Outcome {
        let store = self.store();
        let documents = [Document { bytes: document.to_vec(), proof: None }];
        let offer = Offer { documents: &documents, ..Offer::default() };
        store.write().unwrap().subscribe(wanted, offer, memory, terms(NOW)).unwrap()
    }

    fn update(&self, held: &Held, document: &[u8]) -> Outcome {
        self.update_with(held, document, None, &mut NoMemory, NOW)
    }

    fn update_with(
        &self,
        held: &Held,
        document: &[u8],
        rotations: Option<&str>,
        memory: &mut dyn Memory,
        now: i64,
    ) -> Outcome {
        let store = self.store();
        let documents = [Document { bytes: document.to_vec(), proof: None }];
        let offer = Offer { documents: &documents, rotations, etag: None };
        store.write().unwrap().update(held.slot, offer, memory, terms(now)).unwrap()
    }

    /// The live patterns.
    fn live(&self) -> Vec<String> {
        let view = View::new(self.store().load_all().unwrap().held);
        view.live(NOW).into_iter().map(|member| member.ioc.ioc.pattern.clone()).collect()
    }
}

fn terms<'a>(now: i64) -> Terms<'a> {
    Terms { now, compiles: &|_, _| Ok(()) }
}

fn pin(key: &PublicKey) -> Wanted {
    Wanted { pins: vec![key.clone()], ..Wanted::default() }
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// An indicator: pattern, what it revokes, when it is over.
fn ioc(key: &SecretKey, pattern: &str, revokes: &[Digest], expires_at: Option<i64>) -> SignedIoc {
    Ioc {
        kind: Kind::Substring,
        pattern: pattern.to_owned(),
        severity: Severity::High,
        categories: vec!["test".into()],
        description: String::new(),
        issuer: "alpha.example".into(),
        key_id: key.key_id(),
        issued_at: NOW - 1_000,
        revokes: revokes.to_vec(),
        expires_at,
    }
    .sign(key)
    .unwrap()
}

fn feed(key: &SecretKey, issued_at: i64, iocs: &[SignedIoc]) -> Feed {
    publish("alpha/core", "alpha.example", issued_at, iocs.to_vec(), key).unwrap()
}

fn json(feed: &Feed) -> Vec<u8> {
    feed.to_json().into_bytes()
}

/// The codes of a report.
fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

fn taken(outcome: Outcome) -> Held {
    assert!(outcome.report.ok(), "{:?}", outcome.report.findings);
    outcome.held.unwrap()
}
