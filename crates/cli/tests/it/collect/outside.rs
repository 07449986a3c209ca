//! What leaves the project: bundles in the ledger, and signatures of models that others read.

use super::*;

#[test]
fn bundles_enter_the_ledger_with_a_proof_beside_each() {
    let project = Project::new();
    project.attest(&["create"], 0);
    // without a ledger the bundles are there, and the exit says what is missing
    project.attest(&["sign", "--key", "key.pem", "--log"], 66);
    assert_eq!(project.made(".tlog-proof").len(), 0);
    let up = crate::running::Running::up(project.0.path(), &[], &[]);
    // beside the process that writes the ledger, and without one
    project.attest(&["sign", "--key", "key.pem", "--log"], 0);
    assert!(up.stop().success());
    let other = SecretKey::from_seed([8; 32]);
    project.write("other.pem", &other.to_pem());
    project.attest(&["sign", "--key", "other.pem", "--log"], 0);
    let proofs = project.made(".tlog-proof");
    assert_eq!(proofs.len(), 12);
    let trust = fs::read_to_string(project.path("countersign.trust.yaml")).expect("made by up");
    let vkey = trust.split_once("logs:").and_then(|(_, logs)| logs.split('"').nth(1));
    project.write("none.policy", &format!("log {}\nquorum none\n", vkey.expect("its log")));
    for proof in &proofs {
        let bundle = proof.display().to_string().replace(".tlog-proof", ".bundle.json");
        let digest = Digest::of(&fs::read(&bundle).expect("a bundle"));
        let text = fs::read(proof).expect("a proof");
        let read = seal::tlog_proof::TlogProof::parse(&text).expect("a proof");
        let leaf = String::from_utf8(read.extra.expect("the leaf")).expect("text");
        assert!(leaf.contains(&digest.text()), "{leaf}");
        let proof = proof.display().to_string();
        let args = ["log", "verify", &proof, "--policy", "none.policy"];
        let output = countersign(project.0.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let verify = countersign(project.0.path(), &["verify", ".countersign/ledger"]);
    assert!(verify.status.success(), "{}", said(&verify));
}

#[test]
fn model_signatures_of_others_are_judged_here_and_ours_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let vectors = repository().join("vectors/model-signing");
    copy(&vectors.join("model"), &dir.join("model"));
    for name in ["model-signing-1.1.1.sig", "signer.pub.pem"] {
        fs::copy(vectors.join(name), dir.join(name)).expect("copied");
    }
    let ours = |args: &[&str], exit: i32| {
        let output = countersign(dir, &[&["attest", "model"], args].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{}", said(&output));
        said(&output)
    };
    let place = |name: &str| dir.join(name).display().to_string();
    let (model, sig, key) =
        (place("model"), place("model-signing-1.1.1.sig"), place("signer.pub.pem"));
    let verify = ["verify", &model, "--signature", &sig, "--key", &key];
    assert!(ours(&verify, 0).contains("files     4"));
    let changes: [(&str, &dyn Fn()); 3] = [
        ("not what was signed", &|| fs::write(dir.join("model/a/b"), "other").expect("written")),
        ("missing", &|| fs::remove_file(dir.join("model/a/b")).expect("removed")),
        ("added", &|| {
            fs::write(dir.join("model/a/b"), "one\n").expect("written");
            fs::write(dir.join("model/a/c"), "").expect("written");
        }),
    ];
    for (why, change) in changes {
        change();
        assert!(ours(&verify, 12).contains(why));
    }
    fs::remove_file(dir.join("model/a/c")).expect("removed");
    ours(&verify, 0);
    let text = fs::read_to_string(&sig).expect("text");
    fs::write(&sig, text.replacen("\"sig\":\"ME", "\"sig\":\"MF", 1)).expect("written");
    ours(&verify, 11);
    fs::write(&sig, "{}").expect("written");
    ours(&verify, 14);

    // both ways, where their package is installed
    let Some(python) = crate::sdk::python() else { return };
    let peer = |act: &str, name: &str, key: &str| {
        let script = repository().join("tests/python/peer_model.py");
        let run = std::process::Command::new(&python)
            .arg(script)
            .args([act, &model, &place(name), &place(key)])
            .output()
            .expect("python runs");
        assert!(run.status.success(), "{}", said(&run));
        String::from_utf8_lossy(&run.stdout).trim().to_owned()
    };
    let made = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"])
        .arg(dir.join("key.pem"))
        .output()
        .and_then(|_| {
            std::process::Command::new("openssl")
                .args(["pkey", "-pubout", "-in"])
                .arg(dir.join("key.pem"))
                .arg("-out")
                .arg(dir.join("key.pub.pem"))
                .output()
        });
    if !made.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: openssl");
        return;
    }
    let (private, public) = (place("key.pem"), place("key.pub.pem"));
    ours(&["sign", &model, "--key", &private, "--signature", &place("ours.sig")], 0);
    if peer("verify", "ours.sig", "key.pub.pem") == "missing" {
        eprintln!("skipped: model-signing is not installed");
        return;
    }
    assert_eq!(peer("verify", "ours.sig", "key.pub.pem"), "yes");
    assert_eq!(peer("verify", "ours.sig", "signer.pub.pem"), "no");
    assert_eq!(peer("sign", "theirs.sig", "key.pem"), "signed");
    ours(&["verify", &model, "--signature", &place("theirs.sig"), "--key", &public], 0);
    fs::write(dir.join("model/a-b"), "other").expect("written");
    assert_eq!(peer("verify", "ours.sig", "key.pub.pem"), "no");
}
