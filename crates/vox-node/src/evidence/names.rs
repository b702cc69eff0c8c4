//! Rows name a model as its provider does; evidence names it as everybody does. The catalog says which is which.

use crate::snapshot::Snapshot;
use std::collections::HashMap;
use std::sync::Arc;
use vox_base::Digest;
use vox_route::{Offer, OfferKey, Tier};

/// Offers by the names that rows have for them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_row: HashMap<(Arc<str>, Arc<str>), Arc<Offer>>,
    /// What they were made from.
    made_of: Option<(Digest, Digest)>,
}

impl Names {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let key = |offer: &Arc<Offer>| (Arc::from(snapshot.board.canonical(&offer.provider)), offer.native_id.clone());
        let by_row = snapshot.catalog.offers().iter().map(|offer| (key(offer), offer.clone())).collect();
        Self { by_row, made_of: Some(Self::basis(snapshot)) }
    }

    pub(super) fn fit(&self, snapshot: &Snapshot) -> bool {
        self.made_of == Some(Self::basis(snapshot))
    }

    fn basis(snapshot: &Snapshot) -> (Digest, Digest) {
        (snapshot.catalog.digest(), snapshot.contract.digest())
    }

    pub(crate) fn offer(&self, provider: &str, model: &str) -> Option<&Arc<Offer>> {
        self.by_row.get(&(Arc::from(provider), Arc::from(model)))
    }

    /// Returns the tier of a model of this row, where `*` stands for any; `None` if that may be several.
    pub(crate) fn tier(&self, provider: &str, model: &str) -> Option<Tier> {
        match (provider, model) {
            (_, "*") => None,
            ("*", model) => {
                let mut tiers = self.by_row.iter().filter(|((_, name), _)| **name == *model).map(|(_, offer)| offer.tier);
                let first = tiers.next().unwrap_or_default();
                tiers.all(|tier| tier == first).then_some(first)
            }
            (provider, model) => Some(self.offer(provider, model).map_or(Tier::Unknown, |offer| offer.tier)),
        }
    }

    /// Returns the name that evidence has for a model of this row; one that no list has keeps its own.
    pub(crate) fn key(&self, provider: &str, model: &str) -> OfferKey {
        let model_id = self.offer(provider, model).map_or_else(|| Arc::from(model), |offer| offer.model_id.clone());
        OfferKey { provider: provider.into(), model_id }
    }
}
