//! A model API that always says the same, written by hand: what it costs is not measured.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"The team agreed on the plan. The next meeting is on Monday."},"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":14,"total_tokens":54}}"#;

/// The beginning of a stream, after which nothing more comes.
/// It ends a sentence: a word that could go on to something forbidden would wait for the next event.
const BEGUN: &str = r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"role":"assistant","content":"The team meets."},"finish_reason":null}]}"#;

/// Starts it on a free port of the current runtime.
pub async fn start() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // a connection that breaks is its client's business
            tokio::spawn(serve(stream));
        }
    });
    Ok(port)
}

async fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut wire = Wire::default();
    loop {
        wire.message(&mut stream).await?;
        if wire.streaming {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
            let chunk = format!("{head}\r\n\r\n{:x}\r\n{BEGUN}\n\n\r\n", BEGUN.len() + 2);
            stream.write_all(chunk.as_bytes()).await?;
            // until the gateway goes away
            return wire.message(&mut stream).await.map(drop);
        }
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// How the callers here ask for a stream.
pub const STREAM: &[u8] = br#""stream":true"#;

/// Reads messages with a content length from a connection.
#[derive(Default)]
pub struct Wire {
    bytes: Vec<u8>,
    /// Whether the last message asked for a stream.
    pub streaming: bool,
}

impl Wire {
    /// One whole message; its head, in lower case.
    pub async fn message(&mut self, stream: &mut TcpStream) -> Result<String> {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase();
                let length =
                    match head.split("\r\n").find_map(|l| l.strip_prefix("content-length:")) {
                        Some(length) => length.trim().parse::<usize>()?,
                        None if head.contains("\r\ntransfer-encoding:") => {
                            self.chunks(stream, end + 4).await?;
                            return Ok(head);
                        }
                        None => 0,
                    };
                let whole = end + 4 + length;
                while self.bytes.len() < whole {
                    self.more(stream).await?;
                }
                let body = &self.bytes[end + 4..whole];
                self.streaming =
                    length > STREAM.len() && body.windows(STREAM.len()).any(|w| w == STREAM);
                self.bytes.drain(..whole);
                return Ok(head);
            }
            self.more(stream).await?;
        }
    }

    /// A chunked body, up to its last chunk.
    async fn chunks(&mut self, stream: &mut TcpStream, body: usize) -> Result<()> {
        const LAST: &[u8] = b"0\r\n\r\n";
        loop {
            if let Some(at) = self.bytes[body..].windows(LAST.len()).position(|five| five == LAST) {
                self.bytes.drain(..body + at + LAST.len());
                return Ok(());
            }
            self.more(stream).await?;
        }
    }

    async fn more(&mut self, stream: &mut TcpStream) -> Result<()> {
        let count = stream.read_buf(&mut self.bytes).await?;
        (count > 0).then_some(()).context("the connection ended")
    }
}
