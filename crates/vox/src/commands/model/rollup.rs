//! `vox model rollup`: measures windows of days and replaces the scoreboard.

use crate::commands::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use vox_base::{Coded, Kind};
use vox_node::rollup::{self, Keep, WINDOWS};

/// Measure the last days and replace the scoreboard by what comes out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox model rollup\n  vox model rollup --windows 7 --dry-run")]
pub(crate) struct Rollup {
    /// Windows in days, separated by commas.
    #[arg(long, value_name = "DAYS,…", value_delimiter = ',', default_values_t = WINDOWS, value_parser = clap::value_parser!(i64).range(1..=3650))]
    windows: Vec<i64>,
    /// The moment the windows end; now unless told.
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Write nothing.
    #[arg(long, alias = "plan")]
    dry_run: bool,
}

impl Rollup {
    pub(crate) fn run(self, context: &Context) -> Result {
        let as_of = match &self.as_of {
            None => context.now(),
            Some(text) => text.parse().map_err(|error: vox_base::InvalidTime| {
                Coded::new(Kind::Usage, "gateway.flag_invalid", format!("`as-of` cannot be `{text}`"))
                    .at("as-of")
                    .expected(error.to_string())
            })?,
        };
        let snapshot = context.preview()?;
        let Some(_) = context.existing_store()? else { return Err(no_store()) };
        let store = context.store()?;
        let keep = if self.dry_run { Keep::Nothing } else { Keep::Asked };
        let report = block_on(rollup::roll_up(&store, &snapshot, &self.windows, as_of, keep))??;
        let mut rows = vec![["window", "rows", "calls", "units"].map(str::to_owned).to_vec()];
        rows.extend(report.windows.iter().map(|window| {
            vec![format!("{} days", window.days), window.n_rows.to_string(), window.n_calls.to_string(), window.n_units.to_string()]
        }));
        let done = if self.dry_run { "nothing was written" } else { "the scoreboard was replaced" };
        let text = format!("{}as of {}; {} models compared with their price list; {done}\n", table(&rows), report.as_of, report.n_priced);
        Ok(Answer::new("vox.model.rollup.v1", report, text))
    }
}

fn no_store() -> Coded {
    Coded::new(Kind::Failed, "gateway.trace_unknown", "no call is stored yet").next("vox chat \"hello\"")
}
