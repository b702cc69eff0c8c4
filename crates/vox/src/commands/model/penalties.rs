//! `vox model penalties`: models that are set back on a task, and a person's way to end that.

use super::percent;
use crate::commands::feedback::of_a_person;
use crate::commands::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use vox_base::{Coded, Kind};
use vox_node::snapshot::Snapshot;
use vox_store::rows::routing::PenaltyRow;

/// Show which models are set back on a task, or end it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox model penalties\n  vox model penalties --clear openai/gpt-5-mini --task code_gen")]
pub(crate) struct Penalties {
    /// End the penalties of this offer; only from a terminal.
    #[arg(long, value_name = "OFFER")]
    clear: Option<String>,
    /// Only those of this task.
    #[arg(long, requires = "clear")]
    task: Option<String>,
}

impl Penalties {
    pub(crate) fn run(self, context: &Context) -> Result {
        match &self.clear {
            Some(offer) => self.end(context, offer),
            None => open_penalties(context),
        }
    }

    fn end(&self, context: &Context, offer: &str) -> Result {
        of_a_person("ending a penalty is a person's decision")?;
        let (provider, model) = offer.split_once('/').ok_or_else(|| {
            Coded::new(Kind::Usage, "route.model_unknown", format!("`{offer}` is no offer"))
                .expected("`provider/model`")
                .next("vox model penalties")
        })?;
        let snapshot: Snapshot = context.preview()?;
        let offer = (snapshot.board.canonical(provider).to_owned(), model.to_owned());
        let n_cleared = match context.existing_store()? {
            None => 0,
            Some(_) => block_on(context.store()?.clear_penalties(offer, self.task.clone(), "cli".to_owned(), context.now()))??,
        };
        Ok(Answer::new("vox.model.penalties.clear.v1", json!({ "n_cleared": n_cleared }), format!("{n_cleared} penalties ended")))
    }
}

fn open_penalties(context: &Context) -> Result {
    let open: Vec<PenaltyRow> = match context.existing_store()? {
        None => Vec::new(),
        Some(store) => block_on(store.penalties(context.now()))??,
    };
    let data: Vec<_> = open.iter().map(penalty).collect();
    let mut rows = vec![["offer", "task", "cause", "confidence", "until"].map(str::to_owned).to_vec()];
    rows.extend(open.iter().map(|row| {
        vec![
            format!("{}/{}", row.provider_canonical, row.model),
            row.task.to_string(),
            row.cause.to_string(),
            row.confidence_ppm.map_or_else(|| "-".to_owned(), percent),
            row.until_at.to_string(),
        ]
    }));
    let text = if open.is_empty() { "no model is set back\n".to_owned() } else { table(&rows) };
    Ok(Answer::new("vox.model.penalties.v1", json!({ "penalties": data }), text))
}

fn penalty(row: &PenaltyRow) -> serde_json::Value {
    json!({
        "penalty_id": row.penalty_id.to_string(), "provider": row.provider_canonical, "model": row.model, "task": row.task,
        "cause": row.cause, "confidence_ppm": row.confidence_ppm, "interaction_id": row.interaction_id.map(|id| id.to_string()),
        "from_at": row.from_at.to_string(), "until_at": row.until_at.to_string(),
    })
}
