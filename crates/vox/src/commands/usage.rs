//! `vox usage`: what was used, what it cost, and what is held for calls whose node died.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use std::fmt::Write as _;
use vox_base::{Coded, Kind, NanoUsd};
use vox_node::usage::{self, Held, Line, Sums, UsageQuery, UsageReport};

/// Show what was used and what it cost. An unknown price is counted as `unpriced`, never as zero.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  vox usage --by day --since 2026-11-01\n  vox usage --by key --csv\n  vox usage --held"
)]
pub(crate) struct Usage {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// What a line is about.
    #[arg(long, value_name = "GROUP", default_value = "model", value_parser = ["key", "model", "provider", "day", "session", "run", "task"])]
    by: String,
    /// From this UTC day on.
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Until the end of this UTC day.
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Only calls of this key.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print comma-separated values (RFC 4180); an unknown amount is an empty field.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// List the calls whose node died before they were settled.
    #[arg(long, conflicts_with_all = ["csv", "since", "until", "key"])]
    held: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what a held call really cost.
    Reconcile(Reconcile),
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("cost").required(true))]
struct Reconcile {
    /// Interaction id, from `vox usage --held`.
    id: String,
    /// What it cost, in USD.
    #[arg(long, value_name = "AMOUNT", group = "cost", value_parser = usd)]
    usd: Option<NanoUsd>,
    /// It cost nothing.
    #[arg(long, group = "cost")]
    zero: bool,
}

fn usd(text: &str) -> std::result::Result<NanoUsd, String> {
    NanoUsd::from_usd(text.strip_prefix('$').unwrap_or(text)).map_err(|error| error.to_string())
}

impl Usage {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self.verb {
            Some(Verb::Reconcile(reconcile)) => reconcile.run(context),
            None if self.held => held(context),
            None => self.report(context),
        }
    }

    fn report(&self, context: &Context) -> Result {
        let mut query = UsageQuery::default();
        query.set("by", &self.by)?;
        if let Some(since) = &self.since {
            query.set("since", since)?;
        }
        if let Some(until) = &self.until {
            query.set("until", until)?;
            // A day is meant whole: the query ends before the first moment of the next one.
            query.until = query.until.map(|until| until.start_of_day().plus_millis(86_400_000));
        }
        let Some(store) = context.existing_store()? else { return Ok(self.answer(&empty(&self.by))) };
        let report = block_on(async {
            if let Some(key) = &self.key {
                query.set("key", &vox_node::key_admin::show(&store, context.now(), key).await?.key_id)?;
            }
            usage::report(&store, &query).await
        })??;
        Ok(self.answer(&report))
    }

    fn answer(&self, report: &UsageReport) -> Answer {
        let text = if self.csv { csv(report) } else { shown(report) };
        Answer::new("vox.usage.v1", report, text)
    }
}

fn empty(by: &str) -> UsageReport {
    let by = usage::GROUPS.iter().find(|(name, _)| *name == by).map_or("model", |(name, _)| name);
    UsageReport { by, lines: Vec::new(), total: Sums::default(), held_calls: 0, held_nano_usd: 0 }
}

fn shown(report: &UsageReport) -> String {
    let mut rows = vec![[report.by, "calls", "errors", "input", "cached", "output", "cost", "unpriced"].map(str::to_owned).to_vec()];
    rows.extend(report.lines.iter().map(|line| row(shown_group(report.by, line), &line.sums)));
    rows.push(row("total", &report.total));
    let mut text = table(&rows);
    if report.total.unpriced_calls > 0 {
        let _ = writeln!(text, "the cost leaves out {} unpriced calls: their price is not known", report.total.unpriced_calls);
    }
    if let Some(saved) = report.total.cache_savings_nano_usd.filter(|saved| *saved != 0) {
        let _ = writeln!(text, "prompt caches saved {}", NanoUsd::new(saved));
    }
    if report.held_calls > 0 {
        let _ =
            writeln!(text, "besides, {} is held for {} calls: `vox usage --held`", NanoUsd::new(report.held_nano_usd), report.held_calls);
    }
    text
}

/// Returns a group as people know it: a key by its name, and calls without a key as their own.
fn shown_group<'a>(by: &str, line: &'a Line) -> &'a str {
    let nobody = if by == "key" { "you" } else { "unknown" };
    line.name.as_deref().or(line.group.as_deref()).unwrap_or(nobody)
}

fn row(group: &str, sums: &Sums) -> Vec<String> {
    let count = |count: Option<i64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    vec![
        group.to_owned(),
        sums.calls.to_string(),
        sums.errors.to_string(),
        count(sums.input_tokens),
        count(sums.cache_read_tokens),
        count(sums.output_tokens),
        cost(sums),
        sums.unpriced_calls.to_string(),
    ]
}

fn cost(sums: &Sums) -> String {
    match sums.cost_nano_usd {
        Some(nano_usd) => NanoUsd::new(nano_usd).to_string(),
        None if sums.calls > 0 => "unpriced".to_owned(),
        None => NanoUsd::ZERO.to_string(),
    }
}

/// The columns of the CSV, after the group.
const COLUMNS: &str = "calls,errors,unpriced_calls,unmetered_calls,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_nano_usd,cache_savings_nano_usd";

fn csv(report: &UsageReport) -> String {
    let mut text = format!("{},{COLUMNS}\n", report.by);
    for Line { group, sums, .. } in &report.lines {
        let optional = [
            sums.input_tokens,
            sums.cache_read_tokens,
            sums.cache_write_tokens,
            sums.output_tokens,
            sums.reasoning_tokens,
            sums.cost_nano_usd,
            sums.cache_savings_nano_usd,
        ];
        let known = [sums.calls, sums.errors, sums.unpriced_calls, sums.unmetered_calls];
        let numbers =
            known.into_iter().map(Some).chain(optional).map(|number| number.map_or_else(String::new, |number| number.to_string()));
        let _ = writeln!(text, "{},{}", field(group.as_deref().unwrap_or("")), numbers.collect::<Vec<_>>().join(","));
    }
    text
}

/// Quotes a field where RFC 4180 asks for it, and takes the meaning from what a spreadsheet would run.
pub(crate) fn field(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn held(context: &Context) -> Result {
    let held: Vec<Held> = match context.existing_store()? {
        Some(store) => block_on(usage::held(&store))??,
        None => Vec::new(),
    };
    let mut rows = vec![["call", "key", "held", "since"].map(str::to_owned).to_vec()];
    rows.extend(held.iter().map(|call| {
        vec![
            call.interaction_id.clone(),
            call.key_id.clone().unwrap_or_else(|| "you".to_owned()),
            NanoUsd::new(call.held_nano_usd).to_string(),
            call.opened_at.clone(),
        ]
    }));
    let text = if held.is_empty() {
        "nothing is held\n".to_owned()
    } else {
        format!("{}`vox usage reconcile CALL --usd AMOUNT` says what one really cost\n", table(&rows))
    };
    Ok(Answer::new("vox.usage.held.v1", json!({ "held": held }), text))
}

impl Reconcile {
    fn run(&self, context: &Context) -> Result {
        let Some(_) = context.existing_store()? else {
            return Err(Coded::new(Kind::Failed, "gateway.held_unknown", format!("no call `{}` is held", self.id)).next("vox usage --held"));
        };
        let cost = self.usd.unwrap_or(NanoUsd::ZERO);
        let held = block_on(usage::reconcile(&context.store()?, context.now(), &self.id, cost, "cli"))??;
        let text = format!("call {}: {cost} instead of the {} that was held", held.interaction_id, NanoUsd::new(held.held_nano_usd));
        Ok(Answer::new("vox.usage.reconcile.v1", json!({ "call": held, "cost_nano_usd": cost.get() }), text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_field_is_quoted_and_harmless() {
        assert_eq!(field("a/b"), "a/b");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field("=1+1"), "'=1+1");
    }

    #[test]
    fn gw_61_an_unknown_cost_is_unpriced_and_an_empty_field() {
        let sums = Sums { calls: 2, unpriced_calls: 2, ..Sums::default() };
        let report = UsageReport {
            by: "model",
            lines: vec![Line { group: Some("m".into()), name: None, sums: sums.clone() }],
            total: sums,
            held_calls: 0,
            held_nano_usd: 0,
        };
        assert!(shown(&report).contains("unpriced"));
        assert!(!shown(&report).contains('$'));
        assert_eq!(csv(&report).lines().last(), Some("m,2,0,2,0,,,,,,,"));
    }
}
