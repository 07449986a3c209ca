//! Seeded mutations: the same seed breaks the same bytes in the same way, on every machine.

use testkit::rng::Rng;

/// Pieces of the formats that random bytes would hardly hit.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\\u2028",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"0.1",
    b"9007199254740992",
    b"-1",
    b"18446744073709551616",
    b"\n\n",
    b"\r\n",
    b"\r",
    b"data: ",
    b"data: [DONE]\n\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xf0\x9f\x94\x91",
    b"\xe2\x80\x94 ",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\0",
    b".",
    b"=",
    b"==",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!",
    b"|\n",
    b"sha256:",
    b"x_",
    b"agent:",
    b"key: ",
];

/// The seed with one to four changes; `other` is spliced in at times.
pub fn mutate(rng: &mut Rng, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(4) {
        let at = below(rng, bytes.len() + 1);
        let end = at + below(rng, (bytes.len() - at).min(64) + 1);
        match rng.below(8) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => {
                let copy = bytes[at..end].to_vec();
                let to = below(rng, bytes.len() + 1);
                bytes.splice(to..to, copy).for_each(drop);
            }
            3 => {
                let from = below(rng, other.len() + 1);
                let to = from + below(rng, (other.len() - from).min(64) + 1);
                bytes.splice(at..end, other[from..to].iter().copied()).for_each(drop);
            }
            4 | 5 => {
                let piece = PIECES[below(rng, PIECES.len())];
                bytes.splice(at..at, piece.iter().copied()).for_each(drop);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
        }
    }
    bytes
}

fn below(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.below(end as u64)).unwrap_or(0)
}
