//! `countersign log serve`: the log for others.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use logd::log::{Setup, Token};
use seal::Zeroizing;

use super::face;
use crate::cmd::up::stop;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log serve
  countersign log serve --token reader.token
  countersign log serve --public --listen 192.0.2.7:80 --host log.example

Checkpoint and hash tiles are for everybody (C2SP tlog-tiles), and any static host can serve
ledger/public/ as well. Entry bundles and bodies are served to who has the token, and not at all
without one. Reads only; runs beside a gateway, until SIGINT or SIGTERM. It prints where it listens,
then nothing, so there is no --format.")]
pub struct Args {
    /// The ledger; default: .countersign/ledger in --dir
    ledger: Option<PathBuf>,
    /// A file with the bearer token that opens entries and bodies
    #[arg(long, value_name = "FILE", conflicts_with = "public")]
    token: Option<PathBuf>,
    /// Serve checkpoint and hash tiles alone
    #[arg(long)]
    public: bool,
    #[command(flatten)]
    face: face::Face,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    output::log_to_stderr();
    let path = args.ledger.unwrap_or_else(|| super::super::ledger_of(dir));
    super::super::ledger::open(&path)?;
    let token = match &args.token {
        Some(file) => {
            let text = Zeroizing::new(output::read_text(file, 4 << 10)?);
            let wrong = |error: &dyn std::fmt::Display| {
                Failure::new(Exit::Config, format!("{}: {error}", file.display()))
            };
            Some(Token::read(&text).map_err(|error| wrong(&error))?)
        }
        None => None,
    };
    let door = args.face.door();
    if !door.listen.ip().to_canonical().is_loopback() && token.is_none() && !args.public {
        let message = format!(
            "{} is reachable by others: give --token for entries and bodies, or --public for checkpoint and tiles alone",
            door.listen
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let opened = if token.is_some() { "with the token" } else { "not served" };
    let ready = |bound: SocketAddr| {
        // Nobody reading it is no reason not to serve.
        let _ = output::print(&format!("log      http://{bound}\nentries  {opened}\n"));
    };
    logd::log::serve(Setup { ledger: path, token }, &door, ready, stop())
        .map_err(|error| face::failure(&error))?;
    Ok(Exit::Ok)
}
