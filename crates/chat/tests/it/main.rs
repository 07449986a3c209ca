//! The wire formats, as data.

mod requests;
mod streams;
mod unary;
