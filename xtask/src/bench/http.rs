//! Both ends of the bench: a client that keeps its connection, and a stub that answers every
//! request alike. Small enough that what they cost is not what is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};

/// 192 bytes, as the figure says.
const BODY: &str = r#"{"model":"bench","max_tokens":64,"temperature":0.2,"messages":[{"role":"user","content":"Please summarise the following meeting notes in two short sentences for the weekly mail, thank you."}]}"#;

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"The team agreed on the plan. The next meeting is on Monday."},"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":14,"total_tokens":54}}"#;

/// One connection of a client.
pub struct Connection {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    /// Connects to a port of this machine.
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("the gateway listens")?;
        stream.set_nodelay(true)?;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nX-Agent-Id: agent:bench\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        Ok(Self { stream: BufReader::new(stream), request: request.into_bytes(), body: Vec::new() })
    }

    /// One request and its whole answer, which must be a good one.
    pub fn ask(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(&self.request)?;
        let length = head(&mut self.stream)?;
        ensure!(length.0.contains(" 200 "), "the answer is {}", length.0);
        self.body.resize(length.1, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(())
    }
}

/// Reads a head: its first line, and the content length it announces.
fn head(stream: &mut impl BufRead) -> Result<(String, usize)> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), None);
    stream.read_line(&mut first)?;
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the connection ended in the head");
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((first, length.context("an answer with a content length")?));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
}

/// A model API that always says the same. It runs until this process ends.
pub struct Stub {
    /// Where it listens.
    pub port: u16,
}

impl Stub {
    /// Starts it on a free port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A connection that breaks is its client's business.
                std::thread::spawn(move || serve(stream));
            }
        });
        ensure!(BODY.len() == 192, "the body has {} bytes", BODY.len());
        Ok(Self { port })
    }
}

fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut stream = BufReader::new(stream);
    let mut body = Vec::new();
    loop {
        let (_, length) = head(&mut stream)?;
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}
