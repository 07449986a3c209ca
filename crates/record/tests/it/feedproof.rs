//! What stands beside a feed: statement, tree, parts, and the log the manifest lies in.

use record::feed::{Feed, Judge, Pin, judge, publish};
use record::feedproof::{self, Part, Proof, judge_part, part, tree_of};
use record::ioc::{Ioc, Kind, Severity, SignedIoc};
use record::report::{Code, ExitClass, Finding};
use seal::Signer as _;
use seal::base64::{url_decode, url_encode};
use seal::cosign::Cosigner;
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_plain, write_pretty};
use seal::key::SecretKey;
use seal::merkle::{inclusion_proof, leaf_hash, root_of};
use seal::note::{Checkpoint, NoteSigner};
use seal::policy::Policy;
use seal::tlog_proof::TlogProof;

use crate::common::{golden, key};

const ISSUER: &str = "harbour.example";
const AT: i64 = 1_800_000_100;
const END: i64 = AT + 86_400;

fn indicators(count: usize, key: &SecretKey) -> Vec<SignedIoc> {
    let one = |n: usize| Ioc {
        kind: Kind::Substring,
        pattern: format!("pattern {n}"),
        severity: Severity::Low,
        categories: Vec::new(),
        description: String::new(),
        issuer: ISSUER.to_owned(),
        key_id: key.key_id(),
        issued_at: AT - 1,
        revokes: Vec::new(),
        expires_at: None,
    };
    (0..count).map(|n| one(n).sign(key).unwrap()).collect()
}

fn feed(count: usize) -> Feed {
    publish("core", ISSUER, AT, indicators(count, &key(70)), &key(70)).unwrap()
}

fn proof(feed: &Feed) -> Proof {
    feedproof::sign(feed, 7, END, &key(70)).unwrap()
}

fn codes(found: &[Finding]) -> Vec<Code> {
    found.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_statement_is_about_one_publishing() {
    let (feed, other) = (feed(5), feed(4));
    let made = proof(&feed);
    let read = feedproof::read(made.to_json().as_bytes()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.judge(&feed, Some(END - 1), None), []);
    assert_eq!((read.statement.sequence, read.statement.size), (7, 5));
    assert_eq!(codes(&read.judge(&feed, Some(END), None)), [Code::FeedProofTime]);
    assert_eq!(read.judge(&feed, None, None), [], "without a clock");
    assert_eq!(codes(&read.judge(&other, Some(AT), None)), [Code::FeedProofOther]);
    assert_eq!(Code::FeedProofOther.exit(), ExitClass::Tampered);
    // Another key's statement about the same feed.
    let mut theirs = feed.clone();
    theirs.key = key(71).public().clone();
    let theirs = feedproof::sign(&theirs, 8, END, &key(71)).unwrap();
    let found = codes(&theirs.judge(&feed, Some(AT), None));
    assert!(found.contains(&Code::FeedProofSignature), "{found:?}");
    assert!(feedproof::sign(&feed, 8, END, &key(71)).is_err());
    assert!(feedproof::sign(&feed, 8, AT, &key(70)).is_err(), "an end before the beginning");
}

/// Every member that the statement has is under its signature.
#[test]
fn a_statement_that_was_changed_is_refused() {
    let feed = feed(3);
    let made = proof(&feed);
    let [head, payload, signature]: [&str; 3] =
        made.jws.split('.').collect::<Vec<_>>().try_into().unwrap();
    let payload = String::from_utf8(url_decode(payload).unwrap()).unwrap();
    let file = |jws: &str| {
        let document = Value::object([
            ("version", feedproof::TYPE.into()),
            ("statement", jws.into()),
            ("log", Value::Null),
        ]);
        feedproof::read(write_plain(&document).as_bytes())
    };
    for (from, to, code) in [
        ("\"sequence\":7", "\"sequence\":8", Code::FeedProofSignature),
        ("\"not_after\":1800086500", "\"not_after\":1900000000", Code::FeedProofSignature),
        ("\"size\":3", "\"size\":4", Code::FeedProofTree),
        ("harbour", "harbor", Code::FeedProofOther),
    ] {
        let changed = payload.replacen(from, to, 1);
        assert_ne!(changed, payload, "{from}");
        let jws = format!("{head}.{}.{signature}", url_encode(changed.as_bytes()));
        let found = codes(&file(&jws).unwrap().judge(&feed, Some(AT), None));
        assert!(found.contains(&code) && found.contains(&Code::FeedProofSignature), "{found:?}");
    }
    // Other bytes for the same claims, members to spare, another header.
    for changed in [
        payload.replacen(':', ": ", 1),
        payload.replacen('{', "{\"a\":1,", 1),
        payload.replacen("\"sequence\":7,", "", 1),
        payload.replacen("\"sequence\":7", "\"sequence\":-7", 1),
    ] {
        assert_ne!(changed, payload);
        let jws = format!("{head}.{}.{signature}", url_encode(changed.as_bytes()));
        assert_eq!(file(&jws).unwrap_err().code, Code::FeedProof, "{changed}");
    }
    let header = String::from_utf8(url_decode(head).unwrap()).unwrap();
    for changed in [header.replace("-proof", "-rotation"), header.replace("EdDSA", "none")] {
        let jws = made.jws.replacen(head, &url_encode(changed.as_bytes()), 1);
        assert_eq!(file(&jws).unwrap_err().code, Code::FeedProof, "{changed}");
    }
    let cut = &made.jws[..made.jws.len() - 4];
    assert_eq!(file(cut).unwrap_err().code, Code::FeedProofSignature);
    for bad in ["", "[]", "{}", "{\"version\":\"countersign-feed-proof/v1\"}"] {
        assert_eq!(feedproof::read(bad.as_bytes()).unwrap_err().code, Code::FeedProof, "{bad}");
    }
    let more = made.to_json().replacen('{', "{\"more\":1,", 1);
    assert_eq!(feedproof::read(more.as_bytes()).unwrap_err().code, Code::FeedProof);
}

#[test]
fn any_part_of_any_feed_is_proved() {
    let pins = [Pin::new(key(70).public().clone()).issuer(ISSUER)];
    for count in [1, 2, 3, 4, 5, 7, 8, 9, 31] {
        let feed = feed(count);
        let proof = proof(&feed);
        for ioc in &feed.iocs {
            let made = part(&feed, &proof, &[ioc.content_hash]).unwrap();
            assert_eq!(Part::read(made.to_json().as_bytes()).unwrap(), made);
            let (report, held) =
                judge_part(made.to_json().as_bytes(), &pins, &|_, _| Ok(()), Some(AT));
            assert!(report.ok(), "{count}: {:?}", report.findings);
            assert_eq!(held.as_slice(), std::slice::from_ref(ioc));
        }
        let all: Vec<Digest> = feed.ids();
        let whole = part(&feed, &proof, &all).unwrap();
        assert_eq!(whole.members.len(), count);
        assert!(part(&feed, &proof, &[Digest::of(b"unknown")]).is_err());
    }
    assert!(part(&feed(4), &proof(&feed(5)), &[]).is_err(), "another publishing's proof");
}

#[test]
fn what_is_not_of_the_feed_has_no_path() {
    let pins = [Pin::new(key(70).public().clone())];
    let feed = feed(6);
    let made = part(&feed, &proof(&feed), &feed.ids()[..2]).unwrap();
    let judged = |part: &Part, pins: &[Pin]| {
        let (report, held) = judge_part(part.to_json().as_bytes(), pins, &|_, _| Ok(()), Some(AT));
        assert_eq!(report.ok(), !held.is_empty());
        report
    };
    assert!(judged(&made, &pins).ok());
    // Properly signed by the publisher, and never published with these.
    let mut stray = made.clone();
    stray.members[0].0 = indicators(20, &key(70)).pop().unwrap();
    assert!(judged(&stray, &pins).has(Code::FeedProofTree));
    let mut moved = made.clone();
    moved.members[0].1 += 1;
    assert!(judged(&moved, &pins).has(Code::FeedProofTree));
    let mut bent = made.clone();
    bent.members[1].2[0] = Digest::of(b"");
    assert!(judged(&bent, &pins).has(Code::FeedProofTree));
    // A changed indicator does not even have its own id.
    let edited = made.to_json().replacen("pattern ", "patterns ", 1);
    let (report, _) = judge_part(edited.as_bytes(), &pins, &|_, _| Ok(()), Some(AT));
    assert!(report.has(Code::IocHash), "{:?}", report.findings);
    assert!(judged(&made, &[]).has(Code::FeedUnpinned));
    assert!(judged(&made, &[Pin::new(key(71).public().clone())]).has(Code::FeedPin));
    let named = Pin::new(key(70).public().clone()).issuer("alpha.example");
    assert!(judged(&made, &[named]).has(Code::FeedIssuer));
    let late = judge_part(made.to_json().as_bytes(), &pins, &|_, _| Ok(()), Some(END)).0;
    assert!(late.has(Code::FeedProofTime));
    let refused = judge_part(made.to_json().as_bytes(), &pins, &|_, _| Err("no".into()), None).0;
    assert!(refused.has(Code::IocPattern));
}

/// The tree is over all ids, also over those of indicators that were left out.
#[test]
fn a_feed_with_bad_indicators_left_out_keeps_its_tree() {
    let made = feed(5);
    let pins = [Pin::new(key(70).public().clone())];
    let refuses = |_: Kind, pattern: &str| match pattern {
        "pattern 3" => Err("not here".to_owned()),
        _ => Ok(()),
    };
    let how = Judge { pins: &pins, compiles: &refuses, skip_bad: true, ..Judge::default() };
    let feed = judge(made.to_json().as_bytes(), &how).verified.unwrap().into_feed();
    assert_eq!((feed.iocs.len(), feed.left_out.len()), (4, 1));
    assert_eq!(tree_of(&feed.ids()), tree_of(&made.ids()));
    assert_eq!(proof(&made).judge(&feed, Some(AT), None), []);
}

/// The proof that `entry` is in a log which one of two witnesses saw, and what a policy says of it.
fn logged(entry: &[u8], extra: Option<&[u8]>) -> (String, Policy) {
    let (log, witness) = (key(80), key(81));
    let signer = NoteSigner::new("log.example/feeds", &log).unwrap();
    let cosigner = Cosigner::new("witness.example/w1", &witness).unwrap();
    let leaves = [leaf_hash(b"before"), leaf_hash(entry), leaf_hash(b"behind")];
    let checkpoint =
        Checkpoint { origin: "log.example/feeds".into(), size: 3, root: root_of(&leaves) };
    let text = checkpoint.text();
    let mut note = seal::note::sign(&text, std::slice::from_ref(&signer));
    note += &cosigner.sign(&text, AT.unsigned_abs()).unwrap().to_string();
    if !note.ends_with('\n') {
        note.push('\n');
    }
    let proof = TlogProof {
        extra: extra.map(<[u8]>::to_vec),
        index: 1,
        hashes: inclusion_proof(&leaves, 1),
        checkpoint: note,
    };
    let policy = format!("log {}\nwitness w1 {}\nquorum w1\n", signer.vkey(), cosigner.vkey());
    (proof.to_string(), Policy::parse(policy.as_bytes()).unwrap())
}

#[test]
fn the_manifest_is_in_a_log_that_the_quorum_saw() {
    let feed = feed(3);
    let manifest = feed.manifest();
    let leaf = write_plain(&Value::object([
        ("body", Digest::of(manifest.as_bytes()).into()),
        ("id", "feed".into()),
        ("kind", "feed".into()),
        ("len", manifest.len().into()),
        ("seq", 0_i64.into()),
        ("ts", 0_i64.into()),
        ("v", 1_i64.into()),
        ("writer", "w".into()),
    ]));
    let with = |log: &str| Proof { log: Some(log.to_owned()), ..proof(&feed) };
    for (entry, extra) in [(manifest.as_bytes(), None), (leaf.as_bytes(), Some(leaf.as_bytes()))] {
        let (log, policy) = logged(entry, extra);
        feedproof::is_of(&log, &manifest).unwrap();
        let whole = with(&log);
        assert_eq!(feedproof::read(whole.to_json().as_bytes()).unwrap(), whole);
        assert_eq!(whole.judge(&feed, Some(AT), Some(&policy)), []);
        // A log nobody named, and a witness that did not look.
        let (_, mut stranger) = logged(entry, extra);
        stranger = Policy::parse(
            format!(
                "log {}\nwitness w1 {}\nquorum w1\n",
                NoteSigner::new("log.example/feeds", &key(82)).unwrap().vkey(),
                stranger.witnesses()[0].key
            )
            .as_bytes(),
        )
        .unwrap();
        let found = codes(&whole.judge(&feed, Some(AT), Some(&stranger)));
        assert_eq!(found, [Code::FeedProofLog]);
        let alone: String = log.split_inclusive('\n').filter(|l| !l.contains("witness")).collect();
        let found = codes(&with(&alone).judge(&feed, Some(AT), Some(&policy)));
        assert_eq!(found, [Code::FeedProofLog]);
        let found = codes(&proof(&feed).judge(&feed, Some(AT), Some(&policy)));
        assert_eq!(found, [Code::FeedProofLog], "no log part at all");
        let found = codes(&with("nonsense").judge(&feed, Some(AT), Some(&policy)));
        assert_eq!(found, [Code::FeedProof]);
    }
    // Another manifest's entry, by itself or by a leaf.
    let other = publish("other", ISSUER, AT, vec![], &key(70)).unwrap().manifest();
    let (log, policy) = logged(other.as_bytes(), None);
    assert_eq!(codes(&with(&log).judge(&feed, Some(AT), Some(&policy))), [Code::FeedProofTree]);
    assert!(feedproof::is_of(&log, &manifest).is_err());
    let wrong = leaf.replacen("\"len\":", "\"len\":1", 1);
    let (log, policy) = logged(wrong.as_bytes(), Some(wrong.as_bytes()));
    assert_eq!(codes(&with(&log).judge(&feed, Some(AT), Some(&policy))), [Code::FeedProofTree]);
    let digest = Digest::of(manifest.as_bytes()).text();
    let another = leaf.replacen(&digest, &Digest::of(b"").text(), 1);
    let (log, policy) = logged(another.as_bytes(), Some(another.as_bytes()));
    assert_eq!(codes(&with(&log).judge(&feed, Some(AT), Some(&policy))), [Code::FeedProofTree]);
    let spaced = leaf.replacen(',', ", ", 1);
    let (log, policy) = logged(spaced.as_bytes(), Some(spaced.as_bytes()));
    assert_eq!(codes(&with(&log).judge(&feed, Some(AT), Some(&policy))), [Code::FeedProofTree]);
}

const FILE: &str = "vectors/feeds/proof-v1.json";

/// A feed with its proof, a part of it, and the same proof with a log part, as files.
fn generate() -> String {
    let feed = feed(5);
    let made = proof(&feed);
    let mut ids = feed.ids();
    ids.sort_unstable();
    let cut = part(&feed, &made, &[ids[4], ids[1]]).unwrap();
    let (log, _) = logged(feed.manifest().as_bytes(), None);
    let with_log = Proof { log: Some(log), ..made.clone() };
    let policy = format!(
        "log {}\nwitness w1 {}\nquorum w1\n",
        NoteSigner::new("log.example/feeds", &key(80)).unwrap().vkey(),
        Cosigner::new("witness.example/w1", &key(81)).unwrap().vkey()
    );
    write_pretty(&Value::object([
        ("format", "countersign feed proof vectors v1".into()),
        ("public_key_pem", feed.key.to_pem().into()),
        ("now", AT.into()),
        ("feed", feed.to_json().into()),
        ("manifest", feed.manifest().into()),
        ("tree", tree_of(&ids).into()),
        ("proof", made.to_json().into()),
        ("part", cut.to_json().into()),
        ("policy", policy.into()),
        ("logged_proof", with_log.to_json().into()),
    ]))
}

#[test]
fn the_file_is_what_the_generator_makes() {
    golden(FILE, &generate());
}

#[test]
fn the_file_is_judged() {
    let bytes = std::fs::read(crate::common::root().join(FILE)).unwrap();
    let file = parse(&bytes, Limits::DOCUMENT).unwrap();
    let text = |name: &str| file.get(name).unwrap().as_str().unwrap().to_owned();
    let pin = seal::PublicKey::from_pem(&text("public_key_pem")).unwrap();
    let pins = [Pin::new(pin)];
    let now = file.get("now").unwrap().as_i64();
    let how = Judge { pins: &pins, ..Judge::default() };
    let feed = judge(text("feed").as_bytes(), &how).verified.unwrap().into_feed();
    assert_eq!(feed.manifest(), text("manifest"));
    let policy = Policy::parse(text("policy").as_bytes()).unwrap();
    let judged = |name: &str, policy: Option<&Policy>| {
        feedproof::read(text(name).as_bytes()).unwrap().judge(&feed, now, policy)
    };
    assert_eq!(judged("proof", None), []);
    assert_eq!(judged("logged_proof", Some(&policy)), []);
    assert_eq!(codes(&judged("proof", Some(&policy))), [Code::FeedProofLog]);
    let (report, held) = judge_part(text("part").as_bytes(), &pins, &|_, _| Ok(()), now);
    assert!(report.ok() && held.len() == 2, "{:?}", report.findings);
}

/// The bytes of statement and part, pinned: other readers exist.
#[test]
fn the_bytes_stay_as_they_are() {
    let feed = feed(2);
    let made = proof(&feed);
    let payload = url_decode(made.jws.split('.').nth(1).unwrap()).unwrap();
    let expected = format!(
        "{{\"feed_id\":\"core\",\"issued_at\":1800000100,\"issuer\":\"harbour.example\",\"manifest\":\"{}\",\"not_after\":1800086500,\"sequence\":7,\"size\":2,\"tree\":\"{}\"}}",
        Digest::of(feed.manifest().as_bytes()),
        tree_of(&feed.ids())
    );
    assert_eq!(String::from_utf8(payload).unwrap(), expected);
    let mut ids = feed.ids();
    ids.sort_unstable();
    let by_hand =
        seal::merkle::node_hash(&leaf_hash(ids[0].as_bytes()), &leaf_hash(ids[1].as_bytes()));
    assert_eq!(tree_of(&feed.ids()), by_hand);
    let part = part(&feed, &made, &ids[..1]).unwrap().to_json();
    let value = parse(part.as_bytes(), Limits::DOCUMENT).unwrap();
    let names: Vec<&str> =
        value.as_object().unwrap().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["version", "statement", "indicators"]);
}
