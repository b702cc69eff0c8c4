//! Advisory locks between processes: one holder per file, released by the operating system when the holder ends.

use crate::fs::{self, FsError};
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A lock file that this process holds until the value is dropped. The file stays and names the last holder.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// The lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("`{}` is held by {}", path.display(), holder(*pid))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder's process id, where it is known.
        pid: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FsError),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl FileLock {
    /// Takes the lock without waiting and writes this process's id into the file.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be used.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let mut file = fs::open_private(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { path: path.to_owned(), pid: read_pid(&file) }),
            Err(TryLockError::Error(source)) => return Err(FsError::Io { action: "lock", path: path.to_owned(), source }.into()),
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|source| FsError::Io { action: "write", path: path.to_owned(), source })?;
        Ok(Self { file })
    }

    /// Takes the lock, waiting while another process holds it for a moment, but no longer than this. Blocks the thread.
    ///
    /// # Errors
    /// Another process still holds it, or the file cannot be used.
    pub fn acquire_within(path: &Path, patience: Duration) -> Result<Self, LockError> {
        let until = Instant::now() + patience;
        loop {
            match Self::acquire(path) {
                Err(LockError::Held { .. }) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
                other => return other,
            }
        }
    }

    /// Returns who holds the lock now, without taking it and without making the file.
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub fn holder(path: &Path) -> Result<Holder, LockError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Holder::Nobody),
            Err(source) => return Err(FsError::Io { action: "read", path: path.to_owned(), source }.into()),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Holder::Process(read_pid(&file))),
            Err(TryLockError::Error(source)) => Err(FsError::Io { action: "lock", path: path.to_owned(), source }.into()),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process, with its id where it is known.
    Process(Option<u32>),
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_and_gets_it_afterwards() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.lock");
        assert_eq!(FileLock::holder(&path).unwrap(), Holder::Nobody);
        assert!(!path.exists());
        let first = FileLock::acquire(&path).unwrap();
        let us = std::process::id();
        assert!(matches!(FileLock::acquire(&path), Err(LockError::Held { pid: Some(pid), .. }) if pid == us));
        assert_eq!(FileLock::holder(&path).unwrap(), Holder::Process(Some(us)));
        drop(first);
        assert_eq!(FileLock::holder(&path).unwrap(), Holder::Nobody);
        FileLock::acquire(&path).unwrap();
    }

    #[test]
    fn whoever_waits_gets_the_lock_when_it_is_let_go_or_is_told_who_keeps_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("catalog.lock");
        let first = FileLock::acquire(&path).unwrap();
        assert!(matches!(FileLock::acquire_within(&path, Duration::ZERO), Err(LockError::Held { .. })));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| FileLock::acquire_within(&path, Duration::from_secs(20)).map(drop));
            drop(first);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_damaged_file_hides_only_the_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.lock");
        let lock = FileLock::acquire(&path).unwrap();
        std::fs::write(&path, "\u{0}\u{0}").unwrap();
        assert_eq!(FileLock::holder(&path).unwrap(), Holder::Process(None));
        drop(lock);
    }
}
