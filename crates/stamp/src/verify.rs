//! The judgement, from the reply's bytes to a [`Stamp`]. RFC 3161 with RFC 5816; every point of
//! section 2.4.2 and 2.3, and what readers of the format commonly forget: that the certificate
//! which signed is the one that is named by the signed attributes, judged and chained.

use seal::Digest;

use crate::authority::Authority;
use crate::certificate::Certificate;
use crate::chain::{self, Path};
use crate::der::{INTEGER, OCTETS, OID, Reader, SEQUENCE, Tlv, context};
use crate::fault::Fault;
use crate::hash::{Algorithm, Hash, sha1};
use crate::oid;
use crate::request::unsigned;
use crate::signature;
use crate::time::Moment;
use crate::token::{self, Info, SignerInfo, Token};

/// Longest reply that is read, bytes.
pub const LIMIT: usize = 64 << 10;

/// What the reply has to be about.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    subject: Subject<'a>,
    nonce: Option<&'a [u8]>,
    policies: &'a [&'a str],
}

#[derive(Debug, Clone)]
enum Subject<'a> {
    Digest(Hash, &'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> Asked<'a> {
    /// A stamp over this digest, under this algorithm and no other.
    pub fn digest(hash: Hash, digest: &'a [u8]) -> Self {
        Asked { subject: Subject::Digest(hash, digest), nonce: None, policies: &[] }
    }

    /// A stamp over these bytes, under whichever digest that counts.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Asked { subject: Subject::Bytes(bytes), nonce: None, policies: &[] }
    }

    /// The nonce of the request, which the reply has to repeat.
    pub fn nonce(mut self, nonce: &'a [u8]) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Policies that are accepted, dotted; none means any.
    pub fn policies(mut self, policies: &'a [&'a str]) -> Self {
        self.policies = policies;
        self
    }
}

/// A stamp that holds: what was asked about existed before [`latest`](Stamp::latest).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamp {
    /// The time it states.
    pub time: Moment,
    /// How far that may be off, microseconds; `None` when it does not say.
    pub accuracy_micros: Option<u64>,
    /// Whether stamps of this signer are in the order of their times, whatever the accuracy.
    pub ordering: bool,
    /// The digest it is over.
    pub hash: Hash,
    /// The policy, dotted.
    pub policy: String,
    /// The authority's number for it, hex.
    pub serial: String,
    /// The name of the [`Authority`] it was judged by.
    pub authority: String,
    /// The signer's name. Outside text: escape it when printing.
    pub signer: String,
    /// Fingerprint of the signer's certificate.
    pub signer_fingerprint: Digest,
}

impl Stamp {
    /// What was stamped existed before this: the stated time and how far it may be off.
    pub fn latest(&self) -> Moment {
        Moment(self.time.0.saturating_add(self.accuracy_micros.unwrap_or(0)))
    }

    /// The stamp was not made before this.
    pub fn earliest(&self) -> Moment {
        Moment(self.time.0.saturating_sub(self.accuracy_micros.unwrap_or(0)))
    }
}

/// Judges a TimeStampResp. All that is wrong is told, not the first thing alone; a form that
/// cannot be read hides the rest.
pub fn verify(
    reply: &[u8],
    asked: &Asked<'_>,
    authorities: &[Authority],
) -> Result<Stamp, Vec<Fault>> {
    if reply.len() > LIMIT {
        return Err(vec![Fault::TooLong(LIMIT)]);
    }
    let (token, info) = read(reply).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let hash = about(&info, asked, &mut faults);
    let judged = signed(&token, &info, authorities, &mut faults);
    match (hash, judged) {
        (Some(hash), Some((signer, authority))) if faults.is_empty() => Ok(Stamp {
            time: info.time,
            accuracy_micros: info.accuracy_micros,
            ordering: info.ordering,
            hash,
            policy: oid::dotted(info.policy),
            serial: seal::hex::encode(info.serial),
            authority: authority.name().to_owned(),
            signer: signer.subject(),
            signer_fingerprint: signer.fingerprint(),
        }),
        _ => Err(faults),
    }
}

fn read(reply: &[u8]) -> Result<(Token<'_>, Info<'_>), Fault> {
    let token = token::token(token::reply(reply)?)?;
    let info = token::info(token.content)?;
    Ok((token, info))
}

/// Whether it is about what was asked.
fn about(info: &Info<'_>, asked: &Asked<'_>, faults: &mut Vec<Fault>) -> Option<Hash> {
    let hash = info.algorithm.hash().map_err(|fault| faults.push(fault)).ok()?;
    let expected = match asked.subject {
        Subject::Digest(wanted, digest) => (wanted == hash).then(|| digest.to_vec()),
        Subject::Bytes(bytes) => Some(hash.of(bytes)),
    };
    if info.digest.len() != hash.length() {
        faults.push(Fault::Malformed("the length of messageImprint"));
    } else if expected.as_deref() != Some(info.digest) {
        let found = format!("{} {}", hash.as_str(), seal::hex::encode(info.digest));
        faults.push(Fault::Imprint { found });
    }
    if let Some(nonce) = asked.nonce
        && (info.nonce.is_none() || unsigned(nonce).as_deref() != info.nonce)
    {
        faults.push(Fault::Nonce);
    }
    let policy = oid::dotted(info.policy);
    if !asked.policies.is_empty() && !asked.policies.contains(&policy.as_str()) {
        faults.push(Fault::Policy(policy));
    }
    Some(hash)
}

/// Whether a trusted authority signed it.
fn signed<'a>(
    token: &Token<'_>,
    info: &Info<'_>,
    authorities: &'a [Authority],
    faults: &mut Vec<Fault>,
) -> Option<(Certificate, &'a Authority)> {
    let signer_info = &token.signer;
    let hash = match content(signer_info, token.content) {
        Ok(hash) => Some(hash),
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    let helpers = authorities.iter().flat_map(Authority::helpers);
    let named: Vec<&Certificate> = token
        .bag
        .iter()
        .chain(helpers)
        .filter(|certificate| signer_info.id.names(certificate))
        .collect();
    // Several may bear one name; the signed attributes say which it was.
    let signer = match named.iter().find(|signer| is_bound(signer_info, signer) == Ok(true)) {
        Some(signer) => *signer,
        None => {
            let fault = match named.first() {
                None => Fault::SignerMissing,
                Some(first) => is_bound(signer_info, first).err().unwrap_or(Fault::Signer(
                    "the signed attributes name another certificate than the signer's",
                )),
            };
            faults.push(fault);
            return None;
        }
    };
    if let Some(hash) = hash {
        let checked = signature::check(
            signer,
            signer_info.algorithm,
            hash,
            &signer_info.signed,
            signer_info.signature,
        );
        faults.extend(checked.err());
    }
    faults.extend(signer.unfit().map(Fault::Signer));
    if info.authority.is_some_and(|name| !bears(signer, name)) {
        faults.push(Fault::Signer("the tsa field names somebody else than the signer"));
    }
    match chained(signer, token, authorities, info) {
        Ok((authority, path)) => {
            faults.extend(others(signer_info, signer, &token.bag, &path).err());
            Some((signer.clone(), authority))
        }
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

/// The signed attributes cover the content: its type and its digest (RFC 5652 section 5.4).
fn content(signer: &SignerInfo<'_>, content: &[u8]) -> Result<Hash, Fault> {
    let kind = signer.attribute(oid::CONTENT_TYPE).filter(|value| value.tag == OID);
    if kind.map(|value| value.value) != Some(oid::TST_INFO) {
        return Err(Fault::Signature("the signed attributes do not name the content's type"));
    }
    let hash = signer.digest.hash()?;
    let digest = signer.attribute(oid::MESSAGE_DIGEST).filter(|value| value.tag == OCTETS);
    match digest.is_some_and(|digest| digest.value == hash.of(content)) {
        true => Ok(hash),
        false => Err(Fault::Signature("the signed attributes are not over this content")),
    }
}

/// One ESSCertID: a digest of a certificate, and perhaps its issuer and number.
struct Named<'a> {
    digest: &'a [u8],
    hash: Option<Hash>,
    issued: Option<(Tlv<'a>, &'a [u8])>,
}

impl Named<'_> {
    fn is(&self, certificate: &Certificate) -> bool {
        let digest = match self.hash {
            Some(hash) => hash.of(certificate.der()),
            None => sha1(certificate.der()),
        };
        let issued = self.issued.is_none_or(|(names, serial)| {
            // GeneralNames with one directoryName, [4] EXPLICIT.
            let mut names = names.inside();
            let name = names.element(context(4), "");
            name.is_ok_and(|name| name.value == certificate.issuer)
                && names.is_empty()
                && serial == certificate.serial
        });
        digest == self.digest && issued
    }
}

/// The certificates that the signed attributes name, in one list for each version of the
/// attribute; the first of each is the signer's (RFC 5035 section 3).
fn named<'a>(signer: &SignerInfo<'a>) -> Result<Vec<Vec<Named<'a>>>, Fault> {
    let what = "the signing certificate attribute";
    let mut lists = Vec::new();
    for (kind, version) in [(oid::SIGNING_CERTIFICATE, 1), (oid::SIGNING_CERTIFICATE_V2, 2)] {
        let Some(value) = signer.attribute(kind) else { continue };
        if value.tag != SEQUENCE {
            return Err(Fault::Malformed(what));
        }
        let mut parts = value.inside();
        let mut each = parts.element(SEQUENCE, what)?.inside();
        parts.optional(SEQUENCE, what)?;
        parts.end(what)?;
        let mut list = Vec::new();
        while !each.is_empty() {
            let mut id = each.element(SEQUENCE, what)?.inside();
            let hash = match version {
                1 => None,
                _ => Some(match id.optional(SEQUENCE, what)? {
                    Some(algorithm) => Algorithm::read(algorithm, what)?.hash()?,
                    None => Hash::Sha256,
                }),
            };
            let digest = id.element(OCTETS, what)?.value;
            let issued = match id.optional(SEQUENCE, what)? {
                None => None,
                Some(issued) => {
                    let mut issued = issued.inside();
                    let names = issued.element(SEQUENCE, what)?;
                    let serial = issued.element(INTEGER, what)?.integer(what)?;
                    issued.end(what)?;
                    Some((names, serial))
                }
            };
            id.end(what)?;
            list.push(Named { digest, hash, issued });
        }
        if list.is_empty() || list.len() > 16 {
            return Err(Fault::Malformed(what));
        }
        lists.push(list);
    }
    match lists.is_empty() {
        true => Err(Fault::Signer("the signed attributes do not name the signer's certificate")),
        false => Ok(lists),
    }
}

fn is_bound(signer: &SignerInfo<'_>, certificate: &Certificate) -> Result<bool, Fault> {
    Ok(named(signer)?.iter().all(|list| list.first().is_some_and(|first| first.is(certificate))))
}

/// Where further certificates are named, they are those of the chain: a path that goes another
/// way is not the one the signer meant.
fn others(
    signer: &SignerInfo<'_>,
    certificate: &Certificate,
    bag: &[Certificate],
    path: &Path,
) -> Result<(), Fault> {
    let known = || path.iter().chain(bag).chain(std::iter::once(certificate));
    let there = |named: &Named<'_>| known().any(|certificate| named.is(certificate));
    match named(signer)?.iter().all(|list| list.iter().all(there)) {
        true => Ok(()),
        false => Err(Fault::Signer("the signed attributes name a chain that is not there")),
    }
}

/// Whether a GeneralName is the subject's name or one of the others it bears.
fn bears(certificate: &Certificate, name: &[u8]) -> bool {
    let directory = Reader(name).element(context(4), "");
    directory.is_ok_and(|directory| directory.value == certificate.subject)
        || certificate.other_names.iter().any(|other| other == name)
}

/// The first authority whose root the chain reaches and that takes the policy; or why the most
/// promising one does not.
fn chained<'a>(
    signer: &Certificate,
    token: &Token<'_>,
    authorities: &'a [Authority],
    info: &Info<'_>,
) -> Result<(&'a Authority, Path), Fault> {
    let policy = oid::dotted(info.policy);
    let mut worst = Fault::Untrusted("no timestamp authority is trusted".to_owned());
    for authority in authorities {
        match chain::find(signer, &token.bag, authority, info.time) {
            Ok(path) if authority.takes(&policy) => return Ok((authority, path)),
            // What held a chain up says more than that there was none.
            Ok(_) => worst = Fault::Policy(policy.clone()),
            Err(fault @ Fault::Expired(_)) => worst = fault,
            Err(fault) if !matches!(worst, Fault::Expired(_) | Fault::Policy(_)) => worst = fault,
            Err(_) => {}
        }
    }
    Err(worst)
}
