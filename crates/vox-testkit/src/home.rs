//! A throw-away home: four directories under one temporary one, and the environment that points a child process there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A temporary home, removed when dropped. Only the home itself exists at first; vox makes the directories below it.
#[derive(Debug)]
pub struct TestHome {
    root: tempfile::TempDir,
}

impl TestHome {
    /// Makes a new home.
    ///
    /// # Panics
    /// The temporary directory cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// Returns the home directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Returns the data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Returns the state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Returns the configuration directory.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path().join("config")
    }

    /// Returns the cache directory.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.path().join("cache")
    }

    /// Returns the whole environment for a child: nothing is inherited.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("HOME", self.path().into()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("LANG", "C.UTF-8".into()),
            ("VOX_DATA_DIR", self.data().into()),
            ("VOX_STATE_DIR", self.state().into()),
            ("VOX_CONFIG_DIR", self.config().into()),
            ("VOX_CACHE_DIR", self.cache().into()),
        ]
    }

    /// Returns a command that runs a program in this home, with this home's environment only.
    #[expect(clippy::disallowed_methods, reason = "a test starts the real binary as a person would")]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(self.env()).current_dir(self.path());
        command
    }

    /// Writes a file below the home, with the directories it needs, and returns its path.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn write(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path().join(relative);
        std::fs::create_dir_all(path.parent().expect("a file below the home has a parent")).expect("directories can be made");
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// Returns every path below the home, sorted, relative to it.
    ///
    /// # Panics
    /// A directory cannot be read.
    #[must_use]
    pub fn listing(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        list(self.path(), self.path(), &mut found);
        found.sort();
        found
    }
}

impl Default for TestHome {
    fn default() -> Self {
        Self::new()
    }
}

fn list(root: &Path, directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the directory can be read").flatten() {
        let path = entry.path();
        found.push(path.strip_prefix(root).expect("the entry lies below the root").to_owned());
        if path.is_dir() && !path.is_symlink() {
            list(root, &path, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_this_home_and_nothing_of_ours() {
        let home = TestHome::new();
        let output = home.command("/usr/bin/env").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
        let mut expected: Vec<&str> = home.env().iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        let mut names_sorted = names.clone();
        names_sorted.sort_unstable();
        assert_eq!(names_sorted, expected);
        assert!(text.contains(&format!("VOX_DATA_DIR={}", home.data().display())));
        assert!(home.listing().is_empty());
    }

    #[test]
    fn a_written_file_is_listed() {
        let home = TestHome::new();
        home.write("config/providers.d/x.yaml", "id: x\n");
        assert_eq!(home.listing().last().unwrap(), Path::new("config/providers.d/x.yaml"));
    }
}
