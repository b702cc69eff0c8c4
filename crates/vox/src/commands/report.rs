//! `vox report`: what happened, put together for people.

use super::model::percent;
use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use vox_base::{Coded, Kind, NanoUsd};
use vox_node::scoreboard::{WeekLine, week};
use vox_store::Span;

/// Put together what happened.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox report weekly\n  vox report weekly --since 2026-11-01 --json")]
pub(crate) enum Report {
    /// Show what each provider did: calls, success, cost.
    Weekly(Weekly),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Weekly {
    /// From this UTC day on; seven days unless told.
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
}

const WEEK_MS: i64 = 7 * 86_400_000;

impl Report {
    pub(crate) fn run(self, context: &Context) -> Result {
        let Self::Weekly(weekly) = self;
        weekly.run(context)
    }
}

impl Weekly {
    fn run(&self, context: &Context) -> Result {
        let now = context.now();
        let after = match &self.since {
            None => now.plus_millis(-WEEK_MS),
            Some(text) => text.parse().map_err(|error: vox_base::InvalidTime| {
                Coded::new(Kind::Usage, "gateway.flag_invalid", format!("`since` cannot be `{text}`"))
                    .at("since")
                    .expected(error.to_string())
            })?,
        };
        let snapshot = context.preview()?;
        let lines = match context.existing_store()? {
            None => Vec::new(),
            Some(store) => block_on(week(&store, &snapshot, Span { after, until: now }))??,
        };
        let text = format!("{}{after} to {now}\n", shown(&lines));
        Ok(Answer::new("vox.report.weekly.v1", json!({ "since": after.to_string(), "until": now.to_string(), "providers": lines }), text))
    }
}

fn shown(lines: &[WeekLine]) -> String {
    let mut rows = vec![
        ["provider", "runs", "calls", "units", "success", "95 % interval", "cost", "a success", "p50 ms", "caches saved"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(lines.iter().map(|line| {
        let dash = || "-".to_owned();
        let unknown = if line.is_priced { "unpriced" } else { "not priced" };
        let money =
            |nano_usd: Option<i64>, unknown: &str| nano_usd.map_or_else(|| unknown.to_owned(), |nano| NanoUsd::new(nano).to_string());
        vec![
            line.provider.clone(),
            line.locality.clone(),
            line.n_calls.to_string(),
            line.n_units.to_string(),
            line.success_ppm.map_or_else(dash, percent),
            line.interval_ppm.map_or_else(dash, |(low, high)| format!("{} – {}", percent(low), percent(high))),
            money(line.cost_nano_usd, unknown),
            money(line.cost_per_success_nano_usd, if line.is_priced { "-" } else { "not priced" }),
            line.p50_latency_ms.map_or_else(dash, |ms| ms.to_string()),
            money(line.cache_savings_nano_usd, "-"),
        ]
    }));
    table(&rows)
}
