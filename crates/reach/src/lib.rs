//! The way out: timestamp authorities, witnesses and the hosts of feeds, asked over HTTP, and
//! programs that know a secret. And who may be let in: the names under which a listener answers.
//!
//! No redirect is followed, no proxy of the environment is believed, every answer has a limit and
//! every step a deadline.

pub mod feeds;
pub mod hosts;
pub mod http;
pub mod secret;
pub mod tsa;
pub mod witness;
