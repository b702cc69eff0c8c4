//! The lines of a bill: each class of tokens times the price that was recorded with the call.

use serde::Serialize;
use vox_base::{Micros, Pico};
use vox_route::Prices;
use vox_store::rows::gateway::Interaction;

/// One class of tokens and what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostLine {
    /// Which class.
    pub class: &'static str,
    /// How many tokens.
    pub tokens: u64,
    /// What a million of them costs in micro-USD; nothing if the price is not known.
    pub price_micros_per_mtok: Option<i64>,
    /// What they came to, rounded by itself; the call is rounded once as a whole.
    pub cost_nano_usd: Option<i64>,
}

/// Returns the lines of a call that has tokens and recorded prices.
pub(super) fn lines(call: &Interaction, prices: &Prices) -> Vec<CostLine> {
    // Where a class has no price of its own, what is billed in its place counts, as in `vox_route::price`.
    let classes = [
        ("input", call.input_tokens, prices.input),
        ("cache_read", call.cache_read_tokens, prices.cache_read.or(prices.input)),
        ("cache_write_5m", call.cache_write_5m_tokens, prices.cache_write_5m),
        ("cache_write_1h", call.cache_write_1h_tokens, prices.cache_write_1h),
        ("output", call.output_tokens, prices.output),
        ("reasoning", call.reasoning_tokens, prices.reasoning.or(prices.output)),
    ];
    let mut lines: Vec<CostLine> = classes.into_iter().filter_map(|(class, tokens, price)| line(class, tokens?, price)).collect();
    if let Some(each) = prices.request.filter(|each| each.get() != 0) {
        let cost_nano_usd = Some(Pico::ZERO.plus_units(1, each).settle().get());
        lines.push(CostLine { class: "request", tokens: 0, price_micros_per_mtok: None, cost_nano_usd });
    }
    lines
}

fn line(class: &'static str, tokens: i64, price: Option<Micros>) -> Option<CostLine> {
    let tokens = u64::try_from(tokens).ok().filter(|tokens| *tokens > 0)?;
    let cost_nano_usd = price.map(|price| Pico::ZERO.plus_tokens(tokens, price).settle().get());
    Some(CostLine { class, tokens, price_micros_per_mtok: price.map(Micros::get), cost_nano_usd })
}

#[cfg(test)]
mod tests;
