//! What of a bill of materials is attested, case by case.

use seal::digest::Digest;
use seal::json::{Limits, Value, parse};
use seal::time::UnixMillis;

use super::{Sbom, Standing, correlate};
use crate::bom::{About, document, intoto};
use crate::statement::{Dependency, Privacy, Statement, Subject};
use crate::verify::Attested;
use crate::{bom, types};

fn statement(kind: &str, files: &[(&str, &str)], own: &str) -> Statement {
    let own = parse(own.as_bytes(), Limits::DOCUMENT).unwrap();
    let subjects = files.iter().map(|(role, path)| Subject {
        role: (*role).into(),
        path: (*path).into(),
        digest: Digest::of(path.as_bytes()),
        size: 1,
        salt: None,
    });
    Statement {
        kind: types::named(kind).unwrap(),
        id: format!("0f8fad5b-d9cb-469f-a165-7086772895{:02x}", files.len()),
        generated_at: UnixMillis(1_704_067_200_000),
        expires_at: None,
        generator: ("countersign".into(), "0.1.0".into()),
        source: None,
        subjects: subjects.collect(),
        trees: Vec::new(),
        depends_on: Vec::new(),
        privacy: Privacy::HashOnly,
        sensitivity: Vec::new(),
        own,
    }
}

fn model() -> Statement {
    let root = Digest::of(b"root").hex();
    statement(
        "model",
        &[("weights", "w"), ("model_card", "card")],
        &format!(
            r#"{{"name":"m","version":"1","purl":"pkg:huggingface/Org/m@ABC","root":"{root}",
            "base":"big","base_purl":"pkg:huggingface/Org/big@1","quantisation":{{"method":"q","bits":4}},
            "adapters_purl":"pkg:generic/lora@2",
            "chain":[{{"role":"judge","name":"j","purl":"pkg:generic/judge@1"}}]}}"#
        ),
    )
}

fn prompt() -> Statement {
    statement("prompt", &[("system_prompt", "system")], "{}")
}

fn held(statement: &Statement) -> Attested<'_> {
    Attested {
        payload: Digest::of(statement.write().as_bytes()),
        statement,
        signers: vec!["ada"],
        stamped: None,
        logged: false,
        files: vec!["x y.bundle.json"],
    }
}

/// What one component comes to beside the statements: a word, and why.
fn stands(statements: &[&Statement], component: &str) -> (&'static str, String) {
    let sbom = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{{"name":"x",{component}}}]}}"#
    );
    let sbom = Sbom::read(sbom.as_bytes()).unwrap();
    let attested: Vec<Attested<'_>> = statements.iter().map(|one| held(one)).collect();
    let found = correlate(&sbom, &attested, true);
    let one = &found.judged[0];
    assert_eq!(found.findings().len(), usize::from(one.statement().is_none()));
    (one.word(), one.why())
}

fn hash(text: &str) -> String {
    let hex = Digest::of(text.as_bytes()).hex();
    format!(r#""hashes":[{{"alg":"SHA-256","content":"{hex}"}}]"#)
}

#[test]
fn a_digest_or_a_versioned_name_attests() {
    let (model, prompt) = (model(), prompt());
    let both = [&model, &prompt];
    let ml = r#""type":"machine-learning-model""#;
    let purl = |text: &str| format!(r#"{ml},"purl":"{text}""#);
    for (component, word, why) in [
        (format!("{ml},{}", hash("root")), "attested", "digest: root"),
        (format!("{ml},{}", hash("w")), "attested", "digest: weights w"),
        (
            format!(r#""type":"data",{}"#, hash("system")),
            "attested",
            "digest: system_prompt system",
        ),
        (purl("pkg:huggingface/Org/m@abc"), "attested", "package URL"),
        (
            purl("pkg:HuggingFace/Org/%6d@AbC?repository_url=https://huggingface.co"),
            "attested",
            "package URL",
        ),
        // the same name somewhere else
        (
            purl("pkg:huggingface/Org/m@abc?repository_url=https://x"),
            "not attested",
            "no statement has its package URL, with where it is from",
        ),
        // of a model the model, not its card
        (format!("{},{}", purl("pkg:huggingface/Org/m@abc"), hash("card")), "differs", "not a"),
        (purl("pkg:generic/lora@2"), "attested", "package URL"),
        (
            format!("{},{}", purl("pkg:huggingface/Org/m@abc"), hash("w")),
            "attested",
            "digest: weights w",
        ),
        (
            format!("{},{}", purl("pkg:huggingface/Org/m@abc"), hash("other")),
            "differs",
            "not a digest of the statement",
        ),
        // the digest of what is attested under another name does not mend that
        (
            format!("{},{}", purl("pkg:huggingface/Org/m@abc"), hash("system")),
            "differs",
            "not a digest of the statement",
        ),
        (
            purl(
                &format!("pkg:huggingface/Org/m@abc?checksum=sha256:{}", Digest::of(b"o"))
                    .replace("sha256:sha256:", "sha256:"),
            ),
            "differs",
            "not a digest of the statement",
        ),
        (purl("pkg:huggingface/Org/m"), "not attested", "weak: its package URL has no version"),
        (purl("pkg:huggingface/Org/m@abd"), "not attested", "another version is attested: abc"),
        (purl("pkg:huggingface/org/m@abc"), "not attested", "no statement has its package URL"),
        (purl("pkg:huggingface/Org/m@abc?file=q4"), "not attested", "no statement has its package"),
        (purl("pkg:generic/judge@1"), "not attested", "no statement has its package URL"),
        (purl("pkg:huggingface/Org/big@1"), "not attested", "no statement has its package URL"),
        (purl("hf:Org/m"), "not attested", "no package URL: does not begin with pkg:"),
        // under the name of another version
        (
            format!("{},{}", purl("pkg:huggingface/Org/m@abd"), hash("w")),
            "not attested",
            "its digest is attested as version abc, and its package URL says abd",
        ),
        // a model is not attested by what is no model, nor by its card
        (format!("{ml},{}", hash("system")), "not attested", "no statement has its digest"),
        (format!("{ml},{}", hash("card")), "not attested", "no statement has its digest"),
        (format!("{ml},{}", hash("other")), "not attested", "no statement has its digest"),
        (ml.to_owned(), "not attested", "it has neither a SHA-256 nor a package URL"),
        // two digests, of which one is another's
        (
            format!(
                r#"{ml},"hashes":[{{"alg":"SHA-256","content":"{}"}},{{"alg":"SHA-256","content":"{}"}}]"#,
                Digest::of(b"w").hex(),
                Digest::of(b"other").hex()
            ),
            "not attested",
            "no statement has its digest",
        ),
    ] {
        let (said, told) = stands(&both, &component);
        assert_eq!(said, word, "{component}: {told}");
        assert!(told.starts_with(why), "{component}: {told}");
    }
}

/// What a component is made of is said inside of it, too.
#[test]
fn a_file_inside_is_that_of_the_statement() {
    let model = model();
    let attested = [held(&model)];
    for (name, content, all, words) in [
        ("w", "w", false, &["attested"][..]),
        ("w", "other", false, &["attested", "differs"]),
        ("w", "other", true, &["attested", "differs"]),
        // of a file that the statement does not have it says nothing
        ("README", "other", false, &["attested"]),
        ("README", "other", true, &["attested", "not attested"]),
    ] {
        let text = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
            {{"type":"machine-learning-model","name":"m","purl":"pkg:huggingface/Org/m@abc",
            "components":[{{"type":"file","name":"{name}",{}}}]}}]}}"#,
            hash(content)
        );
        let sbom = Sbom::read(text.as_bytes()).unwrap();
        let found = correlate(&sbom, &attested, all);
        let said: Vec<&str> = found.judged.iter().map(|one| one.word()).collect();
        assert_eq!(said, words, "{name} {content} {all}");
    }
}

#[test]
fn a_commitment_is_no_digest() {
    let mut corpus = statement(
        "corpus",
        &[("documents", "d"), ("vector_index", "i")],
        r#"{"snapshot_id":"s","purl":"pkg:generic/c@1","embedding_model":"e"}"#,
    );
    let component = format!(r#""type":"data","purl":"pkg:generic/c@1",{}"#, hash("other"));
    assert_eq!(stands(&[&corpus], &component).0, "differs");
    let model = r#""type":"machine-learning-model","purl":"pkg:generic/c@1""#;
    let told = stands(&[&corpus], model);
    assert_eq!(told, ("not attested", "what is attested under its package URL is no model".into()));
    corpus.subjects[0].salt = Some(Digest::of(b"salt"));
    assert_eq!(stands(&[&corpus], &component).0, "not attested");
    let named = format!(r#""type":"data",{}"#, hash("d"));
    assert_eq!(stands(&[&corpus], &named).0, "not attested");
    assert_eq!(stands(&[&corpus], &format!(r#""type":"data",{}"#, hash("i"))).0, "attested");
}

#[test]
fn only_models_and_data_are_asked_for_and_an_empty_list_shows_nothing() {
    let (model, text) = (
        model(),
        r#"{"bomFormat":"CycloneDX","specVersion":"1.4","components":[
        {"type":"library","name":"a"},{"type":"library","name":"b","purl":"pkg:huggingface/Org/z@1"},
        {"type":"library","name":"c","purl":"pkg:huggingface/datasets/Org/z@1"}]}"#,
    );
    let sbom = Sbom::read(text.as_bytes()).unwrap();
    let attested = [held(&model)];
    let found = correlate(&sbom, &attested, false);
    let names: Vec<&str> = found.judged.iter().map(|one| one.component.name.as_str()).collect();
    assert_eq!((names.as_slice(), found.passed_over), (["b"].as_slice(), 2));
    assert_eq!(found.unlisted, [attested[0].payload]);
    assert_eq!(correlate(&sbom, &attested, true).judged.len(), 3);
    let none = Sbom { components: Vec::new(), ..sbom };
    for all in [false, true] {
        let codes: Vec<&str> =
            correlate(&none, &attested, all).findings().iter().map(|one| one.code.id()).collect();
        assert_eq!(codes, ["CS-BOM-003"]);
    }
}

#[test]
fn what_is_written_stands_by_itself() {
    let (model, mut prompt) = (model(), prompt());
    prompt.subjects[0].salt = Some(Digest::of(b"salt"));
    prompt.sensitivity = vec!["internal".into()];
    let mut eval =
        statement("eval", &[("testset", "t")], r#"{"suite_id":"s","metrics":{"accuracy":"0.75"}}"#);
    let payload = held(&model).payload;
    eval.depends_on = vec![Dependency { kind: "model".into(), digest: payload }];
    let (one, two, three) = (held(&model), held(&prompt), held(&eval));
    let about = About { name: Some("whole"), tool: ("t", "1"), ..About::default() };
    let made = document(&[one.clone(), two.clone(), three.clone()], &about).unwrap();
    let again = document(&[three.clone(), one.clone(), two.clone()], &about).unwrap();
    assert_eq!(made, again);
    assert_eq!(document(&[], &about), None);
    let serial = |all: &[Attested<'_>]| {
        let made = document(all, &about).unwrap();
        made.get("serialNumber").and_then(Value::as_str).unwrap().to_owned()
    };
    assert_ne!(serial(std::slice::from_ref(&one)), serial(&[one.clone(), two.clone()]));
    let text = seal::json::write_pretty(&made);
    for told in ["\"timestamp\": \"2024-01-01T00:00:00Z\"", "x%20y.bundle.json", "\"slice\": \"s\""]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    // what is committed to has no hash; its digest stands apart
    let commitment = Digest::of(b"system");
    assert!(text.contains(&format!("\"{commitment}\"")));
    assert!(!text.contains(&format!("\"content\": \"{}\"", commitment.hex())));

    // it lists what is attested, and the judge of the chain, whom nobody attested
    let sbom = Sbom::read(text.as_bytes()).unwrap();
    let attested = [one, two, three];
    let found = correlate(&sbom, &attested, false);
    let words: Vec<(&str, &str)> =
        found.judged.iter().map(|one| (one.component.name.as_str(), one.word())).collect();
    assert_eq!(
        words,
        [("s", "attested"), ("m", "attested"), ("prompt", "attested"), ("j", "not attested")]
    );
    assert!(found.unlisted.is_empty());
    assert!(matches!(found.judged[1].standing, Standing::ByDigest(..)));
    let statement = intoto(&attested, made);
    assert_eq!(statement.get("predicateType").and_then(Value::as_str), Some(bom::URI));
    assert_eq!(statement.get("subject").and_then(Value::as_array).map(<[Value]>::len), Some(3));
}
