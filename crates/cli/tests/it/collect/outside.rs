//! What leaves the project: bundles in the ledger, and signatures of models that others read.

use seal::signer::Signer as _;
use testkit::tsa_server::{OpensslTsa, Says, TsaServer};

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

/// The ids of the entries of a ledger.
fn ids(project: &Project) -> Vec<String> {
    let ledger = project.path(".countersign/ledger");
    let reader = ledger::Reader::open_dir(&ledger, None).expect("a ledger");
    let mut entries = reader.entries();
    let mut ids = Vec::new();
    while let Some(item) = entries.next().expect("readable") {
        let ledger::read::Item::Entry(entry) = item else { panic!("damage") };
        ids.push(entry.leaf.id.clone());
    }
    ids
}

/// What a run leaves that was stopped before it had written its proofs.
#[test]
fn a_bundle_is_entered_once_however_often_it_is_signed() {
    let project = Project::new();
    project.attest(&["create"], 0);
    let sign = ["sign", "--key", "key.pem", "--log"];
    let up = crate::running::Running::up(project.0.path(), &[], &[]);
    project.attest(&sign, 0);
    let proofs = project.made(".tlog-proof");
    let first = fs::read(&proofs[0]).expect("a proof");
    let entered = ids(&project).len();
    // beside the process that writes the ledger: some entries no checkpoint may cover yet
    fs::remove_file(&proofs[0]).expect("removed");
    project.attest(&sign, 0);
    assert!(up.stop().success());
    // and without one, all of them gone
    for proof in &proofs {
        fs::remove_file(proof).expect("removed");
    }
    project.attest(&sign, 0);
    assert_eq!(project.made(".tlog-proof"), proofs);
    let ids = ids(&project);
    for bundle in project.made(".bundle.json") {
        let digest = Digest::of(&fs::read(&bundle).expect("a bundle")).to_string();
        let count = ids.iter().filter(|id| **id == digest).count();
        assert_eq!(count, 1, "{}", bundle.display());
    }
    assert_eq!(ids.len(), entered, "nothing else came");
    // Several at once, none of them with a proof to begin with.
    for proof in &proofs {
        fs::remove_file(proof).expect("removed");
    }
    let run = || countersign(project.0.path(), &[&["attest"], &sign[..]].concat());
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        for done in runs {
            let output = done.join().expect("it ran");
            assert!(output.status.success(), "{}", said(&output));
        }
    });
    assert_eq!(project.made(".tlog-proof"), proofs);
    assert_eq!(self::ids(&project).len(), entered);
    // A proof of other bytes is not taken for this bundle's.
    fs::write(&proofs[1], &first).expect("written");
    let said = project.attest(&sign, 73);
    assert!(said.contains("remove it"), "{said}");
    assert_eq!(self::ids(&project).len(), entered);
}

#[test]
fn a_summary_enters_the_ledger_with_its_proof() {
    let project = Project::new();
    project.attest(&["create"], 0);
    project.attest(&["sign", "--key", "key.pem"], 0);
    let vsa = ["verify", "--trust", "countersign.trust.yaml", "--vsa", "key.pem", "--log"];
    assert!(crate::running::Running::up(project.0.path(), &[], &[]).stop().success());
    let proof = project.path("attestations/verification.vsa.tlog-proof");
    // The trust file that `up` wrote knows nobody who signs statements: that is what it sums up.
    project.attest(&vsa, 11);
    let first = fs::read(&proof).expect("a proof");
    let bytes = fs::read(project.path("attestations/verification.vsa.json")).expect("a summary");
    let of = |proof: &[u8], bytes: &[u8]| {
        record::logged::is_of(proof, bytes, record::logged::Leaf::Cited("attestation"))
    };
    of(&first, &bytes).expect("its proof");
    // The next summary has its own, and the old one does not stay beside it.
    project.attest(&vsa, 11);
    let again = fs::read(project.path("attestations/verification.vsa.json")).expect("a summary");
    of(&fs::read(&proof).expect("a proof"), &again).expect("its proof");
    project.attest(&vsa[..5], 11);
    assert!(!proof.exists(), "a proof of another summary");
    // What is no proof is not removed for it, and nothing is written.
    project.write("attestations/verification.vsa.tlog-proof", "mine");
    let before = fs::read(project.path("attestations/verification.vsa.json")).expect("a summary");
    project.attest(&vsa, 11);
    let after = fs::read(project.path("attestations/verification.vsa.json")).expect("a summary");
    assert_eq!((before, fs::read(&proof).expect("a file")), (after, b"mine".to_vec()));
}

/// `openssl ts` stamps what is signed, or nothing is signed.
#[test]
fn signatures_are_stamped_where_an_authority_is_asked() {
    let project = Project::new();
    project.attest(&["create"], 0);
    let folder = tempfile::tempdir().expect("a directory");
    let openssl = std::sync::Arc::new(OpensslTsa::new(folder.path()));
    let own = openssl.clone();
    let server = TsaServer::start(move |query| own.answer(query));
    let url = server.url();
    let sign = ["sign", "--key", "key.pem", "--tsa", &url, "--timeout", "5"];
    let refused = |exit: i32, why: &str| {
        let said = project.attest(&sign, exit);
        assert!(said.contains(why), "{said}");
        assert_eq!(project.made(".bundle.json").len(), 0);
    };
    refused(78, "no root of");
    let trust = |name: &str, purpose: &str, key: &Path| {
        let key = key.to_str().expect("UTF-8");
        let args = ["trust", "add", "--name", name, "--purpose", purpose, "--key", key];
        let output = countersign(project.0.path(), &args);
        assert!(output.status.success(), "{}", said(&output));
    };
    trust("tsa", "tsa", &openssl.root());
    project.write("ada.pub.pem", &SecretKey::from_seed([7; 32]).public().to_pem());
    trust("ada", "statements", &project.path("ada.pub.pem"));
    server.change(|_| Says::http(503, "text/plain", b"later"));
    refused(69, "nothing was stored");
    // A stamp over what was not asked.
    let own = openssl.clone();
    let other = stamp::request(stamp::Hash::Sha256, &[7; 32], None, None, true).expect("a query");
    server.change(move |_| own.answer(&other));
    refused(11, "no timestamp for us");

    let own = openssl.clone();
    server.change(move |query| own.answer(query));
    project.attest(&sign, 0);
    assert_eq!(project.made(".bundle.json").len(), 6);
    let asked = server.asked();
    project.attest(&sign, 0);
    assert_eq!(server.asked(), asked, "signed before");
    let verified = project.attest(&["verify", "--format", "json"], 0);
    assert_eq!(verified.matches("\"stamped\": null").count(), 0, "{verified}");
    assert!(verified.contains("\"anchored\": true"), "{verified}");
    drop(server);
    project.write("other.pem", &SecretKey::from_seed([8; 32]).to_pem());
    let down = ["sign", "--key", "other.pem", "--tsa", &url, "--timeout", "5"];
    project.attest(&down, 69);
    assert_eq!(project.made(".bundle.json").len(), 6);
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
