//! `vox model explain`: the same decision that a call would get, or got, in words and numbers.

use crate::commands::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use vox_base::{Coded, Document, Kind, NanoUsd, Timestamp};
use vox_node::Config;
use vox_node::ask::{Hints, Question, build};
use vox_node::trace::{Replayed, replay};
use vox_route::contract::{KeyShown, LayerKind, Layers};
use vox_route::explain::{Candidate, RefusedShown, WhyNot, all_refusals, why_not};
use vox_route::{Explanation, decide};
use vox_wire::{Chat, Dialect, Endpoint};

/// Explain which model would answer a question, or why one did. Opens no connection and writes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox model explain \"fix this bug\" --task debugging --complexity 8\n  vox model explain --decision last\n  vox model explain \"hi\" --max-usd 0.01 --why-not anthropic/claude-opus-4-7 --show-layers"
)]
pub(crate) struct Explain {
    /// The question: its words are classified, its length counts.
    text: Option<String>,
    /// Model name, as a caller would send it.
    #[arg(short, long, default_value = "vox/auto")]
    model: String,
    /// Task category.
    #[arg(long)]
    task: Option<String>,
    /// How demanding it is, 1 to 10.
    #[arg(long, allow_negative_numbers = true)]
    complexity: Option<i64>,
    /// Tools that will be used, such as `read,edit`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tools: Vec<String>,
    /// Most the answer may cost, in USD.
    #[arg(long, value_name = "USD", value_parser = usd)]
    max_usd: Option<NanoUsd>,
    /// Longest accepted wait.
    #[arg(long, value_name = "N")]
    max_latency_ms: Option<u64>,
    /// `cost`, `speed`, `quality`, `local`, or a family of models.
    #[arg(long)]
    prefer: Option<String>,
    /// `provider/model` that skips routing, not the filters.
    #[arg(long, value_name = "OFFER")]
    force_model: Option<String>,
    /// A decision that was made: its id, its call's id, or `last`.
    #[arg(long, value_name = "ID", conflicts_with_all = ["text", "model", "task", "complexity", "tools", "max_usd", "max_latency_ms", "prefer", "force_model"])]
    decision: Option<String>,
    /// Say what keeps this offer from being the pick.
    #[arg(long, value_name = "OFFER")]
    why_not: Option<String>,
    /// Give every reason against every offer, also those nobody asked for.
    #[arg(long)]
    all_reasons: bool,
    /// Show each rule that is consulted, which file or variable it is from, and what it stands before.
    #[arg(long, conflicts_with = "decision")]
    show_layers: bool,
}

fn usd(text: &str) -> std::result::Result<NanoUsd, String> {
    NanoUsd::from_usd(text.strip_prefix('$').unwrap_or(text)).map_err(|error| error.to_string())
}

/// What is printed.
#[derive(Serialize)]
struct Explained {
    decision_id: Option<String>,
    #[serde(flatten)]
    explanation: Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_reasons: Option<Vec<RefusedShown>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<WhyNot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<KeyShown>>,
}

impl Explain {
    pub(crate) fn run(self, context: &Context) -> Result {
        let explained = match &self.decision {
            Some(wanted) => self.explain(&replayed(context, wanted)?, true)?,
            None => {
                let config = context.config_here()?;
                let layers = config.layers.clone();
                let made = self.decide(context, config)?;
                let mut explained = self.explain(&made, false)?;
                explained.layers = self.show_layers.then(|| self.layers(context, layers).consulted(&made.decision.task));
                explained
            }
        };
        let text = shown(&explained);
        Ok(Answer::new("vox.model.explain.v1", explained, text))
    }

    /// Decides as the gateway would, on what a node would read right now.
    fn decide(&self, context: &Context, config: Config) -> Result<Replayed> {
        let mut snapshot = context.preview_of(config)?;
        if let Some(store) = context.existing_store()? {
            snapshot = block_on(vox_node::evidence::inform(&store, snapshot, context.now()))??;
        }
        let body = json!({ "model": self.model, "messages": [{ "role": "user", "content": self.text.as_deref().unwrap_or("") }] });
        let chat = Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::from(body.to_string()))?;
        let hints = Hints {
            task: self.task.clone(),
            complexity: self.complexity,
            tools: self.tools.clone(),
            budget: self.max_usd,
            prefer: self.prefer.clone(),
            force: self.force_model.clone(),
            max_latency_ms: self.max_latency_ms,
            ..Hints::default()
        };
        let question = Question {
            chat: &chat,
            input_tokens: chat.input_tokens_upper(),
            max_output_tokens: chat.max_output_tokens,
            caller: None,
            hints: &hints,
            session_task: None,
            offline: context.is_offline(),
            profile: context.env.text("VOX_ROUTE_POLICY_PROFILE"),
        };
        let ask = build(&snapshot, &question)?;
        let at: Timestamp = context.now();
        let decision = decide(&snapshot.contract, &snapshot.catalog, &snapshot.board, &ask, at, 0);
        Ok(Replayed {
            decision_id: String::new(),
            at,
            contract: snapshot.contract,
            catalog: snapshot.catalog,
            board: snapshot.board,
            ask,
            decision,
        })
    }

    fn explain(&self, made: &Replayed, is_stored: bool) -> Result<Explained> {
        let Replayed { contract, catalog, board, ask, decision, at, .. } = made;
        let why_not = match &self.why_not {
            None => None,
            Some(offer) => Some(why_not(contract, catalog, board, ask, decision, *at, offer).ok_or_else(|| {
                Coded::new(Kind::Usage, "route.model_unknown", format!("no offer is called `{offer}`"))
                    .expected("`provider/model`")
                    .next("vox model list")
            })?),
        };
        Ok(Explained {
            decision_id: is_stored.then(|| made.decision_id.clone()),
            explanation: Explanation::new(contract, catalog, board, ask, decision),
            all_reasons: self.all_reasons.then(|| all_refusals(contract, catalog, board, ask, decision, *at)),
            why_not,
            layers: None,
        })
    }

    /// Returns the layers of the rules with what flags and variables say in the same matters.
    fn layers(&self, context: &Context, mut layers: Layers) -> Layers {
        let mut say = |kind: LayerKind, name: &str, key: &str, value: serde_json::Value| {
            if let Ok(document) = Document::parse(name, &format!("{key}: {value}")) {
                layers.add(kind, document);
            }
        };
        if let Some(profile) = context.env.text("VOX_ROUTE_POLICY_PROFILE") {
            say(LayerKind::Environment, "VOX_ROUTE_POLICY_PROFILE", "policy:\n  default_profile", profile.into());
        }
        if context.env.text("VOX_ROUTE_EXPLORE").is_some() && !context.env.is_on("VOX_ROUTE_EXPLORE") {
            say(LayerKind::Environment, "VOX_ROUTE_EXPLORE", "exploration:\n  enabled", false.into());
        }
        if let Some(prefer) = &self.prefer {
            say(LayerKind::Request, "--prefer", "prefer", prefer.as_str().into());
        }
        layers
    }
}

fn replayed(context: &Context, wanted: &str) -> Result<Replayed> {
    let Some(store) = context.existing_store()? else {
        return Err(Coded::new(Kind::Failed, "route.decision_unknown", "no decision is stored yet").next("vox chat \"hello\""));
    };
    block_on(replay(&store, wanted))?
}

fn shown(explained: &Explained) -> String {
    let explanation = &explained.explanation;
    let mut text = explained.decision_id.as_ref().map_or_else(String::new, |id| format!("decision    {id}\n"));
    let asked = &explanation.ask;
    let complexity = if asked.complexity_raw == i64::from(asked.complexity) {
        asked.complexity.to_string()
    } else {
        format!("{} → {}", asked.complexity_raw, asked.complexity)
    };
    let field = |name: &str| asked.ask.get(name).filter(|value| !value.is_null()).map_or_else(|| "-".to_owned(), ToString::to_string);
    let _ = writeln!(
        text,
        "ask         task {} (by {}), complexity {complexity}, {} input tokens",
        asked.task,
        asked.task_source,
        field("input_tokens")
    );
    let rules: Vec<&str> =
        asked.ask.get("rules").and_then(|rules| rules.as_array()).into_iter().flatten().filter_map(|id| id.as_str()).collect();
    if !rules.is_empty() {
        let _ = writeln!(text, "            rules {}", rules.join(", "));
    }
    match &explanation.pick {
        None => text.push_str("pick        none: no offer may answer\n"),
        Some(pick) => {
            let _ = writeln!(text, "pick        {}  {} ({}), J {}", pick.offer, pick.reason, pick.mode, pick.j_nano_usd);
            if let Some(margin) = pick.margin_nano_usd {
                let _ = writeln!(text, "            the second costs {} more until a success", NanoUsd::new(margin));
            }
        }
    }
    text.push_str(&candidates(explanation));
    text.push_str(&refused("refused", &explanation.refused));
    if !explanation.waived.is_empty() {
        let _ = writeln!(text, "waived      {}", explanation.waived.join(", "));
    }
    if explanation.escalation_exhausted {
        text.push_str("context     the caller keeps filling contexts, and there is no larger one\n");
    }
    let _ = writeln!(
        text,
        "left out    {} nobody asked for or admitted, {} below the last one kept",
        explanation.n_not_wanted, explanation.n_beyond
    );
    let evidence = &explanation.evidence;
    let _ = writeln!(
        text,
        "evidence    contract {:.12}, catalog {:.12}, board {:.12}, seed {}",
        evidence.contract, evidence.catalog, evidence.board, evidence.seed
    );
    if let Some(all) = &explained.all_reasons {
        text.push_str(&refused("all reasons", all));
    }
    if let Some(why_not) = &explained.why_not {
        text.push_str(&reasons(why_not));
    }
    if let Some(layers) = &explained.layers {
        text.push_str(&layered(layers));
    }
    text
}

fn layered(keys: &[KeyShown]) -> String {
    let mut rows = vec![["rule", "value", "layer", "from", "instead of"].map(str::to_owned).to_vec()];
    rows.extend(keys.iter().map(|shown| {
        let below = shown.shadowed.iter().map(|below| format!("{} ({})", short(&below.value), below.from.at));
        let from = &shown.from;
        vec![shown.key.clone(), short(&shown.value), from.layer.as_str().to_owned(), from.at.clone(), below.collect::<Vec<_>>().join(", ")]
    }));
    format!("rules\n{}", table(&rows))
}

/// Returns a value as it fits into a line; `--json` gives the whole.
fn short(value: &serde_json::Value) -> String {
    const WIDEST: usize = 60;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn candidates(explanation: &Explanation) -> String {
    if explanation.candidates.is_empty() {
        return String::new();
    }
    let mut rows = vec![["#", "offer", "tier", "J", "charge", "wait", "outage", "failing", "success"].map(str::to_owned).to_vec()];
    rows.extend(explanation.candidates.iter().map(|candidate| {
        let terms = &candidate.terms;
        let assumed = if terms.charge_assumed { "?" } else { "" };
        vec![
            candidate.rank.to_string(),
            candidate.offer.clone(),
            candidate.tier.to_string(),
            candidate.j_nano_usd.to_string(),
            format!("{}{assumed}", terms.cost),
            terms.wait.to_string(),
            terms.outage.to_string(),
            terms.failure.to_string(),
            believed(candidate),
        ]
    }));
    format!("candidates\n{}", table(&rows))
}

/// Returns the expected success, the units it rests on, its bounds, and whether it fell.
fn believed(candidate: &Candidate) -> String {
    let terms = &candidate.terms;
    let (low, high) = candidate.success_between_ppm;
    let mut text = format!("{}.{}%", terms.success_ppm / 10_000, terms.success_ppm / 1000 % 10);
    if terms.n_units > 0 {
        let _ = write!(text, " ({} of {}, {}-{}%)", terms.success_level.as_str(), terms.n_units, low / 10_000, high / 10_000);
    }
    if let Some(at) = candidate.drifted_at {
        let _ = write!(text, " worse since {at}");
    }
    text
}

fn refused(heading: &str, refused: &[RefusedShown]) -> String {
    if refused.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> =
        refused.iter().map(|refused| vec![refused.offer.clone(), refused.reason.to_owned(), refused.numbers.clone()]).collect();
    format!("{heading}\n{}", table(&rows))
}

fn reasons(why_not: &WhyNot) -> String {
    let mut text = match why_not.rank {
        Some(1) => format!("why not {}: it is the pick\n", why_not.offer),
        Some(rank) => format!("why not {}: it has rank {rank}\n", why_not.offer),
        None => format!("why not {}: it may not answer\n", why_not.offer),
    };
    for reason in &why_not.reasons {
        let _ = writeln!(text, "  {} {}", reason.reason, reason.numbers);
    }
    for need in &why_not.would_need {
        let _ = writeln!(text, "  it would need {need}");
    }
    text
}
