//! What open calls have set aside where several nodes share the accounts, and what becomes of it when a node dies.
//!
//! A node alone keeps this in memory and an intent on its disk (see `intent`); on shared tables a call against a hard
//! limit sets its amount aside here first, behind whoever does the same for that account. Settling takes it away in the
//! transaction that writes the cost.

use crate::calls::{self, Horizons};
use crate::held::{accounts, entry};
use crate::row::{Encode as _, Value, column};
use crate::rows::gateway::{OpenReservation, Reservation};
use crate::tx::Tx;
use crate::{Store, StoreError, budget};
use vox_base::{IncarnationId, InteractionId, KeyId, NanoUsd, Timestamp};

/// What an account may spend in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardLimit {
    /// The first moment of the window, on the first moment of a UTC day.
    pub since: Timestamp,
    /// How much.
    pub amount: NanoUsd,
}

/// An amount to be set aside at every account, or at none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// The call.
    pub interaction_id: InteractionId,
    /// The caller's key.
    pub key_id: KeyId,
    /// The process that makes the call.
    pub incarnation: IncarnationId,
    /// The most the call can cost; replaces what it has set aside before.
    pub amount: NanoUsd,
    /// The keys with hard limits among the caller's and those above it.
    pub accounts: Vec<(KeyId, Vec<HardLimit>)>,
    /// The present moment.
    pub now: Timestamp,
}

/// The limit that does not cover an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCovered {
    /// Whose limit.
    pub key_id: KeyId,
    /// Which of its limits, in the order given.
    pub limit: usize,
    /// Spent in the window, with what is held.
    pub spent: NanoUsd,
    /// Set aside by other open calls.
    pub reserved: NanoUsd,
}

/// A node as the tables know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeSeen {
    /// The process.
    pub incarnation: IncarnationId,
    /// Rises while it lives.
    pub beats: i64,
}

impl Store {
    /// Returns whether other nodes may share the accounts.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.shared(), crate::store::Shared::Server(_))
    }

    /// Sets an amount aside, unless a limit does not cover it.
    ///
    /// # Errors
    /// The store cannot be written: nothing is set aside.
    pub async fn reserve(&self, reserve: Reserve) -> Result<Result<(), NotCovered>, StoreError> {
        self.write_beside(move |tx| set_aside(tx, &reserve)).await
    }

    /// Takes back what a call has set aside that will not be settled.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn release(&self, id: InteractionId) -> Result<(), StoreError> {
        self.write_beside(move |tx| close(tx, id)).await
    }

    /// Says that a process lives.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn beat(&self, incarnation: IncarnationId, now: Timestamp) -> Result<(), StoreError> {
        self.write_beside(move |tx| {
            let sql = "INSERT INTO nodes (node_incarnation, beats, started_at) VALUES ($1, 1, $2) \
                ON CONFLICT (node_incarnation) DO UPDATE SET beats = nodes.beats + 1";
            tx.run(sql, &[incarnation.encode(), now.encode()])
        })
        .await
    }

    /// Returns the processes that live, or died and were not yet missed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn nodes(&self) -> Result<Vec<NodeSeen>, StoreError> {
        self.read(|tx| {
            let mut nodes = Vec::new();
            // One that never beat is seen by what it has set aside.
            let sql = "SELECT node_incarnation, max(beats) FROM (SELECT node_incarnation, beats FROM nodes \
                UNION ALL SELECT node_incarnation, cast(0 AS bigint) FROM open_reservations) AS seen \
                GROUP BY node_incarnation ORDER BY node_incarnation";
            tx.query(sql, &[], &mut |row| {
                nodes.push(NodeSeen { incarnation: column(row, 0, "nodes.node_incarnation")?, beats: column(row, 1, "nodes.beats")? });
                Ok(())
            })?;
            Ok(nodes)
        })
        .await
    }

    /// Holds what the calls of a dead process have set aside, and forgets the process; returns how many calls. If it was
    /// not dead after all, the calls it settles later put that right.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn hold_node(&self, incarnation: IncarnationId) -> Result<usize, StoreError> {
        self.write(move |tx| hold_node(tx, incarnation)).await
    }
}

/// Sums of one window as one statement sees them: two statements would miss what is settled between them.
const TAKEN: &str = "SELECT cast(coalesce((SELECT sum(amount_nano_usd) FROM budget_daily WHERE account = $1 AND day >= $2), 0) \
    + coalesce((SELECT sum(amount_nano_usd) FROM budget_entries WHERE account = $1 AND at >= $3 \
        AND at >= coalesce((SELECT horizon FROM rollup_mark WHERE rollup = 'budget_daily'), $3)), 0) AS bigint), \
    cast(coalesce((SELECT sum(amount_nano_usd) FROM open_reservations WHERE account = $1 AND interaction_id <> $4), 0) AS bigint)";

fn set_aside(tx: &mut dyn Tx, reserve: &Reserve) -> Result<Result<(), NotCovered>, StoreError> {
    let mut keys: Vec<KeyId> = reserve.accounts.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    tx.hold_accounts(&keys)?;
    for (key_id, limits) in &reserve.accounts {
        for (limit, hard) in limits.iter().enumerate() {
            let (spent, reserved) = taken(tx, *key_id, hard.since, reserve.interaction_id)?;
            if spent.saturating_add(reserved).saturating_add(reserve.amount) > hard.amount {
                return Ok(Err(NotCovered { key_id: *key_id, limit, spent, reserved }));
            }
        }
    }
    close(tx, reserve.interaction_id)?;
    for (key_id, _) in &reserve.accounts {
        tx.insert(&OpenReservation {
            interaction_id: reserve.interaction_id,
            account: key_id.to_string().into(),
            key_id: reserve.key_id,
            node_incarnation: reserve.incarnation,
            amount_nano_usd: reserve.amount,
            opened_at: reserve.now,
        })?;
    }
    Ok(Ok(()))
}

fn taken(tx: &mut dyn Tx, key: KeyId, since: Timestamp, except: InteractionId) -> Result<(NanoUsd, NanoUsd), StoreError> {
    let (account, day) = (key.to_string(), since.day());
    let mut taken = (NanoUsd::ZERO, NanoUsd::ZERO);
    tx.query(TAKEN, &[Value::Text(&account), Value::Text(&day), since.encode(), except.encode()], &mut |row| {
        taken = (column(row, 0, "spent")?, column(row, 1, "reserved")?);
        Ok(())
    })?;
    Ok(taken)
}

fn close(tx: &mut dyn Tx, id: InteractionId) -> Result<(), StoreError> {
    tx.run("DELETE FROM open_reservations WHERE interaction_id = $1", &[id.encode()])
}

/// Takes away what a call that settles has set aside; if others took its node for dead meanwhile, what they held of it
/// is put right, so that it counts once.
pub(crate) fn settle(tx: &mut dyn Tx, horizons: &Horizons, id: InteractionId, now: Timestamp) -> Result<(), StoreError> {
    close(tx, id)?;
    let held: Option<Reservation> = tx.first("WHERE interaction_id = $1 AND state = 'held'", &[id.encode()])?;
    let Some(held) = held else { return Ok(()) };
    let sql = "UPDATE reservations SET state = 'settled', closed_at = $2 WHERE interaction_id = $1";
    tx.run(sql, &[id.encode(), now.encode()])?;
    for account in accounts(tx, held.key_id)? {
        let back = NanoUsd::ZERO.saturating_sub(held.amount_nano_usd);
        budget::add(tx, horizons.budget, &entry(id, account, "correct", back, now))?;
    }
    Ok(())
}

fn hold_node(tx: &mut dyn Tx, incarnation: IncarnationId) -> Result<usize, StoreError> {
    let mut gone: Vec<(InteractionId, KeyId, NanoUsd, Timestamp)> = Vec::new();
    // Deleting comes first: a call that settles at this moment either finds its row gone, or takes it from us.
    let sql = "DELETE FROM open_reservations WHERE node_incarnation = $1 RETURNING interaction_id, key_id, amount_nano_usd, opened_at";
    tx.query(sql, &[incarnation.encode()], &mut |row| {
        gone.push((column(row, 0, "interaction_id")?, column(row, 1, "key_id")?, column(row, 2, "amount")?, column(row, 3, "opened_at")?));
        Ok(())
    })?;
    gone.sort_unstable();
    gone.dedup_by_key(|(id, ..)| *id);
    let mut days: Vec<i64> = gone.iter().map(|(.., at)| calls::day_number(*at)).collect();
    days.sort_unstable();
    days.dedup();
    let horizons = calls::horizons(tx, &days)?;
    for (interaction_id, key_id, amount, opened_at) in &gone {
        tx.insert(&Reservation {
            interaction_id: *interaction_id,
            key_id: Some(*key_id),
            node_incarnation: incarnation,
            amount_nano_usd: *amount,
            state: "held".into(),
            opened_at: *opened_at,
            closed_at: None,
        })?;
        for account in accounts(tx, Some(*key_id))? {
            budget::add(tx, horizons.budget, &entry(*interaction_id, account, "held", *amount, *opened_at))?;
        }
    }
    tx.run("DELETE FROM nodes WHERE node_incarnation = $1", &[incarnation.encode()])?;
    Ok(gone.len())
}

#[cfg(test)]
mod tests;
