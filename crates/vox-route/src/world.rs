//! A small world to decide in: a few offers of every tier, their providers, and one request.

use crate::board::{Board, BoardState, Escalation, Health, Penalty, ProviderState};
use crate::catalog::{Availability, Catalog, Entry, Layer, Lifecycle, Locality, PriceOverlay, Prices, Tier, Trust};
use crate::evidence::{OfferKey, Standings, Unit};
use crate::{Ask, Contract, Decision, Prefer, Wanted, decide};
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::{Micros, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

pub(crate) struct World {
    pub(crate) contract: Contract,
    pub(crate) entries: Vec<Entry>,
    pub(crate) providers: BTreeMap<Arc<str>, ProviderState>,
    pub(crate) offers: BTreeMap<Arc<str>, Health>,
    pub(crate) standings: Standings,
    pub(crate) penalties: Vec<Penalty>,
    pub(crate) escalations: Vec<Escalation>,
    pub(crate) ask: Ask,
}

/// An offer of a tier, with prices in micro-USD per million tokens.
pub(crate) fn entry(id: &str, tier: Tier, input: i64, output: i64) -> Entry {
    let (provider, native_id) = id.split_once('/').unwrap();
    Entry {
        tier: Some(tier),
        context_tokens: Some(200_000),
        prices: Prices { input: Some(Micros::new(input)), output: Some(Micros::new(output)), ..Prices::default() },
        lifecycle: Some(Lifecycle::Confirmed),
        availability: Availability { uptime_ppm: None, p50_ms: Some(2000) },
        ..Entry::new(provider, native_id)
    }
}

/// Returns the key of an offer of [`entry`].
pub(crate) fn key(id: &str) -> OfferKey {
    let (provider, _) = id.split_once('/').unwrap();
    OfferKey { provider: provider.into(), model_id: id.into() }
}

/// A unit of full weight.
pub(crate) fn unit(id: &str, task: &str, caller: Option<&str>, success: bool, at: Timestamp) -> Unit {
    Unit { offer: key(id), task: task.into(), caller: caller.map(Into::into), success, weight_ppm: 1_000_000, at }
}

pub(crate) fn auto() -> Wanted {
    Wanted::Auto { task: None }
}

pub(crate) fn explicit(id: &str) -> Wanted {
    let (provider, native_id) = id.split_once('/').unwrap();
    Wanted::Explicit { provider: provider.into(), native_id: native_id.into() }
}

impl World {
    /// Returns a world with these offers; their providers are on the network and ready.
    pub(crate) fn of(contract: Contract, entries: Vec<Entry>) -> Self {
        let state = |entry: &Entry| match entry.locality {
            Some(Locality::Local) => ProviderState::local("openai"),
            _ => ProviderState::ready("openai"),
        };
        let providers = entries.iter().map(|entry| (entry.provider.as_str().into(), state(entry))).collect();
        let mut ask = Ask::new(&contract, auto());
        ask.input_tokens = 1000;
        ask.dialect = "openai".into();
        Self {
            contract,
            entries,
            providers,
            offers: BTreeMap::new(),
            standings: Standings::default(),
            penalties: Vec::new(),
            escalations: Vec::new(),
            ask,
        }
    }

    /// Returns a world with one offer of each tier and one without a price.
    pub(crate) fn tiers(contract: Contract) -> Self {
        let local = Entry { locality: Some(Locality::Local), price_state: None, ..entry("box/small", Tier::Local, 0, 0) };
        let unpriced = Entry { prices: Prices::default(), availability: Availability::default(), ..entry("new/beta", Tier::Pro, 0, 0) };
        let entries = vec![
            entry("one/elite", Tier::Elite, 5_000_000, 25_000_000),
            entry("one/pro", Tier::Pro, 1_000_000, 5_000_000),
            entry("two/light", Tier::Light, 100_000, 400_000),
            entry("two/odd", Tier::Unknown, 200_000, 800_000),
            local,
            unpriced,
        ];
        Self::of(contract, entries)
    }

    pub(crate) fn provider(&mut self, id: &str) -> &mut ProviderState {
        self.providers.get_mut(id).unwrap()
    }

    pub(crate) fn entry(&mut self, id: &str) -> &mut Entry {
        self.entries.iter_mut().find(|entry| format!("{}/{}", entry.provider, entry.native_id) == id).unwrap()
    }

    pub(crate) fn catalog(&self) -> Catalog {
        let layer = Layer { source: "test".into(), trust: Trust::Bootstrap, entries: self.entries.clone() };
        Catalog::build(&self.contract, vec![layer], &PriceOverlay::empty()).0
    }

    pub(crate) fn board(&self) -> Board {
        Board::of(BoardState {
            providers: self.providers.clone(),
            offers: self.offers.clone(),
            standings: self.standings.clone(),
            penalties: self.penalties.clone(),
            escalations: self.escalations.clone(),
        })
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(&self.contract, &self.catalog(), &self.board(), &self.ask, NOW, 7)
    }

    pub(crate) fn asked(mut self, task: &str, complexity: u8, prefer: Prefer) -> Self {
        self.ask.task = Some(task.into());
        self.ask.complexity = complexity;
        self.ask.prefer = prefer;
        self
    }
}

/// Returns the ids of the ranked offers, best first.
pub(crate) fn ids(decision: &Decision) -> Vec<&str> {
    decision.ranked.iter().map(|ranked| &*ranked.offer.id).collect()
}

/// Returns the code of the first reason against an offer.
pub(crate) fn refusal<'a>(decision: &'a Decision, id: &str) -> &'a str {
    decision.refused.iter().find(|refused| &*refused.offer.id == id).map_or("none", |refused| refused.reason.code())
}
