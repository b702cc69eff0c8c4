//! `vox serve`: the node in the foreground, from its lock and socket to the last settled call.

use super::Result;
use crate::context::Context;
use crate::output::Answer;
use crate::running::{self, Running};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use vox_base::{Coded, Kind};
use vox_gateway::{Ended, Gateway, Phase};
use vox_host::lock::{FileLock, LockError};
use vox_node::Node;

/// How often keys, secrets and configuration are looked at for changes.
const REFRESH: Duration = Duration::from_millis(250);
/// How often old rows are summed up and deleted.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);

/// Run the node in the foreground.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:\n  vox serve\n  vox serve --listen 127.0.0.1:9000\n  vox serve --check")]
pub(crate) struct Serve {
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// How long open requests may go on after SIGTERM, for example `30s` or `500ms`.
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    drain: Option<Duration>,
    /// Check configuration and providers, and exit.
    #[arg(long)]
    check: bool,
}

impl Serve {
    /// Returns the command that listens on a port of this machine.
    pub(crate) fn on_port(port: Option<u16>) -> Self {
        Self { listen: port.map(|port| format!("127.0.0.1:{port}")), ..Self::default() }
    }

    pub(crate) fn run(self, context: &Context) -> Result {
        if self.check {
            return check(context);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Coded::new(Kind::Failed, "cli.runtime", format!("no runtime: {error}")))?;
        let ended = runtime.block_on(async {
            let served = self.open(context).await?;
            context.out.note(&format!("vox listens on http://{}", served.address));
            Ok::<_, Coded>(served.until_stopped().await)
        })?;
        let (text, exit) = match ended {
            Ended::Drained => (String::new(), 0),
            Ended::Cut(n) => (format!("{n} open connections were cut"), 1),
        };
        Ok(Answer::new("vox.serve.v1", json!({ "cut": exit == 1 }), text).exiting(exit))
    }

    /// Takes the home's lock, binds the socket, opens the node.
    pub(crate) async fn open(&self, context: &Context) -> Result<Served> {
        let address = self.address(context)?;
        let dirs = context.dirs()?;
        vox_host::fs::create_dir(&dirs.data.path)?;
        vox_host::fs::create_dir(&dirs.state.path)?;
        let lock =
            FileLock::acquire(&dirs.data.path.join("node.lock")).map_err(|error| already(&error, &running::read(&dirs.state.path)))?;
        let listener = TcpListener::bind(address).await.map_err(|error| cannot_bind(address, &error))?;
        let address = listener.local_addr().map_err(|error| cannot_bind(address, &error))?;
        crate::logs::daemon(context, &dirs)?;
        if let Err(error) = vox_host::process::harden() {
            tracing::warn!(%error, "core dumps could not be turned off");
        }
        let node = context.open_node().await?;
        let token = running::admin_token(&dirs.state.path, &*context.entropy)?;
        let gateway = Arc::new(Gateway::new(node.clone(), address.port(), token));
        running::write(&dirs.state.path, &Running { pid: std::process::id(), address, started_at: context.now() }, &*context.entropy)?;
        let drain =
            self.drain.unwrap_or_else(|| context.drain().unwrap_or_else(|| Duration::from_millis(node.settings().shutdown.drain_ms)));
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(Served { address, node, gateway, listener, drain, state_dir: dirs.state.path, _lock: lock })
    }

    fn address(&self, context: &Context) -> Result<SocketAddr> {
        let text = match self.listen.as_deref().or_else(|| context.env.text("VOX_LISTEN")) {
            Some(text) => text.to_owned(),
            None => context.config()?.settings.listen.clone(),
        };
        let address: SocketAddr = text.parse().map_err(|_| {
            Coded::new(Kind::Usage, "gateway.listen_invalid", format!("`{text}` is no address to listen on"))
                .expected("an address and port such as 127.0.0.1:8642")
        })?;
        if address.ip().is_loopback() {
            return Ok(address);
        }
        Err(Coded::new(
            Kind::Refused,
            "gateway.bind_refused",
            format!("{address} can be reached from other machines, and vox does not speak TLS itself"),
        )
        .expected("a loopback address")
        .next("listen on 127.0.0.1 and put a TLS proxy or an SSH tunnel in front"))
    }
}

/// A node that serves.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) node: Arc<Node>,
    gateway: Arc<Gateway>,
    listener: TcpListener,
    drain: Duration,
    state_dir: std::path::PathBuf,
    _lock: FileLock,
}

impl Served {
    /// Serves until SIGTERM or Ctrl-C, lets open requests end, and closes the store.
    pub(crate) async fn until_stopped(self) -> Ended {
        let (phase, watching) = watch::channel(Phase::Serving);
        let stopping = stop_signals(phase, self.gateway.clone());
        let caring = care(self.node.clone());
        let ended = tokio::select! {
            ended = vox_gateway::serve(self.listener, self.gateway, watching, self.drain) => ended,
            never = stopping => never,
            never = caring => never,
        };
        self.node.keep_sessions(true).await;
        self.node.leave().await;
        self.node.close();
        running::remove(&self.state_dir);
        tracing::info!("stopped");
        ended
    }
}

/// The first signal drains, the second ends.
async fn stop_signals(phase: watch::Sender<Phase>, gateway: Arc<Gateway>) -> Ended {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        let next = if *phase.borrow() == Phase::Serving { Phase::Draining } else { Phase::Ending };
        gateway.drain();
        phase.send_replace(next);
        tracing::info!(?next, "asked to stop");
    }
}

/// Takes changes in, and keeps the store small, side by side: summing up takes its time.
async fn care(node: Arc<Node>) -> Ended {
    let refreshing = async {
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changes = node.store().changes();
        loop {
            tokio::select! {
                _ = refresh.tick() => {}
                () = changes.next() => {}
            }
            node.refresh().await;
        }
    };
    let keeping_house = async {
        let mut housekeeping = tokio::time::interval_at(tokio::time::Instant::now() + Duration::from_secs(60), HOUSEKEEPING);
        loop {
            housekeeping.tick().await;
            if let Err(error) = node.housekeeping().await {
                tracing::warn!(code = error.code, "old rows were not summed up: {error}");
            }
        }
    };
    tokio::join!(refreshing, keeping_house).0
}

fn check(context: &Context) -> Result {
    let config = context.config()?;
    let providers = config.providers.iter().count();
    let text = format!("configuration holds together: {providers} providers, listening on {}", config.settings.listen);
    Ok(Answer::new("vox.serve.check.v1", json!({ "providers": providers, "listen": config.settings.listen }), text))
}

fn already(error: &LockError, running: &Option<Running>) -> Coded {
    let at = running.as_ref().map_or_else(String::new, |running| format!(" at http://{}", running.address));
    Coded::new(Kind::Failed, "gateway.node_running", format!("a node already runs on this home{at}: {error}"))
        .next("`vox status`, or `vox down` to end it")
}

fn cannot_bind(address: SocketAddr, error: &std::io::Error) -> Coded {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        let who = if running::answers_as_vox(address) { "another vox node" } else { "another program" };
        return Coded::new(Kind::Failed, "gateway.addr_in_use", format!("{who} listens on {address}"))
            .next("end it, or choose another port with --listen");
    }
    Coded::new(Kind::Failed, "gateway.listen_invalid", format!("cannot listen on {address}: {error}"))
}
