//! Sets up logging once, for a command or for the node.

use crate::context::Context;
use std::sync::Arc;
use vox_base::{Coded, Kind};
use vox_host::paths::Dirs;
use vox_telemetry::Redactor;
use vox_telemetry::subscriber::{self, Format, LogParts, LogSettings, Profile, Verbosity};

/// Logging of a command: warnings on stderr, more with `-v`.
pub(crate) fn cli(context: &Context) -> Result<(), Coded> {
    start(context, Profile::Cli, None)
}

/// Logging of the node: JSON lines on stderr and in a file.
pub(crate) fn daemon(context: &Context, dirs: &Dirs) -> Result<(), Coded> {
    start(context, Profile::Daemon, Some(dirs))
}

fn start(context: &Context, profile: Profile, dirs: Option<&Dirs>) -> Result<(), Coded> {
    let mut settings = LogSettings::of(profile);
    settings.filter = context.env.text("VOX_LOG").or_else(|| context.env.text("RUST_LOG")).map(str::to_owned);
    settings.verbosity = match (context.global.quiet, context.global.verbose) {
        (true, _) => Some(Verbosity::Quiet),
        (false, 0) => None,
        (false, 1) => Some(Verbosity::Verbose),
        (false, _) => Some(Verbosity::VeryVerbose),
    };
    settings.format = match context.env.text("VOX_LOG_FORMAT") {
        None => None,
        Some("text") => Some(Format::Text),
        Some("json") => Some(Format::Json),
        Some(other) => {
            return Err(Coded::new(Kind::Usage, "telemetry.log_filter", format!("no log format is called `{other}`"))
                .at("VOX_LOG_FORMAT")
                .expected("`text` or `json`"));
        }
    };
    settings.directory = dirs.map(|dirs| dirs.state.path.join("logs"));
    settings.file = context.env.text("VOX_LOG_FILE").map(Into::into);
    settings.colour = context.out.color;
    let parts = LogParts { redactor: Arc::new(Redactor::new(context.env.text("HOME"))), clock: context.clock.clone() };
    subscriber::init(&settings, &parts).map(drop).map_err(|error| {
        Coded::new(Kind::Usage, "telemetry.log_filter", error.to_string())
            .at("VOX_LOG")
            .expected("a level such as `debug`, or `target=level,…`")
    })
}
