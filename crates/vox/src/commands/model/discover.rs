//! `vox model discover` and `vox model sources`: fetching model lists, and how old they are.

use crate::commands::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use vox_base::{Coded, Kind};
use vox_node::discovery::{Discovery, Fetch, Outcome, Standing, State, Wanted, record, standing, with_requests};
use vox_node::doctor::age;

/// Fetch the model lists that are due; a list is taken whole or not at all.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox model discover\n  vox model discover --source openrouter --force\n  vox model discover --check-freshness"
)]
pub(crate) struct Discover {
    /// Only this list; repeatable.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// Fetch lists that are still fresh too, but never one that was fetched just now; take a list that came back empty.
    #[arg(long)]
    force: bool,
    /// Fetch nothing; exit 5 if a list is older than its limit.
    #[arg(long, conflicts_with_all = ["sources", "force"])]
    check_freshness: bool,
}

impl Discover {
    pub(crate) fn run(self, context: &Context) -> Result {
        if self.check_freshness {
            return check(context);
        }
        let snapshot = context.preview()?;
        let (http, dirs) = (context.http(), context.dirs()?);
        let discovery = Discovery {
            snapshot: &snapshot,
            http: &http,
            cache_dir: &dirs.cache.path,
            entropy: &*context.entropy,
            now: context.now(),
            offline: context.is_offline(),
        };
        let wanted = Wanted { only: self.sources, force: self.force };
        let fetches = block_on(async {
            let fetches = discovery.run(&wanted).await?;
            if fetches.iter().any(|fetch| fetch.n_requests > 0) {
                record(&context.store()?, &*context.entropy, context.now(), &fetches).await?;
            }
            Ok::<_, Coded>(fetches)
        })??;
        for warning in fetches.iter().flat_map(|fetch| &fetch.warnings) {
            if context.global.verbose > 0 {
                context.out.warn(warning);
            }
        }
        let named = |fetch: &Fetch| wanted.only.contains(&fetch.source);
        let failed = fetches.iter().any(|fetch| fetch.outcome == Outcome::Failed || (fetch.outcome == Outcome::NotRunning && named(fetch)));
        Ok(Answer::new("vox.model.discover.v1", json!({ "sources": fetches }), shown(&fetches)).exiting(u8::from(failed)))
    }
}

fn shown(fetches: &[Fetch]) -> String {
    let mut rows = vec![["source", "outcome", "models", "new", "gone", "changed", "requests", ""].map(str::to_owned).to_vec()];
    rows.extend(fetches.iter().map(|fetch| {
        let outcome = fetch.outcome.as_str().replace('_', " ");
        let models =
            if fetch.n_before == fetch.n_after { fetch.n_after.to_string() } else { format!("{} → {}", fetch.n_before, fetch.n_after) };
        let counts = [fetch.n_added, fetch.n_removed, fetch.n_changed].map(|count| count.to_string());
        let rest = fetch.error.clone().or_else(|| fetch.next_refresh_at.as_ref().map(|at| format!("next {at}"))).unwrap_or_default();
        let [added, removed, changed] = counts;
        vec![fetch.source.clone(), outcome, models, added, removed, changed, fetch.n_requests.to_string(), rest]
    }));
    table(&rows)
}

fn standings(context: &Context) -> Result<Vec<Standing>> {
    let snapshot = context.preview()?;
    let standings = standing(&context.dirs()?.cache.path, &snapshot.contract, &snapshot.providers, &snapshot.board, context.now()).0;
    match context.existing_store()? {
        Some(store) => block_on(with_requests(standings, &store, context.now()))?,
        None => Ok(standings),
    }
}

fn check(context: &Context) -> Result {
    let standings = standings(context)?;
    let stale: Vec<&Standing> = standings.iter().filter(|standing| standing.is_too_old()).collect();
    if stale.is_empty() {
        return Ok(Answer::new("vox.model.discover.v1", json!({ "sources": standings }), "no list is older than its limit\n"));
    }
    let names: Vec<String> = stale.iter().map(|standing| format!("{} ({})", standing.source, age(standing.age_ms.unwrap_or(0)))).collect();
    Err(Coded::new(Kind::Stale, "route.stale", format!("older than their limit: {}", names.join(", "))).next("vox model discover"))
}

pub(super) fn sources(context: &Context) -> Result {
    let standings = standings(context)?;
    let mut rows = vec![["source", "state", "models", "age", "limit", "requests", "next", ""].map(str::to_owned).to_vec()];
    rows.extend(standings.iter().map(|standing| {
        let state = json!(standing.state).as_str().unwrap_or_default().to_owned();
        let state = if matches!(standing.state, State::Stale | State::Failed) { state.to_uppercase() } else { state };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            standing.source.clone(),
            state,
            or_dash(standing.n_models.map(|count| count.to_string())),
            or_dash(standing.age_ms.map(age)),
            age(standing.limit_ms),
            or_dash(standing.n_requests_last_hour.map(|count| count.to_string())),
            or_dash(standing.next_refresh_at.clone()),
            standing.last_error.clone().unwrap_or_default(),
        ]
    }));
    Ok(Answer::new("vox.model.sources.v1", json!({ "sources": standings }), table(&rows)))
}
