//! Private files: directories 0700, files 0600 whatever the umask, replaced whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use vox_base::{Coded, Entropy, Kind};

/// A file or directory is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// The operating system says no.
    #[error("`{}`: cannot {action}", path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Others than the owner may read or write it.
    #[error("`{}` has mode {mode:04o}, which lets others in: run `chmod {wanted:04o} {}`", path.display(), path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The bits it should have.
        wanted: u32,
    },
    /// It belongs to somebody else.
    #[error("`{}` belongs to user {owner}, not to you", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// It is longer than the reader takes.
    #[error("`{}` is over {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        limit: usize,
    },
}

impl FsError {
    /// Returns whether the file or directory is simply not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<FsError> for Coded {
    fn from(error: FsError) -> Self {
        match &error {
            FsError::Io { source, .. } => Self::new(Kind::Failed, "host.file", format!("{error}: {source}")),
            FsError::TooLong { .. } => Self::new(Kind::Failed, "host.file", error.to_string()),
            FsError::Mode { path, wanted, .. } => {
                let next = format!("chmod {wanted:04o} {}", path.display());
                Self::new(Kind::Failed, "host.file_mode", error.to_string()).next(next)
            }
            FsError::Owner { .. } => Self::new(Kind::Failed, "host.file_mode", error.to_string()),
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FsError {
    move |source| FsError::Io { action, path: path.to_owned(), source }
}

/// Makes a directory and its missing parents, each new one 0700; one that exists is left as it is.
///
/// # Errors
/// A directory cannot be made.
pub fn create_dir(path: &Path) -> Result<(), FsError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => set_mode(path, 0o700),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(failed("make the directory", path)(error)),
    }
}

/// Makes the cache directory with the tag that tells backup programs to skip it (Cache Directory Tagging
/// Specification 0.6).
///
/// # Errors
/// The directory or the tag cannot be made.
pub fn create_cache_dir(path: &Path, entropy: &dyn Entropy) -> Result<(), FsError> {
    create_dir(path)?;
    let tag = path.join("CACHEDIR.TAG");
    if tag.exists() {
        return Ok(());
    }
    replace(&tag, b"Signature: 8a477f597d28d172789f06886806bc55\n# Everything in this directory may be deleted.\n", entropy)
}

/// Opens a file for appending, made 0600 if it is new.
///
/// # Errors
/// The file cannot be opened or made.
pub fn open_append(path: &Path) -> Result<File, FsError> {
    private(OpenOptions::new().append(true).create(true), path)
}

/// Opens a file for reading and writing without emptying it, made 0600 if it is new.
///
/// # Errors
/// The file cannot be opened or made.
pub fn open_private(path: &Path) -> Result<File, FsError> {
    private(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
}

fn private(options: &mut OpenOptions, path: &Path) -> Result<File, FsError> {
    let new = !path.exists();
    let file = options.mode(0o600).open(path).map_err(failed("open", path))?;
    if new {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed("set the mode", path))?;
    }
    Ok(file)
}

/// Replaces a file by these bytes, 0600, so that a reader sees the old or the new one and a crash leaves one of them.
///
/// # Errors
/// The file cannot be written; the old one is then untouched.
pub fn replace(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> Result<(), FsError> {
    let temporary = temporary(path, entropy);
    let written = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path).map_err(failed("replace", path)));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    match path.parent() {
        Some(directory) => sync_dir(directory),
        None => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed("make", path))?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed("set the mode", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", path))
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync_dir(path: &Path) -> Result<(), FsError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}

const TEMPORARY: &str = ".vox-tmp-";

fn temporary(path: &Path, entropy: &dyn Entropy) -> PathBuf {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{TEMPORARY}{:016x}", u64::from_le_bytes(random)))
}

/// Removes what interrupted replacements left in a directory and returns how many files that were.
///
/// # Errors
/// The directory cannot be read or a file not removed.
pub fn remove_temporaries(directory: &Path) -> Result<usize, FsError> {
    let mut n_removed = 0;
    for entry in std::fs::read_dir(directory).map_err(failed("read", directory))? {
        let entry = entry.map_err(failed("read", directory))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.contains(TEMPORARY) {
            std::fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

/// Reads a file of at most this many bytes.
///
/// # Errors
/// The file is missing, unreadable or longer.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FsError> {
    let file = File::open(path).map_err(failed("read", path))?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() > limit {
        return Err(FsError::TooLong { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Reads a text file of at most this many bytes; `None` if there is no such file.
///
/// # Errors
/// The file is unreadable, longer, or no text.
pub fn read_text(path: &Path, limit: usize) -> Result<Option<String>, FsError> {
    match read(path, limit) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(std::io::Error::other);
            text.map(Some).map_err(failed("read as text", path))
        }
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// The file cannot be removed.
pub fn remove(path: &Path) -> Result<(), FsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Returns when a file was last changed, in nanoseconds since the epoch; `None` if there is no such file.
#[must_use]
pub fn modified_ns(path: &Path) -> Option<i128> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()))
}

/// Returns the files of a directory whose names end in an extension, sorted; none if there is no such directory.
#[must_use]
pub fn with_extension(directory: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

/// Returns the nearest file of a name in a directory or one above it. The search ends in a directory that holds `last`,
/// and in any case at the root of the file system.
#[must_use]
pub fn find_upwards(from: &Path, name: &str, last: &str) -> Option<PathBuf> {
    for directory in from.ancestors() {
        let file = directory.join(name);
        if file.is_file() {
            return Some(file);
        }
        if directory.join(last).exists() {
            return None;
        }
    }
    None
}

/// Checks that only its owner, who is this user, may read or write a file or directory.
///
/// # Errors
/// It is missing, somebody else's, or has a group or other bit.
pub fn check_private(path: &Path) -> Result<(), FsError> {
    let metadata = std::fs::metadata(path).map_err(failed("read the mode of", path))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        return Err(FsError::Mode { path: path.to_owned(), mode, wanted });
    }
    let owner = metadata.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return Err(FsError::Owner { path: path.to_owned(), owner });
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode", path))
}

#[cfg(test)]
mod tests;
