//! Directories 0700 and files 0600 whatever the umask, and paths that stay where they belong.

use crate::StoreError;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a directory and those above it, for its owner only.
pub(crate) fn make_dir(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // A stricter umask takes bits away from the mode asked for.
    std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    Ok(())
}

/// Opens a file for reading and writing, for its owner only; makes it if it is not there.
pub(crate) fn make_file(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Returns the real path of a file of this directory.
///
/// # Errors
/// The file is a symbolic link that leads out of the directory.
pub(crate) fn inside(dir: &Path, file: &Path) -> Result<PathBuf, StoreError> {
    let escape = || StoreError::SymlinkEscape(file.to_owned());
    let Ok(metadata) = file.symlink_metadata() else { return Ok(file.to_owned()) };
    if !metadata.is_symlink() {
        return Ok(file.to_owned());
    }
    let root = dir.canonicalize()?;
    let real = file.canonicalize().map_err(|_| escape())?;
    if real.starts_with(&root) { Ok(real) } else { Err(escape()) }
}
