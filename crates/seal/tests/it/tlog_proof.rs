//! Proof files: what is written is read, every byte counts, and the order of what is judged.

use countersign_seal as seal;
use seal::merkle::{consistency_proof, inclusion_proof, leaf_hash, root_of};
use seal::note::{Checkpoint, NoteError, NoteSigner, sign};
use seal::policy::Policy;
use seal::tlog_proof::{ConsistencyProof, EXTRA_LIMIT, ProofError, ProofFormError, TlogProof};
use seal::{Digest, base64};

use crate::policy::{log, secret, signed, witness};

fn leaves() -> Vec<Digest> {
    (0u8..8).map(|n| leaf_hash(&[n])).collect()
}

fn note(size: usize, witnesses: &[u8]) -> String {
    let root = root_of(&leaves()[..size]);
    let checkpoint = Checkpoint { origin: "log.example/1".into(), size: size as u64, root };
    signed(&checkpoint, witnesses)
}

fn proof() -> TlogProof {
    let hashes = inclusion_proof(&leaves(), 5);
    TlogProof { extra: None, index: 5, hashes, checkpoint: note(8, &[1, 2]) }
}

fn policy() -> Policy {
    let text = format!(
        "log {}\nwitness a {}\nwitness b {}\ngroup g all a b\nquorum g\n",
        log(1),
        witness(1),
        witness(2)
    );
    Policy::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_proof_is_what_is_written_and_holds() {
    let proof = proof();
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 5\n"), "{text}");
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof.clone()));
    let judged = proof.verify(&leaves()[5], &policy()).unwrap();
    assert_eq!((judged.checkpoint.size, judged.witnesses.len()), (8, 2));
    let extra = TlogProof { extra: Some(b"whatever".to_vec()), ..proof };
    let text = extra.to_string();
    assert!(text.contains("\nextra d2hhdGV2ZXI=\nindex 5\n"), "{text}");
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(extra));
}

#[test]
fn every_byte_counts() {
    let (text, policy, leaf) = (proof().to_string().into_bytes(), policy(), leaves()[5]);
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone();
            bytes[at] ^= 1 << bit;
            let holds = TlogProof::parse(&bytes).is_ok_and(|p| p.verify(&leaf, &policy).is_ok());
            assert!(!holds, "byte {at}, bit {bit}");
        }
        let short = TlogProof::parse(&text[..at]);
        assert!(!short.is_ok_and(|p| p.verify(&leaf, &policy).is_ok()), "cut at {at}");
    }
}

#[test]
fn each_part_that_does_not_hold_is_told_apart() {
    let (policy, leaf) = (policy(), leaves()[5]);
    let judge = |proof: &TlogProof| proof.verify(&leaf, &policy).map(|_| ());
    assert_eq!(judge(&proof()), Ok(()));
    assert_eq!(proof().verify(&leaves()[4], &policy).map(|_| ()), Err(ProofError::Inclusion));
    for index in [4, 6, 0, 8, u64::MAX] {
        assert_eq!(judge(&TlogProof { index, ..proof() }), Err(ProofError::Inclusion), "{index}");
    }
    // The whole checkpoint of another size, well signed.
    for size in [6, 7] {
        let checkpoint = note(size, &[1, 2]);
        assert_eq!(judge(&TlogProof { checkpoint, ..proof() }), Err(ProofError::Inclusion));
    }
    for few in [&[][..], &[1], &[2], &[1, 1], &[1, 3]] {
        let checkpoint = note(8, few);
        assert_eq!(judge(&TlogProof { checkpoint, ..proof() }), Err(ProofError::Quorum), "{few:?}");
    }
    let stranger = proof().checkpoint.replace("log.example/1 ", "log.example/2 ");
    let unsigned = ProofError::Checkpoint(NoteError::Unsigned);
    assert_eq!(judge(&TlogProof { checkpoint: stranger, ..proof() }), Err(unsigned));
    let bad = proof().checkpoint.replace("\n8\n", "\n7\n");
    let altered = ProofError::Checkpoint(NoteError::BadSignature("log.example/1".into()));
    assert_eq!(judge(&TlogProof { checkpoint: bad, ..proof() }), Err(altered));
}

#[test]
fn one_form_only() {
    let text = proof().to_string();
    let hash = text.lines().nth(2).unwrap();
    let line = |line| ProofFormError::Line { line };
    let replaced = |from: &str, to: &str| text.replacen(from, to, 1);
    for (bad, error) in [
        (String::new(), ProofFormError::Text),
        (replaced("@v1", "@v2"), line(1)),
        (format!("\n{text}"), line(1)),
        (replaced("index 5", "index 05"), line(2)),
        (replaced("index 5", "index +5"), line(2)),
        (replaced("index 5", "index  5"), line(2)),
        (replaced("index 5", "index 5 "), line(2)),
        (replaced("index 5", "index 18446744073709551616"), line(2)),
        (replaced("index 5\n", ""), line(2)),
        (replaced("index 5", "extra d2\nindex 5"), line(2)),
        (replaced("index 5", "extra \nextra \nindex 5"), line(3)),
        (replaced("index 5", "index 5\nextra "), line(3)),
        (replaced(hash, &format!("{hash} ")), line(3)),
        (replaced(hash, &hash[..40]), line(3)),
        (replaced("\n\n", "\n"), ProofFormError::Checkpoint),
        (replaced("\n\n", "\n\n\n"), ProofFormError::Checkpoint),
        (replaced("\n8\n", "\n08\n"), ProofFormError::Checkpoint),
        (text.trim_end().to_owned(), ProofFormError::Checkpoint),
        (text.replace('\n', "\r\n"), ProofFormError::Text),
        (replaced(hash, &vec![hash; 63].join("\n")), ProofFormError::TooLong),
        ("x".repeat(192 * 1024 + 1), ProofFormError::TooLong),
    ] {
        assert_eq!(TlogProof::parse(bad.as_bytes()), Err(error), "{bad:?}");
    }
    let mut not_text = text.clone().into_bytes();
    not_text[30] = 0xff;
    assert_eq!(TlogProof::parse(&not_text), Err(ProofFormError::Text));
    let extra = |length| {
        replaced("index", &format!("extra {}\nindex", base64::std_encode(&vec![0; length])))
    };
    assert!(TlogProof::parse(extra(EXTRA_LIMIT).as_bytes()).is_ok());
    assert_eq!(TlogProof::parse(extra(EXTRA_LIMIT + 1).as_bytes()), Err(line(2)));
}

#[test]
fn consistency_between_two_signed_checkpoints() {
    let (all, policy) = (leaves(), policy());
    let made = |old: usize| ConsistencyProof {
        old: old as u64,
        hashes: consistency_proof(&all, old),
        checkpoint: note(8, &[1, 2]),
    };
    for old in 0..=8 {
        let proof = made(old);
        let text = proof.to_string();
        assert!(text.starts_with(&format!("old {old}\n")), "{text}");
        assert_eq!(ConsistencyProof::parse(text.as_bytes()), Ok(proof.clone()));
        let [before, after] = proof.verify(note(old, &[1, 2]).as_bytes(), &policy).unwrap();
        assert_eq!((before.checkpoint.size, after.checkpoint.size), (old as u64, 8));
        if old > 0 {
            let other = note(old - 1, &[1, 2]);
            assert_eq!(proof.verify(other.as_bytes(), &policy), Err(ProofError::Consistency));
            let fork = Checkpoint {
                origin: "log.example/1".into(),
                size: old as u64,
                root: leaf_hash(b"fork"),
            };
            let fork = signed(&fork, &[1, 2]);
            assert_eq!(proof.verify(fork.as_bytes(), &policy), Err(ProofError::Consistency));
        }
        let few = note(old, &[1]);
        assert_eq!(proof.verify(few.as_bytes(), &policy), Err(ProofError::Quorum));
    }
    // Another log of the policy that has the very same entries is another log.
    let second = secret(2);
    let signer = NoteSigner::new("log.example/2", &second).unwrap();
    let same = Checkpoint { origin: "log.example/2".into(), size: 6, root: root_of(&all[..6]) };
    let both = format!("log {}\nlog {}\nquorum none\n", log(1), log(2));
    let both = Policy::parse(both.as_bytes()).unwrap();
    let other = made(6).verify(sign(&same.text(), &[signer]).as_bytes(), &both);
    assert_eq!(other, Err(ProofError::Origin));
    let text = made(6).to_string().into_bytes();
    let old = note(6, &[1, 2]);
    for at in 0..text.len() {
        let mut bytes = text.clone();
        bytes[at] ^= 1;
        let proof = ConsistencyProof::parse(&bytes);
        assert!(!proof.is_ok_and(|p| p.verify(old.as_bytes(), &policy).is_ok()), "byte {at}");
    }
    for bad in ["", "old 6", "old 06\n\n", "size 6\n\n"] {
        assert!(ConsistencyProof::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}
