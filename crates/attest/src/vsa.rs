//! Verification summaries (SLSA, `verification_summary/v1`): what a verifier found, signed, for who
//! consumes it instead of verifying again. Bytes: `spec/attestations.md`.

use record::report::{Code, Finding};
use record::trust::{Purpose, Trust};
use seal::digest::Digest;
use seal::json::{Limits, Value, parse, write_receipt};
use seal::time::{UnixMillis, parse_rfc3339};

use crate::bundle::Bundle;
use crate::shape::{Field, Shape, may, must};
use crate::statement::{PAYLOAD_TYPE, STATEMENT};
use crate::verify::{Outcome, Stage, Verification};

/// The predicateType.
pub const URI: &str = "https://slsa.dev/verification_summary/v1";
/// The levels of what was judged and holds: one for each stage.
pub const LEVELS: [(&str, Stage); 6] = [
    ("COUNTERSIGN_SIGNATURE", Stage::Signature),
    ("COUNTERSIGN_SCHEMA", Stage::Schema),
    ("COUNTERSIGN_DIGEST", Stage::Digest),
    ("COUNTERSIGN_CHAIN", Stage::Chain),
    ("COUNTERSIGN_SEMANTICS", Stage::Semantics),
    ("COUNTERSIGN_LOGGED", Stage::Log),
];
/// Longest payload, bytes.
const LIMIT: usize = 16 << 20;

/// A summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vsa {
    /// Who verified.
    pub verifier: String,
    /// When.
    pub at: UnixMillis,
    /// What was verified, as the verifier calls it.
    pub resource: String,
    /// Under which trust file: its name and digest.
    pub policy: (String, Digest),
    /// The statements that were judged: name, and the digest of the payload.
    pub inputs: Vec<(String, Digest)>,
    /// The commit that the compared files are of, hexadecimal. Without one nobody can tell later which
    /// files they were.
    pub source: Option<String>,
    /// Nothing was wrong.
    pub passed: bool,
    /// What was judged of all of them and holds.
    pub levels: Vec<String>,
}

const DIGEST: &[Field] = &[must("sha256", Shape::Sha256, "SHA-256.")];
const SUBJECT_DIGEST: &[Field] = &[
    may("sha256", Shape::Sha256, "SHA-256 of the payload of a statement."),
    may("gitCommit", Shape::Text, "The commit that the compared files are of."),
];
const NAMED: &[Field] = &[
    must("name", Shape::Text, "Type and id, or `source`."),
    must("digest", Shape::Object(SUBJECT_DIGEST), "One of them."),
];
/// What a summary calls the commit.
const SOURCE: &str = "source";
const INPUT: &[Field] = &[
    must("uri", Shape::Text, "Type and id."),
    must("digest", Shape::Object(DIGEST), "Of the payload."),
];
const VERIFIER: &[Field] = &[must("id", Shape::Text, "Who verified.")];
const POLICY: &[Field] = &[
    must("uri", Shape::Text, "The trust file."),
    must("digest", Shape::Object(DIGEST), "Of its bytes."),
];
const PREDICATE: &[Field] = &[
    must("verifier", Shape::Object(VERIFIER), "Who verified."),
    must("timeVerified", Shape::Time, "When."),
    must("resourceUri", Shape::Text, "What was verified."),
    must("policy", Shape::Object(POLICY), "Under which trust file."),
    must("inputAttestations", Shape::List(&Shape::Object(INPUT), 1), "The statements."),
    must("verificationResult", Shape::OneOf(&["PASSED", "FAILED"]), "What it came to."),
    must("verifiedLevels", Shape::List(&Shape::Text, 0), "What was judged and holds."),
    may("slsaVersion", Shape::Text, "Of the format."),
];
const WHOLE: &[Field] = &[
    must("_type", Shape::Is(STATEMENT), "The format."),
    must("subject", Shape::List(&Shape::Object(NAMED), 1), "The statements."),
    must("predicateType", Shape::Is(URI), "The type."),
    must("predicate", Shape::Object(PREDICATE), "What was found."),
];

impl Vsa {
    /// Of a verification under a trust file. There is none of no statements.
    pub fn of(
        verification: &Verification,
        verifier: &str,
        resource: &str,
        policy: (String, Digest),
        source: Option<String>,
        at: UnixMillis,
    ) -> Option<Vsa> {
        let nodes = &verification.chain().nodes;
        let inputs: Vec<(String, Digest)> =
            nodes.iter().map(|node| (format!("{}/{}", node.kind, node.id), node.payload)).collect();
        let held = |stage: Stage| {
            let mut bundles = verification.bundles().iter();
            bundles.all(|one| one.outcome(stage) == Outcome::Holds)
        };
        let levels = LEVELS.iter().filter(|(_, stage)| held(*stage));
        (!inputs.is_empty()).then(|| Vsa {
            verifier: verifier.to_owned(),
            at,
            resource: resource.to_owned(),
            policy,
            inputs,
            source,
            passed: verification.report().ok(),
            levels: levels.map(|(name, _)| (*name).to_owned()).collect(),
        })
    }

    /// Whether it stands for every one of these statements: it passed, and names them.
    pub fn covers<'d>(&self, payloads: impl IntoIterator<Item = &'d Digest>) -> bool {
        let known: std::collections::BTreeSet<&Digest> =
            self.inputs.iter().map(|(_, digest)| digest).collect();
        self.passed && payloads.into_iter().all(|payload| known.contains(payload))
    }

    /// The payload to be signed as [`PAYLOAD_TYPE`]: canonical JSON.
    pub fn write(&self) -> String {
        let sha256 = |digest: &Digest| Value::object([("sha256", Value::from(digest.hex()))]);
        let list = |key: &'static str| {
            self.inputs.iter().map(move |(name, digest)| {
                Value::object([(key, Value::from(name)), ("digest", sha256(digest))])
            })
        };
        let source = self.source.iter().map(|commit| {
            let digest = Value::object([("gitCommit", Value::from(commit))]);
            Value::object([("name", Value::from(SOURCE)), ("digest", digest)])
        });
        let (uri, digest) = &self.policy;
        let predicate = Value::object([
            ("verifier", Value::object([("id", Value::from(&self.verifier))])),
            ("timeVerified", self.at.to_string().into()),
            ("resourceUri", Value::from(&self.resource)),
            ("policy", Value::object([("uri", Value::from(uri)), ("digest", sha256(digest))])),
            ("inputAttestations", Value::array(list("uri"))),
            ("verificationResult", if self.passed { "PASSED" } else { "FAILED" }.into()),
            ("verifiedLevels", Value::array(&self.levels)),
            ("slsaVersion", "1.1".into()),
        ]);
        let whole = Value::object([
            ("_type", Value::from(STATEMENT)),
            ("subject", Value::array(list("name").chain(source))),
            ("predicateType", URI.into()),
            ("predicate", predicate),
        ]);
        write_receipt(&whole).expect("summaries hold no floats and no large integers")
    }

    /// Reads a payload.
    pub fn read(payload: &[u8]) -> Result<Vsa, String> {
        let value = parse(payload, Limits { bytes: LIMIT, depth: 12 })
            .map_err(|error| format!("not strict JSON: {error}"))?;
        let misfits = Shape::Object(WHOLE).judge(&value, "");
        if let Some(misfit) = misfits.first() {
            return Err(misfit.to_string());
        }
        Vsa::from_value(&value).ok_or_else(|| "a member is not what its schema says".to_owned())
    }

    fn from_value(value: &Value) -> Option<Vsa> {
        let predicate = value.get("predicate")?;
        let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let digest =
            |value: &Value| Digest::from_hex(value.get("digest")?.get("sha256")?.as_str()?);
        let input = |one: &Value| Some((text(one, "uri")?, digest(one)?));
        let inputs = predicate.get("inputAttestations")?.as_array()?;
        let policy = predicate.get("policy")?;
        let levels = predicate.get("verifiedLevels")?.as_array()?.iter();
        let inputs: Vec<(String, Digest)> = inputs.iter().map(input).collect::<Option<_>>()?;
        // The subjects are the statements in their order, and behind them the commit.
        let (subjects, rest) = value.get("subject")?.as_array()?.split_at_checked(inputs.len())?;
        let subject = |one: &Value| Some((text(one, "name")?, digest(one)?));
        let only = |one: &Value| one.get("digest").and_then(Value::as_object).map(<[_]>::len);
        if !subjects
            .iter()
            .zip(&inputs)
            .all(|(one, input)| subject(one).as_ref() == Some(input) && only(one) == Some(1))
        {
            return None;
        }
        let source = match rest {
            [] => None,
            [one] if text(one, "name")? == SOURCE && only(one) == Some(1) => {
                Some(text(one.get("digest")?, "gitCommit").filter(|id| is_commit(id))?)
            }
            _ => return None,
        };
        Some(Vsa {
            verifier: text(predicate.get("verifier")?, "id")?,
            at: parse_rfc3339(predicate.get("timeVerified")?.as_str()?)?,
            resource: text(predicate, "resourceUri")?,
            policy: (text(policy, "uri")?, digest(policy)?),
            inputs,
            source,
            passed: predicate.get("verificationResult")?.as_str()? == "PASSED",
            levels: levels.map(|one| Some(one.as_str()?.to_owned())).collect::<Option<_>>()?,
        })
    }

    /// Judges a bundle that should hold a summary, signed by a key of purpose `vsa` that counted when
    /// it was made. Second is the signer's name. A summary that says FAILED is no fault of its own:
    /// [`Vsa::covers`] and [`Vsa::passed`] tell.
    pub fn judge(bytes: &[u8], trust: Option<&Trust>) -> Result<(Vsa, String), Finding> {
        let malformed = |why: String| Finding::new(Code::VsaMalformed, "", why);
        let untrusted = |why: String| Finding::new(Code::VsaUntrusted, "", why);
        let bundle = Bundle::read(bytes).map_err(|error| malformed(error.to_string()))?;
        let keys = trust.map(Trust::keys).unwrap_or_default();
        let mut known = keys.iter().filter(|one| one.purpose == Purpose::Vsa).filter_map(|one| {
            let key = one.verify_key()?;
            (!bundle.envelope.signers([&key]).is_empty()).then_some((one, key))
        });
        let Some((signer, key)) = known.next() else {
            return Err(untrusted(format!(
                "no key of purpose vsa signed it; it names {}",
                bundle.hint
            )));
        };
        let names = bundle.envelope.signatures.iter().map(|one| &one.keyid).chain([&bundle.hint]);
        if names.into_iter().any(|name| !name.is_empty() && *name != key.hint()) {
            return Err(untrusted(format!("it names another key than {:?}", signer.name)));
        }
        if bundle.envelope.payload_type != PAYLOAD_TYPE {
            return Err(malformed(format!("payload type {:?}", bundle.envelope.payload_type)));
        }
        let vsa = Vsa::read(&bundle.envelope.payload).map_err(malformed)?;
        if !signer.valid.contains(vsa.at) {
            return Err(untrusted(format!(
                "made at {}, outside the time of {:?}",
                vsa.at, signer.name
            )));
        }
        Ok((vsa, signer.name.clone()))
    }
}

/// The id of a commit: SHA-1 or SHA-256, lower-case hexadecimal.
fn is_commit(text: &str) -> bool {
    let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex && matches!(text.len(), 40 | 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::trust::{TrustKey, Validity};
    use seal::dsse::{Envelope, PrivateKey, Signer as _};
    use seal::key::SecretKey;
    use seal::signer::Signer as _;

    fn sample() -> Vsa {
        Vsa {
            verifier: "https://ci.example".into(),
            at: UnixMillis(1_704_067_200_000),
            resource: "attestations".into(),
            policy: ("trust.yaml".into(), Digest::of(b"trust")),
            inputs: vec![("prompt/x".into(), Digest::of(b"p"))],
            source: Some("0123456789".repeat(4)),
            passed: true,
            levels: vec!["COUNTERSIGN_SIGNATURE".into()],
        }
    }

    fn bundle(payload: &str, number: u8) -> Bundle {
        let key = PrivateKey::ed25519(SecretKey::from_seed([number; 32]));
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload.as_bytes().to_vec(), &key).unwrap();
        Bundle::of(envelope, key.public().hint())
    }

    fn trust(purpose: Purpose, valid: Validity) -> Trust {
        let mut trust = Trust::empty();
        let public = SecretKey::from_seed([1; 32]).public().clone();
        trust.add_key(TrustKey { valid, ..TrustKey::public("ci", purpose, public) }).unwrap();
        trust
    }

    #[test]
    fn what_is_written_is_read() {
        let mut vsa = sample();
        assert_eq!(Vsa::read(vsa.write().as_bytes()), Ok(vsa.clone()));
        assert!(vsa.covers([&Digest::of(b"p")]) && !vsa.covers([&Digest::of(b"q")]));
        vsa.passed = false;
        assert_eq!(Vsa::read(vsa.write().as_bytes()), Ok(vsa.clone()));
        assert!(!vsa.covers([&Digest::of(b"p")]));
        vsa.source = None;
        assert_eq!(Vsa::read(vsa.write().as_bytes()), Ok(vsa.clone()));
        vsa.source = sample().source;
        let text = vsa.write();
        for (from, to) in [
            ("verification_summary/v1", "verification_summary/v2"),
            ("FAILED", "MAYBE"),
            ("\"timeVerified\"", "\"time\""),
            ("2024-01-01T00:00:00Z", "today"),
            ("\"name\":\"source\"", "\"name\":\"other\""),
            ("\"name\":\"prompt/x\"", "\"name\":\"prompt/y\""),
            ("0123456789\"", "012345678X\""),
            ("\"gitCommit\"", "\"sha256\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Vsa::read(text.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn only_a_verifiers_word_counts() {
        let text = bundle(&sample().write(), 1).write();
        let judge = |text: &str, trust: Option<&Trust>| Vsa::judge(text.as_bytes(), trust);
        let good = trust(Purpose::Vsa, Validity::default());
        assert_eq!(judge(&text, Some(&good)), Ok((sample(), "ci".to_owned())));
        let code = |text: &str, trust: Option<&Trust>| judge(text, trust).unwrap_err().code;
        assert_eq!(code(&text, None), Code::VsaUntrusted);
        let signer = trust(Purpose::Statements, Validity::default());
        assert_eq!(code(&text, Some(&signer)), Code::VsaUntrusted);
        let over = Validity { from: None, until: Some(sample().at) };
        assert_eq!(code(&text, Some(&trust(Purpose::Vsa, over))), Code::VsaUntrusted);
        assert_eq!(code(&bundle(&sample().write(), 2).write(), Some(&good)), Code::VsaUntrusted);
        let mut renamed = bundle(&sample().write(), 1);
        renamed.hint = "x".into();
        assert_eq!(code(&renamed.write(), Some(&good)), Code::VsaUntrusted);
        assert_eq!(code(&bundle("{}", 1).write(), Some(&good)), Code::VsaMalformed);
        assert_eq!(code("{}", Some(&good)), Code::VsaMalformed);
    }
}
