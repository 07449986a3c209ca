//! What checks may know of the outside, and what they may ask of it.

use seal::base64;
use seal::json::Value;
use seal::time::UnixMillis;

use crate::counters::{CounterKey, Grant};

/// Facts the gateway delivers. Whatever a ruling used is here, so that storing this (by digest)
/// makes the ruling repeatable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The identity headers and how far they can be believed.
    pub identity: Option<Identity>,
    /// The time of the request.
    pub now: Option<UnixMillis>,
    /// What came of the reservations asked for.
    pub grants: Vec<Grant>,
}

/// Who the caller says it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Every value of every identity header, as received, duplicates included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// `asserted`, or `authenticated:<method>`.
    pub how: String,
}

impl Identity {
    /// Headers that nothing but the caller vouches for.
    pub fn asserted(headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Identity {
        Identity { headers: headers.into_iter().collect(), how: "asserted".to_owned() }
    }

    /// The values of a header, whatever the case of its name.
    pub fn values<'i>(&'i self, header: &'i str) -> impl Iterator<Item = &'i [u8]> {
        self.headers
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(header))
            .map(|(_, value)| value.as_slice())
    }
}

impl Facts {
    /// Facts with an identity and a time: what every request needs.
    pub fn of(identity: Identity, now: UnixMillis) -> Facts {
        Facts { identity: Some(identity), now: Some(now), grants: Vec::new() }
    }

    /// The facts as a document, to be stored by digest. Header values that are not UTF-8 are
    /// written as base64.
    pub fn to_value(&self) -> Value {
        let identity = self.identity.as_ref().map(|identity| {
            let headers = identity.headers.iter().map(|(name, value)| {
                let value = match std::str::from_utf8(value) {
                    Ok(text) => Value::object([("text", text.into())]),
                    Err(_) => Value::object([("base64", base64::std_encode(value).into())]),
                };
                Value::array([name.to_ascii_lowercase().into(), value])
            });
            Value::object([
                ("headers", Value::array(headers)),
                ("how", identity.how.as_str().into()),
            ])
        });
        let grants = self.grants.iter().map(|grant| {
            Value::object([
                ("granted", grant.granted.into()),
                ("key", grant.key.to_string().into()),
                ("reserved", grant.reserved.to_string().into()),
                ("used", grant.used.to_string().into()),
            ])
        });
        Value::object([
            ("grants", Value::array(grants)),
            ("identity", identity.unwrap_or(Value::Null)),
            ("now", self.now.map_or(Value::Null, |now| now.0.to_string().into())),
        ])
    }
}

/// A fact that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// [`Facts::identity`].
    Identity,
    /// [`Facts::now`].
    Now,
    /// The grant of a reservation, after its effect was executed.
    Grant(CounterKey),
}

/// Something the gateway does, at once and atomically, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Reserve `amount` under `key` unless used and reserved would exceed `cap`; the result is a
    /// [`Grant`] among the facts.
    Reserve {
        /// The counter.
        key: CounterKey,
        /// How much.
        amount: u64,
        /// The counter's cap.
        cap: u64,
    },
    /// Give a granted reservation back and count what was used. Has no result.
    Settle {
        /// The counter.
        key: CounterKey,
        /// What was reserved.
        reserved: u64,
        /// What was used; may be more.
        used: u64,
    },
}
