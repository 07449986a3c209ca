//! Whose word it is, and the twenty cases that every tool of this kind has.

use super::*;

pub const CASES: &[Case] = &[
    case("T00", "nothing", |_| {}, 0, &[]),
    case("T01", "the system prompt", |p| append(p, "app/system.txt"), 12, &["022"]),
    case("T02", "a template", |p| append(p, "app/templates/base.txt"), 12, &["022"]),
    case("T03", "a tool's schema", |p| append(p, "app/tools/search.json"), 12, &["022"]),
    case("T04", "the safety policy", |p| append(p, "app/safety.yaml"), 12, &["022"]),
    case("T05", "the list of documents", |p| append(p, "data/documents.json"), 12, &["022"]),
    case("T06", "how documents are cut", |p| append(p, "data/chunking.yaml"), 12, &["022"]),
    case("T07", "what was embedded", |p| append(p, "data/embedding.jsonl"), 12, &["022"]),
    case("T08", "the test set", |p| append(p, "eval/testset.jsonl"), 12, &["022"]),
    case("T09", "the route", |p| append(p, "route/route.yaml"), 12, &["022"]),
    case("T10", "the profile of the SLO", |p| append(p, "slo/profile.json"), 12, &["022"]),
    case(
        "T11",
        "the signature",
        |p| lone(p, |bundle| bundle.envelope.signatures[0].sig[..3].fill(0)),
        11,
        &["008"],
    ),
    case(
        "T12",
        "the hint, for that of another trusted key",
        |p| {
            lone(p, |bundle| {
                bundle.hint = key(2).public().hint();
                bundle.envelope.signatures[0].keyid = bundle.hint.clone();
            });
        },
        11,
        &["009"],
    ),
    case(
        "T13",
        "the payload, under the old signature",
        |p| {
            let mut other = p.statement("prompt");
            other.sensitivity.push("public".into());
            lone(p, |bundle| bundle.envelope.payload = other.write().into_bytes());
        },
        11,
        &["008"],
    ),
    case("T14", "no signature", |p| lone(p, |b| b.envelope.signatures.clear()), 11, &["002"]),
    case(
        "T15",
        "a prompt without its system prompt, signed again",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.subjects.retain(|s| s.role != "system_prompt"));
        },
        14,
        &["018"],
    ),
    case(
        "T16",
        "a time that is none, signed again",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| swap(&text, &MADE.to_string(), "invalid-time"));
        },
        14,
        &["016"],
    ),
    case(
        "T17",
        "a digest that is none, signed again",
        |p| {
            lone(p, |_| {});
            let digest = p.statement("prompt").subjects[0].digest.hex();
            p.resign("prompt", |text| swap(&text, &digest, "abc"));
        },
        14,
        &["016"],
    ),
    case("T18", "only route and SLO", |p| p.take(&["prompt", "corpus", "eval"]), 14, &["029"]),
    case(
        "T19",
        "only the eval",
        |p| p.take(&["prompt", "corpus", "route", "slo", "model"]),
        14,
        &["029"],
    ),
    case(
        "T20",
        "a route on an eval that nobody knows, signed again",
        |p| {
            p.take(&["slo"]);
            p.restate("route", |one| one.depends_on[0].digest = Digest::of(b"unknown"));
        },
        14,
        &["029"],
    ),
    // ---- whose word it is ----
    case(
        "T21",
        "signed again with an attacker's key",
        |p| lone(p, |bundle| *bundle = sign(&text_of(bundle), 9)),
        11,
        &["005"],
    ),
    case(
        "T22",
        "signed by an attacker in a trusted name",
        |p| {
            lone(p, |bundle| {
                *bundle = sign(&text_of(bundle), 9);
                bundle.hint = key(1).public().hint();
            });
        },
        11,
        &["008"],
    ),
    case(
        "T23",
        "nobody is trusted",
        |p| fs::write(p.path("trust.yaml"), "version: 1\n").expect("written"),
        11,
        &["004"],
    ),
    case(
        "T24",
        "signed with a key of another purpose",
        |p| lone(p, |bundle| *bundle = sign(&text_of(bundle), 3)),
        11,
        &["006"],
    ),
    case(
        "T25",
        "signed with a key for another type",
        |p| lone(p, |bundle| *bundle = sign(&text_of(bundle), 4)),
        11,
        &["007"],
    ),
    case(
        "T26",
        "another payload type under the old signature",
        |p| lone(p, |b| b.envelope.payload_type = "application/json".into()),
        11,
        &["003", "008"],
    ),
    case(
        "T27",
        "another payload type, signed",
        |p| {
            lone(p, |bundle| {
                let payload = bundle.envelope.payload.clone();
                bundle.envelope =
                    Envelope::sign("application/json", payload, &key(1)).expect("signed");
            });
        },
        14,
        &["003"],
    ),
    case(
        "T28",
        "a keyid beside another hint",
        |p| lone(p, |b| b.envelope.signatures[0].keyid = key(2).public().hint()),
        11,
        &["009"],
    ),
    case(
        "T29",
        "a second signature",
        |p| {
            lone(p, |_| {});
            let text = p.bundle("prompt").write();
            p.put_text(
                "prompt",
                &swap(&text, "\"signatures\":[", "\"signatures\":[{\"sig\":\"aGk=\"},"),
            );
        },
        14,
        &["001"],
    ),
    // ---- thresholds ----
    Case {
        more: &["--threshold", "prompt=2"],
        ..case("T30", "one signer of two", |_| {}, 11, &["013"])
    },
    Case {
        more: &["--threshold", "prompt=2"],
        ..case(
            "T31",
            "the same signer twice",
            |p| p.put("again", &p.bundle("prompt")),
            11,
            &["013"],
        )
    },
    Case {
        more: &["--threshold", "prompt=2"],
        ..case(
            "T32",
            "two signers",
            |p| p.put("second", &sign(&text_of(&p.bundle("prompt")), 2)),
            0,
            &[],
        )
    },
    Case {
        more: &["--threshold", "prompt=2"],
        ..case(
            "T33",
            "two signers of two statements",
            |p| {
                let mut other = p.statement("prompt");
                other.id = "11111111-1111-4111-8111-111111111111".into();
                p.put("second", &sign(&other.write(), 2));
            },
            11,
            &["013"],
        )
    },
    Case {
        more: &["--threshold", "prompt=2"],
        ..case(
            "T34",
            "a second signer who may not",
            |p| p.put("second", &sign(&text_of(&p.bundle("prompt")), 4)),
            11,
            &["007", "013"],
        )
    },
    Case {
        more: &["--require", "slo", "--threshold", "route=1"],
        ..case("T35", "types that are not there", |p| p.take(&["slo", "route"]), 10, &["041"])
    },
];
