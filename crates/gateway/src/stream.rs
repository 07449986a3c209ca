//! A streamed answer. Every event is held until it was judged and nothing of it
//! can still become part of something forbidden, and an event with a piece of a
//! tool call until the whole call was judged; what is released goes out byte for
//! byte as it came.

use bytes::Bytes;
use chat::openai::{self, StreamItem};
use chat::sse::{Event, Finish, Parser};
use seal::json::Limits;

use crate::aside::Aside;
use crate::inspect::{Held, Inspection, Released, Stopped};
use crate::reply::Outlet;
use crate::upstream::{Answer, UpstreamError};

/// How a stream ended, before that is recorded.
pub(crate) enum Ended {
    /// Complete; the terminal event is still to be sent.
    Complete {
        /// `data: [DONE]` as the upstream wrote it; some upstreams have none.
        terminal: Option<Bytes>,
    },
    /// A check or the upstream stopped it.
    Stopped(Stopped),
    /// The upstream sent an error of its own, which was passed on.
    Error,
    /// The caller went away.
    Gone,
}

/// What one event may be.
pub(crate) const EVENT_LIMITS: Limits = Limits { bytes: chat::sse::EVENT_BYTES, depth: 64 };

/// Reads, judges and releases events until the stream ends.
pub(crate) async fn relay(
    aside: &Aside,
    answer: &mut Answer,
    inspection: Inspection,
    outlet: &mut Outlet,
) -> (Ended, Inspection) {
    let mut judge = Box::new(Judge { inspection, held: Held::default(), free: Vec::new() });
    let mut parser = Parser::new();
    let mut events = Vec::new();
    let broken = loop {
        let piece = tokio::select! {
            biased;
            () = outlet.gone() => return (Ended::Gone, judge.inspection),
            piece = answer.next() => piece,
        };
        let read = match piece {
            Ok(Some(piece)) => parser.push_into(&piece, &mut events),
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        if !events.is_empty() {
            answer.goes_on();
        }
        // Events before an offending one are judged and go out.
        for event in events.drain(..) {
            let bytes = event.raw.len();
            let (ended, back) = aside.go_on(bytes, move || (judge.event(event), judge)).await;
            judge = back;
            if let Some(ended) = judge.flush(outlet).await.or(ended) {
                return (ended, judge.inspection);
            }
        }
        if read.is_err() {
            break Some(UpstreamError::MalformedStream);
        }
    };
    let ended = match broken {
        Some(error) => judge.cut_off(error),
        None => judge.finish(parser),
    };
    let ended = judge.flush(outlet).await.unwrap_or(ended);
    (ended, judge.inspection)
}

/// Judges events; what may go on is in `free`.
struct Judge {
    inspection: Inspection,
    held: Held,
    free: Vec<Released>,
}

impl Judge {
    /// Judges one event; says how the stream ended, if it did.
    fn event(&mut self, event: Event) -> Option<Ended> {
        let chunk = match openai::item(&event, EVENT_LIMITS) {
            Err(_) => return Some(self.cut_off(UpstreamError::MalformedStream)),
            Ok(StreamItem::Done) => return Some(self.end(Some(Bytes::from(event.raw)))),
            Ok(StreamItem::Chunk(chunk)) => chunk,
        };
        let error = chunk.error.is_some();
        let mut judged = self.inspection.event(event, &chunk, &mut self.held, &mut self.free);
        if error && judged.is_ok() {
            judged = self.inspection.cut_off(true, &mut self.held, &mut self.free);
        }
        match judged {
            Err(Stopped::Unreadable(error)) => Some(self.cut_off(error)),
            Err(stopped) => Some(Ended::Stopped(stopped)),
            Ok(()) => error.then_some(Ended::Error),
        }
    }

    /// No more bytes will come.
    fn finish(&mut self, parser: Parser) -> Ended {
        let Ok(Finish { event, tail }) = parser.finish() else {
            return self.cut_off(UpstreamError::MalformedStream);
        };
        if let Some(ended) = event.and_then(|event| self.event(event)) {
            return ended;
        }
        match tail {
            // All of the answer was there before it; only its own line end is missing.
            Some(tail) if tail.is_done() && tail.others.is_empty() => {
                self.end(Some(Bytes::from(tail.raw)))
            }
            // Bytes without a blank line behind them are no event: browsers drop
            // them, and so the stream is truncated.
            Some(_) => self.cut_off(UpstreamError::Truncated),
            // Some upstreams end without `[DONE]`; an answer that says why it ended is whole.
            None if self.inspection.finished() => self.end(None),
            None => self.cut_off(UpstreamError::Truncated),
        }
    }

    fn end(&mut self, terminal: Option<Bytes>) -> Ended {
        match self.inspection.end(&mut self.held, &mut self.free) {
            Ok(()) => Ended::Complete { terminal },
            Err(stopped) => Ended::Stopped(stopped),
        }
    }

    /// The upstream broke off: what waits is judged as it is.
    fn cut_off(&mut self, error: UpstreamError) -> Ended {
        let judged = self.inspection.cut_off(false, &mut self.held, &mut self.free);
        Ended::Stopped(judged.err().unwrap_or(Stopped::Unreadable(error)))
    }

    /// Sends what is free, also before a stop: it was judged before.
    async fn flush(&mut self, outlet: &mut Outlet) -> Option<Ended> {
        for released in self.free.drain(..) {
            if outlet.send(released).await.is_err() {
                return Some(Ended::Gone);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
