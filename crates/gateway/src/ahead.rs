//! The head start of a request: it leaves for the upstream before the evidence of its admission is
//! signed and written, so that both go on at once. Nothing of the answer is looked at before that
//! evidence is durable.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::recorder::{Forward, Input, Pending, RequestLog, Ruling};

/// A request that was admitted, with or without its evidence.
pub(crate) enum Admission {
    /// What its evidence is made of.
    Judged(Box<(Input, Ruling, Forward)>),
    /// Evidence under way.
    Recorded(Pending),
}

impl Admission {
    /// Whether it is known already that there is no evidence.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Judged(_) => false,
            Self::Recorded(pending) => pending.is_lost(),
        }
    }

    /// Makes the evidence, if that has not been done.
    pub(crate) fn record(self, log: &mut RequestLog) -> Pending {
        match self {
            Self::Judged(judged) => {
                let (input, ruling, forward) = *judged;
                log.admitted(input, ruling, forward)
            }
            Self::Recorded(pending) => pending,
        }
    }
}

/// Sends a request on its way: its future is asked once, and then everybody else who can go on,
/// above all the connection that writes it. What came of it, if that was all it took.
pub(crate) async fn head_start<F: Future>(mut request: Pin<&mut F>) -> Option<F::Output> {
    let mut asked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(None);
        }
        match request.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => {
                // Behind the connection, which the request has just woken.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn who_writes_the_request_goes_first() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (request, connection) = oneshot::channel();
            let wrote = Arc::new(AtomicBool::new(false));
            let writes = wrote.clone();
            tokio::spawn(async move {
                connection.await.expect("a request");
                writes.store(true, Ordering::Relaxed);
            });
            tokio::task::yield_now().await;
            let mut request = Some(request);
            let mut sent = std::pin::pin!(async {
                let _ = request.take().expect("it is sent once").send(());
                std::future::pending::<()>().await;
            });
            assert_eq!(head_start(sent.as_mut()).await, None);
            assert!(wrote.load(Ordering::Relaxed), "the request has left");
            assert_eq!(head_start(std::pin::pin!(async { 7 })).await, Some(7));
        });
    }
}
