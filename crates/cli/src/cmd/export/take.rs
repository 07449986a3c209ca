//! Which entries an export takes, and what becomes of each.

use std::path::Path;

use countersign::export::{Event, Place, Pseudonyms, Style};
use ledger::Kind;
use ledger::follow::{Body, EntryRef};
use record::chainfile;
use record::decision;
use record::entry;
use record::report::ExitClass;
use seal::Digest;
use seal::time::UnixMillis;

use super::epoch::{Epoch, Links, epoch};
use super::out::Out;
use super::{Args, What};
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

/// The filters, and what was met.
pub struct Take {
    /// The log's origin.
    pub log: String,
    what: What,
    style: Option<Style>,
    hide: Option<Pseudonyms>,
    writer: Option<String>,
    key_id: Option<String>,
    since: Option<UnixMillis>,
    until: Option<UnixMillis>,
    from_index: u64,
    links: Option<Links>,
    unreadable: u64,
    pruned: u64,
    encrypted: u64,
}

impl Take {
    pub fn new(args: &Args, style: Option<Style>, hide: Option<Pseudonyms>) -> Take {
        Take {
            log: String::new(),
            what: args.what,
            style,
            hide,
            writer: args.writer.clone(),
            key_id: args.key_id.clone(),
            since: args.since,
            until: args.until,
            from_index: args.from_index,
            links: None,
            unreadable: 0,
            pruned: 0,
            encrypted: 0,
        }
    }

    /// Whether the lines make a log with an HMAC chain.
    pub fn is_log(&self) -> bool {
        self.what == What::Audit && self.style.is_none()
    }

    /// Takes the lines of this writer under this key, and looks at their links.
    pub fn only(&mut self, epoch: Epoch) {
        self.links = Some(Links::new(epoch));
    }

    /// The epoch of an audit entry that is in question.
    pub fn epoch_of(&self, entry: &EntryRef<'_>) -> Option<Epoch> {
        let line = entry.body.present().filter(|_| self.fits(entry))?;
        entry::read_line(line).ok().map(|read| epoch(&read))
    }

    /// Why an entry that is in question is not here, and what to do.
    pub fn absent(&self, entry: &EntryRef<'_>) -> Option<String> {
        let said = entry.body.absence().filter(|_| self.fits(entry))?;
        Some(format!("{said}, logged at index {}; {}", entry.index, remedy(entry.body)))
    }

    fn fits(&self, entry: &EntryRef<'_>) -> bool {
        let kind = match self.what {
            What::Receipts => Kind::Receipt,
            What::Decisions => Kind::Decision,
            What::Audit => Kind::Audit,
        };
        let at = UnixMillis(entry.leaf.ts);
        entry.leaf.kind == kind
            && entry.index >= self.from_index
            && self.writer.as_ref().is_none_or(|writer| *writer == entry.leaf.writer)
            && self.since.is_none_or(|since| since <= at)
            && self.until.is_none_or(|until| at < until)
    }

    /// Writes an entry, if it is one of those.
    pub fn entry(&mut self, entry: &EntryRef<'_>, out: &mut Out) -> Result<(), Failure> {
        if !self.fits(entry) {
            return Ok(());
        }
        let body = match entry.body {
            Body::Present(body) => body,
            Body::Pruned | Body::Encrypted(_) => {
                let counter = match entry.body {
                    Body::Pruned => &mut self.pruned,
                    _ => &mut self.encrypted,
                };
                *counter += 1;
                // At once, since an export that follows ends some day only.
                if *counter == 1
                    && let Some(absent) = self.absent(entry)
                {
                    output::complain(&format!("not exported: {absent}"));
                }
                return Ok(());
            }
        };
        let place = || Place {
            log: self.log.clone(),
            index: entry.index,
            writer: entry.leaf.writer.clone(),
        };
        let event = match self.what {
            What::Receipts => return self.receipt(body, out),
            What::Decisions if self.style.is_none() => None,
            What::Decisions => {
                let read = std::str::from_utf8(body).ok().map(decision::read_signed);
                let Some(Ok(signed)) = read else {
                    self.unreadable += 1;
                    return Ok(());
                };
                let log = signed.decision.log_origin.clone();
                let place = Place { log, ..place() };
                Some(Event::of_decision(&signed.hash.to_string(), &signed.decision, place))
            }
            What::Audit => {
                let Ok(read) = entry::read_line(body) else {
                    self.unreadable += 1;
                    return Ok(());
                };
                if self.key_id.is_some() && self.key_id != read.key_id {
                    return Ok(());
                }
                if self.links.as_mut().is_some_and(|links| !links.pass(&read)) {
                    return Ok(());
                }
                self.style.is_some().then(|| Event::of_audit(&read, place(), self.hide.as_ref()))
            }
        };
        match (&self.style, event) {
            (Some(style), Some(event)) => out.write(&style.frame(&event)),
            _ => {
                out.write(body)?;
                out.write(b"\n")
            }
        }
    }

    /// A line of a chain file: what `verify` reads back.
    fn receipt(&mut self, body: &[u8], out: &mut Out) -> Result<(), Failure> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        match std::str::from_utf8(body) {
            Ok(jws) if body.iter().all(plain) => {
                out.write(chainfile::write_token(&Digest::of(body), jws).as_bytes())
            }
            _ => {
                self.unreadable += 1;
                Ok(())
            }
        }
    }

    /// Tells what was left out.
    pub fn conclude(self, path: &Path) -> Outcome {
        for (count, what) in [(self.pruned, "pruned"), (self.encrypted, "encrypted")] {
            if count > 0 {
                output::complain(&format!(
                    "{count} entries are not in this export: their bodies are {what}"
                ));
            }
        }
        if let Some(links) = self.links {
            return Ok(links.conclude(self.unreadable, path));
        }
        if self.unreadable > 0 {
            output::complain(&format!(
                "{} entries could not be read and are left out",
                self.unreadable
            ));
            return Ok(Exit::Evidence(ExitClass::Malformed));
        }
        Ok(Exit::Ok)
    }
}

/// Where a body that is not here may be found.
pub fn remedy(body: Body<'_>) -> &'static str {
    match body {
        Body::Present(_) => "",
        Body::Pruned => "whether a prune accounts for it, `countersign verify` tells",
        Body::Encrypted(_) => "--identity FILE opens it",
    }
}
