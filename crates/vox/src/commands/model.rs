//! `vox model`: which models there are, where the lists come from, and which would answer and why.

mod discover;
mod explain;
mod list;
mod penalties;
mod pricing;
mod rollup;
mod scoreboard;

use super::Result;
use crate::context::Context;

/// List models, fetch model lists, and explain decisions.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  vox model list --task code_gen --sort price\n  vox model discover\n  vox model explain \"fix this bug\" --task debugging"
)]
pub(crate) enum Model {
    /// List the offers of the catalog.
    List(list::List),
    /// Show one model: its offers, and where each field comes from.
    Show(list::Show),
    /// Explain which model would answer, or why one did. Opens no connection and writes nothing.
    Explain(Box<explain::Explain>),
    /// Fetch model lists that are due.
    Discover(discover::Discover),
    /// Show how old each model list is.
    Sources,
    /// Measure the last days and replace the scoreboard by what comes out.
    Rollup(rollup::Rollup),
    /// Show or export how each model did.
    #[command(subcommand)]
    Scoreboard(scoreboard::Scoreboard),
    /// Show which models are set back on a task, or end it.
    Penalties(penalties::Penalties),
    /// Compare what providers charge with their price lists.
    #[command(subcommand)]
    Pricing(pricing::Pricing),
}

impl Model {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self {
            Self::Rollup(rollup) => rollup.run(context),
            Self::Scoreboard(scoreboard) => scoreboard.run(context),
            Self::Penalties(penalties) => penalties.run(context),
            Self::Pricing(pricing) => pricing.run(context),
            Self::List(list) => list.run(context),
            Self::Show(show) => show.run(context),
            Self::Explain(explain) => explain.run(context),
            Self::Discover(discover) => discover.run(context),
            Self::Sources => discover::sources(context),
        }
    }
}

/// Returns a share as people read it: `83.3%`.
pub(crate) fn percent(ppm: i64) -> String {
    format!("{}.{}%", ppm / 10_000, ppm / 1000 % 10)
}
