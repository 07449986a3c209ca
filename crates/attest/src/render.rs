//! A verification's JSON as text for other readers. What it says came from outside: every text goes
//! through `seal::escape`, and what is missing is left blank.

mod dot;
mod graph;
mod markdown;
mod svg;

pub use dot::dot;
pub use markdown::markdown;
pub use svg::svg;
