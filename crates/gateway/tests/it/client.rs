//! A plain HTTP/1.1 client over a socket: what the tests send and read is
//! exactly what is on the wire.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to the gateway.
pub struct Client {
    stream: TcpStream,
    pending: Vec<u8>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The head of an answer whose body is read piece by piece.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        Self { stream, pending: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the gateway reads");
    }

    /// As [`Client::send`], to somebody who may have stopped reading.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// A chat completion of `agent:tester` with further headers.
    pub fn chat(&mut self, body: &str, headers: &[(&str, &str)]) {
        self.request("POST", "/v1/chat/completions", body, headers);
    }

    /// A chat completion of `agent:tester`, unless a header names another owner, of any bytes.
    pub fn post(&mut self, body: &[u8], headers: &[(&str, Vec<u8>)]) {
        let mut bytes = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n".to_vec();
        let owners = ["x-agent-id", "x-commit-owner", "x-policy-name", "x-nobody"];
        let is = |name: &str, of: &str| name.eq_ignore_ascii_case(of);
        if !headers.iter().any(|(name, _)| owners.iter().any(|owner| is(name, owner))) {
            bytes.extend(b"X-Agent-Id: agent:tester\r\n");
        }
        if !headers.iter().any(|(name, _)| is(name, "content-type")) {
            bytes.extend(b"Content-Type: application/json\r\n");
        }
        for (name, value) in headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
        bytes.extend(body);
        self.send(bytes);
    }

    /// A request; `X-Agent-Id: agent:tester` unless an identity header is given.
    pub fn request(&mut self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        let has = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !has("host") {
            text.push_str("Host: localhost\r\n");
        }
        if !["x-agent-id", "x-commit-owner", "x-policy-name", "x-nobody"].iter().any(|n| has(n)) {
            text.push_str("X-Agent-Id: agent:tester\r\n");
        }
        if method == "POST" {
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.send(text);
    }

    pub fn head(&mut self) -> Head {
        let end = loop {
            if let Some(at) = find(&self.pending, b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill(), "the connection ended before a head: {:?}", self.text());
        };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        let head = String::from_utf8(head).expect("heads are text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Head { status: status.parse().expect("a number"), headers }
    }

    /// As [`Client::head`]; `None` where the connection ends without one, or is reset before what
    /// was sent has been read.
    pub fn try_head(&mut self) -> Option<Head> {
        while find(&self.pending, b"\r\n\r\n").is_none() {
            if !self.fill() {
                return None;
            }
        }
        Some(self.head())
    }

    /// The next chunk of a chunked body; `None` at its end.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(at) = find(&self.pending, b"\r\n") {
                break at;
            }
            if !self.fill() {
                return None;
            }
        };
        let size = String::from_utf8_lossy(&self.pending[..end]).into_owned();
        let size = usize::from_str_radix(&size, 16).expect("a chunk size");
        while self.pending.len() < end + 2 + size + 2 {
            assert!(self.fill(), "the connection ended within a chunk");
        }
        let chunk = self.pending[end + 2..end + 2 + size].to_vec();
        self.pending.drain(..end + 2 + size + 2);
        (size > 0).then_some(chunk)
    }

    /// Reads chunks until the text holds `needle`; returns all text read.
    pub fn read_until(&mut self, needle: &str) -> String {
        let mut text = String::new();
        while !text.contains(needle) {
            let chunk = self.chunk().unwrap_or_else(|| panic!("no {needle:?} in {text:?}"));
            text.push_str(&String::from_utf8(chunk).expect("released text is UTF-8"));
        }
        text
    }

    pub fn reply(&mut self) -> Reply {
        let head = self.head();
        let mut body = Vec::new();
        if let Some(length) = header(&head.headers, "content-length") {
            let length: usize = length.parse().expect("a number");
            while self.pending.len() < length {
                assert!(self.fill(), "the connection ended within a body");
            }
            body = self.pending.drain(..length).collect();
        } else {
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
        }
        Reply { status: head.status, headers: head.headers, body }
    }

    /// Whether nothing can be read for `wait`.
    pub fn silent(&mut self, wait: Duration) -> bool {
        if !self.pending.is_empty() {
            return false;
        }
        self.stream.set_read_timeout(Some(wait)).expect("a timeout can be set");
        let silent = !self.fill();
        self.stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        silent
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }

    /// Reads and forgets; whether there may be more.
    pub fn chunk_or_end(&mut self) -> bool {
        self.pending.clear();
        self.fill()
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.pending.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("bodies are text")
    }

    pub fn id(&self) -> &str {
        self.header("x-countersign-correlation-id").expect("every answer has a correlation id")
    }

    pub fn receipt(&self) -> &str {
        self.header("x-countersign-receipt").expect("a decided answer has a receipt")
    }
}

pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
