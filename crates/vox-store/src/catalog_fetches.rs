//! When each catalog source was read, and what came of it.

use crate::rows::routing::CatalogFetch;
use crate::{Store, StoreError};

impl Store {
    /// Records one attempt.
    ///
    /// # Errors
    /// A value does not fit, or the store cannot be written.
    pub async fn record_fetch(&self, fetch: CatalogFetch) -> Result<(), StoreError> {
        self.write(move |tx| tx.insert(&fetch)).await
    }

    /// Returns the latest attempt of each source, in the order of their names.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn latest_fetches(&self) -> Result<Vec<CatalogFetch>, StoreError> {
        self.read(|tx| {
            let newest = "WHERE fetch_id IN (SELECT fetch_id FROM (SELECT fetch_id, \
                row_number() OVER (PARTITION BY source ORDER BY at DESC, fetch_id DESC) AS place FROM catalog_fetches) AS ranked \
                WHERE place = 1) ORDER BY source";
            tx.rows(newest, &[])
        })
        .await
    }
}

#[cfg(test)]
mod tests;
