//! The way back to the caller. A [`Reply`] is used once, for a whole answer or
//! the head of a stream; both know when the caller has gone.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::RETRY_AFTER;
use seal::digest::{Digest, Hasher};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::body::{Body, STREAM_DEPTH};
use crate::inspect::Released;
use crate::metrics::Route;
use crate::problem::{self, Refusal};
use crate::recorder::Committed;
use crate::server::App;
use crate::upstream::Head;

/// The caller is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Answers one request, once.
pub(crate) struct Reply<'a> {
    app: &'a App,
    id: String,
    sender: oneshot::Sender<Response<Body>>,
}

/// A stream under way to the caller.
pub(crate) struct Outlet {
    sender: mpsc::Sender<Bytes>,
    sent: Hasher,
    stall: Duration,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(app: &'a App, id: &str, sender: oneshot::Sender<Response<Body>>) -> Self {
        Self { app, id: id.to_owned(), sender }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Resolves when the caller has gone.
    pub(crate) async fn gone(&mut self) {
        self.sender.closed().await;
    }

    /// Delivers a whole answer; its evidence is durable.
    pub(crate) fn whole(self, head: Head, body: Released, committed: &Committed) {
        let status = head.status;
        let body = Body::from(body.into_bytes());
        let mut response =
            problem::answer(status, "application/json", body, &self.id, committed.receipt());
        if let Some(seconds) = head.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        self.app.metrics.answered(Route::ChatCompletions, status.as_u16());
        // Nobody there: the evidence says what would have been delivered.
        let _ = self.sender.send(response);
    }

    /// Delivers a refusal; with its receipt where its evidence is durable.
    pub(crate) fn refusal(self, refusal: &Refusal, receipt: Option<&str>) {
        self.app.metrics.answered(Route::ChatCompletions, refusal.number());
        let _ = self.sender.send(refusal.response(&self.id, receipt));
    }

    /// Sends the head of an event stream. Only after the admission is durable.
    pub(crate) fn stream(self, _admission: &Committed) -> Outlet {
        let (sender, receiver) = mpsc::channel(STREAM_DEPTH);
        let status = problem::ok();
        let mut response =
            problem::answer(status, "text/event-stream", Body::Stream(receiver), &self.id, None);
        response
            .headers_mut()
            .insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
        self.app.metrics.answered(Route::ChatCompletions, status.as_u16());
        let _ = self.sender.send(response);
        let stall = Duration::from_secs(self.app.config.limits.caller_stall_seconds);
        Outlet { sender, sent: Hasher::new(), stall }
    }
}

impl Outlet {
    /// One without a caller behind it.
    #[cfg(test)]
    pub(crate) fn to(sender: mpsc::Sender<Bytes>) -> Self {
        Self { sender, sent: Hasher::new(), stall: Duration::from_secs(20) }
    }

    /// Resolves when the caller has gone.
    pub(crate) async fn gone(&self) {
        self.sender.closed().await;
    }

    /// Sends what may be seen. A caller that does not read for too long is gone.
    pub(crate) async fn send(&mut self, released: Released) -> Result<(), Gone> {
        self.sent.update(released.bytes());
        self.pass(released.into_bytes()).await
    }

    /// The digest of everything sent and of `last`, which is still to be sent:
    /// evidence comes before the end.
    pub(crate) fn digest_with(&self, last: &[u8]) -> Digest {
        let mut sent = self.sent.clone();
        sent.update(last);
        sent.finish()
    }

    /// The receipt's comment block, and the upstream's terminal event if it had
    /// one: `last` first where it is an error of ours.
    pub(crate) async fn end(
        self,
        error: Option<Released>,
        committed: &Committed,
        terminal: Option<Bytes>,
    ) {
        let mut tail = Vec::new();
        if let Some(error) = error {
            tail.extend_from_slice(error.bytes());
        }
        if let Some(receipt) = committed.receipt() {
            tail.extend_from_slice(b": x-countersign-receipt ");
            tail.extend_from_slice(receipt.as_bytes());
            tail.extend_from_slice(b"\n\n");
        }
        if let Some(terminal) = terminal {
            tail.extend_from_slice(&terminal);
        }
        self.last(Bytes::from(tail)).await;
    }

    /// Ends without a receipt: evidence could not be written.
    pub(crate) async fn abort(self, error: Released) {
        self.last(error.into_bytes()).await;
    }

    /// The last bytes, and the end. Whoever is gone by then has missed nothing that is not recorded.
    async fn last(&self, bytes: Bytes) {
        if self.pass(bytes).await.is_ok() {
            let _ = self.sender.send_timeout(Bytes::new(), self.stall).await;
        }
    }

    async fn pass(&self, bytes: Bytes) -> Result<(), Gone> {
        if bytes.is_empty() {
            return Ok(());
        }
        let bytes = match self.sender.try_send(bytes) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Gone),
            Err(mpsc::error::TrySendError::Full(bytes)) => bytes,
        };
        match timeout(self.stall, self.sender.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}
