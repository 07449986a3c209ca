//! A timestamp authority on a loopback port: what it answers is a test's business, good or bad.
//! Plain threads and sockets, so that no HTTP library can repair an answer.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use stamp::Hash;

use crate::tsa::{Issue, Reply, der};

/// What to do with one query.
#[derive(Debug, Clone)]
pub enum Says {
    /// 200 with these bytes as a timestamp reply.
    Reply(Vec<u8>),
    /// These bytes instead of an HTTP answer, and the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, until the caller goes or the server stops.
    Nothing,
}

impl Says {
    /// This status, media type and body.
    pub fn http(status: u16, media_type: &str, body: &[u8]) -> Says {
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Says::Raw([head.as_bytes(), body].concat())
    }

    /// The first half of an answer.
    pub fn half(body: &[u8]) -> Says {
        let Says::Raw(mut whole) = Says::http(200, "application/timestamp-reply", body) else {
            return Says::Nothing;
        };
        whole.truncate(whole.len() - body.len() / 2);
        Says::Raw(whole)
    }
}

/// The server. Stops when dropped.
pub struct TsaServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

type Answer = Box<dyn Fn(&[u8]) -> Says + Send + Sync>;

struct Shared {
    answer: Mutex<Arc<Answer>>,
    asked: Mutex<usize>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl TsaServer {
    /// Answers each query (a TimeStampReq) with what `answer` says.
    pub fn start(answer: impl Fn(&[u8]) -> Says + Send + Sync + 'static) -> TsaServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Mutex::new(Arc::new(Box::new(answer))),
            asked: Mutex::new(0),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let own = shared.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stopped.load(Ordering::Acquire) {
                    return;
                }
                let own = own.clone();
                let Ok(stream) = stream else { continue };
                thread::spawn(move || own.serve(stream));
            }
        });
        TsaServer { address, shared, thread: Some(thread) }
    }

    /// One that stamps everything, now, with a signer of our own.
    pub fn good(signer: Issue) -> TsaServer {
        TsaServer::start(move |query| Says::Reply(reply(query, &signer).bytes()))
    }

    /// From now on it says something else.
    pub fn change(&self, answer: impl Fn(&[u8]) -> Says + Send + Sync + 'static) {
        *self.shared.answer.lock().expect("no panic") = Arc::new(Box::new(answer));
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/tsr", self.address)
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        *self.shared.asked.lock().expect("no panic")
    }

    /// Waits until it was asked so often. A test that waits in vain hangs.
    pub fn wait_asked(&self, times: usize) {
        let asked = self.shared.asked.lock().expect("no panic");
        let enough = self.shared.changed.wait_while(asked, |asked| *asked < times);
        drop(enough.expect("no panic"));
    }
}

impl Drop for TsaServer {
    fn drop(&mut self) {
        {
            // Under the lock, so that nobody looks before and waits after.
            let _asked = self.shared.asked.lock();
            self.shared.stopped.store(true, Ordering::Release);
        }
        self.shared.changed.notify_all();
        // Wakes the listener, which sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let (mut line, mut length, mut typed) = (String::new(), 0_usize, false);
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let header = line.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            typed |= header == "content-type: application/timestamp-query";
            if header.is_empty() {
                break;
            }
        }
        let mut query = vec![0; length.min(1 << 16)];
        reader.read_exact(&mut query).ok()?;
        assert!(typed, "a query has its media type");
        *self.asked.lock().ok()? += 1;
        self.changed.notify_all();
        let answer = self.answer.lock().ok()?.clone();
        let said = match answer(&query) {
            Says::Reply(body) => Says::http(200, "application/timestamp-reply", &body),
            said => said,
        };
        match said {
            Says::Raw(bytes) => stream.write_all(&bytes).ok()?,
            _ => {
                let over = self
                    .changed
                    .wait_while(self.asked.lock().ok()?, |_| !self.stopped.load(Ordering::Acquire));
                drop(over);
            }
        }
        stream.flush().ok()
    }
}

/// A good reply to a query of ours, stating the time of this machine.
pub fn reply(query: &[u8], signer: &Issue) -> Reply {
    let (digest, nonce) = asked(query);
    Reply { nonce, time: now(), ..Reply::over(Hash::Sha256, &digest, signer) }
}

/// The SHA-256 digest and the nonce (a whole INTEGER) of a query.
pub fn asked(query: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = query.windows(2).position(|two| two == [4, 32]).expect("a digest of 32 bytes");
    let (digest, mut rest) = query[at + 2..].split_at(32);
    while let [tag, length, ..] = *rest {
        let (value, next) = rest.split_at(2 + usize::from(length));
        if tag == 2 {
            return (digest.to_vec(), value.to_vec());
        }
        rest = next;
    }
    (digest.to_vec(), Vec::new())
}

/// GeneralizedTime of this machine's clock.
pub fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map(|now| now.as_secs()).unwrap_or_default();
    let text = seal::time::UnixMillis(seconds * 1_000).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{digits}Z")
}

/// An accuracy of so many seconds, at most 127.
pub fn accuracy(seconds: u8) -> Vec<u8> {
    der(0x30, &[&der(2, &[&[seconds]])])
}

/// `openssl ts` in a folder of its own: a P-256 root, below it a signer, and queries answered by
/// the program.
#[derive(Debug)]
pub struct OpensslTsa {
    dir: PathBuf,
    turn: Arc<Mutex<()>>,
}

impl OpensslTsa {
    /// Makes root and signer in `dir`.
    pub fn new(dir: &Path) -> OpensslTsa {
        let tsa = OpensslTsa { dir: dir.to_owned(), turn: Arc::default() };
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("written");
        write(
            "ca.cnf",
            "[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n",
        );
        write("empty.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
        write(
            "tsa.ext",
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\nsubjectKeyIdentifier=hash\n",
        );
        write("serial", "01\n");
        write(
            "tsa.cnf",
            "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ncrypto_device=builtin\nsigner_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\nother_policies=1.2.3.4.5\ndigests=sha256\naccuracy=secs:1\n",
        );
        for args in [
            "ecparam -name prime256v1 -genkey -noout -out ca.key",
            "req -x509 -new -key ca.key -subj /CN=root -days 3650 -config ca.cnf -out ca.pem",
            "ecparam -name prime256v1 -genkey -noout -out tsa.key",
            "req -new -key tsa.key -subj /CN=tsa -config empty.cnf -out tsa.csr",
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -days 3650 -extfile tsa.ext -CAcreateserial -out tsa.pem",
        ] {
            assert!(tsa.run(args), "openssl {args}");
        }
        tsa
    }

    /// PEM of the root.
    pub fn root(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Its answer to a query.
    pub fn answer(&self, query: &[u8]) -> Says {
        let _turn = self.turn.lock().expect("no panic");
        fs::write(self.dir.join("query"), query).expect("written");
        assert!(self.run("ts -reply -config tsa.cnf -queryfile query -out reply"));
        Says::Reply(fs::read(self.dir.join("reply")).expect("a reply"))
    }

    /// Whether `openssl ts -verify` takes this reply as one over these bytes.
    pub fn accepts(&self, reply: &[u8], data: &[u8]) -> bool {
        fs::write(self.dir.join("stored"), reply).expect("written");
        fs::write(self.dir.join("data"), data).expect("written");
        self.run("ts -verify -data data -in stored -CAfile ca.pem")
    }

    fn run(&self, args: &str) -> bool {
        let output = Command::new("openssl")
            .args(args.split(' '))
            .current_dir(&self.dir)
            .env("OPENSSL_CONF", "/dev/null")
            .output()
            .expect("openssl runs (apt-get install openssl)");
        if !output.status.success() {
            eprintln!("openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success()
    }
}
