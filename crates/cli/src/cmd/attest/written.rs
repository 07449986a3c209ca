//! Files of one command: all of them, or none.

use collect::{Batch, Folder};

use super::failure;
use crate::exit::Failure;

/// What was written so far; taken back, unless it is kept.
pub struct Written<'f>(Batch<'f>);

impl<'f> Written<'f> {
    /// Into this folder.
    pub fn to(folder: &'f Folder) -> Written<'f> {
        Written(Batch::of(folder))
    }

    /// Writes a new file, which has its name when all are kept.
    pub fn put(&mut self, name: &str, bytes: &[u8], secret: bool) -> Result<(), Failure> {
        self.0.put(name, bytes, secret).map_err(failure::folder)
    }

    /// All is there.
    pub fn keep(self) -> Result<(), Failure> {
        self.0.keep().map_err(failure::folder)
    }
}
