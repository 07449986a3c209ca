//! A configuration with every key written out, defaults included: what `config diff` compares and
//! `config explain` takes the defaults from.

use seal::json::Value;

use super::{Config, EvidenceConfig, LedgerConfig, LimitsConfig, UpstreamConfig, keys};

impl Config {
    /// Every key of the file with the value that holds, as the file has it (`keys::KEYS`). Unlike
    /// [`Config::effective`] it also has what shapes no decision, such as addresses, and it may
    /// hold a secret that was pasted into the file: it is printed through `keys::Key::shown`.
    pub fn settings(&self) -> Value {
        // Written out, so that a new member cannot be forgotten here.
        let Self {
            listen,
            admin,
            hosts,
            upstream,
            evidence: EvidenceConfig { release, profile },
            ledger:
                LedgerConfig {
                    headroom_bytes,
                    group,
                    mode,
                    second,
                    writer,
                    anchors,
                    witnesses,
                    segment_bytes,
                    segment_age_seconds,
                    encryption,
                },
            checkpoint_interval_seconds,
            feeds,
            guard,
            limits,
            simulator: _,
            next_free_port: _,
        } = self;
        let upstream = upstream.as_ref().map(|UpstreamConfig { url, key, name }| {
            Value::object([
                ("url", url.as_str().into()),
                ("key", key.as_deref().into()),
                ("name", name.as_deref().into()),
            ])
        });
        Value::object([
            ("listen", listen.to_string().into()),
            ("admin", admin.to_string().into()),
            ("hosts", Value::array(hosts.iter().map(String::as_str))),
            ("checkpoint_interval_seconds", (*checkpoint_interval_seconds).into()),
            ("upstream", upstream.into()),
            (
                "evidence",
                Value::object([
                    ("release", release.as_str().into()),
                    ("profile", profile.as_str().into()),
                ]),
            ),
            (
                "ledger",
                Value::object([
                    ("headroom_bytes", (*headroom_bytes).into()),
                    ("group", group.as_deref().into()),
                    ("mode", mode.as_str().into()),
                    ("second", second.as_str().into()),
                    ("writer", writer.as_str().into()),
                    ("anchors", anchors.settings()),
                    ("witnesses", witnesses.settings()),
                    ("segment_bytes", (*segment_bytes).into()),
                    ("segment_age_seconds", (*segment_age_seconds).into()),
                    ("encryption", encryption.settings()),
                ]),
            ),
            ("feeds", feeds.settings()),
            ("limits", limits.settings()),
            ("guard", numbers(guard.to_value())),
        ])
    }
}

impl LimitsConfig {
    fn settings(&self) -> Value {
        let Self {
            body_bytes,
            answer_bytes,
            connections,
            header_read_seconds,
            body_read_seconds,
            upstream_connect_seconds,
            upstream_answer_seconds,
            upstream_read_seconds,
            caller_stall_seconds,
            stop_grace_seconds,
            refusals_per_minute,
        } = *self;
        Value::object([
            ("body_bytes", body_bytes.into()),
            ("answer_bytes", answer_bytes.into()),
            ("connections", u64::from(connections).into()),
            ("header_read_seconds", header_read_seconds.into()),
            ("body_read_seconds", body_read_seconds.into()),
            ("upstream_connect_seconds", upstream_connect_seconds.into()),
            ("upstream_answer_seconds", upstream_answer_seconds.into()),
            ("upstream_read_seconds", upstream_read_seconds.into()),
            ("caller_stall_seconds", caller_stall_seconds.into()),
            ("stop_grace_seconds", stop_grace_seconds.into()),
            ("refusals_per_minute", u64::from(refusals_per_minute).into()),
        ])
    }
}

/// The checks as evidence has them, with their numbers as the file has them: evidence writes
/// numbers of any size as decimal strings.
fn numbers(guard: Value) -> Value {
    let Value::Object(sections) = guard else { return guard };
    let number = |path: &str, value: Value| match (keys::find(path).map(|key| key.kind), value) {
        (Some(keys::Kind::Number { .. }), Value::String(digits)) => {
            digits.parse::<u64>().map_or(Value::String(digits), Value::from)
        }
        (_, value) => value,
    };
    Value::Object(
        sections
            .into_iter()
            .map(|(section, value)| {
                let Value::Object(members) = value else { return (section, value) };
                let members = members.into_iter().map(|(name, value)| {
                    let value = number(&format!("guard.{section}.{name}"), value);
                    (name, value)
                });
                let members = Value::Object(members.collect());
                (section, members)
            })
            .collect(),
    )
}
