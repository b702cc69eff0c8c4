//! Everything learned from one store, ready to be put on a board: units in the order in which they came, calls as they
//! went, penalties and escalations. A node keeps one and catches up; a command that explains makes one and lets it go.

use super::names::Names;
use super::seen::Seen;
use crate::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vox_base::{Coded, Timestamp};
use vox_route::evidence::{Answered, Unit};
use vox_route::filling::Fillings;
use vox_route::{Board, BoardState, Contract, Evidence, OfferKey, Penalty, Standings};
use vox_store::rows::routing::{OutcomeRow, PenaltyRow};
use vox_store::{RecentCall, Store};

const DAY_MS: i64 = 86_400_000;
/// After so many half-lives a unit weighs less than half a hundredth.
const HALF_LIVES: i64 = 8;
/// Calls that a node which starts looks back at.
const RECENT_CALLS: i64 = 2000;
const RECENT_DAYS: i64 = 7;

/// Everything learned from one store.
#[derive(Default)]
pub(crate) struct Learned {
    version: i64,
    names: Names,
    rows: Vec<OutcomeRow>,
    outcomes: Evidence,
    calls: Evidence,
    called: BTreeSet<OfferKey>,
    fillings: Fillings,
    penalties: Vec<PenaltyRow>,
}

impl Learned {
    /// Reads what a store knows.
    pub(crate) async fn load(store: &Store, snapshot: &Snapshot, now: Timestamp) -> Result<Self, Coded> {
        let mut learned = Self { names: Names::new(snapshot), version: store.evidence_version().await?, ..Self::default() };
        let rules = &snapshot.contract.rules().evidence;
        let since = now.plus_millis(-HALF_LIVES * i64::from(rules.half_life_days) * DAY_MS);
        learned.rows = store.outcomes(since).await?;
        learned.penalties = store.penalties(now).await?;
        learned.recount(&snapshot.contract);
        let (calls, failures) = store.recent(now.plus_millis(-RECENT_DAYS * DAY_MS), RECENT_CALLS).await?;
        let mut seen: Vec<Seen> = calls.iter().filter_map(|call| learned.remembered(&snapshot.contract, call)).collect();
        seen.extend(failures.iter().map(|failure| {
            let offer = learned.names.key(snapshot.board.canonical(&failure.provider), &failure.model);
            Seen { offer, task: "".into(), caller: None, answered: None, filled: None, at: failure.at }
        }));
        seen.sort_by_key(|seen| seen.at);
        learned.saw(&snapshot.contract, &seen);
        Ok(learned)
    }

    /// Takes in what was posted since, and returns whether anything was.
    pub(super) async fn catch_up(&mut self, store: &Store, snapshot: &Snapshot, now: Timestamp) -> Result<bool, Coded> {
        if !self.names.fit(snapshot) {
            self.names = Names::new(snapshot);
            self.recount(&snapshot.contract);
        }
        let version = store.evidence_version().await?;
        if version == self.version {
            return Ok(false);
        }
        let mut new = store.outcomes_after(self.version).await?;
        self.version = new.last().map_or(version, |row| row.version.max(version));
        self.penalties = store.penalties(now).await?;
        new.retain(|row| row.superseded_by.is_none());
        let n_before = self.rows.len();
        self.rows.retain(|row| !new.iter().any(|new| same_unit(row, new)));
        let has_superseded = self.rows.len() < n_before;
        for row in new.into_iter().filter(counts) {
            self.outcomes.observe(&snapshot.contract.rules().evidence, &unit(&self.names, &row));
            self.rows.push(row);
        }
        if has_superseded {
            self.recount(&snapshot.contract);
        }
        Ok(true)
    }

    /// Takes finished calls in, and returns whether a caller is to get a larger context.
    pub(super) fn saw(&mut self, contract: &Contract, seen: &[Seen]) -> bool {
        let mut escalated = false;
        for seen in seen {
            self.calls.observe_call(&contract.rules().evidence, &seen.call());
            if !self.called.contains(&seen.offer) {
                self.called.insert(seen.offer.clone());
            }
            if let Some(filled) = seen.filling() {
                escalated |= self.fillings.observe(&contract.rules().context, &filled);
            }
        }
        escalated
    }

    /// Returns a snapshot's board with everything that is known.
    pub(crate) fn board(&self, snapshot: &Snapshot, now: Timestamp) -> Board {
        let contract = &snapshot.contract;
        Board::of(BoardState {
            standings: self.standings(contract, now),
            penalties: self.penalties(now),
            escalations: self.fillings.escalations(&contract.rules().context, now),
            ..snapshot.board.state().clone()
        })
    }

    fn standings(&self, contract: &Contract, now: Timestamp) -> Standings {
        let rules = &contract.rules().evidence;
        let mut standings = self.outcomes.standings(rules, now);
        let calls = self.calls.standings(rules, now);
        for key in &self.called {
            let Some(seen) = calls.get(&key.provider, &key.model_id) else { continue };
            let mut standing = standings.get(&key.provider, &key.model_id).cloned().unwrap_or_default();
            standing.calls = seen.calls;
            standings.insert(key, standing);
        }
        standings
    }

    /// Returns the penalties that hold: of several on the same offer and task the one that ends last.
    fn penalties(&self, now: Timestamp) -> Vec<Penalty> {
        let mut open: BTreeMap<(OfferKey, &str), Timestamp> = BTreeMap::new();
        for row in self.penalties.iter().filter(|row| row.until_at > now) {
            let until = open.entry((self.names.key(&row.provider_canonical, &row.model), &row.task)).or_insert(row.until_at);
            *until = (*until).max(row.until_at);
        }
        open.into_iter().map(|((offer, task), until)| Penalty { offer, task: task.into(), until }).collect()
    }

    fn recount(&mut self, contract: &Contract) {
        let units: Vec<Unit> = self.rows.iter().map(|row| unit(&self.names, row)).collect();
        self.outcomes = Evidence::from_units(&contract.rules().evidence, &units);
    }

    fn remembered(&self, contract: &Contract, call: &RecentCall) -> Option<Seen> {
        if !matches!(&*call.outcome, "complete" | "truncated" | "refused") {
            return None;
        }
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        let task: Arc<str> = call.task.as_deref().unwrap_or_default().into();
        let whole_ms = number(call.latency_ms)?;
        let context_tokens = self.names.offer(&call.provider, &call.model).and_then(|offer| offer.context_tokens);
        Some(Seen {
            offer: self.names.key(&call.provider, &call.model),
            answered: Some(Answered {
                first_token_ms: number(call.ttft_ms).unwrap_or(whole_ms),
                whole_ms,
                output_tokens: number(call.output_tokens).unwrap_or(0),
                expected_output_tokens: contract.task(&task).map_or(0, |task| task.expected_output_tokens),
                is_cut: &*call.outcome == "truncated",
            }),
            filled: context_tokens.zip(call.context_utilization_bp.and_then(|used| u32::try_from(used).ok())),
            task,
            caller: call.caller.map(|key| key.to_string().into()),
            at: call.ended_at,
        })
    }
}

fn counts(row: &OutcomeRow) -> bool {
    row.weight_ppm > 0 && row.success.is_some()
}

fn same_unit(one: &OutcomeRow, other: &OutcomeRow) -> bool {
    one.unit_id == other.unit_id && one.unit_kind == other.unit_kind
}

fn unit(names: &Names, row: &OutcomeRow) -> Unit {
    Unit {
        offer: names.key(&row.provider_canonical, &row.model),
        task: row.task.as_str().into(),
        caller: row.caller_ref.as_deref().map(Arc::from),
        success: row.success.unwrap_or(false),
        weight_ppm: u32::try_from(row.weight_ppm * row.share_ppm / 1_000_000).unwrap_or(0),
        at: row.observed_at,
    }
}

#[cfg(test)]
mod tests;
