//! The witness over HTTP.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request};
use hyper::body::Incoming;

use super::submission::LIMIT;
use super::{Verdict, Witness};
use crate::door::{self, Answers, Door, ServeError};
use crate::reply::{self, Reply, TEXT};

/// Serves `POST /add-checkpoint` and `GET /<hex SHA-256 of an origin>/checkpoint` until `shutdown`
/// resolves. Blocking.
///
/// There is no authentication: what is cosigned is what a log of ours signed, and what was
/// cosigned is public by nature.
pub fn serve(
    witness: Arc<Witness>,
    door: &Door,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    door::serve(door, Arc::new(Service(witness)), ready, shutdown)
}

struct Service(Arc<Witness>);

impl Answers for Service {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path();
        if path == "/add-checkpoint" {
            return if request.method() == Method::POST {
                self.add(request.into_body()).await
            } else {
                reply::wrong_method("POST")
            };
        }
        let id = path.strip_prefix('/').and_then(|rest| rest.strip_suffix("/checkpoint"));
        let Some(id) = id.filter(|id| id.len() == 64) else { return reply::not_found() };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return reply::wrong_method("GET, HEAD");
        }
        match self.0.latest(id) {
            Some(note) => reply::cached(reply::good(TEXT, note.to_string()), "max-age=5"),
            None => reply::not_found(),
        }
    }
}

impl Service {
    async fn add(&self, body: Incoming) -> Reply {
        let body = match door::body(body, LIMIT).await {
            Ok(body) => body,
            Err(why) => return reply::unread(why),
        };
        let witness = self.0.clone();
        // It waits for the disk: not on a worker. Once begun it ends, also when the caller goes.
        let judged = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
        match judged.unwrap_or(Verdict::Unavailable) {
            Verdict::UnknownLog => reply::not_found(),
            Verdict::NotSigned => reply::forbidden("no signature of the log's key"),
            Verdict::Malformed(why) => reply::malformed(why),
            Verdict::Elsewhere(size) => reply::conflict(size),
            Verdict::Refused(why) => reply::unprocessable(why),
            Verdict::Cosigned(line) => reply::good(TEXT, line),
            Verdict::Unavailable => reply::fault(),
        }
    }
}
