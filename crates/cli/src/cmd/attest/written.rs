//! Files of one command: all of them, or none.

use collect::Folder;

use super::failure;
use crate::exit::Failure;

/// What was written so far; taken back, unless it is kept.
pub struct Written<'f> {
    folder: &'f Folder,
    names: Vec<String>,
}

impl<'f> Written<'f> {
    /// Into this folder.
    pub fn to(folder: &'f Folder) -> Written<'f> {
        Written { folder, names: Vec::new() }
    }

    /// Writes a new file.
    pub fn put(&mut self, name: &str, bytes: &[u8], secret: bool) -> Result<(), Failure> {
        self.folder.write(name, bytes, secret).map_err(failure::folder)?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// All is there.
    pub fn keep(mut self) {
        self.names.clear();
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            // a file that stays is told by the failure that led here
            let _ = self.folder.remove(name);
        }
    }
}
