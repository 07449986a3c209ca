//! A gateway in this process, a scripted upstream behind it, and afterwards its
//! evidence.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use countersign::trace::Tracer;
use countersign::trustfile::TrustFile;
use countersign::verify::Verifier;
use countersign_gateway as gateway;
use gateway::config::{Config, UpstreamConfig};
use gateway::feeds::Feeds;
use gateway::server::{Bound, ServeError};
use gateway::state::{Init, State};
use ledger::read::{Item, Reader};
use ledger::store::Store;
use record::decision::Decision;
use record::entry::AuditEntry;
use record::receipt::{Operation, Receipt, SignedReceipt, Verdict};
use seal::json::Value;
use tempfile::TempDir;
use testkit::clock::TestClock;
use testkit::upstream::FakeUpstream;
use tokio::sync::oneshot;

use crate::client::Client;

/// When tests happen: no window of time ends within one.
pub const NOON: u64 = 1_795_176_000_000;

/// A gateway under test.
pub struct Gateway {
    pub upstream: FakeUpstream,
    pub token: String,
    pub scrape: String,
    bound: Bound,
    dir: TempDir,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), ServeError>>,
}

/// What it left behind.
pub struct Evidence {
    pub audits: Vec<AuditEntry>,
    pub receipts: Vec<SignedReceipt>,
    pub decisions: Vec<Decision>,
    /// The kind of every entry, in order.
    pub kinds: Vec<String>,
    pub bodies: Vec<String>,
    /// Kept until the test ends.
    pub dir: TempDir,
}

impl Gateway {
    pub fn start() -> Self {
        Self::with("")
    }

    /// With this YAML; addresses are the harness's, and so is an upstream that is missing or
    /// `http://fake/v1`.
    pub fn with(yaml: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self::over(dir, yaml, None)
    }

    /// With these subscriptions.
    pub fn fed(yaml: &str, feeds: Arc<dyn Feeds>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = Config::parse(yaml).expect("the test's configuration is right");
        Self::configured(dir, config, None, Some(feeds))
    }

    /// Before the built-in simulator.
    pub fn simulator() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self::configured(dir, Config { simulator: true, ..Config::default() }, None, None)
    }

    /// Over a directory that exists, and perhaps another store.
    pub fn over(dir: TempDir, yaml: &str, store: Option<Arc<dyn Store>>) -> Self {
        let config = Config::parse(yaml).expect("the test's configuration is right");
        Self::configured(dir, config, store, None)
    }

    fn configured(
        dir: TempDir,
        mut config: Config,
        store: Option<Arc<dyn Store>>,
        feeds: Option<Arc<dyn Feeds>>,
    ) -> Self {
        let upstream = FakeUpstream::start();
        config.listen.set_port(0);
        config.admin.set_port(0);
        match &mut config.upstream {
            Some(of) if of.url == "http://fake/v1" => of.url = upstream.url(),
            None if !config.simulator => {
                config.upstream =
                    Some(UpstreamConfig { url: upstream.url(), key: None, name: None });
            }
            Some(_) | None => {}
        }
        let init = Init { memory: false, clock: Arc::new(TestClock::stepping(NOON, 1)) };
        let mut state = State::open_or_init(dir.path(), init).expect("the state opens");
        if let Some(store) = store {
            state = state.with_store(store);
        }
        let token = state.admin_token().to_owned();
        let scrape = state.scrape_token().to_owned();
        let (stop, stopped) = oneshot::channel();
        let (ready, bound) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let ready = move |bound| ready.send(bound).expect("the test waits");
            gateway::serve_with(config, state, feeds, ready, async {
                let _ = stopped.await;
            })
        });
        let Ok(bound) = bound.recv() else {
            panic!("the gateway did not start: {:?}", thread.join());
        };
        Self { upstream, token, scrape, bound, dir, stop, thread }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.bound.data)
    }

    pub fn admin(&self) -> Client {
        Client::connect(self.bound.admin)
    }

    /// Stops it, however that goes, and leaves its directory.
    pub fn stop_only(self) -> TempDir {
        self.stop.send(()).expect("the gateway runs");
        let _ = self.thread.join().expect("the gateway does not panic");
        self.dir
    }

    /// Stops it and reads everything it wrote.
    pub fn stop(self) -> Evidence {
        self.stop.send(()).expect("the gateway runs");
        self.thread.join().expect("the gateway does not panic").expect("the gateway stops cleanly");
        Evidence::read(self.dir)
    }
}

impl Evidence {
    fn read(dir: TempDir) -> Self {
        let reader = Reader::open_dir(&dir.path().join(".countersign/ledger"), None)
            .expect("there is a ledger");
        let mut evidence = Self {
            audits: Vec::new(),
            receipts: Vec::new(),
            decisions: Vec::new(),
            kinds: Vec::new(),
            bodies: Vec::new(),
            dir,
        };
        let mut entries = reader.entries();
        while let Some(item) = entries.next().expect("the ledger can be read") {
            let Item::Entry(entry) = item else { panic!("damage in a fresh ledger") };
            let body = String::from_utf8(entry.body.present().expect("a body").to_vec())
                .expect("bodies are text");
            evidence.kinds.push(entry.leaf.kind.as_str().to_owned());
            match entry.leaf.kind.as_str() {
                "audit" => {
                    let line = record::entry::read_line(body.as_bytes()).expect("an audit line");
                    evidence.audits.push(line.entry);
                }
                "receipt" => {
                    evidence.receipts.push(record::receipt::read(&body).expect("a receipt"));
                }
                "decision" => {
                    evidence.decisions.push(record::decision::read(&body).expect("a decision"));
                }
                _ => {}
            }
            evidence.bodies.push(body);
        }
        let summary = entries.finish();
        assert!(summary.damage.is_empty(), "{:?}", summary.damage);
        assert_eq!(summary.checkpointed, summary.size, "a clean stop signs a checkpoint");
        evidence
    }

    /// Judges the ledger as an auditor would, with the trust file beside it, and walks back from
    /// each of these requests.
    pub fn verify_and_trace(&self, requests: &[&str]) {
        let dir = self.dir.path();
        let trust = || {
            let file = TrustFile::read(&dir.join("countersign.trust.yaml"), None);
            Some(file.expect("the trust file that was made"))
        };
        let ledger = dir.join(".countersign/ledger");
        let report = Verifier::new().trust_file(trust()).verify(&ledger).expect("readable");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let tracer = Tracer::over_ledger(&ledger).trust_file(trust());
        for request in requests {
            let trace = tracer.trace(request).expect("a trace");
            assert!(!trace.requests.is_empty(), "{request}");
            assert!(trace.report.findings.is_empty(), "{request}: {:?}", trace.report.findings);
        }
    }

    /// The audit entries of a request, in order: check name, decision, code.
    pub fn of(&self, request: &str) -> Vec<(&str, &str)> {
        self.audits
            .iter()
            .filter(|audit| audit.meta_text("_request") == Some(request))
            .map(|audit| (audit.check_name.as_str(), audit.decision.as_str()))
            .collect()
    }

    /// The last audit entry of a request.
    pub fn last(&self, request: &str) -> &AuditEntry {
        self.audits
            .iter()
            .rfind(|audit| audit.meta_text("_request") == Some(request))
            .unwrap_or_else(|| panic!("no audit entry for {request}"))
    }

    pub fn decision(&self, request: &str) -> &Decision {
        self.decisions
            .iter()
            .find(|decision| decision.request_id == request)
            .unwrap_or_else(|| panic!("no decision for {request}"))
    }

    /// What each scan of a request said, in the order of the ledger, with the rules that matched.
    pub fn scans(&self, request: &str) -> Vec<(Verdict, Vec<String>)> {
        let of = |receipt: &&Receipt| {
            receipt.operation == Operation::GuardrailScan
                && receipt.extension_value("x_countersign_request").and_then(Value::as_str)
                    == Some(request)
        };
        let said = |receipt: &Receipt| {
            let rules = receipt.extension_value("x_countersign_rules").and_then(Value::as_array);
            let rules = rules.unwrap_or_default().iter().filter_map(Value::as_str);
            (receipt.verdict.expect("a scan has a verdict"), rules.map(str::to_owned).collect())
        };
        self.receipts.iter().map(|signed| &signed.receipt).filter(of).map(said).collect()
    }

    /// The operations of the receipts of a request, in order.
    pub fn operations(&self, request: &str) -> Vec<Operation> {
        self.receipts
            .iter()
            .filter(|signed| {
                signed.receipt.extensions.iter().any(|(name, value)| {
                    name == "x_countersign_request" && value.as_str() == Some(request)
                })
            })
            .map(|signed| signed.receipt.operation)
            .collect()
    }
}

/// A request body with one user message.
pub fn ask(text: &str) -> String {
    body(text, "")
}

/// The same for a stream.
pub fn ask_stream(text: &str) -> String {
    body(text, r#""stream":true,"#)
}

/// With further members, each followed by a comma.
pub fn body(text: &str, members: &str) -> String {
    let text = testkit::upstream::quoted(text);
    format!(r#"{{"model":"m",{members}"messages":[{{"role":"user","content":{text}}}]}}"#)
}

pub fn digest(bytes: impl AsRef<[u8]>) -> seal::digest::Digest {
    seal::digest::Digest::of(bytes.as_ref())
}

/// Why a gateway with this configuration does not start.
pub fn start_error(yaml: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let init = Init { memory: true, clock: Arc::new(TestClock::stepping(NOON, 1)) };
    let state = State::open_or_init(dir.path(), init).expect("the state opens");
    let mut config = Config::parse(yaml).expect("the file itself is right");
    config.listen.set_port(0);
    config.admin.set_port(0);
    gateway::serve(config, state, |_| panic!("it started"), async {})
        .expect_err("it must not start")
        .to_string()
}

/// Serves before the simulator until `shutdown` resolves; `ready` is called when it listens.
pub fn serve_until(ready: impl FnOnce(), shutdown: impl Future<Output = ()>) {
    let dir = tempfile::tempdir().expect("a directory");
    let init = Init { memory: true, clock: Arc::new(TestClock::stepping(NOON, 1)) };
    let state = State::open_or_init(dir.path(), init).expect("the state opens");
    let mut config = Config { simulator: true, ..Config::default() };
    config.listen.set_port(0);
    config.admin.set_port(0);
    gateway::serve(config, state, |_| ready(), shutdown).expect("a clean stop");
}
