//! `vox model list` and `vox model show`: the catalog as it is now.

use crate::commands::Result;
use crate::context::Context;
use crate::output::{Answer, table};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::sync::Arc;
use vox_base::{Coded, Micros, NanoUsd};
use vox_node::snapshot::Snapshot;
use vox_route::catalog::why_strengths;
use vox_route::{Capability, Credential, Lifecycle, NameError, Offer, PriceState, Tier};

/// List the offers of the catalog.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox model list --admitted\n  vox model list --task code_gen --sort price --limit 10\n  vox model list --provider ollama --json"
)]
pub(crate) struct List {
    /// Only this provider's.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only models tagged with what this task wants.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Only models that can do this, such as `tool_use` or `vision`.
    #[arg(long, value_name = "NAME", value_parser = word::<Capability>)]
    capability: Option<Capability>,
    /// Only this tier: unknown, local, light, pro or elite.
    #[arg(long, value_parser = word::<Tier>)]
    tier: Option<Tier>,
    /// Only models that cost nothing.
    #[arg(long)]
    free: bool,
    /// Only offers that `vox/auto` may pick and whose provider can be called.
    #[arg(long)]
    admitted: bool,
    /// At most this many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Order.
    #[arg(long, value_enum, default_value_t = Order::Id)]
    sort: Order,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// By id.
    Id,
    /// The cheapest first; unpriced ones last.
    Price,
    /// The largest context first.
    Context,
}

/// Show one model: its offers, prices, and where each field comes from.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox model show openai/gpt-5-mini\n  vox model show gpt-5-mini --provenance\n  vox model show gpt-5-mini --why-strengths --json"
)]
pub(crate) struct Show {
    /// A model id, an offer's id, or the name a provider gives it.
    id: String,
    /// Show every field with its source, and nothing else.
    #[arg(long)]
    provenance: bool,
    /// Show the rules that say what the model is good at.
    #[arg(long)]
    why_strengths: bool,
}

fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_value(json!(text)).map_err(|error| error.to_string())
}

impl List {
    pub(crate) fn run(self, context: &Context) -> Result {
        let snapshot = context.preview()?;
        let strength = match &self.task {
            None => None,
            Some(task) => {
                vox_route::name::check_task(task, &snapshot.contract)?;
                snapshot.contract.task(task).map(|rules| rules.strength.clone())
            }
        };
        let mut offers: Vec<&Arc<Offer>> =
            snapshot.catalog.offers().iter().filter(|offer| self.fits(&snapshot, offer, strength.as_deref())).collect();
        match self.sort {
            Order::Id => {}
            Order::Price => offers.sort_by_key(|offer| offer.blended_price().map_or((1, 0), |price| (0, price.get()))),
            Order::Context => offers.sort_by_key(|offer| std::cmp::Reverse(offer.context_tokens)),
        }
        let n_all = offers.len();
        offers.truncate(self.limit.unwrap_or(usize::MAX));
        if offers.len() < n_all {
            context.out.note(&format!("{} of {n_all} offers shown", offers.len()));
        }
        let data: Vec<Value> = offers.iter().map(|offer| entry(&snapshot, offer)).collect();
        Ok(Answer::new("vox.model.list.v1", json!({ "models": data, "n_matching": n_all }), table(&rows(&snapshot, &offers))))
    }

    fn fits(&self, snapshot: &Snapshot, offer: &Offer, strength: Option<&str>) -> bool {
        self.provider.as_deref().is_none_or(|provider| *offer.provider == *provider)
            && strength.is_none_or(|strength| offer.strengths.iter().any(|tag| **tag == *strength || **tag == *"generalist"))
            && self.capability.is_none_or(|capability| offer.capabilities.is_some_and(|known| known.has(capability)))
            && self.tier.is_none_or(|tier| offer.tier == tier)
            && (!self.free || offer.price_state == PriceState::Free)
            && (!self.admitted || (offer.lifecycle == Lifecycle::Confirmed && callable(snapshot, offer)))
    }
}

fn callable(snapshot: &Snapshot, offer: &Offer) -> bool {
    snapshot.board.provider(&offer.provider).is_some_and(|state| matches!(state.credential, Credential::Present | Credential::NotNeeded))
}

fn rows(snapshot: &Snapshot, offers: &[&Arc<Offer>]) -> Vec<Vec<String>> {
    let mut rows = vec![["offer", "tier", "context", "input/M", "output/M", "good at", ""].map(str::to_owned).to_vec()];
    rows.extend(offers.iter().map(|offer| {
        let strengths: Vec<&str> = offer.strengths.iter().map(|tag| &**tag).take(3).collect();
        let note = match (offer.lifecycle, callable(snapshot, offer)) {
            (_, false) => "no key",
            (Lifecycle::Confirmed, true) => "auto",
            (Lifecycle::Provisional, true) => "by name",
            (Lifecycle::Deprecated, true) => "deprecated",
        };
        vec![
            offer.id.to_string(),
            offer.tier.to_string(),
            offer.context_tokens.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string()),
            price(offer, offer.prices.input),
            price(offer, offer.prices.output),
            strengths.join(","),
            note.to_owned(),
        ]
    }));
    rows
}

fn price(offer: &Offer, price: Option<Micros>) -> String {
    match (offer.price_state, price) {
        (PriceState::Free, _) => "free".to_owned(),
        (PriceState::Dynamic, _) => "varies".to_owned(),
        (_, Some(price)) => NanoUsd::new(price.get().saturating_mul(1000)).to_string(),
        (_, None) => "unpriced".to_owned(),
    }
}

fn entry(snapshot: &Snapshot, offer: &Offer) -> Value {
    let mut value = json!(offer);
    value["callable"] = json!(callable(snapshot, offer));
    value
}

impl Show {
    pub(crate) fn run(self, context: &Context) -> Result {
        let snapshot = context.preview()?;
        let offers = self.find(&snapshot)?;
        let mut text = String::new();
        for offer in &offers {
            text.push_str(&if self.provenance { sources(offer) } else { shown(&snapshot, offer) });
            if self.why_strengths {
                text.push_str(&reasons(&snapshot, offer));
            }
        }
        let data: Vec<Value> = offers.iter().map(|offer| self.entry(&snapshot, offer)).collect();
        Ok(Answer::new("vox.model.show.v1", json!({ "model_id": offers[0].model_id, "offers": data }), text))
    }

    fn entry(&self, snapshot: &Snapshot, offer: &Offer) -> Value {
        let mut value = entry(snapshot, offer);
        if self.why_strengths {
            value["why_strengths"] = json!(why_strengths(&snapshot.contract, offer));
        }
        value
    }

    fn find(&self, snapshot: &Snapshot) -> Result<Vec<Arc<Offer>>> {
        let catalog = &snapshot.catalog;
        let exact = self.id.split_once('/').and_then(|(provider, native_id)| catalog.find(provider, native_id));
        let offers: Vec<Arc<Offer>> = match exact {
            Some(offer) if *offer.id == *self.id => vec![offer.clone()],
            _ => catalog.serving(&self.id).chain(catalog.named(&self.id)).cloned().collect(),
        };
        if !offers.is_empty() {
            return Ok(offers);
        }
        let nothing: Coded = NameError::ModelUnknown { name: self.id.clone(), near: Vec::new() }.into();
        Err(match vox_route::parse_name(&self.id, &|_| false, &snapshot.contract, catalog) {
            Err(error) => error.into(),
            Ok(_) => nothing,
        })
    }
}

/// Every field somebody said something of, its value, and who.
fn sources(offer: &Offer) -> String {
    let value = json!(offer);
    let field = |path: &str| path.split('.').try_fold(&value, |value, key| value.get(key)).map_or_else(|| "-".to_owned(), Value::to_string);
    let rows = offer.provenance.iter().map(|(path, source)| vec![path.to_string(), field(path), source.to_string()]);
    format!("{}\n{}", offer.id, table(&rows.collect::<Vec<_>>()))
}

/// The rules that fit; what a source says of the strengths counts before them.
fn reasons(snapshot: &Snapshot, offer: &Offer) -> String {
    let reasons = why_strengths(&snapshot.contract, offer);
    let rows: Vec<_> = reasons.iter().map(|reason| vec![reason.rule.clone(), reason.strengths.join(", ")]).collect();
    let source = offer.provenance.get("strengths").map_or("inferred", |source| &**source);
    let heading = if source == "inferred" {
        "good at, by these rules:".to_owned()
    } else {
        format!("good at, by {source}; the rules alone would say:")
    };
    format!("{heading}\n{}", table(&rows))
}

fn shown(snapshot: &Snapshot, offer: &Offer) -> String {
    let list = |tags: &[Arc<str>]| tags.iter().map(|tag| &**tag).collect::<Vec<_>>().join(", ");
    let from = |field: &str| offer.provenance.get(field).map_or_else(String::new, |source| source.to_string());
    let capabilities = json!(offer.capabilities);
    let capabilities: Vec<&str> = capabilities.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let number = |number: Option<u64>| number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows = vec![
        vec!["model".to_owned(), offer.model_id.to_string(), from("model_id")],
        vec!["tier".to_owned(), offer.tier.to_string(), from("tier")],
        vec!["good at".to_owned(), list(&offer.strengths), from("strengths")],
        vec!["can".to_owned(), if capabilities.is_empty() { "unknown".to_owned() } else { capabilities.join(", ") }, from("capabilities")],
        vec!["context".to_owned(), number(offer.context_tokens), from("context_tokens")],
        vec!["longest answer".to_owned(), number(offer.max_output_tokens), from("max_output_tokens")],
        vec!["prices".to_owned(), word(json!(offer.price_state)), from("price_state")],
    ];
    for (class, price) in offer.prices.classes() {
        if let Some(price) = price.filter(|_| offer.price_state == PriceState::Known) {
            let unit = if matches!(class, "image" | "request") { "each" } else { "per million tokens" };
            rows.push(vec![
                format!("  {class}"),
                format!("{} {unit}", NanoUsd::new(price.get().saturating_mul(1000))),
                from(&format!("prices.{class}")),
            ]);
        }
    }
    if let Some(seen) = offer.observed {
        let percent = format!("{}.{:02} of the list", seen.ratio_ppm / 1_000_000, seen.ratio_ppm % 1_000_000 / 10_000);
        rows.push(vec!["  charged".to_owned(), percent, format!("observed, {}", word(json!(seen.confidence)))]);
    }
    rows.push(vec!["runs".to_owned(), word(json!(offer.locality)), from("locality")]);
    rows.push(vec!["`vox/auto`".to_owned(), word(json!(offer.lifecycle)), from("lifecycle")]);
    rows.push(vec![
        "callable".to_owned(),
        if callable(snapshot, offer) { "yes" } else { "no: its provider has no key" }.to_owned(),
        String::new(),
    ]);
    format!("{}\n{}", offer.id, table(&rows))
}
