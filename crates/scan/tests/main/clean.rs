//! Ordinary texts: none of them may be more than clean.

use countersign_scan::{Engine, Target, Verdict};

#[test]
fn ordinary_texts_are_clean() {
    let engine = Engine::builtin();
    for text in TEXTS {
        for target in Target::ALL {
            let scan = engine.scan(text, target);
            assert_eq!(scan.verdict, Verdict::Clean, "{text:?}: {:?}", scan.hits);
            assert!(scan.redactions().is_empty(), "{text:?}: {:?}", scan.hits);
        }
    }
}

#[rustfmt::skip]
static TEXTS: &[&str] = &[
    "",
    "Can I ignore compiler rules about unused vars?",
    "family \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}, heart \u{2764}\u{fe0f}, flag \u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
    "commit 4bf5122f344554c53bde2ebb8cd2b7e3d1600ad6 fixes it",
    "\"integrity\": \"sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==\"",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "script-src 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='",
    "Subject: =?UTF-8?B?w5xiZXJzaWNodCBkZXIgQmVzdGVsbHVuZw==?=",
    "Espa\u{f1}a es un pa\u{ed}s con una historia larga. \u{bf}Qu\u{e9} opina usted de las nuevas reglas del sistema educativo?",
    "Le syst\u{e8}me affiche un message lorsque les consignes ne sont pas respect\u{e9}es. L'\u{e9}t\u{e9} dernier, nous sommes all\u{e9}s \u{e0} la mer.",
    "Die Anweisungen im Handbuch sind klar. F\u{fc}r gr\u{f6}\u{df}ere Projekte gelten \u{e4}hnliche Regeln, die man nicht vergessen sollte.",
    "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43a}\u{430}\u{43a} \u{434}\u{435}\u{43b}\u{430}? \u{41f}\u{43e}\u{43a}\u{430}\u{436}\u{438} \u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440} \u{43a}\u{43e}\u{434}\u{430}.",
    "\u{8bf7}\u{5e2e}\u{6211}\u{7ffb}\u{8bd1}\u{8fd9}\u{6bb5}\u{8bdd}\u{3002}",
    "Use #[allow(unused_variables)] or prefix the name with an underscore; rustc then ignores it.",
    "git rebase --interactive HEAD~3 && git push --force-with-lease origin feature/ABC-123_rework-of-the-parser",
    "The previous instructions in the manual were wrong, please see the errata.",
    "Write a system prompt for a friendly travel assistant.",
    "for i in range(10): print(i)  # previous rules of the game: ignore 13",
    "Add the new rule to .eslintrc and override the default for test files.",
    "curl -fsSL https://sh.rustup.rs | less",
    "Send the request to https://api.example.com/v1/users with your token in the header.",
    "uuid 550e8400-e29b-41d4-a716-446655440000, port 8443, 2026-11-20T10:00:00Z, +49 30 901820",
    "GET /search?q=hello%20world%20and%20more&lang=en HTTP/1.1",
    "&lt;div class=&quot;a&quot;&gt;&amp;nbsp;&lt;/div&gt;",
    "A B C D E F G: the notes of the scale. U.S.A. and U.K. and E.U.",
    "const TAGS: &[char] = &['\\u{E0061}', '\\u{E0062}', '\\u{202E}', '\\u{FE0F}'];",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}\u{200d}\u{26bd}",
    "let big = 4951948911778577463u64; let nanos = 1_763_676_000_000_000_000; let half = 2251799813685248;",
    "x86_64-unknown-linux-gnu sha256 utf8 h264 mp3 i18n l10n k8s a11y 3D 2nd 4ever",
    "please summarise this contract and keep the tone formal; do not mention prices",
    "You are a helpful assistant. Answer in two sentences.",
    "How do I disable the content filter of my router?",
    "Explain the rules of chess to a beginner and show an example game.",
];

#[test]
fn a_repository_page_of_prose_and_code_is_clean() {
    let engine = Engine::builtin();
    for text in [include_str!("../../src/engine.rs"), include_str!("../../src/unpack.rs")] {
        let scan = engine.scan(text, Target::ToolResult);
        assert_eq!(scan.verdict, Verdict::Clean, "{:?}", scan.hits);
    }
}
