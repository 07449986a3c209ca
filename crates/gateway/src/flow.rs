//! The request path, as one page: parse, facts, admission, forward, inspect,
//! commit, record. What a step earns (`Admitted`, `Released`, `Committed`) the
//! next one asks for, so a skipped check does not compile.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::ahead::{Admission, head_start};
use crate::aside::INLINE_BYTES;
use crate::body::Body;
use crate::closing::{self, Closing};
use crate::config::Release;
use crate::gate::Gate;
use crate::inspect::Inspection;
use crate::problem::Refusal;
use crate::receive::Received;
use crate::recorder::RequestLog;
use crate::reply::Reply;
use crate::rules::Rules;
use crate::server::{Alive, App};
use crate::upstream::{AnswerKind, UpstreamError};
use crate::{facts, receive, stream, unary};

/// A request that came through the door.
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) body: Incoming,
    pub(crate) log: RequestLog,
    /// Those that the log names.
    pub(crate) rules: Arc<Rules>,
    pub(crate) reply: oneshot::Sender<http::Response<Body>>,
}

/// Runs the flow of one request to its end, whatever becomes of the caller.
pub(crate) async fn run(app: Arc<App>, call: Call, alive: Alive) {
    flow(&app, call).await;
    drop(alive);
}

async fn flow(app: &Arc<App>, call: Call) {
    let Call { head: asked, body, mut log, rules, reply } = call;
    let mut reply = Reply::new(app, log.id(), reply);

    // Parse: the body in bounds and in time, then strictly.
    let received = receive::exchange(app, &asked.headers, body, &mut log).await;
    let Received { exchange, place } = match received {
        Ok(received) => received,
        Err(refusal) => return closing::preflight(app, log, reply, &refusal).await,
    };

    // Facts: who asks, how that is known, and when.
    let facts = facts::gather(app, &asked.headers);
    let required = app.config.guard.owner.required;
    log.caller(facts.caller(required));
    if let Some(code) = facts.nobody(required) {
        return closing::preflight(app, log, reply, &Refusal::NoOwner { code }).await;
    }

    // Admission: all checks over every string of the request; of a large one also its evidence.
    let work = Gate::work(&exchange);
    let mut gate = Gate::new(app, rules, facts);
    let admit = move || {
        let admitted = gate.admit(exchange).map(|(admitted, input, ruling)| {
            let judged = Box::new((input, ruling, admitted.forward(gate.upstream())));
            let mut admission = Admission::Judged(judged);
            if work > INLINE_BYTES {
                admission = Admission::Recorded(admission.record(&mut log));
            }
            (admitted, admission)
        });
        (admitted, gate, log)
    };
    let (admitted, gate, mut log) = app.aside.go_on(work, admit).await;
    let (admitted, admission) = match admitted {
        Ok(admitted) => admitted,
        Err(turned) => return closing::turned(app, log, reply, turned, work).await,
    };
    drop(place);

    // Forward, while the admission is being written. A disk that takes nothing: what cannot be
    // recorded does not go upstream either.
    let first = app.config.evidence.release == Release::BeforeForward
        || admission.is_lost()
        || !app.recorder.taking();
    let own = asked.headers.get(AUTHORIZATION);
    let mut answer = pin!(app.upstream.chat(admitted.body(), admitted.stream(), own));
    let mut started = Instant::now();
    let begun = if first { None } else { head_start(answer.as_mut()).await };
    let mut admission = admission.record(&mut log);
    let forward = async {
        let early = if first { Some((&mut admission).await) } else { None };
        if let Some(Err(_)) = early {
            return Err(Closing::NoEvidence);
        }
        let answer = async {
            match begun {
                Some(answer) => answer,
                None => answer.await,
            }
        };
        let (durable, answer) = match early {
            Some(durable) => {
                started = Instant::now();
                (durable, answer.await)
            }
            // Nothing of the answer is looked at before both are there.
            None => tokio::join!(&mut admission, answer),
        };
        let durable = durable.map_err(|_| Closing::NoEvidence)?;
        app.metrics.upstream_answered(started.elapsed());
        answer.map(|answer| (durable, answer)).map_err(Closing::Upstream)
    };
    let forwarded = tokio::select! {
        biased;
        () = reply.gone() => Err(Closing::Gone),
        forwarded = forward => forwarded,
    };
    let (durable, mut answer) = match forwarded {
        Ok(forwarded) => forwarded,
        Err(closing) => return closing::unanswered(app, gate, log, reply, closing).await,
    };

    // Inspect and commit: every text and every whole tool call of the answer.
    if answer.kind == AnswerKind::Events {
        if !(answer.head.success && admitted.stream()) {
            let closing = Closing::Upstream(UpstreamError::ContentType);
            return closing::unanswered(app, gate, log, reply, closing).await;
        }
        let mut outlet = reply.stream(&durable);
        let inspection = Inspection::new(gate, admitted.model());
        let (ended, inspection) =
            stream::relay(&app.aside, &mut answer, inspection, &mut outlet).await;
        if closing::streamed(app, inspection, log, outlet, ended).await {
            answer.finish().await;
        }
        return;
    }
    let head = answer.head;
    let read = tokio::select! {
        biased;
        () = reply.gone() => Err(Closing::Gone),
        read = answer.whole() => read.map_err(Closing::Upstream),
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(closing) => return closing::unanswered(app, gate, log, reply, closing).await,
    };
    let length = bytes.len();
    let mut inspection = Inspection::new(gate, admitted.model());
    let judge = move || (unary::judge(&mut inspection, bytes, head.success), inspection);
    let (judged, inspection) = app.aside.go_on(length, judge).await;

    // Record: the outcome is durable before the first byte of the body.
    closing::whole(app, inspection, log, reply, head, judged).await;
}
