//! `countersign up`: a gateway here and now.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use gateway::config::UpstreamConfig;
use gateway::recorder::StartError;
use gateway::state::{Init, State, StateError};
use gateway::{Bound, Config, ServeError};
use ledger::{OpenError, SystemClock};

use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign up                                   with a built-in model simulator
  countersign up --upstream https://api.openai.com/v1 --upstream-key-env OPENAI_API_KEY
  countersign --dir /srv/gateway up --listen 127.0.0.1:9000

Keys, ledger and trust file are made when missing and never rewritten. Ctrl-C stops cleanly.")]
pub struct Args {
    /// A configuration file; default: .countersign/config.yaml in --dir, when it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// What the command line may say instead of the configuration.
#[derive(Debug, clap::Args)]
pub struct Overrides {
    /// Where callers connect; the next free port is taken when it is in use and not given here
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where operators connect
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The model API, with its version path
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The environment variable with the key for it
    #[arg(long, value_name = "NAME", requires = "upstream")]
    upstream_key_env: Option<String>,
    /// What evidence calls it; default: its host
    #[arg(long, value_name = "NAME", requires = "upstream")]
    upstream_name: Option<String>,
    /// Where evidence goes; in memory it ends with the process
    #[arg(long, value_name = "KIND", default_value = "disk")]
    ledger: Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Keep {
    Disk,
    Memory,
}

impl Overrides {
    /// Changes the configuration.
    pub fn apply(&self, config: &mut Config) -> Result<(), Failure> {
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(admin) = self.admin {
            config.admin = admin;
        }
        if let Some(url) = &self.upstream {
            config.upstream = Some(UpstreamConfig {
                url: url.clone(),
                key: self.upstream_key_env.as_ref().map(|name| format!("env:{name}")),
                name: self.upstream_name.clone(),
            });
        }
        config.check().map_err(|error| Failure::new(Exit::Config, error.to_string()))
    }

    /// Whether nothing shall be kept.
    pub fn in_memory(&self) -> bool {
        self.ledger == Keep::Memory
    }
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let default = dir.join(".countersign").join("config.yaml");
    let path = match args.config {
        Some(path) => Some(path),
        None if default.exists() => Some(default),
        None => None,
    };
    let mut config = match &path {
        Some(path) => Config::load(path)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?,
        None => Config {
            // Only a bare `up` has a simulator, and may move to another port.
            simulator: args.overrides.upstream.is_none(),
            next_free_port: args.overrides.listen.is_none() && args.overrides.admin.is_none(),
            ..Config::default()
        },
    };
    args.overrides.apply(&mut config)?;
    start(config, dir, args.overrides.in_memory())
}

/// Opens the state and serves until told to stop.
pub fn start(config: Config, dir: &Path, memory: bool) -> Outcome {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .try_init();
    // Before keys are made: a configuration that cannot work leaves nothing behind.
    let upstream = match &config.upstream {
        Some(upstream) => upstream.name.clone().unwrap_or_else(|| upstream.url.clone()),
        None if config.simulator => "the built-in simulator (model: simulator)".to_owned(),
        None => String::new(),
    };
    config.open_upstream().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let state = State::open_or_init(dir, Init { memory, clock: Arc::new(SystemClock) })
        .map_err(|error| state_failure(&error))?;
    let banner = Banner::of(&state, &upstream, memory);
    gateway::serve(
        config,
        state,
        |bound| {
            // Nobody reading it is no reason not to serve.
            let _ = output::print(&banner.text(bound));
        },
        stop(),
    )
    .map_err(|error| serve_failure(&error))?;
    Ok(Exit::Ok)
}

/// Ctrl-C or SIGTERM.
async fn stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}

/// What is told once, at the start.
struct Banner {
    upstream: String,
    keys: Vec<(&'static str, String)>,
    trust: String,
    trust_digest: String,
    made: bool,
    token_path: String,
    token: String,
    ledger: String,
    origin: String,
    dir: PathBuf,
}

impl Banner {
    fn of(state: &State, upstream: &str, memory: bool) -> Banner {
        Banner {
            upstream: upstream.to_owned(),
            keys: state
                .fingerprints()
                .into_iter()
                .map(|(name, digest)| (name, digest.to_string()))
                .collect(),
            trust: output::path(&state.trust_path()),
            trust_digest: state.trust_digest().to_string(),
            made: state.created(),
            token_path: state.admin_token_path().display().to_string(),
            token: state.admin_token().to_owned(),
            ledger: if memory {
                "in memory: it ends with this process".to_owned()
            } else {
                output::path(&state.ledger_dir())
            },
            origin: state.origin().to_owned(),
            dir: state.dir().to_path_buf(),
        }
    }

    fn text(&self, bound: Bound) -> String {
        let (data, admin) = (bound.data, bound.admin);
        let mut out = String::new();
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        line("Countersign is up.");
        line("");
        line(&format!("  data      http://{data}/v1"));
        line(&format!("  admin     http://{admin}"));
        line(&format!("  upstream  {}", output::safe(&self.upstream)));
        line(&format!("  ledger    {}", self.ledger));
        line(&format!("  log       {}", output::safe(&self.origin)));
        line(&format!(
            "  trust     {} ({}){}",
            self.trust,
            self.trust_digest,
            if self.made { ", made now" } else { "" }
        ));
        line("");
        line("Keys (SHA-256 of the public key's PEM):");
        for (name, fingerprint) in &self.keys {
            line(&format!("  {name:<10}{fingerprint}"));
        }
        line("");
        line("Ask it:");
        line(&format!(
            "  curl -sS http://{data}/v1/chat/completions -H 'Content-Type: application/json' \\\n    -H 'X-Commit-Owner: human:{}' \\\n    -d '{{\"model\":\"simulator\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'",
            "you"
        ));
        line("");
        line("From Python (pip install openai):");
        line("  from openai import OpenAI");
        line(&format!(
            "  client = OpenAI(base_url=\"http://{data}/v1\", api_key=\"unused\", default_headers={{\"X-Commit-Owner\": \"human:you\"}})"
        ));
        line(
            "  print(client.chat.completions.create(model=\"simulator\", messages=[{\"role\": \"user\", \"content\": \"Hello\"}]).choices[0].message.content)",
        );
        line("");
        line(&format!("The admin token is in {}:", output::safe(&self.token_path)));
        line(&format!(
            "  curl -sS http://{admin}/metrics -H \"Authorization: Bearer $(cat {})\"",
            quoted(&self.token_path)
        ));
        // The value only where a person looks, never into a log file.
        if output::on_terminal() {
            line(&format!("  {}", self.token));
        }
        line("");
        line(
            "Every answer has a correlation id in X-Countersign-Correlation-Id. Walk it and prove it:",
        );
        let command = command(&self.dir);
        line(&format!("  {command} trace <correlation id> --explain"));
        line(&format!(
            "  {command} verify {}",
            quoted(&self.dir.join(".countersign").join("ledger").display().to_string())
        ));
        out
    }
}

/// The command line that finds this state again, from here.
fn command(dir: &Path) -> String {
    let program = std::env::args().next().unwrap_or_default();
    let program = if program.is_empty() { "countersign".to_owned() } else { quoted(&program) };
    if dir == Path::new(".") {
        program
    } else {
        format!("{program} --dir {}", quoted(&dir.display().to_string()))
    }
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", output::safe(text).replace('\'', "'\\''"))
    }
}

fn state_failure(error: &StateError) -> Failure {
    let exit = match error {
        StateError::Locked { .. } => Exit::Unavailable,
        StateError::NotTrusted { .. }
        | StateError::Trust { .. }
        | StateError::KeyMissing { .. }
        | StateError::Key { .. } => Exit::Config,
        StateError::File(_) | StateError::Store { .. } => Exit::CannotCreate,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}

fn serve_failure(error: &ServeError) -> Failure {
    let exit = match error {
        ServeError::Config(_) => Exit::Config,
        ServeError::Start(StartError::Open(OpenError::Damaged { .. })) => {
            Exit::Evidence(record::report::ExitClass::Tampered)
        }
        ServeError::Start(StartError::Chain { .. }) => {
            Exit::Evidence(record::report::ExitClass::Malformed)
        }
        ServeError::Start(_) => Exit::Io,
        ServeError::Bind { .. } => Exit::Unavailable,
        ServeError::Close(_) => Exit::Io,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}
