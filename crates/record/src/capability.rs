//! Capability statements: what an agent's key may do, signed by itself or by an issuer.
//!
//! Projection-signed: the signature covers the canonical form of all members but itself, with the
//! lists sorted; the file may be laid out as it likes. No statement is believed for the key it
//! carries: [`Statement::verify`] asks for the keys that the verifier holds.

use seal::base64;
use seal::json::{
    Limits, MAX_SAFE_INTEGER, Value, parse, utf16_order, write_pretty, write_receipt,
};
use seal::key::{KeyId, PublicKey};
use seal::signer::Signer;

use crate::agent::AgentId;
use crate::codes::Code;
use crate::report::Finding;

/// The issuer name of the format.
pub const ISSUER: &str = "raucle";
/// A statement file is small.
const LIMITS: Limits = Limits { bytes: 64 * 1024, depth: 4 };

/// What a statement says. An empty list of models or tools does not restrict; an empty
/// sanitisation authority allows to clear nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The agent the key speaks for.
    pub agent_id: AgentId,
    /// The agent's key.
    pub public_key: PublicKey,
    /// Models it may call.
    pub allowed_models: Vec<String>,
    /// Tools and sanitisers it may use.
    pub allowed_tools: Vec<String>,
    /// Classifications it may handle.
    pub data_classifications: Vec<String>,
    /// Tags it may clear; `*` is any.
    pub sanitisation_authority: Vec<String>,
    /// Who issued it, as text for people.
    pub issuer: String,
    /// Valid from this second on.
    pub issued_at: i64,
    /// Valid before this second.
    pub expires_at: Option<i64>,
}

impl Terms {
    /// Terms that restrict nothing and grant no sanitisation authority.
    pub fn new(agent_id: AgentId, public_key: PublicKey, issued_at: i64) -> Self {
        Terms {
            agent_id,
            public_key,
            allowed_models: Vec::new(),
            allowed_tools: Vec::new(),
            data_classifications: Vec::new(),
            sanitisation_authority: Vec::new(),
            issuer: ISSUER.to_string(),
            issued_at,
            expires_at: None,
        }
    }
}

/// A signed statement. Whether the signature counts is [`Statement::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The agent the key speaks for.
    pub agent_id: AgentId,
    /// The id of the agent's key.
    pub key_id: KeyId,
    /// The agent's key.
    pub public_key: PublicKey,
    /// Models it may call; empty does not restrict.
    pub allowed_models: Vec<String>,
    /// Tools and sanitisers it may use; empty does not restrict.
    pub allowed_tools: Vec<String>,
    /// Classifications it may handle.
    pub data_classifications: Vec<String>,
    /// Tags it may clear; `*` is any, empty is none.
    pub sanitisation_authority: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// Valid from this second on.
    pub issued_at: i64,
    /// Valid before this second.
    pub expires_at: Option<i64>,
    /// Ed25519 over the canonical form of the above.
    pub signature: [u8; 64],
}

/// A statement that cannot be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A time lies outside what the format can say.
    #[error(
        "issued_at {issued_at} and expires_at {expires_at:?} are not positive seconds in this order"
    )]
    Time {
        /// As given.
        issued_at: i64,
        /// As given.
        expires_at: Option<i64>,
    },
    /// The issuer is empty.
    #[error("the issuer is empty; name who issues the statement")]
    Issuer,
    /// A list holds an empty entry.
    #[error("{0} holds an empty entry")]
    EmptyEntry(&'static str),
}

/// Signs a statement, with the agent's own key or with an issuer's.
pub fn issue(terms: Terms, issuer: &dyn Signer) -> Result<Statement, IssueError> {
    let sorted = |list: Vec<String>| {
        let mut list = list;
        list.sort_by(|a, b| utf16_order(a, b));
        list.dedup();
        list
    };
    let mut statement = Statement {
        key_id: terms.public_key.key_id(),
        agent_id: terms.agent_id,
        public_key: terms.public_key,
        allowed_models: sorted(terms.allowed_models),
        allowed_tools: sorted(terms.allowed_tools),
        data_classifications: sorted(terms.data_classifications),
        sanitisation_authority: sorted(terms.sanitisation_authority),
        issuer: terms.issuer,
        issued_at: terms.issued_at,
        expires_at: terms.expires_at,
        signature: [0; 64],
    };
    let range = 1..=MAX_SAFE_INTEGER;
    let expires_well = statement
        .expires_at
        .is_none_or(|until| range.contains(&until) && until > statement.issued_at);
    if !range.contains(&statement.issued_at) || !expires_well {
        let Statement { issued_at, expires_at, .. } = statement;
        return Err(IssueError::Time { issued_at, expires_at });
    }
    if statement.issuer.is_empty() {
        return Err(IssueError::Issuer);
    }
    for (name, list) in statement.lists() {
        if list.iter().any(String::is_empty) {
            return Err(IssueError::EmptyEntry(name));
        }
    }
    statement.signature = issuer.sign(statement.preimage().as_bytes());
    Ok(statement)
}

/// Reads a statement file, strictly. The signature is not checked.
pub fn read(bytes: &[u8]) -> Result<Statement, Vec<Finding>> {
    let refuse = |detail: String| vec![Finding::here(Code::CapMalformed, detail)];
    let value = parse(bytes, LIMITS).map_err(|error| refuse(error.to_string()))?;
    let members =
        value.as_object().ok_or_else(|| refuse(format!("statement is {}", value.kind())))?;
    if let Some((unknown, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        return Err(refuse(format!("member {unknown:?}")));
    }
    let text = |name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.ok_or_else(|| refuse(format!("{name} is missing or not a string")))
    };
    let list = |name: &str| {
        let items = value.get(name).and_then(Value::as_array);
        let texts = items.and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_string));
            texts.collect::<Option<Vec<String>>>()
        });
        let mut texts = texts.ok_or_else(|| refuse(format!("{name} is not a list of strings")))?;
        texts.sort_by(|a, b| utf16_order(a, b));
        Ok::<_, Vec<Finding>>(texts)
    };
    let seconds = |name: &str| match value.get(name) {
        Some(Value::Int(n)) if (0..=MAX_SAFE_INTEGER).contains(n) => Ok(*n),
        _ => Err(refuse(format!("{name} is not a time in seconds"))),
    };
    let public_key = PublicKey::from_pem(text("public_key_pem")?)
        .map_err(|error| refuse(format!("public_key_pem: {error}")))?;
    if text("public_key_pem")? != public_key.to_pem() {
        return Err(refuse("public_key_pem is not the canonical PEM text".into()));
    }
    let key_id: KeyId =
        text("key_id")?.parse().map_err(|_| refuse("key_id is not 16 lower-case hex".into()))?;
    let signature = base64::std_decode(text("signature")?)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| refuse("signature is not 64 bytes of padded base64".into()))?;
    let issuer = text("issuer")?;
    if issuer.is_empty() {
        return Err(refuse("issuer is empty".into()));
    }
    let expires_at = match value.get("expires_at") {
        Some(Value::Null) => None,
        _ => Some(seconds("expires_at")?),
    };
    let sanitisation_authority = match value.get("sanitisation_authority") {
        None => Vec::new(),
        Some(_) => list("sanitisation_authority")?,
    };
    let agent_id = text("agent_id")?;
    let agent_id = agent_id.parse().map_err(|_| refuse(format!("agent_id {agent_id:?}")))?;
    Ok(Statement {
        agent_id,
        key_id,
        public_key,
        allowed_models: list("allowed_models")?,
        allowed_tools: list("allowed_tools")?,
        data_classifications: list("data_classifications")?,
        sanitisation_authority,
        issuer: issuer.to_string(),
        issued_at: seconds("issued_at")?,
        expires_at,
        signature,
    })
}

const MEMBERS: [&str; 11] = [
    "agent_id",
    "allowed_models",
    "allowed_tools",
    "data_classifications",
    "expires_at",
    "issued_at",
    "issuer",
    "key_id",
    "public_key_pem",
    "sanitisation_authority",
    "signature",
];

impl Statement {
    /// Whether the statement is about `holder`, the key the verifier holds for the agent, and
    /// signed by `issuer`, a key the verifier trusts to say so (the holder itself when
    /// self-signed).
    pub fn verify(&self, holder: &PublicKey, issuer: &PublicKey) -> Result<(), Finding> {
        self.names(holder)?;
        if !self.is_signed_by(issuer) {
            let detail = format!("statement for {} under key {}", self.agent_id, issuer.key_id());
            return Err(Finding::here(Code::CapSignature, detail));
        }
        Ok(())
    }

    /// Whether the statement names its own key right, and that key is `holder`.
    pub fn names(&self, holder: &PublicKey) -> Result<(), Finding> {
        if self.key_id != self.public_key.key_id() {
            let detail = format!("key_id {} is not that of the key", self.key_id);
            return Err(Finding::here(Code::CapKey, detail));
        }
        if self.public_key != *holder {
            let detail = format!("key {} is not the one held under this id", self.key_id);
            return Err(Finding::here(Code::CapKey, detail));
        }
        Ok(())
    }

    /// Whether `key` signed the statement.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(self.preimage().as_bytes(), &self.signature)
    }

    /// Whether the agent may call this model.
    pub fn allows_model(&self, model: &str) -> bool {
        self.allowed_models.is_empty() || self.allowed_models.iter().any(|known| known == model)
    }

    /// Whether the agent may use this tool or sanitiser.
    pub fn allows_tool(&self, tool: &str) -> bool {
        self.allowed_tools.is_empty() || self.allowed_tools.iter().any(|known| known == tool)
    }

    /// Whether the agent may clear this tag.
    pub fn may_clear(&self, tag: &str) -> bool {
        self.sanitisation_authority.iter().any(|known| known == "*" || known == tag)
    }

    /// Whether the statement covers this second.
    pub fn valid_at(&self, iat: i64) -> bool {
        self.issued_at <= iat && self.expires_at.is_none_or(|until| iat < until)
    }

    /// The file, for people to read and verifiers to project.
    pub fn to_json(&self) -> String {
        let Value::Object(mut members) = self.projection() else { return String::new() };
        members.push(("signature".into(), base64::std_encode(&self.signature).into()));
        write_pretty(&Value::Object(members))
    }

    /// The bytes that are signed.
    pub fn preimage(&self) -> String {
        // Only integers within range and strings: the canonical form always exists.
        write_receipt(&self.projection()).unwrap_or_default()
    }

    fn lists(&self) -> [(&'static str, &Vec<String>); 4] {
        [
            ("allowed_models", &self.allowed_models),
            ("allowed_tools", &self.allowed_tools),
            ("data_classifications", &self.data_classifications),
            ("sanitisation_authority", &self.sanitisation_authority),
        ]
    }

    fn projection(&self) -> Value {
        let mut members: Vec<(String, Value)> = vec![
            ("agent_id".into(), self.agent_id.as_str().into()),
            ("key_id".into(), self.key_id.to_string().into()),
            ("public_key_pem".into(), self.public_key.to_pem().into()),
        ];
        for (name, list) in self.lists() {
            // The one list whose absence means something: no authority at all.
            if name != "sanitisation_authority" || !list.is_empty() {
                members.push((name.into(), Value::array(list.iter().map(String::as_str))));
            }
        }
        members.push(("issuer".into(), self.issuer.as_str().into()));
        members.push(("issued_at".into(), self.issued_at.into()));
        members.push(("expires_at".into(), self.expires_at.into()));
        Value::Object(members)
    }
}
