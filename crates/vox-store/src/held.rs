//! Calls whose node died before it could settle them: what was set aside counts until a person says what they cost.

use crate::calls::Horizons;
use crate::intent::{self, Intent, IntentLog};
use crate::row::{Encode as _, Value};
use crate::rows::gateway::{BudgetEntry, Interaction, Reservation};
use crate::tx::Tx;
use crate::{Store, StoreError, budget, calls, keys, usage};
use vox_base::{CostSource, Digest, EntryId, IncarnationId, InteractionId, KeyId, NanoUsd, Timestamp};

/// A call that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCall {
    /// The call.
    pub interaction_id: InteractionId,
    /// The caller's key, if it had one.
    pub key_id: Option<KeyId>,
    /// The process that made it.
    pub incarnation: IncarnationId,
    /// What was set aside and counts.
    pub amount: NanoUsd,
    /// When it was set aside.
    pub opened_at: Timestamp,
}

/// What a person says about a held call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The call.
    pub interaction_id: InteractionId,
    /// What it cost; zero if nothing.
    pub cost: NanoUsd,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What was found at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Files of dead processes.
    pub files: usize,
    /// Calls that are held now and were not before.
    pub held: usize,
}

impl Store {
    /// Reads what dead processes left and holds their unsettled calls; running it again, or being killed in it, changes
    /// nothing more.
    ///
    /// # Errors
    /// A file cannot be read or the store not written; what is not yet held stays in its file.
    pub async fn hold_unsettled(&self) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered::default();
        for left in intent::left(&self.options().data_dir)? {
            let (incarnation, intents) = (left.incarnation, left.intents.clone());
            recovered.held += self.write(move |tx| hold_all(tx, incarnation, &intents)).await?;
            recovered.held += self.hold_node(incarnation).await?;
            recovered.files += 1;
            left.remove()?;
        }
        Ok(recovered)
    }

    /// Begins the log of intents of this process, after [`Self::hold_unsettled`].
    ///
    /// # Errors
    /// It cannot be made, or is open already.
    pub fn open_intents(&self, incarnation: IncarnationId) -> Result<(), StoreError> {
        self.keep_intents(IntentLog::open(&self.options().data_dir, incarnation)?)
    }

    /// Returns the held calls, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn held(&self) -> Result<Vec<HeldCall>, StoreError> {
        self.read(|tx| {
            let rows: Vec<Reservation> = tx.rows("WHERE state = 'held' ORDER BY opened_at, interaction_id", &[])?;
            Ok(rows.into_iter().map(HeldCall::from).collect())
        })
        .await
    }

    /// Replaces the amount of a held call by what it really cost. The correcting entry says who did it.
    ///
    /// # Errors
    /// The call is not held, or the store cannot be written.
    pub async fn reconcile(&self, correction: Correction) -> Result<HeldCall, StoreError> {
        self.write(move |tx| {
            let held = reconcile(tx, &correction)?;
            // What a key has spent changed, and a running node has to hear of it.
            tx.execute(keys::CHANGED, &[])?;
            Ok(held)
        })
        .await
    }
}

impl From<Reservation> for HeldCall {
    fn from(row: Reservation) -> Self {
        Self {
            interaction_id: row.interaction_id,
            key_id: row.key_id,
            incarnation: row.node_incarnation,
            amount: row.amount_nano_usd,
            opened_at: row.opened_at,
        }
    }
}

fn hold_all(tx: &mut dyn Tx, incarnation: IncarnationId, intents: &[Intent]) -> Result<usize, StoreError> {
    let days: Vec<i64> = intents.iter().map(|intent| calls::day_number(intent.at)).collect();
    let horizons = calls::horizons(tx, &days)?;
    let mut held = 0;
    for intent in intents {
        held += usize::from(hold(tx, &horizons, incarnation, intent)?);
    }
    Ok(held)
}

fn hold(tx: &mut dyn Tx, horizons: &Horizons, incarnation: IncarnationId, intent: &Intent) -> Result<bool, StoreError> {
    let id = intent.interaction_id;
    tx.run("DELETE FROM open_reservations WHERE interaction_id = $1", &[id.encode()])?;
    let known = "SELECT 1 FROM llm_interactions WHERE interaction_id = $1 UNION ALL SELECT 1 FROM reservations WHERE interaction_id = $1";
    if tx.value::<i64>(known, &[id.encode()])?.is_some() {
        return Ok(false);
    }
    tx.insert(&Reservation {
        interaction_id: id,
        key_id: intent.key_id,
        node_incarnation: incarnation,
        amount_nano_usd: intent.amount,
        state: "held".into(),
        opened_at: intent.at,
        closed_at: None,
    })?;
    for account in accounts(tx, intent.key_id)? {
        budget::add(tx, horizons.budget, &entry(id, account, "held", intent.amount, intent.at))?;
    }
    Ok(true)
}

/// Returns the key and those above it: each of them is charged.
pub(crate) fn accounts(tx: &mut dyn Tx, key: Option<KeyId>) -> Result<Vec<KeyId>, StoreError> {
    let mut accounts: Vec<KeyId> = Vec::new();
    let mut next = key;
    while let Some(key) = next.filter(|key| !accounts.contains(key)) {
        accounts.push(key);
        next = tx.value::<Option<KeyId>>("SELECT parent_id FROM caller_keys WHERE key_id = $1", &[key.encode()])?.flatten();
    }
    Ok(accounts)
}

/// The id follows from the call, the account and the kind, so that an entry can never be written twice.
pub(crate) fn entry(call: InteractionId, account: KeyId, kind: &'static str, amount: NanoUsd, at: Timestamp) -> BudgetEntry {
    let mut random = [0; 10];
    random.copy_from_slice(&Digest::of(format!("{kind} {call} {account}").as_bytes()).as_bytes()[..10]);
    BudgetEntry {
        entry_id: EntryId::new(at, random),
        account: account.to_string().into(),
        kind: kind.into(),
        amount_nano_usd: amount,
        call_id: call,
        at,
        by: None,
    }
}

fn reconcile(tx: &mut dyn Tx, correction: &Correction) -> Result<HeldCall, StoreError> {
    let id = correction.interaction_id;
    let held: Option<Reservation> = tx.first("WHERE interaction_id = $1 AND state = 'held'", &[id.encode()])?;
    let held = held.map(HeldCall::from).ok_or_else(|| StoreError::NotFound(format!("held call `{id}`")))?;
    let state = if correction.cost == NanoUsd::ZERO { "released" } else { "settled" };
    let close = "UPDATE reservations SET state = $2, closed_at = $3 WHERE interaction_id = $1";
    tx.execute(close, &[id.encode(), Value::Text(state), correction.at.encode()])?;
    let horizons = calls::horizons(tx, &[calls::day_number(correction.at), calls::day_number(held.opened_at)])?;
    for account in accounts(tx, held.key_id)? {
        let difference = correction.cost.saturating_sub(held.amount);
        let entry = BudgetEntry { by: Some(correction.by.clone().into()), ..entry(id, account, "correct", difference, correction.at) };
        budget::add(tx, horizons.budget, &entry)?;
    }
    let interaction = lost(&held, correction);
    tx.insert(&interaction)?;
    if interaction.created_at < horizons.usage {
        usage::roll_up_late(tx, &[&interaction])?;
    }
    Ok(held)
}

/// What is known of a call whose node died: that it was made, and what a person says it cost.
fn lost(held: &HeldCall, correction: &Correction) -> Interaction {
    Interaction {
        key_id: held.key_id,
        cost_nano_usd: Some(correction.cost),
        cost_source: CostSource::Held.as_str().into(),
        ended_at: correction.at,
        ..Interaction::unknown(held.interaction_id, held.opened_at)
    }
}

#[cfg(test)]
mod tests;
