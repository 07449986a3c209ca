//! The built binary as a running product: start it, talk to it, stop it or kill it by its id.
//! Plain std: what the tests say on the wire is exactly what is written here.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any step takes on a loaded machine; reached only when something hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// `countersign up` on a directory.
pub struct Running {
    child: Child,
    /// The data port.
    pub port: u16,
    /// What it printed at its start.
    pub banner: String,
    output: [mpsc::Receiver<String>; 2],
}

impl Running {
    /// Starts `countersign --dir DIR up ARGS…` and returns when it has printed its address.
    pub fn up(dir: &Path, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut up = Command::new(env!("CARGO_BIN_EXE_countersign"));
        up.arg("--dir").arg(dir).arg("up").args(args).envs(environment.iter().copied());
        Self::start(up)
    }

    /// Starts what becomes `countersign up`.
    pub fn start(mut up: Command) -> Self {
        let mut child = up
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = drain(child.stdout.take().expect("stdout is piped"));
        let complaints = drain(child.stderr.take().expect("stderr is piped"));
        let mut banner = String::new();
        // The banner's last line says how to verify, or that there is nothing to.
        while ![" verify ", "Nothing is kept"].iter().any(|last| banner.contains(last)) {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let _ = child.kill();
                let status = child.wait();
                let said: Vec<String> = complaints.iter().collect();
                panic!("countersign up ended with {status:?}: {banner}{}", said.join("\n"));
            };
            banner += &line;
            banner.push('\n');
        }
        let port = banner.lines().find_map(data_port).expect("the banner names the data address");
        Self { child, port, banner, output: [lines, complaints] }
    }

    /// The OpenAI base URL.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The admin port.
    pub fn admin(&self) -> u16 {
        let line = self.banner.lines().find_map(|line| line.trim().strip_prefix("admin "));
        line.and_then(|url| url.rsplit(':').next()?.parse().ok()).expect("the admin port")
    }

    /// What `/readyz` says: status and body.
    pub fn readiness(&self) -> io::Result<(u16, String)> {
        let answer = request(self.admin(), "GET", "/readyz", &[], "")?;
        Ok((answer.status, answer.body))
    }

    /// kill -9, and wait until the process is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
    }

    /// SIGTERM, and everything it printed beside its banner until it was gone.
    pub fn stop_and_listen(mut self) -> String {
        assert!(self.terminate().success(), "a clean stop");
        let [lines, complaints] = &self.output;
        lines.iter().chain(complaints.iter()).map(|line| line + "\n").collect()
    }

    /// SIGTERM, and the exit of a clean stop.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate()
    }

    fn terminate(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success(), "the process {id} takes a signal");
        self.child.wait().expect("the process ends")
    }

    /// `POST /v1/chat/completions` with a JSON body.
    pub fn chat(&self, body: &str) -> io::Result<Answer> {
        chat(self.port, body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone after `kill` and `stop`; after a failed assertion it must not stay behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end, whether or not anybody takes the lines, so that the writer never waits.
fn drain(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (give, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = give.send(line);
        }
    });
    lines
}

fn data_port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("http://127.0.0.1:")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[digits..].starts_with("/v1").then(|| rest[..digits].parse().ok())?
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, out of its chunks.
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The id under which the evidence is found.
    pub fn correlation(&self) -> &str {
        self.header("x-countersign-correlation-id").expect("every answer has a correlation id")
    }

    /// The decision receipt: in its header, or at the end of a stream.
    pub fn receipt(&self) -> Option<&str> {
        let comment =
            || self.body.lines().find_map(|line| line.strip_prefix(": x-countersign-receipt "));
        self.header("x-countersign-receipt").or_else(comment)
    }
}

/// `POST /v1/chat/completions` as `agent:test`.
pub fn chat(port: u16, body: &str) -> io::Result<Answer> {
    request(port, "POST", "/v1/chat/completions", &[("X-Agent-Id", "agent:test")], body)
}

/// One request on a connection of its own. An answer that does not end properly is an error, so
/// what this returns was acknowledged in full.
pub fn request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if method == "POST" {
        head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    answer(&bytes)
}

fn answer(bytes: &[u8]) -> io::Result<Answer> {
    let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is cut off");
    let end = find(bytes, b"\r\n\r\n").ok_or_else(short)?;
    let (head, rest) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 4..]);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let mut answer = Answer { status: status.ok_or_else(short)?, headers, body: String::new() };
    let body = match (answer.header("transfer-encoding"), answer.header("content-length")) {
        (Some("chunked"), _) => chunks(rest).ok_or_else(short)?,
        (_, Some(length)) if length.parse() == Ok(rest.len()) => rest.to_vec(),
        _ => return Err(short()),
    };
    answer.body = String::from_utf8(body).map_err(io::Error::other)?;
    Ok(answer)
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = find(rest, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let after = &rest[line + 2..];
        body.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The binary as a command that ends: `countersign ARGS…` in `dir`.
pub fn countersign(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// What a command printed, for messages.
pub fn said(output: &Output) -> String {
    format!(
        "exit {:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A chat completions body with one user message.
pub fn ask(text: &str, stream: bool) -> String {
    format!(
        r#"{{"model":"simulator","stream":{stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
}

/// Copies a directory with everything in it but sockets.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the copy's directory");
    for entry in std::fs::read_dir(from).expect("the directory is there") {
        let entry = entry.expect("an entry");
        let into = to.join(entry.file_name());
        let kind = entry.file_type().expect("its type");
        if kind.is_dir() {
            copy(&entry.path(), &into);
        } else if !std::os::unix::fs::FileTypeExt::is_socket(&kind) {
            match std::fs::copy(entry.path(), into) {
                // Of a running gateway, what was listed may be replaced or done with by now.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.expect("the file is copied")),
            }
        }
    }
}
