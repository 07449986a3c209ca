//! One question, one answer: a small HTTP client for the few services a ledger asks.
//!
//! It follows no redirect, believes no proxy of the environment, asks for no compression and takes
//! none, reads at most as much as it was told, and has one deadline for everything from the name
//! lookup to the last byte. Certificates are judged by the roots of the web, and by those of a file
//! of the operator's where there is one. Plain `http://` is spoken only where the address says so.
//!
//! `async`, because who asks in the background has a runtime already; [`block_on`] is for who has
//! none.

use std::fmt;
use std::future::Future;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// The address of a service: `http://` or `https://`, a host, perhaps a path; no user, no query, no
/// fragment, so that an address never holds a secret and may stand in a log line.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url(String);

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address must be http:// or https:// with a host, without user, query or fragment")]
pub struct UrlError;

impl Url {
    /// The text without trailing slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of something below: `path` begins with a slash and has neither `?` nor `#`.
    pub fn join(&self, path: &str) -> Result<Url, UrlError> {
        if path.starts_with('/') { format!("{self}{path}").parse() } else { Err(UrlError) }
    }

    /// Whether nothing protects what is said on the way, and the way leaves this machine.
    pub fn is_exposed(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else { return false };
        let authority = rest.split('/').next().unwrap_or("");
        let host = match authority.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or(""),
            None => authority.split(':').next().unwrap_or(""),
        };
        let here = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        !here && !host.eq_ignore_ascii_case("localhost")
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let text = text.trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| UrlError)?;
        let good = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.host().is_some_and(|host| !host.is_empty())
            && !text.contains(['?', '#']);
        good.then(|| Url(text.to_owned())).ok_or(UrlError)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({})", self.0)
    }
}

/// A question.
#[derive(Clone)]
pub struct Ask<'a> {
    /// Whom.
    pub url: &'a Url,
    /// Media type and bytes to POST; without, it is a GET.
    pub body: Option<(&'static str, Bytes)>,
    /// The media types that a good answer may have (without parameters, in lower case); empty means
    /// any.
    pub expect: &'a [&'static str],
    /// The longest answer, in bytes.
    pub limit: usize,
    /// For everything: name lookup, connection, question and the whole answer.
    pub deadline: Duration,
    /// A bearer token; never part of an error. It is sent over `https://` and to this machine only.
    pub bearer: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// A GET with the usual bounds: 64 KiB, ten seconds.
    pub fn get(url: &'a Url, expect: &'a [&'static str]) -> Ask<'a> {
        Ask { url, body: None, expect, limit: 64 << 10, deadline: DEADLINE, bearer: None }
    }

    /// A POST with the usual bounds.
    pub fn post(
        url: &'a Url,
        content_type: &'static str,
        body: impl Into<Bytes>,
        expect: &'a [&'static str],
    ) -> Ask<'a> {
        Ask { body: Some((content_type, body.into())), ..Ask::get(url, expect) }
    }
}

/// What came back: never a redirect, never encoded, never beyond the limit. Whether the status is a
/// good one is for the caller to say; only good ones (2xx) are held to the expected media types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, 200 to 299 or 400 to 599.
    pub status: u16,
    /// The media type without its parameters, in lower case; empty where there is none.
    pub content_type: String,
    /// All of the body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the status says that all went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No connection; nothing was sent.
    #[error(
        "{url} could not be reached ({cause}): check the address, the network and its certificate"
    )]
    Connect {
        /// Whom we asked.
        url: String,
        /// The system's reason.
        cause: String,
    },
    /// The deadline passed.
    #[error("{url} did not answer within {} ms", .deadline.as_millis())]
    Timeout {
        /// Whom we asked.
        url: String,
        /// The time it had.
        deadline: Duration,
    },
    /// What came was not HTTP, or ended early.
    #[error("{url} broke the protocol: its answer is not whole HTTP")]
    Protocol {
        /// Whom we asked.
        url: String,
    },
    /// A redirect.
    #[error("{url} answered with a redirect: configure the final address")]
    Redirect {
        /// Whom we asked.
        url: String,
    },
    /// An encoded answer.
    #[error("{url} answered with a content encoding although none was asked for")]
    Encoded {
        /// Whom we asked.
        url: String,
    },
    /// A good status over something else.
    #[error(
        "{url} answered with content type {found:?}, {expected} was expected: check the address"
    )]
    ContentType {
        /// Whom we asked.
        url: String,
        /// What it sent; at most 64 characters.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// More bytes than the limit.
    #[error("{url} answered with more than {limit} bytes")]
    TooLarge {
        /// Whom we asked.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// The bearer token cannot be sent.
    #[error(
        "the token for {url} is not sent: it needs https:// or this machine, and no line ends in it"
    )]
    Token {
        /// Whom we would ask.
        url: String,
    },
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The file of roots holds none, or one that cannot be used.
    #[error("the file of certificate authorities must hold PEM certificates: {0}")]
    Authorities(String),
    /// The TLS library refuses its own settings.
    #[error("tls cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// No runtime for a blocking call.
    #[error("the runtime cannot be started: {0}")]
    Runtime(#[from] io::Error),
}

/// The client. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// With the roots of the web and, where given, those of an operator's PEM text.
    pub fn new(authorities: Option<&[u8]>) -> Result<Client, ClientError> {
        let tls = tls(authorities)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .http1_max_buf_size(HEAD_BYTES)
            .build(https);
        Ok(Client { pool })
    }

    /// Asks once; nothing is repeated.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, HttpError> {
        let (deadline, url) = (ask.deadline, ask.url);
        match timeout(deadline, self.exchange(ask)).await {
            Ok(answered) => answered,
            Err(_) => Err(HttpError::Timeout { url: url.to_string(), deadline }),
        }
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<Answer, HttpError> {
        let url = || ask.url.to_string();
        let request = request(&ask)?;
        let response = self.pool.request(request).await.map_err(|error| {
            if error.is_connect() {
                HttpError::Connect { url: url(), cause: root_cause(&error) }
            } else {
                HttpError::Protocol { url: url() }
            }
        })?;
        let (head, body) = response.into_parts();
        let status = head.status;
        if status.is_redirection() {
            return Err(HttpError::Redirect { url: url() });
        }
        // 1xx ends no exchange, and beyond 599 there is no HTTP.
        if !(200..600).contains(&status.as_u16()) {
            return Err(HttpError::Protocol { url: url() });
        }
        if head
            .headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            return Err(HttpError::Encoded { url: url() });
        }
        let content_type = media_type(&head.headers);
        if status.is_success() && !ask.expect.is_empty() && !ask.expect.contains(&&*content_type) {
            return Err(HttpError::ContentType {
                url: url(),
                found: content_type.chars().take(64).collect(),
                expected: ask.expect.join(" or "),
            });
        }
        let too_large = || HttpError::TooLarge { url: url(), limit: ask.limit };
        let announced = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if announced.and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| n > ask.limit) {
            return Err(too_large());
        }
        let broken = || HttpError::Protocol { url: url() };
        let body = whole(body, ask.limit, &too_large, &broken).await?;
        Ok(Answer { status: status.as_u16(), content_type, body })
    }
}

/// How certificates are judged: by the roots of the web and, where given, those of a PEM text.
pub(crate) fn tls(authorities: Option<&[u8]>) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = authorities {
        let refused = |error: &dyn fmt::Display| ClientError::Authorities(error.to_string());
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refused(&error))?;
            roots.add(certificate).map_err(|error| refused(&error))?;
            added += 1;
        }
        if added == 0 {
            return Err(refused(&"there is none"));
        }
    }
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Ok(ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Runs a future to its end on a runtime of its own, for callers without one. Never inside a
/// runtime: it would block one of its workers.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    // A lookup by the system that is still under way is left to itself: dropping the runtime would
    // wait for it, long after the deadline.
    runtime.shutdown_background();
    Ok(done)
}

fn request(ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, HttpError> {
    let mut request = Request::new(Full::new(Bytes::new()));
    if let Some((content_type, body)) = &ask.body {
        *request.body_mut() = Full::new(body.clone());
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    // It was read as an address before, so it is one.
    *request.uri_mut() =
        ask.url.as_str().parse().map_err(|_| HttpError::Protocol { url: ask.url.to_string() })?;
    let headers = request.headers_mut();
    let accept = if ask.expect.is_empty() { "*/*".to_owned() } else { ask.expect.join(", ") };
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(ACCEPT, accept);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("countersign/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(token) = ask.bearer {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .ok()
            .filter(|_| !ask.url.is_exposed())
            .ok_or_else(|| HttpError::Token { url: ask.url.to_string() })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}

pub(crate) async fn whole(
    mut body: Incoming,
    limit: usize,
    too_large: &(dyn Fn() -> HttpError + Sync),
    broken: &(dyn Fn() -> HttpError + Sync),
) -> Result<Bytes, HttpError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that anyone asked for.
        let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
        if all.len() + data.len() > limit {
            return Err(too_large());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// The one media type, without parameters; two headers are none.
fn media_type(headers: &HeaderMap) -> String {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return String::new() };
    let only = only.to_str().unwrap_or("");
    only.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// What lies at the bottom of an error: "connection refused", "invalid peer certificate: …".
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// How long a service has, where nothing else was said.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The longest head of an answer.
pub(crate) const HEAD_BYTES: usize = 64 << 10;
