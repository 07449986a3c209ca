//! A host that answers over TLS what it is told, for clients that trust its root.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use seal::Signer;

use crate::key;
use crate::tsa::{Issue, der, name, pem};

/// A running host. Its thread ends with the process.
#[derive(Debug)]
pub struct Https {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    /// The root that issued its certificate, PEM.
    pub root: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Says what to answer to the head of a request: all bytes, from the status line on.
pub type Answer = dyn Fn(&str) -> Vec<u8> + Send + Sync;

impl Https {
    /// A host for `localhost` and 127.0.0.1. Each connection gets one answer and is closed.
    pub fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Https {
        let root = Issue::root("Test Root", 71);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let config = Arc::new(config(&root));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (asked.clone(), Arc::new(answer) as Arc<Answer>);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, log, answer) = (config.clone(), log.clone(), answer.clone());
                thread::spawn(move || converse(stream, config, &log, answer.as_ref()));
            }
        });
        Https { address, root: pem(&root.certificate()), asked }
    }

    /// The heads of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    /// An address on this host by its name.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

fn converse(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    log: &Mutex<Vec<String>>,
    answer: &Answer,
) {
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = StreamOwned::new(connection, stream);
    let (mut head, mut piece) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(read @ 1..) => head.extend_from_slice(&piece[..read]),
            Ok(0) | Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let bytes = answer(&head);
    log.lock().expect("no panic").push(head);
    let _ = stream.write_all(&bytes);
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn config(root: &Issue) -> ServerConfig {
    let seed = 72;
    // PKCS#8 of an Ed25519 seed (RFC 8410 section 7).
    let mut secret = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    secret.extend_from_slice(key(seed).seed().as_slice());
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(secret));
    let chain = vec![CertificateDer::from(certificate(root, seed))];
    ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .expect("a certificate and its key")
}

/// A certificate for `localhost` and 127.0.0.1.
fn certificate(root: &Issue, seed: u8) -> Vec<u8> {
    let ed25519 = der(0x30, &[&der(6, &[b"\x2b\x65\x70"])]);
    let names = der(0x30, &[&der(0x82, &[b"localhost"]), &der(0x87, &[&[127, 0, 0, 1]])]);
    let extension = der(0x30, &[&der(6, &[b"\x55\x1d\x11"]), &der(4, &[&names])]);
    let body = der(
        0x30,
        &[
            &der(0xa0, &[&der(2, &[&[2]])]),
            &der(2, &[&[7]]),
            &ed25519,
            &name(&root.subject),
            &der(0x30, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"400101000000Z"])]),
            &name("localhost"),
            &der(0x30, &[&ed25519, &der(3, &[&[0], key(seed).public().as_bytes()])]),
            &der(0xa3, &[&der(0x30, &[&extension])]),
        ],
    );
    let signature = key(root.seed).sign(&body);
    der(0x30, &[&body, &ed25519, &der(3, &[&[0], &signature])])
}
