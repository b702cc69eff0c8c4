//! One call as it went: what was asked, why this offer, every attempt, and what it cost line by line.
//!
//! Everything here is read from what the call's one transaction wrote; nothing is worked out anew but the cost lines,
//! which are the recorded tokens times the recorded prices.

mod cost;
mod replay;
mod report;

pub use cost::CostLine;
pub use replay::{Replayed, replay};
pub use report::{AttemptReport, DecisionReport, TokenReport, TraceReport};

use vox_base::{Coded, InteractionId, Kind};
use vox_store::{Store, Wanted};

/// Returns a call by its interaction id, its trace id, or `last`.
///
/// # Errors
/// The text is no id, or no such call is stored; a call whose node died before it was settled is said to be held.
pub async fn find(store: &Store, wanted: &str) -> Result<TraceReport, Coded> {
    let id = match wanted {
        "last" => None,
        text => Some(text.parse::<InteractionId>().map_err(|error| {
            Coded::new(Kind::Usage, "gateway.trace_unknown", format!("`{text}` names no call"))
                .expected(format!("`last`, or {error}"))
                .next("vox trace last")
        })?),
    };
    match store.call(id.map_or(Wanted::Last, Wanted::Id)).await? {
        Some(call) => {
            let prices = match call.interaction.price_snapshot_id {
                Some(id) => store.prices(id).await?,
                None => None,
            };
            Ok(report::report(call, prices.as_ref()))
        }
        None => Err(unknown(store, id).await?),
    }
}

async fn unknown(store: &Store, id: Option<InteractionId>) -> Result<Coded, Coded> {
    let Some(id) = id else {
        return Ok(Coded::new(Kind::Failed, "gateway.trace_unknown", "no call is stored yet").next("vox chat \"hello\""));
    };
    if let Some(held) = store.held().await?.into_iter().find(|held| held.interaction_id == id) {
        let message = format!("call {id} of {} was not settled before its node died; {} is held for it", held.opened_at, held.amount);
        return Ok(Coded::new(Kind::Failed, "gateway.trace_unknown", message).next(format!("vox usage reconcile {id} --usd AMOUNT")));
    }
    Ok(Coded::new(Kind::Failed, "gateway.trace_unknown", format!("no call {id} is stored")).next("vox trace last"))
}
