//! Leading: what only one node of a schema may do, such as summing up and deleting.
//!
//! The office is a lock of a session that the server ends when it has been silent for some seconds, so that a node which
//! stands still loses it. Each takeover raises the epoch; a leader's work looks in its own transaction whether the epoch
//! is still its own, so that a node which wakes up late changes nothing.

use super::session::{Session, locks};
use super::target::Target;
use crate::StoreError;
use crate::row::Value;
use crate::tx::Tx;
use vox_base::{Id, Timestamp};

/// After so long without a word the server ends a leader's session.
const SILENCE_MS: u32 = 8_000;

/// This process's claim to the office.
#[derive(Default)]
pub(crate) struct Office {
    session: Option<Session>,
    epoch: Option<i64>,
}

impl Office {
    /// Keeps the office, or takes it if it is free; returns the epoch, if we hold it. Blocks.
    ///
    /// # Errors
    /// The server cannot be asked; the office is lost.
    pub(crate) fn keep<K>(&mut self, target: &Target, name: &str, holder: Id<K>, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let kept = self.ask(target, name, holder, now);
        if kept.is_err() {
            *self = Self::default();
        }
        kept
    }

    fn ask<K>(&mut self, target: &Target, name: &str, holder: Id<K>, now: Timestamp) -> Result<Option<i64>, StoreError> {
        if self.session.as_ref().is_none_or(Session::is_closed) {
            *self = Self::default();
            let session = Session::connect(target, name)?;
            session.batch(&format!("SET idle_session_timeout = {SILENCE_MS}"))?;
            self.session = Some(session);
        }
        let Some(session) = &self.session else { return Ok(None) };
        if self.epoch.is_some() {
            session.ask("SELECT 1")?;
            return Ok(self.epoch);
        }
        let (space, lock) = (target.lock_space(), locks::OFFICE);
        if session.ask(&format!("SELECT pg_try_advisory_lock({space}, {lock})"))?.as_deref() != Some("t") {
            return Ok(None);
        }
        let epoch = session.ask(&format!(
            "INSERT INTO leader (name, holder, epoch, since_at) VALUES ('store', '{holder}', 1, {}) ON CONFLICT (name) \
             DO UPDATE SET holder = excluded.holder, epoch = leader.epoch + 1, since_at = excluded.since_at RETURNING epoch",
            now.millis()
        ))?;
        self.epoch = epoch.and_then(|epoch| epoch.parse().ok());
        Ok(self.epoch)
    }
}

/// Fails unless the epoch is still ours; nobody takes the office over until the transaction ends.
pub(crate) fn check(tx: &mut dyn Tx, epoch: i64) -> Result<(), StoreError> {
    // A leader that stands still in the middle may not keep the others waiting for long.
    tx.run("SELECT set_config('idle_in_transaction_session_timeout', '8000', true)", &[])?;
    let ours: Option<i64> = tx.value("SELECT epoch FROM leader WHERE name = 'store' AND epoch = $1 FOR SHARE", &[Value::Int(epoch)])?;
    ours.map(|_| ()).ok_or(StoreError::NotLeading)
}
