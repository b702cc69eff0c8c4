//! Where vox keeps things: five directories, each from a flag, a `VOX_*` variable, an `XDG_*` variable or the platform's
//! default. Nothing here touches the disk, and nothing is ever relative to the working directory.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use vox_base::{Coded, Kind};

/// The directories given as flags.
#[derive(Debug, Clone, Default)]
pub struct DirFlags {
    /// `--data-dir`
    pub data: Option<PathBuf>,
    /// `--state-dir`
    pub state: Option<PathBuf>,
    /// `--config-dir`
    pub config: Option<PathBuf>,
    /// `--cache-dir`
    pub cache: Option<PathBuf>,
    /// `--spool-dir`
    pub spool: Option<PathBuf>,
}

/// Whose defaults apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// XDG base directories.
    Linux,
    /// `~/Library`.
    MacOs,
}

impl Platform {
    /// Returns the platform this binary was built for.
    #[must_use]
    pub const fn here() -> Self {
        if cfg!(target_os = "macos") { Self::MacOs } else { Self::Linux }
    }
}

/// Who said where a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag.
    Flag,
    /// The environment variable of this name.
    Env(&'static str),
    /// Nobody; it is the default.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A directory and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    /// Absolute path; it need not exist.
    pub path: PathBuf,
    /// Who said so.
    pub source: Source,
}

/// The five directories of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// The ledger, the vault, artifacts, backups.
    pub data: Dir,
    /// Logs, process files, doctor results.
    pub state: Dir,
    /// What the user writes.
    pub config: Dir,
    /// What may be deleted at any time.
    pub cache: Dir,
    /// Facts on their way.
    pub spool: Dir,
}

/// A directory cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No flag, no variable, and no absolute `HOME`.
    #[error("no home directory: `HOME` is unset, empty or not absolute, and `{variable}` is not set")]
    NoHome {
        /// The variable that would help.
        variable: &'static str,
    },
    /// The value is not an absolute path.
    #[error("`{name}` is not an absolute path: {}", value.display())]
    Relative {
        /// The flag or variable.
        name: String,
        /// What it holds.
        value: PathBuf,
    },
}

impl From<PathError> for Coded {
    fn from(error: PathError) -> Self {
        let message = error.to_string();
        match error {
            PathError::NoHome { variable } => Self::new(Kind::Usage, "paths.no_home", message)
                .expected("a directory to keep things in")
                .next(format!("set `{variable}` to an absolute path")),
            PathError::Relative { name, .. } => Self::new(Kind::Usage, "paths.relative", message)
                .expected("an absolute path")
                .next(format!("set `{name}` to an absolute path")),
        }
    }
}

struct Spec {
    flag: &'static str,
    variable: &'static str,
    xdg: Option<&'static str>,
    linux: &'static str,
}

const DATA: Spec = Spec { flag: "--data-dir", variable: "VOX_DATA_DIR", xdg: Some("XDG_DATA_HOME"), linux: ".local/share" };
const STATE: Spec = Spec { flag: "--state-dir", variable: "VOX_STATE_DIR", xdg: Some("XDG_STATE_HOME"), linux: ".local/state" };
const CONFIG: Spec = Spec { flag: "--config-dir", variable: "VOX_CONFIG_DIR", xdg: Some("XDG_CONFIG_HOME"), linux: ".config" };
const CACHE: Spec = Spec { flag: "--cache-dir", variable: "VOX_CACHE_DIR", xdg: Some("XDG_CACHE_HOME"), linux: ".cache" };
const SPOOL: Spec = Spec { flag: "--spool-dir", variable: "VOX_SPOOL_DIR", xdg: None, linux: "" };

/// Reads one environment variable.
pub type Env<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

impl Dirs {
    /// Resolves the five directories for the platform this runs on.
    ///
    /// # Errors
    /// A value is not absolute, or nothing names a directory and there is no home.
    pub fn resolve(flags: &DirFlags, env: &Env<'_>) -> Result<Self, PathError> {
        Self::resolve_for(Platform::here(), flags, env)
    }

    /// Resolves the five directories for a platform.
    ///
    /// # Errors
    /// As for [`Dirs::resolve`].
    pub fn resolve_for(platform: Platform, flags: &DirFlags, env: &Env<'_>) -> Result<Self, PathError> {
        let find = Find { platform, env };
        let data = find.dir(&DATA, flags.data.as_deref(), "Library/Application Support/vox")?;
        let state = find.below_data_on_mac(&STATE, flags.state.as_deref(), &data, "state")?;
        let config = find.below_data_on_mac(&CONFIG, flags.config.as_deref(), &data, "config")?;
        let cache = find.dir(&CACHE, flags.cache.as_deref(), "Library/Caches/vox")?;
        let spool = match find.said(&SPOOL, flags.spool.as_deref())? {
            Some(dir) => dir,
            None => Dir { path: data.path.join("spool"), source: Source::Default },
        };
        Ok(Self { data, state, config, cache, spool })
    }
}

struct Find<'a> {
    platform: Platform,
    env: &'a Env<'a>,
}

impl Find<'_> {
    fn dir(&self, spec: &Spec, flag: Option<&Path>, mac: &str) -> Result<Dir, PathError> {
        if let Some(dir) = self.said(spec, flag)? {
            return Ok(dir);
        }
        let home = self.value("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let home = home.ok_or(PathError::NoHome { variable: spec.variable })?;
        let path = match self.platform {
            Platform::Linux => home.join(spec.linux).join("vox"),
            Platform::MacOs => home.join(mac),
        };
        Ok(Dir { path, source: Source::Default })
    }

    fn below_data_on_mac(&self, spec: &Spec, flag: Option<&Path>, data: &Dir, name: &str) -> Result<Dir, PathError> {
        match self.platform {
            Platform::Linux => self.dir(spec, flag, ""),
            Platform::MacOs => Ok(self.said(spec, flag)?.unwrap_or_else(|| Dir { path: data.path.join(name), source: Source::Default })),
        }
    }

    /// Returns what a flag or a variable says, if either does.
    fn said(&self, spec: &Spec, flag: Option<&Path>) -> Result<Option<Dir>, PathError> {
        if let Some(path) = flag {
            return Ok(Some(Dir { path: absolute(spec.flag, path)?, source: Source::Flag }));
        }
        if let Some(value) = self.value(spec.variable) {
            return Ok(Some(Dir { path: absolute(spec.variable, Path::new(&value))?, source: Source::Env(spec.variable) }));
        }
        let Some((xdg, value)) = self.xdg(spec) else { return Ok(None) };
        Ok(Some(Dir { path: absolute(xdg, Path::new(&value))?.join("vox"), source: Source::Env(xdg) }))
    }

    fn xdg(&self, spec: &Spec) -> Option<(&'static str, OsString)> {
        let name = spec.xdg.filter(|_| self.platform == Platform::Linux)?;
        Some((name, self.value(name)?))
    }

    /// Returns a variable; an empty one counts as unset.
    fn value(&self, name: &str) -> Option<OsString> {
        (self.env)(name).filter(|value| !value.is_empty())
    }
}

fn absolute(name: &str, path: &Path) -> Result<PathBuf, PathError> {
    if path.is_absolute() { Ok(path.to_owned()) } else { Err(PathError::Relative { name: name.to_owned(), value: path.to_owned() }) }
}

#[cfg(test)]
mod tests;
