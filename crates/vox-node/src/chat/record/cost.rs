//! What a call cost, and how that is known.

use super::{Open, estimate, is_free};
use vox_base::{CostSource, NanoUsd, Usage};
use vox_wire::Tally;

impl Open {
    /// Returns the cost of an answer, and how it became known.
    pub(super) fn charge(&self, tally: &Tally) -> (Option<NanoUsd>, CostSource) {
        let Some(current) = &self.current else { return (None, CostSource::Unknown) };
        if is_free(&current.offer) {
            return (Some(NanoUsd::ZERO), CostSource::Local);
        }
        if let Some(reported) = tally.provider_cost {
            return (Some(reported), CostSource::ProviderReported);
        }
        let mut usage = tally.usage;
        if self.call.endpoint == vox_wire::Endpoint::Embeddings {
            // Vectors are not billed as output; the provider reports none.
            usage.output = usage.output.or(Some(0));
        }
        if tally.is_suspect() || usage.total_input().is_none() || usage.total_output().is_none() {
            return self.labelled(self.estimated(if tally.is_suspect() { Usage::default() } else { usage }, tally.n_output_bytes));
        }
        match vox_route::price::cost(&current.offer.prices, &usage) {
            Some(cost) => (Some(cost), CostSource::Computed),
            None => (None, CostSource::Unknown),
        }
    }

    /// Returns the probable cost at the current offer, `None` if its price is unknown.
    pub(super) fn estimated(&self, reported: Usage, n_output_bytes: u64) -> Option<NanoUsd> {
        let current = self.current.as_ref()?;
        if is_free(&current.offer) {
            return Some(NanoUsd::ZERO);
        }
        vox_route::price::cost(&current.offer.prices, &estimate::completed(reported, self.call.input_estimate, n_output_bytes))
    }

    pub(super) fn labelled(&self, estimate: Option<NanoUsd>) -> (Option<NanoUsd>, CostSource) {
        match (estimate, &self.current) {
            (Some(_), Some(current)) if is_free(&current.offer) => (estimate, CostSource::Local),
            (Some(_), _) => (estimate, CostSource::Estimated),
            (None, _) => (None, CostSource::Unknown),
        }
    }

    /// Returns what all attempts cost together; unknown as soon as one of them is.
    pub(super) fn total(&self) -> (Option<NanoUsd>, CostSource) {
        let cost: Option<NanoUsd> = self.attempts.iter().map(|attempt| attempt.cost_nano_usd).sum();
        let source = self.attempts.last().map_or(Some(CostSource::Computed), |attempt| CostSource::from_name(&attempt.cost_source));
        cost.map_or((None, CostSource::Unknown), |cost| (Some(cost), source.unwrap_or(CostSource::Unknown)))
    }
}
