use std::time::Duration;

use reach::feeds::{Fetch, FetchError, Fetched, fetch};
use reach::http::{HttpError, Url, block_on};
use testkit::https::Https;

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n";

fn ask(host: &Https, path: &str, change: impl Fn(&mut Fetch<'_>)) -> Result<Fetched, FetchError> {
    let url: Url = host.url(path).parse().unwrap();
    let mut asked = Fetch {
        url: &url,
        etag: None,
        limit: 1_000,
        deadline: Duration::from_secs(20),
        private: true,
        authorities: Some(host.root.as_bytes()),
    };
    change(&mut asked);
    block_on(fetch(asked)).unwrap()
}

fn answering(answer: impl Into<Vec<u8>>) -> Https {
    let answer = answer.into();
    Https::serve(move |_| answer.clone())
}

#[test]
fn a_document_and_its_tag_come_back() {
    let host = answering(format!("{OK}ETag: \"v1\"\r\nContent-Length: 2\r\n\r\n{{}}"));
    let fetched = ask(&host, "/feeds/core.json", |_| {}).unwrap();
    assert_eq!(fetched, Fetched::New { body: b"{}".to_vec(), etag: Some("\"v1\"".into()) });
    let head = host.asked().remove(0).to_ascii_lowercase();
    assert!(head.starts_with("get /feeds/core.json http/1.1\r\n"), "{head}");
    // The name is asked for, though the connection went to an address.
    assert!(head.contains(&format!("\r\nhost: localhost:{}\r\n", host.address.port())), "{head}");
    assert!(head.contains("\r\naccept-encoding: gzip\r\n") && !head.contains("if-none-match"));

    let same = answering("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
    assert_eq!(ask(&same, "/", |ask| ask.etag = Some("\"v1\"")).unwrap(), Fetched::Same);
    assert!(same.asked()[0].to_ascii_lowercase().contains("\r\nif-none-match: \"v1\"\r\n"));
    // Who was not asked for a change cannot say that there is none.
    assert!(ask(&same, "/", |_| {}).is_err());
}

#[test]
fn hidden_networks_are_asked_only_when_that_is_meant() {
    let host = answering(format!("{OK}Content-Length: 2\r\n\r\n{{}}"));
    let by_name = ask(&host, "/", |ask| ask.private = false);
    assert!(matches!(by_name, Err(FetchError::Private { .. })), "{by_name:?}");
    for literal in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let url: Url = format!("https://{literal}:{}/", host.address.port()).parse().unwrap();
        let asked = Fetch {
            url: &url,
            etag: None,
            limit: 9,
            deadline: Duration::from_secs(20),
            private: false,
            authorities: None,
        };
        let asked = block_on(fetch(asked)).unwrap();
        assert!(matches!(asked, Err(FetchError::Private { .. })), "{url}: {asked:?}");
    }
    assert!(host.asked().is_empty(), "nothing was sent");
}

#[test]
fn what_is_not_taken() {
    let plain: Url = "http://localhost/core.json".parse().unwrap();
    let host = answering(format!("{OK}Content-Length: 2\r\n\r\n{{}}"));
    let asked = Fetch {
        url: &plain,
        etag: None,
        limit: 9,
        deadline: Duration::from_secs(5),
        private: true,
        authorities: None,
    };
    assert!(matches!(block_on(fetch(asked)).unwrap(), Err(FetchError::Scheme(_))));
    // A certificate that no known root issued.
    let stranger = ask(&host, "/", |ask| ask.authorities = None);
    assert!(matches!(stranger, Err(FetchError::Http(HttpError::Connect { .. }))), "{stranger:?}");

    let redirect = answering("HTTP/1.1 302 Found\r\nLocation: /else\r\nConnection: close\r\n\r\n");
    let redirected = ask(&redirect, "/", |_| {});
    assert!(matches!(redirected, Err(FetchError::Http(HttpError::Redirect { .. }))));
    assert_eq!(redirect.asked().len(), 1, "it is not followed");
    let missing = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(ask(&missing, "/", |_| {}), Err(FetchError::Status { status: 404, .. })));

    let large = format!("{OK}Content-Length: 1001\r\n\r\n{}", "x".repeat(1_001));
    let silent = format!("{OK}\r\n{}", "x".repeat(1_001));
    for answer in [large, silent] {
        let asked = ask(&answering(answer), "/", |_| {});
        assert!(matches!(asked, Err(FetchError::Http(HttpError::TooLarge { limit: 1_000, .. }))));
    }
    let brotli = answering(format!("{OK}Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx"));
    let encoded = ask(&brotli, "/", |_| {});
    assert!(matches!(encoded, Err(FetchError::Http(HttpError::Encoded { .. }))), "{encoded:?}");
    let short = answering(format!("{OK}Content-Length: 9\r\n\r\nshort"));
    assert!(matches!(ask(&short, "/", |_| {}), Err(FetchError::Http(HttpError::Protocol { .. }))));
}

#[test]
fn compressed_answers_are_unpacked_within_the_limit() {
    // Stored, not deflated: a header, one block of 5 bytes, CRC-32 and length.
    let packed = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0";
    let answer = |head: &str| {
        let mut bytes = format!("{OK}{head}Content-Length: {}\r\n\r\n", packed.len()).into_bytes();
        bytes.extend_from_slice(packed);
        bytes
    };
    for head in ["Content-Encoding: gzip\r\n", "Content-Type: application/gzip\r\n"] {
        let fetched = ask(&answering(answer(head)), "/core.json.gz", |_| {}).unwrap();
        assert_eq!(fetched, Fetched::New { body: b"hello".to_vec(), etag: None });
    }
    let bomb = Https::serve(move |_| {
        // A thousand blocks of what a limit of a thousand bytes does not take.
        let mut bytes = format!("{OK}Content-Encoding: gzip\r\n\r\n").into_bytes();
        bytes.extend_from_slice(BOMB);
        bytes
    });
    let asked = ask(&bomb, "/", |_| {});
    assert!(matches!(asked, Err(FetchError::Gzip { .. })), "{asked:?}");
}

#[test]
fn silence_ends_at_the_deadline() {
    let (hold, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let host = Https::serve(move |_| {
        let _ = wait.lock().unwrap().recv();
        Vec::new()
    });
    let asked = ask(&host, "/", |ask| ask.deadline = Duration::from_millis(300));
    assert!(matches!(asked, Err(FetchError::Http(HttpError::Timeout { .. }))), "{asked:?}");
    drop(hold);
}

/// 20,000 times the same letter.
const BOMB: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac\
    \xeb\x5f\xc2\x1a\x1e\x40\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\xf0\x60\x31\x87\xbd\xca\x20\x4e\x00\x00";
