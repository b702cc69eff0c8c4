//! A decision made again from what was recorded with it: rules, catalog, board, question and moment. What comes out must
//! be what was stored; anything else is damage or a change of the rules' meaning, and is said.

use vox_base::{Coded, DecisionId, InteractionId, Kind, Timestamp};
use vox_route::{Ask, Board, Catalog, Contract, Decision, decide};
use vox_store::{DecisionRecord, Store, Wanted};

/// A decision and everything it was made from.
pub struct Replayed {
    /// Its id.
    pub decision_id: String,
    /// When it was made.
    pub at: Timestamp,
    /// The rules.
    pub contract: Contract,
    /// The offers.
    pub catalog: Catalog,
    /// The state of the providers.
    pub board: Board,
    /// What was asked.
    pub ask: Ask,
    /// The decision.
    pub decision: Decision,
}

/// Makes a decision again: by its id, by the id of its call, or the `last` one.
///
/// # Errors
/// There is no such decision, its inputs are gone, or what comes out is not what was stored.
pub async fn replay(store: &Store, wanted: &str) -> Result<Replayed, Coded> {
    let record = find(store, wanted).await?.ok_or_else(|| unknown(wanted))?;
    let DecisionRecord { decision: row, contract, catalog, board } = record;
    let gone = |kind: &str| {
        let message = format!("the {kind} that decision {} was made from is not kept any more", row.decision_id);
        Coded::new(Kind::Failed, "route.decision_unknown", message).next("vox trace last")
    };
    let damaged = |what: &str| {
        Coded::new(Kind::Integrity, "route.replay_differs", format!("the recorded {what} of decision {} cannot be read", row.decision_id))
            .next("vox db verify")
    };
    let contract = Contract::from_snapshot(&contract.ok_or_else(|| gone("contract"))?).map_err(|_| damaged("contract"))?;
    let catalog = Catalog::from_snapshot(&catalog.ok_or_else(|| gone("catalog"))?).map_err(|_| damaged("catalog"))?;
    let board = Board::from_snapshot(&board.ok_or_else(|| gone("board"))?).map_err(|_| damaged("board"))?;
    let ask: Ask = serde_json::from_str(&row.features_json).map_err(|_| damaged("question"))?;
    let decision = decide(&contract, &catalog, &board, &ask, row.at, row.seed.cast_unsigned());
    let chosen = decision.pick().map(|pick| pick.offer.id.to_string());
    let stored = (row.chosen.as_deref(), &*row.mode, &*row.reason);
    let made = (chosen.as_deref(), decision.mode.as_str(), decision.reason.as_str());
    if stored != made {
        let message = format!("decision {} was {stored:?} and comes out as {made:?}", row.decision_id);
        return Err(Coded::new(Kind::Integrity, "route.replay_differs", message).next("use the release that made it"));
    }
    Ok(Replayed { decision_id: row.decision_id.to_string(), at: row.at, contract, catalog, board, ask, decision })
}

async fn find(store: &Store, wanted: &str) -> Result<Option<DecisionRecord>, Coded> {
    if wanted == "last" {
        return Ok(store.decision(None).await?);
    }
    let id: DecisionId = wanted.parse().map_err(|_| unknown(wanted))?;
    if let Some(record) = store.decision(Some(id)).await? {
        return Ok(Some(record));
    }
    let interaction: InteractionId = id.cast();
    let call = store.call(Wanted::Id(interaction)).await?;
    match call.and_then(|call| call.interaction.decision_id) {
        Some(id) => Ok(store.decision(Some(id)).await?),
        None => Ok(None),
    }
}

fn unknown(wanted: &str) -> Coded {
    Coded::new(Kind::Failed, "route.decision_unknown", format!("no decision `{wanted}` is stored"))
        .expected("a decision's or a call's id, or `last`")
        .next("vox trace last")
}
