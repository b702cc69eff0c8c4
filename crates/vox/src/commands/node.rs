//! `vox status` and `vox down`: the node from outside.

use super::Result;
use crate::context::Context;
use crate::output::{Answer, table};
use crate::running;
use serde_json::json;
use std::time::Duration;
use vox_base::{Coded, Kind};

/// How long a node gets to drain before `vox down` gives up waiting.
const PATIENCE: Duration = Duration::from_secs(40);

/// Say whether a node runs and how things stand.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox status\n  vox status --json")]
pub(crate) struct Status {}

/// End the node that runs in the background.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox down")]
pub(crate) struct Down {}

impl Status {
    pub(crate) fn run(self, context: &Context) -> Result {
        let dirs = context.dirs()?;
        let running = running::read(&dirs.state.path);
        let home_exists = dirs.data.path.exists();
        let ready = running.as_ref().map(|running| running::answers_as_vox(running.address));
        let mut rows =
            vec![vec!["home".to_owned(), format!("{}{}", dirs.data.path.display(), if home_exists { "" } else { " (not made yet)" })]];
        rows.push(vec![
            "node".to_owned(),
            match (&running, ready) {
                (Some(running), Some(true)) => format!("http://{}  pid {}  since {}", running.address, running.pid, running.started_at),
                (Some(running), _) => format!("pid {} does not answer at http://{}", running.pid, running.address),
                (None, _) => "not running".to_owned(),
            },
        ]);
        if running.is_none() {
            rows.push(vec!["next".to_owned(), "vox up".to_owned()]);
        }
        let data = json!({
            "home": dirs.data.path, "home_exists": home_exists, "running": running.is_some(), "ready": ready.unwrap_or(false),
            "address": running.as_ref().map(|running| running.address), "pid": running.as_ref().map(|running| running.pid),
            "started_at": running.as_ref().map(|running| running.started_at.to_string()),
        });
        Ok(Answer::new("vox.status.v1", data, table(&rows)))
    }
}

impl Down {
    pub(crate) fn run(self, context: &Context) -> Result {
        let dirs = context.dirs()?;
        let Some(running) = running::read(&dirs.state.path) else {
            return Ok(Answer::new("vox.down.v1", json!({ "was_running": false }), "no node runs on this home"));
        };
        vox_host::process::terminate(running.pid)
            .map_err(|error| Coded::new(Kind::Failed, "gateway.node_unreachable", error.to_string()).next("`vox status`"))?;
        if !vox_host::process::wait_gone(running.pid, PATIENCE) {
            return Err(Coded::new(Kind::Failed, "gateway.node_unreachable", format!("pid {} still drains", running.pid))
                .next("`vox down` again ends it at once"));
        }
        Ok(Answer::new(
            "vox.down.v1",
            json!({ "was_running": true, "pid": running.pid }),
            format!("ended the node at http://{}", running.address),
        ))
    }
}

/// Bare `vox`: how things stand, and what to do next. Creates nothing.
pub(crate) fn bare(context: &Context) -> Result {
    Status {}.run(context)
}
