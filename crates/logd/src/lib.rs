//! The log as others see it: its public files over HTTP, and the witness that cosigns the
//! checkpoints of other logs.

mod door;
pub mod log;
mod reply;
pub mod witness;

pub use door::{Door, ServeError};
