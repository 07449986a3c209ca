use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use reach::http::{Answer, Ask, Client, ClientError, HttpError, Url, block_on};

/// A service that answers one connection with these bytes, whatever was asked, and hands over what
/// it was asked.
fn service(answer: impl Into<Vec<u8>>) -> (Url, mpsc::Receiver<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ask", listener.local_addr().unwrap()).parse().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
        while !whole(&asked) {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                n => asked.extend_from_slice(&piece[..n]),
            }
        }
        tell.send(String::from_utf8(asked).unwrap()).unwrap();
        let _ = stream.write_all(&answer);
        if answer.is_empty() {
            // Says nothing at all, until the other side goes.
            let _ = stream.read(&mut piece);
        }
    });
    (url, told)
}

fn whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |n| n.parse().unwrap())
}

fn ask(ask: Ask<'_>) -> Result<Answer, HttpError> {
    let client = Client::new(None).unwrap();
    block_on(client.ask(ask)).unwrap()
}

fn answered(answer: &str) -> Result<Answer, HttpError> {
    let (url, _told) = service(answer);
    ask(Ask { limit: 16, ..Ask::get(&url, &["text/plain"]) })
}

#[test]
fn what_is_asked_and_what_comes_back() {
    let (url, told) = service(
        "HTTP/1.1 200 OK\r\nContent-Type: Application/X; a=b\r\nContent-Length: 2\r\n\r\nok",
    );
    let post = Ask::post(&url, "text/x", "body", &["application/x"]);
    let answer = ask(Ask { bearer: Some("t0ken"), ..post }).unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"ok"[..]));
    assert_eq!(answer.content_type, "application/x");
    let asked = told.recv().unwrap();
    assert!(asked.starts_with("POST /ask HTTP/1.1\r\n") && asked.ends_with("\r\n\r\nbody"));
    for line in ["content-type: text/x", "accept-encoding: identity", "authorization: Bearer t0ken"]
    {
        assert!(asked.contains(line), "{line}: {asked}");
    }
}

#[test]
fn what_is_not_taken() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    assert!(matches!(
        answered(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        ),
        Err(HttpError::Redirect { .. })
    ));
    assert!(matches!(
        answered(&format!("{ok}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")),
        Err(HttpError::Encoded { .. })
    ));
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx";
    assert!(matches!(answered(page), Err(HttpError::ContentType { .. })));
    let two = format!("{ok}Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx");
    assert!(matches!(answered(&two), Err(HttpError::ContentType { .. })));
    assert!(matches!(
        answered(&format!("{ok}Content-Length: 17\r\n\r\n12345678901234567")),
        Err(HttpError::TooLarge { limit: 16, .. })
    ));
    // The same without saying so before.
    assert!(matches!(
        answered(&format!("{ok}Connection: close\r\n\r\n12345678901234567")),
        Err(HttpError::TooLarge { limit: 16, .. })
    ));
    assert_eq!(
        answered(&format!("{ok}Connection: close\r\n\r\n1234567890123456")).unwrap().body.len(),
        16
    );
    assert!(matches!(
        answered(&format!("{ok}Content-Length: 9\r\n\r\nshort")),
        Err(HttpError::Protocol { .. })
    ));
    assert!(matches!(answered("nonsense\r\n\r\n"), Err(HttpError::Protocol { .. })));
    // A refusal is an answer, whatever its type.
    let refused =
        "HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 2\r\n\r\n7\n";
    let answer = answered(refused).unwrap();
    assert_eq!((answer.status, &*answer.content_type), (409, "text/x.tlog.size"));
}

#[test]
fn silence_ends_at_the_deadline() {
    let (url, _told) = service("");
    let deadline = Duration::from_millis(50);
    let error = ask(Ask { deadline, ..Ask::get(&url, &[]) }).unwrap_err();
    assert_eq!(error, HttpError::Timeout { url: url.to_string(), deadline });
}

/// The system's lookup of a name cannot be called off: a deadline that passed does not wait for it.
/// A test that waits in vain hangs.
#[test]
fn what_cannot_be_called_off_is_not_waited_for() {
    let (over, until_over) = mpsc::channel::<()>();
    let (begun, until_begun) = mpsc::channel();
    let done = block_on(async move {
        tokio::task::spawn_blocking(move || {
            let _ = begun.send(());
            let _ = until_over.recv();
        });
        until_begun.recv()
    });
    assert_eq!(done.expect("a runtime"), Ok(()));
    drop(over);
}

#[test]
fn nobody_there() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url: Url = format!("http://{}", taken.local_addr().unwrap()).parse().unwrap();
    drop(taken);
    assert!(matches!(ask(Ask::get(&url, &[])), Err(HttpError::Connect { .. })));
}

#[test]
fn addresses() {
    for bad in [
        "",
        "witness.example",
        "ftp://a/",
        "https://",
        "https://user:secret@a/",
        "https://a/?key=1",
        "https://a/#x",
        "https://a b/",
    ] {
        assert!(bad.parse::<Url>().is_err(), "{bad}");
    }
    let url: Url = "https://witness.example/w1/".parse().unwrap();
    assert_eq!(
        url.join("/add-checkpoint").unwrap().as_str(),
        "https://witness.example/w1/add-checkpoint"
    );
    assert!(url.join("add").is_err() && url.join("/a?b").is_err());
    for (text, exposed) in [
        ("https://a", false),
        ("http://a", true),
        ("http://127.0.0.1:80/x", false),
        ("http://127.0.0.2", false),
        ("http://[::1]:80", false),
        ("http://[::1]", false),
        ("http://localhost:8080", false),
        ("http://localhost.example", true),
        ("http://127.0.0.1.example", true),
        ("http://10.0.0.1", true),
    ] {
        assert_eq!(text.parse::<Url>().unwrap().is_exposed(), exposed, "{text}");
    }
}

#[test]
fn a_token_is_not_sent_in_the_clear() {
    let url: Url = "http://192.0.2.1/".parse().unwrap();
    let error = ask(Ask { bearer: Some("secret"), ..Ask::get(&url, &[]) }).unwrap_err();
    assert_eq!(error, HttpError::Token { url: url.to_string() });
    let url: Url = "https://192.0.2.1/".parse().unwrap();
    let error = ask(Ask { bearer: Some("sec\nret"), ..Ask::get(&url, &[]) }).unwrap_err();
    assert!(!error.to_string().contains("ret\""), "{error}");
    assert_eq!(error, HttpError::Token { url: url.to_string() });
}

#[test]
fn files_of_authorities_that_cannot_work() {
    for bad in [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(Client::new(Some(bad)), Err(ClientError::Authorities(_))));
    }
}
