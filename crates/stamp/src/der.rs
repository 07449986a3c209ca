//! DER, strictly (X.690 section 10): definite lengths in the fewest bytes, tags of one byte,
//! canonical integers and booleans. What BER would allow besides is refused, so that one value
//! has one spelling.

use crate::fault::Fault;

pub(crate) type Read<T> = Result<T, Fault>;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BITS: u8 = 0x03;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A constructed context tag, `[n]`.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// A primitive context tag, `[n] IMPLICIT` of a primitive type.
pub(crate) const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}

/// One value: its tag, what is in it, and both with the length between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub tag: u8,
    pub value: &'a [u8],
    pub whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The values inside.
    pub fn inside(self) -> Reader<'a> {
        Reader(self.value)
    }

    /// The two's complement bytes of an INTEGER, which must be the shortest.
    pub fn integer(self, what: &'static str) -> Read<&'a [u8]> {
        match self.value {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(Fault::Malformed(what)),
            bytes => Ok(bytes),
        }
    }

    /// A small INTEGER that is not negative.
    pub fn number(self, what: &'static str) -> Read<u64> {
        let bytes = self.integer(what)?;
        let digits = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        if bytes[0] >= 0x80 || digits.len() > 8 {
            return Err(Fault::Malformed(what));
        }
        Ok(digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The bytes of an OBJECT IDENTIFIER.
    pub fn oid(self, what: &'static str) -> Read<&'a [u8]> {
        let ends = self.value.last().is_some_and(|last| *last < 0x80);
        let minimal = |at: usize| self.value[at] != 0x80 || at > 0 && self.value[at - 1] >= 0x80;
        match ends && self.value.len() <= 32 && (0..self.value.len()).all(minimal) {
            true => Ok(self.value),
            false => Err(Fault::Malformed(what)),
        }
    }

    /// The bytes of a BIT STRING and how many of the last byte's bits do not count.
    pub fn bits(self, what: &'static str) -> Read<(&'a [u8], u8)> {
        let (unused, bytes) = self.value.split_first().ok_or(Fault::Malformed(what))?;
        let mask = 1_u8.checked_shl(u32::from(*unused)).map_or(0xff, |bit| bit.wrapping_sub(1));
        let zero = bytes.last().map_or(*unused == 0, |last| last & mask == 0);
        match *unused < 8 && zero {
            true => Ok((bytes, *unused)),
            false => Err(Fault::Malformed(what)),
        }
    }
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value, whatever it is.
    pub fn any(&mut self, what: &'static str) -> Read<Tlv<'a>> {
        let bad = || Fault::Malformed(what);
        let bytes = self.0;
        let (tag, rest) = bytes.split_first().ok_or_else(bad)?;
        if tag & 0x1f == 0x1f {
            return Err(bad());
        }
        let (first, rest) = rest.split_first().ok_or_else(bad)?;
        let (length, rest) = match *first {
            length @ 0..=0x7f => (usize::from(length), rest),
            // Four bytes of length are more than any limit here allows.
            form @ 0x81..=0x84 => {
                let (digits, rest) =
                    rest.split_at_checked(usize::from(form & 0x7f)).ok_or_else(bad)?;
                let length =
                    digits.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
                if digits[0] == 0 || length < 0x80 {
                    return Err(bad());
                }
                (usize::try_from(length).map_err(|_| bad())?, rest)
            }
            _ => return Err(bad()),
        };
        let (value, rest) = rest.split_at_checked(length).ok_or_else(bad)?;
        self.0 = rest;
        Ok(Tlv { tag: *tag, value, whole: &bytes[..bytes.len() - rest.len()] })
    }

    /// The next value, which has this tag.
    pub fn element(&mut self, tag: u8, what: &'static str) -> Read<Tlv<'a>> {
        match self.any(what)? {
            tlv if tlv.tag == tag => Ok(tlv),
            _ => Err(Fault::Malformed(what)),
        }
    }

    /// The next value if it has this tag.
    pub fn optional(&mut self, tag: u8, what: &'static str) -> Read<Option<Tlv<'a>>> {
        match self.0.first() {
            Some(next) if *next == tag => self.any(what).map(Some),
            _ => Ok(None),
        }
    }

    /// A BOOLEAN that defaults to false: absent, or true.
    pub fn flag(&mut self, what: &'static str) -> Read<bool> {
        match self.optional(BOOLEAN, what)? {
            None => Ok(false),
            Some(tlv) if tlv.value == [0xff] => Ok(true),
            Some(_) => Err(Fault::Malformed(what)),
        }
    }

    /// Nothing may be left.
    pub fn end(self, what: &'static str) -> Read<()> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(Fault::Malformed(what)),
        }
    }
}

/// Writes one value.
pub(crate) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        let read = |bytes: &[u8]| {
            let mut reader = Reader(bytes);
            let tlv = reader.any("a value")?;
            reader.end("a value").map(|()| tlv.value.len())
        };
        assert_eq!(read(&[0x30, 0]), Ok(0));
        assert_eq!(read(&write(SEQUENCE, &[&[7; 300]])), Ok(300));
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 1, 0],
            &[0x30, 0x82, 0, 1, 0],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x3f, 0x20, 0],
            &[0x30, 0, 0],
        ] {
            assert!(read(bad).is_err(), "{bad:x?}");
        }
        let tlv = |value| Tlv { tag: 0, value, whole: value };
        assert_eq!(tlv(&[0, 0xff]).number("n"), Ok(255));
        for bad in [&[][..], &[0, 1], &[0xff, 0x80], &[0x80], &[1; 9]] {
            assert!(tlv(bad).number("n").is_err(), "{bad:x?}");
        }
        assert!(tlv(&[0x2a, 0x86, 0x48]).oid("o").is_ok());
        for bad in [&[][..], &[0x80], &[0x2a, 0x80, 1], &[0x2a, 0x86], &[1; 33]] {
            assert!(tlv(bad).oid("o").is_err(), "{bad:x?}");
        }
        assert_eq!(tlv(&[7, 0x80]).bits("b"), Ok((&[0x80][..], 7)));
        for bad in [&[][..], &[8, 0], &[1], &[1, 1]] {
            assert!(tlv(bad).bits("b").is_err(), "{bad:x?}");
        }
    }
}
