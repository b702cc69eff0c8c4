//! Requests and tokens a minute of the running node. The arithmetic is `vox_route::rate`'s; here it gets a lock and a
//! clock that nobody sets.

use crate::chat::Refusal;
use crate::keys::Caller;
use parking_lot::Mutex;
use std::time::Instant;
use vox_base::{Coded, Kind};
use vox_route::rate::{Counted, Rates, Standing, TooFast};

/// Where the limits of all callers stand.
pub(crate) struct RateBook {
    rates: Mutex<Rates>,
    since: Instant,
}

impl RateBook {
    pub(crate) fn new() -> Self {
        Self { rates: Mutex::default(), since: Instant::now() }
    }

    /// Counts a call that is expected to have so many tokens.
    pub(crate) fn admit(&self, caller: &Caller, tokens: u64) -> Result<(), Refusal> {
        if caller.rates.is_empty() {
            return Ok(());
        }
        self.rates.lock().admit(&caller.rates, tokens, self.since.elapsed()).map_err(refusal)
    }

    /// Replaces the tokens a call was admitted with by those it had.
    pub(crate) fn correct(&self, caller: &Caller, admitted: u64, actual: u64) {
        if !caller.rates.is_empty() {
            self.rates.lock().correct(&caller.rates, admitted, actual, self.since.elapsed());
        }
    }

    /// Returns for each thing that is limited the limit nearest to its end, the caller's own or one above.
    pub(crate) fn standings(&self, caller: &Caller) -> Vec<(Counted, Standing)> {
        if caller.rates.is_empty() {
            return Vec::new();
        }
        let (rates, now) = (self.rates.lock(), self.since.elapsed());
        let nearest = |counted: Counted| {
            let limits = caller.rates.iter().filter(|limit| limit.counted == counted);
            limits.map(|limit| rates.standing(limit, now)).min_by_key(|standing| standing.remaining)
        };
        [Counted::Requests, Counted::Tokens].into_iter().filter_map(|counted| Some((counted, nearest(counted)?))).collect()
    }
}

fn refusal(too_fast: TooFast) -> Refusal {
    let error = Coded::new(Kind::Refused, "gateway.rate_limited", too_fast.to_string())
        .next("wait for `retry-after`, or raise it with `vox keys set ID --rpm N --tpm N`");
    Refusal { retry_after_s: Some(too_fast.retry_after_ms.div_ceil(1000)), ..Refusal::from(error) }
}
