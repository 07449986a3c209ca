//! Replies of timestamp authorities, and certificates.

use std::sync::LazyLock;

use record::anchor::{Anchor, NOTE_LIMIT};
use seal::note::{Checkpoint, NoteSigner, sign};
use stamp::{Asked, Authority, Certificate, Hash, Moment, Window, verify};
use testkit::tsa::{Issue, Reply, der};

const DIGEST: [u8; 32] = [7; 32];
const NONCE: &[u8] = &[0x12, 0x34, 0x56];
/// 2026-11-21T00:00:00Z, the time of the good replies.
const TIME: Moment = Moment(1_795_219_200_000_000);

fn root() -> Issue {
    Issue::root("root", 1)
}

fn signer() -> Issue {
    Issue::signer("tsa", 2, &root())
}

fn reply() -> Reply {
    let nonce = der(2, &[NONCE]);
    Reply { nonce, ..Reply::over(Hash::Sha256, &DIGEST, &signer()) }
}

/// The first byte chooses a reply or a certificate.
pub fn seeds() -> Vec<Vec<u8>> {
    let accuracy = der(0x30, &[&der(2, &[&[1]]), &der(0x80, &[&[5]]), &der(0x81, &[&[7]])]);
    let replies = [
        reply(),
        Reply { accuracy, by_key_id: true, ..reply() },
        Reply { status: 2, ..reply() },
        Reply { bag: vec![signer().certificate(), root().certificate()], ..reply() },
        Reply { digest: Hash::Sha256, disorder: true, ..reply() },
    ];
    let replies = replies.iter().map(|reply| [&[0], reply.bytes().as_slice()].concat());
    let certificates =
        [root(), signer()].map(|issue| [&[1], issue.certificate().as_slice()].concat());
    replies.chain(certificates).collect()
}

/// Nobody here can sign: a reply that is believed is about what a good one is about, whatever else
/// was changed in it. A certificate is the bytes it was read from.
pub fn stamp(input: &[u8]) {
    static AUTHORITIES: LazyLock<Vec<Authority>> = LazyLock::new(|| {
        let root = [root().certificate()];
        vec![Authority::new("tsa", &root, Window::default()).expect("a root")]
    });
    let Some((choice, bytes)) = input.split_first() else { return };
    if choice % 2 == 1 {
        if let Ok(certificate) = Certificate::from_der(bytes) {
            assert_eq!(certificate.der(), bytes);
            // Outside text, to be escaped by who prints it.
            let shown = seal::escape::terminal(&certificate.subject());
            assert!(!shown.contains('\x1b'), "{shown:?}");
            let _ = (certificate.validity_seconds(), certificate.is_authority());
        }
        return;
    }
    let asked = Asked::digest(Hash::Sha256, &DIGEST).nonce(NONCE);
    match verify(bytes, &asked, &AUTHORITIES) {
        Ok(stamp) => {
            assert_eq!((stamp.time, stamp.hash, stamp.serial.as_str()), (TIME, Hash::Sha256, "09"));
            assert_eq!((stamp.policy.as_str(), stamp.authority.as_str()), ("1.2.3.4.1", "tsa"));
            assert!(stamp.earliest() <= stamp.time && stamp.time <= stamp.latest());
            // About something else, for somebody else or with nobody trusted it is worth nothing.
            let other = Asked::digest(Hash::Sha256, &[8; 32]).nonce(NONCE);
            assert!(verify(bytes, &other, &AUTHORITIES).is_err());
            let asked_again = Asked::digest(Hash::Sha256, &DIGEST).nonce(&[9]);
            assert!(verify(bytes, &asked_again, &AUTHORITIES).is_err());
            assert!(verify(bytes, &asked, &[]).is_err());
        }
        Err(faults) => {
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.to_string().is_empty()));
        }
    }
}

/// A body with a good reply, and one that has a line more.
pub fn anchors() -> Vec<Vec<u8>> {
    let key = testkit::key(3);
    let root = seal::Digest::of(b"root");
    let text = Checkpoint { origin: "log.example".to_owned(), size: 8, root }.text();
    let note = |names: &[&str]| {
        let signers: Vec<NoteSigner<'_>> =
            names.iter().filter_map(|name| NoteSigner::new(name, &*key)).collect();
        sign(&text, &signers)
    };
    [note(&["log.example"]), note(&["log.example", "witness.example"])]
        .iter()
        .map(|note| Anchor::new(note, &reply().bytes()).expect("an anchor").to_body().into_bytes())
        .collect()
}

/// A body that is read is the only one of its anchor, and its note states what it is read as.
pub fn anchor(input: &[u8]) {
    let Ok(anchor) = Anchor::read(input) else { return };
    assert_eq!(anchor.to_body().as_bytes(), input);
    assert_eq!(Anchor::new(anchor.note(), anchor.reply()), Ok(anchor.clone()));
    assert!(anchor.note().len() <= NOTE_LIMIT && anchor.reply().len() <= stamp::LIMIT);
    assert!(anchor.note().starts_with(&format!("{}\n", anchor.checkpoint().text())));
    assert_eq!(anchor.imprint(), seal::Digest::of(anchor.note().as_bytes()));
}
