//! Tiles, cosignatures, witness policies and proof files.

use std::sync::LazyLock;

use seal::cosign::{Cosignature, CosignerKey};
use seal::json::{Limits, Value, parse};
use seal::note::{Checkpoint, VerifierKey, open_cosigned};
use seal::policy::Policy;
use seal::tile::{Bundle, Tile, decode_bundle, encode_bundle};
use seal::tlog_proof::{ConsistencyProof, TlogProof, stated};
use seal::{Digest, hex};

const LOG: &str = include_str!("../../../vectors/log/v1.json");

struct Vectors {
    note: String,
    log: VerifierKey,
    witness: CosignerKey,
}

static VECTORS: LazyLock<Vectors> = LazyLock::new(|| {
    let vectors = vectors();
    let checkpoint = vectors.get("checkpoint").expect("our vectors");
    let text = |name: &str| checkpoint.get(name).and_then(Value::as_str).expect("our vectors");
    Vectors {
        note: text("note").to_owned(),
        log: text("log_vkey").parse().expect("our vectors"),
        witness: text("witness_vkey").parse().expect("our vectors"),
    }
});

fn vectors() -> Value {
    parse(LOG.as_bytes(), Limits::DOCUMENT).expect("our vectors")
}

/// Paths of tiles and bundles have one spelling; a bundle has one form.
pub fn tile(input: &[u8]) {
    if let Ok(entries) = decode_bundle(input) {
        assert!((1..=256).contains(&entries.len()));
        assert_eq!(encode_bundle(entries).as_deref(), Ok(input));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(tile) = Tile::parse(text) {
        assert_eq!(tile.path(), text);
        assert!(tile.level < 64 && (1..=256).contains(&tile.width));
    }
    if let Some(bundle) = Bundle::parse(text) {
        assert_eq!(bundle.path(), text);
    }
}

/// Cosignature lines, keys of cosigners, and notes with both kinds of signatures.
pub fn cosign(input: &[u8]) {
    let Vectors { note, log, witness } = &*VECTORS;
    let keys = (std::slice::from_ref(log), std::slice::from_ref(witness));
    if let Ok(opened) = open_cosigned(input, keys.0, keys.1) {
        // Nobody but these two signed anything, and they signed this text.
        assert!(note.starts_with(&opened.text), "{opened:?}");
        assert_eq!(opened.signers, std::slice::from_ref(log));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(line) = Cosignature::parse(text) {
        assert_eq!(line.to_string().trim_end_matches('\n'), text.trim_end_matches('\n'));
    }
    if let Ok(key) = text.parse::<CosignerKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok((checkpoint, extension)) = Checkpoint::parse_extended(text) {
        assert_eq!(format!("{}{extension}", checkpoint.text()), text);
    }
}

/// A policy asks for no more than all of its witnesses, and for nothing only if it says so.
pub fn policy(input: &[u8]) {
    let Ok(policy) = Policy::parse(input) else { return };
    assert!(policy.is_met_by(&policy.cosigner_keys()), "{policy:?}");
    assert_eq!(policy.is_met_by(&[]), policy.quorum().is_none(), "{policy:?}");
    let Vectors { note, log, .. } = &*VECTORS;
    if let Ok(judged) = policy.judge(note.as_bytes()) {
        assert!(policy.logs().iter().any(|known| known.key == *log));
        let cosigners: Vec<CosignerKey> = judged.witnesses.into_iter().map(|w| w.key).collect();
        assert_eq!(policy.is_met_by(&cosigners), judged.quorum_met);
    }
    if let Some(narrowed) = policy.for_log(log) {
        assert_eq!(narrowed.logs().len(), 1);
        assert!(narrowed.judge(note.as_bytes()).is_ok());
    }
}

/// What is read as a proof is what is written for it, and nothing holds that the vectors do not.
pub fn proof(input: &[u8]) {
    let leaf = seal::merkle::leaf_hash(b"an entry that is in no log");
    if let Ok(proof) = TlogProof::parse(input) {
        assert_eq!(proof.to_string().as_bytes(), input);
        assert!(stated(&proof.checkpoint).is_ok());
        assert!(!proof.includes(&leaf) || proof.hashes.is_empty(), "{proof:?}");
    }
    if let Ok(proof) = ConsistencyProof::parse(input) {
        assert_eq!(proof.to_string().as_bytes(), input);
        let old = Checkpoint { origin: String::new(), size: proof.old, root: Digest::of(b"other") };
        assert!(!proof.extends(&old), "{proof:?}");
    }
}

/// The seeds of the targets here.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let vectors = vectors();
    let list = |path: [&str; 2], member: &str| -> Vec<Vec<u8>> {
        let list = vectors.get(path[0]).and_then(|list| match path[1] {
            "" => Some(list),
            inner => list.get(inner),
        });
        let items = list.and_then(Value::as_array).expect("our vectors");
        let texts = items.iter().filter_map(|item| item.get(member).and_then(Value::as_str));
        texts.map(|text| text.as_bytes().to_vec()).collect()
    };
    match target {
        "policy" => list(["policies", ""], "policy"),
        "proof" => [list(["proofs", "inclusion"], "file"), list(["proofs", "consistency"], "file")]
            .concat(),
        "tile" => {
            let mut seeds = list(["tiles", "paths"], "path");
            let bundle = vectors.get("tiles").and_then(|tiles| tiles.get("bundle"));
            let bundle =
                bundle.and_then(|bundle| bundle.get("hex")?.as_str()).and_then(hex::decode);
            seeds.push(bundle.expect("our vectors"));
            seeds.push(b"tile/entries/x001/234.p/9".to_vec());
            seeds
        }
        _ => {
            let Vectors { note, witness, .. } = &*VECTORS;
            let line = note.lines().last().unwrap_or_default();
            let text = note.split("\n\n").next().unwrap_or_default();
            let extended = format!("{text}\nmore\n");
            [note, line, &witness.to_string(), &extended]
                .map(|seed| seed.as_bytes().to_vec())
                .into()
        }
    }
}
