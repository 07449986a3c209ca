//! What the consumer's verbs share: the store, the ledger behind it, fetching, and how a subscription
//! is shown.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::feeds::{
    All, Document, Held, LedgerMarks, Memory, NoMemory, Offer, OfferError, Outcome, PROOF,
    ROTATION, Source, Store, StoreError, Terms, read_source,
};
use ledger::Prepared;
use reach::feeds::{Fetch, FetchError, Fetched, fetch};
use reach::http::{Url, block_on};
use record::report::{Code, ExitClass, Report};
use seal::json::Value;
use seal::time::{UnixMillis, parse_rfc3339};

use super::super::seat;
use super::{delta, pattern};
use crate::exit::{Exit, Failure};
use crate::output;

/// The state directory.
pub fn home(dir: &Path) -> PathBuf {
    dir.join(".countersign")
}

/// The store, if there is one.
pub fn store(dir: &Path) -> Result<Option<Store>, Failure> {
    Store::open(&home(dir)).map_err(failure)
}

/// All subscriptions; those whose files were changed are told on standard error.
pub fn load_all(dir: &Path) -> Result<(Option<Store>, All), Failure> {
    let Some(store) = store(dir)? else { return Ok((None, All::default())) };
    let all = store.load_all().map_err(failure)?;
    for (slot, finding) in &all.broken {
        output::complain(&format!("subscription {slot} is not used: {finding}"));
    }
    Ok((Some(store), all))
}

/// The exit where all else is `class`.
pub fn exit(broken: bool, class: ExitClass) -> Exit {
    Exit::Evidence(if broken { ExitClass::Tampered } else { class })
}

/// Who remembers what was accepted: the ledger, where there is one.
pub fn memory(dir: &Path, store: &Store) -> Box<dyn Memory> {
    if !remembers(dir) {
        return Box::new(NoMemory);
    }
    let ledger = super::super::ledger_of(dir);
    let dir = dir.to_owned();
    let marks = LedgerMarks::new(&ledger, move |entries| {
        let entries = entries.into_iter().map(Prepared::of).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|error| error.to_string())?;
        let mut seat = seat::take(&dir, "feeds-*").map_err(|failure| failure.message)?;
        seat.append(&entries).map_err(|error| error.to_string())?;
        seat.leave().map_err(|error| error.to_string())
    });
    Box::new(marks.with_cache(store))
}

/// Whether there is a ledger that remembers what was accepted.
pub fn remembers(dir: &Path) -> bool {
    super::super::ledger_of(dir).is_dir()
}

const PASSED: &str = "passed over: ";

/// Notes which sources were asked before one gave a feed that holds: what they gave instead may be
/// somebody's doing, and must not go unseen because another one helped out.
pub fn pass_over(outcome: &mut Outcome, refused: Option<&Outcome>, failed: Option<&Failure>) {
    if let Some(failure) = failed {
        outcome.report.note(format!("{PASSED}{}", output::safe(&failure.message)));
    }
    if let Some(before) = refused {
        let found: Vec<String> = before.report.findings.iter().map(ToString::to_string).collect();
        let (subject, found) = (&before.report.subject, found.join("; "));
        outcome.report.note(format!("{PASSED}{subject}: {}", output::safe(&found)));
    }
}

/// The notes of [`pass_over`].
pub fn passed_over(report: &Report) -> impl Iterator<Item = &String> {
    report.notes.iter().filter(|note| note.starts_with(PASSED))
}

/// The time, and what the engine says.
pub fn terms() -> Terms<'static> {
    Terms { now: super::source::now(), compiles: &pattern::compiles }
}

/// How to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    pub private: bool,
    pub ca: Option<&'a str>,
    pub deadline: Duration,
}

/// What one source gave.
#[derive(Debug, Default)]
pub struct Got {
    pub documents: Vec<Document>,
    pub rotations: Option<String>,
    pub etag: Option<String>,
    /// The document was made of the one before and what changed: if it does not hold, the whole one
    /// has to say so.
    pub patched: bool,
}

impl Got {
    pub fn offer<'a>(&'a self, source: &'a Source) -> Offer<'a> {
        Offer {
            documents: &self.documents,
            rotations: self.rotations.as_deref(),
            etag: self.etag.as_deref().map(|etag| (source, etag)),
        }
    }
}

/// What is newer than what is held, of a large feed that has proofs: the proof says whether there is
/// anything, and what changed may lie beside it. `None`: only the whole document can tell.
pub fn get_changes(source: &Source, held: &Held, way: Way<'_>) -> Option<Got> {
    let Source::Https(url) = source else { return None };
    if held.feed.iocs.len() < delta::LEAST || held.subscription.accepted.proof.is_none() {
        return None;
    }
    let proof = beside(url, &format!(".{PROOF}"), way, record::feedproof::LIMIT)?;
    let read = record::feedproof::read(&proof).ok()?;
    if read.judge(&held.feed, Some(super::source::now()), None).is_empty() {
        return Some(Got::default());
    }
    let changes = beside(url, &delta::name(&held.feed), way, record::feed::LIMIT)?;
    let bytes = record::feeddelta::apply(&held.feed, &changes).ok()?;
    let documents = vec![Document { bytes, proof: Some(proof) }];
    Some(Got { documents, patched: true, ..Got::default() })
}

/// Fetches from one source.
pub fn get(source: &Source, etag: Option<&str>, way: Way<'_>) -> Result<Got, Failure> {
    match source {
        Source::Path(path) => {
            let (documents, rotations) = read_source(path).map_err(|error| match error.kind() {
                ErrorKind::InvalidData => Failure::new(
                    Exit::Evidence(ExitClass::Malformed),
                    format!("{}: {error}", path.display()),
                ),
                _ => Failure::io(path, &error),
            })?;
            if documents.is_empty() {
                let text = format!("{}: no .json file lies there", path.display());
                return Err(Failure::new(Exit::Evidence(ExitClass::Missing), text));
            }
            Ok(Got { documents, rotations, ..Got::default() })
        }
        Source::Https(url) => Ok(match ask(url, etag, way, record::feed::LIMIT)? {
            Fetched::Same => Got::default(),
            Fetched::New { body, etag } => {
                let proof = beside(url, &format!(".{PROOF}"), way, record::feedproof::LIMIT);
                let documents = vec![Document { bytes: body, proof }];
                Got { documents, etag, ..Got::default() }
            }
        }),
    }
}

/// The statements of new keys that lie beside a document: `core.json`, `core.rotation.jws`.
pub fn statements(source: &Source, way: Way<'_>) -> Option<String> {
    let Source::Https(url) = source else { return None };
    let bytes = beside(url, ROTATION, way, record::feedrotation::FILE_LIMIT)?;
    String::from_utf8(bytes).ok()
}

/// What lies beside a document. A host that has none is no failure: what is needed and does not
/// come is a finding of its own.
fn beside(url: &str, end: &str, way: Way<'_>, limit: usize) -> Option<Vec<u8>> {
    let stem = url.strip_suffix(".gz").unwrap_or(url);
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    match ask(&format!("{stem}{end}"), None, way, limit) {
        Ok(Fetched::New { body, .. }) => Some(body),
        Ok(Fetched::Same) | Err(_) => None,
    }
}

fn ask(url: &str, etag: Option<&str>, way: Way<'_>, limit: usize) -> Result<Fetched, Failure> {
    let address: Url =
        url.parse().map_err(|error| Failure::new(Exit::Usage, format!("{url}: {error}")))?;
    let authorities = match way.ca {
        Some(path) => Some(output::read_text(Path::new(path), 1 << 20)?),
        None => None,
    };
    let asked = Fetch {
        url: &address,
        etag,
        limit,
        deadline: way.deadline,
        private: way.private,
        authorities: authorities.as_deref().map(str::as_bytes),
    };
    let unreachable = |error: &dyn std::fmt::Display, exit| Failure::new(exit, error.to_string());
    let fetched = block_on(fetch(asked)).map_err(|error| unreachable(&error, Exit::Internal))?;
    fetched.map_err(|error| {
        let exit = match &error {
            FetchError::Scheme(_) | FetchError::Private { .. } => Exit::Usage,
            FetchError::Client(_) => Exit::Config,
            _ => Exit::Unavailable,
        };
        unreachable(&error, exit)
    })
}

/// What a store or a ledger that cannot be used means for the exit.
pub fn failure(error: StoreError) -> Failure {
    let exit = match &error {
        StoreError::Seal(finding) => Exit::Evidence(finding.code.exit()),
        StoreError::Key { .. } | StoreError::Gone { .. } => Exit::Config,
        StoreError::Unknown(_) => Exit::Evidence(ExitClass::Missing),
        _ => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

/// The same for what came of a document.
pub fn offer_failure(error: OfferError) -> Failure {
    match error {
        OfferError::Store(error) => failure(error),
        error => Failure::new(Exit::Unavailable, error.to_string()),
    }
}

/// The subscriptions that are meant: all, or those whose feed id, `issuer/feed id` or slot (at least
/// eight digits of it) was named.
pub fn chosen(held: Vec<Held>, names: &[String]) -> Result<Vec<Held>, Failure> {
    let is = |held: &Held, name: &str| {
        let record = &held.subscription;
        record.feed_id == name
            || format!("{}/{}", record.issuer, record.feed_id) == name
            || (name.len() >= 8 && held.slot.hex().starts_with(name))
    };
    if let Some(missing) = names.iter().find(|name| !held.iter().any(|held| is(held, name))) {
        let text = format!(
            "no subscription is called {missing:?}: expected a feed id, issuer/feed id or slot, as `feed list` shows them"
        );
        return Err(Failure::new(Exit::Evidence(ExitClass::Missing), text));
    }
    let wanted = |held: &Held| names.is_empty() || names.iter().any(|name| is(held, name));
    Ok(held.into_iter().filter(wanted).collect())
}

/// A subscription as JSON.
pub fn to_json(held: &Held, live: Option<usize>, now: i64) -> Value {
    let record = &held.subscription;
    let accepted = &record.accepted;
    let keys = record.keys.iter().map(|key| {
        Value::object([
            ("key_id", Value::from(key.key.key_id().to_string())),
            ("fingerprint", key.key.fingerprint().into()),
            ("taken", key.taken.as_str().into()),
            ("since", key.since.into()),
            ("retired", key.retired.into()),
        ])
    });
    Value::object([
        ("slot", Value::from(held.slot.hex())),
        ("issuer", Value::from(&record.issuer)),
        ("feed_id", Value::from(&record.feed_id)),
        ("keys", Value::array(keys)),
        ("sources", Value::array(record.sources.iter().map(Source::to_string))),
        ("policy", record.policy.as_str().into()),
        ("skip_bad", record.skip_bad.into()),
        ("min_issued_at", record.min_issued_at.into()),
        ("max_age", record.max_age.into()),
        ("issued_at", accepted.issued_at.into()),
        ("merkle_root", accepted.root.into()),
        ("digest", accepted.digest.into()),
        ("accepted_at", accepted.at.into()),
        ("sequence", accepted.proof.map(|seen| seen.sequence).into()),
        ("not_after", accepted.proof.map(|seen| seen.not_after).into()),
        ("age", record.age(now).into()),
        ("stale", record.is_stale(now).into()),
        ("indicators", (held.feed.iocs.len() as u64).into()),
        ("live", live.map(|live| live as u64).into()),
        ("kept", (held.kept.len() as u64).into()),
        ("skipped", Value::array(&accepted.skipped)),
    ])
}

/// A report with the subscription it is about.
pub fn with_subscription(outcome: &Outcome, now: i64) -> Value {
    let Value::Object(mut members) = outcome.report.to_json() else { return Value::Null };
    members.push(("changed".into(), outcome.changed.into()));
    let held = outcome.held.as_ref().map(|held| to_json(held, None, now));
    members.push(("subscription".into(), held.unwrap_or(Value::Null)));
    Value::Object(members)
}

/// Whether another key than the pinned ones signed, so that its statements are worth asking for.
pub fn is_new_key(report: &Report) -> bool {
    report.has(Code::FeedPin) && !report.has(Code::FeedRotation)
}

/// Whether feed and proof are of two publishings: perhaps they were just put there.
pub fn is_between(report: &Report) -> bool {
    report.has(Code::FeedProofOther)
}

/// `3600`, `90s`, `12h`, `30d`: seconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(digits) => (digits, text.get(digits.len()..).unwrap_or_default()),
        None => (text, "s"),
    };
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 1,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse::<i64>().ok()).flatten();
    number
        .and_then(|number| number.checked_mul(seconds))
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "expected a time span such as 12h or 30d".to_owned())
}

/// RFC 3339 or Unix seconds.
pub fn time(text: &str) -> Result<i64, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| "no such time".to_owned());
    }
    parse_rfc3339(text)
        .map(UnixMillis::seconds)
        .ok_or_else(|| "expected a time such as 2026-11-20T00:00:00Z, or Unix seconds".to_owned())
}

/// A span for people.
pub fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds if seconds >= 172_800 => format!("{} days", seconds / 86_400),
        seconds if seconds >= 7_200 => format!("{} hours", seconds / 3_600),
        seconds => format!("{} minutes", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times() {
        for (text, seconds) in
            [("1", 1), ("90s", 90), ("2m", 120), ("12h", 43_200), ("30d", 2_592_000)]
        {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for bad in
            ["", "d", "0", "-1d", "1w", "1.5h", "99999999999999999999d", "9223372036854775807d"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(time("1750000000"), Ok(1_750_000_000));
        assert_eq!(time("2025-06-15T15:06:40Z"), Ok(1_750_000_000));
        assert!(time("yesterday").is_err());
    }
}
