//! Whose stamps count: a root certificate, with helpers below it, within a window of time.

use seal::time::UnixMillis;

use crate::certificate::Certificate;
use crate::oid;
use crate::time::Moment;

/// When an authority counts: `from` inclusive, `until` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Not before.
    pub from: Option<UnixMillis>,
    /// Not at or after.
    pub until: Option<UnixMillis>,
}

impl Window {
    pub(crate) fn holds(&self, time: Moment) -> bool {
        let micros = |millis: UnixMillis| millis.0.saturating_mul(1_000);
        self.from.is_none_or(|from| micros(from) <= time.0)
            && self.until.is_none_or(|until| time.0 < micros(until))
    }
}

/// Certificates that cannot be trusted as an authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// None at all, or too many.
    #[error("{0} certificates, expected 1 to 16: the root, or a chain with the root last")]
    Count(usize),
    /// One that cannot be read.
    #[error("certificate {0} cannot be read: X.509 version 3 in DER is expected")]
    Unreadable(usize),
    /// The last one cannot be a root.
    #[error(
        "the last certificate ({0}) is not that of a CA; give the authority's root, or a chain that ends with it"
    )]
    NoRoot(String),
    /// A policy that is no OID.
    #[error("the policy {0:?} is no dotted OID, such as 1.2.3.4.1")]
    Policy(String),
}

/// A timestamp authority that is trusted. The last certificate is the root, where chains end; the
/// others are helpers (intermediates, or a signer that replies leave out) and not trusted by
/// themselves.
#[derive(Debug, Clone)]
pub struct Authority {
    name: String,
    window: Window,
    helpers: Vec<Certificate>,
    root: Certificate,
    policies: Vec<String>,
}

impl Authority {
    /// An authority under the name that reports show.
    pub fn new<C: AsRef<[u8]>>(
        name: impl Into<String>,
        certificates: &[C],
        window: Window,
    ) -> Result<Authority, AuthorityError> {
        if certificates.len() > 16 {
            return Err(AuthorityError::Count(certificates.len()));
        }
        let mut read = Vec::new();
        for (index, der) in certificates.iter().enumerate() {
            let certificate = Certificate::from_der(der.as_ref());
            read.push(certificate.map_err(|_| AuthorityError::Unreadable(index + 1))?);
        }
        let root = read.pop().ok_or(AuthorityError::Count(0))?;
        if !root.is_authority() {
            return Err(AuthorityError::NoRoot(root.subject()));
        }
        Ok(Authority { name: name.into(), window, helpers: read, root, policies: Vec::new() })
    }

    /// The same authority, whose stamps count under these policies (dotted OIDs) only; none given
    /// means any.
    pub fn under(mut self, policies: &[String]) -> Result<Authority, AuthorityError> {
        if let Some(wrong) = policies.iter().find(|policy| oid::encode(policy).is_none()) {
            return Err(AuthorityError::Policy(wrong.clone()));
        }
        self.policies = policies.to_vec();
        Ok(self)
    }

    /// Whether a stamp under this policy counts.
    pub(crate) fn takes(&self, policy: &str) -> bool {
        self.policies.is_empty() || self.policies.iter().any(|taken| taken == policy)
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it counts.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Where its chains end.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// The certificates that came along with the root.
    pub fn helpers(&self) -> &[Certificate] {
        &self.helpers
    }
}
