//! What a log hands in: the size it believes the witness saw last, a proof from there, and the
//! checkpoint that is to be cosigned.

use seal::base64;
use seal::digest::Digest;
use seal::note::Checkpoint;

/// A submission, read; nothing of it is believed yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submission<'a> {
    /// The size the log starts from.
    pub old: u64,
    /// The consistency proof, at most 63 hashes.
    pub proof: Vec<Digest>,
    /// The signed checkpoint as it came.
    pub note: &'a str,
    /// Its text, without signature lines, extension lines included.
    pub text: &'a str,
    /// What its first three lines say.
    pub checkpoint: Checkpoint,
}

/// The longest submission: proof and note, with room.
pub(super) const LIMIT: usize = 128 << 10;
/// The most hashes of a proof (C2SP tlog-witness).
const HASHES: usize = 63;

impl<'a> Submission<'a> {
    /// Reads a body, or says what is wrong with it.
    pub fn parse(body: &'a [u8]) -> Result<Submission<'a>, &'static str> {
        if body.len() > LIMIT {
            return Err("the submission is too large");
        }
        let body = std::str::from_utf8(body).map_err(|_| "the submission is not UTF-8")?;
        let (head, note) = body.split_once("\n\n").ok_or("no blank line before the checkpoint")?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or("the first line must be `old` and a size")?;
        let proof: Option<Vec<Digest>> = lines.map(hash).collect();
        let proof = proof.ok_or("a line of the proof is not the base64 of a hash")?;
        if proof.len() > HASHES {
            return Err("the proof has more than 63 hashes");
        }
        let (text, checkpoint) = checkpoint_of(note).ok_or("the checkpoint is malformed")?;
        Ok(Submission { old, proof, note, text, checkpoint })
    }
}

/// Text and statement of a signed checkpoint; its signatures are not looked at. Extension lines,
/// which other logs may have, belong to the text and say nothing to a witness.
pub(super) fn checkpoint_of(note: &str) -> Option<(&str, Checkpoint)> {
    let text = &note[..=note.rfind("\n\n")?];
    let mut ends = text.match_indices('\n').map(|(at, _)| at);
    let third = ends.nth(2)?;
    let (statement, extensions) = text.split_at(third + 1);
    let plain = extensions.is_empty()
        || extensions.strip_suffix('\n')?.split('\n').all(|line| !line.is_empty());
    let checkpoint = Checkpoint::parse(statement).ok()?;
    plain.then_some((text, checkpoint))
}

fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn hash(line: &str) -> Option<Digest> {
    Some(Digest::from_bytes(base64::std_decode(line).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";

    #[test]
    fn the_parts_of_a_submission() {
        let note = format!("log.example\n8\n{ROOT}\nmore\n\n\u{2014} log.example AAAA\n");
        let body = format!("old 7\n{ROOT}\n{ROOT}\n\n{note}");
        let read = Submission::parse(body.as_bytes()).unwrap();
        assert_eq!((read.old, read.proof.len(), read.note), (7, 2, &*note));
        assert_eq!(read.text, format!("log.example\n8\n{ROOT}\nmore\n"));
        assert_eq!((&*read.checkpoint.origin, read.checkpoint.size), ("log.example", 8));
        assert!(Submission::parse(format!("old 0\n\n{note}").as_bytes()).is_ok());
    }

    #[test]
    fn malformed_submissions() {
        let note = format!("log.example\n8\n{ROOT}\n\n\u{2014} log.example AAAA\n");
        let many = format!("{ROOT}\n").repeat(64);
        for bad in [
            String::new(),
            format!("\n\n{note}"),
            format!("old\n\n{note}"),
            format!("old 07\n\n{note}"),
            format!("old -1\n\n{note}"),
            format!("old 18446744073709551616\n\n{note}"),
            format!("old  7\n\n{note}"),
            format!("old 7\r\n\n{note}"),
            format!("old 7\nAAAA\n\n{note}"),
            format!("old 7\n{many}\n{note}"),
            "old 7\n\nlog.example\n8\n\n".to_owned(),
            format!("old 7\n\nlog.example\n8\n{ROOT}\n"),
            format!("old 7\n\nlog.example\n08\n{ROOT}\n\n\u{2014} a AAAA\n"),
            format!("old 7\n\n{}", "x".repeat(LIMIT)),
        ] {
            assert!(Submission::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Submission::parse(b"old 7\n\n\xff").is_err());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let note = format!("log.example\n8\n{ROOT}\n\n\u{2014} log.example AAAA\n");
        let good = format!("old 7\n{ROOT}\n\n{note}").into_bytes();
        for at in 0..good.len() {
            let _ = Submission::parse(&good[..at]);
            let _ = Submission::parse(&good[at..]);
            for byte in [0, b'\n', b' ', b'=', 0xff, good[at] ^ 1] {
                let mut bad = good.clone();
                bad[at] = byte;
                if let Ok(read) = Submission::parse(&bad) {
                    // What is read is what was there.
                    assert!(
                        bad.ends_with(read.note.as_bytes()) && read.note.starts_with(read.text)
                    );
                }
            }
        }
    }
}
