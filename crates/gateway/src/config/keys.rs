//! Every key of the configuration file, once: what it takes and what it does. The schema, `config
//! explain` and the tables of docs/operating/gateway.md are made of this; the tests hold it against
//! the structs that read the file.

use seal::json::Value;

use super::Config;

/// A key of the file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Sections and name, with dots between.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds when it is not there.
    pub absent: Absent,
    /// What it does, for people.
    pub about: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Further keys.
    Section,
    /// IP address and port.
    Address,
    /// Text.
    Text,
    /// Where a secret lies: `env:NAME`, `file:PATH` or `command:PROGRAM`, never the secret.
    Secret,
    /// Yes or no.
    Flag,
    /// A whole number, both ends included.
    Number {
        /// The least.
        least: u64,
        /// The greatest; `u64::MAX` for none.
        most: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Host names.
    Hosts,
    /// Any texts.
    Texts,
    /// Rule ids, and one of these words for each.
    Rules(&'static [&'static str]),
}

/// What holds when a key is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The default of the structs.
    Default,
    /// Nothing (the file may also say `null`), which means this.
    Means(&'static str),
    /// Its section needs it.
    Refused,
}

/// The key of this path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The names right below a section; `""` is the file itself.
pub fn below(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section() == section)
}

/// The path most like `name`: names beside it go before keys of other sections.
pub fn nearest(name: &str, beside: &[&'static str]) -> &'static str {
    let near = beside.iter().copied().min_by_key(|known| distance(name, known));
    let last = name.rsplit('.').next().unwrap_or(name);
    match near {
        Some(near) if distance(name, near) <= 1 + near.len() / 3 => near,
        _ => KEYS
            .iter()
            .map(|key| key.path)
            .min_by_key(|path| {
                distance(name, path).min(distance(last, path.rsplit('.').next().unwrap_or(path)))
            })
            .unwrap_or_default(),
    }
}

/// How many single letters must be put in, left out, changed or swapped with the next.
pub(super) fn distance(a: &str, b: &str) -> usize {
    // The names of the file are short; a long text of somebody else is far away from all of them.
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && *x == b[j - 1] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

impl Key {
    /// The last part of the path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The path of the section that holds it.
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// What it takes, for people.
    pub fn takes(&self) -> String {
        match self.kind {
            Kind::Section => "section".to_owned(),
            Kind::Address => "address:port".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Secret => "`env:NAME`, `file:PATH`, `command:PROGRAM`".to_owned(),
            Kind::Flag => "true, false".to_owned(),
            Kind::Number { least, most: u64::MAX } => format!("from {least}"),
            Kind::Number { least, most } => format!("{least} to {most}"),
            Kind::Choice(words) => ticked(words),
            Kind::Hosts => "list of host names".to_owned(),
            Kind::Texts => "list of texts".to_owned(),
            Kind::Rules(words) => format!("rule id: {}", ticked(words)),
        }
    }

    /// What holds when it is not there, for people; empty for a section.
    pub fn default_text(&self) -> String {
        match (self.kind, self.absent) {
            (Kind::Section, Absent::Default) => String::new(),
            (_, Absent::Means(words)) => words.to_owned(),
            (_, Absent::Refused) => "must be there".to_owned(),
            (_, Absent::Default) => {
                let value = self.value(&Config::default());
                let mebibytes = value.as_i64().filter(|n| n % (1 << 20) == 0 && *n > 0);
                match mebibytes.map(|n| n >> 20) {
                    Some(n) => format!("{} ({n} MiB)", text(&value)),
                    None => text(&value),
                }
            }
        }
    }

    /// Its value in a configuration; `Null` where its section is not there.
    pub fn value(&self, config: &Config) -> Value {
        let settings = config.settings();
        let mut value = &settings;
        for name in self.path.split('.') {
            match value.get(name) {
                Some(below) => value = below,
                None => return Value::Null,
            }
        }
        value.clone()
    }

    /// Its value as it may be printed: where a secret was pasted instead of its source, that only.
    pub fn shown(&self, config: &Config) -> String {
        let value = self.value(config);
        match (self.kind, value.as_str()) {
            (Kind::Secret, Some(source)) if !is_source(source) => {
                "(not env:NAME, file:PATH or command:PROGRAM; not shown)".to_owned()
            }
            // An address may carry a user, and a query a key; the start refuses both.
            (_, Some(url)) if self.path == "upstream.url" && url.contains(['@', '?', '#']) => {
                "(with user, query or fragment; not shown)".to_owned()
            }
            _ => text(&value),
        }
    }
}

/// Whether this says where a secret lies.
pub(super) fn is_source(text: &str) -> bool {
    let lies = ["env:", "file:", "command:"].iter().find_map(|prefix| text.strip_prefix(prefix));
    lies.is_some_and(|lies| !lies.is_empty())
}

/// A value in one line, as the file may have it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(members) if members.is_empty() => "none".to_owned(),
        other => seal::json::write_plain(other),
    }
}

fn ticked(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The tables of docs/operating/gateway.md: the file but its checks, and the checks.
pub fn tables() -> [String; 2] {
    let table = |rows: &mut dyn Iterator<Item = &Key>| {
        let head = "| key | takes | default | meaning |\n|---|---|---|---|\n";
        rows.fold(head.to_owned(), |table, key| {
            let (name, default, about) = (key.name(), key.default_text(), key.about);
            let row = match key.kind {
                Kind::Section if default.is_empty() => format!("| **`{name}`** | | | {about} |\n"),
                Kind::Section => format!("| **`{name}`** | | {default} | {about} |\n"),
                _ => format!("| `{name}` | {} | {default} | {about} |\n", key.takes()),
            };
            table + &row
        })
    };
    let guard = |key: &&Key| key.path.starts_with("guard.");
    [table(&mut KEYS.iter().filter(|key| !guard(key))), table(&mut KEYS.iter().filter(guard))]
}

const RESPONSES: Kind = Kind::Choice(&["allow", "escalate", "deny"]);
const TREATMENTS: &[&str] = &["rule", "flag", "redact", "block"];

const fn key(path: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { path, kind, absent: Absent::Default, about }
}

const fn number(path: &'static str, least: u64, most: u64, about: &'static str) -> Key {
    key(path, Kind::Number { least, most }, about)
}

const fn optional(path: &'static str, kind: Kind, means: &'static str, about: &'static str) -> Key {
    Key { path, kind, absent: Absent::Means(means), about }
}

const fn cap(path: &'static str, about: &'static str) -> Key {
    optional(path, Kind::Number { least: 1, most: u64::MAX }, "none", about)
}

/// Every key, a section right before what it holds.
pub const KEYS: &[Key] = &[
    key(
        "listen",
        Kind::Address,
        "the data listener; loopback only, since nothing here tells one network caller from another yet",
    ),
    key("admin", Kind::Address, "the listener for operators"),
    key(
        "hosts",
        Kind::Hosts,
        "further host names under which the listeners may be addressed, beside loopback names",
    ),
    number(
        "checkpoint_interval_seconds",
        1,
        86_400,
        "how often the log's head is signed and published",
    ),
    optional("upstream", Kind::Section, "none: not served", "the model API"),
    Key {
        path: "upstream.url",
        kind: Kind::Text,
        absent: Absent::Refused,
        about: "its base, `http://` or `https://`, ending in `/v1` as a rule",
    },
    optional(
        "upstream.key",
        Kind::Secret,
        "none",
        "our key for it, by where it lies; without it the caller's own `Authorization` goes upstream",
    ),
    optional("upstream.name", Kind::Text, "host and port", "what evidence calls it"),
    key("evidence", Kind::Section, "what is written, and when"),
    key(
        "evidence.release",
        Kind::Choice(&["before-release", "before-forward"]),
        "when the admission must be durable: before the first byte of the answer reaches the caller, or before anything goes upstream",
    ),
    key(
        "evidence.profile",
        Kind::Choice(&["full", "sealed"]),
        "every step a signed receipt, or audit entries and decision receipts only",
    ),
    key("ledger", Kind::Section, "the ledger's place on the disk"),
    number(
        "ledger.headroom_bytes",
        0,
        1 << 40,
        "room that new requests leave to those under way; at most an eighth of the disk is kept",
    ),
    optional(
        "ledger.group",
        Kind::Text,
        "none",
        "the group that may read the evidence: a name of /etc/group, or a number",
    ),
    key(
        "ledger.mode",
        Kind::Choice(&["0600", "0640"]),
        "the mode of evidence files when there is a group; without one it is 0600",
    ),
    key(
        "ledger.second",
        Kind::Choice(&["refuse", "join"]),
        "what a further gateway on one directory does: not start, or write through the one that runs",
    ),
    key(
        "ledger.writer",
        Kind::Text,
        "the name under which a further gateway writes; each needs its own",
    ),
    number(
        "ledger.segment_bytes",
        4_096,
        1 << 40,
        "a segment of the journal that has this length is full: another one follows",
    ),
    optional(
        "ledger.segment_age_seconds",
        Kind::Number { least: 60, most: 31_622_400 },
        "no age",
        "so is one whose first entry is older; only full segments are pruned, archived and frozen",
    ),
    key(
        "ledger.encryption",
        Kind::Section,
        "bodies encrypted at rest with age (docs/operating/retention.md)",
    ),
    key(
        "ledger.encryption.recipients",
        Kind::Texts,
        "age public keys that new bodies are encrypted for; none: they are stored as they are",
    ),
    optional(
        "ledger.encryption.identity",
        Kind::Secret,
        "none",
        "the age identity, by where it lies, that opens encrypted bodies here; needed with recipients",
    ),
    key("ledger.anchors", Kind::Section, "timestamps over checkpoints (docs/operating/anchors.md)"),
    key(
        "ledger.anchors.tsa",
        Kind::Texts,
        "addresses of timestamp authorities (RFC 3161); their roots are the keys of purpose `tsa` in the trust file",
    ),
    number(
        "ledger.anchors.interval_seconds",
        1,
        2_592_000,
        "how often each of them is asked, where anything came since",
    ),
    optional(
        "ledger.anchors.overdue_seconds",
        Kind::Number { least: 1, most: 31_536_000 },
        "readiness does not ask",
        "not ready when the last timestamp is older than this",
    ),
    key(
        "ledger.witnesses",
        Kind::Section,
        "cosignatures under checkpoints (docs/operating/witness.md)",
    ),
    optional(
        "ledger.witnesses.policy",
        Kind::Text,
        "nobody is asked",
        "`file:PATH` of a witness policy (C2SP tlog-policy) with the addresses of the witnesses",
    ),
    number(
        "ledger.witnesses.deadline_seconds",
        1,
        600,
        "how long a checkpoint waits for them before it is published without those who are missing",
    ),
    key("feeds", Kind::Section, "subscribed feeds of indicators (docs/operating/feeds.md)"),
    number(
        "feeds.interval_seconds",
        1,
        31_536_000,
        "between two pulls from the publishers, up to a quarter less; after a failure 30 seconds, doubled each time",
    ),
    number("feeds.deadline_seconds", 1, 3_600, "how long one question to a publisher may take"),
    number(
        "feeds.stale_seconds",
        1,
        31_536_000,
        "a feed that its publisher did not confirm for so long is stale; so is one older than its own subscription allows",
    ),
    key(
        "feeds.on_stale",
        Kind::Choice(&["alarm", "refuse"]),
        "what a stale feed does: log, metrics and readiness tell of it, or new requests are refused until it is fresh",
    ),
    key("limits", Kind::Section, "sizes and deadlines"),
    number("limits.body_bytes", 1, 8 << 20, "the largest request body"),
    number("limits.answer_bytes", 1, 256 << 20, "the largest unary answer of the upstream"),
    number("limits.connections", 1, 100_000, "open connections of the data listener"),
    number("limits.header_read_seconds", 1, 3_600, "for request line and headers"),
    number("limits.body_read_seconds", 1, 3_600, "for the body"),
    number("limits.upstream_connect_seconds", 1, 3_600, "for the connection to the upstream"),
    number(
        "limits.upstream_answer_seconds",
        1,
        3_600,
        "from the forwarded request to the first header; then for the whole body, or from one event of a stream to the next",
    ),
    number("limits.upstream_read_seconds", 1, 3_600, "between two pieces of an answer"),
    number(
        "limits.caller_stall_seconds",
        1,
        3_600,
        "how long a caller may not read before it counts as gone",
    ),
    number("limits.stop_grace_seconds", 0, 3_600, "how long requests may finish at a stop"),
    number(
        "limits.refusals_per_minute",
        1,
        1_000_000,
        "refusals before any content check that one peer gets recorded one by one; more are counted in one entry",
    ),
    key("guard", Kind::Section, "the checks, below"),
    key(
        "guard.owner",
        Kind::Section,
        "who answers for the request: `X-Commit-Owner: human:…`, `X-Agent-Id: agent:…` or `X-Policy-Name`",
    ),
    key(
        "guard.owner.required",
        Kind::Flag,
        "refuse a request without one; contradictory or doubled headers are refused in any case",
    ),
    key(
        "guard.classification",
        Kind::Section,
        "`X-Classification` of the request against `X-Caller-Clearance`",
    ),
    key("guard.classification.enabled", Kind::Flag, "whether it runs"),
    key(
        "guard.injection",
        Kind::Section,
        "instructions smuggled into text, over every string of the request, decoded and normalised",
    ),
    key("guard.injection.enabled", Kind::Flag, "whether it runs"),
    key(
        "guard.injection.high",
        RESPONSES,
        "what a finding of high severity does: nothing but a record, ask a person, refuse",
    ),
    key("guard.injection.medium", RESPONSES, "the same for medium severity"),
    key("guard.injection.low", RESPONSES, "the same for low severity"),
    key("guard.injection.unread", RESPONSES, "what a text does that could not be read to the end"),
    key(
        "guard.injection.exempt_roles",
        Kind::Texts,
        "roles whose text is scanned and recorded but not judged",
    ),
    key("guard.content", Kind::Section, "secrets and personal data, in requests and answers"),
    key("guard.content.enabled", Kind::Flag, "whether it runs"),
    key(
        "guard.content.secrets",
        Kind::Choice(TREATMENTS),
        "for keys, tokens and passwords: what the rule itself says, record, cut out, refuse",
    ),
    key("guard.content.pii", Kind::Choice(TREATMENTS), "the same for data about persons"),
    key(
        "guard.content.rules",
        Kind::Rules(TREATMENTS),
        "the same for single rules by id; goes before the two above",
    ),
    key("guard.scope_drift", Kind::Section, "answers beyond what was asked for"),
    key("guard.scope_drift.enabled", Kind::Flag, "whether it runs"),
    key(
        "guard.scope_drift.markers",
        Kind::Flag,
        "refuse classification markers above the request's classification",
    ),
    key("guard.scope_drift.length", Kind::Flag, "refuse content far beyond `max_tokens`"),
    number(
        "guard.scope_drift.chars_per_token",
        0,
        u64::MAX,
        "how many characters a token may be worth; 0 only with `length: false`",
    ),
    number(
        "guard.scope_drift.slack_chars",
        0,
        u64::MAX,
        "characters that are always allowed on top",
    ),
    key("guard.tools", Kind::Section, "which tools the model may call"),
    optional("guard.tools.allowed", Kind::Texts, "any", "when present, only these"),
    key("guard.tools.denied", Kind::Texts, "never these"),
    key(
        "guard.token_budget",
        Kind::Section,
        "tokens per owner, reserved at admission and settled with the answer; off while no cap is set",
    ),
    cap("guard.token_budget.per_minute", "the cap; 429 with `Retry-After` beyond"),
    cap("guard.token_budget.per_hour", "the same for an hour"),
    cap("guard.token_budget.per_day", "the same for a day"),
    number(
        "guard.token_budget.default_max_tokens",
        0,
        u64::MAX,
        "what a choice is expected to use when the request does not limit it",
    ),
];
