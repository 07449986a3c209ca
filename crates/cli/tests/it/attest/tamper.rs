//! Every way to tamper that is known to have worked somewhere, and the exit and codes it ends with here.

use std::fs;
use std::os::unix::fs::symlink;

use attest::statement::{PAYLOAD_TYPE, Privacy};
use attest::{Bundle, Dependency};
use seal::Digest;
use seal::dsse::{Envelope, Signer as _};
use seal::json::Value;
use seal::time::UnixMillis;

use super::project::{MADE, Project, codes, key, sign};

struct Case {
    id: &'static str,
    what: &'static str,
    change: fn(&Project),
    more: &'static [&'static str],
    exit: i32,
    /// `CS-ATTEST-` stands before each; others are written in full.
    codes: &'static [&'static str],
}

const fn case(
    id: &'static str,
    what: &'static str,
    change: fn(&Project),
    exit: i32,
    codes: &'static [&'static str],
) -> Case {
    Case { id, what, change, more: &[], exit, codes }
}

#[test]
fn every_way_to_tamper_has_its_exit_and_codes() {
    let mut wrong = Vec::new();
    for case in CASES {
        let project = Project::new();
        (case.change)(&project);
        let (exit, report) = project.verify(case.more);
        let found: Vec<String> = codes(&report)
            .into_iter()
            .map(|code| code.strip_prefix("CS-ATTEST-").map(str::to_owned).unwrap_or(code))
            .collect();
        if exit != case.exit || found != case.codes {
            wrong.push(format!(
                "{} {}: exit {exit} {found:?}, expected {} {:?}",
                case.id, case.what, case.exit, case.codes
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn append(project: &Project, path: &str) {
    let place = project.path(path);
    let text = fs::read_to_string(&place).expect("a file");
    fs::write(place, text + "# tampered\n").expect("written");
}

fn replace(project: &Project, path: &str, from: &str, to: &str) {
    let place = project.path(path);
    let text = fs::read_to_string(&place).expect("a file");
    assert!(text.contains(from), "{path}");
    fs::write(place, text.replace(from, to)).expect("written");
}

/// Leaves the prompt alone, its bundle changed.
fn lone(project: &Project, change: impl FnOnce(&mut Bundle)) {
    project.take(&["corpus", "eval", "route", "slo", "model"]);
    let mut bundle = project.bundle("prompt");
    change(&mut bundle);
    project.put("prompt", &bundle);
}

fn swap(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} in {text}");
    text.replacen(from, to, 1)
}

const CASES: &[Case] = &[
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
    // ---- files ----
    case(
        "T36",
        "a file of the same length",
        |p| replace(p, "app/system.txt", "handbook", "bookhand"),
        12,
        &["023"],
    ),
    case(
        "T37",
        "two files exchanged",
        |p| {
            let (one, two) = (p.path("data/docs/a.md"), p.path("data/docs/b.md"));
            let (first, second) = (fs::read(&one).expect("read"), fs::read(&two).expect("read"));
            fs::write(one, second).expect("written");
            fs::write(two, first).expect("written");
        },
        12,
        &["022"],
    ),
    case(
        "T38",
        "a template more",
        |p| fs::write(p.path("app/templates/more/new.txt"), "x").expect("written"),
        12,
        &["024"],
    ),
    case(
        "T39",
        "a document more, hidden",
        |p| fs::write(p.path("data/docs/.c.md"), "x").expect("written"),
        12,
        &["024"],
    ),
    case(
        "T40",
        "a template less",
        |p| fs::remove_file(p.path("app/templates/more/cite.txt")).expect("removed"),
        12,
        &["021"],
    ),
    case(
        "T41",
        "a directory less",
        |p| fs::remove_dir_all(p.path("app/tools")).expect("removed"),
        12,
        &["021"],
    ),
    case(
        "T42",
        "a link in the place of a file",
        |p| {
            fs::rename(p.path("app/system.txt"), p.path("elsewhere.txt")).expect("moved");
            symlink("../elsewhere.txt", p.path("app/system.txt")).expect("linked");
        },
        12,
        &["025"],
    ),
    case(
        "T43",
        "a link in the place of a directory",
        |p| {
            fs::rename(p.path("route"), p.path("elsewhere")).expect("moved");
            symlink("elsewhere", p.path("route")).expect("linked");
        },
        12,
        &["025"],
    ),
    case(
        "T44",
        "a device in the place of a file",
        |p| {
            fs::remove_file(p.path("app/system.txt")).expect("removed");
            symlink("/dev/zero", p.path("app/system.txt")).expect("linked");
        },
        12,
        &["025"],
    ),
    case("T45", "a path that leads out", |p| astray(p, "../../etc/passwd"), 14, &["017"]),
    case("T46", "an absolute path", |p| astray(p, "/etc/passwd"), 14, &["017"]),
    case("T47", "a device as a path", |p| astray(p, "/dev/zero"), 14, &["017"]),
    case(
        "T48",
        "another size, signed",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.subjects[0].size += 1);
        },
        12,
        &["022"],
    ),
    case(
        "T49",
        "no subjects",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.subjects.clear());
        },
        14,
        &["016"],
    ),
    case(
        "T50",
        "a tree that is not said to be one",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.trees.clear());
        },
        14,
        &["018"],
    ),
    // ---- what is said ----
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
    // ---- time and chain ----
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

fn text_of(bundle: &Bundle) -> String {
    assert_eq!(bundle.envelope.payload_type, PAYLOAD_TYPE);
    String::from_utf8(bundle.envelope.payload.clone()).expect("text")
}

/// A system prompt at this path.
fn astray(project: &Project, path: &str) {
    lone(project, |_| {});
    project.restate("prompt", |one| {
        for subject in one.subjects.iter_mut().filter(|one| one.role == "system_prompt") {
            subject.path = path.into();
        }
    });
}

fn set(value: &mut Value, at: &[&str], to: Value) {
    let mut place = value;
    for name in at {
        place = place.get_mut(name).expect("a member");
    }
    assert_ne!(*place, to, "nothing changed");
    *place = to;
}
