//! Drafts: what is read, what is refused, and what samples say.

use record::feed::{Drafts, Fault};
use record::ioc::{Kind, Severity};

fn one(members: &str) -> Result<Drafts, String> {
    let text = format!("[{{\"kind\":\"substring\",\"pattern\":\"drop\"{members}}}]");
    Drafts::read(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_list_of_another_tool_is_read() {
    let drafts = one("").unwrap();
    let draft = &drafts.indicators[0];
    assert_eq!((draft.kind, draft.severity), (Kind::Substring, Severity::Medium));
    assert!(draft.categories.is_empty() && draft.issued_at.is_none() && drafts.issuer.is_none());
    let full = ",\"severity\":\"low\",\"categories\":[\"b\",\"a\"],\"description\":\"d\",\"revokes\":[],\"expires_at\":null";
    assert_eq!(one(full).unwrap().indicators[0].categories, ["b", "a"]);
}

#[test]
fn what_is_wrong_is_refused() {
    for (members, why) in [
        (",\"severity\":\"HIGH\"", "severity"),
        (",\"kind2\":1", "kind2"),
        (",\"categories\":\"a\"", "categories"),
        (",\"expires_at\":\"1\"", "expires_at"),
        (",\"expires_at\":1.5", "expires_at"),
        (",\"revokes\":[\"6c1e\"]", "revokes"),
        (",\"attacks\":[1]", "attacks"),
        (",\"pattern\":\"\"", "duplicate"),
    ] {
        let error = one(members).unwrap_err();
        assert!(error.contains(why), "{members}: {error}");
    }
    for bad in [
        "",
        "1",
        "{}",
        "[1]",
        "[{}]",
        "[{\"kind\":\"regex\",\"pattern\":\"\"}]",
        "[{\"kind\":\"unicode_signature\",\"pattern\":\"U+200B\"}]",
        "{\"version\":\"countersign-feed-drafts/v2\",\"indicators\":[]}",
        "{\"version\":\"countersign-feed-drafts/v1\"}",
        "{\"version\":\"countersign-feed-drafts/v1\",\"indicators\":[],\"more\":1}",
        "{\"version\":\"countersign-feed-drafts/v1\",\"indicators\":[],\"issuer\":1}",
    ] {
        assert!(Drafts::read(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn what_hides_is_seen_in_the_file() {
    let mut drafts = one("").unwrap();
    drafts.indicators[0].attacks = vec!["a\u{200b}b\u{202e}c é".into()];
    let text = drafts.to_json();
    assert!(text.contains("\\u200b") && text.contains("\\u202e") && text.contains('é'), "{text}");
    assert_eq!(Drafts::read(text.as_bytes()).unwrap(), drafts);
}

#[test]
fn samples_say_what_is_wrong() {
    let finds = |text: &str| match text {
        "refused" => Err("no".to_owned()),
        text => Ok(text.contains("drop")),
    };
    let faults = |attacks: &[&str], benign: &[&str]| {
        let mut draft = one("").unwrap().indicators.remove(0);
        draft.attacks = attacks.iter().map(|text| (*text).to_owned()).collect();
        draft.benign = benign.iter().map(|text| (*text).to_owned()).collect();
        draft.faults(&finds)
    };
    assert_eq!(faults(&["drop it"], &["keep it"]), []);
    assert_eq!(faults(&["drop", "keep"], &["keep"]), [Fault::Missed(1)]);
    assert_eq!(faults(&["drop"], &["keep", "drops"]), [Fault::Matched(1)]);
    assert_eq!(faults(&["drop"], &[]), [Fault::NoSample("benign")]);
    assert_eq!(faults(&["refused"], &["keep"]), [Fault::Pattern("no".into())]);
}
