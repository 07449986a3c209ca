//! Bills of materials: written of what is attested, and those of others held against it.

use std::fs;
use std::path::Path;
use std::process::Command;

use attest::Purl;
use seal::Digest;
use seal::json::{Limits, Value, parse, write_plain};

use super::project::{Project, codes, key};
use crate::commands::scan::sarif_faults;
use crate::running::{countersign, said};

const LIMITS: Limits = Limits { bytes: 64 << 20, depth: 64 };

/// `countersign attest ARGS`, which must end with `exit`: what it prints on standard output.
fn prints(dir: &Path, args: &[&str], exit: i32) -> String {
    let output = countersign(dir, &[&["attest"], args].concat());
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

const TRUST: &[&str] = &["--trust", "trust.yaml"];

fn json(text: &str) -> Value {
    parse(text.as_bytes(), LIMITS).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What the other side says of each of these, where its packages are installed.
fn peer(dir: &Path, args: &[&str]) -> Option<Vec<String>> {
    let python = crate::sdk::python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/peer_bom.py");
    let run = Command::new(python).arg(script).args(args).current_dir(dir).output();
    let run = run.expect("python runs");
    assert!(run.status.success(), "{}", said(&run));
    let told: Vec<String> =
        String::from_utf8_lossy(&run.stdout).lines().map(str::to_owned).collect();
    if told == ["missing"] {
        eprintln!("skipped: cyclonedx-python-lib is not installed");
        return None;
    }
    Some(told)
}

#[test]
fn the_same_statements_give_the_same_bill_of_materials() {
    let project = Project::new();
    let bom = [&["bom"], TRUST].concat();
    let made = prints(project.dir(), &bom, 0);
    prints(project.dir(), &[&bom[..], &["--out", "bom.json"]].concat(), 0);
    assert_eq!(fs::read_to_string(project.path("bom.json")).expect("a file"), made);
    prints(project.dir(), &[&bom[..], &["--out", "bom.json"]].concat(), 73);

    let value = json(&made);
    assert_eq!(text(&value, "specVersion"), "1.6");
    let metadata = value.get("metadata").expect("metadata");
    assert_eq!(text(metadata, "timestamp"), "2024-01-01T00:00:00Z");
    let components = list(&value, "components");
    let named: Vec<(&str, &str)> =
        components.iter().map(|one| (text(one, "type"), text(one, "name"))).collect();
    assert_eq!(
        named,
        [
            ("data", "corpus"),
            ("data", "smoke"),
            ("machine-learning-model", "small"),
            ("data", "prompt"),
            ("data", "route"),
            ("data", "chat"),
        ]
    );
    let reference = |kind: &str| format!("{kind}:{}", project.payload(kind).1);
    let route = list(&value, "dependencies").iter();
    let route = route.map(|one| (text(one, "ref"), list(one, "dependsOn")));
    let on = route.filter(|(name, _)| *name == reference("route")).flat_map(|(_, on)| on);
    let on: Vec<&str> = on.filter_map(Value::as_str).collect();
    assert_eq!(on, [reference("eval"), reference("model")]);

    let other = ["--at", "2024-05-01T00:00:00Z", "--application", "shop"];
    let other = json(&prints(project.dir(), &[&bom[..], &other].concat(), 0));
    assert_eq!(text(&other, "serialNumber"), text(&value, "serialNumber"));
    let metadata = other.get("metadata").expect("metadata");
    assert_eq!(text(metadata, "timestamp"), "2024-05-01T00:00:00Z");
    assert_eq!(metadata.get("component").map(|one| text(one, "name")), Some("shop"));
    prints(project.dir(), &[&bom[..], &["--at", "today"]].concat(), 64);
}

#[test]
fn what_does_not_hold_has_no_bill_of_materials() {
    let project = Project::new();
    let refused = |args: &[&str], exit: i32, code: &str| {
        let output = countersign(project.dir(), &[&["attest", "bom", "--out", "o"], args].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        assert!(output.stdout.is_empty() && !project.path("o").exists(), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(code), "{}", said(&output));
    };
    refused(&[], 11, "CS-ATTEST-004");
    fs::create_dir(project.path("empty")).expect("made");
    refused(&[&["empty"], TRUST].concat(), 10, "CS-EVIDENCE-002");
    refused(&[TRUST, &["--threshold", "prompt=2"]].concat(), 11, "CS-ATTEST-013");
    refused(&[TRUST, &["--sign", "trust.yaml"]].concat(), 65, "trust.yaml");
    fs::write(project.path("app/system.txt"), "other\n").expect("written");
    refused(TRUST, 12, "CS-ATTEST-022");
    project.take(&["corpus"]);
    refused(&[TRUST, &["--no-subjects"]].concat(), 14, "CS-ATTEST-029");
}

#[test]
fn a_bill_of_materials_is_signed_as_a_statement() {
    let project = Project::new();
    let plain = prints(project.dir(), &[&["bom", "--format", "intoto"], TRUST].concat(), 0);
    let pem = seal::key::SecretKey::from_seed([2; 32]).to_pem();
    fs::write(project.path("key.pem"), pem.as_bytes()).expect("written");
    prints(project.dir(), &[&["bom", "--sign", "key.pem", "--out", "bom"], TRUST].concat(), 0);
    let bundle = fs::read(project.path("bom")).expect("a bundle");
    let bundle = attest::Bundle::read(&bundle).expect("a bundle");
    let key = key(2);
    let public = seal::dsse::Signer::public(&key);
    assert_eq!(bundle.envelope.signers([public]).len(), 1);
    let statement = json(std::str::from_utf8(&bundle.envelope.payload).expect("text"));
    assert_eq!(text(&statement, "predicateType"), "https://cyclonedx.org/bom");
    assert_eq!(list(&statement, "subject").len(), 6);
    let serial =
        |value: &Value| value.get("predicate").map(|bom| text(bom, "serialNumber").to_owned());
    assert_eq!(serial(&statement), serial(&json(&plain)));
}

/// The example as its demonstration leaves it, with what that changed put back.
fn example(dir: &Path) {
    prints(dir, &["demo", "rag"], 0);
    let prompt = include_str!("../../../../../examples/rag/app/system_prompt.txt");
    fs::write(dir.join("rag/app/system_prompt.txt"), prompt).expect("written");
}

#[test]
fn what_is_written_is_what_the_format_says() {
    let project = Project::new();
    let bom = [&["bom", "--out", "six.json", "--application", "shop"], TRUST].concat();
    prints(project.dir(), &bom, 0);
    // every member of a model, sensitive files, commitments, several signers
    project.restate("model", |one| {
        let root = text(&one.own, "root").to_owned();
        one.own = json(&format!(
            r#"{{"name":"small","version":"1","purl":"pkg:huggingface/org/small@abc","root":"{root}",
            "base":"big","base_purl":"pkg:huggingface/org/big@1","adapters_purl":"pkg:generic/lora@1",
            "quantisation":{{"method":"gptq","bits":4,"tool":"q"}},
            "chain":[{{"role":"judge","name":"j","provider":"p","purl":"pkg:generic/judge@1"}}]}}"#
        ));
        one.sensitivity = vec!["internal".into(), "personal".into()];
        one.source = Some(attest::statement::Source {
            repository: Some("https://git.example/a?b=c".into()),
            commit: "0123".into(),
        });
    });
    project.restate("prompt", |one| one.sensitivity = vec!["internal".into()]);
    let on = attest::Dependency { kind: "model".into(), digest: project.payload("model").1 };
    project.restate("eval", |one| one.depends_on.push(on));
    for kind in ["route", "slo"] {
        project.restate(kind, |_| {});
    }
    prints(project.dir(), &[&["bom", "--out", "all.json"], TRUST].concat(), 0);
    example(project.dir());
    let rag =
        ["--dir", "rag", "attest", "bom", "--trust", "rag/demo.trust.yaml", "--out", "rag.json"];
    let output = countersign(project.dir(), &rag);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));

    let all = fs::read_to_string(project.path("all.json")).expect("a file");
    for told in ["\"performanceMetrics\"", "\"pedigree\"", "\"sensitiveData\"", "\"vcs\"", "gptq"] {
        assert!(all.contains(told), "{told}: {all}");
    }
    let args = ["check", "six.json", "all.json", "rag.json"];
    let Some(told) = peer(project.dir(), &args) else { return };
    assert_eq!(
        told,
        [
            "yes: data chat, data corpus, data prompt, data route, data smoke, machine-learning-model small",
            "yes: data chat, data corpus, data prompt, data route, data smoke, machine-learning-model j, machine-learning-model small",
            "yes: data corpus, data prompt, data route, data shop-assistant, data shop-questions, machine-learning-model simulator, machine-learning-model spoke-ranker",
        ]
    );
}

/// `attest match` with more arguments: the exit's JSON.
fn matched(project: &Project, more: &[&str], exit: i32) -> Value {
    let args = [&["match"], TRUST, &["--format", "json"], more].concat();
    json(&prints(project.dir(), &args, exit))
}

/// The names of what is judged, each with its standing.
fn standings(report: &Value) -> Vec<String> {
    let sbom = report.get("sbom").expect("a bill of materials");
    let told = |one: &Value| {
        format!("{}: {}, {}", text(one, "name"), text(one, "standing"), text(one, "why"))
    };
    list(sbom, "components").iter().map(told).collect()
}

#[test]
fn our_own_bill_of_materials_is_attested() {
    let project = Project::new();
    prints(project.dir(), &[&["bom", "--out", "bom.json"], TRUST].concat(), 0);
    let report = matched(&project, &["bom.json"], 0);
    assert_eq!(standings(&report).len(), 6);
    assert_eq!(standings(&report)[2], "small: attested, digest: root");
    let all = matched(&project, &["bom.json", "--all"], 0);
    assert_eq!(standings(&all).len(), 6 + 21);
    assert_eq!(codes(&report), [""; 0]);
    // what does not hold counts for nothing, and is told as in a verification
    fs::write(project.path("model/weights/one.bin"), "other\n").expect("written");
    let report = matched(&project, &["bom.json"], 12);
    assert_eq!(codes(&report), ["CS-ATTEST-022", "CS-BOM-001"]);
    assert_eq!(standings(&report)[2], "small: not attested, no statement has its digest");

    example(project.dir());
    let rag =
        ["--dir", "rag", "attest", "bom", "--trust", "rag/demo.trust.yaml", "--out", "rag.json"];
    assert!(countersign(project.dir(), &rag).status.success());
    let args = ["--dir", "rag", "attest", "match", "rag.json", "--trust", "rag/demo.trust.yaml"];
    let output = countersign(project.dir(), &args);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(10), "{told}");
    let open = "not attested machine-learning-model simulator: it has neither a SHA-256 nor a package URL\n";
    assert!(told.contains(open) && told.contains("judged      7\nattested    6\n"), "{told}");
}

#[test]
fn what_is_not_attested_is_told_in_four_ways() {
    let project = Project::new();
    let hex = "0".repeat(64);
    let hostile = "a|b\\u001b[31m<b>";
    let sbom = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
        {{"type":"machine-learning-model","bom-ref":"../x.bundle.json","name":"{hostile}","hashes":[{{"alg":"SHA-256","content":"{hex}"}}]}},
        {{"type":"library","name":"l"}}]}}"#
    );
    fs::write(project.path("sbom.json"), sbom).expect("written");
    let told = |format: &str| {
        let args = ["match", "sbom.json", "--trust", "trust.yaml", "--format", format];
        let told = prints(project.dir(), &args, 10);
        assert!(!told.contains('\u{1b}'), "{told}");
        told
    };
    let table = told("table");
    for said in [
        "kind        bill of materials",
        "components  2\n",
        "judged      1\n",
        "CS-BOM-001 error ../x.bundle.json",
    ] {
        assert!(table.contains(said), "{said}: {table}");
    }
    assert!(table.contains("2 attested models and corpora are not listed\n"), "{table}");
    let page = told("markdown");
    assert!(page.contains("## Components") && page.contains("| not attested |"), "{page}");
    assert!(!page.contains("<b>"), "{page}");
    let sarif = json(&told("sarif"));
    assert_eq!(sarif_faults(&sarif), [""; 0]);
    assert!(write_plain(&sarif).contains("\"uri\":\"sbom.json\""), "{sarif:?}");
    fs::write(project.path("match.json"), told("json")).expect("written");
    assert_eq!(prints(project.dir(), &["report", "match.json"], 0), page);
}

#[test]
fn bills_of_materials_of_others_are_read() {
    let project = Project::new();
    let own = |one: &mut attest::Statement, name: &str, purl: &str| {
        let Value::Object(members) = &mut one.own else { panic!("an object") };
        members.push((name.into(), purl.into()));
    };
    project.restate("model", |one| own(one, "purl", "pkg:huggingface/org/small@0123abcd"));
    project.restate("corpus", |one| own(one, "purl", "pkg:oci/corpus@sha256:0123"));
    for kind in ["eval", "route", "slo"] {
        project.restate(kind, |_| {});
    }
    let weights = Digest::of(b"weights one\n").hex();
    let other = Digest::of(b"other").hex();
    let model = |name: &str, rest: &str| {
        format!(r#"{{"type":"machine-learning-model","name":"{name}"{rest}}}"#)
    };
    let good = [
        model("weights", &format!(r#","sha256":"{weights}""#)),
        model("revision", r#","purl":"pkg:huggingface/org/small@0123ABCD""#),
        r#"{"type":"data","name":"image","purl":"pkg:oci/corpus@sha256:0123?tag=v1"}"#.to_owned(),
    ];
    let open = [
        model("unknown", &format!(r#","sha256":"{other}""#)),
        model("other", r#","purl":"pkg:huggingface/org/small@ffff""#),
        model("unversioned", r#","purl":"pkg:huggingface/org/small""#),
    ];
    let differs = model(
        "changed",
        &format!(r#","purl":"pkg:huggingface/org/small@0123abcd","sha256":"{other}""#),
    );
    let nested = format!(
        r#"[{{"type":"application","name":"app","components":[{{"type":"library","name":"lib","components":[{}]}}]}}]"#,
        open.join(",")
    );
    for (spec, versions, exit, count, found) in [
        (format!("[{}]", good.join(",")), "1.5 1.6 1.7", 0, 3, vec![]),
        (nested, "1.6", 10, 3, vec!["CS-BOM-001"]),
        (format!("[{},{differs}]", open[0]), "1.6", 12, 2, vec!["CS-BOM-001", "CS-BOM-002"]),
        (r#"[{"type":"library","name":"lib"}]"#.to_owned(), "1.4", 10, 0, vec!["CS-BOM-003"]),
    ] {
        for version in versions.split(' ') {
            if peer(project.dir(), &["write", version, "theirs.json", &spec]).is_none() {
                return;
            }
            let report = matched(&project, &["theirs.json"], exit);
            assert_eq!(standings(&report).len(), count, "{report:?}");
            assert_eq!(codes(&report), found, "{report:?}");
        }
    }
}

#[test]
fn package_urls_are_those_of_packageurl_python() {
    let texts = [
        "pkg:huggingface/Org/Name@ABCDEF",
        "pkg:huggingface/datasets/org/name@main",
        "pkg:HuggingFace/Org/Name",
        "pkg:oci/Image@sha256%3AABCD?repository_url=ghcr.io/x/Image&tag=v1",
        "pkg:pypi/Some_Package@1.0",
        "pkg:npm/%40angular/core@1.0%2B2",
        "pkg:generic/a%20b/c%3Fd@1%402?x=%26y&a=b%3Dc#e/./f%23",
        "pkg:generic/open%C3%A9@1",
        "pkg:github/Org/Repo@V1",
        "pkg:mlflow/Model@3?repository_url=https://adb-1.azuredatabricks.net/api/2.0/mlflow",
        "pkg:docker/cassandra@sha256:244fd47e07d1004f0aed9c",
        "pkg:generic",
        "pkg:/x",
        "npm:x/y",
        "",
    ];
    let Some(told) = peer(Path::new("."), &[&["purl"], &texts[..]].concat()) else { return };
    let ours = texts.map(|text| Purl::parse(text).map_or("no".to_owned(), |purl| purl.to_string()));
    assert_eq!(ours.as_slice(), told);
}

#[test]
fn hostile_bills_of_materials_are_refused_or_quick() {
    let project = Project::new();
    let whole = |rest: &str| format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6"{rest}}}"#);
    let part = r#"{"type":"machine-learning-model","name":"x""#;
    let mut nested = format!("{part}}}");
    for _ in 0..1000 {
        nested = format!(r#"{part},"components":[{nested}]}}"#);
    }
    for (text, why) in [
        (String::new(), "empty"),
        ("\u{feff}{}".into(), "byte order mark"),
        ("<bom/>".into(), "not JSON"),
        ("{}".into(), "neither bomFormat nor spdxVersion"),
        (whole(r#","specVersion":"1.5""#), "duplicate key"),
        (whole(&format!(r#","components":[{nested}]"#)), "nested deeper"),
        (whole(&format!(r#","x":{}"#, "[".repeat(1_000_000))), "nested deeper"),
        (whole(r#","components":{"a":1}"#), "/components: is not a list"),
        (whole(r#","components":[[]]"#), "/components/0: is not an object"),
        (whole(&format!(r#","components":[{part},"hashes":"x"}}]"#)), "/components/0/hashes"),
        (whole(r#","metadata":7"#), "/metadata: is not an object"),
        (r#"{"bomFormat":"CycloneDX","specVersion":1.6}"#.into(), "expected CycloneDX"),
        (r#"{"bomFormat":"CycloneDX","specVersion":"9"}"#.into(), "expected CycloneDX"),
        (r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"x"}]}"#.into(), "/packages/0/SPDXID"),
    ] {
        fs::write(project.path("hostile.json"), &text).expect("written");
        let args = ["attest", "match", "hostile.json", "--trust", "trust.yaml"];
        let output = countersign(project.dir(), &args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(65), "{why}: {}", said(&output));
        assert!(stderr.contains(why) && output.stdout.is_empty(), "{why}: {stderr}");
    }
    let many = vec![format!("{part},\"purl\":\"pkg:huggingface/a/b@1\"}}"); 200_000].join(",");
    fs::write(project.path("many.json"), whole(&format!(",\"components\":[{many}]")))
        .expect("written");
    let args = ["match", "many.json", "--trust", "trust.yaml"];
    let told = prints(project.dir(), &args, 10);
    assert!(told.contains("CS-BOM-001: 199900 more") && told.contains("and 199900 more"), "{told}");
    prints(project.dir(), &["match", "nothing.json", "--trust", "trust.yaml"], 66);
    prints(project.dir(), &["match", "attestations", "--trust", "trust.yaml"], 74);
}
