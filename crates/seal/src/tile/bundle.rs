//! Entry bundles: the entries themselves, 256 to a file, each behind its length.

use super::{FULL, Place, indices, width_at};

/// Longest entry a bundle can hold, bytes.
pub const ENTRY_LIMIT: usize = u16::MAX as usize;

/// One entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    /// Position among the bundles; it has entries `index * 256` and following.
    pub index: u64,
    /// How many entries it has, 1 to 256; less than 256 at the end of the log only.
    pub width: u16,
}

impl Bundle {
    /// Where it lies below the log's prefix: `tile/entries/x001/067`, partial with `.p/12`.
    pub fn path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// The path behind `tile/entries/`.
    pub fn place(&self) -> String {
        Place(self.index, self.width).to_string()
    }

    /// Strict inverse of [`Bundle::path`].
    pub fn parse(path: &str) -> Option<Bundle> {
        Bundle::parse_place(path.strip_prefix("tile/entries/")?)
    }

    /// Strict inverse of [`Bundle::place`].
    pub fn parse_place(place: &str) -> Option<Bundle> {
        super::parse_place(place).map(|(index, width)| Bundle { index, width })
    }

    /// The bundle of all 256 entries at this place.
    pub fn full(self) -> Bundle {
        Bundle { width: FULL, ..self }
    }

    /// The bundle of a log of `size` entries that has this entry, and the entry's place in it.
    pub fn holding(entry: u64, size: u64) -> Option<(Bundle, usize)> {
        let index = entry >> 8;
        (entry < size)
            .then(|| (Bundle { index, width: width_at(index, size) }, (entry & 255) as usize))
    }
}

/// The bundles a log of `new` entries has and the same log with `old` entries had not.
pub fn bundles_between(old: u64, new: u64) -> impl Iterator<Item = Bundle> {
    indices(old, new).map(move |index| Bundle { index, width: width_at(index, new) })
}

/// Bytes are no bundle, or entries do not make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// No entries at all, or more than 256.
    #[error("an entry bundle has 1 to 256 entries")]
    Count,
    /// An entry does not fit its length field.
    #[error("entry {at} has {bytes} bytes, {ENTRY_LIMIT} at most fit a bundle")]
    Entry {
        /// Its place in the bundle.
        at: usize,
        /// Its length.
        bytes: usize,
    },
    /// The bytes end inside an entry or its length.
    #[error("the bundle ends inside of entry {at}")]
    Short {
        /// Its place in the bundle.
        at: usize,
    },
}

/// The bytes of a bundle: for each entry its length as u16, big-endian, and the entry.
pub fn encode_bundle<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BundleError> {
    let mut out = Vec::new();
    let mut count = 0;
    for (at, entry) in entries.into_iter().enumerate() {
        let too_long = BundleError::Entry { at, bytes: entry.len() };
        let length = u16::try_from(entry.len()).map_err(|_| too_long)?;
        out.extend(length.to_be_bytes());
        out.extend(entry);
        count = at + 1;
    }
    if (1..=usize::from(FULL)).contains(&count) { Ok(out) } else { Err(BundleError::Count) }
}

/// Strict inverse of [`encode_bundle`]. Whether there are as many entries as the bundle's width
/// says is for the caller to compare.
pub fn decode_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = entries.len();
        if at == usize::from(FULL) {
            return Err(BundleError::Count);
        }
        let (length, behind) = rest.split_first_chunk::<2>().ok_or(BundleError::Short { at })?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, behind) = behind.split_at_checked(length).ok_or(BundleError::Short { at })?;
        entries.push(entry);
        rest = behind;
    }
    if entries.is_empty() { Err(BundleError::Count) } else { Ok(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_places() {
        let bundle = Bundle { index: 1_234_067, width: 12 };
        assert_eq!(bundle.path(), "tile/entries/x001/x234/067.p/12");
        assert_eq!(Bundle::parse(&bundle.path()), Some(bundle));
        assert_eq!(bundle.full().place(), "x001/x234/067");
        assert_eq!(Bundle::parse("tile/0/000"), None);
        assert_eq!(Bundle::parse("tile/entries/000.p/256"), None);
        assert_eq!(Bundle::holding(300, 301), Some((Bundle { index: 1, width: 45 }, 44)));
        assert_eq!(Bundle::holding(301, 301), None);
        let between: Vec<String> = bundles_between(255, 300).map(|b| b.place()).collect();
        assert_eq!(between, ["000", "001.p/44"]);
        assert_eq!(bundles_between(300, 300).count(), 0);
    }

    #[test]
    fn entries_round_trip_and_nothing_else_is_a_bundle() {
        let long = vec![b'x'; ENTRY_LIMIT];
        let entries = [&b"one"[..], b"", &long];
        let bytes = encode_bundle(entries).unwrap();
        assert_eq!(bytes[..7], *b"\x00\x03one\x00\x00");
        assert_eq!(decode_bundle(&bytes), Ok(entries.to_vec()));
        for cut in [1, 4, 6, bytes.len() - 1] {
            assert!(
                matches!(decode_bundle(&bytes[..cut]), Err(BundleError::Short { .. })),
                "{cut}"
            );
        }
        assert_eq!(decode_bundle(b""), Err(BundleError::Count));
        assert_eq!(decode_bundle(&[0; 514]), Err(BundleError::Count));
        assert_eq!(decode_bundle(&[0; 512]).map(|entries| entries.len()), Ok(256));
        let longer = vec![0; ENTRY_LIMIT + 1];
        assert!(matches!(encode_bundle([&longer[..]]), Err(BundleError::Entry { .. })));
        assert_eq!(encode_bundle([]), Err(BundleError::Count));
        assert_eq!(encode_bundle(std::iter::repeat_n(&b""[..], 257)), Err(BundleError::Count));
    }
}
