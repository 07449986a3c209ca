//! What a statement says.

use super::*;

pub const CASES: &[Case] = &[
    case(
        "T51",
        "two roles exchanged under the old manifest",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| {
                text.replace("\"system_prompt\"", "\"?\"")
                    .replace("\"safety_policy\"", "\"system_prompt\"")
                    .replace("\"?\"", "\"safety_policy\"")
            });
        },
        12,
        &["020"],
    ),
    case(
        "T52",
        "the members of another type",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| {
                swap(&text, "attestation/prompt/v1", "attestation/corpus/v1")
            });
        },
        14,
        &["016"],
    ),
    case(
        "T53",
        "a type nobody knows",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| swap(&text, "attestation/prompt/v1", "attestation/other/v1"));
        },
        14,
        &["015"],
    ),
    case(
        "T54",
        "a member twice",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| swap(&text, "{\"_type\"", "{\"_type\":\"x\",\"_type\""));
        },
        14,
        &["014"],
    ),
    case(
        "T55",
        "a member in capitals",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| swap(&text, "\"sensitivity\"", "\"Sensitivity\""));
        },
        14,
        &["016"],
    ),
    case(
        "T56",
        "a metric typed in by hand",
        |p| {
            p.take(&["route", "slo"]);
            p.restate("eval", |one| set(&mut one.own, &["metrics", "accuracy"], "0.99".into()));
        },
        12,
        &["034"],
    ),
    case(
        "T57",
        "a threshold lowered until it passes, and the verdict left",
        |p| {
            p.take(&["route", "slo"]);
            p.restate("eval", |one| {
                set(&mut one.own, &["thresholds", "accuracy", "min"], "0.9".into())
            });
        },
        12,
        &["034"],
    ),
    case(
        "T58",
        "a regression that is not told",
        |p| {
            p.take(&["route", "slo"]);
            replace(p, "eval/baseline.jsonl", "\"0.4\"", "\"1.0\"");
            p.restate("eval", |one| {
                set(&mut one.own, &["passed"], true.into());
                set(&mut one.own, &["regression_detected"], false.into());
                set(&mut one.own, &["failures"], Value::Array(Vec::new()));
            });
        },
        12,
        &["034"],
    ),
    case(
        "T59",
        "a regression that is told",
        |p| {
            p.take(&["route", "slo"]);
            replace(p, "eval/baseline.jsonl", "\"0.4\"", "\"1.0\"");
            p.restate("eval", |_| {});
        },
        0,
        &["036"],
    ),
    case(
        "T60",
        "results that are none",
        |p| {
            p.take(&["route", "slo"]);
            let good = p.statement("eval").own;
            replace(p, "eval/scoring.yaml", "mean", "median");
            replace(p, "eval/scoring.yaml", "median", "mode");
            let content = fs::read(p.path("eval/scoring.yaml")).expect("read");
            let mut statement = {
                replace(p, "eval/scoring.yaml", "mode", "mean");
                let statement = p.statement("eval");
                replace(p, "eval/scoring.yaml", "mean", "mode");
                statement
            };
            statement.own = good;
            for one in statement.subjects.iter_mut().filter(|one| one.role == "scoring_config") {
                one.digest = Digest::of(&content);
                one.size = content.len() as u64;
            }
            p.put("eval", &sign(&statement.write(), 1));
        },
        14,
        &["035"],
    ),
    case(
        "T61",
        "another root of the model",
        |p| {
            p.take(&["route", "slo"]);
            p.restate("model", |one| set(&mut one.own, &["root"], "0".repeat(64).into()));
        },
        12,
        &["038"],
    ),
    case("T62", "a route to a model that is not there", |p| p.take(&["model"]), 14, &["039"]),
    case(
        "T63",
        "a window that ends before it begins",
        |p| {
            p.restate("slo", |one| {
                set(&mut one.own, &["window", "end"], "2023-01-01T00:00:00Z".into());
            });
        },
        14,
        &["019"],
    ),
    case(
        "T64",
        "more than everything may fail",
        |p| p.restate("slo", |one| set(&mut one.own, &["error_rate_cap"], "1.5".into())),
        14,
        &["037"],
    ),
    case(
        "T65",
        "an embedded text that is not the file",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| {
                let text = ("app/system.txt".to_owned(), "harmless".to_owned());
                one.privacy = Privacy::PlaintextExplicit(vec![text]);
            });
        },
        12,
        &["040"],
    ),
    case(
        "T66",
        "a commitment without its salt",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.subjects[0].salt = Some(Digest::of(b"salt")));
        },
        10,
        &["026"],
    ),
    case(
        "T82",
        "files in clear under the name of a mode that has none",
        |p| {
            lone(p, |_| {});
            p.resign("prompt", |text| {
                let files =
                    "\"files\":[{\"content\":\"secret\",\"name\":\"app/system.txt\"}],\"mode\"";
                swap(&text, "\"mode\"", files)
            });
        },
        14,
        &["016"],
    ),
];
