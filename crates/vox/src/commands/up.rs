//! `vox up`: the first run. Makes the home, finds keys and engines, makes a caller key, starts the node, sends one routed
//! request, and prints where everything is. Running it again changes nothing.

mod found;

use super::Result;
use super::serve::Serve;
use crate::context::Context;
use crate::output::Answer;
use crate::running::{self, Running};
use found::Found;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vox_base::{Coded, Kind, Secret};
use vox_gateway::Ended;
use vox_host::process::Detached;
use vox_node::Node;
use vox_node::chat::{Call, Hints, Reply};
use vox_wire::{Dialect, Endpoint};

/// Name of the caller key that the first run makes.
const KEY_NAME: &str = "default";
/// How long a node in the background may take to answer.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// First run: find keys and engines, start the node, send one routed request.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox up\n  vox up --detach\n  vox up --dry-run")]
pub(crate) struct Up {
    /// Import keys found in the environment into the vault without asking.
    #[arg(long)]
    yes: bool,
    /// Say what would be done and do nothing.
    #[arg(long, alias = "plan")]
    dry_run: bool,
    /// Do everything but start the node.
    #[arg(long, conflicts_with = "detach")]
    no_start: bool,
    /// Put the node in the background; `vox down` ends it.
    #[arg(long)]
    detach: bool,
    /// Port to listen on.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

impl Up {
    pub(crate) fn run(self, context: &Context) -> Result {
        let dirs = context.dirs()?;
        let running = running::read(&dirs.state.path);
        let found = found::look(context)?;
        if self.dry_run {
            return Ok(plan(&found, running.as_ref(), &dirs.data.path));
        }
        crate::logs::cli(context)?;
        if let Some(running) = running {
            return Ok(already(&running));
        }
        if self.no_start || self.detach {
            let report = super::block_on(self.prepare(context, &found))??;
            if !self.detach {
                return Ok(report.answer(None));
            }
            // The key is shown even if the node does not start: it cannot be shown again.
            let running = self.start_in_background(context).inspect_err(|_| context.out.answer(&report.answer(None)))?;
            return Ok(report.answer(Some(&running)));
        }
        self.stay(context, &found)
    }

    /// Prepares, serves in the foreground, and prints everything once the node answers.
    fn stay(self, context: &Context, found: &Found) -> Result {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Coded::new(Kind::Failed, "cli.runtime", format!("no runtime: {error}")))?;
        runtime.block_on(async {
            let report = self.prepare(context, found).await?;
            let served = Serve::on_port(self.port).open(context).await?;
            let running = Running { pid: std::process::id(), address: served.address, started_at: context.now() };
            context.out.answer(&report.answer(Some(&running)));
            context.out.note("the node runs until Ctrl-C; `vox up --detach` would put it in the background");
            let exit = u8::from(matches!(served.until_stopped().await, Ended::Cut(_)));
            Ok(Answer::silent(exit))
        })
    }

    /// Does everything that needs no node: the store, the imports, the key, the one request.
    async fn prepare(&self, context: &Context, found: &Found) -> Result<Report> {
        let store = context.store()?;
        let first_run = store.keys().await?.is_empty();
        let imported = if first_run { self.import(context, &store, found).await? } else { Vec::new() };
        if !first_run {
            store.close();
            return Ok(Report { key: None, imported, engines: found.engines.clone(), tried: None });
        }
        let limits = vox_node::key_admin::Limits::default();
        let created = vox_node::key_admin::create(&store, &*context.entropy, context.now(), KEY_NAME, None, &limits).await?;
        store.close();
        let node = context.open_node().await?;
        let tried = try_once(&node, context, found).await;
        node.close();
        Ok(Report { key: Some(created.key), imported, engines: found.engines.clone(), tried: Some(tried) })
    }

    /// Puts keys found in the environment into the vault, if the user wants that; they work from there too.
    async fn import(&self, context: &Context, store: &vox_store::Store, found: &Found) -> Result<Vec<String>> {
        if found.keys.is_empty() || !self.wants_import(context, found)? {
            return Ok(Vec::new());
        }
        let secrets = context.secrets(Some(store.clone()))?;
        secrets.refresh().await?;
        let mut imported = Vec::new();
        for key in &found.keys {
            let Some(value) = context.env.secret(&key.env) else { continue };
            let new = vox_node::secrets::NewValue { id: &key.secret_id, value: &value, expires: None, if_version: None };
            match secrets.set(&new).await {
                Ok(_) => imported.push(key.secret_id.clone()),
                Err(error) if error.code == "vault.no_unlocker" => {
                    context.out.warn(&format!("the keys stay in the environment: {error}"));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(imported)
    }

    fn wants_import(&self, context: &Context, found: &Found) -> Result<bool> {
        if self.yes || !context.may_ask() {
            return Ok(self.yes);
        }
        let names: Vec<&str> = found.keys.iter().map(|key| key.env.as_str()).collect();
        let question = format!("keep {} in the vault, so that nothing needs it in the environment?", names.join(", "));
        inquire::Confirm::new(&question).with_default(true).prompt().map_err(|_| Coded::new(Kind::Cancelled, "cli.cancelled", "cancelled"))
    }

    fn start_in_background(&self, context: &Context) -> Result<Running> {
        let dirs = context.dirs()?;
        let logs = dirs.state.path.join("logs");
        vox_host::fs::create_dir(&logs)?;
        let program = context.env.program()?;
        let log = logs.join("node.out");
        let mut arguments = context.passed_on();
        arguments.push("serve".into());
        if let Some(port) = self.port {
            arguments.extend(["--listen".into(), format!("127.0.0.1:{port}").into()]);
        }
        let failed = |error: String| {
            Coded::new(Kind::Failed, "gateway.node_unreachable", error)
                .at(log.display().to_string())
                .next("`vox serve` shows what is wrong")
        };
        let started = Detached::start(&program, &arguments, context.passed_on_secretly(), &log);
        let mut child = started.map_err(|error| failed(error.to_string()))?;
        let until = Instant::now() + START_PATIENCE;
        while Instant::now() < until {
            if let Some(running) = running::read(&dirs.state.path).filter(|running| running::answers_as_vox(running.address)) {
                return Ok(running);
            }
            if child.ended().is_some() {
                return Err(failed("the node ended while it started".into()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(failed("the node does not answer yet".into()))
    }
}

/// What a first run did.
struct Report {
    key: Option<Secret<String>>,
    imported: Vec<String>,
    engines: Vec<String>,
    tried: Option<Value>,
}

impl Report {
    fn answer(&self, running: Option<&Running>) -> Answer {
        let address = running.map(|running| format!("http://{}", running.address));
        let key = self.key.as_ref().map(|key| key.expose().as_str());
        let mut lines = Vec::new();
        lines.push(match &address {
            Some(address) => format!("address  {address}"),
            None => "address  none: start the node with `vox serve`".to_owned(),
        });
        lines.push(match key {
            Some(key) => format!("key      {key}  (shown once)"),
            None => "key      made before; `vox keys create NAME` makes another".to_owned(),
        });
        if !self.imported.is_empty() {
            lines.push(format!("vault    {}", self.imported.join(", ")));
        }
        lines.push(format!(
            "engines  {}",
            if self.engines.is_empty() { "none found on this machine".to_owned() } else { self.engines.join(", ") }
        ));
        if let Some(tried) = &self.tried {
            lines.push(format!("tried    {}", tried["line"].as_str().unwrap_or_default()));
            if let Some(next) = tried["next"].as_str() {
                lines.push(format!("next     {next}"));
            }
        }
        if let (Some(address), Some(key)) = (&address, key) {
            lines.push(settings(address, key));
        }
        let data = json!({ "address": address, "key": key, "imported": self.imported, "engines": self.engines, "request": self.tried, "pid": running.map(|running| running.pid) });
        Answer::new("vox.up.v1", data, lines.join("\n"))
    }
}

/// Settings of common clients, ready to paste.
fn settings(address: &str, key: &str) -> String {
    format!(
        "\nOpenAI clients      export OPENAI_BASE_URL={address}/v1 OPENAI_API_KEY={key}\nAnthropic clients   export ANTHROPIC_BASE_URL={address} ANTHROPIC_API_KEY={key}"
    )
}

fn already(running: &Running) -> Answer {
    let text = format!("a node already runs at http://{} (pid {})", running.address, running.pid);
    Answer::new("vox.up.v1", json!({ "address": format!("http://{}", running.address), "pid": running.pid, "already": true }), text)
}

fn plan(found: &Found, running: Option<&Running>, data_dir: &std::path::Path) -> Answer {
    let keys: Vec<&str> = found.keys.iter().map(|key| key.env.as_str()).collect();
    let none = |list: &str| if list.is_empty() { "none".to_owned() } else { list.to_owned() };
    let text = format!(
        "home     {}{}\nkeys     {}\nengines  {}\nnode     {}\nnothing was done",
        data_dir.display(),
        if data_dir.exists() { "" } else { " (would be made)" },
        none(&keys.join(", ")),
        none(&found.engines.join(", ")),
        running.map_or_else(|| "would be started".to_owned(), |running| format!("runs at http://{}", running.address)),
    );
    Answer::new("vox.up.plan.v1", json!({ "home": data_dir, "keys": keys, "engines": found.engines, "running": running.is_some() }), text)
}

/// Sends one request by routing; with nothing to call, the built-in offline model shows that the way works.
async fn try_once(node: &Arc<Node>, context: &Context, found: &Found) -> Value {
    let model = found.engine_model.clone().unwrap_or_else(|| "vox/auto".to_owned());
    match ask(node, &model).await {
        Ok(reply) => answered(&reply, &model, None),
        Err(_) => {
            let next = if context.is_offline() { "vox is offline" } else { "vox secrets set openrouter.api_key" };
            match ask(node, "offline/echo").await {
                Ok(reply) => answered(&reply, "offline/echo", Some(next)),
                Err(error) => json!({ "line": error.to_string(), "next": next }),
            }
        }
    }
}

async fn ask(node: &Arc<Node>, model: &str) -> Result<Reply> {
    let body =
        json!({ "model": model, "max_tokens": 16, "messages": [{ "role": "user", "content": "Say hello in one word." }] }).to_string();
    let chat = vox_wire::Chat::parse(Dialect::Openai, Endpoint::Chat, body.into())?;
    let call = Call {
        caller: None,
        chat,
        hints: Hints::default(),
        forward: http::HeaderMap::new(),
        query: None,
        inbound: None,
        started: Instant::now(),
    };
    node.chat(Box::new(call)).await.map_err(|refusal| refusal.error)
}

fn answered(reply: &Reply, asked: &str, next: Option<&str>) -> Value {
    let cost = match reply.cost {
        Some((Some(cost), source)) => format!("{cost} {}", source.as_str()),
        _ => "unpriced".to_owned(),
    };
    let line = format!("{asked} answered with {}, {cost}", reply.trail.model);
    json!({ "line": line, "model": reply.trail.model, "cost": cost, "next": next })
}
