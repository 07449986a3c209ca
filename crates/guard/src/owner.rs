//! Who commits to a request: exactly one, named exactly.
//!
//! A name is accepted as it is written or not at all. Nothing is folded, trimmed inside or
//! replaced: rewriting `µser` to `user` would hand one principal another's budget and blame.

use std::fmt;

use crate::facts::Identity;

/// A resolved owner; made only by [`resolve`] (or by [`Owner::unattributed`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    kind: OwnerKind,
    id: String,
}

/// What kind of principal an owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerKind {
    /// A person.
    Human,
    /// A program that acts by itself.
    Agent,
    /// A named rule that somebody answers for.
    Policy,
}

impl OwnerKind {
    /// The prefix in `human:alice`.
    pub fn as_str(self) -> &'static str {
        match self {
            OwnerKind::Human => "human",
            OwnerKind::Agent => "agent",
            OwnerKind::Policy => "policy",
        }
    }
}

impl Owner {
    /// The owner of requests without one, where the configuration allows them.
    pub fn unattributed() -> Owner {
        Owner { kind: OwnerKind::Policy, id: "unattributed".to_owned() }
    }

    /// What kind of principal it is.
    pub fn kind(&self) -> OwnerKind {
        self.kind
    }

    /// Its name without the prefix; never empty.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// Why no owner could be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// No identity header.
    #[error(
        "no owner: send X-Commit-Owner: human:<name>, X-Agent-Id: agent:<name> or X-Policy-Name"
    )]
    Missing,
    /// One header twice.
    #[error("the header {0} was sent more than once")]
    Duplicate(&'static str),
    /// Headers that name different owners, or a policy version without its policy.
    #[error("the identity headers contradict one another; send one of them")]
    Conflict,
    /// No name.
    #[error("the header {0} names nobody")]
    Empty(&'static str),
    /// Too long.
    #[error("the name in {0} is longer than {MAX_NAME} bytes")]
    TooLong(&'static str),
    /// Not plain printable ASCII.
    #[error("the name in {0} holds something other than printable ASCII")]
    Charset(&'static str),
    /// Without its prefix.
    #[error("the value of {0} must begin with its lower-case prefix, human: or agent:")]
    Prefix(&'static str),
}

impl OwnerError {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            OwnerError::Missing => "owner_missing",
            OwnerError::Duplicate(_) => "owner_duplicate",
            OwnerError::Conflict => "owner_conflict",
            OwnerError::Empty(_) => "owner_empty",
            OwnerError::TooLong(_) => "owner_too_long",
            OwnerError::Charset(_) => "owner_charset",
            OwnerError::Prefix(_) => "owner_prefix",
        }
    }
}

/// The longest name of an owner, in bytes.
pub const MAX_NAME: usize = 256;

/// The headers that say who is asking and what for. The gateway hands over all their values and
/// no others; none of them goes upstream.
pub const IDENTITY_HEADERS: [&str; 6] = [
    "x-commit-owner",
    "x-agent-id",
    "x-policy-name",
    "x-policy-version",
    "x-classification",
    "x-caller-clearance",
];

/// The owner that the headers name.
///
/// # Errors
/// They name nobody, more than one, or not exactly.
pub fn resolve(identity: &Identity) -> Result<Owner, OwnerError> {
    let human = single(identity, "x-commit-owner")?;
    let agent = single(identity, "x-agent-id")?;
    let policy = single(identity, "x-policy-name")?;
    let version = single(identity, "x-policy-version")?;
    let sent = [human, agent, policy].iter().flatten().count();
    if sent > 1 || (version.is_some() && policy.is_none()) {
        return Err(OwnerError::Conflict);
    }
    let prefixed = |value: &[u8], prefix: &str, header| {
        let id = value.strip_prefix(prefix.as_bytes()).ok_or(OwnerError::Prefix(header))?;
        name(id, header)
    };
    if let Some(value) = human {
        let id = prefixed(value, "human:", "X-Commit-Owner")?;
        return Ok(Owner { kind: OwnerKind::Human, id });
    }
    if let Some(value) = agent {
        let id = prefixed(value, "agent:", "X-Agent-Id")?;
        return Ok(Owner { kind: OwnerKind::Agent, id });
    }
    let Some(value) = policy else {
        return Err(OwnerError::Missing);
    };
    let mut id = name(value, "X-Policy-Name")?;
    if let Some(version) = version {
        id.push('@');
        id.push_str(&name(version, "X-Policy-Version")?);
    }
    if id.len() > MAX_NAME {
        return Err(OwnerError::TooLong("X-Policy-Version"));
    }
    Ok(Owner { kind: OwnerKind::Policy, id })
}

/// The one value of a header, without the white space HTTP allows around it.
fn single<'i>(
    identity: &'i Identity,
    header: &'static str,
) -> Result<Option<&'i [u8]>, OwnerError> {
    let mut values = identity.values(header);
    let first = values.next().map(<[u8]>::trim_ascii);
    match values.next() {
        None => Ok(first),
        Some(_) => Err(OwnerError::Duplicate(header)),
    }
}

fn name(value: &[u8], header: &'static str) -> Result<String, OwnerError> {
    if value.is_empty() {
        return Err(OwnerError::Empty(header));
    }
    if value.len() > MAX_NAME {
        return Err(OwnerError::TooLong(header));
    }
    // A space at an edge, or a comma as proxies put between joined duplicates, is not a name.
    let edges = value.starts_with(b" ") || value.ends_with(b" ");
    match std::str::from_utf8(value) {
        Ok(text) if !edges && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b',') => {
            Ok(text.to_owned())
        }
        _ => Err(OwnerError::Charset(header)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &[u8])], expect: Result<&str, &str>) {
        let identity = Identity::asserted(
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())),
        );
        let owner = resolve(&identity);
        let said = owner.as_ref().map(ToString::to_string).map_err(|error| error.code());
        assert_eq!(said, expect.map(str::to_owned), "{headers:?}");
    }

    #[test]
    fn one_owner_named_exactly() {
        check(&[("x-commit-owner", b"human:alice")], Ok("human:alice"));
        check(&[("X-Commit-Owner", b" human:alice \t")], Ok("human:alice"));
        check(&[("x-agent-id", b"agent:billing")], Ok("agent:billing"));
        check(&[("x-policy-name", b"nightly"), ("x-policy-version", b"3")], Ok("policy:nightly@3"));
        check(
            &[("x-commit-owner", &[b"human:".as_slice(), &[b'a'; 256]].concat())],
            Ok(&format!("human:{}", "a".repeat(256))),
        );
    }

    #[test]
    fn none_or_several_are_refused() {
        check(&[], Err("owner_missing"));
        check(&[("x-classification", b"CUI")], Err("owner_missing"));
        check(
            &[("x-commit-owner", b"human:a"), ("X-Commit-Owner", b"human:a")],
            Err("owner_duplicate"),
        );
        check(&[("x-commit-owner", b"human:a"), ("x-agent-id", b"agent:a")], Err("owner_conflict"));
        check(&[("x-commit-owner", b"human:a"), ("x-policy-name", b"p")], Err("owner_conflict"));
        check(&[("x-commit-owner", b"human:a"), ("x-policy-version", b"p")], Err("owner_conflict"));
        check(&[("x-commit-owner", b"human:a"), ("x-agent-id", b"junk")], Err("owner_conflict"));
        check(&[("x-commit-owner", b"human:a,human:b")], Err("owner_charset"));
    }

    #[test]
    fn nothing_is_folded_into_a_name() {
        check(&[("x-commit-owner", b"alice")], Err("owner_prefix"));
        check(&[("x-commit-owner", b"HUMAN:alice")], Err("owner_prefix"));
        check(&[("x-commit-owner", b"agent:alice")], Err("owner_prefix"));
        check(&[("x-commit-owner", b"")], Err("owner_prefix"));
        check(&[("x-commit-owner", b"human:")], Err("owner_empty"));
        check(&[("x-commit-owner", b"human: alice")], Err("owner_charset"));
        check(&[("x-commit-owner", b"human:\xb5ser")], Err("owner_charset"));
        check(&[("x-commit-owner", "human:\u{430}lice".as_bytes())], Err("owner_charset"));
        for byte in (0..0x20).chain(0x7f..=0xff) {
            check(
                &[("x-commit-owner", &[b"human:a".as_slice(), &[byte], b"b"].concat())],
                Err("owner_charset"),
            );
        }
        check(
            &[("x-commit-owner", &[b"human:".as_slice(), &[b'a'; 257]].concat())],
            Err("owner_too_long"),
        );
        check(
            &[("x-policy-name", &[b'a'; 250]), ("x-policy-version", b"123456")],
            Err("owner_too_long"),
        );
        check(&[("x-policy-name", b"")], Err("owner_empty"));
    }
}
