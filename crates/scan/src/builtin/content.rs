//! Secrets and personal data. Secrets and numbers are cut out; what cannot be told from ordinary
//! text with certainty is only reported.

use super::{Row, exact};
use crate::rule::{Action, Category, Detector, Pattern, Rule, Severity, Targets};

/// One secret or kind of personal data.
pub(super) struct Content<'a> {
    pub id: &'a str,
    pub technique: &'a str,
    pub category: Category,
    pub severity: Severity,
    pub action: Action,
    pub pattern: Pattern,
    pub about: &'a str,
    pub hits: &'a [&'a str],
    pub misses: &'a [&'a str],
}

impl Content<'_> {
    pub(super) fn rule(self) -> Rule {
        Row {
            id: self.id,
            technique: self.technique,
            severity: self.severity,
            targets: Targets::ALL,
            pattern: self.pattern,
            about: self.about,
            hits: self.hits,
            misses: self.misses,
        }
        .rule(self.category, self.action)
    }
}

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = secrets();
    rules.extend(personal());
    rules
}

fn secrets() -> Vec<Rule> {
    let secret = Category::Secret;
    vec![
        Content {
            id: "CS-SEC-001",
            technique: "aws-access-key",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["akia asia"], r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
            about: "AWS access key id",
            hits: &["key=AKIAIOSFODNN7EXAMPLE", "ASIAJEXAMPLEXEG2JICE."],
            misses: &["AKIA short", "xAKIAIOSFODNN7EXAMPLE"],
        },
        Content {
            id: "CS-SEC-002",
            technique: "github-token",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(
                &["ghp_ gho_ ghu_ ghs_ ghr_ github_pat_"],
                r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{60,255}\b",
            ),
            about: "GitHub token",
            hits: &[
                "ghp_0123456789abcdefghijABCDEFGHIJ012345",
                "token gho_0123456789abcdefghijABCDEFGHIJ012345 end",
            ],
            misses: &["ghp_short", "the ghp_ prefix"],
        },
        Content {
            id: "CS-SEC-003",
            technique: "model-api-key",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(
                &["sk-"],
                concat!(
                    r"\bsk-(?:",
                    r"(?:proj-|svcacct-|admin-|ant-[a-z]{2,8}[0-9]{0,3}-|or-v1-)[A-Za-z0-9_-]{20,200}",
                    // Words between hyphens are names of classes; a key has a digit soon, or no hyphen.
                    r"|[A-Za-z0-9]{20,200}[A-Za-z0-9_-]{0,200}",
                    r"|[A-Za-z_-]{0,20}[0-9][A-Za-z0-9_-]{16,200})",
                ),
            ),
            about: "API key of a model provider",
            hits: &[
                "OPENAI_API_KEY=sk-proj-abcdefghij0123456789ABCDEFGHIJ",
                "sk-abcdefghijklmnopqrstuvwx0123456789ABCDEF01234567",
            ],
            misses: &[
                "task-list and risk-averse",
                "sk-12",
                ".sk-toggleable__label-arrow { } .sk-loading-spinner-container-large",
            ],
        },
        Content {
            id: "CS-SEC-004",
            technique: "slack-token",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["xox"], r"\bxox[abeoprs]-[0-9A-Za-z-]{10,250}\b"),
            about: "Slack token",
            hits: &["xoxb-123456789012-abcdefGHIJKL", "use xoxp-1111111111-2222222222"],
            misses: &["xoxo-kisses", "xoxb-"],
        },
        Content {
            id: "CS-SEC-005",
            technique: "jwt",
            category: secret,
            severity: Severity::Low,
            action: Action::Flag,
            pattern: exact(
                &["eyj"],
                r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000}",
            ),
            about: "JSON Web Token; often public, so only reported",
            hits: &[
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            ],
            misses: &["eyJhbGciOiJIUzI1NiJ9", "a.b.c"],
        },
        Content {
            id: "CS-SEC-006",
            technique: "private-key",
            category: secret,
            severity: Severity::High,
            action: Action::Block,
            pattern: exact(
                &["-----begin", "private"],
                r#"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]|")?(?:[A-Za-z-]{1,20}: [^\n]{1,120}\n|[\s"\\nr]){0,12}[A-Za-z0-9+/]{24}"#,
            ),
            about: "private key in PEM",
            hits: &[
                "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwN",
                "\"-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\"",
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIEpAIBAAKCAQEAwJ8xYQ0Zf",
            ],
            misses: &[
                "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqow",
                "-----BEGIN PRIVATE KEY----- is how the file begins",
            ],
        },
        Content {
            id: "CS-SEC-007",
            technique: "stripe-key",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(
                &["sk_live_ rk_live_ sk_test_ rk_test_"],
                r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,200}\b",
            ),
            about: "Stripe secret or restricted key",
            hits: &["sk_live_0123456789abcdefABCDEF01", "rk_test_0123456789abcdefABCD"],
            misses: &["sk_live_short", "pk_live_0123456789abcdefABCDEF01"],
        },
        Content {
            id: "CS-SEC-008",
            technique: "google-api-key",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["aiza"], r"\bAIza[0-9A-Za-z_-]{35}"),
            about: "Google API key",
            hits: &[
                "AIzaSyA0123456789abcdefghijklmnopqrstuv",
                "key: AIzaSyB_0123456789-bcdefghijklmnopqrstu",
            ],
            misses: &["AIza", "aizawa went home"],
        },
        Content {
            id: "CS-SEC-009",
            technique: "gitlab-token",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["glpat-"], r"\bglpat-[0-9A-Za-z_-]{20,64}"),
            about: "GitLab access token",
            hits: &["glpat-0123456789abcdefABCD", "TOKEN=glpat-abcdefghij_klmnopqrs-t;"],
            misses: &["glpat-short", "the glpat- prefix"],
        },
        Content {
            id: "CS-SEC-010",
            technique: "npm-token",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["npm_"], r"\bnpm_[A-Za-z0-9]{36}\b"),
            about: "npm access token",
            hits: &[
                "//registry/:_authToken=npm_0123456789abcdefghijABCDEFGHIJ012345",
                "npm_abcdefghijABCDEFGHIJ0123456789abcdef",
            ],
            misses: &["npm_config_registry", "npm_lifecycle_event and npm_package_json"],
        },
        Content {
            id: "CS-SEC-011",
            technique: "hugging-face-token",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["hf_"], r"\bhf_[A-Za-z0-9]{30,64}\b"),
            about: "Hugging Face access token",
            hits: &["hf_abcdefghijABCDEFGHIJ0123456789abcd", "key hf_ABCDEFGHIJabcdefghij0123456789ABCD."],
            misses: &["hf_hub_download", "hf_short"],
        },
        Content {
            id: "CS-SEC-012",
            technique: "sendgrid-key",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["sg."], r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
            about: "SendGrid API key",
            hits: &[
                "SG.0123456789abcdefABCDEF.0123456789abcdefghijABCDEFGHIJ0123456789abc",
                "key=SG.abcdefABCDEF0123456789.ABCDEFGHIJabcdefghij0123456789ABCDEFGHIJabc",
            ],
            misses: &["msg.length and SG.short", "SG.node.js"],
        },
        Content {
            id: "CS-SEC-013",
            technique: "google-oauth-token",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(&["ya29."], r"\bya29\.[0-9A-Za-z_-]{30,200}"),
            about: "Google OAuth access token",
            hits: &["ya29.a0AfB_byC0123456789abcdefghijkl", "Bearer ya29.ABCDEFGHIJ-abcdefghij_0123456789"],
            misses: &["ya29.short", "the ya29. prefix"],
        },
        Content {
            id: "CS-SEC-014",
            technique: "slack-webhook",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(
                &["hooks.slack.com/services/"],
                r"hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{16,32}",
            ),
            about: "address of a Slack webhook, which is its own password",
            hits: &[
                "https://hooks.slack.com/services/T01234567/B01234567/abcdefghijABCDEFGHIJ0123",
                "curl hooks.slack.com/services/TABCDEFG/BABCDEFG/0123456789abcdefABCD",
            ],
            misses: &["https://hooks.slack.com/services/", "see hooks.slack.com/services/T1/B1/x"],
        },
        Content {
            id: "CS-SEC-015",
            technique: "database-address",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(
                &["postgres mysql mongodb redis:// rediss:// amqp", "://", "@"],
                r"(?i)\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|rediss?|amqps?)://[^\s:/@<>{}$]{0,64}:[^\s@/<>{}$]{6,128}@",
            ),
            about: "address of a database with its password",
            hits: &[
                "DATABASE_URL=postgres://app:s3cr3tpass@db.internal:5432/app",
                "mongodb+srv://root:hunter2hunter2@cluster0.example.net",
            ],
            misses: &[
                "postgres://localhost:5432/app",
                "mysql://<user>:<password>@<host>/<database>",
            ],
        },
        Content {
            id: "CS-SEC-016",
            technique: "aws-secret-key",
            category: secret,
            severity: Severity::High,
            action: Action::Redact,
            pattern: exact(
                &["secret_access_key secretaccesskey"],
                r#"(?i)\b(?:aws_?)?secret_?access_?key["']?\s{0,3}[:=]\s{0,3}["']?[A-Za-z0-9/+]{40}\b"#,
            ),
            about: "AWS secret access key beside its name",
            hits: &[
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "\"SecretAccessKey\": \"abcdefghijABCDEFGHIJ0123456789abcdefghij\"",
            ],
            misses: &["aws_secret_access_key = ${SECRET}", "SecretAccessKey: string"],
        },
    ]
    .into_iter()
    .map(Content::rule)
    .collect()
}

fn personal() -> Vec<Rule> {
    let pii = Category::Pii;
    vec![
        Content {
            id: "CS-PII-001",
            technique: "credit-card",
            category: pii,
            severity: Severity::Medium,
            action: Action::Redact,
            pattern: Pattern::Detector(Detector::CreditCard),
            about: "payment card number with a valid check digit",
            hits: &["card 4111 1111 1111 1111 exp 12/30", "378282246310005"],
            misses: &["4111 1111 1111 1112", "order 1234567890123456"],
        },
        Content {
            id: "CS-PII-002",
            technique: "us-ssn",
            category: pii,
            severity: Severity::Medium,
            action: Action::Redact,
            pattern: Pattern::Detector(Detector::UsSsn),
            about: "US social security number",
            hits: &["SSN 219-09-9999", "(457-55-5462)"],
            misses: &["call 555-123-4567", "000-12-3456"],
        },
        Content {
            id: "CS-PII-003",
            technique: "iban",
            category: pii,
            severity: Severity::Medium,
            action: Action::Redact,
            pattern: Pattern::Detector(Detector::Iban),
            about: "bank account number with valid check digits",
            hits: &["DE89 3704 0044 0532 0130 00", "IBAN GB82WEST12345698765432"],
            misses: &["DE89 3704 0044 0532 0130 01", "AB12CDEF34567890"],
        },
        Content {
            id: "CS-PII-004",
            technique: "email",
            category: pii,
            severity: Severity::Low,
            action: Action::Flag,
            pattern: Pattern::Detector(Detector::Email),
            about: "e-mail address; ordinary in most texts, so only reported",
            hits: &["write to ada@example.org", "<a.b+c@mail.example.com>"],
            misses: &["user@host", "@decorator"],
        },
    ]
    .into_iter()
    .map(Content::rule)
    .collect()
}
