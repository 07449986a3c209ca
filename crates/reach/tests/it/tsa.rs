use std::time::Duration;

use reach::http::{Client, HttpError, Url, block_on};
use reach::tsa::{Stamped, Tsa, TsaError};
use stamp::{Authority, Hash, Window};
use testkit::tsa::{Issue, Reply, der};
use testkit::tsa_server::{Says, TsaServer, reply};

const DIGEST: [u8; 32] = [7; 32];

fn signer() -> Issue {
    Issue::signer("tsa", 2, &Issue::root("root", 1))
}

fn roots(root: &Issue) -> Vec<Authority> {
    vec![Authority::new("tsa", &[root.certificate()], Window::default()).unwrap()]
}

fn url(server: &TsaServer) -> Url {
    server.url().parse().unwrap()
}

fn ask(tsa: &Tsa) -> Result<Stamped, TsaError> {
    let client = Client::new(None).unwrap();
    block_on(tsa.stamp(&client, &DIGEST)).unwrap()
}

#[test]
fn a_good_answer_is_kept_as_it_came() {
    let server = TsaServer::good(signer());
    let tsa = Tsa::new(url(&server), None, roots(&Issue::root("root", 1))).unwrap();
    let stamped = ask(&tsa).unwrap();
    assert_eq!(stamped.stamp.hash, Hash::Sha256);
    assert_eq!((stamped.stamp.authority.as_str(), server.asked()), ("tsa", 1));
    let again = stamp::verify(
        &stamped.reply,
        &stamp::Asked::digest(Hash::Sha256, &DIGEST),
        &roots(&Issue::root("root", 1)),
    );
    assert_eq!(again.unwrap(), stamped.stamp);
    // Two questions never share a nonce, so an old answer fits no new question.
    let old = stamped.reply.clone();
    server.change(move |_| Says::Reply(old.clone()));
    assert!(matches!(ask(&tsa), Err(TsaError::Refused { faults, .. }) if faults.contains("nonce")));
}

#[test]
fn what_is_asked_for_is_held_against_the_answer() {
    let server = TsaServer::good(signer());
    let root = || roots(&Issue::root("root", 1));
    let policy = |oid| Tsa::new(url(&server), Some(oid), root());
    assert!(ask(&policy("1.2.3.4.1").unwrap()).is_ok());
    let refused = ask(&policy("1.2.3.4.2").unwrap());
    assert!(
        matches!(refused, Err(TsaError::Refused { faults, .. }) if faults.contains("1.2.3.4.1"))
    );
    assert!(matches!(policy("any"), Err(TsaError::Policy(_))));
    assert!(matches!(Tsa::new(url(&server), None, Vec::new()), Err(TsaError::NoRoot { .. })));
}

type Answer = Box<dyn Fn(&[u8]) -> Says + Send + Sync>;

/// Junk with a good status, and answers that are wrong in one point each.
#[test]
fn what_proves_nothing_is_refused() {
    let server = TsaServer::good(signer());
    let tsa = Tsa::new(url(&server), None, roots(&Issue::root("root", 1))).unwrap();
    fn made(change: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Answer {
        Box::new(move |query| Says::Reply(change(reply(query, &signer())).bytes()))
    }
    let html = b"<!DOCTYPE html><html>503</html>";
    let cases: Vec<(&str, &str, Answer)> = vec![
        ("junk", "RFC 3161", Box::new(|_| Says::Reply(html.to_vec()))),
        ("nothing", "RFC 3161", Box::new(|_| Says::Reply(Vec::new()))),
        ("query", "RFC 3161", Box::new(|query| Says::Reply(query.to_vec()))),
        (
            "imprint",
            "another digest",
            made(|good| Reply { imprint: (Hash::Sha256, vec![8; 32]), ..good }),
        ),
        ("no nonce", "nonce", made(|good| Reply { nonce: Vec::new(), ..good })),
        ("nonce", "nonce", made(|good| Reply { nonce: der(2, &[&[1]]), ..good })),
        ("no grant", "is not as", made(|good| Reply { status: 3, ..good })),
        ("key", "signature", made(|good| Reply { seed: 9, ..good })),
        (
            "rejected",
            "rejection: badAlg",
            Box::new(|_| {
                Says::Reply(der(0x30, &[&der(0x30, &[&der(2, &[&[2]]), &der(3, &[&[7, 0x80]])])]))
            }),
        ),
        (
            "chain",
            "trusted",
            Box::new(|query| {
                let stranger = Issue::signer("\u{1b}[31mtsa", 4, &Issue::root("root", 3));
                Says::Reply(reply(query, &stranger).bytes())
            }),
        ),
        (
            "expired",
            "stamp's time",
            Box::new(|query| {
                let old = Issue { until: "20210101000000Z".into(), ..signer() };
                Says::Reply(reply(query, &old).bytes())
            }),
        ),
    ];
    for (name, expected, answer) in cases {
        server.change(answer);
        match ask(&tsa) {
            Err(TsaError::Refused { faults, url }) => {
                assert!(faults.contains(expected), "{name}: {faults}");
                assert_eq!(url, server.url());
                assert!(!faults.contains('\u{1b}'));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Down, slow, dying, too long, of another kind: each an error of its own.
#[test]
fn what_is_no_answer() {
    let server = TsaServer::good(signer());
    let at = |server: &TsaServer| {
        let tsa = Tsa::new(url(server), None, roots(&Issue::root("root", 1))).unwrap();
        tsa.within(Duration::from_millis(300))
    };
    let ask = || ask(&at(&server));
    server.change(|_| Says::Nothing);
    assert!(matches!(ask(), Err(TsaError::Http(HttpError::Timeout { .. }))));
    server.change(|query| Says::half(&reply(query, &signer()).bytes()));
    assert!(matches!(ask(), Err(TsaError::Http(HttpError::Protocol { .. }))));
    server.change(|_| Says::http(500, "text/plain", b"down"));
    assert!(matches!(ask(), Err(TsaError::Status { status: 500, .. })));
    server.change(|query| Says::http(200, "text/html", &reply(query, &signer()).bytes()));
    assert!(matches!(ask(), Err(TsaError::Http(HttpError::ContentType { .. }))));
    server.change(|_| Says::Reply(vec![0x30; stamp::LIMIT + 1]));
    assert!(matches!(ask(), Err(TsaError::Http(HttpError::TooLarge { .. }))));
    server.change(|_| {
        Says::Raw(
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
                .to_vec(),
        )
    });
    assert!(matches!(ask(), Err(TsaError::Http(HttpError::Redirect { .. }))));
    let gone = at(&server);
    drop(server);
    let client = Client::new(None).unwrap();
    let asked = block_on(gone.stamp(&client, &DIGEST)).unwrap();
    assert!(matches!(asked, Err(TsaError::Http(HttpError::Connect { .. }))), "{asked:?}");
}
