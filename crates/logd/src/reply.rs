//! The only home of HTTP statuses and headers of this crate.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, GetAll, HeaderName, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use seal::digest::Digest;

use crate::door::Unread;

/// What a handler answers with.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Media types that are served.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// Tiles, bundles and bodies.
pub(crate) const BYTES: &str = "application/octet-stream";
/// A body that is encrypted for recipients of the operator's, armoured.
pub(crate) const AGE: &str = "application/vnd.countersign.age";
/// The size that a witness wants to hear the next time (C2SP tlog-witness).
pub(crate) const TLOG_SIZE: &str = "text/x.tlog.size";

/// A good answer.
pub(crate) fn good(kind: &'static str, body: impl Into<Bytes>) -> Reply {
    reply(StatusCode::OK, kind, body)
}

/// A good answer that can be asked for again by its digest.
pub(crate) fn tagged(kind: &'static str, body: Vec<u8>) -> Reply {
    let tag = format!("\"{}\"", &Digest::of(&body).hex()[..32]);
    let mut reply = good(kind, body);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        reply.headers_mut().insert(ETAG, tag);
    }
    reply
}

/// The answer, or that it is the one the caller has already.
pub(crate) fn unless_known(reply: Reply, known: GetAll<'_, HeaderValue>) -> Reply {
    let Some(tag) = reply.headers().get(ETAG).and_then(|tag| tag.to_str().ok()) else {
        return reply;
    };
    let same = |one: &str| one.strip_prefix("W/").unwrap_or(one) == tag || one == "*";
    let mut known = known.iter().filter_map(|value| value.to_str().ok());
    if !known.any(|list| list.split(',').any(|one| same(one.trim()))) {
        return reply;
    }
    let (mut head, _) = reply.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(CONTENT_TYPE);
    Response::from_parts(head, Full::default())
}

/// The token is missing, or another one.
pub(crate) fn unauthorised() -> Reply {
    let mut reply = reply(StatusCode::UNAUTHORIZED, TEXT, "a bearer token is needed\n");
    set(&mut reply, WWW_AUTHENTICATE, "Bearer");
    reply
}

/// The body was pruned; its leaf is in the log.
pub(crate) fn gone(index: u64) -> Reply {
    reply(StatusCode::GONE, TEXT, format!("body pruned, logged at {index}\n"))
}

/// The log is not known here, or nothing is there.
pub(crate) fn not_found() -> Reply {
    reply(StatusCode::NOT_FOUND, TEXT, "not found\n")
}

/// Not signed by a key that counts, or not addressed to us.
pub(crate) fn forbidden(why: &'static str) -> Reply {
    reply(StatusCode::FORBIDDEN, TEXT, format!("{why}\n"))
}

/// Not the form that was agreed on.
pub(crate) fn malformed(why: &'static str) -> Reply {
    reply(StatusCode::BAD_REQUEST, TEXT, format!("{why}\n"))
}

/// The witness saw another size last.
pub(crate) fn conflict(size: u64) -> Reply {
    reply(StatusCode::CONFLICT, TLOG_SIZE, format!("{size}\n"))
}

/// Well formed, and it does not hold.
pub(crate) fn unprocessable(why: &'static str) -> Reply {
    reply(StatusCode::UNPROCESSABLE_ENTITY, TEXT, format!("{why}\n"))
}

/// Another method than those.
pub(crate) fn wrong_method(allow: &'static str) -> Reply {
    let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "method not allowed\n");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// A body that was not read to its end.
pub(crate) fn unread(why: Unread) -> Reply {
    let (status, text) = match why {
        Unread::Broken => (StatusCode::BAD_REQUEST, "the body ended early\n"),
        Unread::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n"),
        Unread::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the request did not come in time\n"),
    };
    reply(status, TEXT, text)
}

/// A fault of ours or of our disk: ask again later.
pub(crate) fn fault() -> Reply {
    reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, "this cannot be answered now\n")
}

/// How long who passes it on may keep it.
pub(crate) fn cached(mut reply: Reply, how: &'static str) -> Reply {
    set(&mut reply, CACHE_CONTROL, how);
    reply
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    set(&mut reply, CONTENT_TYPE, kind);
    set(&mut reply, CACHE_CONTROL, "no-store");
    set(&mut reply, X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}

fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
}
