//! When each catalog source was read, and what came of it.

use crate::row::Encode as _;
use crate::rows::routing::CatalogFetch;
use crate::{Store, StoreError};
use vox_base::Timestamp;

impl Store {
    /// Records one attempt.
    ///
    /// # Errors
    /// A value does not fit, or the store cannot be written.
    pub async fn record_fetch(&self, fetch: CatalogFetch) -> Result<(), StoreError> {
        self.write(move |tx| tx.insert(&fetch)).await
    }

    /// Returns the attempts from a moment on, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn fetches_since(&self, at: Timestamp) -> Result<Vec<CatalogFetch>, StoreError> {
        self.read(move |tx| tx.rows("WHERE at >= $1 ORDER BY at, fetch_id", &[at.encode()])).await
    }
}

#[cfg(test)]
mod tests;
