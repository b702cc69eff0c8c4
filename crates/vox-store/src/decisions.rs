//! Decisions and the inputs they were made from, so that any of them can be made again.

use crate::row::{Encode as _, Value, column};
use crate::rows::routing::DecisionRow;
use crate::tx::Tx;
use crate::{Store, StoreError};
use vox_base::{DecisionId, Digest, Timestamp};

/// One input of decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Digest of the bytes.
    pub digest: Digest,
    /// `contract`, `catalog` or `board`.
    pub kind: &'static str,
    /// The bytes.
    pub blob: Vec<u8>,
}

/// A decision with its inputs; an input that is gone is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: DecisionRow,
    /// The routing contract.
    pub contract: Option<Vec<u8>>,
    /// The catalog.
    pub catalog: Option<Vec<u8>>,
    /// The scoreboard.
    pub board: Option<Vec<u8>>,
}

impl Store {
    /// Keeps inputs that decisions are going to name. Call it when an input changes, and once a day while it does not.
    ///
    /// # Errors
    /// The bytes are not those of the digest, or the store cannot be written.
    pub async fn keep_snapshots(&self, snapshots: Vec<Snapshot>, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| snapshots.iter().try_for_each(|snapshot| keep(tx, snapshot, now))).await
    }

    /// Writes a decision that no call will settle, such as one that was only explained.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn record_decision(&self, decision: DecisionRow) -> Result<(), StoreError> {
        self.write(move |tx| tx.insert(&decision)).await
    }

    /// Returns the newest decision since a moment whose choice was left to routing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn last_routed(&self, since: Timestamp) -> Result<Option<DecisionRow>, StoreError> {
        let rest = "WHERE decision_id >= $1 AND mode IN ('scored', 'premium', 'explored') ORDER BY decision_id DESC LIMIT 1";
        self.read(move |tx| tx.first(rest, &[DecisionId::new(since, [0; 10]).encode()])).await
    }

    /// Returns a decision with its inputs; `None` for the newest one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn decision(&self, id: Option<DecisionId>) -> Result<Option<DecisionRecord>, StoreError> {
        self.read(move |tx| {
            let decision: Option<DecisionRow> = match id {
                Some(id) => tx.first("WHERE decision_id = $1", &[id.encode()])?,
                None => tx.first("ORDER BY decision_id DESC LIMIT 1", &[])?,
            };
            let Some(decision) = decision else { return Ok(None) };
            let contract = blob(tx, &decision.contract_digest)?;
            let catalog = blob(tx, &decision.catalog_digest)?;
            let board = blob(tx, &decision.board_digest)?;
            Ok(Some(DecisionRecord { decision, contract, catalog, board }))
        })
        .await
    }
}

fn keep(tx: &mut dyn Tx, snapshot: &Snapshot, now: Timestamp) -> Result<(), StoreError> {
    if Digest::of(&snapshot.blob) != snapshot.digest {
        return Err(StoreError::value("route_snapshots.blob", "is not what its digest says"));
    }
    crate::row::fits::bytes("route_snapshots.blob", Some(&snapshot.blob), 16 * 1024 * 1024)?;
    let touch = "UPDATE route_snapshots SET last_at = $2 WHERE digest = $1 AND last_at < cast($2 AS bigint) - 86400000";
    tx.execute(touch, &[snapshot.digest.encode(), now.encode()])?;
    let sql = "INSERT INTO route_snapshots (digest, kind, blob, first_at, last_at) VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING";
    tx.execute(sql, &[snapshot.digest.encode(), Value::Text(snapshot.kind), snapshot.blob.encode(), now.encode()]).map(|_| ())
}

fn blob(tx: &mut dyn Tx, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let mut blob = None;
    tx.query("SELECT blob FROM route_snapshots WHERE digest = $1", &[digest.encode()], &mut |row| {
        blob = Some(column(row, 0, "route_snapshots.blob")?);
        Ok(())
    })?;
    Ok(blob)
}

#[cfg(test)]
mod tests;
