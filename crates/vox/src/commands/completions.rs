//! `vox completions`: scripts for shells, made from the command line's own description.

use super::Result;
use crate::cli::Cli;
use crate::context::Context;
use crate::output::Answer;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

/// Print a completion script for your shell.
///
/// It knows commands, flags and fixed values; it opens and makes no file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox completions bash > ~/.local/share/bash-completion/completions/vox\n  vox completions fish > ~/.config/fish/completions/vox.fish"
)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "every command has this form")]
    pub(crate) fn run(self, _context: &Context) -> Result {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vox", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        Ok(Answer::new("vox.completions.v1", json!({ "shell": self.shell.to_string(), "script": script }), script))
    }
}
