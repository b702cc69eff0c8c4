//! The live side of what was learned.

use crate::Node;
use crate::outcomes::{Intake, Penalising, Poster, post};
use vox_api::{OutcomePosted, PostOutcome};
use vox_base::Coded;
use vox_route::outcome::OutcomeRules;

impl Node {
    /// Takes in what became of a call or run.
    ///
    /// # Errors
    /// The outcome is not taken, or the store cannot be written.
    pub async fn post_outcome(&self, poster: &Poster, outcome: &PostOutcome) -> Result<OutcomePosted, Coded> {
        let rules = OutcomeRules::builtin();
        let random = || self.random_ten();
        let penalising = Penalising { below_confidence_ppm: 500_000, for_ms: 600_000 };
        let intake = Intake { store: &self.store, rules: &rules, penalising, random: &random, now: self.now() };
        post(&intake, poster, outcome, None).await
    }
}
