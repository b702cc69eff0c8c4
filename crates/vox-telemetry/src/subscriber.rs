//! The one log initialiser: profiles, levels, text or JSON on stderr, JSON lines in a file.
//!
//! Every line passes the redactor, and control characters from outside never reach a terminal raw. stdout is not used.

mod contract;
mod escape;
mod file;
mod filter;
mod line;

pub use contract::{FileRules, Format, LogContract, Profile, ProfileRules};
pub use filter::{InvalidFilter, Verbosity};

use crate::Redactor;
use file::FileSink;
use line::Writer;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;
use vox_base::Clock;

/// What the user and the command ask of logs.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Which defaults apply.
    pub profile: Profile,
    /// Filter such as `debug` or `warn,vox_route=debug`; beats the flags.
    pub filter: Option<String>,
    /// What `-v`, `-vv` or `-q` say; beats the profile.
    pub verbosity: Option<Verbosity>,
    /// Text or JSON on stderr; beats the profile.
    pub format: Option<Format>,
    /// Directory of the daily files, for profiles that write them.
    pub directory: Option<PathBuf>,
    /// One file to write to instead, in any profile.
    pub file: Option<PathBuf>,
    /// Whether stderr may be coloured.
    pub colour: bool,
}

impl LogSettings {
    /// Returns the settings of a profile without wishes.
    #[must_use]
    pub const fn of(profile: Profile) -> Self {
        Self { profile, filter: None, verbosity: None, format: None, directory: None, file: None, colour: false }
    }
}

/// What is needed besides settings.
#[derive(Clone)]
pub struct LogParts {
    /// Masks secrets.
    pub redactor: Arc<Redactor>,
    /// Dates lines and files.
    pub clock: Arc<dyn Clock>,
}

static FILE: OnceLock<Option<Arc<FileSink>>> = OnceLock::new();

/// Starts logging for the whole process, to stderr and the file the settings name. Returns whether it did: a second call
/// changes nothing.
///
/// # Errors
/// The filter does not parse.
pub fn init(settings: &LogSettings, parts: &LogParts) -> Result<bool, InvalidFilter> {
    let logs = build(settings, parts, Box::new(std::io::stderr()))?;
    if tracing::dispatcher::set_global_default(logs.dispatch).is_err() {
        return Ok(false);
    }
    Ok(FILE.set(logs.file).is_ok())
}

/// Waits until every line so far is in the file; to be called before the process ends.
pub fn flush() {
    if let Some(Some(file)) = FILE.get() {
        file.flush();
    }
}

/// Logging that is not the process's: tests hand it to `tracing::subscriber::with_default`.
pub struct Logs {
    /// What to log through.
    pub dispatch: Dispatch,
    file: Option<Arc<FileSink>>,
}

impl Logs {
    /// Waits until every line so far is in the file.
    pub fn flush(&self) {
        if let Some(file) = &self.file {
            file.flush();
        }
    }
}

/// Builds logging that writes to `screen` instead of stderr.
///
/// # Errors
/// The filter does not parse.
pub fn build(settings: &LogSettings, parts: &LogParts, screen: Box<dyn Write + Send>) -> Result<Logs, InvalidFilter> {
    build_with(&LogContract::embedded(), settings, parts, screen)
}

/// Builds logging by a contract other than the embedded one.
///
/// # Errors
/// The filter does not parse.
pub fn build_with(
    contract: &LogContract,
    settings: &LogSettings,
    parts: &LogParts,
    screen: Box<dyn Write + Send>,
) -> Result<Logs, InvalidFilter> {
    let rules = contract.profile(settings.profile);
    let targets = filter::targets(rules.level, settings.verbosity, settings.filter.as_deref())?;
    let file = file(contract, rules, settings, parts);
    let writer = Writer::new(settings.format.unwrap_or(rules.format), settings.colour, parts.clone(), screen, file.clone());
    let subscriber = tracing_subscriber::registry().with(targets).with(writer);
    Ok(Logs { dispatch: Dispatch::new(subscriber), file })
}

fn file(contract: &LogContract, rules: &ProfileRules, settings: &LogSettings, parts: &LogParts) -> Option<Arc<FileSink>> {
    let place = match (&settings.file, &settings.directory) {
        (Some(path), _) => file::Place::Fixed(path.clone()),
        (None, Some(directory)) if rules.file => file::Place::Daily { directory: directory.clone(), prefix: settings.profile.name() },
        _ => return None,
    };
    Some(Arc::new(FileSink::new(place, contract.file.clone(), parts.clock.clone())))
}

#[cfg(test)]
mod tests;
