//! Fetching a feed: one address, asked once, with nothing left to whoever answers.
//!
//! Only `https://`. The name is looked up once, every address that comes back must be public unless
//! private ones are allowed, and the connection goes to one of those very addresses: a name that
//! leads elsewhere a moment later leads nowhere. No redirect is followed. An answer is as long as was
//! allowed at most, and so is what a compressed one unpacks to. One deadline spans all of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HOST, HeaderName, IF_NONE_MATCH,
    USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::FixedServerNameResolver;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::ServerName;
use seal::gzip::{GzipError, gunzip, plain};
use tokio::time::timeout;

use crate::http::{ClientError, HEAD_BYTES, HttpError, Url, root_cause, tls, whole};

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// Where.
    pub url: &'a Url,
    /// What the same address called the document that is known here (an HTTP entity tag).
    pub etag: Option<&'a str>,
    /// The longest document, bytes, as it comes and unpacked.
    pub limit: usize,
    /// For all of it.
    pub deadline: Duration,
    /// Whether addresses that are not public may be asked.
    pub private: bool,
    /// Certificate authorities beside those of the web, PEM.
    pub authorities: Option<&'a [u8]>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// What is known is what there is.
    Same,
    /// A document.
    New {
        /// Its bytes, unpacked.
        body: Vec<u8>,
        /// What the address calls it.
        etag: Option<String>,
    },
}

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Another scheme.
    #[error("{0} is not fetched: a feed's address is https://, with nothing behind the path")]
    Scheme(Url),
    /// The name leads nowhere.
    #[error("{url} could not be looked up ({cause})")]
    Lookup {
        /// Whom we asked for.
        url: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// The name leads into a network that is not public.
    #[error(
        "{url} leads to {address}, which is no public address: give --allow-private if this is meant"
    )]
    Private {
        /// Whom we asked for.
        url: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// No whole answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Another status than 200.
    #[error("{url} answered with status {status}")]
    Status {
        /// Whom we asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A compressed answer that cannot be unpacked, or unpacks to more than is allowed.
    #[error("{url} answered with gzip that {why}")]
    Gzip {
        /// Whom we asked.
        url: String,
        /// What is wrong with it.
        why: GzipError,
    },
    /// There is no client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Fetches, or says why not.
pub async fn fetch(ask: Fetch<'_>) -> Result<Fetched, FetchError> {
    let (url, deadline) = (ask.url.to_string(), ask.deadline);
    match timeout(deadline, exchange(ask)).await {
        Ok(fetched) => fetched,
        Err(_) => Err(HttpError::Timeout { url, deadline }.into()),
    }
}

async fn exchange(ask: Fetch<'_>) -> Result<Fetched, FetchError> {
    let url = ask.url;
    let uri: Uri = url.as_str().parse().map_err(|_| FetchError::Scheme(url.clone()))?;
    let (Some("https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(FetchError::Scheme(url.clone()));
    };
    let addresses = look_up(&ask, host, uri.port_u16().unwrap_or(443)).await?;
    let mut last = None;
    for address in addresses.into_iter().take(ADDRESSES) {
        match ask_one(&ask, &uri, host, address).await {
            Err(FetchError::Http(error @ HttpError::Connect { .. })) => last = Some(error),
            answered => return answered,
        }
    }
    let nowhere =
        || HttpError::Connect { url: url.to_string(), cause: "the name has no address".into() };
    Err(last.unwrap_or_else(nowhere).into())
}

/// Where the name leads, all of it public unless that does not matter.
async fn look_up(ask: &Fetch<'_>, host: &str, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
    let url = || ask.url.to_string();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let addresses: Vec<SocketAddr> = match literal {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => tokio::net::lookup_host((host, port))
            .await
            .map_err(|cause| FetchError::Lookup { url: url(), cause })?
            .collect(),
    };
    let hidden = addresses.iter().map(SocketAddr::ip).find(|address| !is_public(*address));
    match hidden {
        Some(address) if !ask.private => Err(FetchError::Private { url: url(), address }),
        _ => Ok(addresses),
    }
}

/// Asks this address, whatever the name would lead to now.
async fn ask_one(
    ask: &Fetch<'_>,
    uri: &Uri,
    host: &str,
    address: SocketAddr,
) -> Result<Fetched, FetchError> {
    let url = || ask.url.to_string();
    let wrong = || FetchError::Scheme(ask.url.clone());
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|_| wrong())?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls(ask.authorities)?)
        .https_only()
        .with_server_name_resolver(FixedServerNameResolver::new(name))
        .enable_http1()
        .wrap_connector(tcp);
    let pool: Pool<_, Full<Bytes>> =
        Pool::builder(TokioExecutor::new()).http1_max_buf_size(HEAD_BYTES).build(https);

    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let target = Uri::builder()
        .scheme("https")
        .authority(address.to_string())
        .path_and_query(path)
        .build()
        .map_err(|_| wrong())?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = target;
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let mut header = |name: HeaderName, value: &str| {
        let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        request.headers_mut().insert(name, value);
        Ok::<(), FetchError>(())
    };
    header(HOST, authority)?;
    header(USER_AGENT, concat!("countersign/", env!("CARGO_PKG_VERSION")))?;
    header(ACCEPT_ENCODING, "gzip")?;
    if let Some(etag) = ask.etag {
        header(IF_NONE_MATCH, etag)?;
    }
    let response = pool.request(request).await.map_err(|error| match error.is_connect() {
        true => HttpError::Connect { url: url(), cause: root_cause(&error) },
        false => HttpError::Protocol { url: url() },
    })?;

    let (head, body) = response.into_parts();
    match head.status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if ask.etag.is_some() => return Ok(Fetched::Same),
        status if status.is_redirection() => return Err(HttpError::Redirect { url: url() }.into()),
        status => return Err(FetchError::Status { url: url(), status: status.as_u16() }),
    }
    let packed = encoding(&head.headers).ok_or_else(|| HttpError::Encoded { url: url() })?;
    let too_large = || HttpError::TooLarge { url: url(), limit: ask.limit };
    let broken = || HttpError::Protocol { url: url() };
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| n > ask.limit) {
        return Err(too_large().into());
    }
    let body = whole(body, ask.limit, &too_large, &broken).await?;
    // A static host serves a `.gz` file as it lies there.
    let unpacked = match packed {
        true => gunzip(&body, ask.limit),
        false => plain(body.to_vec(), ask.limit),
    };
    let body = unpacked.map_err(|why| FetchError::Gzip { url: url(), why })?;
    Ok(Fetched::New { body, etag: entity_tag(&head.headers) })
}

/// Whether the answer is gzip; `None` for anything else than that or nothing.
fn encoding(headers: &HeaderMap) -> Option<bool> {
    let mut all = headers.get_all(CONTENT_ENCODING).iter();
    match (all.next(), all.next()) {
        (None, _) => Some(false),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"gzip") => Some(true),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"identity") => Some(false),
        _ => None,
    }
}

/// The entity tag, when it can be sent back.
fn entity_tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let quoted = opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"');
    (quoted && tag.len() <= ETAG_BYTES).then(|| tag.to_owned())
}

/// Whether anybody on the internet may have this address: no network of one's own, no machine
/// itself, nothing set aside for documents, tests, tunnels or groups (RFC 6890 and its registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(four) = address.to_ipv4_mapped() {
        return is_public_v4(four);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let four = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    // Translated (64:ff9b::/96) it is what it is translated to.
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return four(g, h);
    }
    let global = a & 0xe000 == 0x2000;
    let tunnel = a == 0x2002 || (a == 0x2001 && b < 0x200);
    let document = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
    global && !tunnel && !document
}
/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;
/// Longest entity tag that is kept.
const ETAG_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for good in [
            "1.1.1.1",
            "93.184.216.34",
            "100.63.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(good.parse().unwrap()), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(bad.parse().unwrap()), "{bad}");
        }
    }
}
