//! Replies of two makers: one that does what it is told, and openssl.

extern crate countersign_stamp as stamp;

mod made;
mod openssl;
