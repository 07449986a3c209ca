//! The pages of docs/codes are the table.

use std::collections::BTreeSet;

use record::report::{Code, ExitClass, Severity};

use crate::common::{bless, golden, root};

#[test]
fn codes_have_their_pages() {
    golden("docs/codes/README.md", &Code::index_page());
    let mut pages = BTreeSet::from(["README.md".to_string()]);
    for code in Code::ALL {
        golden(&format!("docs/codes/{code}.md"), &code.page());
        pages.insert(format!("{code}.md"));
    }
    for file in std::fs::read_dir(root().join("docs/codes")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if bless() && !pages.contains(&name) {
            std::fs::remove_file(file.path()).unwrap();
        } else {
            assert!(pages.contains(&name), "docs/codes/{name} belongs to no code");
        }
    }
}

#[test]
fn codes_are_well_formed() {
    let mut ids = BTreeSet::new();
    let areas = [
        "RECEIPT", "CHAIN", "CAP", "TRUST", "LEDGER", "AUDIT", "DECISION", "ANCHOR", "EVIDENCE",
        "FEED", "FILE", "KEY", "LOG", "WITNESS", "ATTEST", "GATE", "BOM",
    ];
    for code in Code::ALL {
        let id = code.id();
        assert!(ids.insert(id), "{id} twice");
        assert!(areas.contains(&code.area()), "{id}");
        let number = id.rsplit('-').next().unwrap();
        assert!(number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()), "{id}");
        assert_eq!(code.severity() == Severity::Error, code.exit() != ExitClass::Ok, "{id}");
        for text in [code.explanation(), code.remedy()] {
            assert!(text.ends_with('.'), "{id}: {text}");
        }
        assert_eq!(Code::from_id(id), Some(*code));
    }
}

/// Ids never change their meaning: a new code goes to the end of its area, or to the end of its part
/// of one, which begins at a full ten.
#[test]
fn numbers_of_an_area_are_consecutive() {
    let mut next = std::collections::BTreeMap::new();
    for code in Code::ALL {
        let expected = next.entry(code.area()).or_insert(1u32);
        let number: u32 = code.id().rsplit('-').next().unwrap().parse().unwrap();
        let part = code.area() == "ATTEST" && number > *expected && number.is_multiple_of(10);
        assert!(number == *expected || part, "{} comes after {}", code.id(), *expected - 1);
        *expected = number + 1;
    }
}
