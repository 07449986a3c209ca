//! The gateway as its callers and its auditors see it: real sockets before and
//! behind it, and its ledger read afterwards.

mod anchoring;
mod any_chunking;
mod client;
mod disconnects;
mod door;
mod evidence;
mod feeds;
mod harness;
mod hostile;
mod hostile_http;
mod hostile_upstream;
mod refusals;
mod streams;
mod upstreams;
mod whole;
mod wire;
