//! `countersign up`: a gateway here and now.

mod banner;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use gateway::config::{Second, UpstreamConfig};
use gateway::recorder::StartError;
use gateway::state::{Init, State, StateError};
use gateway::{Config, ServeError};
use ledger::lock::LockError;
use ledger::{OpenError, SystemClock};

use self::banner::{Asked, Banner};
use super::feed::Standing;
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
    output::log_to_stderr();
    let asked = Asked::of(&config);
    // Before keys are made: a configuration that cannot work leaves nothing behind.
    config.open_upstream().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let init = Init { memory, clock: Arc::new(SystemClock) };
    let state = match config.ledger.second {
        Second::Refuse => State::open_or_init(dir, init),
        Second::Join => State::open_or_join(dir, init, &config.ledger.writer),
    }
    .and_then(|state| state.readable_by(config.ledger.readers()))
    .map_err(|error| state_failure(&error))?;
    let banner = Banner::of(&state, asked, memory);
    gateway::serve_with(
        config,
        state,
        Some(Arc::new(Standing::of(dir))),
        |bound| {
            // Nobody reading it is no reason not to serve.
            let _ = output::print(&banner.text(bound));
        },
        stop(),
    )
    .map_err(|error| serve_failure(&error, dir))?;
    Ok(Exit::Ok)
}

/// Ctrl-C or SIGTERM.
pub async fn stop() {
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

pub fn state_failure(error: &StateError) -> Failure {
    let exit = match error {
        StateError::Locked(LockError::Held { .. }) | StateError::NotJoined { .. } => {
            Exit::Unavailable
        }
        StateError::Locked(LockError::Io { .. }) => Exit::CannotCreate,
        StateError::NotTrusted { .. }
        | StateError::Trust { .. }
        | StateError::KeyMissing { .. }
        | StateError::Revoked { .. }
        | StateError::Replaced { .. }
        | StateError::NoGroup(_)
        | StateError::Share { .. }
        | StateError::Key { .. } => Exit::Config,
        StateError::File(_) | StateError::Store { .. } => Exit::CannotCreate,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}

fn serve_failure(error: &ServeError, dir: &Path) -> Failure {
    let exit = match error {
        ServeError::Config(_) | ServeError::Feeds(_) => Exit::Config,
        ServeError::Start(StartError::Open(OpenError::Damaged { .. })) => {
            Exit::Evidence(record::report::ExitClass::Tampered)
        }
        ServeError::Start(StartError::Chain { .. }) => {
            Exit::Evidence(record::report::ExitClass::Malformed)
        }
        ServeError::Start(StartError::Key(_) | StartError::Plain(_)) => Exit::Config,
        ServeError::Start(_) => Exit::Io,
        ServeError::Bind { .. } => Exit::Unavailable,
        ServeError::Close(_) => Exit::Io,
        _ => Exit::Internal,
    };
    let mut message = error.to_string();
    if let ServeError::Start(StartError::Open(OpenError::Io(cause))) = error {
        let ledger = dir.join(".countersign").join("ledger");
        let remedy = match cause.kind() {
            ErrorKind::PermissionDenied => {
                "it and everything in it must belong to the account that runs this"
            }
            ErrorKind::ReadOnlyFilesystem => "the disk is read-only: mount it for writing",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                "make room on its disk"
            }
            _ => "check its disk",
        };
        message = format!("{message}; see {}: {remedy}", ledger.display());
    }
    Failure::new(exit, message)
}
