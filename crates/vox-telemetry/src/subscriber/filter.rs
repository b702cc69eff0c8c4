//! Which lines are shown: a filter string beats the flags, the flags beat the profile.

use tracing_subscriber::filter::{LevelFilter, Targets};
use vox_base::{Coded, Kind};

/// Least level that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What may be wrong.
    Warn,
    /// What happens.
    Info,
    /// Why.
    Debug,
    /// Every step.
    Trace,
}

impl Level {
    const NAMES: [(&'static str, Self); 6] = [
        ("off", Self::Off),
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    fn named(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// What `-q` and `-v` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// `-q`: errors only.
    Quiet,
    /// `-v`: also what happens.
    Verbose,
    /// `-vv`: also why.
    VeryVerbose,
}

impl Verbosity {
    const fn level(self) -> Level {
        match self {
            Self::Quiet => Level::Error,
            Self::Verbose => Level::Info,
            Self::VeryVerbose => Level::Debug,
        }
    }
}

/// A piece of a filter is neither a level nor `target=level`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{piece}` is no log filter")]
pub struct InvalidFilter {
    /// The piece between the commas.
    pub piece: String,
}

impl From<InvalidFilter> for Coded {
    fn from(error: InvalidFilter) -> Self {
        Self::new(Kind::Usage, "telemetry.bad_log_filter", error.to_string())
            .expected("`off`, `error`, `warn`, `info`, `debug` or `trace`, or `target=level`, separated by commas")
            .next("set `VOX_LOG=debug` or `VOX_LOG=warn,vox_route=debug`")
    }
}

pub(super) fn targets(profile: Level, verbosity: Option<Verbosity>, filter: Option<&str>) -> Result<Targets, InvalidFilter> {
    let mut default = verbosity.map_or(profile, Verbosity::level);
    let mut targets = Targets::new();
    for piece in filter.unwrap_or_default().split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let invalid = || InvalidFilter { piece: piece.to_owned() };
        match piece.split_once('=') {
            None => default = Level::named(piece).ok_or_else(invalid)?,
            Some((target, level)) if is_target(target) => {
                targets = targets.with_target(target, Level::named(level).ok_or_else(invalid)?.filter());
            }
            Some(_) => return Err(invalid()),
        }
    }
    Ok(targets.with_default(default.filter()))
}

fn is_target(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-'))
}
