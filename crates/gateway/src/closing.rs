//! How a request ends: the last word is recorded, and only when it is durable
//! does the caller get it. Without evidence nobody gets anything but an id.

use guard::Ending;
use http::Response;
use record::entry::AuditDecision;
use seal::digest::Digest;

use crate::body::Body;
use crate::gate::{Gate, Turned};
use crate::inspect::{Delivery, End, Inspection, Released, Stopped, refusal};
use crate::metrics::Route;
use crate::problem::{self, Refusal};
use crate::recorder::{self, Committed, Failure, Pending, RecordError, RequestLog, Ruling};
use crate::reply::{Outlet, Reply};
use crate::server::App;
use crate::stream::Ended;
use crate::unary::Judged;
use crate::upstream::{Head, UpstreamError};

/// Why there is no answer to inspect.
#[derive(Debug)]
pub(crate) enum Closing {
    /// The caller went away.
    Gone,
    /// The admission could not be written.
    NoEvidence,
    /// The upstream gave nothing usable.
    Upstream(UpstreamError),
}

/// A refusal before any content check, outside of a flow.
pub(crate) async fn refuse(
    app: &App,
    route: Route,
    mut log: RequestLog,
    refusal: &Refusal,
) -> Response<Body> {
    let id = log.id().to_owned();
    let written = log.preflight(refused(refusal, &id, preflight_ruling(refusal))).await;
    let (refusal, receipt) = settled(app, refusal, &written);
    app.metrics.answered(route, refusal.number());
    tracing::info!(id, code = refusal.code(), "a request was refused before any check");
    refusal.response(&id, receipt)
}

/// The same at the end of a flow.
pub(crate) async fn preflight(app: &App, mut log: RequestLog, reply: Reply<'_>, refusal: &Refusal) {
    let written = log.preflight(refused(refusal, reply.id(), preflight_ruling(refusal))).await;
    let (refusal, receipt) = settled(app, refusal, &written);
    tracing::info!(
        id = reply.id(),
        code = refusal.code(),
        "a request was refused before any check"
    );
    reply.refusal(refusal, receipt);
}

/// A check refused the request, whose judging and recording costs `work` bytes.
pub(crate) async fn turned(
    app: &App,
    mut log: RequestLog,
    reply: Reply<'_>,
    turned: Box<Turned>,
    work: usize,
) {
    let Turned { input, denied } = *turned;
    let refusal = denied.refusal.clone();
    tracing::info!(
        id = reply.id(),
        check = denied.ruling.check,
        code = denied.ruling.code,
        "a request was refused by a check"
    );
    let said = refused(&refusal, reply.id(), denied.ruling);
    let record = move || log.refused(Some(input), said);
    let written = app.aside.go_on(work, record).await.await;
    let (refusal, receipt) = settled(app, &refusal, &written);
    reply.refusal(refusal, receipt);
}

/// There is no answer to inspect.
pub(crate) async fn unanswered(
    app: &App,
    mut gate: Gate,
    mut log: RequestLog,
    reply: Reply<'_>,
    closing: Closing,
) {
    gate.end(match closing {
        Closing::Gone => Ending::Disconnected(None),
        Closing::NoEvidence | Closing::Upstream(_) => Ending::Aborted(None),
    });
    match closing {
        Closing::Gone => gone(&mut log, None).await,
        Closing::NoEvidence => {
            app.metrics.evidence_failed();
            tracing::error!(
                id = reply.id(),
                "an admission could not be recorded; nothing is answered"
            );
            reply.refusal(&Refusal::EvidenceUnavailable, None);
        }
        Closing::Upstream(error) => {
            let refusal = Refusal::Upstream(error);
            let body = Digest::of(refusal.body(reply.id()).as_bytes());
            let failure = failure(app, error, refusal.number(), body);
            let written = log.failed(failure).await;
            let (refusal, receipt) = settled(app, &refusal, &written);
            tracing::warn!(
                id = reply.id(),
                code = refusal.code(),
                "the upstream gave no usable answer"
            );
            reply.refusal(refusal, receipt);
        }
    }
}

/// A whole answer was judged.
pub(crate) async fn whole(
    app: &App,
    inspection: Inspection,
    mut log: RequestLog,
    reply: Reply<'_>,
    head: Head,
    judged: Judged,
) {
    let Judged { output, released } = judged;
    match released {
        Ok((released, response)) => {
            let number = head.status.as_u16();
            let pending = if head.success {
                let delivery = Delivery { output, response, status: number, end: End::Delivered };
                let outcome = inspection.outcome(&mut log, delivery);
                log.complete(outcome)
            } else {
                inspection.abandon();
                log.failed(Failure {
                    code: "upstream_status".to_owned(),
                    reason: format!("the upstream answered with status {number}"),
                    status: number,
                    upstream: app.upstream.name().to_owned(),
                    response,
                })
            };
            match pending.await {
                Ok(committed) => reply.whole(head, released, &committed),
                Err(_) => no_evidence(app, reply),
            }
        }
        Err(stopped) => {
            let refusal = refusal(&stopped);
            let response = Digest::of(refusal.body(reply.id()).as_bytes());
            let pending = match stopped {
                Stopped::Denied(denied) if head.success => {
                    let number = refusal.number();
                    let end = End::Withheld(denied);
                    let delivery = Delivery { output, response, status: number, end };
                    let outcome = inspection.outcome(&mut log, delivery);
                    log.complete(outcome)
                }
                Stopped::Denied(denied) => {
                    inspection.abandon();
                    log.failed(Failure {
                        code: denied.ruling.code,
                        reason: "the upstream's error body was withheld".to_owned(),
                        status: refusal.number(),
                        upstream: app.upstream.name().to_owned(),
                        response,
                    })
                }
                Stopped::Unreadable(error) => {
                    inspection.abandon();
                    log.failed(failure(app, error, refusal.number(), response))
                }
            };
            let written = pending.await;
            let (refusal, receipt) = settled(app, &refusal, &written);
            tracing::info!(id = reply.id(), code = refusal.code(), "an answer was withheld");
            reply.refusal(refusal, receipt);
        }
    }
}

/// A stream ended. Whether it did so whole, so that its connection is good.
pub(crate) async fn streamed(
    app: &App,
    inspection: Inspection,
    mut log: RequestLog,
    outlet: Outlet,
    ended: Ended,
) -> bool {
    let id = log.id().to_owned();
    let status = problem::ok().as_u16();
    let (pending, error, terminal) = match ended {
        Ended::Gone => {
            let output = inspection.normal_digest();
            let response = outlet.digest_with(b"");
            let delivery = Delivery { output, response, status, end: End::Gone };
            let outcome = inspection.outcome(&mut log, delivery);
            gone(&mut log, Some(outcome)).await;
            return false;
        }
        Ended::Complete { terminal } => {
            let output = inspection.normal_digest();
            let response = outlet.digest_with(b"");
            let delivery = Delivery { output, response, status, end: End::Delivered };
            let outcome = inspection.outcome(&mut log, delivery);
            (log.complete(outcome), None, terminal)
        }
        Ended::Error => {
            let failure = Failure {
                code: "upstream_error_event".to_owned(),
                reason: "the upstream ended its stream with an error event".to_owned(),
                status,
                upstream: app.upstream.name().to_owned(),
                response: outlet.digest_with(b""),
            };
            (broken(inspection, &mut log, failure), None, None)
        }
        Ended::Stopped(stopped) => {
            let refusal = refusal(&stopped);
            let event = refusal.event(&id);
            let response = outlet.digest_with(event.as_bytes());
            tracing::info!(id, code = refusal.code(), "a stream was stopped");
            let pending = match stopped {
                Stopped::Denied(denied) => {
                    let output = inspection.normal_digest();
                    let end = End::Withheld(denied);
                    let delivery = Delivery { output, response, status, end };
                    let outcome = inspection.outcome(&mut log, delivery);
                    log.complete(outcome)
                }
                Stopped::Unreadable(error) => {
                    let failure = failure(app, error, status, response);
                    broken(inspection, &mut log, failure)
                }
            };
            (pending, Some(Released::ours(event)), None)
        }
    };
    let whole = terminal.is_some();
    match pending.await {
        Ok(committed) => outlet.end(error, &committed, terminal).await,
        Err(error) => {
            app.metrics.evidence_failed();
            tracing::error!(id, %error, "an outcome could not be recorded; the stream is cut");
            outlet.abort(Released::ours(Refusal::EvidenceUnavailable.event(&id))).await;
        }
    }
    whole
}

/// A stream broke off. Events and whole tool calls may have gone out before: a caller may act on
/// them, so they leave the evidence of an answer.
fn broken(inspection: Inspection, log: &mut RequestLog, failure: Failure) -> Pending {
    if !inspection.began() {
        inspection.abandon();
        return log.failed(failure);
    }
    let Failure { code, reason, status, response, .. } = failure;
    let ruling = Ruling { decision: AuditDecision::Block, check: String::new(), code, reason };
    let output = inspection.normal_digest();
    let delivery = Delivery { output, response, status, end: End::Failed(ruling) };
    let outcome = inspection.outcome(log, delivery);
    log.broken(outcome)
}

async fn gone(log: &mut RequestLog, partial: Option<recorder::Outcome>) {
    tracing::info!(id = log.id(), "the caller went away");
    if let Err(error) = log.disconnected(partial).await {
        tracing::error!(id = log.id(), %error, "a disconnect could not be recorded");
    }
}

fn no_evidence(app: &App, reply: Reply<'_>) {
    app.metrics.evidence_failed();
    tracing::error!(id = reply.id(), "an outcome could not be recorded; nothing is answered");
    reply.refusal(&Refusal::EvidenceUnavailable, None);
}

/// What may be said: the refusal with its receipt, or, without evidence, that
/// there is none.
fn settled<'r>(
    app: &App,
    refusal: &'r Refusal,
    written: &'r Result<Committed, RecordError>,
) -> (&'r Refusal, Option<&'r str>) {
    match written {
        Ok(committed) => (refusal, committed.receipt()),
        Err(error) => {
            app.metrics.evidence_failed();
            tracing::error!(%error, "a refusal could not be recorded");
            (&Refusal::EvidenceUnavailable, None)
        }
    }
}

fn refused(refusal: &Refusal, id: &str, ruling: Ruling) -> recorder::Refusal {
    recorder::Refusal {
        ruling,
        status: refusal.number(),
        response: Digest::of(refusal.body(id).as_bytes()),
    }
}

fn preflight_ruling(refusal: &Refusal) -> Ruling {
    Ruling {
        decision: AuditDecision::Block,
        check: match refusal {
            Refusal::NoOwner { .. } => "owner_resolution",
            _ => "preflight",
        }
        .to_owned(),
        code: refusal.code().to_owned(),
        reason: format!("refused before any check: {}", refusal.code()),
    }
}

fn failure(app: &App, error: UpstreamError, status: u16, response: Digest) -> Failure {
    app.metrics.upstream_failed(error.code());
    Failure {
        code: error.code().to_owned(),
        reason: error.to_string(),
        status,
        upstream: app.upstream.name().to_owned(),
        response,
    }
}

/// The answer to a new request while none may come in: nothing is written for it, since what is
/// left of the disk belongs to the requests under way.
pub(crate) fn shut(app: &App) -> Option<Response<Body>> {
    let shut = app.recorder.shut()?;
    let id = app.recorder.id();
    let reason = shut.as_str();
    tracing::warn!(id, reason, "a request was refused: its evidence could not be kept");
    Some(without_evidence(app, Route::None, &id))
}

/// The answer when evidence cannot be written: the id and nothing else.
pub(crate) fn without_evidence(app: &App, route: Route, id: &str) -> Response<Body> {
    app.metrics.evidence_failed();
    let refusal = Refusal::EvidenceUnavailable;
    app.metrics.answered(route, refusal.number());
    refusal.response(id, None)
}
