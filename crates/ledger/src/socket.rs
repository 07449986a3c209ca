//! Many processes, one sequencer: its unix socket, and the clients that append through it.
//!
//! The bytes and the rules are in `spec/sequencer-socket.md`. [`serve`] lets other processes of the
//! same account append to an open [`Ledger`](crate::Ledger); [`Client`] is such a process;
//! [`Seat`] is whichever of the two is possible right now, and changes over when a sequencer ends.

mod client;
mod line;
mod place;
mod seat;
mod serve;
mod wire;

pub use client::{Client, ConnectError, Rejoined};
pub use place::{PLACE, SOCKET};
pub use seat::{Seat, SeatError};
pub use serve::{Judge, Server, Serving, serve};

/// The first word of every connection: protocol and version.
pub const PROTOCOL: &str = "countersign-sequencer/v1";

/// Writer ids that nobody gets through the socket: a reader takes them for the ledger's own.
pub const RESERVED: &[&str] = &["ledger", "operator", "root", "sequencer"];
