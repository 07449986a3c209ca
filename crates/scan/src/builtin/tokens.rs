//! More keys and tokens, by the shapes their issuers document, and personal data beside its name.
//!
//! What has a shape of its own is cut out. What only stands beside a telling name is reported.

use super::content::Content;
use super::exact;
use crate::rule::{Action, Category, Rule, Severity};

pub(super) fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = TOKENS.iter().map(token).collect();
    rules.extend(named());
    rules.extend(personal());
    rules
}

/// A token with a prefix of its own.
struct Token {
    id: &'static str,
    technique: &'static str,
    /// Literals, one of which every match contains.
    requires: &'static str,
    regex: &'static str,
    about: &'static str,
    hits: &'static [&'static str],
    misses: &'static [&'static str],
}

fn token(token: &Token) -> Rule {
    Content {
        id: token.id,
        technique: token.technique,
        category: Category::Secret,
        severity: Severity::High,
        action: Action::Redact,
        pattern: exact(&[token.requires], token.regex),
        about: token.about,
        hits: token.hits,
        misses: token.misses,
    }
    .rule()
}

#[rustfmt::skip]
static TOKENS: &[Token] = &[
    Token {
        id: "CS-SEC-020", technique: "digitalocean-token", requires: "dop_v1_ doo_v1_ dor_v1_",
        regex: r"\bdo[por]_v1_[a-f0-9]{64}\b",
        about: "DigitalOcean token",
        hits: &["dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "t=doo_v1_abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"],
        misses: &["dop_v1_short", "the dop_v1_ prefix"],
    },
    Token {
        id: "CS-SEC-021", technique: "pypi-token", requires: "pypi-age",
        regex: r"\bpypi-AgE[A-Za-z0-9_-]{50,250}",
        about: "PyPI upload token",
        hits: &["pypi-AgEIcHlwaS5vcmcCJDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm", "pass: pypi-AgENdGVzdC5weXBpLm9yZwIkMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"],
        misses: &["pypi-AgE", "pypi-age of packages"],
    },
    Token {
        id: "CS-SEC-022", technique: "docker-token", requires: "dckr_pat_ dckr_oat_",
        regex: r"\bdckr_[po]at_[A-Za-z0-9_-]{20,64}",
        about: "Docker Hub access token",
        hits: &["dckr_pat_0123456789abcdefABCDEF01234", "docker login -p dckr_oat_ABCDEFGHIJ0123456789abcde"],
        misses: &["dckr_pat_x", "dckr_path_0123456789abcdefABCDEF"],
    },
    Token {
        id: "CS-SEC-023", technique: "vault-token", requires: "hvs. hvb. hvr.",
        regex: r"\bhv[sbr]\.[A-Za-z0-9_-]{24,160}",
        about: "HashiCorp Vault token",
        hits: &["VAULT_TOKEN=hvs.CAESIJ0123456789abcdefABCDEF", "hvb.AAAAAQ0123456789abcdefABCDEF01"],
        misses: &["hvs.length", "archive.hvr.short"],
    },
    Token {
        id: "CS-SEC-024", technique: "shopify-token", requires: "shpat_ shpss_ shpca_ shppa_",
        regex: r"\bshp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}\b",
        about: "Shopify access token or secret",
        hits: &["shpat_0123456789abcdef0123456789abcdef", "key shpss_abcdef0123456789abcdef0123456789 end"],
        misses: &["shpat_xyz", "shpat_0123456789abcdef"],
    },
    Token {
        id: "CS-SEC-025", technique: "square-token", requires: "sq0atp- sq0csp- eaaae",
        regex: r"\bsq0(?:atp|csp)-[0-9A-Za-z_-]{22,43}\b",
        about: "Square access token or secret",
        hits: &["sq0atp-0123456789abcdefABCDEF", "sq0csp-0123456789abcdefghijABCDEFGHIJ0123456789abc"],
        misses: &["sq0atp-short", "the sq0csp- prefix"],
    },
    Token {
        id: "CS-SEC-026", technique: "databricks-token", requires: "dapi",
        regex: r"\bdapi[a-f0-9]{32}(?:-\d)?\b",
        about: "Databricks access token",
        hits: &["dapi0123456789abcdef0123456789abcdef", "DATABRICKS_TOKEN=dapiabcdef0123456789abcdef0123456789-2"],
        misses: &["dapi0123", "dapixyz-0123456789abcdef0123456789abcdef"],
    },
    Token {
        id: "CS-SEC-027", technique: "atlassian-token", requires: "atatt3x atctt3x atbb",
        regex: r"\bAT[AC]TT3x[A-Za-z0-9_=-]{60,250}|\bATBB[A-Za-z0-9]{24,40}\b",
        about: "Atlassian or Bitbucket token",
        hits: &["ATATT3xFfGF0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123", "ATBB0123456789abcdefABCDEF0123"],
        misses: &["ATBB short", "ATATT3x"],
    },
    Token {
        id: "CS-SEC-028", technique: "linear-key", requires: "lin_api_ lin_oauth_",
        regex: r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,64}\b",
        about: "Linear API key",
        hits: &["lin_api_0123456789abcdefghijABCDEFGHIJ0123456789", "lin_oauth_0123456789abcdefghijABCDEFGHIJ01"],
        misses: &["lin_api_key", "lin_oauth_client_id"],
    },
    Token {
        id: "CS-SEC-029", technique: "notion-token", requires: "ntn_ secret_",
        regex: r"\bntn_[0-9]{8,12}[A-Za-z0-9]{30,40}\b|\bsecret_[A-Za-z0-9]{43}\b",
        about: "Notion integration token",
        hits: &["ntn_0123456789abcdefghijABCDEFGHIJ0123456789abcd", "secret_0123456789abcdefghijABCDEFGHIJ0123456789abc"],
        misses: &["secret_key_base", "ntn_short"],
    },
    Token {
        id: "CS-SEC-030", technique: "grafana-token", requires: "glsa_ glc_",
        regex: r"\bglsa_[A-Za-z0-9]{32}_[a-f0-9]{8}\b|\bglc_[A-Za-z0-9+/=]{32,200}",
        about: "Grafana token",
        hits: &["glsa_0123456789abcdefghijABCDEFGHIJ01_0a1b2c3d", "glc_eyJvIjoiMTIzNDU2IiwibiI6InRlc3QiLCJrIjoiMDEyMyJ9"],
        misses: &["glsa_x", "glc_"],
    },
    Token {
        id: "CS-SEC-031", technique: "age-key", requires: "age-secret-key-1",
        regex: r"(?i)\bAGE-SECRET-KEY-1[A-Z0-9]{58}\b",
        about: "secret key of age",
        hits: &["AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", "# x\nAGE-SECRET-KEY-1PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP\n"],
        misses: &["AGE-SECRET-KEY-1", "age1qqqqqqqqqqqqqqqqqqqqqqqqqq"],
    },
    Token {
        id: "CS-SEC-032", technique: "new-relic-key", requires: "nrak-",
        regex: r"\bNRAK-[A-Z0-9]{27}\b",
        about: "New Relic user key",
        hits: &["NRAK-0123456789ABCDEFGHIJKLMNOPQ", "key=NRAK-ABCDEFGHIJKLMNOPQ0123456789"],
        misses: &["NRAK-short", "nrak-"],
    },
    Token {
        id: "CS-SEC-033", technique: "supabase-token", requires: "sbp_ sb_secret_",
        regex: r"\bsbp_[a-f0-9]{40}\b|\bsb_secret_[A-Za-z0-9_-]{20,64}",
        about: "Supabase token",
        hits: &["sbp_0123456789abcdef0123456789abcdef01234567", "sb_secret_0123456789abcdefABCDEF"],
        misses: &["sbp_x", "sb_secret_"],
    },
    Token {
        id: "CS-SEC-034", technique: "model-api-key", requires: "gsk_ xai- pplx- r8_",
        regex: r"\bgsk_[A-Za-z0-9]{40,64}\b|\bxai-[A-Za-z0-9]{60,100}\b|\bpplx-[A-Za-z0-9]{40,64}\b|\br8_[A-Za-z0-9]{37,40}\b",
        about: "API key of a further model provider",
        hits: &["gsk_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijAB", "r8_0123456789abcdefghijABCDEFGHIJ0123456"],
        misses: &["gsk_short", "r8_register"],
    },
    Token {
        id: "CS-SEC-035", technique: "figma-token", requires: "figd_",
        regex: r"\bfigd_[A-Za-z0-9_-]{36,64}",
        about: "Figma access token",
        hits: &["figd_0123456789abcdefghijABCDEFGHIJ012345", "X-Figma-Token: figd_ABCDEFGHIJ-abcdefghij_0123456789abcdefg"],
        misses: &["figd_", "figd_file"],
    },
    Token {
        id: "CS-SEC-036", technique: "discord-webhook", requires: "/api/webhooks/",
        regex: r"\bdiscord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,80}",
        about: "address of a Discord webhook, which is its own password",
        hits: &["https://discord.com/api/webhooks/123456789012345678/0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123", "discordapp.com/api/webhooks/123456789012345678/ABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789abcdefghij-_ab"],
        misses: &["https://discord.com/api/webhooks/", "POST /api/webhooks/123"],
    },
    Token {
        id: "CS-SEC-037", technique: "telegram-bot-token", requires: ":aa",
        regex: r"(?:\b|/bot)[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b",
        about: "token of a Telegram bot",
        hits: &["123456789:AAabcdefghijABCDEFGHIJ0123456789abc", "url: /bot1234567890:AAABCDEFGHIJabcdefghij0123456789ABC/send"],
        misses: &["12:AAbc", "ratio 123456789:AA"],
    },
    Token {
        id: "CS-SEC-038", technique: "twilio-key", requires: "sk ac",
        regex: r"\bSK[a-f0-9]{32}\b",
        about: "Twilio API key",
        hits: &["SK0123456789abcdef0123456789abcdef", "sid=SKabcdef0123456789abcdef0123456789"],
        misses: &["SK-12", "sku0123456789abcdef0123456789abcdef"],
    },
    Token {
        id: "CS-SEC-040", technique: "azure-storage-key", requires: "accountkey=",
        regex: r"(?i)\bAccountKey=[A-Za-z0-9+/]{80,88}={0,2}",
        about: "key of an Azure storage account",
        hits: &["AccountKey=0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEF==", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=ABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789abcdefgh==;"],
        misses: &["AccountKey=<key>", "AccountKey=${KEY}"],
    },
    Token {
        id: "CS-SEC-041", technique: "teams-webhook", requires: "webhook.office.com/webhookb2/",
        regex: r"webhook\.office\.com/webhookb2/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}",
        about: "address of a Teams webhook, which is its own password",
        hits: &["https://a.webhook.office.com/webhookb2/01234567-89ab-cdef-0123-456789abcdef@01234567-89ab-cdef-0123-456789abcdef/IncomingWebhook/0123456789abcdef0123456789abcdef/01234567-89ab-cdef-0123-456789abcdef", "url: b.webhook.office.com/webhookb2/abcdef01-89ab-cdef-0123-456789abcdef@01234567-89ab-cdef-0123-456789abcdef/IncomingWebhook/abcdef01234567890123456789abcdef/01234567-89ab-cdef-0123-456789abcdef"],
        misses: &["webhook.office.com/webhookb2/", "https://outlook.office.com"],
    },
    Token {
        id: "CS-SEC-042", technique: "address-with-password", requires: "://",
        regex: r"\b(?:https?|ftp|ssh|smb)://[A-Za-z0-9._-]{1,40}:[^\s:/@<>{}$*\x22']{6,80}@[A-Za-z0-9.-]{3,80}",
        about: "web address with a password in it",
        hits: &["https://deploy:s3cretpass@git.example.org/a.git", "ftp://ada:hunter2hunter2@files.example.net"],
        misses: &["https://user:<password>@example.org", "https://example.org:8443/a@b"],
    },
    Token {
        id: "CS-SEC-043", technique: "service-account-key", requires: "private_key_id",
        regex: r"\x22private_key_id\x22\s?:\s?\x22[a-f0-9]{40}\x22",
        about: "key file of a Google service account",
        hits: &["\"private_key_id\": \"0123456789abcdef0123456789abcdef01234567\"", "{\"type\":\"service_account\",\"private_key_id\":\"abcdef0123456789abcdef0123456789abcdef01\"}"],
        misses: &["\"private_key_id\": \"\"", "private_key_id is a field"],
    },
    Token {
        id: "CS-SEC-044", technique: "rubygems-key", requires: "rubygems_",
        regex: r"\brubygems_[a-f0-9]{48}\b",
        about: "RubyGems API key",
        hits: &["rubygems_0123456789abcdef0123456789abcdef0123456789abcdef", ":rubygems_api_key: rubygems_abcdef0123456789abcdef0123456789abcdef0123456789"],
        misses: &["rubygems_api_key", "rubygems_org"],
    },
    Token {
        id: "CS-SEC-045", technique: "doppler-token", requires: "dp.pt. dp.st. dp.ct. dp.sa.",
        regex: r"\bdp\.(?:pt|st|ct|sa)\.[A-Za-z0-9_.-]{40,80}",
        about: "Doppler token",
        hits: &["dp.pt.0123456789abcdefghijABCDEFGHIJ0123456789abc", "DOPPLER_TOKEN=dp.st.prd.ABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ01"],
        misses: &["dp.pt.short", "dp.st."],
    },
    Token {
        id: "CS-SEC-046", technique: "planetscale-token", requires: "pscale_tkn_ pscale_pw_ pscale_oauth_",
        regex: r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,64}",
        about: "PlanetScale token or password",
        hits: &["pscale_tkn_0123456789abcdefghijABCDEFGHIJ01", "pscale_pw_ABCDEFGHIJ0123456789abcdefghijABCD"],
        misses: &["pscale_tkn_", "pscale_pw_short"],
    },
    Token {
        id: "CS-SEC-047", technique: "sentry-token", requires: "sntrys_ sntryu_",
        regex: r"\bsntry[su]_[A-Za-z0-9_=+/-]{40,250}",
        about: "Sentry token",
        hits: &["sntryu_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "sntrys_eyJpYXQiOjE2OTk5OTk5OTksInVybCI6Imh0dHBzOi8vc2VudHJ5LmlvIn0="],
        misses: &["sntrys_", "sntryu_key"],
    },
];

/// Values beside a name that gives them away.
fn named() -> Vec<Rule> {
    let note = |id, technique, requires: &[&str], regex, about, hits, misses| {
        Content {
            id,
            technique,
            category: Category::Secret,
            severity: Severity::Low,
            action: Action::Flag,
            pattern: exact(requires, regex),
            about,
            hits,
            misses,
        }
        .rule()
    };
    vec![
        note(
            "CS-SEC-060",
            "assigned-secret",
            &[
                "password passwd pwd secret api_key apikey api-key access_token auth_token client_secret private_key",
                "= :",
            ],
            r#"(?i)[a-z0-9_.-]{0,40}(?:password|passwd|pwd|secret|api[_-]?key|access_token|auth_token|private_key)[a-z0-9_]{0,20}["']?\s{0,3}[:=]{1,2}\s{0,3}["']?[A-Za-z0-9+/_.!@#%^&*~-]{0,60}[0-9][A-Za-z0-9+/_.!@#%^&*~=-]{4,120}"#,
            "a value assigned to a name such as `password`; often a placeholder, so only reported",
            &["password = \"correct7horse\"", "DB_PASSWORD=x8Kd02mLqq"],
            &["password: ${DB_PASSWORD}", "api_key: <your key here>"],
        ),
        note(
            "CS-SEC-061",
            "bearer-token",
            &["bearer"],
            r"(?i)\bbearer\s{1,3}[A-Za-z0-9_.~+/-]{24,2000}={0,2}",
            "a bearer token in a header; often an example, so only reported",
            &[
                "Authorization: Bearer 0123456789abcdefghijABCDEFGHIJ",
                "-H 'authorization: bearer abcdefghijABCDEFGHIJ.0123456789-x'",
            ],
            &["Authorization: Bearer $TOKEN", "the bearer of this letter"],
        ),
        note(
            "CS-SEC-062",
            "basic-credentials",
            &["basic"],
            r"(?i)\bauthorization[\x22']?\s{0,2}[:=]\s{0,2}[\x22']?basic\s{1,3}[A-Za-z0-9+/]{12,400}={0,2}",
            "user and password in a basic authorisation header",
            &[
                "Authorization: Basic YWRhOmh1bnRlcjJodW50ZXIy",
                "\"authorization\": \"Basic dXNlcjpwYXNzd29yZDEyMw==\"",
            ],
            &["Authorization: Basic <credentials>", "basic authorization is old"],
        ),
        note(
            "CS-SEC-063",
            "spoken-password",
            &["password passphrase passcode pin", "is"],
            r#"(?i)\b(?:my|our|the|your|admin|root|wifi)\s(?:[a-z]{1,12}\s)?(?:password|passphrase|passcode)\s(?:is|was)[: ]{1,3}["']?[A-Za-z0-9!@#$%^&*_-]{0,20}[0-9!@#$%^&*][A-Za-z0-9!@#$%^&*_-]{2,24}"#,
            "a password told in a sentence",
            &["My password is hunter2abc", "the admin password is: 'p4ss-word'"],
            &["my password is too short", "The password is required."],
        ),
    ]
}

fn personal() -> Vec<Rule> {
    let row = |id, technique, severity, action, requires: &[&str], regex, about, hits, misses| {
        Content {
            id,
            technique,
            category: Category::Pii,
            severity,
            action,
            pattern: exact(requires, regex),
            about,
            hits,
            misses,
        }
        .rule()
    };
    let (low, flag) = (Severity::Low, Action::Flag);
    vec![
        row(
            "CS-PII-010",
            "phone-number",
            low,
            flag,
            &["+"],
            r"\+[1-9][0-9]{0,2}[ .()-]{0,2}[0-9]{1,4}(?:[ .()-]{0,2}[0-9]{2,4}){2,4}\b",
            "telephone number in international form; ordinary in most texts, so only reported",
            &["call +49 30 901820 now", "+1 (555) 010-0199"],
            &["2 + 30 apples", "version +1.2"],
        ),
        row(
            "CS-PII-011",
            "uk-insurance-number",
            low,
            flag,
            &["insurance nino ni", "0 1 2 3 4 5 6 7 8 9"],
            r"(?i)\b(?:national insurance|nino|ni (?:number|no))[^\n]{0,24}\b[A-CEGHJ-PR-TW-Z][A-NP-Z]\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b",
            "UK national insurance number beside its name",
            &["NINO: AB 12 34 56 C", "National Insurance number JG103759A"],
            &["national insurance is due", "part AB123456C"],
        ),
        row(
            "CS-PII-012",
            "passport-number",
            low,
            flag,
            &["passport reisepass pasaporte passeport"],
            r"(?i)\b(?:passport|reisepass|pasaporte|passeport)[^\n0-9]{0,24}\b[A-Z]{0,2}[0-9]{6,9}[A-Z0-9]{0,2}\b",
            "passport number beside its name",
            &["Passport no. C01234567", "passport number: 123456789"],
            &["passport control at gate 12", "renew your passport"],
        ),
        row(
            "CS-PII-013",
            "tax-number",
            low,
            flag,
            &[
                "steuer-id steuernummer steueridentifikationsnummer itin cpf cnpj siren nif pesel codice",
            ],
            r"(?i)\b(?:steuer-?id(?:entifikationsnummer)?|steuernummer|itin|cpf|cnpj|siren|nif|pesel|codice fiscale)\b[^\n0-9a-z]{0,12}(?:nr\.?|no\.?|n\.)?[^\n0-9a-z]{0,4}[A-Z0-9][A-Z0-9 ./-]{6,20}[0-9]",
            "tax or person number beside its name",
            &["Steuer-ID: 86 095 742 719", "CPF 529.982.247-25"],
            &["the ITIN form is long", "CPF rules"],
        ),
        row(
            "CS-PII-014",
            "date-of-birth",
            low,
            flag,
            &["birth born dob geburtsdatum naissance nacimiento"],
            r"(?i)\b(?:date of birth|born on|dob|geburtsdatum|date de naissance|fecha de nacimiento)\b[^\n0-9]{0,8}(?:\d{1,2}[./ -](?:\d{1,2}|[a-z]{3,9})[./ -]\d{2,4}|\d{4}-\d{2}-\d{2})",
            "date of birth beside its name",
            &["Date of birth: 12.03.1984", "DOB 1984-03-12"],
            &["the date of birth field", "born on the island"],
        ),
        row(
            "CS-PII-015",
            "driving-licence",
            low,
            flag,
            &["licence license fuhrerschein"],
            r"(?i)\b(?:driv(?:ing|er'?s?) licen[cs]e|fuhrerschein)(?: (?:number|no\.?|nr\.?))?[:# ]{1,3}[A-Z0-9]{1,5}[ -]?[0-9]{5,12}[A-Z0-9]{0,6}\b",
            "number of a driving licence beside its name",
            &["driver's license no. D1234567", "Driving licence: MORGA657054"],
            &["driving licence rules", "driver's license renewal costs 25"],
        ),
        row(
            "CS-PII-016",
            "seed-phrase",
            Severity::Medium,
            flag,
            &["seed recovery mnemonic", "phrase words"],
            r"(?i)\b(?:seed|recovery|mnemonic) (?:phrase|words)\b[^a-z\n]{1,8}(?:is[: ]{1,3})?(?:[a-z]{3,8}[ ,]{1,3}){11,23}[a-z]{3,8}\b",
            "the words that open a wallet",
            &[
                "seed phrase: apple river stone cloud paper metal glass tiger ocean forest pilot zebra",
                "Recovery words - army able acid actor alarm album angle apple april arena armor atom",
            ],
            &["write down your seed phrase and keep it safe", "recovery phrase is important"],
        ),
    ]
}
