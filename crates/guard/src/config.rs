//! What the checks do, as declared. Every default is the strict one; an unknown member is refused.

use std::collections::BTreeMap;

use scan::{Category, Rule};
use seal::json::Value;
use serde::Deserialize;

/// The `guard` section of the gateway's configuration (docs/checks.md).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// Who commits.
    pub owner: OwnerConfig,
    /// Classification and clearance.
    pub classification: ClassificationConfig,
    /// Injected instructions.
    pub injection: InjectionConfig,
    /// Secrets and personal data.
    pub content: ContentConfig,
    /// Answers beyond what was asked for.
    pub scope_drift: ScopeDriftConfig,
    /// Which tools may be called.
    pub tools: ToolsConfig,
    /// What an owner may use.
    pub token_budget: TokenBudgetConfig,
}

/// Configuration of `owner_resolution`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnerConfig {
    /// Whether a request without identity headers is refused; else its owner is
    /// `policy:unattributed`. Contradictory headers are refused in any case.
    pub required: bool,
}

/// Configuration of `classification_gate`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationConfig {
    /// Whether it runs.
    pub enabled: bool,
}

/// What a check does about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Response {
    /// Records it and goes on.
    Allow,
    /// Asks a person; without an approval flow that refuses.
    Escalate,
    /// Refuses.
    Deny,
}

/// Configuration of `injection`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InjectionConfig {
    /// Whether it runs.
    pub enabled: bool,
    /// For findings of high severity.
    pub high: Response,
    /// For findings of medium severity, but not in the operator's own messages (roles `system` and
    /// `developer`): those describe how the model is to behave, and are only recorded.
    pub medium: Response,
    /// For findings of low severity; the same holds.
    pub low: Response,
    /// For texts that the engine could not read to the end.
    pub unread: Response,
    /// Roles whose message text is not judged by this check, such as `system` where system
    /// prompts quote attacks. Their text is still scanned and recorded.
    pub exempt_roles: Vec<String>,
}

/// What to do about a secret or personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// What the rule itself says.
    Rule,
    /// Records it and goes on.
    Flag,
    /// Cuts it out.
    Redact,
    /// Refuses.
    Block,
}

/// Configuration of `content`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContentConfig {
    /// Whether it runs.
    pub enabled: bool,
    /// For keys, tokens and passwords.
    pub secrets: Treatment,
    /// For data about persons.
    pub pii: Treatment,
    /// For single rules, by id; goes before the two above.
    pub rules: BTreeMap<String, Treatment>,
}

/// Configuration of `scope_drift`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeDriftConfig {
    /// Whether it runs.
    pub enabled: bool,
    /// Whether classification markers above the request's classification are refused.
    pub markers: bool,
    /// Whether content far beyond `max_tokens` is refused.
    pub length: bool,
    /// How many characters a token may be worth on average before that is too much.
    pub chars_per_token: u64,
    /// Characters that are always allowed on top.
    pub slack_chars: u64,
}

/// Configuration of `tool_policy`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolsConfig {
    /// When present, only these tools may be called.
    pub allowed: Option<Vec<String>>,
    /// These tools may not be called.
    pub denied: Vec<String>,
}

/// Configuration of `token_budget`; off while no cap is set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenBudgetConfig {
    /// Most tokens per owner and minute.
    pub per_minute: Option<u64>,
    /// Most tokens per owner and hour.
    pub per_hour: Option<u64>,
    /// Most tokens per owner and day.
    pub per_day: Option<u64>,
    /// What a choice is expected to use when the request does not limit it.
    pub default_max_tokens: u64,
}

impl Default for OwnerConfig {
    fn default() -> Self {
        OwnerConfig { required: true }
    }
}

impl Default for ClassificationConfig {
    fn default() -> Self {
        ClassificationConfig { enabled: true }
    }
}

impl Default for InjectionConfig {
    fn default() -> Self {
        InjectionConfig {
            enabled: true,
            high: Response::Deny,
            medium: Response::Allow,
            low: Response::Allow,
            unread: Response::Deny,
            exempt_roles: Vec::new(),
        }
    }
}

impl Default for ContentConfig {
    fn default() -> Self {
        ContentConfig {
            enabled: true,
            secrets: Treatment::Rule,
            pii: Treatment::Rule,
            rules: BTreeMap::new(),
        }
    }
}

impl Default for ScopeDriftConfig {
    fn default() -> Self {
        ScopeDriftConfig {
            enabled: true,
            markers: true,
            length: true,
            chars_per_token: 8,
            slack_chars: 1024,
        }
    }
}

impl Default for TokenBudgetConfig {
    fn default() -> Self {
        TokenBudgetConfig {
            per_minute: None,
            per_hour: None,
            per_day: None,
            default_max_tokens: 1024,
        }
    }
}

impl Response {
    fn as_str(self) -> &'static str {
        match self {
            Response::Allow => "allow",
            Response::Escalate => "escalate",
            Response::Deny => "deny",
        }
    }
}

impl Treatment {
    fn as_str(self) -> &'static str {
        match self {
            Treatment::Rule => "rule",
            Treatment::Flag => "flag",
            Treatment::Redact => "redact",
            Treatment::Block => "block",
        }
    }
}

impl TokenBudgetConfig {
    /// Whether any cap is set.
    pub fn enabled(&self) -> bool {
        self.per_minute.is_some() || self.per_hour.is_some() || self.per_day.is_some()
    }
}

/// Why a configuration cannot do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A treatment for a rule that `content` never sees.
    #[error("content.rules names {id}, which is no rule for secrets or personal data; remove it")]
    NoContentRule {
        /// The id.
        id: String,
    },
    /// A limit that every answer exceeds.
    #[error("scope_drift.chars_per_token is 0; use 8, or switch scope_drift.length off")]
    NoCharsPerToken,
    /// A cap under which nothing fits.
    #[error("token_budget.{window} is 0; remove it, or name a cap")]
    EmptyBudget {
        /// The member.
        window: &'static str,
    },
    /// Treatments for a check that is off.
    #[error("content.rules has entries but content is not enabled")]
    RulesUnused,
}

impl GuardConfig {
    /// Whether the checks can do what the configuration says, with these rules.
    ///
    /// # Errors
    /// The first thing that could not work.
    pub fn validate<'r>(
        &self,
        rules: impl Iterator<Item = &'r Rule> + Clone,
    ) -> Result<(), ConfigError> {
        let content = |id: &str| {
            rules.clone().any(|rule| {
                rule.id == id && matches!(rule.category, Category::Secret | Category::Pii)
            })
        };
        if let Some(id) = self.content.rules.keys().find(|id| !content(id)) {
            return Err(ConfigError::NoContentRule { id: id.clone() });
        }
        if !self.content.rules.is_empty() && !self.content.enabled {
            return Err(ConfigError::RulesUnused);
        }
        if self.scope_drift.length && self.scope_drift.chars_per_token == 0 {
            return Err(ConfigError::NoCharsPerToken);
        }
        for (window, cap) in [
            ("per_minute", self.token_budget.per_minute),
            ("per_hour", self.token_budget.per_hour),
            ("per_day", self.token_budget.per_day),
        ] {
            if cap == Some(0) {
                return Err(ConfigError::EmptyBudget { window });
            }
        }
        Ok(())
    }

    /// The effective configuration, defaults included, to be digested and stored.
    pub fn to_value(&self) -> Value {
        let strings = |list: &[String]| Value::array(list.iter().map(String::as_str));
        let count = |cap: Option<u64>| cap.map_or(Value::Null, |cap| cap.to_string().into());
        let GuardConfig {
            owner,
            classification,
            injection,
            content,
            scope_drift,
            tools,
            token_budget,
        } = self;
        let rules =
            content.rules.iter().map(|(id, treatment)| (id.clone(), treatment.as_str().into()));
        Value::object([
            ("classification", Value::object([("enabled", classification.enabled.into())])),
            (
                "content",
                Value::object([
                    ("enabled", content.enabled.into()),
                    ("pii", content.pii.as_str().into()),
                    ("rules", Value::Object(rules.collect())),
                    ("secrets", content.secrets.as_str().into()),
                ]),
            ),
            (
                "injection",
                Value::object([
                    ("enabled", injection.enabled.into()),
                    ("exempt_roles", strings(&injection.exempt_roles)),
                    ("high", injection.high.as_str().into()),
                    ("low", injection.low.as_str().into()),
                    ("medium", injection.medium.as_str().into()),
                    ("unread", injection.unread.as_str().into()),
                ]),
            ),
            ("owner", Value::object([("required", owner.required.into())])),
            (
                "scope_drift",
                Value::object([
                    ("chars_per_token", scope_drift.chars_per_token.to_string().into()),
                    ("enabled", scope_drift.enabled.into()),
                    ("length", scope_drift.length.into()),
                    ("markers", scope_drift.markers.into()),
                    ("slack_chars", scope_drift.slack_chars.to_string().into()),
                ]),
            ),
            (
                "token_budget",
                Value::object([
                    ("default_max_tokens", token_budget.default_max_tokens.to_string().into()),
                    ("per_day", count(token_budget.per_day)),
                    ("per_hour", count(token_budget.per_hour)),
                    ("per_minute", count(token_budget.per_minute)),
                ]),
            ),
            (
                "tools",
                Value::object([
                    ("allowed", tools.allowed.as_deref().map_or(Value::Null, strings)),
                    ("denied", strings(&tools.denied)),
                ]),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::json::write_receipt;

    #[test]
    fn defaults_are_strict_and_written_out() {
        let config: GuardConfig = serde_json::from_str("{}").expect("all members have defaults");
        assert_eq!(config, GuardConfig::default());
        assert!(config.owner.required && !config.token_budget.enabled());
        assert_eq!(
            write_receipt(&config.to_value()).expect("canonical"),
            concat!(
                r#"{"classification":{"enabled":true},"#,
                r#""content":{"enabled":true,"pii":"rule","rules":{},"secrets":"rule"},"#,
                r#""injection":{"enabled":true,"exempt_roles":[],"high":"deny","low":"allow","medium":"allow","unread":"deny"},"#,
                r#""owner":{"required":true},"#,
                r#""scope_drift":{"chars_per_token":"8","enabled":true,"length":true,"markers":true,"slack_chars":"1024"},"#,
                r#""token_budget":{"default_max_tokens":"1024","per_day":null,"per_hour":null,"per_minute":null},"#,
                r#""tools":{"allowed":null,"denied":[]}}"#,
            )
        );
    }

    #[test]
    fn what_could_not_work_is_refused() {
        let engine = scan::Engine::builtin();
        let check = |config: &str| {
            let config: GuardConfig = serde_json::from_str(config).expect("well formed");
            config.validate(engine.rules()).is_ok()
        };
        assert!(check("{}"));
        assert!(check(r#"{"content":{"rules":{"CS-PII-004":"redact"}}}"#));
        assert!(!check(r#"{"content":{"rules":{"CS-PII-999":"redact"}}}"#));
        assert!(!check(r#"{"content":{"rules":{"CS-INJ-001":"flag"}}}"#));
        assert!(!check(r#"{"content":{"enabled":false,"rules":{"CS-PII-004":"redact"}}}"#));
        assert!(!check(r#"{"scope_drift":{"chars_per_token":0}}"#));
        assert!(check(r#"{"scope_drift":{"chars_per_token":0,"length":false}}"#));
        assert!(!check(r#"{"token_budget":{"per_day":0}}"#));
    }

    #[test]
    fn unknown_members_are_refused() {
        for bad in [
            r#"{"ownr":{}}"#,
            r#"{"owner":{"require":false}}"#,
            r#"{"injection":{"high":"block"}}"#,
            r#"{"content":{"rules":{"X":"drop"}}}"#,
            r#"{"token_budget":{"per_day":-1}}"#,
        ] {
            assert!(serde_json::from_str::<GuardConfig>(bad).is_err(), "{bad}");
        }
    }
}
