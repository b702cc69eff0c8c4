//! `vox model scoreboard`: how each model did, as it was rolled up.

use super::percent;
use crate::commands::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use std::fmt::Write as _;
use vox_base::NanoUsd;
use vox_node::scoreboard::{Group, ScoreLine, ScoreQuery, lines};

/// Show or export how each model did.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  vox model scoreboard show --window 7\n  vox model scoreboard show --group-by provider --with-cache\n  vox model scoreboard export --csv -"
)]
pub(crate) enum Scoreboard {
    /// Show one window.
    Show(Show),
    /// Write all rows as CSV.
    Export(Export),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// Only this model: its provider's name for it, or `provider/model`.
    model: Option<String>,
    /// Days of the window.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    window: i64,
    /// Only this task.
    #[arg(long)]
    task: Option<String>,
    /// Put calls together.
    #[arg(long, value_name = "WHAT", value_parser = ["offer", "model", "provider", "task"])]
    group_by: Option<String>,
    /// Show what prompt caches saved, less what writing them cost.
    #[arg(long)]
    with_cache: bool,
    /// Only the calls of this key.
    #[arg(long, value_name = "KEY")]
    caller: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The file, or `-` for stdout.
    #[arg(long, value_name = "FILE")]
    csv: String,
}

impl Scoreboard {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self {
            Self::Show(show) => show.run(context),
            Self::Export(export) => export.run(context),
        }
    }
}

impl Show {
    fn run(self, context: &Context) -> Result {
        let snapshot = context.preview()?;
        if let Some(task) = &self.task {
            vox_route::name::check_task(task, &snapshot.contract)?;
        }
        let group = self.group_by.as_deref().map(|name| match name {
            "model" => Group::Model,
            "provider" => Group::Provider,
            "task" => Group::Task,
            _ => Group::Offer,
        });
        let found = match context.existing_store()? {
            None => None,
            Some(store) => block_on(async {
                let caller = match &self.caller {
                    None => None,
                    Some(key) => vox_node::key_admin::show(&store, context.now(), key).await?.key_id.parse().ok(),
                };
                let query = ScoreQuery { window_days: self.window, model: self.model.clone(), task: self.task.clone(), caller, group };
                lines(&store, &snapshot, &query).await
            })??,
        };
        let Some((as_of, lines)) = found else {
            let data = json!({ "as_of": null, "window_days": self.window, "lines": [] });
            return Ok(Answer::new("vox.model.scoreboard.v1", data, "no scoreboard yet: `vox model rollup` makes one\n"));
        };
        let text = format!("{}{} days up to {as_of}\n", shown(&lines, self.with_cache), self.window);
        Ok(Answer::new("vox.model.scoreboard.v1", json!({ "as_of": as_of.to_string(), "window_days": self.window, "lines": lines }), text))
    }
}

fn shown(lines: &[ScoreLine], with_cache: bool) -> String {
    let mut heading = vec![
        "offer",
        "task",
        "calls",
        "units",
        "success",
        "95 % interval",
        "quality",
        "p50 ms",
        "p99 ms",
        "available",
        "cost",
        "a success",
    ];
    if with_cache {
        heading.push("caches saved");
    }
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(lines.iter().map(|line| {
        let interval = line
            .ci_low_ppm
            .zip(line.ci_high_ppm)
            .map_or_else(|| "-".to_owned(), |(low, high)| format!("{} – {}", percent(low), percent(high)));
        let mut row = vec![
            offer(line),
            line.task.clone(),
            line.n_calls.to_string(),
            line.n_units.to_string(),
            line.success_ppm.map_or_else(|| "-".to_owned(), percent),
            interval,
            line.quality_ppm.map_or_else(|| "-".to_owned(), percent),
            number(line.p50_latency_ms),
            number(line.p99_latency_ms),
            line.availability_ppm.map_or_else(|| "-".to_owned(), percent),
            money(line.cost_nano_usd, if line.is_priced { "unpriced" } else { "not priced" }),
            money(line.cost_per_success_nano_usd, if line.is_priced { "-" } else { "not priced" }),
        ];
        if with_cache {
            row.push(money(line.cache_savings_nano_usd, "-"));
        }
        row
    }));
    table(&rows)
}

fn offer(line: &ScoreLine) -> String {
    match (&*line.provider, &*line.model) {
        ("*", model) => model.to_owned(),
        (provider, "*") => provider.to_owned(),
        (provider, model) => format!("{provider}/{model}"),
    }
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn money(nano_usd: Option<i64>, unknown: &str) -> String {
    nano_usd.map_or_else(|| unknown.to_owned(), |nano_usd| NanoUsd::new(nano_usd).to_string())
}

const COLUMNS: &str = "provider_canonical,model,task,caller_scope,window_days,n_calls,n_units,success_w_ppm,fail_w_ppm,success_ppm,\
    ci_low_ppm,ci_high_ppm,p50_latency_ms,p99_latency_ms,p50_ttft_ms,availability_ppm,cost_nano_usd,unpriced_calls,\
    cost_per_success_nano_usd,quality_ppm,cache_savings_nano_usd,context_utilization_bp_p50,confidence,as_of";

impl Export {
    fn run(self, context: &Context) -> Result {
        let rows = match context.existing_store()? {
            None => Vec::new(),
            Some(store) => block_on(store.scores(None))??,
        };
        let mut csv = format!("{COLUMNS}\n");
        for row in &rows {
            let names = [&row.provider_canonical, &row.model, &row.task, &row.caller_scope].map(|name| crate::commands::usage::field(name));
            let money = |amount: Option<NanoUsd>| amount.map(NanoUsd::get);
            let numbers = [
                Some(row.window_days),
                Some(row.n_calls),
                Some(row.n_units),
                Some(row.success_w_ppm),
                Some(row.fail_w_ppm),
                row.success_ppm,
                row.ci_low_ppm,
                row.ci_high_ppm,
                row.p50_latency_ms,
                row.p99_latency_ms,
                row.p50_ttft_ms,
                row.availability_ppm,
                money(row.cost_nano_usd),
                Some(row.unpriced_calls),
                money(row.cost_per_success_nano_usd),
                row.quality_ppm,
                money(row.cache_savings_nano_usd),
                row.context_utilization_bp_p50,
            ];
            let numbers = numbers.map(|number| number.map_or_else(String::new, |number| number.to_string()));
            let _ = writeln!(csv, "{},{},{},{}", names.join(","), numbers.join(","), row.confidence, row.as_of.millis());
        }
        let data = json!({ "file": self.csv, "n_rows": rows.len() });
        if self.csv == "-" {
            return Ok(Answer::new("vox.model.scoreboard.export.v1", data, csv));
        }
        vox_host::fs::replace(std::path::Path::new(&self.csv), csv.as_bytes(), &*context.entropy)?;
        Ok(Answer::new("vox.model.scoreboard.export.v1", data, format!("{} rows in {}", rows.len(), self.csv)))
    }
}
