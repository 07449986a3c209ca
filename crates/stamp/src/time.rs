//! Points in time, as ASN.1 spells them.

use std::fmt;

use seal::time::{UnixMillis, parse_rfc3339};

use crate::der::{Read, TIME, Tlv, UTC_TIME};
use crate::fault::Fault;

/// A point in time, Unix microseconds, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// Whole Unix seconds, rounded down.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Unix milliseconds, rounded down.
    pub fn millis(self) -> UnixMillis {
        UnixMillis(self.0 / 1_000)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.millis(), f)
    }
}

/// The genTime of a stamp: GeneralizedTime in UTC with seconds, and a fraction that does not end
/// in zero (RFC 3161 section 2.4.2). Digits beyond microseconds are cut.
pub(crate) fn stamped(tlv: Tlv<'_>) -> Read<Moment> {
    let bad = || Fault::Malformed("genTime");
    let text = std::str::from_utf8(tlv.value).map_err(|_| bad())?;
    let (whole, fraction) = match text.strip_suffix('Z').ok_or_else(bad)?.split_once('.') {
        None => (text.strip_suffix('Z').unwrap_or_default(), ""),
        Some((_, fraction))
            if fraction.is_empty()
                || fraction.len() > 9
                || fraction.ends_with('0')
                || !fraction.bytes().all(|b| b.is_ascii_digit()) =>
        {
            return Err(bad());
        }
        Some(parts) => parts,
    };
    let seconds = civil(whole).ok_or_else(bad)?;
    let micros = format!("{fraction:0<6}");
    let micros: u64 = micros.get(..6).and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
    seconds
        .checked_mul(1_000_000)
        .and_then(|whole| whole.checked_add(micros))
        .map(Moment)
        .ok_or_else(bad)
}

/// A time of a certificate's validity in Unix seconds (RFC 5280 section 4.1.2.5). What lies
/// before 1970 is 0.
pub(crate) fn validity(tlv: Tlv<'_>) -> Read<u64> {
    let bad = || Fault::Malformed("a certificate's validity");
    let text = std::str::from_utf8(tlv.value).map_err(|_| bad())?;
    let text = text.strip_suffix('Z').ok_or_else(bad)?;
    let full = match tlv.tag {
        UTC_TIME => {
            let century = if text.get(..2).ok_or_else(bad)? < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        TIME => text.to_owned(),
        _ => return Err(bad()),
    };
    match full.get(..4) {
        Some(year) if year < "1970" && full.bytes().all(|b| b.is_ascii_digit()) => Ok(0),
        _ => civil(&full).ok_or_else(bad),
    }
}

/// Unix seconds of `YYYYMMDDhhmmss`.
fn civil(digits: &str) -> Option<u64> {
    if digits.len() != 14 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    parse_rfc3339(&text).map(|time| time.0 / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_times() {
        let read = |tag, text: &'static str| {
            let tlv = Tlv { tag, value: text.as_bytes(), whole: &[] };
            (stamped(tlv).ok(), validity(tlv).ok())
        };
        assert_eq!(read(TIME, "19700101000001Z"), (Some(Moment(1_000_000)), Some(1)));
        assert_eq!(read(TIME, "19700101000001.25Z").0, Some(Moment(1_250_000)));
        assert_eq!(read(TIME, "19700101000001.000000001Z").0, Some(Moment(1_000_000)));
        assert_eq!(read(UTC_TIME, "700101000001Z").1, Some(1));
        assert_eq!(read(UTC_TIME, "491231235959Z").1, Some(2_524_607_999));
        assert_eq!(read(TIME, "19500101000000Z").1, Some(0));
        for bad in [
            "",
            "Z",
            "19700101000001",
            "197001010000Z",
            "19700101000001.Z",
            "19700101000001.0Z",
            "19700101000001.10Z",
            "19700101000060Z",
            "19700230000000Z",
            "19700101000001+00Z",
            "19700101000001.1234567891Z",
            "1970010100000\u{e9}Z",
            "+9700101000001Z",
        ] {
            assert_eq!(read(TIME, bad), (None, None), "{bad}");
        }
    }
}
