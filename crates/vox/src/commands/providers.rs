//! `vox providers`: where models can be called, and whether it works.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Instant;
use vox_base::{Coded, Kind, NanoUsd};
use vox_node::Config;
use vox_node::chat::{Call, Hints, ReplyBody};
use vox_node::discovery;
use vox_node::providers::Provider;
use vox_node::snapshot::Snapshot;
use vox_route::Credential;
use vox_route::catalog::OVERRIDES;
use vox_wire::{Dialect, Endpoint};

/// Show and test where models can be called.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox providers list\n  vox providers show openrouter\n  vox providers test openrouter")]
pub(crate) enum Providers {
    /// List every provider entry, and whether it has its key.
    List,
    /// Show every key of an entry with its value and the file and line that set it.
    Show(Named),
    /// Make one minimal call, and say what it cost.
    Test(Test),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// Id of the entry.
    id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Id of the entry.
    id: String,
    /// The provider's own name of the model to call; the cheapest known one unless given.
    #[arg(short, long)]
    model: Option<String>,
}

impl Providers {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self {
            Self::List => list(context),
            Self::Show(named) => show(context, &named.id),
            Self::Test(test) => test.run(context),
        }
    }
}

impl Context {
    /// Returns what a node would read right now; makes nothing and opens no connection.
    pub(crate) fn preview(&self) -> Result<Snapshot> {
        self.preview_of(self.config()?)
    }

    /// Returns what a node would read right now with this configuration; makes nothing and opens no connection.
    pub(crate) fn preview_of(&self, config: Config) -> Result<Snapshot> {
        let store = self.existing_store()?;
        let charged = match &store {
            Some(store) => block_on(store.pricing())??,
            None => Vec::new(),
        };
        let secrets = self.secrets(store)?;
        block_on(secrets.refresh())??;
        let (snapshot, warnings) = discovery::preview(config, &secrets, &self.dirs()?.cache.path, &charged, self.now())?;
        for warning in warnings.iter().filter(|warning| matches!(&*warning.source, "cache" | OVERRIDES)) {
            self.out.warn(&warning.to_string());
        }
        Ok(snapshot)
    }
}

fn list(context: &Context) -> Result {
    let snapshot = context.preview()?;
    let state = |provider: &Provider| match snapshot.board.provider(&provider.id).map(|state| state.credential) {
        Some(Credential::Present) => "ready",
        Some(Credential::NotNeeded) => "needs no key",
        Some(Credential::Rejected) => "key refused",
        Some(Credential::Missing) | None => "no key",
    };
    let data: Vec<Value> = snapshot
        .providers
        .iter()
        .map(|provider| {
            let id = &*provider.id;
            json!({ "id": id, "display": provider.display, "dialect": provider.dialect.as_str(), "base_url": provider.base_url, "local": provider.local, "state": state(provider), "secret_ids": provider.secret_ids })
        })
        .collect();
    let mut rows = vec![["id", "speaks", "state", "address"].map(str::to_owned).to_vec()];
    rows.extend(snapshot.providers.iter().map(|provider| {
        vec![provider.id.to_string(), provider.dialect.as_str().to_owned(), state(provider).to_owned(), provider.base_url.clone()]
    }));
    Ok(Answer::new("vox.providers.list.v1", json!({ "providers": data }), table(&rows)))
}

fn unknown<'a>(id: &str, known: impl Iterator<Item = &'a str>) -> Coded {
    let known: Vec<&str> = known.collect();
    Coded::new(Kind::Usage, "gateway.provider_unknown", format!("no provider entry is called `{id}`"))
        .expected(format!("one of {}", known.join(", ")))
        .next("vox providers list")
}

fn show(context: &Context, id: &str) -> Result {
    let providers = context.config()?.providers;
    let provider = providers.get(id).ok_or_else(|| unknown(id, providers.iter().map(|provider| &*provider.id)))?;
    let origins = providers.origins(&provider.id);
    let keys: Vec<Value> = origins.iter().map(|(key, value, origin)| json!({ "key": key, "value": value, "origin": origin })).collect();
    let rows: Vec<Vec<String>> = origins.into_iter().map(|(key, value, origin)| vec![key, value, origin]).collect();
    Ok(Answer::new("vox.providers.show.v1", json!({ "id": id, "keys": keys }), table(&rows)))
}

impl Test {
    fn run(&self, context: &Context) -> Result {
        let snapshot = context.preview()?;
        let provider =
            snapshot.providers.get(&self.id).ok_or_else(|| unknown(&self.id, snapshot.providers.iter().map(|provider| &*provider.id)))?;
        let model = self.model(&snapshot, provider)?;
        let body = json!({ "model": format!("{}/{model}", self.id), "messages": [{ "role": "user", "content": "Answer with the word ok." }], "max_tokens": 16 });
        let call = Call {
            caller: None,
            chat: vox_wire::Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::from(body.to_string()))?,
            hints: Hints::default(),
            forward: http::HeaderMap::new(),
            query: None,
            inbound: None,
            started: Instant::now(),
        };
        let started = Instant::now();
        let reply = block_on(async {
            let node = context.open_node().await?;
            let reply = node.chat(Box::new(call)).await.map_err(|refusal| refusal.error);
            node.close();
            reply
        })??;
        let ReplyBody::Whole(_) = reply.body else { unreachable!("the call asks for a whole answer") };
        let (cost, source) = reply.cost.unwrap_or((None, vox_base::CostSource::Unknown));
        let ms = started.elapsed().as_millis();
        let shown = cost.map_or_else(|| "unpriced".to_owned(), |cost| cost.to_string());
        let text =
            format!("{} answers: {ms} ms, {shown} ({}); vox trace {}", reply.trail.model, source.as_str(), reply.trail.interaction_id);
        let data = json!({
            "id": self.id, "model": reply.trail.model, "interaction_id": reply.trail.interaction_id.to_string(), "latency_ms": u64::try_from(ms).unwrap_or(u64::MAX),
            "cost_nano_usd": cost.map(NanoUsd::get), "cost_source": source.as_str(),
        });
        Ok(Answer::new("vox.providers.test.v1", data, text))
    }

    fn model(&self, snapshot: &Snapshot, provider: &Provider) -> Result<String> {
        if let Some(model) = &self.model {
            return Ok(model.clone());
        }
        let offers = snapshot.catalog.offers().iter().filter(|offer| offer.provider == provider.id);
        // Priced models first: a test should not cost what nobody knows.
        let cheapest = offers.min_by_key(|offer| offer.blended_price().map_or((1, 0), |price| (0, price.get())));
        cheapest.map(|offer| offer.native_id.to_string()).ok_or_else(|| {
            Coded::new(Kind::Usage, "cli.usage", format!("no model of `{}` is known", provider.id))
                .expected("`--model NAME`")
                .next(format!("vox model discover --source {}", provider.id))
        })
    }
}
