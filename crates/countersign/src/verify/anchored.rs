//! Anchors: which entries stood under a checkpoint that an authority had stamped, and since when.
//!
//! An anchor is judged where it is met. Its checkpoint must be signed by the log's key, its
//! timestamp must hold under an authority of the trust file, and the root must be the one that the
//! entries above it have at that size. Roots come from the walk itself, never from tiles: those of
//! the last quarter of a million entries are at hand, and an anchor that reaches further back costs
//! a second look at the journal.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use ledger::Kind;
use ledger::read::{Body, EntryRef, Reader};
use record::anchor::Anchor;
use record::report::{AnchorReach, Assurance, Code, ExitClass, Finding, Report};
use seal::Digest;
use seal::merkle::{Frontier, leaf_hash};
use seal::note::{self, VerifierKey};
use seal::time::UnixMillis;
use stamp::{Asked, Authority, Hash, Stamp};

use super::entry::place;
use super::keychange::Proven;
use super::{Level, Verifier, witnessed};
use crate::anchor::code;

/// How far clocks may be off, microseconds.
const SKEW: u64 = 300 * 1_000_000;
/// Leaves between two kept frontiers.
const GROUP: usize = 256;
/// Groups that are kept.
const GROUPS: usize = 1_024;

/// Collects the anchors of a walk.
pub(crate) struct Anchors {
    /// The log's key and, with its name, what checkpoints must say; `None` where it is not trusted.
    key: Option<VerifierKey>,
    authorities: Vec<Authority>,
    recent: Recent,
    /// Entries under the checkpoint that is to be covered.
    covered: u64,
    /// The last of them that is no anchor.
    last: Option<u64>,
    /// When the last of them was logged.
    logged: UnixMillis,
    found: Vec<Finding>,
    met: Vec<Met>,
    unjudged: u64,
}

/// An anchor whose signatures hold.
struct Met {
    index: u64,
    size: u64,
    root: Digest,
    stamp: Stamp,
    /// The root above it at that size, and when the last entry below was logged; unknown yet.
    borne: Option<(Digest, u64)>,
}

impl Anchors {
    /// Before the first entry of what `reader` reads.
    pub(crate) fn new(verifier: &Verifier, reader: &Reader, report: &mut Report) -> Anchors {
        let checkpoint = reader.checkpoint();
        let key = checkpoint.and_then(|checkpoint| verifier.believed().log(&checkpoint.origin));
        Anchors {
            key: key.cloned(),
            authorities: verifier.authorities(report),
            recent: Recent::default(),
            covered: checkpoint.map_or(0, |checkpoint| checkpoint.size),
            last: None,
            logged: UnixMillis(0),
            found: Vec::new(),
            met: Vec::new(),
            unjudged: 0,
        }
    }

    /// The next entry, in order.
    pub(crate) fn see(&mut self, entry: &EntryRef<'_>) {
        let (index, leaf) = (entry.index, entry.leaf);
        if leaf.kind == Kind::Anchor {
            match entry.body {
                Body::Present(body) => self.anchor(index, &leaf.id, leaf.ts, body),
                // Told as a body that is not here.
                Body::Pruned | Body::Encrypted(_) => {}
            }
        } else if index < self.covered {
            self.last = Some(index);
        }
        if index < self.covered {
            self.logged = UnixMillis(leaf.ts);
        }
        self.recent.push(index, leaf_hash(entry.leaf_bytes), leaf.ts);
    }

    fn anchor(&mut self, index: u64, id: &str, logged: u64, body: &[u8]) {
        let mut found = Vec::new();
        let mut say = |code, detail: String| found.push(Finding::new(code, "", detail));
        let digest = Digest::of(body).to_string();
        if digest != id {
            say(Code::LedgerId, format!("filed as {id}, the body is {digest}"));
        }
        let anchor = match Anchor::read(body) {
            Ok(anchor) => Some(anchor),
            Err(finding) => {
                found.push(finding);
                None
            }
        };
        if let Some(anchor) = anchor {
            let (size, root) = (anchor.checkpoint().size, anchor.checkpoint().root);
            if let Some(why) = self.unsigned(&anchor) {
                found.push(Finding::new(Code::AnchorCheckpoint, "", why));
            }
            if size > index {
                let detail = format!("it covers {size} entries, {index} were there");
                found.push(Finding::new(Code::AnchorRoot, "", detail));
            }
            let borne = self.recent.at(size);
            if let Some((_, ts)) = borne.filter(|(found, _)| *found != root) {
                let detail = format!("{size} entries, the last logged at {}", UnixMillis(ts));
                found.push(Finding::new(Code::AnchorRoot, "", detail));
            }
            let imprint = anchor.imprint();
            let asked = Asked::digest(Hash::Sha256, imprint.as_bytes());
            if self.authorities.is_empty() {
                self.unjudged += 1;
            } else {
                match stamp::verify(anchor.reply(), &asked, &self.authorities) {
                    Ok(stamp) => {
                        let behind = stamp.earliest().0.saturating_sub(logged * 1_000);
                        if behind > SKEW {
                            let detail =
                                format!("stamped {} s after it was logged", behind / 1_000_000);
                            found.push(Finding::new(Code::AnchorTime, "", detail));
                        }
                        let holds = found.iter().all(|f| f.code == Code::AnchorTime);
                        if holds {
                            self.met.push(Met { index, size, root, stamp, borne });
                        }
                    }
                    Err(faults) => {
                        let told = |fault| Finding::new(code(fault), "", fault.to_string());
                        found.extend(faults.iter().map(told));
                    }
                }
            }
        }
        let at = place(index, Kind::Anchor);
        self.found.extend(found.into_iter().map(|finding| finding.at(&at)));
    }

    /// Why the note is not the log's word.
    fn unsigned(&self, anchor: &Anchor) -> Option<String> {
        // Without the log's key nothing here is more than consistent, and the report says so.
        let key = self.key.as_ref()?;
        if anchor.checkpoint().origin != key.name {
            let other = &anchor.checkpoint().origin;
            return Some(format!("it is of {other}, this log is {}", key.name));
        }
        note::open(anchor.note().as_bytes(), std::slice::from_ref(key))
            .err()
            .map(|error| error.to_string())
    }

    /// After the last entry. What does not hold is told; what holds comes back.
    pub(crate) fn finish(mut self, reader: &Reader, report: &mut Report) -> io::Result<Attested> {
        self.look_again(reader)?;
        let mut found = std::mem::take(&mut self.found);
        let mut attested = Attested { last: self.last, logged: self.logged, spans: Vec::new() };
        // The earliest time of all anchors further up, by index.
        let mut above: Vec<(u64, u64)> = Vec::new();
        for met in &self.met {
            let Met { index, size, root, stamp, borne } = met;
            let mut say = |code, detail: String| {
                found.push(Finding::new(code, place(*index, Kind::Anchor), detail));
            };
            // Where a leaf was lost there is no root, and the damage was told.
            let Some((borne, ts)) = borne else { continue };
            if borne != root {
                say(Code::AnchorRoot, format!("{size} entries"));
                continue;
            }
            // A checkpoint over an anchor cannot be older than that anchor's stamp.
            let within = above.partition_point(|(index, _)| index < size);
            let not_before = within.checked_sub(1).and_then(|at| above.get(at)).map(|(_, t)| *t);
            let behind = not_before.unwrap_or(0).saturating_sub(stamp.latest().0);
            if behind > 0 {
                let detail = format!("{} ms before that of an anchor it covers", behind / 1_000);
                say(Code::AnchorOrder, detail);
                continue;
            }
            let ahead = (ts * 1_000).saturating_sub(stamp.latest().0);
            if ahead > SKEW {
                let detail =
                    format!("stamped {} s before what it covers was logged", ahead / 1_000_000);
                say(Code::AnchorTime, detail);
            }
            let earliest = above.last().map_or(0, |(_, time)| *time).max(stamp.earliest().0);
            above.push((*index, earliest));
            attested.spans.push(AnchorReach {
                size: *size,
                before: UnixMillis(stamp.latest().0.div_ceil(1_000)),
                authority: stamp.authority.clone(),
            });
        }
        found.into_iter().for_each(|finding| report.push(finding));
        if self.unjudged > 0 {
            let detail =
                format!("{} anchors of the log; no key of purpose tsa is trusted", self.unjudged);
            report.push(Finding::new(Code::AnchorUnjudged, "", detail));
        }
        if self.key.is_none() {
            // What nobody trusted signed is not anchored, however true its time may be.
            attested.spans.clear();
        }
        Ok(attested)
    }

    /// As [`Anchors::finish`], for who looks at a few entries: of all anchors only those are told
    /// that show the log to be another one than it was.
    pub(crate) fn finish_aside(self, reader: &Reader, report: &mut Report) -> io::Result<Attested> {
        let mut all = Report::default();
        let attested = self.finish(reader, &mut all)?;
        let grave = |finding: &Finding| finding.code.exit() == ExitClass::Tampered;
        all.findings.into_iter().filter(grave).for_each(|finding| report.push(finding));
        Ok(attested)
    }

    /// Roots that were out of reach when their anchors were met.
    fn look_again(&mut self, reader: &Reader) -> io::Result<()> {
        let far = || self.met.iter().filter(|met| met.borne.is_none()).map(|met| met.size);
        let sizes: Vec<u64> = far().collect();
        if sizes.is_empty() {
            return Ok(());
        }
        let roots: BTreeMap<u64, (Digest, u64)> = reader.roots_at(&sizes)?;
        for met in self.met.iter_mut().filter(|met| met.borne.is_none()) {
            met.borne = roots.get(&met.size).copied();
        }
        Ok(())
    }
}

/// Which entries stood under a stamped checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attested {
    /// The last entry under the checkpoint that is no anchor.
    last: Option<u64>,
    logged: UnixMillis,
    spans: Vec<AnchorReach>,
}

impl Attested {
    /// As evidence that entries were there before a moment.
    pub(crate) fn proven(&self) -> impl Iterator<Item = Proven> + '_ {
        self.spans.iter().map(|span| Proven { size: span.size, before: span.before })
    }

    /// When the last entry under the checkpoint was logged, as the log says.
    pub(crate) fn logged(&self) -> UnixMillis {
        self.logged
    }

    /// The earliest anchor over entry `index`.
    pub(crate) fn over(&self, index: u64) -> Option<&AnchorReach> {
        self.spans.iter().filter(|span| index < span.size).min_by_key(|span| span.before)
    }

    /// The anchor that reaches furthest; of several the earliest.
    fn furthest(&self) -> Option<&AnchorReach> {
        self.spans.iter().max_by_key(|span| (span.size, std::cmp::Reverse(span.before)))
    }

    /// Tells how far it reaches. `anchored` is the whole log: every entry under the checkpoint but
    /// anchors themselves, signed and without a fault. To be called when all else was told.
    pub(crate) fn report(&self, report: &mut Report) {
        let Some(furthest) = self.furthest() else { return };
        report.count("anchors that hold", self.spans.len() as u64);
        report.anchored = report.ok()
            && report.assurance == Assurance::Signed
            && self.last.is_none_or(|last| last < furthest.size);
        report.anchored_to = Some(furthest.clone());
    }
}

/// What `--require anchored` has to say when it is not reached.
pub(crate) fn lacking(report: &Report, subject: &str) -> String {
    let reach = match &report.anchored_to {
        Some(reach) => format!("the furthest covers {reach}"),
        None => "there is none".to_owned(),
    };
    format!(
        "anchored is required, and {subject} under a timestamp that holds ({reach}); `countersign log anchor` stamps the newest checkpoint"
    )
}

/// What anchors make of a trace whose last entry is `last`, and whether that is what is required.
pub(crate) fn conclude_trace(
    verifier: &Verifier,
    attested: &Attested,
    last: Option<u64>,
    report: &mut Report,
) {
    if let Some(reach) = last.and_then(|last| attested.over(last)) {
        report.anchored = report.ok() && report.assurance == Assurance::Signed;
        report.anchored_to = Some(reach.clone());
    }
    witnessed::conclude_trace(last, report);
    for level in &verifier.require {
        match level {
            Level::Consistent => {}
            _ if !report.ok() => {}
            Level::Signed => report.require(Assurance::Signed),
            Level::Anchored => {
                report.require(Assurance::Signed);
                if report.ok() && !report.anchored {
                    let detail = lacking(report, "not all of this stands");
                    report.push(Finding::new(Code::TrustLevel, "", detail));
                }
            }
            Level::Witnessed => {
                report.require(Assurance::Signed);
                witnessed::require(report, true);
            }
        }
    }
}

/// Roots of the last sizes.
#[derive(Default)]
struct Recent {
    /// The tree below each group, and the group's leaves with their times.
    groups: VecDeque<(Frontier, Vec<(Digest, u64)>)>,
    now: Frontier,
    /// A leaf was lost: from here on the tree is unknown.
    broken: bool,
}

impl Recent {
    fn push(&mut self, index: u64, leaf: Digest, ts: u64) {
        self.broken |= index != self.now.size();
        if self.broken {
            return;
        }
        if index.is_multiple_of(GROUP as u64) {
            if self.groups.len() == GROUPS {
                self.groups.pop_front();
            }
            self.groups.push_back((self.now.clone(), Vec::with_capacity(GROUP)));
        }
        self.now.push(leaf);
        if let Some((_, leaves)) = self.groups.back_mut() {
            leaves.push((leaf, ts));
        }
    }

    /// Root and time of the last entry at this size, if it is at hand.
    fn at(&self, size: u64) -> Option<(Digest, u64)> {
        if size == 0 {
            return Some((Frontier::new().root(), 0));
        }
        let first = self.groups.front().map(|(below, _)| below.size())?;
        // The group that holds the last leaf.
        let group = usize::try_from((size - 1).checked_sub(first)? / GROUP as u64).ok()?;
        let (below, leaves) = self.groups.get(group)?;
        let rest = usize::try_from(size - below.size()).ok()?;
        let mut tree = below.clone();
        leaves.get(..rest)?.iter().for_each(|(leaf, _)| tree.push(*leaf));
        Some((tree.root(), leaves.get(rest - 1)?.1))
    }
}

#[cfg(test)]
mod tests {
    use seal::merkle::root_of;

    use super::*;

    #[test]
    fn recent_roots_are_those_of_the_tree() {
        let leaves: Vec<Digest> = (0..700_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut recent = Recent::default();
        for (index, leaf) in leaves.iter().enumerate() {
            recent.push(index as u64, *leaf, index as u64 + 5);
        }
        for size in [1_u64, 2, 255, 256, 257, 511, 512, 513, 700] {
            let expected = (root_of(&leaves[..size as usize]), size + 4);
            assert_eq!(recent.at(size), Some(expected), "{size}");
        }
        assert_eq!(recent.at(0), Some((root_of(&[]), 0)));
        assert_eq!(recent.at(701), None);
        // What is far back is forgotten, and a lost leaf ends what is known.
        for index in 700..(GROUPS as u64 + 2) * GROUP as u64 {
            recent.push(index, leaf_hash(&index.to_be_bytes()), 0);
        }
        assert!(recent.at(511).is_none() && recent.at(513).is_some());
        let size = recent.now.size();
        recent.push(size + 1, leaves[0], 0);
        recent.push(size + 2, leaves[0], 0);
        assert!(recent.at(size).is_some() && recent.at(size + 1).is_none());
    }

    /// An anchor whose root is out of reach when it is met is judged by a second look.
    #[test]
    fn what_reaches_far_back_is_looked_up() {
        use record::trust::{LogKey, Quorum, Trust, TrustKey};
        use testkit::tsa::{Issue, Reply, pem};
        let key = testkit::key(7);
        let store = std::sync::Arc::new(ledger::store::memory::MemoryStore::new());
        // The time of the replies.
        let clock = std::sync::Arc::new(testkit::clock::TestClock::at(1_795_219_200_000));
        let options = ledger::Options::new("example.org/log", key.clone(), "tests", clock);
        let log = ledger::Ledger::open(store.clone(), options, &mut |_, _, _| {}).expect("opened");
        let entry = |kind, body: &str| {
            let id = Digest::of(body.as_bytes()).to_string();
            vec![ledger::Entry { kind, id, body: body.into() }]
        };
        for n in 0..3 {
            log.append(entry(Kind::Facts, &format!("{{\"n\":{n}}}"))).expect("appended");
        }
        log.checkpoint().expect("signed");
        let reader = || Reader::open(store.clone(), None).expect("a ledger");
        let note = reader().checkpoint_bytes().map(<[u8]>::to_vec).expect("published");
        let note = String::from_utf8(note).expect("a note");
        let signer = Issue::signer("tsa", 2, &Issue::root("root", 1));
        let imprint = *record::anchor::imprint(&note).as_bytes();
        let reply = Reply::over(Hash::Sha256, &imprint, &signer).bytes();
        let body = Anchor::new(&note, &reply).expect("an anchor").to_body();
        log.append(entry(Kind::Anchor, &body)).expect("appended");
        log.close().expect("closed");
        let mut trust = Trust::empty();
        let root = pem(&Issue::root("root", 1).certificate());
        trust.add_key(TrustKey::tsa("clock", &root).expect("PEM")).expect("added");
        trust.add_log(LogKey { vkey: log.vkey().clone(), quorum: Quorum::None }).expect("added");
        let verifier = Verifier::new().trust(trust);
        for bend in [false, true] {
            let (reader, mut report) = (reader(), Report::default());
            let mut anchors = Anchors::new(&verifier, &reader, &mut report);
            let mut entries = reader.entries();
            while let Some(ledger::read::Item::Entry(entry)) = entries.next().expect("readable") {
                anchors.see(&entry);
            }
            for met in &mut anchors.met {
                met.borne = None;
                if bend {
                    met.root = Digest::of(b"another history");
                }
            }
            let attested = anchors.finish(&reader, &mut report).expect("readable");
            assert_eq!(attested.over(2).is_some(), !bend, "{}", report.to_table());
            assert_eq!(report.has(Code::AnchorRoot), bend, "{}", report.to_table());
            assert!(attested.over(3).is_none());
        }
    }
}
