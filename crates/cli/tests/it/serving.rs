//! `countersign log serve`: what a tlog client asks for, who gets what, and what is never given.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ledger::Leaf;
use seal::Digest;
use seal::merkle::{leaf_hash, root_of, verify_inclusion};
use seal::note::{self, Checkpoint};
use seal::tile::{self, Tile, TileSource, decode_bundle};

use crate::running::{Running, countersign, said};

const TOKEN: &str = "0123456789abcdef-token";

struct Served {
    child: Child,
    port: u16,
}

impl Served {
    fn start(dir: &Path, args: &[&str]) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .current_dir(dir)
            .args(["log", "serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it speaks");
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok()).expect(&line);
        Served { child, port }
    }

    /// Status, head in lower case, body.
    fn ask(&self, method: &str, path: &str, headers: &[&str]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        let host = match headers.iter().any(|header| header.starts_with("Host:")) {
            true => String::new(),
            false => format!("Host: 127.0.0.1:{}\r\n", self.port),
        };
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let asked = format!("{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).expect("asked");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("answered");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        (status, head, bytes[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let (status, head, body) = self.ask("GET", path, &[]);
        assert_eq!(status, 200, "{path}: {head}");
        body
    }

    fn get_with_token(&self, path: &str) -> Vec<u8> {
        let token = format!("Authorization: Bearer {TOKEN}");
        let (status, head, body) = self.ask("GET", path, &[&token]);
        assert_eq!(status, 200, "{path}: {head}");
        body
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log client: tiles from the wire.
impl TileSource for Served {
    type Error = u16;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, u16> {
        let (status, _, body) = self.ask("GET", &format!("/{}", tile.path()), &[]);
        if status == 200 { Ok(body) } else { Err(status) }
    }
}

/// A directory with a ledger of some hundred entries, and a token file.
fn made() -> (tempfile::TempDir, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Running::up(dir.path(), &[], &[]).stop().success());
    let bodies: Vec<String> = (0..300).map(|n| format!("{{\"n\":{n}}}")).collect();
    std::fs::write(dir.path().join("lines"), bodies.join("\n") + "\n").expect("written");
    let append = ["log", "append", "--kind", "attestation", "--each-line", "lines"];
    let appended = countersign(dir.path(), &append);
    assert!(appended.status.success(), "{}", said(&appended));
    let signed = countersign(dir.path(), &["log", "checkpoint"]);
    assert!(signed.status.success(), "{}", said(&signed));
    std::fs::write(dir.path().join("token"), format!("{TOKEN}\n")).expect("written");
    (dir, bodies)
}

#[test]
fn a_client_proves_everything_from_what_is_served() {
    let (dir, bodies) = made();
    let served = Served::start(dir.path(), &["--token", "token"]);
    let trust = std::fs::read_to_string(dir.path().join("countersign.trust.yaml")).expect("there");
    let key = trust.split_once("- key: \"countersign.local").expect("a log").1;
    let key = format!("countersign.local{}", key.split('"').next().expect("a key"));
    let note = served.get("/checkpoint");
    let opened = note::open(&note, &[key.parse().expect("a key")]).expect("signed");
    let checkpoint = Checkpoint::parse(&opened.text).expect("a checkpoint");
    let size = checkpoint.size;
    assert!(size > 300);
    assert_eq!(tile::root(&served, size).expect("tiles"), checkpoint.root);
    // Every entry, from the bundles, under the same root.
    let mut leaves = Vec::new();
    for bundle in tile::bundles_between(0, size) {
        let bytes = served.get_with_token(&format!("/{}", bundle.path()));
        for entry in decode_bundle(&bytes).expect("a bundle") {
            leaves.push((leaf_hash(entry), Leaf::parse(entry).expect("a leaf")));
        }
    }
    let hashes: Vec<Digest> = leaves.iter().map(|(hash, _)| *hash).collect();
    assert_eq!((hashes.len() as u64, root_of(&hashes)), (size, checkpoint.root));
    for index in [0, 255, 256, size - 1] {
        let proof = tile::inclusion(&served, index, size).expect("tiles");
        let (hash, leaf) = &leaves[index as usize];
        assert!(verify_inclusion(index, size, hash, &proof, &checkpoint.root));
        let body = served.get_with_token(&format!("/body/{index}"));
        assert_eq!(Digest::of(&body), leaf.body, "{index}");
    }
    let last = served.get_with_token(&format!("/body/{}", size - 1));
    assert_eq!(String::from_utf8(last).expect("text"), bodies[299]);
    // A partial tile or bundle that is gone is the first part of the full one.
    let full = served.get("/tile/0/000");
    assert_eq!(served.get("/tile/0/000.p/7"), &full[..7 * 32]);
    let part = served.get_with_token("/tile/entries/000.p/7");
    assert_eq!(decode_bundle(&part).expect("a bundle").len(), 7);
}

#[test]
fn media_types_caches_and_conditions() {
    let (dir, _) = made();
    let served = Served::start(dir.path(), &["--token", "token"]);
    let (status, head, body) = served.ask("GET", "/checkpoint", &[]);
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: public, max-age=2"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
    let (status, head, again) =
        served.ask("GET", "/checkpoint", &[&format!("If-None-Match: \"x\", {tag}")]);
    assert_eq!((status, again.len()), (304, 0), "{head}");
    let (status, head, none) = served.ask("HEAD", "/checkpoint", &[]);
    assert_eq!((status, none.len()), (200, 0));
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let (_, head, _) = served.ask("GET", "/tile/0/000", &[]);
    assert!(head.contains("content-type: application/octet-stream"), "{head}");
    assert!(head.contains("cache-control: public, max-age=31536000, immutable"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    let token = format!("Authorization: Bearer {TOKEN}");
    for path in ["/tile/entries/000", "/body/3"] {
        let (_, head, _) = served.ask("GET", path, &[&token]);
        assert!(head.contains("cache-control: private"), "{path}: {head}");
    }
}

#[test]
fn what_is_not_given() {
    let (dir, _) = made();
    let served = Served::start(dir.path(), &["--token", "token"]);
    for path in ["/tile/entries/000", "/body/0", "/body/99999"] {
        for headers in [&[][..], &["Authorization: Bearer 0123456789abcdef-tokem"]] {
            let (status, head, _) = served.ask("GET", path, headers);
            assert!(status == 401 && head.contains("www-authenticate: bearer"), "{path}: {head}");
        }
    }
    let token = format!("Authorization: Bearer {TOKEN}");
    for path in [
        "/",
        "/head",
        "/tile/",
        "/tile/0/",
        "/tile/0/001",
        "/tile/7/000",
        "/tile/entries/999",
        "/body/99999",
        "/body/",
        "/journal/00000000000000000000.seg",
        "/public/checkpoint",
        "/../keys/log.pem",
        "/tile/0/../../../keys/log.pem",
        "/%2e%2e/head",
    ] {
        assert_eq!(served.ask("GET", path, &[&token]).0, 404, "{path}");
    }
    assert_eq!(served.ask("POST", "/checkpoint", &["Content-Length: 0"]).0, 405);
    assert_eq!(served.ask("GET", "/checkpoint", &["Host: evil.example"]).0, 403);
    assert_eq!(served.ask("GET", "/checkpoint", &["Origin: https://evil.example"]).0, 403);
    drop(served);
    // Without a token the private part is not there at all.
    let served = Served::start(dir.path(), &[]);
    assert_eq!(served.ask("GET", "/body/0", &[&token]).0, 404);
    assert_eq!(served.ask("GET", "/tile/0/000", &[]).0, 200);
    drop(served);
    for (args, exit) in [
        (&["log", "serve", "--listen", "0.0.0.0:0"][..], 64),
        (&["log", "serve", "--listen", "0.0.0.0:0", "--public"], 64),
        (&["log", "serve", "--token", "lines"], 78),
        (&["log", "serve", "nowhere"], 66),
    ] {
        let refused = countersign(dir.path(), args);
        assert_eq!(refused.status.code(), Some(exit), "{args:?} {}", said(&refused));
    }
}
