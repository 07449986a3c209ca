//! Server-sent events, byte for byte.
//!
//! Lines end at CR, LF or CRLF and nowhere else: U+2028, U+0085 and their kind are text. A reader
//! may cut the stream anywhere, inside a character or between CR and LF; the events are the same,
//! and the `raw` bytes of all events together are the input.

/// The largest event accepted, and the most bytes held while waiting for an event to end.
pub const EVENT_BYTES: usize = 1 << 20;

/// One block of a stream, up to and including its blank line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The block's bytes as they arrived, with its terminator (and a leading BOM, if any).
    pub raw: Vec<u8>,
    /// The `data:` lines joined by LF; `None` when there was none.
    pub data: Option<String>,
    /// Every other line: a comment has an empty name, a field its own.
    pub others: Vec<(String, String)>,
}

impl Event {
    /// Whether this is OpenAI's terminal `data: [DONE]`.
    pub fn is_done(&self) -> bool {
        self.data.as_deref().is_some_and(|data| data.trim() == "[DONE]")
    }

    /// The last `event:` field.
    pub fn event(&self) -> Option<&str> {
        self.others.iter().rev().find(|(name, _)| name == "event").map(|(_, value)| value.as_str())
    }

    /// All text beside the data: comments, event names, ids, unknown fields. It reaches the client
    /// too, so it is inspected too.
    pub fn side_text(&self) -> Option<String> {
        if self.others.is_empty() {
            return None;
        }
        let mut text = String::new();
        for (name, value) in &self.others {
            if !matches!(name.as_str(), "" | "event" | "id" | "retry") {
                text.push_str(name);
                text.push('\n');
            }
            text.push_str(value);
            text.push('\n');
        }
        Some(text)
    }

    /// The block with other data: one `data:` line per line of `data`, LF endings. Fields beside
    /// the data are kept, comments are not.
    pub fn with_data(&self, data: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 16);
        for (name, value) in self.others.iter().filter(|(name, _)| !name.is_empty()) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
        for line in data.split('\n') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        out.push(b'\n');
        out
    }
}

/// Why a stream was given up. Nothing of the offending block was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A block exceeds the cap.
    #[error("a server-sent event exceeds {cap} bytes")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
    },
    /// A block is not UTF-8.
    #[error("a server-sent event is not valid UTF-8")]
    Utf8,
}

/// What a stream ends with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finish {
    /// A last complete block, whose terminating CR could not be told from half a CRLF before.
    pub event: Option<Event>,
    /// Bytes without a terminating blank line: browsers and SDKs differ on whether they count, so
    /// they must be inspected before they are released, or dropped.
    pub tail: Option<Event>,
}

/// Cuts a byte stream into [`Event`]s.
#[derive(Debug)]
pub struct Parser {
    pending: Vec<u8>,
    /// Where the current line starts and how far it has been searched for its end.
    line: usize,
    at: usize,
    /// Whether no block was handed out yet: only then a BOM is not text.
    start: bool,
    cap: usize,
    failed: Option<SseError>,
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}

impl Parser {
    /// A parser with the default cap.
    pub fn new() -> Parser {
        Parser::with_cap(EVENT_BYTES)
    }

    /// A parser whose events, terminated or pending, never exceed `cap` bytes.
    pub fn with_cap(cap: usize) -> Parser {
        Parser { pending: Vec::new(), line: 0, at: 0, start: true, cap, failed: None }
    }

    /// Takes the next bytes and returns the blocks they complete. After an error every further
    /// call returns it again.
    ///
    /// # Errors
    /// The cap is exceeded, or a block is not UTF-8.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SseError> {
        let mut events = Vec::new();
        self.push_into(bytes, &mut events)?;
        Ok(events)
    }

    /// As [`Parser::push`], appending to `events`; blocks before the offending one are kept.
    ///
    /// # Errors
    /// The cap is exceeded, or a block is not UTF-8.
    pub fn push_into(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.pending.extend_from_slice(bytes);
        let outcome = self.cut(events, false);
        if let Err(error) = outcome {
            self.failed = Some(error);
            self.pending = Vec::new();
        }
        outcome
    }

    /// How many bytes wait for their block to end.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// An earlier error, or remaining bytes that are not UTF-8.
    pub fn finish(mut self) -> Result<Finish, SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut events = Vec::new();
        self.cut(&mut events, true)?;
        let tail = match self.pending.is_empty() {
            true => None,
            false => Some(block(std::mem::take(&mut self.pending), self.start)?),
        };
        Ok(Finish { event: events.pop(), tail })
    }

    fn cut(&mut self, events: &mut Vec<Event>, ended: bool) -> Result<(), SseError> {
        let mut begin = 0;
        let mut waits = false;
        while let Some(found) =
            self.pending[self.at..].iter().position(|&byte| byte == b'\n' || byte == b'\r')
        {
            let end = self.at + found;
            let next = if self.pending[end] == b'\n' {
                end + 1
            } else {
                match self.pending.get(end + 1) {
                    Some(b'\n') => end + 2,
                    Some(_) => end + 1,
                    // Half a CRLF or a whole CR: the next byte tells.
                    None if ended => end + 1,
                    None => {
                        self.at = end;
                        waits = true;
                        break;
                    }
                }
            };
            let mut line = &self.pending[self.line..end];
            if self.start && self.line == begin {
                line = line.strip_prefix(BOM).unwrap_or(line);
            }
            let blank = line.is_empty();
            self.line = next;
            self.at = next;
            if blank {
                if next - begin > self.cap {
                    return Err(SseError::TooLarge { cap: self.cap });
                }
                events.push(block(self.pending[begin..next].to_vec(), self.start)?);
                self.start = false;
                begin = next;
            }
        }
        if !waits {
            self.at = self.pending.len();
        }
        self.pending.drain(..begin);
        self.line -= begin;
        self.at -= begin;
        if self.pending.len() > self.cap {
            return Err(SseError::TooLarge { cap: self.cap });
        }
        Ok(())
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads the fields of a whole block.
fn block(raw: Vec<u8>, start: bool) -> Result<Event, SseError> {
    let mut event = Event::default();
    let text = std::str::from_utf8(&raw).map_err(|_| SseError::Utf8)?;
    let text = if start { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    // CRLF yields an empty piece between its two halves, which is skipped like a blank line.
    for line in text.split(['\r', '\n']).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        if name == "data" {
            match &mut event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => event.data = Some(value.to_owned()),
            }
        } else {
            event.others.push((name.to_owned(), value.to_owned()));
        }
    }
    event.raw = raw;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` cut at `cuts` and returns the events, with a complete last one, and the tail.
    fn feed(bytes: &[u8], cuts: &[usize]) -> (Vec<Event>, Option<Event>) {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&bytes.len()]) {
            events.extend(parser.push(&bytes[from..cut]).expect("valid stream"));
            from = cut;
        }
        let finish = parser.finish().expect("valid end");
        events.extend(finish.event);
        (events, finish.tail)
    }

    fn check_every_split(bytes: &[u8]) {
        let whole = feed(bytes, &[]);
        let joined: Vec<u8> =
            whole.0.iter().chain(&whole.1).flat_map(|event| event.raw.clone()).collect();
        assert_eq!(joined, bytes);
        for first in 0..=bytes.len() {
            assert_eq!(feed(bytes, &[first]), whole, "cut at {first}");
        }
        let every: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(feed(bytes, &every), whole, "byte by byte");
        for first in 0..bytes.len().min(60) {
            for second in first..bytes.len().min(60) {
                assert_eq!(feed(bytes, &[first, second]), whole, "cuts {first}, {second}");
            }
        }
    }

    #[test]
    fn any_chunking_gives_the_same_events() {
        for stream in [
            "data: {\"a\":\"é\u{2028}\u{85}\u{b}\u{c}\u{1c}x\"}\n\ndata: [DONE]\n\n".as_bytes(),
            b"\xef\xbb\xbfdata: a\r\n\r\n: ping\r\rdata: b\rdata: c\n\r\ndata:d\n\n\n\nid: 7\nevent: x\ndata\n\n",
            b"data: a\r\rdata: b\r\r",
            b"\xef\xbb\xbf\ndata: a\r\n\r",
            b"data: a\n\ndata: tail without end",
            b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n",
            b"",
            b"\r",
            b"\n\r\n\r\r\n",
        ] {
            check_every_split(stream);
        }
    }

    #[test]
    fn only_cr_lf_and_crlf_end_lines() {
        let (events, tail) = feed("data: a\u{2028}b\u{85}c\u{b}d\n\n".as_bytes(), &[]);
        assert_eq!(tail, None);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].data.as_deref(), Some("a\u{2028}b\u{85}c\u{b}d"));
    }

    #[test]
    fn data_lines_join_and_other_lines_are_kept_for_inspection() {
        let (events, _) = feed(b"event: e\nid: 1\ndata: a\ndata:  b\n: note\nfoo: bar\n\n", &[]);
        assert_eq!(events[0].data.as_deref(), Some("a\n b"));
        assert_eq!(events[0].event(), Some("e"));
        assert_eq!(events[0].side_text().as_deref(), Some("e\n1\nnote\nfoo\nbar\n"));
        assert_eq!(events[0].with_data("{}"), b"event: e\nid: 1\nfoo: bar\ndata: {}\n\n");
    }

    #[test]
    fn a_bom_is_dropped_at_the_start_only() {
        let (events, _) = feed(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", &[]);
        assert_eq!(events[0].data.as_deref(), Some("a"));
        assert_eq!(events[1].data, None);
        assert_eq!(events[1].others[0].0, "\u{feff}data");
    }

    #[test]
    fn memory_is_bounded_and_errors_stick() {
        let mut parser = Parser::with_cap(16);
        assert_eq!(parser.push(b"data: 0123456789"), Ok(vec![]));
        assert_eq!(parser.push(b"a"), Err(SseError::TooLarge { cap: 16 }));
        assert_eq!(parser.push(b"\n\n"), Err(SseError::TooLarge { cap: 16 }));
        assert_eq!(parser.pending(), 0);

        let mut parser = Parser::with_cap(16);
        assert_eq!(parser.push(b"data: 01234567890123\n\n"), Err(SseError::TooLarge { cap: 16 }));
    }

    #[test]
    fn invalid_utf8_is_refused_only_when_the_block_is_whole() {
        let mut parser = Parser::new();
        assert_eq!(parser.push(b"data: \xe2\x82"), Ok(vec![]));
        assert_eq!(parser.push(b"\xac\n\n").expect("whole").len(), 1);
        assert_eq!(parser.push(b"data: \xe2\x82\n\n"), Err(SseError::Utf8));
    }

    proptest::proptest! {
        #[test]
        fn raw_bytes_are_the_input(
            lines in proptest::collection::vec("(data: |: |id:|event: e|x)?[a-zé\u{2028}]{0,6}(\r|\n|\r\n)", 0..24),
            cuts in proptest::collection::vec(0usize..400, 0..12),
        ) {
            let bytes = lines.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
            cuts.sort_unstable();
            let whole = feed(&bytes, &[]);
            let joined: Vec<u8> =
                whole.0.iter().chain(&whole.1).flat_map(|event| event.raw.clone()).collect();
            proptest::prop_assert_eq!(&joined, &bytes);
            proptest::prop_assert_eq!(feed(&bytes, &cuts), whole);
        }
    }
}
