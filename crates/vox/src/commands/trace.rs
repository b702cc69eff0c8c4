//! `vox trace`: one call as it went.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use std::fmt::Write as _;
use vox_base::{Coded, Kind, NanoUsd};
use vox_node::trace::{AttemptReport, TraceReport, find};

/// Show one call: why this model, every attempt, tokens, and what it cost line by line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox trace last\n  vox trace last --json")]
pub(crate) struct Trace {
    /// Interaction id, trace id, or `last`.
    id: String,
}

impl Trace {
    pub(crate) fn run(self, context: &Context) -> Result {
        let Some(store) = context.existing_store()? else {
            return Err(Coded::new(Kind::Failed, "gateway.trace_unknown", "no call is stored yet").next("vox up"));
        };
        let report = block_on(find(&store, &self.id))??;
        let text = shown(&report);
        Ok(Answer::new("vox.trace.v1", report, text))
    }
}

fn shown(report: &TraceReport) -> String {
    let mut text = String::new();
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let _ = writeln!(text, "call      {}  {}", report.interaction_id, report.started_at);
    let _ = writeln!(text, "trace     {} ({})", report.trace_id, report.trace_origin);
    let _ = writeln!(text, "asked     {} by {}", or_unknown(&report.requested_model), report.key_id.as_deref().unwrap_or("you"));
    if let Some(decision) = &report.decision {
        let task = decision.task.as_deref().unwrap_or("unknown");
        let complexity = decision.complexity.map_or_else(String::new, |complexity| format!(", complexity {complexity}"));
        let _ = writeln!(text, "decision  {}  {} ({}; task {task}{complexity})", decision.decision_id, decision.reason, decision.mode);
        if let Some(session) = &report.session_id {
            let _ = writeln!(text, "session   {session}{}", known(&decision.session));
        }
    }
    if let (Some(provider), Some(model)) = (&report.provider, &report.model) {
        let _ = writeln!(text, "answered  {provider}/{model}");
    }
    let stop = report.stop_reason.as_deref().map_or_else(String::new, |reason| format!(", stopped by {reason}"));
    let _ = writeln!(text, "outcome   {}{stop}", report.outcome);
    let _ = writeln!(text, "time      {}", times(report));
    text.push_str(&tokens(report));
    text.push_str(&cost(report));
    if !report.attempts.is_empty() {
        text.push_str("\nattempts\n");
        text.push_str(&attempts(&report.attempts));
    }
    text
}

fn times(report: &TraceReport) -> String {
    let parts = [
        report.latency_ms.map(|ms| format!("{ms} ms in all")),
        report.ttft_ms.map(|ms| format!("first token after {ms} ms")),
        report.overhead_us.map(|us| format!("{us} µs in vox")),
    ];
    let known: Vec<String> = parts.into_iter().flatten().collect();
    if known.is_empty() { "unknown".to_owned() } else { known.join(", ") }
}

fn tokens(report: &TraceReport) -> String {
    let tokens = &report.tokens;
    let classes = [
        ("input", tokens.input),
        ("cache read", tokens.cache_read),
        ("cache write 5 m", tokens.cache_write_5m),
        ("cache write 1 h", tokens.cache_write_1h),
        ("output", tokens.output),
        ("reasoning", tokens.reasoning),
    ];
    let known: Vec<String> = classes.into_iter().filter_map(|(class, count)| Some(format!("{} {class}", count?))).collect();
    format!("tokens    {}\n", if known.is_empty() { "not reported".to_owned() } else { known.join(", ") })
}

fn cost(report: &TraceReport) -> String {
    let amount = |nano_usd: Option<i64>| nano_usd.map_or_else(|| "unpriced".to_owned(), |nano_usd| NanoUsd::new(nano_usd).to_string());
    let mut text = format!("cost      {} ({})\n", amount(report.cost_nano_usd), report.cost_source);
    for line in &report.cost_lines {
        let price = line
            .price_micros_per_mtok
            .map_or_else(String::new, |price| format!(" at {} per million", NanoUsd::new(price.saturating_mul(1000))));
        let count = if line.tokens == 0 { String::new() } else { format!("{} ", line.tokens) };
        let _ = writeln!(text, "          {count}{}{price}: {}", line.class, amount(line.cost_nano_usd));
    }
    if let Some(savings) = report.cache_savings_nano_usd.filter(|savings| *savings != 0) {
        let _ = writeln!(text, "          the prompt cache saved {}", NanoUsd::new(savings));
    }
    text
}

fn attempts(attempts: &[AttemptReport]) -> String {
    let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut rows = vec![["#", "offer", "outcome", "status", "waited ms", "first token ms", "ms", "cost"].map(str::to_owned).to_vec()];
    for attempt in attempts {
        let outcome =
            attempt.error_class.as_deref().map_or_else(|| attempt.outcome.clone(), |class| format!("{} ({class})", attempt.outcome));
        rows.push(vec![
            attempt.number.to_string(),
            format!("{}/{}", attempt.provider, attempt.model),
            outcome,
            number(attempt.http_status),
            number(attempt.waited_ms),
            number(attempt.ttft_ms),
            number(attempt.latency_ms),
            attempt.cost_nano_usd.map_or_else(|| "unpriced".to_owned(), |nano_usd| NanoUsd::new(nano_usd).to_string()),
        ]);
    }
    let mut text = table(&rows);
    for attempt in attempts {
        if let Some(error) = &attempt.error_text {
            let _ = writeln!(text, "{}: {error}", attempt.number);
        }
    }
    text
}

/// Says what a decision knew of the session.
fn known(session: &serde_json::Value) -> String {
    let (offer, turns) = (session["offer"].as_str(), session["n_turns"].as_u64());
    let (Some(offer), Some(turns)) = (offer, turns) else { return "  (new)".to_owned() };
    format!("  (turn {}, last answered by {offer}, about {} tokens cached there)", turns + 1, session["cached_tokens"])
}
