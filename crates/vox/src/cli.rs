//! The command line: global flags and the table of commands. Each command's arguments stand with its code in
//! `commands/`; the doc comments are the help text.

use crate::commands;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// One address between your coding agents and the models, secrets and machines they use.
#[derive(Debug, Parser)]
#[command(
    name = "vox",
    version,
    max_term_width = 110,
    subcommand_required = false,
    arg_required_else_help = false,
    disable_help_subcommand = true,
    after_help = "Examples:\n  vox up                      first run: find keys and engines, start the node\n  vox chat \"hello\"            one question, one answer\n  vox model explain \"hello\"   which model would answer, and why"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Print one JSON document on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Open no connection except to this machine.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Never ask; a missing answer is an error that names the flag.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// When to use colour.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Say more on stderr; twice for debugging.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Only errors on stderr.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Directory of the store.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Directory of logs and pid files.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Directory of the user's configuration.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) config_dir: Option<PathBuf>,
    /// Directory of what can be made again.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Directory of event streams.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) spool_dir: Option<PathBuf>,
    /// The store: a file, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`.
    #[arg(long, global = true, value_name = "URL|FILE")]
    pub(crate) db: Option<String>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(commands::up::Up),
    Down(commands::node::Down),
    Status(commands::node::Status),
    Serve(commands::serve::Serve),
    Chat(commands::chat::Chat),
    Doctor(commands::doctor::Doctor),
    #[command(subcommand)]
    Model(commands::model::Model),
    Feedback(commands::feedback::Feedback),
    #[command(subcommand)]
    Keys(commands::keys::Keys),
    Usage(commands::usage::Usage),
    #[command(subcommand)]
    Report(commands::report::Report),
    Trace(commands::trace::Trace),
    #[command(subcommand)]
    Providers(commands::providers::Providers),
    #[command(subcommand)]
    Secrets(commands::secrets::Secrets),
    #[command(subcommand)]
    Db(commands::db::Db),
    Completions(commands::completions::Completions),
    Help(commands::help::Help),
}
