//! Trying out what is not known well enough, inside a stated loss.
//!
//! An offer is tried as often as seeded draws from what is believed of it say that it would be the best (Thompson's rule),
//! in a share ε of the calls. What it is expected to cost beyond the leader is a debt, and may never be more than a share
//! of what all calls were expected to cost. [`Account`] keeps that debt for whoever executes decisions.

use super::draws::{below, mixed, wins};
use super::filter::View;
use super::{Decision, Exploring, Mode, PickReason, Prefer, Ranked};
use crate::Wanted;
use crate::contract::ExplorationRules;
use vox_base::{NanoUsd, Timestamp};

const MILLION: u64 = 1_000_000;
/// Debt that is allowed from the start, in expected costs of one call.
const FREE_CALLS: i64 = 5;
const DRAWS: u64 = 1 << 40;
const COIN: u64 = 2 << 40;
const CHOICE: u64 = 3 << 40;

/// How much was left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chance {
    /// Whether the pick is another offer than the leader.
    pub(super) explored: bool,
    pub(super) epsilon_ppm: u32,
    /// What the pick is believed to cost beyond the leader.
    pub(super) debt: NanoUsd,
}

impl Chance {
    /// Nothing is left to chance.
    pub(super) const NONE: Self = Self { explored: false, epsilon_ppm: 0, debt: NanoUsd::ZERO };
}

/// Returns whether a decision of this kind may be explored at all.
pub(super) fn is_open(view: &View, mode: Mode, n_ranked: usize) -> bool {
    let rules = &view.contract.rules().exploration;
    rules.enabled
        && view.ask.exploring.is_some()
        && matches!(view.ask.wanted, Wanted::Auto { .. })
        && matches!(mode, Mode::Scored | Mode::Premium)
        && view.ask.prefer != Prefer::Local
        && view.complexity <= rules.max_complexity
        && n_ranked > 1
}

/// Perhaps moves another offer than the leader to the front, and says how likely each was to be there.
pub(super) fn explore(view: &View, ranked: &mut [Ranked], failing: NanoUsd, seed: u64) -> Chance {
    let rules = &view.contract.rules().exploration;
    let spent = view.ask.exploring.unwrap_or_default();
    if !allowed(rules, &spent) {
        return Chance::NONE;
    }
    // What a trial of each would cost, by all that is known; one that the allowance does not cover has no share.
    let believed: Vec<NanoUsd> = ranked.iter().map(|ranked| believed(view, ranked, failing)).collect();
    let debt = |at: usize| believed[at].saturating_sub(believed[0]).max(NanoUsd::ZERO);
    let left = allowance(rules, &spent, ranked[0].j).saturating_sub(spent.debt);
    let mut shares = shares(rules, ranked, failing, seed);
    (1..shares.len()).filter(|at| debt(*at) > left).for_each(|at| shares[at] = 0);
    let total: u64 = shares.iter().sum();
    if shares[0] == total {
        return Chance::NONE;
    }
    let leader_ppm = shares[0] * MILLION / total;
    let epsilon = (MILLION - leader_ppm).clamp(rules.epsilon_floor_ppm.into(), rules.epsilon_ceiling_ppm.into());
    for (at, share) in shares.iter().enumerate() {
        let by_chance = u128::from(epsilon) * u128::from(*share) * 1000 / u128::from(total);
        ranked[at].propensity_ppb = if at == 0 { (MILLION - epsilon) * 1000 } else { 0 } + by_chance as u64;
    }
    let mut at = 0;
    if below(mixed(seed, COIN), MILLION) < epsilon {
        let mut left = below(mixed(seed, CHOICE), total);
        while left >= shares[at] {
            left -= shares[at];
            at += 1;
        }
    }
    ranked[..=at].rotate_right(1);
    Chance { explored: at > 0, epsilon_ppm: epsilon as u32, debt: debt(at) }
}

/// Returns the expected cost until a success by everything that is known. The score leaves out what is not past the gate,
/// and so would not see what a trial of a bad offer costs.
fn believed(view: &View, ranked: &Ranked, failing: NanoUsd) -> NanoUsd {
    let success_ppm = ranked.posterior.believed_ppm().max(view.contract.rules().scoring.success_floor_ppm);
    ranked.terms.cost_until_success(success_ppm, failing)
}

/// Returns whether today's spending and the open calls leave room for one more.
fn allowed(rules: &ExplorationRules, spent: &Exploring) -> bool {
    let budget = NanoUsd::new(rules.budget_micros_per_day.get().saturating_mul(1000));
    spent.n_open < rules.max_concurrent && spent.spent_today < budget
}

/// Returns the debt that is allowed.
pub(super) fn allowance(rules: &ExplorationRules, spent: &Exploring, leader: NanoUsd) -> NanoUsd {
    let share = i128::from(spent.leaders.get()) * i128::from(rules.loss_allowance_ppm) / i128::from(MILLION);
    NanoUsd::new(i64::try_from(share).unwrap_or(i64::MAX).saturating_add(leader.get().saturating_mul(FREE_CALLS)))
}

/// Returns how the chosen share of calls is parted: by wins, with a bonus for what is new, and something for everybody.
fn shares(rules: &ExplorationRules, ranked: &[Ranked], failing: NanoUsd, seed: u64) -> Vec<u64> {
    let bonus = u64::from(rules.draws) * u64::from(rules.novel_bonus_ppm);
    let share = |(wins, ranked): (u32, &Ranked)| {
        // Of any task: a bonus at each one alone costs more than it finds, as the simulation shows.
        let is_new = ranked.posterior.n_offer_units < rules.min_units_per_arm;
        (u64::from(wins) + 1) * MILLION + if is_new { bonus } else { 0 }
    };
    wins(ranked, failing, rules.draws, mixed(seed, DRAWS)).into_iter().zip(ranked).map(share).collect()
}

/// What exploration has spent: kept by whoever executes decisions, and handed to the next one in its ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    spent: Exploring,
    day: Option<Timestamp>,
}

impl Account {
    /// Returns the account that a decision made at this moment was told of; what was open then has ended with its process.
    #[must_use]
    pub fn resumed(spent: Exploring, at: Timestamp) -> Self {
        Self { spent: Exploring { n_open: 0, ..spent }, day: Some(at.start_of_day()) }
    }

    /// Returns what a decision made now has to know.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> Exploring {
        let today = self.day == Some(now.start_of_day());
        Exploring { spent_today: if today { self.spent.spent_today } else { NanoUsd::ZERO }, ..self.spent }
    }

    /// Takes a decision in that is about to be executed.
    pub fn decided(&mut self, decision: &Decision, now: Timestamp) {
        self.spent = self.state(now);
        self.day = Some(now.start_of_day());
        let Some(leader) = decision.leader().filter(|_| decision.open_to_exploration) else { return };
        self.spent.leaders = self.spent.leaders.saturating_add(leader.j);
        if let Some(pick) = decision.pick().filter(|_| decision.mode == Mode::Explored) {
            let beyond = |pick: NanoUsd, leader: NanoUsd| pick.saturating_sub(leader).max(NanoUsd::ZERO);
            self.spent.debt = self.spent.debt.saturating_add(decision.debt);
            self.spent.spent_today = self.spent.spent_today.saturating_add(beyond(pick.terms.charge, leader.terms.charge));
            self.spent.n_open += 1;
        }
    }

    /// Takes in that an explored call has ended.
    pub const fn ended(&mut self) {
        self.spent.n_open = self.spent.n_open.saturating_sub(1);
    }
}

impl Decision {
    /// Returns the offer that would have been picked with nothing left to chance.
    #[must_use]
    pub fn leader(&self) -> Option<&Ranked> {
        self.ranked.get(usize::from(self.mode == Mode::Explored))
    }
}

/// Returns mode and reason of a pick after chance had its say.
pub(super) const fn after(chance: Chance, mode: Mode, reason: PickReason) -> (Mode, PickReason) {
    if chance.explored { (Mode::Explored, PickReason::Explored) } else { (mode, reason) }
}
