//! Prices for models whose provider's list carries none.

use super::{Entry, Layer, Prices, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vox_base::{Document, InvalidConfig};

/// Price rows by provider and model pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceOverlay {
    /// Form of this file.
    #[serde(rename = "x-vox-version")]
    pub version: u32,
    /// The rows; the first that fits an offer counts.
    pub prices: Vec<OverlayRow>,
}

/// The price of some models of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverlayRow {
    /// Whose models.
    pub provider: String,
    /// Which of them; `*` stands for any text.
    pub model_glob: String,
    /// What they cost.
    pub prices: Prices,
    /// Month or day the price was looked up.
    pub as_of: String,
    /// Where the price comes from.
    pub source_note: String,
    /// The user's file it stands in; nothing for the shipped one.
    #[serde(skip)]
    pub origin: Option<Arc<str>>,
}

impl PriceOverlay {
    /// The shipped rows, with comments.
    pub const YAML: &'static str = include_str!("../../../../contracts/orchestration/price-overlay.v1.yaml");

    /// Returns the shipped rows.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn builtin() -> Self {
        let document = Document::parse("price-overlay.v1.yaml", Self::YAML).expect("the embedded overlay is read by a test");
        Self::from_document(&document).expect("the embedded overlay is read by a test")
    }

    /// Returns an overlay without rows.
    #[must_use]
    pub const fn empty() -> Self {
        Self { version: 1, prices: Vec::new() }
    }

    /// Checks a complete document.
    ///
    /// # Errors
    /// A key is unknown or missing, or a value has the wrong type or range; the error names file, line and key.
    pub fn from_document(document: &Document) -> Result<Self, InvalidConfig> {
        let overlay: Self = document.decode()?;
        if overlay.version != 1 {
            return Err(document.fault("x-vox-version", "expected 1"));
        }
        for (at, row) in overlay.prices.iter().enumerate() {
            if row.prices.input.is_none() || row.prices.output.is_none() {
                return Err(document.fault(&format!("prices[{at}].prices"), "expected a price for input and for output"));
            }
            let negative = row.prices.classes().into_iter().find(|(_, price)| price.is_some_and(|price| price.get() < 0));
            if let Some((class, _)) = negative {
                return Err(document.fault(&format!("prices[{at}].prices.{class}"), "expected 0 or more"));
            }
        }
        Ok(overlay)
    }

    /// Returns the JSON Schema of the overlay file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Returns these rows with the shipped ones behind them: the first that fits counts.
    #[must_use]
    pub fn over(mut self, shipped: Self, file: &str) -> Self {
        self.prices.iter_mut().for_each(|row| row.origin = Some(file.into()));
        self.prices.extend(shipped.prices);
        self
    }

    /// Returns the rows as layers over every entry that the other layers mention, one for each file they stand in.
    pub(super) fn layers(&self, layers: &[Layer]) -> Vec<Layer> {
        let mentioned: BTreeSet<(&str, &str)> =
            layers.iter().flat_map(|layer| &layer.entries).map(|entry| (entry.provider.as_str(), entry.native_id.as_str())).collect();
        let mut by_origin: BTreeMap<Arc<str>, Vec<Entry>> = BTreeMap::new();
        for (provider, native_id) in mentioned {
            let fits = |row: &&OverlayRow| row.provider == provider && crate::name::fits(&row.model_glob, native_id);
            if let Some(row) = self.prices.iter().find(fits) {
                let entry = Entry { prices: row.prices, as_of: Some(row.as_of.clone()), ..Entry::new(provider, native_id) };
                by_origin.entry(row.origin.clone().unwrap_or_else(|| "price_overlay".into())).or_default().push(entry);
            }
        }
        by_origin.into_iter().map(|(source, entries)| Layer { source, trust: Trust::PriceOverlay, entries }).collect()
    }
}
