//! A listener: who may come in, how many at once, for how long, and how it stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use reach::hosts::Hosts;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::reply::{self, Reply};

/// How a listener is reached.
#[derive(Debug, Clone)]
pub struct Door {
    /// Where.
    pub listen: SocketAddr,
    /// Names under which it may be addressed, without ports, besides this machine's own and the
    /// address itself.
    pub hosts: Vec<String>,
    /// The most connections at once; what comes beyond waits in the system's queue.
    pub connections: usize,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("{address} cannot be bound: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        cause: io::Error,
    },
    /// Every address is listened on, and no name was given under which to be addressed.
    #[error("{0} is every address of this machine: say with --host under which names it is asked")]
    Nameless(SocketAddr),
    /// No runtime.
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
}

/// What answers requests.
pub(crate) trait Answers: Send + Sync + 'static {
    /// Answers one request; its body was not read yet.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// Serves until `shutdown` resolves. Blocking: builds a runtime.
pub(crate) fn serve<A: Answers>(
    door: &Door,
    answers: Arc<A>,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    if door.listen.ip().is_unspecified() && door.hosts.is_empty() {
        return Err(ServeError::Nameless(door.listen));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(run(door, answers, ready, shutdown))
}

async fn run<A: Answers>(
    door: &Door,
    answers: Arc<A>,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let failed = |cause| ServeError::Bind { address: door.listen, cause };
    let listener = TcpListener::bind(door.listen).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let hosts = Arc::new(Hosts::new(bound.ip(), &door.hosts));
    let slots = Arc::new(Semaphore::new(door.connections.max(1)));
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    // Asked before anyone is told of the start: whoever was told may stop us at once.
    let mut shutdown = pin!(shutdown);
    let stopped = poll_fn(|context| Poll::Ready(shutdown.as_mut().poll(context).is_ready())).await;
    ready(bound);
    let mut open = !stopped;
    while open {
        let slot = tokio::select! {
            () = &mut shutdown => {
                open = false;
                continue;
            }
            // What ended is forgotten, so that the set does not grow.
            Some(_) = connections.join_next() => continue,
            slot = slots.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { break };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (answers, hosts) = (answers.clone(), hosts.clone());
                let stopping = stopping.clone();
                connections.spawn(async move {
                    connection(answers, hosts, stream, stopping).await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of descriptors and the like: breathe instead of spinning.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // A send that fails means that there is nobody left to tell.
    let _ = stop.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    // Who is still there then is cut off; nothing that was promised depends on it.
    let _ = timeout(LAST_WORDS, all).await;
    Ok(())
}

async fn connection<A: Answers>(
    answers: Arc<A>,
    hosts: Arc<Hosts>,
    stream: TcpStream,
    mut stopping: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let (answers, hosts) = (answers.clone(), hosts.clone());
        async move {
            let reply = if hosts.check(request.uri(), request.headers()).is_ok() {
                answers.answer(request).await
            } else {
                reply::forbidden("this is not served under that name, or to that page")
            };
            Ok::<_, Infallible>(reply)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ)
        .max_buf_size(HEAD_BYTES)
        .max_header_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let served = async {
        tokio::select! {
            _ = serving.as_mut() => true,
            _ = stopping.changed() => false,
        }
    };
    // Who reads slowly, or asks without end, makes room for others.
    if timeout(LIFETIME, served).await.unwrap_or(false) {
        return;
    }
    serving.as_mut().graceful_shutdown();
    let _ = timeout(LAST_WORDS, serving).await;
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It ended early.
    Broken,
    /// It is longer than the limit.
    TooLarge,
    /// It did not come in time.
    TooSlow,
}

/// Reads a whole body, at most `limit` bytes.
pub(crate) async fn body(mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
    let read = async {
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Unread::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            if all.len() + data.len() > limit {
                return Err(Unread::TooLarge);
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    };
    timeout(BODY_READ, read).await.unwrap_or(Err(Unread::TooSlow))
}

const HEADER_READ: Duration = Duration::from_secs(10);
const BODY_READ: Duration = Duration::from_secs(20);
/// The longest a connection is kept.
const LIFETIME: Duration = Duration::from_secs(120);
/// What is under way at the end has this long.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The longest request line with its headers.
const HEAD_BYTES: usize = 16 << 10;
