//! The gateway: a fail-closed proxy in front of a model API that separates
//! deciding from being allowed to, and leaves signed evidence of both.
//!
//! The request path is one page, `flow.rs`. Everything durable goes through
//! [`recorder`]; everything that knows an HTTP status is in [`problem`].

pub mod admin;
mod ahead;
mod anchoring;
mod aside;
mod body;
mod closing;
pub mod config;
mod descriptors;
mod facts;
mod feeding;
pub mod feeds;

mod flow;
mod gate;
pub mod head;
mod inspect;
mod lineage;
pub mod metrics;
mod patient;
pub mod problem;
mod receive;
pub mod recorder;
mod reply;
mod rules;
mod scanning;
pub mod server;
pub mod signer;
mod simulator;
pub mod state;
mod stream;
mod unary;
pub mod upstream;
mod witnessing;

pub use config::{Config, ConfigError};
pub use feeds::Feeds;
pub use server::{Bound, ServeError, serve, serve_with};
