//! What a first run finds without asking anybody: provider keys in the environment, by name, and engines on this machine.

use crate::commands::Result;
use crate::context::Context;
use crate::running::Loopback;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use vox_api::Transport;

/// How long each engine's port is tried; all at the same time.
const PROBE: Duration = Duration::from_millis(300);

/// What was found.
pub(super) struct Found {
    pub(super) keys: Vec<FoundKey>,
    /// Ids of the providers that answer on this machine.
    pub(super) engines: Vec<String>,
    /// A model that one of them serves.
    pub(super) engine_model: Option<String>,
}

/// A provider key in the environment.
pub(super) struct FoundKey {
    pub(super) env: String,
    pub(super) secret_id: String,
}

/// Looks around; opens no connection beyond this machine and writes nothing.
pub(super) fn look(context: &Context) -> Result<Found> {
    let config = context.config()?;
    let registry = vox_vault::Registry::builtin();
    let mut keys = Vec::new();
    let mut probes = Vec::new();
    for provider in config.providers.iter() {
        for secret_id in &provider.secret_ids {
            let Some(spec) = registry.get(secret_id) else { continue };
            let mut names = spec.env_name().into_iter().chain(spec.aliases.iter().cloned());
            if let Some(env) = names.find(|name| context.env.text(name).is_some()) {
                keys.push(FoundKey { env, secret_id: secret_id.clone() });
            }
        }
        if provider.local
            && let Some((address, path)) = endpoint(&provider.base_url, provider.models_path())
        {
            let id = provider.id.to_string();
            probes.push(std::thread::spawn(move || probe(id, address, &path)));
        }
    }
    let answers: Vec<(String, Option<String>)> = probes.into_iter().filter_map(|probe| probe.join().ok().flatten()).collect();
    let engine_model = answers.iter().find_map(|(id, model)| Some(format!("{id}/{}", model.as_ref()?)));
    Ok(Found { keys, engines: answers.into_iter().map(|(id, _)| id).collect(), engine_model })
}

/// Returns where a provider of this machine lists its models; others are not probed.
fn endpoint(base_url: &str, models: &str) -> Option<(SocketAddr, String)> {
    let url: http::Uri = base_url.parse().ok()?;
    let host = url.host()?.trim_matches(['[', ']']);
    let address: std::net::IpAddr = if host == "localhost" { std::net::Ipv4Addr::LOCALHOST.into() } else { host.parse().ok()? };
    address
        .is_loopback()
        .then(|| (SocketAddr::new(address, url.port_u16().unwrap_or(80)), format!("{}{models}", url.path().trim_end_matches('/'))))
}

/// Returns the engine with its first model, if one answers there.
fn probe(id: String, address: SocketAddr, path: &str) -> Option<(String, Option<String>)> {
    TcpStream::connect_timeout(&address, PROBE).ok()?;
    let (status, body) = Loopback { address }.send("GET", path).ok()?;
    let list: serde_json::Value = serde_json::from_slice(&body).ok()?;
    // OpenAI's form of a list, or Ollama's.
    let (models, name) =
        [("data", "id"), ("models", "name")].into_iter().find_map(|(list_name, name)| Some((list[list_name].as_array()?, name)))?;
    (status == 200).then(|| (id, models.first().and_then(|model| model[name].as_str()).map(str::to_owned)))
}
