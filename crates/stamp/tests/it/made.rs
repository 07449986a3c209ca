//! Replies of our own making: every point of the judgement, made right and wrong.

use stamp::{Asked, Authority, Fault, Hash, Moment, Stamp, Window, verify};
use testkit::tsa::{CODE_SIGNING, Issue, Named, Reply, TIME_STAMPING, der, name};

const DIGEST: [u8; 32] = [7; 32];
/// 2026-11-21T00:00:00Z, the time of the replies.
const TIME: u64 = 1_795_219_200;

fn root() -> Issue {
    Issue::root("root", 1)
}

fn signer() -> Issue {
    Issue::signer("tsa", 2, &root())
}

fn good() -> Reply {
    Reply::over(Hash::Sha256, &DIGEST, &signer())
}

fn by(signer: Issue) -> Reply {
    Reply::over(Hash::Sha256, &DIGEST, &signer)
}

fn authority(chain: &[&Issue]) -> Authority {
    let chain: Vec<Vec<u8>> = chain.iter().map(|issue| issue.certificate()).collect();
    Authority::new("tsa", &chain, Window::default()).expect("an authority")
}

fn judge(reply: &[u8]) -> Result<Stamp, Vec<Fault>> {
    verify(reply, &Asked::digest(Hash::Sha256, &DIGEST), &[authority(&[&root()])])
}

/// The faults' variants.
fn kinds(result: Result<Stamp, Vec<Fault>>) -> String {
    let Err(faults) = result else { return "good".to_owned() };
    let kind = |fault: &Fault| {
        assert!(!fault.to_string().is_empty());
        let text = format!("{fault:?}");
        text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    };
    faults.iter().map(kind).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_good_reply_is_read() {
    let accuracy = der(0x30, &[&der(2, &[&[1]]), &der(0x80, &[&[5]]), &der(0x81, &[&[7]])]);
    let reply = Reply {
        time: "20261121000000.5Z".into(),
        accuracy,
        authority: Some(der(0xa4, &[&name("tsa")])),
        ..good()
    };
    let stamp = judge(&reply.bytes()).expect("good");
    assert_eq!(stamp.time, Moment(TIME * 1_000_000 + 500_000));
    assert_eq!(stamp.accuracy_micros, Some(1_005_007));
    assert_eq!(stamp.latest(), Moment(TIME * 1_000_000 + 1_505_007));
    assert_eq!(stamp.earliest(), Moment(TIME * 1_000_000 - 505_007));
    assert_eq!((stamp.policy.as_str(), stamp.serial.as_str()), ("1.2.3.4.1", "09"));
    assert_eq!((stamp.signer.as_str(), stamp.authority.as_str()), ("CN=tsa", "tsa"));
    assert_eq!(stamp.signer_fingerprint, seal::Digest::of(&signer().certificate()));
}

#[test]
fn what_is_about_something_else() {
    let cases: Vec<(&str, Reply, &str)> = vec![
        ("other digest", Reply { imprint: (Hash::Sha256, vec![8; 32]), ..good() }, "Imprint"),
        ("other algorithm", Reply { imprint: (Hash::Sha512, vec![7; 64]), ..good() }, "Imprint"),
        ("short digest", Reply { imprint: (Hash::Sha256, vec![7; 31]), ..good() }, "Malformed"),
    ];
    for (name, reply, expected) in cases {
        assert_eq!(kinds(judge(&reply.bytes())), expected, "{name}");
    }
    let trusted = [authority(&[&root()])];
    let nonce = Reply { nonce: der(2, &[&[0, 0x80]]), ..good() }.bytes();
    let ask = |asked: Asked<'_>, reply: &[u8]| kinds(verify(reply, &asked, &trusted));
    let asked = || Asked::digest(Hash::Sha256, &DIGEST);
    assert_eq!(ask(asked().nonce(&[0x80]), &nonce), "good");
    assert_eq!(ask(asked().nonce(&[0, 0x80]), &nonce), "good");
    assert_eq!(ask(asked().nonce(&[0x81]), &nonce), "Nonce");
    assert_eq!(ask(asked().nonce(&[0x80]), &good().bytes()), "Nonce");
    assert_eq!(ask(asked(), &nonce), "good");
    assert_eq!(ask(asked().policies(&["1.2.3.4.1"]), &nonce), "good");
    assert_eq!(ask(asked().policies(&["1.2.3.4", "1.2.3.4.10"]), &nonce), "Policy");
    let over = Reply::over(Hash::Sha384, &Hash::Sha384.of(b"text"), &signer()).bytes();
    assert_eq!(ask(Asked::bytes(b"text"), &over), "good");
    assert_eq!(ask(Asked::bytes(b"texT"), &over), "Imprint");
}

#[test]
fn who_signed() {
    let stranger = Issue::root("root", 9);
    let middle = Issue { serial: 5, ..Issue::root("middle", 3).below(&root()) };
    let leaf = Issue::signer("leaf", 4, &middle);
    let mut unlucky = middle.clone();
    unlucky.purposes = Some((false, vec![CODE_SIGNING]));
    let below = |middle: &Issue| {
        let mut reply = by(Issue::signer("leaf", 4, middle));
        reply.bag.push(middle.certificate());
        reply
    };
    let twin = Issue { until: "20390101000000Z".into(), ..signer() };
    let cases: Vec<(&str, Reply, &str)> = vec![
        ("by key id", Reply { by_key_id: true, ..good() }, "good"),
        ("through an intermediate", below(&middle), "good"),
        ("intermediate missing", by(leaf.clone()), "Untrusted"),
        ("intermediate for code", below(&unlucky), "Untrusted"),
        ("intermediate that is no CA", below(&Issue { ca: false, ..middle.clone() }), "Untrusted"),
        (
            "intermediate that may not sign certificates",
            below(&Issue { key_usage: Some(0x80), ..middle.clone() }),
            "Untrusted",
        ),
        ("another root of the same name", by(Issue::signer("tsa", 2, &stranger)), "Untrusted"),
        ("a foreign root", by(Issue::signer("tsa", 2, &Issue::root("other", 9))), "Untrusted"),
        ("no certificate", Reply { bag: vec![], ..good() }, "SignerMissing"),
        (
            "another's certificate",
            Reply { bag: vec![root().certificate()], ..good() },
            "SignerMissing",
        ),
        ("signed by another key", Reply { seed: 5, ..good() }, "Signature"),
        ("over another content", Reply { covers: Some(vec![1]), ..good() }, "Signature"),
        ("content type", Reply { content_type: b"\x2a\x03", ..good() }, "Signature"),
        ("names nobody", Reply { named: Named::Nothing, ..good() }, "Signer"),
        ("names another", Reply { named: Named::V2(root().certificate()), ..good() }, "Signer"),
        ("names it by SHA-1", Reply { named: Named::V1(signer().certificate()), ..good() }, "good"),
        (
            "names another by SHA-1",
            Reply { named: Named::V1(root().certificate()), ..good() },
            "Signer",
        ),
        ("a P-256 key", by(Issue { p256: true, ..signer() }), "good"),
        (
            "another P-256 key",
            Reply { seed: 5, ..by(Issue { p256: true, ..signer() }) },
            "Signature",
        ),
        (
            "names the twin that came along",
            Reply {
                bag: vec![signer().certificate(), twin.certificate()],
                named: Named::V2(twin.certificate()),
                ..good()
            },
            "good",
        ),
        (
            "names the chain",
            Reply {
                named: Named::Chain(vec![signer().certificate(), root().certificate()]),
                ..good()
            },
            "good",
        ),
        (
            "names a chain that is not there",
            Reply { named: Named::Chain(vec![signer().certificate(), vec![1]]), ..good() },
            "Signer",
        ),
        ("tsa field", Reply { authority: Some(der(0xa4, &[&name("TSA")])), ..good() }, "Signer"),
        ("digest", Reply { digest: Hash::Sha256, ..good() }, "Algorithm"),
        ("a CA", by(Issue { ca: true, ..signer() }), "Signer Untrusted"),
        ("no purpose", by(Issue { purposes: None, ..signer() }), "Signer"),
        (
            "not critical",
            by(Issue { purposes: Some((false, vec![TIME_STAMPING])), ..signer() }),
            "Signer",
        ),
        (
            "two purposes",
            by(Issue { purposes: Some((true, vec![TIME_STAMPING, CODE_SIGNING])), ..signer() }),
            "Signer",
        ),
        (
            "another purpose",
            by(Issue { purposes: Some((true, vec![CODE_SIGNING])), ..signer() }),
            "Signer Untrusted",
        ),
        ("key usage", by(Issue { key_usage: Some(0xa0), ..signer() }), "Signer"),
        ("no key usage", by(Issue { key_usage: None, ..signer() }), "good"),
        ("expired", by(Issue { until: "20261120235959Z".into(), ..signer() }), "Expired"),
        ("not yet", by(Issue { from: "20261121000001Z".into(), ..signer() }), "Expired"),
        ("to the second", by(Issue { until: "20261121000000Z".into(), ..signer() }), "good"),
        (
            "several at once",
            Reply {
                imprint: (Hash::Sha256, vec![8; 32]),
                seed: 5,
                ..by(Issue { ca: true, ..signer() })
            },
            "Imprint Signature Signer Untrusted",
        ),
    ];
    for (name, reply, expected) in cases {
        assert_eq!(kinds(judge(&reply.bytes())), expected, "{name}");
    }
}

#[test]
fn whom_the_caller_trusts() {
    let asked = Asked::digest(Hash::Sha256, &DIGEST);
    let window = |from: u64, until: u64| {
        let millis = |seconds: u64| Some(seal::time::UnixMillis(seconds * 1_000));
        let window = Window { from: millis(from), until: millis(until) };
        Authority::new("tsa", &[root().certificate()], window).expect("an authority")
    };
    let judge = |authorities: &[Authority]| kinds(verify(&good().bytes(), &asked, authorities));
    assert_eq!(judge(&[]), "Untrusted");
    assert_eq!(judge(&[window(TIME, TIME + 1)]), "good");
    assert_eq!(judge(&[window(TIME - 1, TIME)]), "Expired");
    assert_eq!(judge(&[window(TIME + 1, TIME + 2)]), "Expired");
    let foreign = authority(&[&Issue::root("other", 9)]);
    assert_eq!(judge(&[window(TIME - 1, TIME), foreign.clone()]), "Expired");
    assert_eq!(judge(&[foreign.clone(), window(TIME - 1, TIME), window(TIME, TIME + 1)]), "good");
    // One that is trusted under some policies takes no stamp under another.
    let under = |policies: &[&str]| {
        let policies: Vec<String> = policies.iter().map(|&policy| policy.to_owned()).collect();
        window(TIME, TIME + 1).under(&policies)
    };
    assert_eq!(judge(&[under(&["1.2.3.4.9", "1.2.3.4.1"]).unwrap()]), "good");
    assert_eq!(judge(&[under(&["1.2.3.4.10", "1.2.3.4"]).unwrap()]), "Policy");
    assert_eq!(judge(&[under(&["1.2.3.4"]).unwrap(), foreign.clone()]), "Policy");
    assert_eq!(judge(&[under(&["1.2.3.4"]).unwrap(), window(TIME, TIME + 1)]), "good");
    assert!(under(&["any"]).is_err());
    let old = Issue { until: "20251231000000Z".into(), ..root() };
    assert_eq!(judge(&[authority(&[&old])]), "Expired");
    let code = Issue { purposes: Some((false, vec![CODE_SIGNING])), ..root() };
    assert_eq!(judge(&[authority(&[&code])]), "Untrusted");
    // How many CAs may be between root and signer is the root's to say, too.
    let middle = Issue { serial: 5, ..Issue::root("middle", 3).below(&root()) };
    let mut through = by(Issue::signer("leaf", 4, &middle));
    through.bag.push(middle.certificate());
    for (length, direct, by_middle) in
        [(None, "good", "good"), (Some(1), "good", "good"), (Some(0), "good", "Untrusted")]
    {
        let root = [authority(&[&Issue { path_length: length, ..root() }])];
        assert_eq!(judge(&root), direct, "{length:?}");
        assert_eq!(kinds(verify(&through.bytes(), &asked, &root)), by_middle, "{length:?}");
    }
    // A signer that replies leave out may come from the trusted side; it is no root by that.
    let bare = Reply { bag: vec![], ..good() }.bytes();
    let with = [authority(&[&signer(), &root()])];
    assert_eq!(kinds(verify(&bare, &asked, &with)), "good");
    let helper = [authority(&[&signer(), &Issue::root("other", 9)])];
    assert_eq!(kinds(verify(&good().bytes(), &asked, &helper)), "Untrusted");
    let new = |chain: &[Vec<u8>]| Authority::new("a", chain, Window::default()).is_ok();
    assert!(!new(&[]) && !new(&[signer().certificate()]) && !new(&[vec![0x30, 0]]));
    assert!(!new(&[root().certificate(), signer().certificate()]));
    assert!(!new(&vec![root().certificate(); 17]));
}

#[test]
fn what_is_no_reply() {
    let good_bytes = good().bytes();
    let html = b"<!DOCTYPE html><html><body>503</body></html>";
    let long = [good_bytes.as_slice(), &[0; 1 << 16]].concat();
    let mut cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "Malformed"),
        ("a page", html.to_vec(), "Malformed"),
        ("long", long, "TooLong"),
        ("trailing", [good_bytes.as_slice(), &[0]].concat(), "Malformed"),
        ("waiting", Reply { status: 3, ..good() }.bytes(), "Malformed"),
        ("with changes", Reply { status: 1, ..good() }.bytes(), "good"),
        ("status", Reply { status: 7, ..good() }.bytes(), "Malformed"),
        ("version", Reply { version: 2, ..good() }.bytes(), "Malformed"),
        ("no signer", Reply { signers: 0, ..good() }.bytes(), "Malformed"),
        ("two signers", Reply { signers: 2, ..good() }.bytes(), "Malformed"),
        ("disorder", Reply { disorder: true, ..good() }.bytes(), "Malformed"),
        ("bag", Reply { bag: vec![signer().certificate(); 17], ..good() }.bytes(), "Malformed"),
        ("no certificate", Reply { bag: vec![vec![0x30, 0]], ..good() }.bytes(), "Malformed"),
    ];
    let refused = der(0x30, &[&der(0x30, &[&der(2, &[&[2]]), &der(3, &[&[0, 0x80, 1]])])]);
    cases.push(("refused", refused, "Refused"));
    let critical = |flag: &[u8]| {
        let oid = der(6, &[b"\x2a\x03"]);
        der(0xa1, &[&der(0x30, &[&oid, flag, &der(4, &[])])])
    };
    let extensions = critical(&der(1, &[&[0xff]]));
    cases.push(("critical", Reply { extensions, ..good() }.bytes(), "Malformed"));
    cases.push(("extension", Reply { extensions: critical(&[]), ..good() }.bytes(), "good"));
    for (name, accuracy) in [
        ("accuracy 0 ms", der(0x80, &[&[0]])),
        ("accuracy 1000 ms", der(0x80, &[&[3, 0xe8]])),
        ("accuracy below 0", der(2, &[&[0xff]])),
        ("accuracy of a day", der(2, &[&[1, 0x51, 0x80]])),
        ("accuracy order", [der(0x81, &[&[1]]), der(0x80, &[&[1]])].concat()),
    ] {
        let accuracy = der(0x30, &[&accuracy]);
        cases.push((name, Reply { accuracy, ..good() }.bytes(), "Malformed"));
    }
    for time in ["20261121000000.10Z", "202611210000Z", "20261121000000+0000", "20261321000000Z"] {
        cases.push((time, Reply { time: time.into(), ..good() }.bytes(), "Malformed"));
    }
    for (name, reply, expected) in &cases {
        assert_eq!(kinds(judge(reply)), *expected, "{name}");
    }
    for length in 0..good_bytes.len() {
        assert_eq!(kinds(judge(&good_bytes[..length])), "Malformed", "cut at {length}");
    }
}

/// One reply with the signer's certificate alone: of all changes of one byte only the one from
/// `granted` to `granted with changes` leaves it good, and that is outside what is signed.
#[test]
fn every_byte_counts() {
    let reply = Reply { nonce: der(2, &[&[42]]), ..good() }.bytes();
    let stamp = judge(&reply).expect("good");
    let status = reply.windows(3).position(|three| three == [2, 1, 0]).expect("the status") + 2;
    for at in 0..reply.len() {
        for flip in (0..8).map(|bit| 1 << bit).chain([0xff]) {
            let mut flipped = reply.clone();
            flipped[at] ^= flip;
            if let Ok(other) = judge(&flipped) {
                assert_eq!((at, flip), (status, 1), "byte {at} ^ {flip:#x} of {}", reply.len());
                assert_eq!(other, stamp);
            }
        }
    }
}
