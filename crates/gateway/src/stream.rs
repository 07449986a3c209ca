//! A streamed answer. Every event is held until it was judged and nothing of it
//! can still become part of something forbidden, and an event with a piece of a
//! tool call until the whole call was judged; what is released goes out byte for
//! byte as it came.

use bytes::Bytes;
use chat::openai::{self, StreamItem};
use chat::sse::{Event, Parser};
use seal::json::Limits;

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

const EVENT_LIMITS: Limits = Limits { bytes: chat::sse::EVENT_BYTES, depth: 64 };

/// Reads, judges and releases events until the stream ends.
pub(crate) async fn relay(
    answer: &mut Answer,
    inspection: &mut Inspection,
    outlet: &mut Outlet,
) -> Ended {
    let mut relay = Relay { inspection, outlet, held: Held::default(), free: Vec::new() };
    let mut parser = Parser::new();
    let mut events = Vec::new();
    loop {
        let piece = tokio::select! {
            biased;
            () = relay.outlet.gone() => return Ended::Gone,
            piece = answer.next() => piece,
        };
        let piece = match piece {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => return relay.cut_off(error).await,
        };
        // Events before an offending one are judged and go out.
        let read = parser.push_into(&piece, &mut events);
        for event in events.drain(..) {
            if let Some(ended) = relay.event(event).await {
                return ended;
            }
        }
        if read.is_err() {
            return relay.cut_off(UpstreamError::MalformedStream).await;
        }
    }
    let last = match parser.finish() {
        // Bytes without a blank line behind them are no event: browsers drop
        // them, and so the stream is truncated.
        Ok(finish) if finish.tail.is_none() => finish.event,
        Ok(_) => return relay.cut_off(UpstreamError::Truncated).await,
        Err(_) => return relay.cut_off(UpstreamError::MalformedStream).await,
    };
    if let Some(event) = last
        && let Some(ended) = relay.event(event).await
    {
        return ended;
    }
    // Some upstreams end without `[DONE]`; an answer that says why it ended is whole.
    if relay.inspection.finished() {
        relay.end(None).await
    } else {
        relay.cut_off(UpstreamError::Truncated).await
    }
}

struct Relay<'r> {
    inspection: &'r mut Inspection,
    outlet: &'r mut Outlet,
    held: Held,
    free: Vec<Released>,
}

impl Relay<'_> {
    /// Judges one event; says how the stream ended, if it did.
    async fn event(&mut self, event: Event) -> Option<Ended> {
        let chunk = match openai::item(&event, EVENT_LIMITS) {
            Err(_) => return Some(self.cut_off(UpstreamError::MalformedStream).await),
            Ok(StreamItem::Done) => return Some(self.end(Some(Bytes::from(event.raw))).await),
            Ok(StreamItem::Chunk(chunk)) => chunk,
        };
        let error = chunk.error.is_some();
        let mut judged = self.inspection.event(event, chunk, &mut self.held, &mut self.free);
        if error && judged.is_ok() {
            judged = self.inspection.cut_off(true, &mut self.held, &mut self.free);
        }
        match judged {
            Err(Stopped::Unreadable(error)) => Some(self.cut_off(error).await),
            judged => self.flush(judged).await.or(error.then_some(Ended::Error)),
        }
    }

    /// The upstream broke off: what waits is judged as it is.
    async fn cut_off(&mut self, error: UpstreamError) -> Ended {
        let judged = self.inspection.cut_off(false, &mut self.held, &mut self.free);
        let judged = judged.and(Err(Stopped::Unreadable(error)));
        match self.flush(judged).await {
            Some(ended) => ended,
            None => Ended::Stopped(Stopped::Unreadable(error)),
        }
    }

    async fn end(&mut self, terminal: Option<Bytes>) -> Ended {
        let judged = self.inspection.end(&mut self.held, &mut self.free);
        match self.flush(judged).await {
            Some(ended) => ended,
            None => Ended::Complete { terminal },
        }
    }

    /// Sends what is free, also before a stop: it was judged before.
    async fn flush(&mut self, judged: Result<(), Stopped>) -> Option<Ended> {
        for released in self.free.drain(..) {
            if self.outlet.send(released).await.is_err() {
                return Some(Ended::Gone);
            }
        }
        judged.err().map(Ended::Stopped)
    }
}
