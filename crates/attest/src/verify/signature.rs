//! Whose word a bundle is.

use record::report::{Code, Finding};
use record::trust::{Purpose, Trust, Validity};
use seal::dsse::pae;
use seal::time::UnixMillis;
use seal::verifier::VerifyKey;
use stamp::{Asked, Authority};

use crate::bundle::Bundle;
use crate::statement::Statement;
use crate::types::Type;

/// How far a clock may be ahead of ours, milliseconds.
const AHEAD: u64 = 10 * 60 * 1000;

/// The keys of a trust file, ready to be looked up by how bundles name them.
pub struct Keys {
    known: Vec<Known>,
}

struct Known {
    name: String,
    purpose: Purpose,
    hint: String,
    key: VerifyKey,
    types: Vec<String>,
    valid: Validity,
}

impl Keys {
    /// Those that are public keys.
    pub fn of(trust: Option<&Trust>) -> Keys {
        let keys = trust.map(Trust::keys).unwrap_or_default();
        let known = keys.iter().filter_map(|one| {
            let key = one.verify_key()?;
            Some(Known {
                name: one.name.clone(),
                purpose: one.purpose,
                hint: key.hint(),
                key,
                types: one.types.clone(),
                valid: one.valid,
            })
        });
        Keys { known: known.collect() }
    }

    fn signers(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|one| one.purpose == Purpose::Statements)
    }
}

/// The signer's name when it may sign this, and what is wrong. `stamped` is when the signature was
/// there, as somebody trusted says: the key's time is judged by it, else by what the statement says.
pub fn judge(
    bundle: &Bundle,
    keys: &Keys,
    kind: Option<&'static Type>,
    statement: Option<&Statement>,
    (now, stamped): (UnixMillis, Option<UnixMillis>),
) -> (Option<String>, Vec<Finding>) {
    let mut found = Vec::new();
    let signer = match signer(bundle, keys) {
        Ok(signer) => {
            if let Some(kind) = kind.filter(|kind| !signer.may(kind)) {
                let detail = format!("{:?} may not sign {} statements", signer.name, kind.name);
                found.push(Finding::new(Code::AttestKeyType, "", detail));
            }
            if let Some(at) = stamped.or(statement.map(|one| one.generated_at))
                && !signer.valid.contains(at)
            {
                let detail = format!("{:?}; at {at}", signer.name);
                found.push(Finding::new(Code::AttestKeyTime, "", detail));
            }
            Some(signer)
        }
        Err(finding) => {
            found.push(finding);
            None
        }
    };
    if let Some(statement) = statement {
        found.extend(times(statement, now));
        if let Some(stamped) = stamped
            && statement.generated_at.0 > stamped.0.saturating_add(AHEAD)
        {
            let detail = format!("made at {}, stamped at {stamped}", statement.generated_at);
            found.push(Finding::new(Code::AttestFuture, "", detail));
        }
    }
    let name = signer.filter(|_| found.is_empty()).map(|signer| signer.name.clone());
    (name, found)
}

impl Known {
    fn may(&self, kind: &Type) -> bool {
        self.types.is_empty() || self.types.iter().any(|name| name == kind.name)
    }
}

/// The key that signed, among those that are trusted with statements.
fn signer<'k>(bundle: &Bundle, keys: &'k Keys) -> Result<&'k Known, Finding> {
    let refused = |code, detail: String| Err(Finding::new(code, "", detail));
    let Some(signature) = bundle.envelope.signatures.first() else {
        return refused(Code::AttestUnsigned, String::new());
    };
    if keys.signers().next().is_none() {
        return refused(Code::AttestNoTrust, format!("it names {}", shown(&bundle.hint)));
    }
    let message = pae(&bundle.envelope.payload_type, &bundle.envelope.payload);
    let signed = |one: &&Known| one.key.verify(&message, &signature.sig);
    let hint = match bundle.hint.is_empty() {
        true => &signature.keyid,
        false => &bundle.hint,
    };
    let named = keys.known.iter().find(|one| one.hint == *hint);
    let found = match named {
        Some(named) if named.purpose != Purpose::Statements => {
            let detail = format!("{:?} is for {}", named.name, named.purpose);
            return refused(Code::AttestKeyPurpose, detail);
        }
        Some(named) => Some(named).filter(signed),
        None if hint.is_empty() => keys.signers().find(signed),
        None => None,
    };
    match (found, named) {
        (Some(found), _) if !signature.keyid.is_empty() && signature.keyid != found.hint => {
            let detail = format!("keyid {}, signed by {:?}", shown(&signature.keyid), found.name);
            refused(Code::AttestHint, detail)
        }
        (Some(found), _) => Ok(found),
        (None, _) if let Some(other) = keys.signers().find(signed) => {
            let detail = format!("it names {}, signed by {:?}", shown(hint), other.name);
            refused(Code::AttestHint, detail)
        }
        (None, Some(named)) => refused(Code::AttestSignature, format!("under {:?}", named.name)),
        (None, None) => refused(Code::AttestKeyUnknown, format!("it names {}", shown(hint))),
    }
}

/// When the signature was there at the latest, by a timestamp of the bundle that a trusted authority
/// made. Without authorities nobody can tell; stamps of others prove nothing and are told.
pub fn stamped(
    bundle: &Bundle,
    authorities: &[Authority],
) -> (Option<UnixMillis>, Option<Finding>) {
    let Some(signature) = bundle.envelope.signatures.first() else { return (None, None) };
    if authorities.is_empty() {
        return (None, None);
    }
    let mut faults = Vec::new();
    let mut times = Vec::new();
    for der in &bundle.timestamps {
        match stamp::verify(der, &Asked::bytes(&signature.sig), authorities) {
            Ok(stamp) => times.push(stamp.latest()),
            Err(why) => faults.extend(why.into_iter().map(|fault| fault.to_string())),
        }
    }
    // Microseconds, rounded up: it was there then.
    let first = times.iter().map(|moment| moment.0.div_ceil(1000)).min();
    let told = || Finding::new(Code::AttestStamp, "", faults.join("; "));
    let refused = (first.is_none() && !faults.is_empty()).then(told);
    (first.map(UnixMillis), refused)
}

/// Whether the statement counts now.
fn times(statement: &Statement, now: UnixMillis) -> Option<Finding> {
    let made = statement.generated_at;
    match statement.expires_at {
        _ if made.0 > now.0.saturating_add(AHEAD) => {
            Some(Finding::new(Code::AttestFuture, "", format!("made at {made}, now {now}")))
        }
        Some(end) if end.0 <= now.0 => {
            Some(Finding::new(Code::AttestExpired, "", format!("at {end}, now {now}")))
        }
        Some(_) | None => None,
    }
}

fn shown(hint: &str) -> &str {
    if hint.is_empty() { "no key" } else { hint }
}
