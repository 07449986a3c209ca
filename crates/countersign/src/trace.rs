//! Walking.
/// T
#[derive(Debug)]
pub struct Tracer;
