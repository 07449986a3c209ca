//! What is asked of a request before anyone looks at its content: the right
//! host, no foreign page behind it, a path and method that exist, and a body of
//! plain JSON that arrives in time and in bounds.

use std::time::Duration;

use bytes::Bytes;
use chat::Exchange;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use reach::hosts::{Hosts, Unwelcome};
use seal::digest::Digest;
use seal::json::Limits;
use tokio::time::{Instant, timeout_at};

use crate::aside::Place;
use crate::metrics::Route;
use crate::problem::Refusal;
use crate::recorder::RequestLog;
use crate::server::App;

/// Whether the request addresses us, and no foreign page sent it.
pub(crate) fn addressed(hosts: &Hosts, target: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    hosts.check(target, headers).map_err(|unwelcome| match unwelcome {
        Unwelcome::Host => Refusal::HostNotAllowed,
        Unwelcome::Origin => Refusal::ForeignOrigin,
    })
}

/// The route of a request, or why there is none.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Refusal> {
    let (route, allowed, allow) = match path {
        "/v1/chat/completions" | "/v1/chat/completions/" => {
            (Route::ChatCompletions, *method == Method::POST, "POST")
        }
        "/v1/models" | "/v1/models/" => (Route::Models, *method == Method::GET, "GET"),
        _ => return Err(Refusal::UnknownRoute),
    };
    // OPTIONS is refused like any other method: cross-origin use is not offered.
    if allowed { Ok(route) } else { Err(Refusal::MethodNotAllowed { allow }) }
}

/// The body must say that it is plain JSON, if it says anything, and must not
/// announce more than the limit.
pub(crate) fn announced(headers: &HeaderMap, limit: u64) -> Result<(), Refusal> {
    for kind in headers.get_all(CONTENT_TYPE) {
        let kind = kind.to_str().map_err(|_| Refusal::UnsupportedMediaType)?;
        let mime = kind.split(';').next().unwrap_or("").trim();
        if !mime.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::UnsupportedMediaType);
        }
    }
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|e| !e.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Refusal::UnsupportedMediaType);
    }
    let length =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if length.is_some_and(|length: u64| length > limit) {
        return Err(Refusal::BodyTooLarge);
    }
    Ok(())
}

/// What goes upstream besides the body must be one header of printable ASCII,
/// and a session id, which nothing here believes, what any store may hold.
pub(crate) fn passed_on(headers: &HeaderMap) -> Result<(), Refusal> {
    let wrong = |kind| Err(Refusal::Header { kind });
    let mut sessions = headers.get_all(SESSION).iter();
    if let Some(session) = sessions.next() {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_.:-".contains(b);
        match session.as_bytes() {
            _ if sessions.next().is_some() => return wrong("session_id_duplicate"),
            id if id.len() > SESSION_BYTES => return wrong("session_id_too_long"),
            id if id.is_empty() || !id.iter().all(plain) => {
                return wrong("session_id_invalid_charset");
            }
            _ => {}
        }
    }
    let mut keys = headers.get_all(AUTHORIZATION).iter();
    match (keys.next(), keys.next()) {
        (_, Some(_)) => wrong("authorization_duplicate"),
        (Some(key), None) if key.as_bytes().iter().any(|b| !matches!(b, b'\t' | b' '..=b'~')) => {
            wrong("header_invalid_charset")
        }
        (Some(_) | None, None) => Ok(()),
    }
}

/// The header by which callers of other gateways name a session.
const SESSION: HeaderName = HeaderName::from_static("x-signet-session");
/// The longest session id.
const SESSION_BYTES: usize = 256;

/// A request that was read, and its place among the large ones.
pub(crate) struct Received {
    pub(crate) exchange: Exchange,
    pub(crate) place: Place,
}

/// The request of a chat completion: its body in bounds and in time, then read
/// strictly.
pub(crate) async fn exchange(
    app: &App,
    headers: &HeaderMap,
    body: Incoming,
    log: &mut RequestLog,
) -> Result<Received, Refusal> {
    let limits = &app.config.limits;
    announced(headers, limits.body_bytes)?;
    let deadline = Duration::from_secs(limits.body_read_seconds);
    let bytes = whole(body, limits.body_bytes, deadline).await?;
    passed_on(headers)?;
    let place = app.aside.place(bytes.len()).map_err(|_| Refusal::Busy)?;
    let limits = Limits { bytes: bytes.len(), depth: Limits::REQUEST.depth };
    let read = move || (Digest::of(&bytes), Exchange::parse(bytes, limits));
    let (digest, parsed) = app.aside.run(limits.bytes, read).await;
    log.body(digest);
    let exchange = parsed.map_err(|error| Refusal::Malformed { kind: error.kind.code() })?;
    Ok(Received { exchange, place })
}

/// Reads the whole body within the limit and the deadline.
pub(crate) async fn whole<B>(mut body: B, limit: u64, deadline: Duration) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let deadline = Instant::now() + deadline;
    let mut first = Bytes::new();
    let mut all = Vec::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::BodyTimeout),
            Ok(Some(Err(_))) => return Err(Refusal::BodyIncomplete),
            Ok(None) => return Ok(if all.is_empty() { first } else { Bytes::from(all) }),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > limit {
            return Err(Refusal::BodyTooLarge);
        }
        // Nearly every body is one piece and is not copied.
        if first.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_know_their_methods() {
        assert_eq!(route(&Method::POST, "/v1/chat/completions"), Ok(Route::ChatCompletions));
        assert_eq!(route(&Method::GET, "/v1/models"), Ok(Route::Models));
        assert_eq!(
            route(&Method::OPTIONS, "/v1/chat/completions"),
            Err(Refusal::MethodNotAllowed { allow: "POST" })
        );
        assert_eq!(route(&Method::GET, "/v1/nothing"), Err(Refusal::UnknownRoute));
        assert_eq!(route(&Method::GET, "/V1/models"), Err(Refusal::UnknownRoute));
    }
}
