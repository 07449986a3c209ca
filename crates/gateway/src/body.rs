//! The body of an answer: whole, or a bounded stream of released bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// How many released pieces may wait for a slow reader; what is beyond waits
/// in the flow, so a slow reader slows the upstream instead of growing memory.
pub(crate) const STREAM_DEPTH: usize = 16;

/// An answer body.
#[derive(Debug)]
pub enum Body {
    /// All of it, known beforehand.
    Whole(Bytes),
    /// Pieces as the flow releases them; an empty one is the end. A channel that ends without it
    /// belongs to a flow that was cut off: then the connection is, too, so that nobody takes what
    /// came for all of it.
    Stream(mpsc::Receiver<Bytes>),
}

/// The flow of this answer was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer was cut off")]
pub struct Cut;

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Whole(Bytes::from(text))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        match this {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(pieces) => pieces.poll_recv(cx).map(|piece| match piece {
                Some(bytes) if bytes.is_empty() => {
                    *this = Self::empty();
                    None
                }
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None => Some(Err(Cut)),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
