//! What of a bill of materials is attested: by the digest, or by a package URL with its version.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use record::report::{Code, Finding};
use seal::digest::Digest;
use seal::json::Value;

use super::{Component, FILE, MODEL, Sbom};
use crate::purl::Purl;
use crate::verify::Attested;

/// What a component comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A statement that holds has its digest: which, and what it is there.
    ByDigest(Digest, String),
    /// A statement that holds has its package URL with this version, and it names no digest.
    ByPurl(Digest),
    /// A statement has its package URL with this version, and not its digest.
    Differs(Digest),
    /// Nobody attested it; why not.
    Open(String),
}

/// One component, judged.
#[derive(Debug, Clone)]
pub struct Judgement<'s> {
    /// The component.
    pub component: &'s Component,
    /// What it comes to.
    pub standing: Standing,
}

/// A bill of materials, judged.
#[derive(Debug, Clone)]
pub struct Correlation<'s> {
    /// Its format.
    pub format: &'s str,
    /// What was judged, in its order.
    pub judged: Vec<Judgement<'s>>,
    /// So many are of other kinds.
    pub passed_over: usize,
    /// Statements about models and corpora that no component stands for.
    pub unlisted: Vec<Digest>,
}

/// Judges models and data, or with `all` everything that is listed, by statements that hold.
pub fn correlate<'s>(sbom: &'s Sbom, attested: &[Attested<'_>], all: bool) -> Correlation<'s> {
    let known = Known::of(attested);
    let mut judged = Vec::new();
    // The statements that stand for components; those that others stand in come before them.
    let mut statements = vec![None; sbom.components.len()];
    for (at, component) in sbom.components.iter().enumerate() {
        let around = component.inside.and_then(|at| statements[at]);
        let standing = match around.filter(|payload| known.denies(*payload, component)) {
            Some(payload) => Standing::Differs(payload),
            None if all || component.is_attestable() => known.judge(component),
            None => continue,
        };
        let judgement = Judgement { component, standing };
        statements[at] = judgement.statement();
        judged.push(judgement);
    }
    let passed_over = sbom.components.len() - judged.len();
    let stood: BTreeSet<Digest> = judged.iter().filter_map(Judgement::statement).collect();
    let listable = |one: &&Attested<'_>| matches!(one.statement.kind.name, "model" | "corpus");
    let unlisted = attested.iter().filter(listable).map(|one| one.payload);
    let unlisted = unlisted.filter(|payload| !stood.contains(payload)).collect();
    Correlation { format: &sbom.format, judged, passed_over, unlisted }
}

/// What statements say, by digest and by name.
struct Known<'a> {
    attested: &'a [Attested<'a>],
    /// The statements that have a digest, and as what.
    digests: HashMap<Digest, Vec<(usize, String)>>,
    /// The statements that have a name, and with which version.
    names: BTreeMap<Purl, Vec<(Option<String>, usize)>>,
    /// The digests of files, by statement and path.
    files: HashMap<(Digest, &'a str), Vec<Digest>>,
}

impl<'a> Known<'a> {
    fn of(attested: &'a [Attested<'a>]) -> Known<'a> {
        let (digests, names, files) = (HashMap::new(), BTreeMap::new(), HashMap::new());
        let mut known = Known { attested, digests, names, files };
        let places: HashMap<Digest, usize> =
            attested.iter().enumerate().map(|(at, one)| (one.payload, at)).collect();
        for (at, one) in attested.iter().enumerate() {
            let own = &one.statement.own;
            let mut add = |digest: Digest, what: String| {
                known.digests.entry(digest).or_default().push((at, what));
            };
            // Of a commitment nobody knows the digest.
            for subject in one.statement.subjects.iter().filter(|one| one.salt.is_none()) {
                add(subject.digest, format!("{} {}", subject.role, subject.path));
                let file = known.files.entry((one.payload, subject.path.as_str()));
                file.or_default().push(subject.digest);
            }
            add(one.statement.manifest(), "manifest".into());
            let root = own.get("root").and_then(Value::as_str).and_then(Digest::from_hex);
            if let Some(root) = root {
                add(root, "root".into());
            }
            for name in ["purl", "adapters_purl"] {
                known.name(own.get(name), at);
            }
            for part in own.get("chain").and_then(Value::as_array).unwrap_or_default() {
                let named = part.get("statement").and_then(Value::as_str);
                let named = named.and_then(Digest::from_hex);
                if let Some(at) = named.and_then(|digest| places.get(&digest)) {
                    known.name(part.get("purl"), *at);
                }
            }
        }
        known
    }

    fn name(&mut self, purl: Option<&Value>, at: usize) {
        if let Some(purl) = purl.and_then(Value::as_str).and_then(|text| Purl::parse(text).ok()) {
            self.names.entry(purl.unversioned()).or_default().push((purl.version, at));
        }
    }

    /// Whether a statement has a file of this path, and not with this content.
    fn denies(&self, payload: Digest, one: &Component) -> bool {
        let known = self.files.get(&(payload, one.name.as_str()));
        one.kind == FILE
            && known.is_some_and(|known| one.digests.iter().any(|digest| !known.contains(digest)))
    }

    fn judge(&self, one: &Component) -> Standing {
        let purl = one.purl.as_ref().and_then(|(_, purl)| purl.as_ref().ok());
        let named = purl.and_then(|purl| self.names.get(&purl.unversioned()));
        let named = named.map(Vec::as_slice).unwrap_or_default();
        let version = purl.and_then(|purl| purl.version.as_deref());
        // A model goes by the name of a statement about models only.
        let fits =
            |at: usize| one.kind != MODEL || self.attested[at].statement.kind.name == "model";
        let agreeing = named
            .iter()
            .filter(|(other, at)| version.is_some() && other.as_deref() == version && fits(*at));
        let agreeing: Vec<usize> = agreeing.map(|(_, at)| *at).collect();
        if let Some(first) = agreeing.first() {
            return self.by_name(one, &agreeing, *first);
        }
        if let Some(standing) = self.by_digest(one) {
            return match version.filter(|_| !named.is_empty()) {
                Some(version) if named.iter().any(|(other, _)| other.is_some()) => {
                    Standing::Open(format!(
                        "its digest is attested as version {}, and its package URL says {version}",
                        versions(named)
                    ))
                }
                Some(_) | None => standing,
            };
        }
        Standing::Open(self.why(one, named, version))
    }

    /// Of what has the name and version of a component: all of its digests, if it has any.
    fn by_name(&self, one: &Component, agreeing: &[usize], first: usize) -> Standing {
        if one.digests.is_empty() {
            return Standing::ByPurl(self.attested[first].payload);
        }
        let model = one.is_model();
        let of = |digest: &Digest, at: usize| {
            let all = self.digests.get(digest).map(Vec::as_slice).unwrap_or_default();
            let about_model = model && self.attested[at].statement.kind.name == "model";
            all.iter().find(|(other, what)| *other == at && (!about_model || is_model(what)))
        };
        for at in agreeing {
            if one.digests.iter().all(|digest| of(digest, *at).is_some())
                && let Some((_, what)) = one.digests.first().and_then(|digest| of(digest, *at))
            {
                return Standing::ByDigest(self.attested[*at].payload, what.clone());
            }
        }
        let committed = |at: &usize| {
            self.attested[*at].statement.subjects.iter().any(|subject| subject.salt.is_some())
        };
        match agreeing.iter().any(committed) {
            true => Standing::Open(
                "the statement with its package URL commits to files: nobody can tell their digests"
                    .into(),
            ),
            false => Standing::Differs(self.attested[first].payload),
        }
    }

    /// A model is attested by a statement about models only: that a file of that content was once
    /// reviewed as a prompt says nothing of it.
    fn by_digest(&self, one: &Component) -> Option<Standing> {
        let model = one.is_model();
        let fits = |(at, what): &&(usize, String)| {
            !model || (self.attested[*at].statement.kind.name == "model" && is_model(what))
        };
        let mut first = None;
        for digest in &one.digests {
            let all = self.digests.get(digest)?;
            let (at, what) = all.iter().find(fits)?;
            first.get_or_insert(Standing::ByDigest(self.attested[*at].payload, what.clone()));
        }
        first
    }

    fn why(
        &self,
        one: &Component,
        named: &[(Option<String>, usize)],
        version: Option<&str>,
    ) -> String {
        match (&one.purl, version, named) {
            (Some((_, Err(error))), _, _) => error.to_string(),
            (Some(_), Some(version), [_, ..])
                if named.iter().any(|(other, _)| other.as_deref() == Some(version)) =>
            {
                "what is attested under its package URL is no model".into()
            }
            (Some(_), Some(_), [_, ..]) if named.iter().any(|(other, _)| other.is_some()) => {
                format!("another version is attested: {}", versions(named))
            }
            (Some(_), Some(_), [_, ..]) => {
                "weak: a statement has its package URL, without a version".into()
            }
            (Some(_), None, [_, ..]) => {
                format!("weak: its package URL has no version; attested is {}", versions(named))
            }
            (None, _, _) if one.digests.is_empty() => {
                "it has neither a SHA-256 nor a package URL".into()
            }
            (Some((_, Ok(purl))), _, _) if one.digests.is_empty() && purl.is_placed() => {
                "no statement has its package URL, with where it is from".into()
            }
            _ if one.digests.is_empty() => "no statement has its package URL".into(),
            _ => "no statement has its digest".into(),
        }
    }
}

/// Whether what a digest is over is a model, and not its card or licence.
fn is_model(what: &str) -> bool {
    let role = what.split(' ').next().unwrap_or_default();
    matches!(role, "root" | "manifest" | "weights" | "adapters")
}

fn versions(named: &[(Option<String>, usize)]) -> String {
    let versions: BTreeSet<&str> =
        named.iter().map(|(version, _)| version.as_deref().unwrap_or("none")).collect();
    versions.into_iter().collect::<Vec<_>>().join(", ")
}

impl Judgement<'_> {
    /// The statement that stands for the component.
    pub fn statement(&self) -> Option<Digest> {
        match &self.standing {
            Standing::ByDigest(payload, _) | Standing::ByPurl(payload) => Some(*payload),
            Standing::Differs(_) | Standing::Open(_) => None,
        }
    }

    /// Name and version, as people write them.
    pub fn named(&self) -> String {
        let one = self.component;
        let version = one.version.as_ref().map(|version| format!(" {version}"));
        let purl = one.purl.as_ref().map(|(text, _)| format!(" ({text})"));
        let (version, purl) = (version.unwrap_or_default(), purl.unwrap_or_default());
        format!("{} {}{version}{purl}", one.kind, one.name)
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match self.standing {
            Standing::ByDigest(..) | Standing::ByPurl(_) => "attested",
            Standing::Differs(_) => "differs",
            Standing::Open(_) => "not attested",
        }
    }

    /// By what, or why not.
    pub fn why(&self) -> String {
        match &self.standing {
            Standing::ByDigest(_, what) => format!("digest: {what}"),
            Standing::ByPurl(_) => "package URL".into(),
            Standing::Differs(payload) => format!("not a digest of the statement {payload}"),
            Standing::Open(why) => why.clone(),
        }
    }

    fn finding(&self) -> Option<Finding> {
        let code = match self.standing {
            Standing::ByDigest(..) | Standing::ByPurl(_) => return None,
            Standing::Differs(_) => Code::BomDiffers,
            Standing::Open(_) => Code::BomUnattested,
        };
        let detail = format!("{}: {}", self.named(), self.why());
        Some(Finding::new(code, self.component.place.as_str(), detail))
    }

    fn to_json(&self) -> Value {
        let one = self.component;
        let by = match self.standing {
            Standing::ByDigest(..) => Some("digest"),
            Standing::ByPurl(_) => Some("purl"),
            Standing::Differs(_) | Standing::Open(_) => None,
        };
        let purl = one.purl.as_ref().map(|(text, purl)| match purl {
            Ok(purl) => purl.to_string(),
            Err(_) => text.clone(),
        });
        Value::object([
            ("place", Value::from(&one.place)),
            ("type", Value::from(&one.kind)),
            ("name", Value::from(&one.name)),
            ("version", one.version.clone().into()),
            ("purl", purl.into()),
            ("sha256", Value::array(one.digests.iter().map(Digest::hex))),
            ("standing", self.word().into()),
            ("by", by.into()),
            ("statement", self.statement().into()),
            ("why", self.why().into()),
        ])
    }
}

impl Correlation<'_> {
    /// What is wrong. A document that lists nothing that could be attested shows nothing.
    pub fn findings(&self) -> Vec<Finding> {
        if self.judged.is_empty() {
            let detail = format!("{} components of other kinds", self.passed_over);
            return vec![Finding::new(Code::BomNothing, "", detail)];
        }
        self.judged.iter().filter_map(Judgement::finding).collect()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        Value::object([
            ("format", Value::from(self.format)),
            ("passed_over", self.passed_over.into()),
            ("components", Value::array(self.judged.iter().map(Judgement::to_json))),
            ("unlisted", Value::array(self.unlisted.iter().map(Digest::to_string))),
        ])
    }
}
