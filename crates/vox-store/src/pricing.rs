//! What providers really charge, from calls whose cost the provider stated, beside what the price list says.

use crate::row::{Encode as _, Value, column};
use crate::rows::routing::PricingRow;
use crate::{Leading, Span, Store, StoreError, kind};
use vox_base::{Id, NanoUsd, Timestamp};

/// What the calls to one model were charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    /// The provider, as statistics name it.
    pub provider: String,
    /// The model, as its provider names it.
    pub model: String,
    /// Calls whose cost the provider stated.
    pub n_reported: i64,
    /// What it stated for them.
    pub reported: NanoUsd,
    /// Their tokens of every class.
    pub reported_tokens: i64,
    /// Those of them whose cost follows from the price list too.
    pub n_both: i64,
    /// What was stated for those.
    pub both_reported: NanoUsd,
    /// What the price list says of those.
    pub both_computed: NanoUsd,
    /// Calls whose cost is computed or estimated.
    pub n_estimated: i64,
    /// Calls that cost nothing.
    pub n_free: i64,
    /// The price list of the newest call that has one.
    pub prices: Option<Id<kind::PriceSnapshot>>,
    /// When the newest call was made.
    pub last_at: Timestamp,
}

const META: &str = "pricing_version";
const CHANGED: &str = "INSERT INTO store_meta (key, value) VALUES ($1, '1') \
    ON CONFLICT (key) DO UPDATE SET value = cast(cast(store_meta.value AS bigint) + 1 AS text)";
const REPORTED: &str = "cost_source = 'provider_reported' AND cost_nano_usd IS NOT NULL";

impl Store {
    /// Returns what calls of a stretch of time were charged, by provider and model.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn charged(&self, span: Span) -> Result<Vec<Charged>, StoreError> {
        let both = format!("{REPORTED} AND computed_nano_usd > 0");
        let sum = |what: &str, condition: &str| format!("cast(coalesce(sum(CASE WHEN {condition} THEN {what} END), 0) AS bigint)");
        let tokens = "coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) \
            + coalesce(cache_write_1h_tokens, 0) + coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0)";
        let sql = format!(
            "SELECT provider_canonical, model, {}, {}, {}, {}, {}, {}, {}, {}, max(cast(price_snapshot_id AS text)), max(created_at) \
             FROM llm_interactions WHERE created_at > $1 AND created_at <= $2 AND interaction_id >= $3 AND provider_canonical IS NOT NULL \
             AND model IS NOT NULL GROUP BY provider_canonical, model ORDER BY provider_canonical, model",
            sum("1", REPORTED),
            sum("cost_nano_usd", REPORTED),
            sum(tokens, REPORTED),
            sum("1", &both),
            sum("cost_nano_usd", &both),
            sum("computed_nano_usd", &both),
            sum("1", "cost_source IN ('computed', 'estimated')"),
            sum("1", "cost_source = 'local'"),
        );
        self.read(move |tx| {
            let mut found = Vec::new();
            let first = span.first_id();
            tx.query(&sql, &[span.after.encode(), span.until.encode(), first.encode()], &mut |row| {
                let prices: Option<String> = column(row, 10, "llm_interactions.price_snapshot_id")?;
                found.push(Charged {
                    provider: column(row, 0, "llm_interactions.provider_canonical")?,
                    model: column(row, 1, "llm_interactions.model")?,
                    n_reported: column(row, 2, "count")?,
                    reported: column(row, 3, "llm_interactions.cost_nano_usd")?,
                    reported_tokens: column(row, 4, "tokens")?,
                    n_both: column(row, 5, "count")?,
                    both_reported: column(row, 6, "llm_interactions.cost_nano_usd")?,
                    both_computed: column(row, 7, "llm_interactions.computed_nano_usd")?,
                    n_estimated: column(row, 8, "count")?,
                    n_free: column(row, 9, "count")?,
                    prices: prices.and_then(|id| id.parse().ok()),
                    last_at: column(row, 11, "llm_interactions.created_at")?,
                });
                Ok(())
            })?;
            Ok(found)
        })
        .await
    }

    /// Replaces what is kept of one UTC day, as the leader where one is named.
    ///
    /// # Errors
    /// The store cannot be written, or another node leads by now; then the old rows are all still there.
    pub async fn keep_pricing(&self, leading: Option<Leading>, day: String, rows: Vec<PricingRow>) -> Result<(), StoreError> {
        self.replace(leading, move |tx| {
            tx.execute("DELETE FROM model_pricing WHERE day = $1", &[Value::Text(&day)])?;
            rows.iter().try_for_each(|row| tx.insert(row))?;
            tx.execute(CHANGED, &[Value::Text(META)]).map(|_| ())
        })
        .await
    }

    /// Returns a number that is another one after every [`Store::keep_pricing`], by which running nodes notice.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn pricing_version(&self) -> Result<i64, StoreError> {
        self.read(|tx| {
            let text: Option<String> = tx.value("SELECT value FROM store_meta WHERE key = $1", &[Value::Text(META)])?;
            Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
        })
        .await
    }

    /// Returns the newest row of each provider and model.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn pricing(&self) -> Result<Vec<PricingRow>, StoreError> {
        let rest = "WHERE NOT EXISTS (SELECT 1 FROM model_pricing AS later WHERE later.provider_canonical = model_pricing.provider_canonical \
            AND later.model = model_pricing.model AND later.day > model_pricing.day) ORDER BY provider_canonical, model";
        self.read(move |tx| tx.rows(rest, &[])).await
    }
}

#[cfg(test)]
mod tests;
