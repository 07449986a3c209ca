use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use reach::http::{Client, block_on};
use reach::witness::{AskError, PolicyUrlError, Question, Witnesses};
use seal::SecretKey;
use seal::cosign::{Cosigner, CosignerKey};
use seal::digest::Digest;
use seal::merkle::root_of;
use seal::note::{Checkpoint, NoteSigner, sign};
use seal::policy::Policy;
use seal::signer::Signer;

/// A witness that answers what the test says, one connection each, and hands over the bodies.
fn service(answers: Vec<String>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
            let body = loop {
                let text = String::from_utf8_lossy(&asked).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let head = head.to_ascii_lowercase();
                    let length = head.split("content-length: ").nth(1).unwrap();
                    if body.len() >= length.lines().next().unwrap().parse().unwrap() {
                        break body.to_owned();
                    }
                }
                let n = stream.read(&mut piece).unwrap();
                assert!(n > 0, "the question ended early");
                asked.extend_from_slice(&piece[..n]);
            };
            tell.send(body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, told)
}

fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn behind(size: u64) -> String {
    http("409 Conflict", "text/x.tlog.size", &format!("{size}\n"))
}

fn secret(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn vkey(n: u8) -> CosignerKey {
    CosignerKey::new(&format!("witness.example/{n}"), secret(n).public().clone()).unwrap()
}

fn question() -> Question {
    let leaves: Vec<Digest> = (0..8_u8).map(|n| Digest::of(&[n])).collect();
    let checkpoint =
        Checkpoint { origin: "log.example".to_owned(), size: 8, root: root_of(&leaves) };
    let key = secret(1);
    let signer = NoteSigner::new("log.example", &key).unwrap();
    Question {
        note: sign(&checkpoint.text(), &[signer]).into(),
        checkpoint,
        prove: Arc::new(|from| {
            // One hash is enough to be seen in the body.
            if from == 6 { Ok(vec![Digest::of(b"proof")]) } else { Err("no tile".to_owned()) }
        }),
    }
}

fn line(n: u8, text: &str) -> String {
    let key = secret(n);
    let cosigner = Cosigner::new(&format!("witness.example/{n}"), &key).unwrap();
    cosigner.sign(text, 1_700_000_000).unwrap().to_string()
}

fn policy(witnesses: &[(u8, &str)], quorum: &str) -> Policy {
    let mut text = String::new();
    for (n, url) in witnesses {
        text += &format!("witness w{n} {} {url}\n", vkey(*n)).replace(" \n", "\n");
    }
    let names: String = witnesses.iter().map(|(n, _)| format!(" w{n}")).collect();
    text += &format!("group g {quorum}{names}\nquorum g\n");
    Policy::parse(text.as_bytes()).unwrap()
}

/// Asks one witness that gives these answers.
fn ask(answers: Vec<String>) -> (Result<u64, AskError>, Vec<String>) {
    let (url, told) = service(answers);
    let witnesses = Witnesses::of(policy(&[(2, &url)], "any"), Client::new(None).unwrap()).unwrap();
    let deadline = Duration::from_secs(10);
    let answered = block_on(witnesses.ask(&question(), deadline)).unwrap().remove(0);
    let answered = answered.cosignature.map(|made| made.time_seconds);
    (answered, told.try_iter().collect())
}

#[test]
fn a_witness_that_saw_nothing_is_asked_once() {
    let text = question().checkpoint.text();
    let good = http("200 OK", "text/plain", &format!("{}{}", line(9, &text), line(2, &text)));
    let (answered, bodies) = ask(vec![good]);
    assert_eq!(answered, Ok(1_700_000_000));
    assert_eq!(bodies, [format!("old 0\n\n{}", question().note)]);
}

#[test]
fn one_that_saw_less_says_where_to_start() {
    let text = question().checkpoint.text();
    let good = || http("200 OK", "text/plain", &line(2, &text));
    let (answered, bodies) = ask(vec![behind(6), good()]);
    assert_eq!(answered, Ok(1_700_000_000));
    let proof = seal::base64::std_encode(Digest::of(b"proof").as_bytes());
    assert_eq!(bodies[1], format!("old 6\n{proof}\n\n{}", question().note));
    // The same size needs no proof.
    let (answered, bodies) = ask(vec![behind(8), good()]);
    assert_eq!(answered, Ok(1_700_000_000));
    assert_eq!(bodies[1], format!("old 8\n\n{}", question().note));
}

#[test]
fn what_is_no_cosignature() {
    let text = question().checkpoint.text();
    let good = |body: &str| http("200 OK", "text/plain", body);
    for body in [
        String::new(),
        line(3, &text),
        line(2, "log.example\n9\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"),
        // The right key, and another name on the line.
        line(2, &text).replace("example/2", "example/3"),
        "nonsense".to_owned(),
    ] {
        assert_eq!(ask(vec![good(&body)]).0, Err(AskError::Unsigned), "{body:?}");
    }
}

#[test]
fn contradictions_are_told_from_outages() {
    let (answered, _) = ask(vec![behind(9)]);
    let error = answered.unwrap_err();
    assert_eq!(error, AskError::Ahead { seen: 9, here: 8 });
    assert!(error.is_contradiction());
    let refuse = |status: &str| ask(vec![http(status, "text/plain", "no\u{1b}[31m way\n")]).0;
    let error = refuse("422 Unprocessable Entity").unwrap_err();
    assert!(error.is_contradiction() && !error.to_string().contains('\u{1b}'), "{error}");
    for status in ["403 Forbidden", "404 Not Found", "500 Internal Server Error"] {
        let error = refuse(status).unwrap_err();
        assert!(matches!(error, AskError::Refused { .. }) && !error.is_contradiction());
    }
    // A conflict of something in between says nothing about sizes.
    let conflict = http("409 Conflict", "text/plain", "6\n");
    assert!(matches!(ask(vec![conflict]).0, Err(AskError::Refused { status: 409, .. })));
    let padded = http("409 Conflict", "text/x.tlog.size", "06\n");
    assert!(matches!(ask(vec![padded]).0, Err(AskError::Refused { status: 409, .. })));
}

#[test]
fn tries_are_counted() {
    let (answered, bodies) = ask(vec![behind(6), behind(8), behind(6), behind(8)]);
    assert_eq!((answered, bodies.len()), (Err(AskError::Restless), 3));
    assert!(matches!(ask(vec![behind(5)]).0, Err(AskError::Unproven { from: 5, .. })));
}

#[test]
fn who_is_silent_holds_up_nobody() {
    let text = question().checkpoint.text();
    let (good, _told) = service(vec![http("200 OK", "text/plain", &line(2, &text))]);
    // Takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let quiet = format!("http://{}", silent.local_addr().unwrap());
    let policy = policy(&[(3, &quiet), (2, &good)], "any");
    let witnesses = Witnesses::of(policy, Client::new(None).unwrap()).unwrap();
    let answered = block_on(witnesses.ask(&question(), Duration::from_secs(2))).unwrap();
    assert!(answered[0].cosignature.is_err() && answered[1].cosignature.is_ok());
    assert_eq!(answered[1].key, vkey(2));
}

#[test]
fn policies_that_cannot_work_are_refused() {
    let of = |policy| Witnesses::of(policy, Client::new(None).unwrap()).map(|_| ());
    let here = "https://w.example";
    assert_eq!(of(policy(&[(2, here), (3, here)], "all")), Ok(()));
    assert_eq!(of(policy(&[(2, here), (3, "")], "any")), Ok(()));
    assert_eq!(of(policy(&[(2, here), (3, "")], "all")), Err(PolicyUrlError::Quorum));
    assert_eq!(of(policy(&[(2, "")], "all")), Err(PolicyUrlError::Nobody));
    for bad in ["w.example", "https://u:p@w.example", "https://w.example/?a=b"] {
        assert!(matches!(of(policy(&[(2, bad)], "all")), Err(PolicyUrlError::Url { .. })), "{bad}");
    }
}
