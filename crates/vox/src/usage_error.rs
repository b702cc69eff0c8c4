//! A command line that clap cannot read: help and version are answers, the rest is exit 2 with near names.

use crate::config::{self, Environment};
use crate::output::{Output, stderr, stdout};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::io::IsTerminal;
use std::process::ExitCode;
use vox_base::{Coded, Kind};

/// Prints what clap has to say, as JSON if `--json` stands anywhere on the command line.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        stdout(&error.render().to_string());
        return ExitCode::SUCCESS;
    }
    if config::wants_json() {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
        let mut coded = Coded::new(Kind::Usage, "cli.usage", message).next("`vox --help`");
        if let Some(near) = near(error) {
            coded = coded.expected(near);
        }
        Output::new(true, false, true).error(&coded);
    } else if std::io::stderr().is_terminal() && Environment::read().text("NO_COLOR").is_none() {
        stderr(&error.render().ansi().to_string());
    } else {
        stderr(&error.render().to_string());
    }
    ExitCode::from(2)
}

fn near(error: &clap::Error) -> Option<String> {
    let kinds = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::ValidValue];
    kinds.iter().find_map(|kind| match error.get(*kind)? {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) => Some(names.join(", ")),
        _ => None,
    })
}
