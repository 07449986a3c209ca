//! Times, chains, hostile bundles, and several faults at once.

use super::*;

pub const CASES: &[Case] = &[
    case(
        "T67",
        "expired",
        |p| {
            p.restate("slo", |one| one.expires_at = Some(UnixMillis(MADE.0 + 1000)));
        },
        11,
        &["012"],
    ),
    case(
        "T68",
        "of the future",
        |p| p.restate("slo", |one| one.generated_at = UnixMillis(4_000_000_000_000)),
        11,
        &["011"],
    ),
    case(
        "T69",
        "an end before the beginning",
        |p| p.restate("slo", |one| one.expires_at = Some(UnixMillis(MADE.0 - 1000))),
        11,
        &["012", "019"],
    ),
    case(
        "T70",
        "the prompt attested anew, the eval not",
        |p| p.restate("prompt", |one| one.sensitivity.push("internal".into())),
        14,
        &["029"],
    ),
    case(
        "T71",
        "an eval older than what it evaluates",
        |p| {
            p.take(&["route", "slo"]);
            p.restate("eval", |one| one.generated_at = UnixMillis(MADE.0 - 1000));
        },
        14,
        &["031"],
    ),
    case(
        "T72",
        "an eval of no prompt",
        |p| {
            p.take(&["route", "slo"]);
            p.restate("eval", |one| one.depends_on.retain(|on| on.kind != "prompt"));
        },
        14,
        &["028"],
    ),
    case(
        "T73",
        "a corpus in the place of the prompt",
        |p| {
            p.take(&["route", "slo"]);
            let corpus = p.payload("corpus").1;
            p.restate("eval", |one| {
                one.depends_on = ["prompt", "corpus"]
                    .map(|kind| Dependency { kind: kind.into(), digest: corpus })
                    .into();
            });
        },
        14,
        &["030"],
    ),
    case(
        "T74",
        "one id for two statements",
        |p| {
            let mut other = p.statement("prompt");
            other.sensitivity.push("internal".into());
            p.put("second", &sign(&other.write(), 1));
        },
        14,
        &["033"],
    ),
    // ---- hostile bundles, and several faults at once ----
    case("T75", "no JSON", |p| p.put_text("x", "no"), 14, &["001"]),
    case(
        "T76",
        "a member of the bundle twice",
        |p| {
            lone(p, |_| {});
            let text = p.bundle("prompt").write();
            p.put_text(
                "prompt",
                &swap(&text, "{\"mediaType\"", "{\"mediaType\":\"x\",\"mediaType\""),
            );
        },
        14,
        &["001"],
    ),
    case(
        "T77",
        "a link among the bundles",
        |p| {
            let link = p.path("attestations/x.bundle.json");
            symlink("/dev/zero", link).expect("linked");
        },
        14,
        &["CS-FILE-002"],
    ),
    case(
        "T78",
        "tampering, hidden behind a bad signature and a bad schema",
        |p| {
            append(p, "slo/profile.json");
            p.put_text("x", "no");
            p.put("y", &sign(&text_of(&p.bundle("prompt")), 9));
        },
        12,
        &["001", "005", "022"],
    ),
    case(
        "T79",
        "no bundle",
        |p| p.take(&["prompt", "corpus", "eval", "route", "slo", "model"]),
        10,
        &["CS-EVIDENCE-002"],
    ),
    Case {
        more: &["--no-subjects"],
        ..case("T80", "a change that nobody looks at", |p| append(p, "app/system.txt"), 0, &["027"])
    },
    case(
        "T81",
        "schemas of one's own beside the bundles",
        |p| {
            fs::create_dir_all(p.path("schemas/v1")).expect("made");
            fs::write(p.path("schemas/v1/prompt.schema.json"), "{}").expect("written");
            lone(p, |_| {});
            p.restate("prompt", |one| one.own = Value::object([("x", Value::from(1i64))]));
        },
        14,
        &["016"],
    ),
];
