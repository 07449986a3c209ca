//! What policies say, beside what another engine says.

mod vectors;
