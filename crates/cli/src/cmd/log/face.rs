//! What the listeners of `countersign log` have in common.

use std::net::SocketAddr;

use logd::{Door, ServeError};

use crate::exit::{Exit, Failure};

/// Where to listen, and as whom.
#[derive(Debug, clap::Args)]
pub struct Face {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8445")]
    listen: SocketAddr,
    /// A name under which this may be asked, besides the address itself; may be repeated
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// The most connections at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    connections: usize,
}

impl Face {
    /// As the listener wants it.
    pub fn door(&self) -> Door {
        Door { listen: self.listen, hosts: self.host.clone(), connections: self.connections }
    }
}

/// Why nothing is served.
pub fn failure(error: &ServeError) -> Failure {
    let exit = match error {
        ServeError::Bind { .. } => Exit::Unavailable,
        ServeError::Nameless(_) => Exit::Usage,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}
