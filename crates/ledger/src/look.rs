//! Looking at journal bytes without knowing their place: one frame by itself, the next header.

use std::io;

use seal::digest::Digest;
use seal::merkle::leaf_hash;

use crate::damage::Cause;
use crate::frame::{self, BODY_CHECK, Form, HEADER, Header, LEAF_CHECK};
use crate::leaf::Leaf;
use crate::store::Source;
use crate::window::Window;

/// The next header that holds within a file, at or after an offset.
pub(crate) fn find_header(
    source: &dyn Source,
    window: &mut Window,
    mut from: u64,
) -> io::Result<Option<(u64, Header)>> {
    const LOOK: usize = 64 * 1024;
    loop {
        let bytes = window.load(source, from, LOOK)?;
        let mut at = 0;
        while let Some(found) = frame::find_magic(bytes, at) {
            match bytes.get(found..found + HEADER) {
                Some(candidate) => {
                    if let Some(header) = Header::decode(candidate) {
                        return Ok(Some((from + found as u64, header)));
                    }
                    at = found + 1;
                }
                // It may go on behind what is loaded: look again from there.
                None => break,
            }
        }
        if bytes.len() < LOOK {
            return Ok(None);
        }
        // Overlap, so that a header across the border is seen.
        from += (LOOK - HEADER) as u64;
    }
}

/// Checks a whole frame by itself. A leaf that holds with a body that does not is both a leaf (for
/// the tree) and a fault.
pub(crate) fn judge_frame(
    frame: &[u8],
    leaf_len: usize,
    form: Form,
    stated: usize,
) -> Result<(Leaf, Digest, Option<Cause>), Cause> {
    let (head, rest) = frame.split_at(HEADER + leaf_len);
    let (check, body) = rest.split_at(LEAF_CHECK);
    if crc32c::crc32c(head).to_be_bytes() != check {
        return Err(Cause::LeafChecksum);
    }
    let leaf_bytes = &head[HEADER..];
    let leaf = Leaf::parse(leaf_bytes).map_err(Cause::Leaf)?;
    // What the frame holds, or, where the body was pruned, what its header says it held.
    let found = stated as u64;
    let cause = match form {
        Form::Plain | Form::Pruned if leaf.len != found || stated > leaf.kind.max_body() => {
            Some(Cause::BodyLength { leaf: leaf.len, found })
        }
        Form::Plain => (Digest::of(body) != leaf.body).then_some(Cause::BodyDigest),
        Form::Pruned => None,
        Form::Encrypted => {
            let (stored, check) = body.split_at(body.len().saturating_sub(BODY_CHECK));
            let whole = crc32c::crc32c(stored).to_be_bytes() == check;
            (!whole).then_some(Cause::EncryptedBody)
        }
    };
    Ok((leaf, leaf_hash(leaf_bytes), cause))
}
