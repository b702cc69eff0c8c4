//! The prices calls were settled with.

use crate::row::{Encode as _, Value, same_json};
use crate::rows::routing::PriceSnapshot;
use crate::{Store, StoreError, kind};
use vox_base::Id;

impl Store {
    /// Keeps prices before the first call that is settled with them. Prices of the same model that read the same are
    /// kept once: the snapshot that is there already is returned instead.
    ///
    /// # Errors
    /// A value does not fit, or the store cannot be written.
    pub async fn keep_prices(&self, new: PriceSnapshot) -> Result<PriceSnapshot, StoreError> {
        self.write(move |tx| {
            let newest = "WHERE provider = $1 AND model_id = $2 ORDER BY valid_from DESC, price_snapshot_id DESC LIMIT 1";
            let newest: Option<PriceSnapshot> = tx.first(newest, &[Value::Text(&new.provider), Value::Text(&new.model_id)])?;
            if let Some(same) = newest.filter(|newest| same_json(&newest.prices_json, &new.prices_json) && newest.source == new.source) {
                return Ok(same);
            }
            tx.insert(&new)?;
            Ok(new.clone())
        })
        .await
    }

    /// Returns the prices with this id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn prices(&self, id: Id<kind::PriceSnapshot>) -> Result<Option<PriceSnapshot>, StoreError> {
        self.read(move |tx| tx.first("WHERE price_snapshot_id = $1", &[id.encode()])).await
    }
}

#[cfg(test)]
mod tests;
