//! Envelopes and both kinds of keys, against what OpenSSL made of the same bytes.

use countersign_seal as seal;
use seal::dsse::{Envelope, PrivateKey, SIGNATURES, Signer as _, pae};
use seal::json::{Limits, Value, parse};
use seal::key::{KeyError, SecretKey};
use seal::verifier::VerifyKey;

/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, then `openssl pkcs8 -topk8 -v2
/// aes-256-cbc` with the passphrase `open-sesame`. It signs nothing but this test.
const LOCKED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjW8ja+bnVAVwICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGOQcg+wZarfHW+//TSSjIoEgZC4
Q4wDzDdK82nBMSb9lRNEJ5O62P4fzVY4lPISprNunUhOd4Wa6bzCFnDtD4OTQJ2D
N1AO7FefA3IbbZJ4dF2NT+Ie8PR29bEoxDOd+aCa0YanQpKwWhgvCuezu27ZlVHb
e305fu8PJ7zye8q/VFpRMcINSycNO2Ta3/o+TSSv5jxuWKy86piiwy0l4pUL4aw=
-----END ENCRYPTED PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3MXTHDahObOu6ZhyuO+lTrIQ/a+E
GVF3mj5oDE8wev8hEsXpFpex+L30/ZIo5GGpF5lRQwNmFLAl3tDQ/rzZaw==
-----END PUBLIC KEY-----
";
/// `printf 'DSSEv1 4 text 5 hello' | openssl dgst -sha256 -sign`.
const SIGNED: &str = "MEYCIQDStnvzdkikbbigWGLn6QDcI4G14TNMBHTczBgjiAWX+AIhAMgHHMUOD8ralSvtcC7NF96/B2S7ckaVbho/J+kh0Krh";

#[test]
fn what_is_signed_has_its_lengths_in_it() {
    assert_eq!(pae("text", b"hello"), b"DSSEv1 4 text 5 hello");
    assert_eq!(pae("", "\u{e9} x".as_bytes()), "DSSEv1 0  4 \u{e9} x".as_bytes());
}

#[test]
fn a_signature_of_openssl_holds_and_its_key_opens() {
    let public = VerifyKey::from_pem(PUBLIC).unwrap();
    assert_eq!(public.to_pem(), PUBLIC);
    let signature = seal::base64::std_decode(SIGNED).unwrap();
    assert!(public.verify(b"DSSEv1 4 text 5 hello", &signature));
    assert!(!public.verify(b"DSSEv1 4 text 5 hellp", &signature));

    assert!(PrivateKey::is_encrypted(LOCKED));
    let refused = |passphrase| PrivateKey::from_pem(LOCKED, passphrase).err();
    assert_eq!(refused(None), Some(KeyError::Passphrase));
    assert_eq!(refused(Some(b"wrong".as_slice())), Some(KeyError::Passphrase));
    let key = PrivateKey::from_pem(LOCKED, Some(b"open-sesame")).unwrap();
    assert_eq!(key.public(), &public);
    assert!(public.verify(b"m", &key.sign(b"m").unwrap()));
}

#[test]
fn an_envelope_is_what_was_written_and_nothing_else() {
    let ed = PrivateKey::ed25519(SecretKey::from_seed([7; 32]));
    let p256 = PrivateKey::from_pem(LOCKED, Some(b"open-sesame")).unwrap();
    for key in [&ed, &p256] {
        let envelope = Envelope::sign("text", b"hello".to_vec(), key).unwrap();
        let text = seal::json::write_plain(&envelope.to_value());
        let value = parse(text.as_bytes(), Limits::DOCUMENT).unwrap();
        assert_eq!(Envelope::from_value(&value), Ok(envelope.clone()));
        let (ed, p256) = (ed.public(), p256.public());
        assert_eq!(envelope.signers([ed, p256, ed]), [key.public()]);

        // type, payload and signature all count
        let other = |change: fn(&mut Envelope)| {
            let mut other = envelope.clone();
            change(&mut other);
            other.signers([ed, p256]).len()
        };
        assert_eq!(other(|e| e.payload_type.push('x')), 0);
        assert_eq!(other(|e| e.payload[0] ^= 1), 0);
        assert_eq!(other(|e| e.signatures[0].sig[9] ^= 1), 0);
        assert_eq!(other(|e| e.signatures[0].sig.push(0)), 0);
        assert_eq!(other(|e| e.signatures[0].keyid.clear()), 1);
    }
}

#[test]
fn what_is_no_envelope_is_told() {
    let good = r#"{"payload":"aGk=","payloadType":"t","signatures":[{"sig":"aGk="}]}"#;
    let read = |text: &str| {
        Envelope::from_value(&parse(text.as_bytes(), Limits::DOCUMENT).unwrap())
            .map_err(|e| e.member)
    };
    assert_eq!(read(good).map(|e| e.payload), Ok(b"hi".to_vec()));
    for (from, to, member) in [
        ("\"payload\":\"aGk=\",", "", "payload"),
        ("\"payload\":\"aGk=\"", "\"payload\":\"aGk\"", "payload"),
        ("\"payload\":\"aGk=\"", "\"payload\":\"aGl=\"", "payload"),
        ("\"payloadType\":\"t\"", "\"payloadType\":1", "payloadType"),
        ("\"payloadType\":\"t\"", "\"payloadType\":\"t\",\"more\":1", "envelope"),
        ("{\"sig\":\"aGk=\"}", "{\"sig\":\"a k=\"}", "sig"),
        ("{\"sig\":\"aGk=\"}", "{\"sig\":\"aGk=\",\"cert\":\"\"}", "signatures"),
        ("{\"sig\":\"aGk=\"}", "[]", "signatures"),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good);
        assert_eq!(read(&text).map(|_| ()), Err(member), "{text}");
    }
    let many = vec![Value::object([("sig", "aGk=")].map(|(k, v)| (k, v.into()))); SIGNATURES + 1];
    let many = Value::object([
        ("payload", Value::from("aGk=")),
        ("payloadType", "t".into()),
        ("signatures", Value::Array(many)),
    ]);
    assert!(Envelope::from_value(&many).is_err());
}

#[test]
fn keys_of_other_kinds_and_spellings_are_refused() {
    for text in [
        "",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        &PUBLIC.replace("zj0DAQcD", "zj0DAQgD"),
        LOCKED,
    ] {
        assert_eq!(VerifyKey::from_pem(text).err(), Some(KeyError::AnyPublicPem), "{text}");
    }
    // the same point, compressed: another text of the same key
    let der = VerifyKey::from_pem(PUBLIC).unwrap().to_der();
    let mut short = vec![0x30, 0x39];
    short.extend_from_slice(&der[2..23]);
    short.extend_from_slice(&[0x03, 0x22, 0x00, 0x03]);
    short.extend_from_slice(&der[27..59]);
    assert!(VerifyKey::from_der(&short).is_err());
    assert_eq!(PrivateKey::from_pem(PUBLIC, None).err(), Some(KeyError::AnyPrivatePem));
}

/// Keys whose files ask for a billion rounds of PBKDF2 and for 64 GiB of scrypt, and one under PBES1.
const COSTLY: [&str; 2] = [
    "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGdMFkGCSqGSIb3DQEFDTBMMCsGCSqGSIb3DQEFDDAeBAh9LC6BUdaf9gIEO5rK
ADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQoC+Qk3+a2E/mbpeFAFJqmgRA
upCQ1OQI3dNVxr4YI4C/Z0MyX1v9cKbld53RaK/9wajEOVKwjaAF9ElxLrSvLhiY
vDDFPCLEycuVy2Be1JFqAw==
-----END ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGVMFEGCSqGSIb3DQEFDTBEMCMGCSsGAQQB2kcECzAWBAjfe4K5T4+LGwIEBAAA
AAIBCAIBATAdBglghkgBZQMEASoEEGg+C/qqQJtt5BnETLm56MAEQHIHTzGlksN0
k/JsCYFb1ozNZqbItPC+TcFdNyL+jlBkpINIgZgS3GAM1s77FENzD6IV3t80RAAK
84dSsJuHAE4=
-----END ENCRYPTED PRIVATE KEY-----",
];
const OLD: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MFcwGwYJKoZIhvcNAQUDMA4ECMg/pOV3lcZzAgIIAAQ4tWDako9dx0ohX746OXDl
wPhagKgoS28zpFJ0si0xz/UXHLFqi0n3eNMHgaZgHwc6UeNvpaDke4w=
-----END ENCRYPTED PRIVATE KEY-----";

#[test]
fn a_key_file_does_not_say_how_long_its_reader_works() {
    for pem in COSTLY {
        let read = PrivateKey::from_pem(pem, Some(b"x"));
        assert_eq!(read.err(), Some(KeyError::Costly), "{pem}");
    }
    assert_eq!(PrivateKey::from_pem(OLD, Some(b"x")).err(), Some(KeyError::Encryption));
}
