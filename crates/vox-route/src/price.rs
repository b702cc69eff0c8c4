//! What tokens cost: exact sums in pico-USD, rounded once.
//!
//! Where a price class is missing, the class that is billed in its place counts, and only if that can never be cheaper
//! than the truth: reasoning costs as output, a cache read as uncached input. A cache write has no such stand-in,
//! because providers charge more for it than for input.

use crate::catalog::Prices;
use vox_base::{Micros, NanoUsd, Pico, Usage};

/// Returns what a call cost, or `None` if a class with tokens has no price or a side was not reported.
#[must_use]
pub fn cost(prices: &Prices, usage: &Usage) -> Option<NanoUsd> {
    usage.total_input()?;
    usage.total_output()?;
    let mut sum = Pico::ZERO;
    for (n_tokens, price) in [
        (usage.input, prices.input),
        (usage.cache_read, prices.cache_read.or(prices.input)),
        (usage.cache_write_5m, prices.cache_write_5m),
        (usage.cache_write_1h, prices.cache_write_1h),
        (usage.output, prices.output),
        (usage.reasoning, prices.reasoning.or(prices.output)),
    ] {
        if let Some(n_tokens @ 1..) = n_tokens {
            sum = sum.plus_tokens(n_tokens, price?);
        }
    }
    Some(plus_request(sum, prices).settle())
}

/// Returns the most a call with at most so many tokens can cost, each at the dearest class it may be billed as, or
/// `None` if the price of input or output is unknown.
#[must_use]
pub fn upper_bound(prices: &Prices, n_input_tokens: u64, n_output_tokens: u64) -> Option<NanoUsd> {
    let input = [prices.cache_read, prices.cache_write_5m, prices.cache_write_1h].into_iter().flatten().fold(prices.input?, Ord::max);
    let output = prices.reasoning.into_iter().fold(prices.output?, Ord::max);
    Some(plus_request(Pico::ZERO.plus_tokens(n_input_tokens, input).plus_tokens(n_output_tokens, output), prices).settle())
}

/// Returns what input, some of it read from the prompt cache, and plain output cost, or `None` if a price is unknown.
#[must_use]
pub fn expected(prices: &Prices, n_input_tokens: u64, n_cached_tokens: u64, n_output_tokens: u64) -> Option<NanoUsd> {
    let input = prices.input?;
    let sum = Pico::ZERO.plus_tokens(n_input_tokens, input).plus_tokens(n_output_tokens, prices.output?);
    let sum = if n_cached_tokens > 0 { sum.plus_tokens(n_cached_tokens, prices.cache_read.unwrap_or(input)) } else { sum };
    Some(plus_request(sum, prices).settle())
}

/// Returns what the prompt cache saved: what its reads would have cost uncached, less what they cost, less the surcharge
/// of its writes. Negative if writing cost more than reading saved; `None` if a class with tokens has no price.
#[must_use]
pub fn cache_savings(prices: &Prices, usage: &Usage) -> Option<NanoUsd> {
    let mut sum = Pico::ZERO;
    for (n_tokens, price) in [
        (usage.cache_read, prices.cache_read.or(prices.input)),
        (usage.cache_write_5m, prices.cache_write_5m),
        (usage.cache_write_1h, prices.cache_write_1h),
    ] {
        if let Some(n_tokens @ 1..) = n_tokens {
            sum = sum.plus_tokens(n_tokens, Micros::new(prices.input?.get() - price?.get()));
        }
    }
    Some(sum.settle())
}

const fn plus_request(sum: Pico, prices: &Prices) -> Pico {
    match prices.request {
        Some(each) => sum.plus_units(1, each),
        None => sum,
    }
}

#[cfg(test)]
mod tests;
