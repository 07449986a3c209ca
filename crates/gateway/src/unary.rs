//! A whole answer, and the list of models.

use bytes::Bytes;
use chat::openai::Answer;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Response, StatusCode};
use seal::digest::Digest;
use seal::json::{self, Limits, Value};

use crate::body::Body;
use crate::inspect::{Inspection, Released, Stopped};
use crate::metrics::Route;
use crate::problem::{self, Refusal};
use crate::recorder::RequestLog;
use crate::server::App;
use crate::upstream::{AnswerKind, UpstreamError};
use crate::{closing, facts};

const ANSWER_LIMITS: Limits = Limits { bytes: 256 << 20, depth: 64 };

/// What became of a whole answer.
pub(crate) struct Judged {
    /// Over what the upstream answered.
    pub(crate) output: Digest,
    /// What goes on, with its digest.
    pub(crate) released: Result<(Released, Digest), Stopped>,
}

/// Reads an answer strictly and judges all of it.
pub(crate) fn judge(inspection: &mut Inspection, body: Bytes, success: bool) -> Judged {
    let output = Digest::of(&body);
    let released = read(inspection, body, success).map(|released| {
        let digest = Digest::of(released.bytes());
        (released, digest)
    });
    Judged { output, released }
}

fn read(inspection: &mut Inspection, body: Bytes, success: bool) -> Result<Released, Stopped> {
    let unreadable = || Stopped::Unreadable(UpstreamError::MalformedAnswer);
    let answer = Answer::parse(&body, ANSWER_LIMITS).map_err(|_| unreadable())?;
    // A success without choices is no answer of this API; a failure may say anything.
    if success && answer.value.get("choices").and_then(Value::as_array).is_none() {
        return Err(unreadable());
    }
    inspection.whole(body, &answer)
}

/// `GET /v1/models`: passed on and recorded. Nothing of the caller's goes
/// upstream and nothing in it is an answer of a model, so nothing is judged.
pub(crate) async fn models(app: &App, mut log: RequestLog, headers: &HeaderMap) -> Response<Body> {
    let id = log.id().to_owned();
    let gathered = facts::gather(app, headers);
    let required = app.config.guard.owner.required;
    log.caller(gathered.caller(required));
    if let Some(code) = gathered.nobody(required) {
        return closing::refuse(app, Route::Models, log, &Refusal::NoOwner { code }).await;
    }
    let (status, body) = match list(app, headers).await {
        Ok(list) => list,
        Err(error) => {
            app.metrics.upstream_failed(error.code());
            return closing::refuse(app, Route::Models, log, &Refusal::Upstream(error)).await;
        }
    };
    match log.served(status.as_u16(), Digest::of(&body)).await {
        Ok(committed) => {
            app.metrics.answered(Route::Models, status.as_u16());
            let receipt = committed.receipt();
            problem::answer(status, "application/json", Body::from(body), &id, receipt)
        }
        Err(_) => closing::without_evidence(app, Route::Models, &id),
    }
}

async fn list(app: &App, headers: &HeaderMap) -> Result<(StatusCode, Bytes), UpstreamError> {
    let answer = app.upstream.models(headers.get(AUTHORIZATION)).await?;
    if answer.kind != AnswerKind::Json {
        return Err(UpstreamError::ContentType);
    }
    let status = answer.head.status;
    let body = answer.whole().await?;
    let read = body.clone();
    let object = move || matches!(json::parse(&read, ANSWER_LIMITS), Ok(Value::Object(_)));
    match app.aside.run(body.len(), object).await {
        true => Ok((status, body)),
        false => Err(UpstreamError::MalformedAnswer),
    }
}
