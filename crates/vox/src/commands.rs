//! One file per noun; each holds its arguments, whose doc comments are the help, and the code right below.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod db;
pub(crate) mod doctor;
pub(crate) mod feedback;
pub(crate) mod help;
pub(crate) mod keys;
pub(crate) mod model;
pub(crate) mod node;
pub(crate) mod providers;
pub(crate) mod report;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod trace;
pub(crate) mod up;
pub(crate) mod usage;

use crate::cli::Command;
use crate::context::Context;
use crate::output::Answer;
use vox_base::Coded;

/// What a command ends in.
pub(crate) type Result<T = Answer> = std::result::Result<T, Coded>;

/// Runs a command; without one, says how things stand.
pub(crate) fn run(context: &Context, command: Option<Command>) -> Result {
    match command {
        None => node::bare(context),
        Some(Command::Up(command)) => command.run(context),
        Some(Command::Down(command)) => command.run(context),
        Some(Command::Status(command)) => command.run(context),
        Some(Command::Serve(command)) => command.run(context),
        Some(Command::Chat(command)) => command.run(context),
        Some(Command::Doctor(command)) => command.run(context),
        Some(Command::Model(command)) => command.run(context),
        Some(Command::Feedback(command)) => command.run(context),
        Some(Command::Report(command)) => command.run(context),
        Some(Command::Keys(command)) => command.run(context),
        Some(Command::Usage(command)) => command.run(context),
        Some(Command::Trace(command)) => command.run(context),
        Some(Command::Providers(command)) => command.run(context),
        Some(Command::Secrets(command)) => command.run(context),
        Some(Command::Db(command)) => command.run(context),
        Some(Command::Completions(command)) => command.run(context),
        Some(Command::Help(command)) => command.run(context),
    }
}

/// Runs async work on a runtime of its own; commands that need none start none.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Coded::new(vox_base::Kind::Failed, "cli.runtime", format!("no runtime: {error}")))?;
    Ok(runtime.block_on(work))
}

/// Reads a time such as `30s`, `500ms`, `24h` or `30d`.
pub(crate) fn duration(text: &str) -> std::result::Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no time: expected for example `30s`, `24h` or `30d`"))?;
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => return Err(format!("`{unit}` is no unit of time: expected ms, s, m, h or d")),
    };
    number.checked_mul(millis).map(std::time::Duration::from_millis).ok_or_else(|| format!("`{text}` is too long"))
}
