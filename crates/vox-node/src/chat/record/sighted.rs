//! What a call that ended leaves for evidence: who answered and how, and which providers failed before.

use super::{Open, Outcome};
use crate::evidence::Seen;
use std::sync::Arc;
use vox_base::Timestamp;
use vox_route::OfferKey;
use vox_route::evidence::Answered;
use vox_store::PROVIDER_FAILURES;
use vox_store::rows::gateway::{Attempt, Interaction};

impl Open {
    pub(super) fn sighted(&self, outcome: Outcome, call: &Interaction, attempts: &[Attempt]) {
        for attempt in attempts.iter().filter(|attempt| attempt.outcome != "ok") {
            let is_the_providers = attempt.error_class.as_deref().is_some_and(|class| PROVIDER_FAILURES.contains(&class));
            if let Some(offer) = self.tried(attempt).filter(|_| is_the_providers) {
                self.node.sightings.push(self.seen(offer, None, None, call.ended_at));
            }
        }
        let answered = matches!(outcome, Outcome::Complete | Outcome::Truncated | Outcome::Refused);
        let Some(current) = self.current.as_ref().filter(|current| answered && !current.route.is_offline) else { return };
        let offer = OfferKey { provider: current.route.canonical.clone(), model_id: current.offer.model_id.clone() };
        let filled = current.offer.context_tokens.zip(call.context_utilization_bp.and_then(|used| u32::try_from(used).ok()));
        self.node.sightings.push(self.seen(offer, Some(self.answered(outcome, call)), filled, call.ended_at));
    }

    fn seen(&self, offer: OfferKey, answered: Option<Answered>, filled: Option<(u64, u32)>, at: Timestamp) -> Seen {
        let caller = self.call.caller.as_ref().map(|caller| caller.reference.clone());
        Seen { offer, task: self.decision.task.clone(), caller, answered, filled, at }
    }

    fn answered(&self, outcome: Outcome, call: &Interaction) -> Answered {
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        let whole_ms = number(call.latency_ms).unwrap_or(0);
        Answered {
            first_token_ms: number(call.ttft_ms).unwrap_or(whole_ms),
            whole_ms,
            output_tokens: number(call.output_tokens).unwrap_or(0) + number(call.reasoning_tokens).unwrap_or(0),
            expected_output_tokens: self.snapshot.contract.task(&self.decision.task).map_or(0, |task| task.expected_output_tokens),
            is_cut: outcome == Outcome::Truncated,
        }
    }

    /// Returns the offer that an attempt was made at, as evidence names it.
    fn tried(&self, attempt: &Attempt) -> Option<OfferKey> {
        let ranked = self.decision.ranked.iter();
        let offer =
            ranked.map(|ranked| &ranked.offer).find(|offer| *offer.provider == *attempt.provider && *offer.native_id == *attempt.model)?;
        Some(OfferKey { provider: Arc::from(self.snapshot.board.canonical(&offer.provider)), model_id: offer.model_id.clone() })
    }
}
