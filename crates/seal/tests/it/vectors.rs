//! `vectors/log/v1.json`: trees, tiles, notes, policies and proofs, made from our own keys, so that
//! the repository alone pins the formats. What was published elsewhere stands here as text and is
//! reproduced. `COUNTERSIGN_BLESS=1` writes the file; a change there is a change of a format.

use std::path::PathBuf;

use countersign_seal as seal;
use seal::cosign::Cosigner;
use seal::json::{Value, write_pretty};
use seal::merkle::{consistency_proof, inclusion_proof, leaf_hash, root_of};
use seal::note::{self, Checkpoint, NoteSigner, VerifierKey, open, open_cosigned};
use seal::policy::Policy;
use seal::tile::{Bundle, Tile, encode_bundle, tiles_of};
use seal::tlog_proof::{ConsistencyProof, TlogProof};
use seal::{Digest, SecretKey, base64, hex};

/// The eight entries of the published vectors.
const ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const LOG: &str = "log.example/receipts+b5c2ba2c+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const WITNESS: &str = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
const NOTE: &str = "log.example/receipts\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n\u{2014} log.example/receipts tcK6LCGpd68u6m7cH5gcZfV4YMMB2/6jRhEbW6blxPXIVQu4oU6SWeTF28aPsYWUbcAzXDksRWjsPF/L9crFxrroLg0=\n\u{2014} witness.example/w1 IDJKvgAAAABlU/EAlCXRGXjkClazC9cyFQxu9zQugCsqFW2fiSHe3QwLxTcMB2QTLYLPA4aQ1iI23OV26CMO3EToy4VZE6j20g/KBg==\n";
const TIME: u64 = 1_700_000_000;
const ORIGIN: &str = "log.example/receipts";

fn leaves() -> Vec<Digest> {
    ENTRIES.iter().map(|entry| leaf_hash(&hex::decode(entry).unwrap())).collect()
}

fn key(from: u8) -> SecretKey {
    SecretKey::from_seed(std::array::from_fn(|n| from + n as u8))
}

fn checkpoint(size: usize) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: size as u64, root: root_of(&leaves()[..size]) }
}

/// Signed by the log and cosigned by the witness of the published vector.
fn signed(checkpoint: &Checkpoint) -> String {
    let (log, witness) = (key(0), key(0x20));
    let text = checkpoint.text();
    let mut signed = note::sign(&text, &[NoteSigner::new(ORIGIN, &log).unwrap()]);
    let witness = Cosigner::new("witness.example/w1", &witness).unwrap();
    signed.push_str(&witness.sign(&text, TIME).unwrap().to_string());
    signed
}

#[test]
fn published_roots_and_proofs() {
    let all = leaves();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(root_of(&all[..size]).hex(), *root);
    }
    let short = |proof: Vec<Digest>| -> Vec<String> {
        proof.iter().map(|digest| digest.hex()[..16].to_owned()).collect()
    };
    for (index, size, expected) in [
        (0, 8, &["96a296d224f285c6", "5f083f0a1a33ca07", "6b47aaf29ee3c2af"][..]),
        (5, 8, &["bc1a0643b12e4d2d", "ca854ea128ed050b", "d37ee418976dd957"]),
        (2, 3, &["fac54203e7cc696c"]),
    ] {
        assert_eq!(short(inclusion_proof(&all[..size], index)), expected, "{index} {size}");
    }
    for (old, new, expected) in [
        (1, 8, &["96a296d224f285c6", "5f083f0a1a33ca07", "6b47aaf29ee3c2af"][..]),
        (2, 5, &["5f083f0a1a33ca07", "bc1a0643b12e4d2d"]),
        (6, 8, &["0ebc5d3437fbe2db", "ca854ea128ed050b", "d37ee418976dd957"]),
        (7, 8, &["b08693ec2e721597", "46f6ffadd3d06a09", "0ebc5d3437fbe2db", "d37ee418976dd957"]),
        (4, 8, &["6b47aaf29ee3c2af"]),
    ] {
        assert_eq!(short(consistency_proof(&all[..new], old)), expected, "{old} {new}");
    }
}

#[test]
fn published_notes() {
    let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let vkey: VerifierKey = vkey.parse().unwrap();
    let text = "This is an example message.\n";
    let signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";
    let signed_note = format!("{text}\n\u{2014} example.com/foo {signature}\n");
    assert_eq!(open(signed_note.as_bytes(), &[vkey]).unwrap().text, text);

    assert_eq!(signed(&checkpoint(8)), NOTE);
    let opened =
        open_cosigned(NOTE.as_bytes(), &[LOG.parse().unwrap()], &[WITNESS.parse().unwrap()]);
    let opened = opened.unwrap();
    assert_eq!(opened.signers[0].to_string(), LOG);
    assert_eq!(opened.cosigned[0].key.to_string(), WITNESS);
    assert_eq!(opened.cosigned[0].time_seconds, TIME);
    // Where monitors of a witness find the log.
    assert_eq!(
        Digest::of(ORIGIN.as_bytes()).hex(),
        "c1e9b9d8cfea2d7a73008ca10c097eaa22fee57ad5ffebdec5a4afde2ca58274"
    );
}

fn hashes(proof: Vec<Digest>) -> Value {
    Value::array(proof.iter().map(Digest::hex))
}

fn tree() -> Value {
    let all = leaves();
    let mut inclusion = Vec::new();
    let mut consistency = Vec::new();
    for size in 1..=all.len() {
        for index in 0..size {
            inclusion.push(Value::object([
                ("index", Value::from(index as u64)),
                ("size", (size as u64).into()),
                ("hashes", hashes(inclusion_proof(&all[..size], index))),
            ]));
        }
        for old in 0..=size {
            consistency.push(Value::object([
                ("old", Value::from(old as u64)),
                ("new", (size as u64).into()),
                ("hashes", hashes(consistency_proof(&all[..size], old))),
            ]));
        }
    }
    Value::object([
        ("entries_hex", Value::array(ENTRIES)),
        ("leaves", hashes(all.clone())),
        ("roots", Value::array((0..=8).map(|size| root_of(&all[..size]).hex()))),
        ("inclusion", Value::array(inclusion)),
        ("consistency", Value::array(consistency)),
    ])
}

fn tiles() -> Value {
    let path = |(level, index, width)| {
        let tile = Tile { level, index, width };
        Value::object([
            ("level", Value::from(u64::from(level))),
            ("index", index.into()),
            ("width", u64::from(width).into()),
            ("path", tile.path().into()),
        ])
    };
    let paths = [
        (0, 0, 256),
        (0, 999, 256),
        (0, 1000, 255),
        (1, 1_234_067, 256),
        (2, 1_000_000_000, 1),
        (63, 7, 17),
    ];
    let sizes = [0u64, 1, 255, 256, 257, 65_536, 70_000].map(|size| {
        let partial = tiles_of(size).filter(|tile| !tile.is_full()).map(|tile| tile.path());
        Value::object([
            ("size", Value::from(size)),
            ("full", (tiles_of(size).filter(Tile::is_full).count() as u64).into()),
            ("partial", Value::array(partial)),
        ])
    });
    let refused = [
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
    ];
    assert!(refused.iter().all(|path| Tile::parse(path).is_none()));
    let entries: Vec<Vec<u8>> = ENTRIES.iter().map(|entry| hex::decode(entry).unwrap()).collect();
    let bundle = encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
    Value::object([
        ("paths", Value::array(paths.map(path))),
        ("refused", Value::array(refused)),
        ("sizes", Value::array(sizes)),
        (
            "bundle",
            Value::object([
                ("path", Value::from(Bundle { index: 0, width: 8 }.path())),
                ("hex", hex::encode(&bundle).into()),
            ]),
        ),
    ])
}

/// Policies, and whether the published checkpoint counts under them.
fn policies() -> Value {
    let stranger = key(0x40);
    let stranger = Cosigner::new("witness.example/w2", &stranger).unwrap().vkey().to_string();
    let both = format!("log {LOG}\nwitness a {WITNESS}\nwitness b {stranger}\n");
    let cases: Vec<(&str, String)> = vec![
        ("one witness", format!("log {LOG}\nwitness w {WITNESS}\nquorum w\n")),
        ("no witness asked for", format!("log {LOG}\nquorum none\n")),
        (
            "comments and white space",
            format!(" # one\n\n\tlog\t{LOG}  https://log.example \n quorum  none\n"),
        ),
        ("any of two", format!("{both}group g any a b\nquorum g\n")),
        ("one of two", format!("{both}group g 1 a b\nquorum g\n")),
        ("all of two", format!("{both}group g all a b\nquorum g\n")),
        ("two of two", format!("{both}group g 2 a b\nquorum g\n")),
        (
            "a group of groups",
            format!("{both}group g any a\ngroup h any b\ngroup i any g h\nquorum i\n"),
        ),
        ("the other witness", format!("{both}quorum b\n")),
        (
            "another log",
            format!(
                "log {}\nquorum none\n",
                VerifierKey::new("log.example/other", seal::Signer::public(&key(0x40)).clone())
                    .unwrap()
            ),
        ),
        ("no log", format!("witness w {WITNESS}\nquorum w\n")),
        ("no quorum", format!("log {LOG}\nwitness w {WITNESS}\n")),
        ("two quorums", format!("log {LOG}\nquorum none\nquorum none\n")),
        ("cut off", format!("log {LOG}\nquorum none")),
        ("forward reference", format!("log {LOG}\nquorum w\nwitness w {WITNESS}\n")),
        ("twice a member", format!("{both}group g any a\ngroup h any a b\nquorum h\n")),
        ("twice a key", format!("log {LOG}\nwitness a {WITNESS}\nwitness b {WITNESS}\nquorum a\n")),
        ("threshold too high", format!("{both}group g 3 a b\nquorum g\n")),
        ("threshold zero", format!("{both}group g 0 a b\nquorum g\n")),
        ("a log's key as witness", format!("witness w {LOG}\nquorum w\n")),
        ("a witness's key as log", format!("log {WITNESS}\nquorum none\n")),
        ("carriage return", format!("log {LOG}\r\nquorum none\r\n")),
        ("a name that is taken", format!("{both}group a any b\nquorum a\n")),
        ("the name none", format!("log {LOG}\nwitness none {WITNESS}\nquorum none\n")),
    ];
    Value::array(cases.into_iter().map(|(name, text)| {
        let result = match Policy::parse(text.as_bytes()) {
            Err(error) => format!("refused, line {}", error.line),
            Ok(policy) => match policy.judge(NOTE.as_bytes()) {
                Err(_) => "not signed".to_owned(),
                Ok(judged) if judged.quorum_met => "counts".to_owned(),
                Ok(_) => "no quorum".to_owned(),
            },
        };
        Value::object([
            ("name", Value::from(name)),
            ("policy", text.into()),
            ("result", result.into()),
        ])
    }))
}

/// Proof files under the policy of one witness, and what is made of them.
fn proofs() -> Value {
    let all = leaves();
    let policy = format!("log {LOG}\nwitness w {WITNESS}\nquorum w\n");
    let parsed = Policy::parse(policy.as_bytes()).unwrap();
    let good = TlogProof {
        extra: None,
        index: 5,
        hashes: inclusion_proof(&all, 5),
        checkpoint: signed(&checkpoint(8)),
    };
    let text = good.to_string();
    let log_only = good.checkpoint.rsplit_once('\u{2014}').unwrap().0.to_owned();
    let with = |extra: &[u8]| TlogProof { extra: Some(extra.to_vec()), ..good.clone() }.to_string();
    let root = base64::std_encode(all[0].as_bytes());
    let last = text.lines().nth(4).unwrap();
    let inclusion = [
        ("good", text.clone()),
        ("with extra data", with(&hex::decode(ENTRIES[5]).unwrap())),
        ("another index", text.replace("index 5", "index 4")),
        ("index beyond", text.replace("index 5", "index 8")),
        ("a hash more", text.replacen("\n\n", &format!("\n{root}\n\n"), 1)),
        ("a hash less", text.replacen(&format!("{last}\n"), "", 1)),
        ("another hash", text.replacen(last, &root, 1)),
        ("another size", text.replacen("\n8\n", "\n9\n", 1)),
        ("no cosignature", TlogProof { checkpoint: log_only, ..good.clone() }.to_string()),
        ("no version", text.replace("@v1", "")),
        ("index not canonical", text.replace("index 5", "index 05")),
        ("no last newline", text.trim_end().to_owned()),
    ];
    let inclusion = inclusion.map(|(name, file)| {
        let result = match TlogProof::parse(file.as_bytes()) {
            Err(_) => "malformed".to_owned(),
            Ok(proof) => match proof.verify(&all[5], &parsed) {
                Ok(_) => "holds".to_owned(),
                Err(error) => error.to_string(),
            },
        };
        Value::object([
            ("name", Value::from(name)),
            ("file", file.into()),
            ("result", result.into()),
        ])
    });
    let old = signed(&checkpoint(6));
    let grown = ConsistencyProof {
        old: 6,
        hashes: consistency_proof(&all, 6),
        checkpoint: signed(&checkpoint(8)),
    };
    let fork = signed(&Checkpoint { root: all[0], ..checkpoint(6) });
    let consistency = [
        ("good", grown.to_string(), old.clone()),
        ("a fork", grown.to_string(), fork),
        ("another old size", ConsistencyProof { old: 5, ..grown.clone() }.to_string(), old),
    ];
    let consistency = consistency.map(|(name, file, old)| {
        let proof = ConsistencyProof::parse(file.as_bytes()).unwrap();
        let result = match proof.verify(old.as_bytes(), &parsed) {
            Ok(_) => "holds".to_owned(),
            Err(error) => error.to_string(),
        };
        Value::object([
            ("name", Value::from(name)),
            ("file", file.into()),
            ("old_checkpoint", old.into()),
            ("result", result.into()),
        ])
    });
    Value::object([
        ("policy", Value::from(policy)),
        ("entry_hex", ENTRIES[5].into()),
        ("inclusion", Value::array(inclusion)),
        ("consistency", Value::array(consistency)),
    ])
}

#[test]
fn our_own_vectors_are_what_the_code_says() {
    let made = Value::object([
        ("format", Value::from("countersign log vectors v1")),
        ("tree", tree()),
        ("tiles", tiles()),
        (
            "checkpoint",
            Value::object([
                ("log_seed_hex", Value::from(hex::encode(&*key(0).seed()))),
                ("log_vkey", LOG.into()),
                ("witness_seed_hex", hex::encode(&*key(0x20).seed()).into()),
                ("witness_vkey", WITNESS.into()),
                ("time", TIME.into()),
                ("note", signed(&checkpoint(8)).into()),
            ]),
        ),
        ("policies", policies()),
        ("proofs", proofs()),
    ]);
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/log/v1.json");
    let text = write_pretty(&made) + "\n";
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "vectors/log/v1.json differs; COUNTERSIGN_BLESS=1 rewrites it");
}
