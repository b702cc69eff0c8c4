//! The first filter: which offers a model name, a key's model set and admission mean at all.
//!
//! It works on the catalog's indexes, so that a named model costs nothing for the thousands nobody named.

use super::RefusalReason;
use super::filter::View;
use crate::catalog::{Lifecycle, Offer};
use crate::contract::AdmissionMode;
use crate::{Board, Catalog, Contract, Wanted};
use std::sync::Arc;

/// The provider that answers without any model; only ever by its name.
const OFFLINE: &str = "offline";

pub(super) struct WantedOffers {
    /// The offers to look at, in the order of their ids.
    pub(super) offers: Vec<Arc<Offer>>,
    /// The one offer that was named.
    pub(super) named: Option<Arc<Offer>>,
    /// How many offers of the catalog are not among them.
    pub(super) n_others: usize,
    /// Whether the task's premium alias may be the pick.
    pub(super) open_to_premium: bool,
    /// Whether the named offer is one that no list mentions.
    unlisted: bool,
    /// Whether offers are left out for want of admission.
    routed: bool,
}

pub(super) fn wanted(contract: &Contract, catalog: &Catalog, board: &Board, view: &View) -> WantedOffers {
    let mut wanted = match &view.ask.wanted {
        Wanted::Auto { .. } => routed(contract, catalog, None),
        Wanted::Alias(name) => alias(contract, catalog, name),
        Wanted::Bare(name) => exactly(bare(catalog, name)),
        Wanted::Explicit { provider, native_id } => explicit(contract, catalog, board, view, (provider, native_id)),
    };
    let named = wanted.named.as_ref().map(|offer| offer.id.clone());
    wanted.offers.retain(|offer| (*offer.provider != *OFFLINE || named.as_ref() == Some(&offer.id)) && view.allowed(offer));
    let n_listed = wanted.offers.len() - usize::from(wanted.named.as_ref().is_some_and(|named| wanted.unlisted && wanted.holds(named)));
    wanted.n_others = catalog.offers().len() - n_listed;
    wanted
}

fn exactly(offers: Vec<Arc<Offer>>) -> WantedOffers {
    WantedOffers { offers, named: None, n_others: 0, open_to_premium: false, unlisted: false, routed: false }
}

/// Returns the offers routing may pick from, of one family or of all.
fn routed(contract: &Contract, catalog: &Catalog, family: Option<&str>) -> WantedOffers {
    let fits = |offer: &&Arc<Offer>| family.is_none_or(|family| *offer.family == *family);
    let offers = match contract.rules().admission.mode {
        AdmissionMode::Curated => catalog.confirmed().filter(fits).cloned().collect(),
        AdmissionMode::All => {
            catalog.offers().iter().filter(|offer| offer.lifecycle != Lifecycle::Deprecated).filter(fits).cloned().collect()
        }
        AdmissionMode::ExplicitOnly => Vec::new(),
    };
    WantedOffers { open_to_premium: family.is_none(), routed: true, ..exactly(offers) }
}

fn alias(contract: &Contract, catalog: &Catalog, name: &str) -> WantedOffers {
    match contract.rules().aliases.get(name).map(|target| (target, target.split_once(':'))) {
        Some((_, Some(("family", family)))) => routed(contract, catalog, Some(family)),
        Some((_, Some(("task", _)))) => routed(contract, catalog, None),
        Some((model_id, _)) => exactly(catalog.serving(model_id).cloned().collect()),
        None => exactly(Vec::new()),
    }
}

/// Returns the offers whose provider calls the model so, and all other offers of those same models.
fn bare(catalog: &Catalog, name: &str) -> Vec<Arc<Offer>> {
    let mut offers: Vec<Arc<Offer>> =
        catalog.named(name).flat_map(|offer| catalog.serving(&offer.model_id)).chain(catalog.serving(name)).cloned().collect();
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers.dedup_by(|a, b| a.id == b.id);
    offers
}

fn explicit(contract: &Contract, catalog: &Catalog, board: &Board, view: &View, (provider, native_id): (&str, &str)) -> WantedOffers {
    let local = board.provider(provider).is_some_and(|state| state.local);
    let (named, unlisted) = catalog.find_or_make(contract, provider, native_id, local);
    if !view.ask.fallback || view.ask.forced {
        return WantedOffers { named: Some(named.clone()), unlisted, ..exactly(vec![named]) };
    }
    let mut wanted = routed(contract, catalog, None);
    if let Err(at) = wanted.offers.binary_search_by(|offer| offer.id.cmp(&named.id)) {
        wanted.offers.insert(at, named.clone());
    }
    WantedOffers { named: Some(named), unlisted, ..wanted }
}

impl WantedOffers {
    pub(super) fn holds(&self, offer: &Offer) -> bool {
        self.offers.binary_search_by(|wanted| wanted.id.cmp(&offer.id)).is_ok()
    }

    /// Returns why an offer of the catalog is not among those looked at.
    pub(super) fn why_not(&self, offer: &Offer) -> RefusalReason {
        if self.routed && offer.lifecycle != Lifecycle::Confirmed && *offer.provider != *OFFLINE {
            RefusalReason::NotAdmitted
        } else {
            RefusalReason::NotWanted
        }
    }
}
