//! Offers that were made because a request named a model no list mentions, kept for the next request that does.
//!
//! Making one infers strengths and tier from its name, which is most of what deciding about a named model costs.

use super::{Offer, full_id};
use parking_lot::Mutex;
use std::sync::Arc;
use vox_base::Digest;

/// Names are the callers' to invent, so only so many are kept.
const CAPACITY: usize = 256;

/// What such an offer depends on besides its name: the contract, and whether its provider is the user's own machine.
type MadeBy = (Digest, bool);

/// A memory of a pure function: losing it changes nothing.
#[derive(Debug, Default)]
pub(super) struct Unlisted(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// What all of them were made by.
    made_by: Option<MadeBy>,
    /// Sorted by id.
    offers: Vec<Arc<Offer>>,
}

impl Unlisted {
    pub(super) fn get(&self, made_by: MadeBy, provider: &str, native_id: &str) -> Option<Arc<Offer>> {
        let kept = self.0.lock();
        let at = kept.offers.binary_search_by(|offer| offer.id.bytes().cmp(full_id(provider, native_id))).ok()?;
        kept.offers.get(at).filter(|_| kept.made_by == Some(made_by)).cloned()
    }

    pub(super) fn keep(&self, made_by: MadeBy, offer: Offer) -> Arc<Offer> {
        let offer = Arc::new(offer);
        let mut kept = self.0.lock();
        if kept.made_by != Some(made_by) || kept.offers.len() == CAPACITY {
            *kept = Kept { made_by: Some(made_by), offers: Vec::new() };
        }
        if let Err(at) = kept.offers.binary_search_by(|other| other.id.cmp(&offer.id)) {
            kept.offers.insert(at, offer.clone());
        }
        offer
    }
}

impl Clone for Unlisted {
    fn clone(&self) -> Self {
        Self::default()
    }
}
