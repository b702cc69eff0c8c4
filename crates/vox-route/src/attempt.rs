//! What to do when a provider fails: the same offer again, the next one, or stop. No IO, no clock, no chance of its own.
//!
//! An offer that was not tried yet comes before one that failed. Nothing is tried once the caller has seen the first
//! token. What a failure means for breakers, cooldowns and credentials is the node's business; how it is recognised is
//! in `failure`.

mod failure;

use vox_base::Timestamp;

pub use failure::{Failure, RATE_WAIT_MS, classify, retry_after};

/// The way of one request through its offers.
#[derive(Debug, Clone)]
pub struct Attempt {
    offers: Vec<Tried>,
    failures: Vec<Failure>,
    limits: AttemptLimits,
    allow_fallback: bool,
    current: usize,
    committed: bool,
    waited_ms: u64,
    context_above: u64,
}

#[derive(Debug, Clone, Copy)]
struct Tried {
    context_tokens: Option<u64>,
    n_calls: u32,
    gone: bool,
    not_before: Timestamp,
}

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Calls to one offer.
    pub per_offer: u32,
    /// Calls for one request.
    pub per_interaction: u32,
    /// Waiting between calls, all together.
    pub total_wait_ms: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEvent {
    /// The request is ready to be sent.
    Start,
    /// The first token went to the caller.
    Committed,
    /// The call failed.
    Failed {
        /// How.
        failure: Failure,
        /// Whether the provider permits the same call again (`x-should-retry` is not `false`).
        may_retry: bool,
        /// Any number, for the jitter of the wait.
        random: u64,
    },
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Call this offer, after waiting so long.
    Send {
        /// Its place in the ranked list.
        offer: usize,
        /// How long to wait first.
        wait_ms: u64,
    },
    /// Pass everything that comes on to the caller.
    Relay,
    /// Give up and answer with this failure, in the order of calls; the most useful one of all.
    Stop {
        /// Its place among the failures.
        failure: usize,
    },
}

const BACKOFF_MS: u64 = 250;
const BACKOFF_MOST_MS: u64 = 4000;
const SHORT_RATE_WAIT_MS: u64 = 2000;

impl Default for AttemptLimits {
    fn default() -> Self {
        Self { per_offer: 2, per_interaction: 4, total_wait_ms: 10_000 }
    }
}

impl Attempt {
    /// Returns the way through offers with these contexts, the pick first.
    #[must_use]
    pub fn new(contexts: impl IntoIterator<Item = Option<u64>>, allow_fallback: bool, limits: AttemptLimits) -> Self {
        let tried = |context_tokens| Tried { context_tokens, n_calls: 0, gone: false, not_before: Timestamp::from_millis(i64::MIN) };
        Self {
            offers: contexts.into_iter().map(tried).collect(),
            failures: Vec::new(),
            limits,
            allow_fallback,
            current: 0,
            committed: false,
            waited_ms: 0,
            context_above: 0,
        }
    }

    /// Returns the way through a decision's ranked offers.
    #[must_use]
    pub fn of(decision: &crate::Decision, allow_fallback: bool, limits: AttemptLimits) -> Self {
        Self::new(decision.ranked.iter().map(|ranked| ranked.offer.context_tokens), allow_fallback, limits)
    }

    /// Takes in what happened and says what to do next.
    pub fn handle(&mut self, event: AttemptEvent, now: Timestamp) -> Step {
        match event {
            AttemptEvent::Start => self.next(0, now),
            AttemptEvent::Committed => self.on_committed(),
            AttemptEvent::Failed { failure, may_retry, random } => self.on_failed(failure, may_retry, random, now),
        }
    }

    /// Returns the failures so far, in the order of calls.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    fn on_committed(&mut self) -> Step {
        self.committed = true;
        Step::Relay
    }

    fn on_failed(&mut self, failure: Failure, may_retry: bool, random: u64, now: Timestamp) -> Step {
        self.failures.push(failure);
        if self.committed || matches!(failure, Failure::Request | Failure::Deadline) {
            return Step::Stop { failure: self.failures.len() - 1 };
        }
        let offer = &mut self.offers[self.current];
        offer.gone |= !may_retry || !same_again(failure);
        if let Failure::Rate { retry_after_ms } = failure {
            let wait_ms = retry_after_ms.unwrap_or(RATE_WAIT_MS);
            offer.not_before = now.plus_millis(i64::try_from(wait_ms).unwrap_or(i64::MAX));
        }
        if failure == Failure::Context {
            self.context_above = self.context_above.max(offer.context_tokens.unwrap_or(0));
        }
        self.next(random, now)
    }

    fn next(&mut self, random: u64, now: Timestamp) -> Step {
        let n_calls: u32 = self.offers.iter().map(|offer| offer.n_calls).sum();
        let chosen = if n_calls < self.limits.per_interaction { self.choose(random, now) } else { None };
        let Some((offer, wait_ms)) = chosen else {
            return Step::Stop { failure: self.most_useful() };
        };
        self.current = offer;
        self.offers[offer].n_calls += 1;
        self.waited_ms += wait_ms;
        Step::Send { offer, wait_ms }
    }

    /// Returns the first offer not yet called, or else the one that may be called again soonest.
    fn choose(&self, random: u64, now: Timestamp) -> Option<(usize, u64)> {
        let reach = if self.allow_fallback { self.offers.len() } else { self.offers.len().min(1) };
        let open = |at: &usize| !self.offers[*at].gone && self.larger(&self.offers[*at]);
        if let Some(fresh) = (0..reach).filter(open).find(|at| self.offers[*at].n_calls == 0) {
            return Some((fresh, 0));
        }
        let again = (0..reach).filter(open).filter(|at| self.offers[*at].n_calls < self.limits.per_offer);
        let soonest = again.map(|at| (self.wait_ms(&self.offers[at], random, now), at)).min();
        soonest.filter(|(wait_ms, _)| self.waited_ms + wait_ms <= self.limits.total_wait_ms).map(|(wait_ms, at)| (at, wait_ms))
    }

    fn larger(&self, offer: &Tried) -> bool {
        self.context_above == 0 || offer.context_tokens.is_some_and(|tokens| tokens > self.context_above)
    }

    /// Returns the wait before the same offer again: full jitter, but never before the provider said.
    fn wait_ms(&self, offer: &Tried, random: u64, now: Timestamp) -> u64 {
        let n_failures = u32::try_from(self.failures.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let most = BACKOFF_MS.saturating_mul(1 << n_failures.min(16)).min(BACKOFF_MOST_MS);
        let stated = u64::try_from(offer.not_before.millis().saturating_sub(now.millis())).unwrap_or(0);
        stated.max(random % (most + 1))
    }

    fn most_useful(&self) -> usize {
        let usefulness = |at: &usize| (self.failures[*at].usefulness(), *at);
        (0..self.failures.len()).max_by_key(usefulness).unwrap_or(0)
    }
}

/// Returns whether the offer that failed so may be called again for the same request.
const fn same_again(failure: Failure) -> bool {
    match failure {
        Failure::Network | Failure::Server | Failure::Cut | Failure::Malformed => true,
        Failure::Rate { retry_after_ms } => matches!(retry_after_ms, Some(0..=SHORT_RATE_WAIT_MS)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
