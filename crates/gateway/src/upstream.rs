//! The model API behind the gateway. No redirect is followed, no proxy from
//! the environment is believed, no compressed answer is accepted, and every
//! step has a deadline.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout};

use crate::problem::{Standing, standing};
use crate::simulator::Simulator;

/// Why an upstream's answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection; nothing was sent.
    #[error("the upstream could not be reached: check its address and its certificate")]
    Connect,
    /// A deadline passed.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The bytes were not HTTP, or the connection broke before a status.
    #[error("the upstream broke the protocol")]
    Protocol,
    /// A redirect, which is never followed.
    #[error("the upstream answered with a redirect: configure its final address")]
    Redirect,
    /// Neither JSON nor an event stream.
    #[error("the upstream answered with a content type that is neither json nor an event stream")]
    ContentType,
    /// A compressed answer although none was asked for.
    #[error("the upstream answered with a content encoding although identity was asked for")]
    ContentEncoding,
    /// More bytes than the limit.
    #[error("the upstream's answer is larger than the limit")]
    TooLarge,
    /// The JSON is not an answer of this API.
    #[error("the upstream's answer is not an answer of this API")]
    MalformedAnswer,
    /// The event stream cannot be read.
    #[error("the upstream's event stream is malformed")]
    MalformedStream,
    /// The answer ended early.
    #[error("the upstream's answer ended early")]
    Truncated,
}

impl UpstreamError {
    /// The stable code for audit entries and error bodies.
    pub fn code(self) -> &'static str {
        match self {
            Self::Connect => "upstream_unreachable",
            Self::Timeout => "upstream_timeout",
            Self::Protocol => "upstream_protocol_violation",
            Self::Redirect => "upstream_redirect",
            Self::ContentType => "upstream_content_type_invalid",
            Self::ContentEncoding => "upstream_content_encoded",
            Self::TooLarge => "upstream_answer_too_large",
            Self::MalformedAnswer => "upstream_answer_malformed",
            Self::MalformedStream => "upstream_sse_malformed",
            Self::Truncated => "upstream_truncated",
        }
    }
}

/// Deadlines and sizes toward the upstream.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamLimits {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// From the last byte sent to the first header received; then again for the whole body, or
    /// from one event of a stream to the next, however busily the upstream drips.
    pub answer: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// The largest unary answer.
    pub bytes: usize,
}

/// Where requests go.
#[derive(Debug)]
pub enum Upstream {
    /// A model API over HTTP.
    Http(Box<HttpUpstream>),
    /// The built-in simulator: a real upstream, in this process.
    Simulator(Simulator),
}

/// A model API over HTTP.
#[derive(Debug)]
pub struct HttpUpstream {
    name: String,
    chat: Uri,
    models: Uri,
    key: Option<HeaderValue>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: UpstreamLimits,
}

/// Why an upstream cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamConfigError {
    /// The URL cannot be used.
    #[error(
        "the upstream url must be http:// or https:// with a host and no query, user or fragment"
    )]
    Url,
    /// The key cannot stand in a header.
    #[error(
        "the upstream key has characters that cannot stand in a header: store it without line ends"
    )]
    Key,
}

/// A received answer: head read, body still to come.
#[derive(Debug)]
pub struct Answer {
    /// What its head said.
    pub head: Head,
    /// What kind of body follows.
    pub kind: AnswerKind,
    body: Pieces,
    read: Duration,
    /// How long an answer may take to be whole, and a stream to its next event.
    patience: Duration,
    due: Instant,
    limit: usize,
}

/// What is passed on of an answer's head.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// As the upstream sent it.
    pub status: StatusCode,
    /// Success or the provider's own failure; nothing else comes this far.
    pub success: bool,
    /// Seconds after which a failed request may be tried again, if it says so.
    pub retry_after: Option<u32>,
}

/// What kind of body an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// One JSON document.
    Json,
    /// Server-sent events.
    Events,
}

#[derive(Debug)]
enum Pieces {
    Wire(Incoming),
    Made(std::vec::IntoIter<Bytes>),
}

impl Upstream {
    /// The built-in simulator.
    pub fn simulator() -> Self {
        Self::Simulator(Simulator)
    }

    /// An API at `base` (for example `https://api.openai.com/v1`); `name` is
    /// what evidence calls it (default: host and port).
    pub fn http(
        base: &str,
        name: Option<&str>,
        key: Option<&str>,
        limits: UpstreamLimits,
    ) -> Result<Self, UpstreamConfigError> {
        let (chat, models) = (endpoint(base, "/chat/completions")?, endpoint(base, "/models")?);
        let key = key
            .map(|key| {
                let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                    .map_err(|_| UpstreamConfigError::Key)?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits.connect));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|_| UpstreamConfigError::Url)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .http1_max_buf_size(1 << 20)
            .build(tls);
        let name = name.map_or_else(
            || chat.authority().map_or_else(String::new, ToString::to_string),
            str::to_owned,
        );
        Ok(Self::Http(Box::new(HttpUpstream { name, chat, models, key, client, limits })))
    }

    /// What evidence calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Http(http) => &http.name,
            Self::Simulator(_) => "simulator",
        }
    }

    /// Sends a chat completion. `authorization` is the caller's own header and
    /// used only where the gateway has no key of its own.
    pub async fn chat(
        &self,
        body: Bytes,
        stream: bool,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, UpstreamError> {
        match self {
            Self::Http(http) => {
                http.send(Method::POST, &http.chat, body, stream, authorization).await
            }
            Self::Simulator(simulator) => {
                let answer = simulator.chat(&body);
                Ok(Answer::made(answer.status, answer.kind, answer.pieces))
            }
        }
    }

    /// Asks for the list of models.
    pub async fn models(
        &self,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, UpstreamError> {
        match self {
            Self::Http(http) => {
                http.send(Method::GET, &http.models, Bytes::new(), false, authorization).await
            }
            Self::Simulator(simulator) => {
                let answer = simulator.models();
                Ok(Answer::made(answer.status, answer.kind, answer.pieces))
            }
        }
    }
}

impl HttpUpstream {
    async fn send(
        &self,
        method: Method,
        uri: &Uri,
        body: Bytes,
        stream: bool,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, UpstreamError> {
        let mut request = Request::new(Full::new(body));
        let headers = request.headers_mut();
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let accept =
            if stream { "text/event-stream, application/json" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("countersign/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some(key) = self.key.as_ref().or(authorization) {
            headers.insert(AUTHORIZATION, key.clone());
        }
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        let response = match timeout(self.limits.answer, self.client.request(request)).await {
            Err(_) => return Err(UpstreamError::Timeout),
            Ok(Err(error)) if error.is_connect() => return Err(UpstreamError::Connect),
            Ok(Err(_)) => return Err(UpstreamError::Protocol),
            Ok(Ok(response)) => response,
        };
        let (head, body) = response.into_parts();
        let success = match standing(head.status) {
            Standing::Success => true,
            Standing::Failure => false,
            Standing::Redirect => return Err(UpstreamError::Redirect),
            Standing::Nonsense => return Err(UpstreamError::Protocol),
        };
        let kind = content(&head.headers)?;
        // Of all headers only this one is passed on, as a number.
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| value.parse().ok()).filter(|_| !success);
        Ok(Answer {
            head: Head { status: head.status, success, retry_after },
            kind,
            body: Pieces::Wire(body),
            read: self.limits.read,
            patience: self.limits.answer,
            due: Instant::now() + self.limits.answer,
            limit: self.limits.bytes,
        })
    }
}

impl Answer {
    pub(crate) fn made(status: StatusCode, kind: AnswerKind, pieces: Vec<Bytes>) -> Self {
        let success = standing(status) == Standing::Success;
        Self {
            head: Head { status, success, retry_after: None },
            kind,
            body: Pieces::Made(pieces.into_iter()),
            read: Duration::ZERO,
            patience: Duration::ZERO,
            due: Instant::now(),
            limit: usize::MAX,
        }
    }

    /// The next piece as it came from the wire, or the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        match &mut self.body {
            Pieces::Made(pieces) => Ok(pieces.next()),
            Pieces::Wire(body) => loop {
                let due = self.due.saturating_duration_since(Instant::now());
                match timeout(self.read.min(due), body.frame()).await {
                    Err(_) => return Err(UpstreamError::Timeout),
                    Ok(None) => return Ok(None),
                    Ok(Some(Err(_))) => return Err(UpstreamError::Truncated),
                    Ok(Some(Ok(frame))) => {
                        // Trailers carry nothing of this API and are dropped.
                        if let Ok(data) = frame.into_data() {
                            return Ok(Some(data));
                        }
                    }
                }
            },
        }
    }

    /// A whole event came: from here the upstream has its time again.
    pub fn goes_on(&mut self) {
        self.due = Instant::now() + self.patience;
    }

    /// Reads the end of a body that has said its last, so that the connection can
    /// serve again; gives up at once where it is not the end.
    pub async fn finish(mut self) {
        // Whatever comes is dropped; without an end the connection is closed.
        let _ = timeout(LINGER, self.next()).await;
    }

    /// The whole body, at most the limit.
    pub async fn whole(mut self) -> Result<Bytes, UpstreamError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        if first.len() > self.limit {
            return Err(UpstreamError::TooLarge);
        }
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = Vec::with_capacity(first.len() + second.len());
        all.extend_from_slice(&first);
        let mut piece = second;
        loop {
            if all.len() + piece.len() > self.limit {
                return Err(UpstreamError::TooLarge);
            }
            all.extend_from_slice(&piece);
            match self.next().await? {
                Some(next) => piece = next,
                None => return Ok(Bytes::from(all)),
            }
        }
    }
}

/// How long a finished stream may take to end its body.
const LINGER: Duration = Duration::from_millis(200);

/// The body's kind, refusing encodings and foreign types.
fn content(headers: &HeaderMap) -> Result<AnswerKind, UpstreamError> {
    for encoding in headers.get_all(CONTENT_ENCODING) {
        if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") {
            return Err(UpstreamError::ContentEncoding);
        }
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return Err(UpstreamError::ContentType);
    };
    let only = only.to_str().map_err(|_| UpstreamError::ContentType)?;
    let mime = only.split(';').next().unwrap_or("").trim();
    if mime.eq_ignore_ascii_case("application/json") {
        Ok(AnswerKind::Json)
    } else if mime.eq_ignore_ascii_case("text/event-stream") {
        Ok(AnswerKind::Events)
    } else {
        Err(UpstreamError::ContentType)
    }
}

fn endpoint(base: &str, path: &str) -> Result<Uri, UpstreamConfigError> {
    let uri: Uri = format!("{}{path}", base.trim_end_matches('/'))
        .parse()
        .map_err(|_| UpstreamConfigError::Url)?;
    let scheme = uri.scheme_str().unwrap_or("");
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let usable = matches!(scheme, "http" | "https")
        && plain
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none()
        && !base.contains('#');
    if usable { Ok(uri) } else { Err(UpstreamConfigError::Url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_be_an_upstream_are_refused() {
        for bad in [
            "",
            "api.example.com",
            "ftp://a/v1",
            "http://user:secret@a/v1",
            "http://a/v1?key=1",
            "http:///v1",
            "http://a/v1#x",
        ] {
            assert!(endpoint(bad, "/models").is_err(), "{bad}");
        }
        let uri = endpoint("https://api.example.com/v1/", "/models").unwrap();
        assert_eq!(uri.to_string(), "https://api.example.com/v1/models");
    }

    #[test]
    fn only_plain_json_and_events_are_content() {
        let kind = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            content(&headers)
        };
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(kind(&[json]), Ok(AnswerKind::Json));
        assert_eq!(kind(&[("content-type", "Text/Event-Stream")]), Ok(AnswerKind::Events));
        assert_eq!(
            kind(&[json, ("content-encoding", "gzip")]),
            Err(UpstreamError::ContentEncoding)
        );
        assert_eq!(kind(&[json, json]), Err(UpstreamError::ContentType));
        assert_eq!(kind(&[("content-type", "text/html")]), Err(UpstreamError::ContentType));
        assert_eq!(kind(&[]), Err(UpstreamError::ContentType));
    }
}
