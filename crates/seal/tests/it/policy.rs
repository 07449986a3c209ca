//! The policy file: what it says, what is refused, and who is a quorum.

use countersign_seal as seal;
use seal::cosign::{Cosigner, CosignerKey};
use seal::note::{self, Checkpoint, NoteError, NoteSigner, VerifierKey};
use seal::policy::{LIMIT, Policy, PolicyFault};
use seal::{Digest, SecretKey};

pub fn secret(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// The key of log number `n`.
pub fn log(n: u8) -> VerifierKey {
    NoteSigner::new(&format!("log.example/{n}"), &secret(n)).unwrap().vkey().clone()
}

/// The key of witness number `n`.
pub fn witness(n: u8) -> CosignerKey {
    Cosigner::new(&format!("witness.example/{n}"), &secret(100 + n)).unwrap().vkey().clone()
}

/// The checkpoint signed by log 1 and cosigned by these witnesses.
pub fn signed(checkpoint: &Checkpoint, witnesses: &[u8]) -> String {
    let key = secret(1);
    let mut note =
        note::sign(&checkpoint.text(), &[NoteSigner::new("log.example/1", &key).unwrap()]);
    for n in witnesses {
        let key = secret(100 + n);
        let cosigner = Cosigner::new(&format!("witness.example/{n}"), &key).unwrap();
        note.push_str(&cosigner.sign(&checkpoint.text(), 1_700_000_000).unwrap().to_string());
    }
    note
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "log.example/1".into(), size: 8, root: Digest::of(b"root") }
}

/// Two of X1 X2 X3, and one of Y1 Y2.
fn two_levels() -> String {
    format!(
        "# a comment\nlog {}  https://log.example/\n\n\twitness X1 {} https://w.example/é\nwitness X2 {}\nwitness X3 {}\n\
         group X 2 X1 X2 X3\nwitness Y1 {}\nwitness Y2 {}\ngroup Y any Y1 Y2\ngroup both all X Y \n  # end\nquorum both\n",
        log(1),
        witness(1),
        witness(2),
        witness(3),
        witness(4),
        witness(5)
    )
}

#[test]
fn two_levels_of_groups() {
    let policy = Policy::parse(two_levels().as_bytes()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 5));
    assert_eq!(policy.quorum().map(ToString::to_string), Some("both".into()));
    assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://w.example/é"));
    // Every set of the five witnesses, against the rule said in words.
    for set in 0u8..32 {
        let has = |n: u8| set >> (n - 1) & 1 == 1;
        let present: Vec<u8> = (1..=5).filter(|n| has(*n)).collect();
        let enough = (1..=3).filter(|n| has(*n)).count() >= 2 && (has(4) || has(5));
        let judged = policy.judge(signed(&checkpoint(), &present).as_bytes()).unwrap();
        assert_eq!(judged.quorum_met, enough, "{present:?}");
        assert_eq!(judged.witnesses.len(), present.len());
        assert_eq!((judged.checkpoint, judged.log), (checkpoint(), log(1)));
    }
}

#[test]
fn who_is_not_in_the_policy_does_not_count() {
    let one = format!("log {}\nwitness w {}\nquorum w\n", log(1), witness(1));
    let policy = Policy::parse(one.as_bytes()).unwrap();
    let judged = policy.judge(signed(&checkpoint(), &[2, 3]).as_bytes()).unwrap();
    assert!(!judged.quorum_met && judged.witnesses.is_empty());
    assert_eq!(judged.unknown, ["witness.example/2", "witness.example/3"]);
    // One witness twice is one witness.
    let two = format!(
        "log {}\nwitness a {}\nwitness b {}\ngroup g 2 a b\nquorum g\n",
        log(1),
        witness(1),
        witness(2)
    );
    let policy = Policy::parse(two.as_bytes()).unwrap();
    assert!(!policy.judge(signed(&checkpoint(), &[1, 1]).as_bytes()).unwrap().quorum_met);
    assert!(policy.judge(signed(&checkpoint(), &[2, 1]).as_bytes()).unwrap().quorum_met);
    // A witness of no quorum may sign or not; `none` asks for nobody, and must be said.
    let none = two.replace("quorum g", "quorum none");
    let policy = Policy::parse(none.as_bytes()).unwrap();
    assert_eq!(policy.quorum(), None);
    assert!(policy.judge(signed(&checkpoint(), &[]).as_bytes()).unwrap().quorum_met);
}

#[test]
fn the_log_must_have_signed_under_its_own_name() {
    let text = two_levels().replace("quorum both", "quorum none");
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let judge = |note: &str| policy.judge(note.as_bytes());
    let good = signed(&checkpoint(), &[1]);
    assert!(judge(&good).is_ok());
    let other = Checkpoint { origin: "log.example/2".into(), ..checkpoint() };
    assert_eq!(judge(&signed(&other, &[1])), Err(NoteError::Unsigned));
    // A witness of the policy whose cosignature is bad refuses the note.
    let (mut two, bad) = (good.clone(), signed(&other, &[2]));
    two.push_str(bad.lines().last().unwrap());
    two.push('\n');
    assert_eq!(judge(&two), Err(NoteError::BadSignature("witness.example/2".into())));
    assert_eq!(
        judge(&good.replace("\n8\n", "\n9\n")),
        Err(NoteError::BadSignature("log.example/1".into()))
    );
    // Without a log the policy judges nothing, until it is given one.
    let text = format!("witness w {}\nquorum w\n", witness(1));
    let without = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(without.judge(good.as_bytes()), Err(NoteError::Unsigned));
    let given = without.for_log(&log(1)).unwrap();
    assert!(given.judge(good.as_bytes()).unwrap().quorum_met);
    assert_eq!(policy.for_log(&log(2)), None);
    assert_eq!(policy.for_log(&log(1)).unwrap().logs().len(), 1);
    let itself = VerifierKey::new("log.example/w", witness(1).key).unwrap();
    assert_eq!(without.for_log(&itself), None);
}

#[test]
fn what_is_refused() {
    let (l, l2, w, w2) = (log(1), log(2), witness(1), witness(2));
    let same_log = VerifierKey::new("log.example/again", l.key.clone()).unwrap();
    let same_witness = CosignerKey::new("witness.example/again", w.key.clone()).unwrap();
    let log_as_witness = CosignerKey::new("w", l.key.clone()).unwrap();
    let name = |text: &str| format!("{text:?}");
    let cases: Vec<(String, usize, &str, String)> = vec![
        (format!("log {l}\n"), 0, "NoQuorum", "".into()),
        ("".into(), 0, "NoQuorum", "".into()),
        ("quorum none".into(), 1, "Cut", "".into()),
        (format!("log {l}\nquorum none\nquorum none\n"), 3, "SecondQuorum", "".into()),
        (format!("log {l}\nquorum w\nwitness w {w}\n"), 2, "Undefined", name("w")),
        (format!("log {l}\nlog {l}\nquorum none\n"), 2, "SameKey", "".into()),
        (format!("log {l}\nlog {same_log}\nquorum none\n"), 2, "SameKey", "".into()),
        (format!("witness a {w}\nwitness b {w}\nquorum a\n"), 2, "SameKey", "".into()),
        (format!("witness a {w}\nwitness b {same_witness}\nquorum a\n"), 2, "SameKey", "".into()),
        (format!("log {l}\nwitness b {log_as_witness}\nquorum b\n"), 2, "SameKey", "".into()),
        (format!("witness b {log_as_witness}\nlog {l}\nquorum b\n"), 2, "SameKey", "".into()),
        (format!("witness a {w}\nwitness a {w2}\nquorum a\n"), 2, "Taken", name("a")),
        (format!("witness none {w}\nquorum none\n"), 1, "Taken", name("none")),
        (format!("witness a {w}\ngroup none any a\nquorum a\n"), 2, "Taken", name("none")),
        (format!("witness a {w}\ngroup a any a\nquorum a\n"), 2, "Taken", name("a")),
        (format!("witness a {w}\ngroup g any g\nquorum a\n"), 2, "Undefined", name("g")),
        (format!("witness a {w}\ngroup g any none\nquorum a\n"), 2, "Undefined", name("none")),
        (format!("witness a {w}\ngroup g any a a\nquorum a\n"), 2, "Member", name("a")),
        (
            format!("witness a {w}\ngroup g any a\ngroup h any a\nquorum a\n"),
            3,
            "Member",
            name("a"),
        ),
        (format!("witness a {w}\ngroup g 0 a\nquorum g\n"), 2, "Threshold", "".into()),
        (format!("witness a {w}\ngroup g 2 a\nquorum g\n"), 2, "Threshold", "".into()),
        (format!("witness a {w}\ngroup g 01 a\nquorum g\n"), 2, "Threshold", "".into()),
        (format!("witness a {w}\ngroup g +1 a\nquorum g\n"), 2, "Threshold", "".into()),
        (format!("witness a {w}\ngroup g most a\nquorum g\n"), 2, "Threshold", "".into()),
        (format!("witness a {w}\ngroup g all\nquorum g\n"), 2, "Threshold", "".into()),
        ("group g any\nquorum g\n".into(), 1, "Threshold", "".into()),
        ("group g\nquorum g\n".into(), 1, "Line", "".into()),
        ("quorum\n".into(), 1, "Line", "".into()),
        ("quorum none none\n".into(), 1, "Line", "".into()),
        ("quorum none # really\n".into(), 1, "Line", "".into()),
        ("Quorum none\n".into(), 1, "Line", "".into()),
        (format!("log {l} a b\nquorum none\n"), 1, "Line", "".into()),
        (format!("witness {w}\nquorum none\n"), 1, "Line", "".into()),
        (format!("log {w}\nquorum none\n"), 1, "LogKey", "".into()),
        (format!("witness a {l2}\nquorum a\n"), 1, "WitnessKey", "".into()),
        ("log name+00000000+AAAA\nquorum none\n".into(), 1, "LogKey", "".into()),
        ("quorum none\r\n".into(), 1, "Control", "".into()),
        ("# \u{7f}\nquorum none\n".into(), 1, "Control", "".into()),
        ("\0\nquorum none\n".into(), 1, "Control", "".into()),
        ("\u{a0}quorum none\n".into(), 1, "Line", "".into()),
    ];
    for (text, line, fault, about) in cases {
        let error = Policy::parse(text.as_bytes()).expect_err(&text);
        let debug = format!("{:?}", error.fault);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(debug.starts_with(fault) && debug.contains(&about), "{text}: {error:?}");
    }
    let huge = [b'\n'].repeat(128 * 1024 + 1);
    assert_eq!(Policy::parse(&huge).unwrap_err().fault, PolicyFault::TooLong);
}

#[test]
fn as_many_as_the_format_asks_for_and_not_without_end() {
    let build = |count: usize| {
        let mut text = String::new();
        for n in 0..count as u8 {
            text.push_str(&format!("log {}\nwitness w{n} {}\n", log(n), witness(n)));
            text.push_str(&format!("group g{n} any w{n}\n"));
        }
        text + "quorum none\n"
    };
    let policy = Policy::parse(build(32).as_bytes()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (32, 32));
    let mut lines = String::new();
    for n in 0..=LIMIT {
        lines.push_str(&format!(
            "log {}\n",
            NoteSigner::new(&format!("l{n}"), &SecretKey::from_seed([n as u8 + 1; 32]))
                .unwrap()
                .vkey()
        ));
    }
    let error = Policy::parse((lines + "quorum none\n").as_bytes()).unwrap_err();
    assert_eq!((error.line, error.fault), (LIMIT + 1, PolicyFault::TooMany));
}

#[test]
fn names_are_octets() {
    let mut text = Vec::new();
    for (name, n) in [(&b"K"[..], 1), ("\u{212a}".as_bytes(), 2), (b"\xff\xfe", 3)] {
        text.extend([b"witness ", name, b" ", witness(n).to_string().as_bytes(), b"\n"].concat());
    }
    text.extend(b"group \xff all K \xe2\x84\xaa \xff\xfe\nquorum \xff\n");
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.quorum().map(|name| name.as_bytes()), Some(&b"\xff"[..]));
    assert_eq!(policy.witnesses()[2].name.to_string(), "\u{fffd}\u{fffd}");
    assert!(!policy.is_met_by(&[witness(1), witness(2)]));
    assert!(policy.is_met_by(&[witness(3), witness(1), witness(2)]));
}
