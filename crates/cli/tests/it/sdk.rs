//! Third parties against the product: the official OpenAI SDK as a client, a LiteLLM proxy as an
//! upstream. Their packages are pinned in tests/python and installed by `./x test`.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::machine::skipped;
use crate::running::{self, Running, ask, countersign, said};

/// Only this process and the proxy it starts know it.
const MASTER_KEY: &str = "sk-countersign-test-0123456789abcdef0123";

/// A proxy of the surroundings has no business between two processes of this machine.
const NO_PROXY: [(&str, &str); 2] = [("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")];

#[test]
fn the_official_sdk_works_with_a_base_url_and_one_header() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let product = Running::up(dir.path(), &[], &[]);
    let run = Command::new(python)
        .arg(repository().join("tests/python/openai_sdk.py"))
        .arg(product.base_url())
        .envs(NO_PROXY)
        .output()
        .expect("python runs");
    assert!(run.status.success(), "{}", said(&run));
    let steps = seal::json::parse(run.stdout.trim_ascii(), seal::json::Limits::REQUEST)
        .expect("the script prints one JSON object");
    let steps = steps.as_object().expect("an object");
    assert_eq!(steps.len(), 8, "{steps:?}");
    for (step, id) in steps {
        let id = id.as_str().expect("a correlation id");
        let trace = countersign(dir.path(), &["trace", id]);
        assert!(trace.status.success(), "{step}: {}", said(&trace));
    }
    // The turn that carries a tool's result walks back through the tool call to the question.
    for step in ["tools_answered", "streamed_tools_answered"] {
        let (_, id) = steps.iter().find(|(name, _)| name == step).expect("the step ran");
        let trace = countersign(dir.path(), &["trace", id.as_str().unwrap_or_default()]);
        let walk = String::from_utf8_lossy(&trace.stdout).into_owned();
        for operation in ["tool_call", "model_call", "guardrail_scan", "user_input"] {
            assert!(walk.contains(operation), "{step}: no {operation} in\n{walk}");
        }
    }
    // Verified while it runs, and after it has stopped.
    verified(dir.path());
    assert!(product.stop().success(), "a clean stop");
    verified(dir.path());
}

#[test]
fn what_up_prints_works_when_pasted() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let product = Running::up(dir.path(), &[], &[]);
    let banner = &product.banner;
    // The lines for a shell: those that begin with curl, continuations included.
    let joined = banner.replace("\\\n", " ");
    let curls: Vec<&str> =
        joined.lines().map(str::trim).filter(|l| l.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 2, "{banner}");
    let answers: Vec<String> = curls.iter().map(|curl| pasted(dir.path(), "sh", curl)).collect();
    assert!(answers[0].contains("The simulator heard: Hello"), "{answers:?}");
    assert!(answers[1].contains("countersign_requests_total"), "{answers:?}");
    // The lines for Python: from the import to the end of that block.
    let (_, rest) = banner.split_once("  from openai").expect("the SDK's lines");
    let (lines, _) = rest.split_once("\n\n").expect("the end of the block");
    let script = format!("from openai{lines}").replace("\n  ", "\n");
    let python = python.to_string_lossy().into_owned();
    assert!(pasted(dir.path(), &python, &script).contains("The simulator heard: Hello"));
}

/// Runs text as it would be pasted into an interpreter, and returns what it printed.
pub fn pasted(dir: &Path, interpreter: &str, text: &str) -> String {
    let run = Command::new(interpreter)
        .args(["-c", text])
        .current_dir(dir)
        .envs(NO_PROXY)
        .output()
        .expect("the interpreter runs");
    assert!(run.status.success(), "{text}\n{}", said(&run));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[test]
fn a_litellm_proxy_serves_as_the_upstream() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let upstream = LiteLlm::start(&python, dir.path());
    let url = format!("http://127.0.0.1:{}/v1", upstream.port);
    let product = Running::up(
        dir.path(),
        &["--upstream", &url, "--upstream-key-env", "LITELLM_TEST_KEY"],
        &[("LITELLM_TEST_KEY", MASTER_KEY)],
    );
    for stream in [false, true] {
        let body = ask("Say something.", stream).replace("simulator", "mocked");
        let answer = product.chat(&body).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = if stream { streamed_text(&answer.body) } else { answer.body.clone() };
        assert!(text.contains("A mocked model says hello."), "{answer:?}");
        assert!(answer.receipt().is_some(), "{answer:?}");
        let trace = countersign(dir.path(), &["trace", answer.correlation(), "--explain"]);
        assert!(trace.status.success(), "{}", said(&trace));
        assert!(String::from_utf8_lossy(&trace.stdout).contains("mocked"), "{}", said(&trace));
    }
    // The proxy's own refusal of a model it does not have comes through, and is in evidence too.
    let answer = product.chat(&ask("Hello.", false)).expect("an answer");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    let trace = countersign(dir.path(), &["trace", answer.correlation()]);
    assert!(trace.status.success(), "{}", said(&trace));
    drop(upstream);
    // Nobody there: an answer all the same, and its evidence.
    let gone = product.chat(&ask("Hello?", false)).expect("an answer");
    assert_eq!(gone.status, 502, "{gone:?}");
    assert!(product.stop().success(), "a clean stop");
    verified(dir.path());
}

fn verified(dir: &Path) {
    let verify = countersign(dir, &["verify", ".countersign/ledger"]);
    assert!(verify.status.success(), "{}", said(&verify));
}

fn streamed_text(body: &str) -> String {
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let deltas = events.filter(|data| *data != "[DONE]").filter_map(|data| {
        let event = seal::json::parse(data.as_bytes(), seal::json::Limits::REQUEST).ok()?;
        let choice = event.get("choices")?.as_array()?.first()?;
        Some(choice.get("delta")?.get("content")?.as_str()?.to_string())
    });
    deltas.collect()
}

/// A proxy in a process of its own, ended by its id.
struct LiteLlm {
    child: Child,
    port: u16,
}

impl LiteLlm {
    fn start(python: &Path, dir: &Path) -> Self {
        // The port was free a moment ago; the proxy has no way to choose one and say so.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let mut child = Command::new(python.with_file_name("litellm"))
            .args(["--config".as_ref(), repository().join("tests/python/litellm.yaml").as_os_str()])
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(dir)
            .env("LITELLM_MASTER_KEY", MASTER_KEY)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .envs(NO_PROXY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("litellm starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
        });
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > running::PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                panic!("litellm does not listen ({ended:?}): {}", log.join().unwrap_or_default());
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Self { child, port }
    }
}

impl Drop for LiteLlm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/cli").to_path_buf()
}

/// The interpreter with the pinned packages: the one `./x test` names, or the one it left in the
/// target directory.
pub fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("COUNTERSIGN_PYTHON") {
        let python = PathBuf::from(python);
        assert!(python.exists(), "COUNTERSIGN_PYTHON is {}, which is not there", python.display());
        return Some(python);
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let left = binary.ancestors().nth(2).map(|target| target.join("venv/bin/python"));
    let left = left.filter(|python| python.exists());
    if left.is_none() {
        skipped("no Python with the SDK packages; `./x test` makes one and runs this test");
    }
    left
}

/// The folder with the packages of tests/node, and Node.js to run them: the one `./x test` names, or
/// the one it left in the target directory.
pub fn node_modules() -> Option<PathBuf> {
    let named = std::env::var_os("COUNTERSIGN_NODE_MODULES").map(PathBuf::from);
    if let Some(folder) = &named {
        assert!(
            folder.exists(),
            "COUNTERSIGN_NODE_MODULES is {}, which is not there",
            folder.display()
        );
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let left = binary.ancestors().nth(2).map(|target| target.join("node"));
    let found = named.or(left.filter(|folder| folder.join("node_modules").exists()));
    let runs = Command::new("node").arg("--version").output().is_ok();
    if found.is_none() || !runs {
        skipped("no Node.js with the packages of tests/node; `./x test` installs them");
        return None;
    }
    found
}
