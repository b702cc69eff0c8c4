//! Hearing that something has changed on another node, and telling the others of it. What it is, the tables say.

use crate::tx::Tx;
use crate::{Store, StoreError};
use tokio::sync::watch;

/// Wakes when another process on a shared store has changed keys or evidence. It may wake for nothing, and where
/// notifications do not arrive it does not wake at all: whoever needs to know asks now and then besides.
#[derive(Debug, Clone)]
pub struct Changes(Option<watch::Receiver<u64>>);

impl Changes {
    /// Waits for the next change; for ever where nobody tells of any.
    pub async fn next(&mut self) {
        let is_told = match &mut self.0 {
            Some(heard) => heard.changed().await.is_ok(),
            None => false,
        };
        if !is_told {
            std::future::pending().await
        }
    }

    /// Returns whether there was a change since it was asked last.
    pub fn take(&mut self) -> bool {
        self.0.as_mut().is_some_and(|heard| {
            let has_changed = heard.has_changed().unwrap_or(false);
            heard.mark_unchanged();
            has_changed
        })
    }
}

impl Store {
    /// Begins to listen for changes on other nodes; a store in a file has none.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(self.shared().bell().map(crate::postgres::Bell::listen))
    }

    /// Runs a write as [`Store::write`] does, and tells the other nodes of it once it is committed.
    pub(crate) async fn change<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let changed = self.write(work).await?;
        if let Some(bell) = self.shared().bell() {
            bell.ring();
        }
        Ok(changed)
    }
}
