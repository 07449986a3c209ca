//! Replies of `openssl ts`, and its verdict on what is accepted here.

use std::fs;
use std::path::Path;
use std::process::Command;

use stamp::{Asked, Authority, Fault, Hash, Stamp, Window, verify};

/// A folder with a root and the means to stamp.
struct Tsa {
    dir: tempfile::TempDir,
}

/// How a signer's key is made.
const KEYS: &[(&str, &[&str])] = &[
    ("p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("pss", &["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]),
];

const TSA_EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
subjectKeyIdentifier=hash
";

fn openssl(dir: &Path, args: &[&str]) -> bool {
    let output = Command::new("openssl")
        .args(args)
        .current_dir(dir)
        .env("OPENSSL_CONF", "/dev/null")
        .output()
        .expect("openssl runs (apt-get install openssl)");
    if !output.status.success() {
        eprintln!("openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

impl Tsa {
    /// A root with a P-256 key, and below it a signer for each of these kinds of key.
    fn new(kinds: &[&str]) -> Tsa {
        let tsa = Tsa { dir: tempfile::tempdir().expect("a directory") };
        tsa.must(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key"]);
        tsa.write("ca.cnf", "[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n");
        tsa.must(&[
            "req",
            "-x509",
            "-new",
            "-key",
            "ca.key",
            "-subj",
            "/CN=test root",
            "-days",
            "3650",
            "-config",
            "ca.cnf",
            "-out",
            "ca.pem",
        ]);
        tsa.write("tsa.ext", TSA_EXTENSIONS);
        for (kind, options) in KEYS.iter().filter(|(kind, _)| kinds.contains(kind)) {
            let (key, request) = (format!("{kind}.key"), format!("{kind}.csr"));
            tsa.must(&[&["genpkey", "-out", &key], *options].concat());
            tsa.write("empty.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
            let subject = format!("/O=a, b/CN=tsa {kind}");
            tsa.must(&[
                "req",
                "-new",
                "-key",
                &key,
                "-subj",
                &subject,
                "-config",
                "empty.cnf",
                "-out",
                &request,
            ]);
            tsa.must(&[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-days",
                "3650",
                "-extfile",
                "tsa.ext",
                "-CAcreateserial",
                "-out",
                &format!("{kind}.pem"),
            ]);
        }
        tsa.write("data", "what is stamped");
        tsa
    }

    fn must(&self, args: &[&str]) {
        assert!(openssl(self.dir.path(), args), "openssl {args:?}");
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).expect("written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).expect("read")
    }

    fn der(&self, certificate: &str) -> Vec<u8> {
        self.must(&["x509", "-in", certificate, "-outform", "DER", "-out", "der"]);
        self.read("der")
    }

    /// Answers a query in file `query`; `more` lines go into the authority's section.
    fn reply(&self, kind: &str, signer_digest: &str, more: &str) -> Vec<u8> {
        self.write("serial", "01\n");
        self.write(
            "tsa.cnf",
            &format!(
                "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ncrypto_device=builtin\nsigner_cert={kind}.pem\ncerts=ca.pem\nsigner_key={kind}.key\nsigner_digest={signer_digest}\ndefault_policy=1.2.3.4.1\nother_policies=1.2.3.4.5\ndigests=sha256,sha384,sha512\n{more}\n"
            ),
        );
        self.must(&["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]);
        self.read("reply")
    }

    fn authority(&self) -> Authority {
        Authority::new("test", &[self.der("ca.pem")], Window::default()).expect("an authority")
    }

    /// What openssl says about the reply in file `reply`.
    fn accepts(&self, untrusted: &str) -> bool {
        let args = ["ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "ca.pem"];
        openssl(self.dir.path(), &[&args[..], &["-untrusted", untrusted]].concat())
    }
}

/// Every kind of key, with every digest of the imprint and of the signature.
#[test]
fn openssl_stamps_and_agrees() {
    let kinds: Vec<&str> = KEYS.iter().map(|(kind, _)| *kind).collect();
    let tsa = Tsa::new(&kinds);
    let trusted = [tsa.authority()];
    let cases = [
        (
            "p256",
            "sha256",
            "sha256",
            "accuracy=secs:1, millisecs:500, microsecs:100\nordering=yes\ntsa_name=yes",
            true,
        ),
        ("p256", "sha384", "sha512", "ess_cert_id_alg=sha1\nclock_precision_digits=3", true),
        ("p384", "sha512", "sha384", "ess_cert_id_chain=yes\ntsa_name=yes", true),
        ("rsa", "sha256", "sha256", "ess_cert_id_alg=sha512", true),
        ("rsa", "sha512", "sha512", "ess_cert_id_chain=yes\ness_cert_id_alg=sha1", false),
        ("p256", "sha256", "sha384", "", false),
    ];
    for (kind, digest, signed, more, with) in cases {
        let what = format!("{kind} {digest} {signed} {more}");
        let digest_option = format!("-{digest}");
        let mut query = vec!["ts", "-query", "-data", "data", &digest_option, "-out", "query"];
        if with {
            query.extend(["-cert", "-tspolicy", "1.2.3.4.5"]);
        }
        tsa.must(&query);
        let reply = tsa.reply(kind, signed, more);
        // The nonce stands at the end of the query, before the flag for certificates.
        let query = tsa.read("query");
        let nonce = nonce_of(&query);
        let policy: &[&str] = if with { &["1.2.3.4.5"] } else { &["1.2.3.4.1"] };
        let asked = Asked::bytes(b"what is stamped").nonce(&nonce).policies(policy);
        let helped = [Authority::new(
            "test",
            &[tsa.der(&format!("{kind}.pem")), tsa.der("ca.pem")],
            Window::default(),
        )
        .expect("an authority")];
        let stamp = match with {
            true => verify(&reply, &asked, &trusted),
            false => {
                let missing = verify(&reply, &asked, &trusted);
                assert_eq!(missing, Err(vec![Fault::SignerMissing]), "{what}");
                verify(&reply, &asked, &helped)
            }
        };
        let stamp: Stamp = stamp.unwrap_or_else(|faults| panic!("{what}: {faults:?}"));
        assert!(tsa.accepts(&format!("{kind}.pem")), "{what}");
        assert_eq!(stamp.hash.as_str().replace('-', "").to_lowercase(), digest, "{what}");
        assert_eq!(stamp.signer, format!("O=a\\, b, CN=tsa {kind}"));
        assert_eq!(stamp.ordering, more.contains("ordering=yes"));
        let accuracy = more.contains("accuracy").then_some(1_500_100);
        assert_eq!(stamp.accuracy_micros, accuracy);
        let other = verify(&reply, &Asked::bytes(b"something else"), &helped);
        assert!(
            matches!(other.as_ref().map_err(Vec::as_slice), Err([Fault::Imprint { .. }])),
            "{what}: {other:?}"
        );
    }
}

fn nonce_of(query: &[u8]) -> Vec<u8> {
    let end = query.strip_suffix(&[1, 1, 0xff]).unwrap_or(query);
    (1..=9)
        .find_map(|length| {
            let at = end.len().checked_sub(length + 2)?;
            (end[at] == 2 && usize::from(end[at + 1]) == length).then(|| end[at + 2..].to_vec())
        })
        .expect("a nonce")
}

/// Our request is one that openssl answers.
#[test]
fn openssl_answers_our_request() {
    let tsa = Tsa::new(&["p256"]);
    let digest = Hash::Sha384.of(b"what is stamped");
    let request =
        stamp::request(Hash::Sha384, &digest, Some(&[0, 1, 2, 3]), Some("1.2.3.4.5"), true);
    fs::write(tsa.dir.path().join("query"), request.expect("a request")).expect("written");
    let reply = tsa.reply("p256", "sha256", "");
    let asked = Asked::digest(Hash::Sha384, &digest).nonce(&[1, 2, 3]).policies(&["1.2.3.4.5"]);
    verify(&reply, &asked, &[tsa.authority()]).expect("good");
    assert!(tsa.accepts("p256.pem"));
    let other = asked.clone().nonce(&[1, 2, 4]);
    assert_eq!(verify(&reply, &other, &[tsa.authority()]), Err(vec![Fault::Nonce]));
    // A policy that the authority does not know is refused by it, with the reason.
    let request = stamp::request(Hash::Sha384, &digest, None, Some("1.2.3.4.9"), true);
    fs::write(tsa.dir.path().join("query"), request.expect("a request")).expect("written");
    let reply = tsa.reply("p256", "sha256", "");
    let refused = verify(&reply, &asked, &[tsa.authority()]).expect_err("refused");
    assert_eq!(refused[0].to_string(), "the authority answered rejection: unacceptedPolicy");
}

/// RSASSA-PSS, which `openssl ts` cannot make: CMS over a TSTInfo that it did make. With a key
/// for this padding alone, and with any RSA key.
#[test]
fn rsassa_pss() {
    let tsa = Tsa::new(&["p256", "rsa", "pss"]);
    tsa.must(&["ts", "-query", "-data", "data", "-sha256", "-no_nonce", "-cert", "-out", "query"]);
    tsa.reply("p256", "sha256", "");
    tsa.must(&["ts", "-reply", "-in", "reply", "-token_out", "-out", "token"]);
    tsa.must(&[
        "cms",
        "-verify",
        "-noverify",
        "-nosigs",
        "-inform",
        "DER",
        "-in",
        "token",
        "-out",
        "content",
        "-certfile",
        "p256.pem",
    ]);
    let asked = Asked::bytes(b"what is stamped");
    for (kind, salt, good) in
        [("rsa", "32", true), ("pss", "32", true), ("rsa", "20", false), ("pss", "64", false)]
    {
        let salt_option = format!("rsa_pss_saltlen:{salt}");
        tsa.must(&[
            "cms",
            "-sign",
            "-binary",
            "-cades",
            "-nodetach",
            "-nosmimecap",
            "-in",
            "content",
            "-econtent_type",
            "1.2.840.113549.1.9.16.1.4",
            "-signer",
            &format!("{kind}.pem"),
            "-inkey",
            &format!("{kind}.key"),
            "-md",
            "sha256",
            "-keyopt",
            "rsa_padding_mode:pss",
            "-keyopt",
            &salt_option,
            "-outform",
            "DER",
            "-out",
            "token",
        ]);
        let token = tsa.read("token");
        let reply = testkit::tsa::der(0x30, &[&testkit::tsa::der(0x30, &[&[2, 1, 0]]), &token]);
        let result = verify(&reply, &asked, &[tsa.authority()]);
        match good {
            true => assert!(result.is_ok(), "{kind} {salt}: {result:?}"),
            false => assert!(
                matches!(result.as_ref().map_err(Vec::as_slice), Err([Fault::Algorithm(_)])),
                "{kind} {salt}: {result:?}"
            ),
        }
        let mut flipped = reply.clone();
        *flipped.last_mut().expect("bytes") ^= 1;
        assert!(verify(&flipped, &asked, &[tsa.authority()]).is_err(), "{kind} {salt}");
    }
}

/// Every byte of a reply with two certificates, the root's among them: what stays good is the
/// same stamp, and the change lies in the status or in the root's copy, on which nothing rests.
#[test]
fn every_byte_of_openssls_counts() {
    let tsa = Tsa::new(&["p256"]);
    tsa.must(&["ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query"]);
    let reply = tsa.reply("p256", "sha256", "accuracy=secs:1\ntsa_name=yes");
    let trusted = [tsa.authority()];
    let asked = Asked::bytes(b"what is stamped");
    let stamp = verify(&reply, &asked, &trusted).expect("good");
    let root = tsa.der("ca.pem");
    let copy = reply.windows(root.len()).position(|window| window == root).expect("the copy");
    for at in 0..reply.len() {
        for flip in [1, 0x10, 0x80, 0xff] {
            let mut flipped = reply.clone();
            flipped[at] ^= flip;
            if let Ok(other) = verify(&flipped, &asked, &trusted) {
                assert_eq!(other, stamp, "byte {at}");
                let free = at == 8 || (copy..copy + root.len()).contains(&at);
                assert!(free, "byte {at} of {} does not count", reply.len());
            }
        }
    }
}
