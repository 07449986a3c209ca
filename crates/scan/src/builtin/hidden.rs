//! Characters that carry text no reader sees.

use super::Row;
use crate::rule::{Detector, Pattern, Rule, Severity, Targets};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Row {
            id: "CS-INJ-100",
            technique: "hidden-unicode",
            severity: Severity::Medium,
            targets: Targets::ALL,
            pattern: Pattern::Detector(Detector::TagCharacters),
            about: "text in Unicode tag characters, outside of an emoji flag",
            hits: &[
                "hello\u{e0068}\u{e0069}",
                "\u{1f3f4}\u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065}\u{e0020}\u{e0061}",
            ],
            misses: &[
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} Scotland",
                "flags \u{1f1e9}\u{1f1ea}",
            ],
        }
        .injection(),
        Row {
            id: "CS-INJ-101",
            technique: "hidden-unicode",
            severity: Severity::Medium,
            targets: Targets::ALL,
            pattern: Pattern::Detector(Detector::InvisibleBytes),
            about: "bytes in a run of variation selectors or invisible characters",
            hits: &[
                "\u{1f600}\u{e0158}\u{e0159}\u{e015e}\u{e015f}\u{e0162}",
                "a\u{2062}\u{2064}\u{2064}\u{2062}\u{2064}\u{2062}\u{2062}\u{2064}\u{2062}\u{2064}\u{2064}\u{2062}\u{2064}\u{2062}\u{2062}\u{2064}",
            ],
            misses: &[
                "\u{2764}\u{fe0f} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
                "\u{845b}\u{e0100}\u{57ce}",
            ],
        }
        .injection(),
        Row {
            id: "CS-INJ-102",
            technique: "hidden-unicode",
            severity: Severity::Medium,
            targets: Targets::ALL,
            pattern: Pattern::Detector(Detector::BidiOverride),
            about: "a character that makes text read in another order than it is stored",
            hits: &["access \u{202e}nimda\u{202c}", "a\u{202d}b"],
            misses: &["\u{200f}\u{5e9}\u{5dc}\u{5d5}\u{5dd}\u{200e} ok", "plain"],
        }
        .injection(),
        Row {
            id: "CS-INJ-103",
            technique: "hidden-unicode",
            severity: Severity::Low,
            targets: Targets::ALL,
            pattern: Pattern::Detector(Detector::ZeroWidthInWord),
            about: "a zero-width character inside a word",
            hits: &["pass\u{200b}word", "ig\u{2060}nore"],
            misses: &["\u{1f468}\u{200d}\u{1f469}", "soft\u{ad}ware"],
        }
        .injection(),
    ]
}
