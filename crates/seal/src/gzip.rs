//! Gzip (RFC 1952) of outside bytes, within a limit: what unpacks to more is refused, and so is
//! anything that is not one whole member.

/// What is wrong with compressed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipError {
    /// Not one whole gzip member.
    #[error("is broken")]
    Broken,
    /// It unpacks to more.
    #[error("unpacks to more than {0} bytes")]
    TooLarge(usize),
}

/// How a member begins: its two magic bytes and the one method there is. No JSON begins like this.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// `bytes` unpacked if they are gzip, into at most `limit` bytes; as they are otherwise.
pub fn plain(bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, GzipError> {
    if bytes.starts_with(&MAGIC) { gunzip(&bytes, limit) } else { Ok(bytes) }
}

/// Unpacks one gzip member (RFC 1952) that is all of the input, into at most `limit` bytes.
pub fn gunzip(packed: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
    let deflated = member(packed).ok_or(GzipError::Broken)?;
    let (stream, trailer) =
        deflated.split_at_checked(deflated.len().wrapping_sub(8)).ok_or(GzipError::Broken)?;
    let plain =
        miniz_oxide::inflate::decompress_to_vec_with_limit(stream, limit).map_err(|error| {
            match error.status {
                miniz_oxide::inflate::TINFLStatus::HasMoreOutput => GzipError::TooLarge(limit),
                _ => GzipError::Broken,
            }
        })?;
    let sum = crc32(&plain).to_le_bytes();
    let length = (plain.len() as u32).to_le_bytes();
    match trailer == [sum, length].concat() {
        true => Ok(plain),
        false => Err(GzipError::Broken),
    }
}

/// What stands behind the header of a member.
fn member(bytes: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = bytes.split_at_checked(10)?;
    let flags = *head.get(3)?;
    if !head.starts_with(&MAGIC) || flags & 0xe0 != 0 {
        return None;
    }
    if flags & 0x04 != 0 {
        let (length, behind) = rest.split_at_checked(2)?;
        rest = behind.get(usize::from(u16::from_le_bytes(length.try_into().ok()?))..)?;
    }
    // A name and a comment, each up to its zero byte.
    for flag in [0x08, 0x10] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & 0x02 != 0 { rest.get(2..) } else { Some(rest) }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        let at = (sum ^ u32::from(*byte)) & 0xff;
        sum = CRC.get(at as usize).copied().unwrap_or_default() ^ (sum >> 8);
    }
    !sum
}

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (mut value, mut bit) = (at as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(plain: &[u8], flags: u8, extra: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
        out.extend_from_slice(extra);
        out.extend(miniz_oxide::deflate::compress_to_vec(plain, 6));
        out.extend(crc32(plain).to_le_bytes());
        out.extend((plain.len() as u32).to_le_bytes());
        out
    }

    #[test]
    fn gzip_is_unpacked_within_its_limit() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let text = vec![b'a'; 100_000];
        let whole = packed(&text, 0, b"");
        assert!(whole.len() < 1_000);
        assert_eq!(gunzip(&whole, 100_000).as_ref(), Ok(&text));
        assert_eq!(gunzip(&whole, 99_999), Err(GzipError::TooLarge(99_999)));
        let named = packed(b"x", 0x1e, b"\x02\0abname\0comment\0hh");
        assert_eq!(gunzip(&named, 10), Ok(b"x".to_vec()));
        assert_eq!(plain(named, 10), Ok(b"x".to_vec()));
        assert_eq!(plain(b"{}".to_vec(), 0), Ok(b"{}".to_vec()));
        for end in 0..whole.len() {
            assert!(gunzip(&whole[..end], 200_000).is_err(), "{end}");
        }
        for at in [0, 1, 2, 3, whole.len() - 1, whole.len() - 5] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xe0;
            assert!(gunzip(&bytes, 200_000).is_err(), "{at}");
        }
    }
}
