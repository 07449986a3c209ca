//! The messages of the socket: `spec/sequencer-socket.md`, 3. Nothing here allocates what a peer
//! claims; every list grows with the bytes that really came.

use std::io;
use std::sync::Arc;

use seal::digest::Digest;

use crate::append::{AppendError, Failure};
use crate::entry::{Entry, Prepared};
use crate::kind::Kind;
use crate::log::LogState;
use crate::store::Room;

/// The longest append, in bytes: the longest body with room for what is appended along with it.
pub(super) const MAX_APPEND: usize = 32 * 1024 * 1024;
/// The most entries of an append: what each takes in memory is a multiple of what it takes here.
pub(super) const MAX_ENTRIES: usize = 65_536;
/// The longest message of any other kind, in bytes.
pub(super) const MAX_SMALL: usize = 4096;
/// Length and type.
pub(super) const HEADER: usize = 5;

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Hello,
    Append,
    State,
}

/// What a sequencer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The writer id given, its next sequence number, the size and key of the log, the writer id
    /// of the sequencer itself, and whether it encrypts bodies.
    Welcome {
        writer: String,
        next: u64,
        size: u64,
        vkey: String,
        sequencer: String,
        encrypts: bool,
    },
    Appended {
        first: u64,
        end: u64,
    },
    State(LogState),
    Refused(Refused),
}

/// An error as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub code: u8,
    /// Numbers that belong to the code.
    pub numbers: [u64; 2],
    pub text: String,
}

/// The codes of [`Refused`].
pub(super) mod code {
    pub const PROTOCOL: u8 = 1;
    pub const WRITER: u8 = 2;
    pub const TAKEN: u8 = 3;
    pub const CROWDED: u8 = 4;
    pub const ENTRY: u8 = 5;
    pub const BUSY: u8 = 6;
    pub const FULL: u8 = 7;
    pub const UNWRITTEN: u8 = 8;
    pub const FAILED: u8 = 9;
    pub const STOPPED: u8 = 10;
    pub const CLOSED: u8 = 11;
}

/// Bytes that are no message of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMessage;

impl Ask {
    pub fn of(byte: u8) -> Option<Ask> {
        match byte {
            b'H' => Some(Ask::Hello),
            b'A' => Some(Ask::Append),
            b'S' => Some(Ask::State),
            _ => None,
        }
    }

    pub fn limit(self) -> usize {
        match self {
            Ask::Append => MAX_APPEND,
            Ask::Hello | Ask::State => MAX_SMALL,
        }
    }
}

/// A whole message: header and content.
pub(super) struct Message(Vec<u8>);

impl Message {
    fn new(kind: u8) -> Message {
        Message(vec![0, 0, 0, 0, kind])
    }

    fn u64(mut self, number: u64) -> Message {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// With its length in two bytes; what is longer is cut (texts for people).
    fn text(mut self, text: &str) -> Message {
        let mut length = text.len().min(1024);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.0.extend_from_slice(&(length as u16).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes().get(..length).unwrap_or_default());
        self
    }

    /// The bytes to send.
    pub fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - HEADER).unwrap_or(u32::MAX);
        if let Some(place) = self.0.get_mut(..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        self.0
    }
}

pub(super) fn hello(writer: &str) -> Vec<u8> {
    Message::new(b'H').text(super::PROTOCOL).text(writer).finish()
}

pub(super) fn ask_state() -> Vec<u8> {
    Message::new(b'S').finish()
}

/// An append, or `None` when it is longer than any may be.
pub(super) fn append(entries: &[Prepared]) -> Option<Vec<u8>> {
    let bodies = entries.iter().try_fold(0usize, |sum, prepared| {
        let entry = prepared.entry();
        sum.checked_add(entry.body.len() + entry.id.len() + 32)
    });
    if bodies? > MAX_APPEND || entries.len() > MAX_ENTRIES {
        return None;
    }
    let mut message = Message::new(b'A');
    for prepared in entries {
        let entry = prepared.entry();
        message = message.text(entry.kind.as_str()).text(&entry.id);
        message.0.extend_from_slice(&u32::try_from(entry.body.len()).ok()?.to_be_bytes());
        message.0.extend_from_slice(&entry.body);
    }
    Some(message.finish())
}

pub(super) fn answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Welcome { writer, next, size, vkey, sequencer, encrypts } => {
            let message = Message::new(b'w').text(writer).u64(*next).u64(*size);
            let mut message = message.text(vkey).text(sequencer);
            message.0.push(u8::from(*encrypts));
            message
        }
        Answer::Appended { first, end } => Message::new(b'i').u64(*first).u64(*end),
        Answer::State(state) => {
            let mut message = Message::new(b's').u64(state.size).u64(state.checkpointed);
            message.0.extend_from_slice(state.root.as_bytes());
            match state.room {
                Some(room) => message.u64(room.free).u64(room.total),
                None => message,
            }
        }
        Answer::Refused(Refused { code, numbers: [a, b], text }) => {
            let mut message = Message::new(b'e');
            message.0.push(*code);
            message.u64(*a).u64(*b).text(text)
        }
    }
    .finish()
}

/// The protocol and the writer id of a hello.
pub(super) fn read_hello(bytes: &[u8]) -> Result<(String, String), NoMessage> {
    let mut rest = Rest(bytes);
    let (protocol, writer) = (rest.text()?, rest.text()?);
    rest.end()?;
    Ok((protocol.to_owned(), writer.to_owned()))
}

/// The entries of an append.
pub(super) fn read_append(bytes: &[u8]) -> Result<Vec<Entry>, NoMessage> {
    let mut rest = Rest(bytes);
    let mut entries = Vec::new();
    while !rest.0.is_empty() {
        if entries.len() == MAX_ENTRIES {
            return Err(NoMessage);
        }
        let kind: Kind = rest.text()?.parse().map_err(|_| NoMessage)?;
        let id = rest.text()?.to_owned();
        let length = rest.array().map(u32::from_be_bytes)?;
        let body = rest.take(usize::try_from(length).map_err(|_| NoMessage)?)?.to_vec();
        entries.push(Entry { kind, id, body });
    }
    Ok(entries)
}

pub(super) fn read_answer(kind: u8, bytes: &[u8]) -> Result<Answer, NoMessage> {
    let mut rest = Rest(bytes);
    let answer = match kind {
        b'w' => Answer::Welcome {
            writer: rest.text()?.to_owned(),
            next: rest.u64()?,
            size: rest.u64()?,
            vkey: rest.text()?.to_owned(),
            sequencer: rest.text()?.to_owned(),
            encrypts: match rest.array()? {
                [0] => false,
                [1] => true,
                _ => return Err(NoMessage),
            },
        },
        b'i' => Answer::Appended { first: rest.u64()?, end: rest.u64()? },
        b's' => {
            let (size, checkpointed) = (rest.u64()?, rest.u64()?);
            let root = Digest::from_bytes(rest.array()?);
            let room = match rest.0.is_empty() {
                true => None,
                false => Some(Room { free: rest.u64()?, total: rest.u64()? }),
            };
            Answer::State(LogState { size, root, checkpointed, room })
        }
        b'e' => {
            let [code] = rest.array()?;
            let numbers = [rest.u64()?, rest.u64()?];
            Answer::Refused(Refused { code, numbers, text: rest.text()?.to_owned() })
        }
        _ => return Err(NoMessage),
    };
    rest.end()?;
    Ok(answer)
}

impl Refused {
    pub fn new(code: u8, text: impl Into<String>) -> Refused {
        Refused { code, numbers: [0; 2], text: text.into() }
    }

    /// How an error of the ledger travels.
    pub fn of(error: &AppendError) -> Refused {
        let text = error.to_string();
        match error {
            AppendError::Busy { waiting, limit } => Refused {
                numbers: [*waiting as u64, *limit as u64],
                ..Refused::new(code::BUSY, text)
            },
            AppendError::Full(cause) => Refused::new(code::FULL, cause.to_string()),
            AppendError::Unwritten(cause) => Refused::new(code::UNWRITTEN, cause.to_string()),
            AppendError::Failed(failure) => Refused::new(code::FAILED, failure.to_string()),
            AppendError::Stopped(failure) => Refused::new(code::STOPPED, failure.to_string()),
            AppendError::Closed | AppendError::Gone { .. } => Refused::new(code::CLOSED, text),
            _ => Refused::new(code::ENTRY, text),
        }
    }

    /// The same error on the other side.
    pub fn into_error(self) -> AppendError {
        let Refused { code, numbers: [a, b], text } = self;
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        match code {
            code::BUSY => AppendError::Busy { waiting: number(a), limit: number(b) },
            code::FULL => {
                AppendError::Full(Arc::new(io::Error::new(io::ErrorKind::StorageFull, text)))
            }
            code::UNWRITTEN => AppendError::Unwritten(Arc::new(io::Error::other(text))),
            code::FAILED => AppendError::Failed(Arc::new(Failure::Elsewhere(text))),
            code::STOPPED => AppendError::Stopped(Arc::new(Failure::Elsewhere(text))),
            code::CLOSED => AppendError::Gone { in_doubt: false },
            _ => AppendError::Refused(text),
        }
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], NoMessage> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(NoMessage)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NoMessage> {
        self.take(N)?.try_into().map_err(|_| NoMessage)
    }

    fn u64(&mut self) -> Result<u64, NoMessage> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Result<&'a str, NoMessage> {
        let length = self.array().map(u16::from_be_bytes)?;
        std::str::from_utf8(self.take(usize::from(length))?).map_err(|_| NoMessage)
    }

    fn end(&self) -> Result<(), NoMessage> {
        if self.0.is_empty() { Ok(()) } else { Err(NoMessage) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: &[u8]) -> (u8, &[u8]) {
        (message[4], &message[HEADER..])
    }

    #[test]
    fn every_message_comes_back_and_no_shorter_one_does() {
        let entry =
            |n: usize| Entry { kind: Kind::Facts, id: format!("id {n}"), body: vec![b'x'; n * 7] };
        let entries: Vec<Entry> = (0..4).map(entry).collect();
        let prepared: Vec<Prepared> =
            entries.iter().map(|entry| Prepared::of(entry.clone()).expect("plain")).collect();
        let message = append(&prepared).expect("small");
        assert_eq!(
            u32::from_be_bytes(message[..4].try_into().unwrap()) as usize,
            message.len() - 5
        );
        assert_eq!(read_append(content(&message).1), Ok(entries.clone()));
        // Tiny ones take many times their bytes in memory: there is a number they end at.
        let tiny = Entry { kind: Kind::Facts, id: "i".into(), body: Vec::new() };
        let tiny = Prepared::of(tiny).expect("plain");
        assert!(append(&vec![tiny.clone(); MAX_ENTRIES + 1]).is_none());
        let most = append(&vec![tiny; MAX_ENTRIES]).expect("not too many");
        assert_eq!(read_append(content(&most).1).map(|read| read.len()), Ok(MAX_ENTRIES));
        let one = most.len() / MAX_ENTRIES;
        let more = [content(&most).1, &most[HEADER..HEADER + one]].concat();
        assert_eq!(read_append(&more), Err(NoMessage));
        for cut in 0..message.len() - HEADER {
            // A cut between two entries is an append of fewer: the length in front tells.
            let read = read_append(&message[HEADER..HEADER + cut]);
            assert!(read.is_err() || read.is_ok_and(|read| entries.starts_with(&read)));
        }
        let said = hello("gateway-2");
        let words = (crate::socket::PROTOCOL.to_owned(), "gateway-2".to_owned());
        assert_eq!(read_hello(content(&said).1), Ok(words));
        let root = Digest::of(b"root");
        let room = Some(Room { free: 1, total: 2 });
        let answers = [
            Answer::Welcome {
                writer: "w".into(),
                next: 7,
                size: 9,
                vkey: "v".into(),
                sequencer: "s".into(),
                encrypts: true,
            },
            Answer::Appended { first: 1, end: 3 },
            Answer::State(LogState { size: 3, root, checkpointed: 2, room }),
            Answer::State(LogState { size: 3, root, checkpointed: 2, room: None }),
            Answer::Refused(Refused { code: 6, numbers: [8, 9], text: "busy".into() }),
        ];
        for said in answers {
            let message = answer(&said);
            let (kind, bytes) = content(&message);
            assert_eq!(read_answer(kind, bytes), Ok(said));
            for cut in 0..bytes.len() {
                let shorter = read_answer(kind, &bytes[..cut]);
                assert!(shorter.is_err() || kind == b's' && cut == 48, "{kind} {cut}");
            }
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_none() {
        let mut rng = testkit::rng::Rng::new(4);
        for _ in 0..20_000 {
            let length = rng.below(80) as usize;
            // Small numbers, so that lengths often fit what is there.
            let bytes: Vec<u8> = (0..length).map(|_| (rng.below(6) * rng.below(6)) as u8).collect();
            let _ = (read_hello(&bytes), read_append(&bytes));
            for kind in *b"wise?" {
                let _ = read_answer(kind, &bytes);
            }
        }
    }

    #[test]
    fn errors_arrive_as_what_they_were() {
        let failure = || Arc::new(Failure::HeadMoved);
        let full = || Arc::new(io::Error::from(io::ErrorKind::StorageFull));
        let over = |error: AppendError| Refused::of(&error).into_error();
        let busy = over(AppendError::Busy { waiting: 3, limit: 2 });
        assert!(matches!(busy, AppendError::Busy { waiting: 3, limit: 2 }));
        assert!(matches!(over(AppendError::Full(full())), AppendError::Full(_)));
        assert!(matches!(over(AppendError::Unwritten(full())), AppendError::Unwritten(_)));
        assert!(matches!(over(AppendError::Failed(failure())), AppendError::Failed(_)));
        assert!(matches!(over(AppendError::Stopped(failure())), AppendError::Stopped(_)));
        assert!(matches!(over(AppendError::Closed), AppendError::Gone { in_doubt: false }));
        let refused = over(AppendError::Reserved { kind: Kind::Repair });
        assert!(matches!(refused, AppendError::Refused(text) if text.contains("repair")));
    }
}
