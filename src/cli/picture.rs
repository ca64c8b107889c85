//! Where a picture goes. It is tried before the work begins: what takes minutes does not end with a path that was wrong.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::failure::Usage;

/// A file that can be written.
#[derive(Debug)]
pub(super) struct Picture(PathBuf);

impl Picture {
    /// Tries the file; what is in it stays until there is something better.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn at(path: &Path) -> Result<Self, Usage> {
        let tried = match File::options().write(true).create_new(true).open(path) {
            Ok(_) => fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                File::options().append(true).open(path).map(drop)
            }
            Err(error) => Err(error),
        };
        match tried {
            Ok(()) => Ok(Self(path.to_owned())),
            Err(error) => Err(Usage(format!("cannot write '{}': {error}", path.display()))),
        }
    }

    pub(super) fn write(&self, drawing: &str) -> anyhow::Result<()> {
        fs::write(&self.0, drawing).with_context(|| format!("cannot write '{}'", self.0.display()))
    }
}
