//! Was it there at that time? RFC 3161: the bytes of a request, and the judgement of what a
//! timestamp authority answers.
//!
//! Pure: trusted certificates, the reply and the time it states are all there is; no clock, no
//! socket. The reader takes strict DER with limits and never panics. Nothing that travels with a
//! reply is believed: the chain ends at a certificate that the caller trusts.
//!
//! Revocation lists are not looked at: what they would say about a past time needs the reason of
//! the revocation, and replies do not carry it.

mod authority;
mod certificate;
mod chain;
mod der;
mod fault;
mod hash;
mod name;
mod oid;
mod request;
mod signature;
mod time;
mod token;
mod verify;

pub use authority::{Authority, AuthorityError, Window};
pub use certificate::Certificate;
pub use fault::Fault;
pub use hash::Hash;
pub use request::request;
pub use time::Moment;
pub use verify::{Asked, LIMIT, Stamp, verify};
