//! How far an answer may grow under what is reserved for it, and how it gets more while its budget has any.

use super::{CallRecord, Open, estimate, is_free};
use vox_base::{Coded, Kind, NanoUsd};
use vox_route::Offer;

/// How many more output tokens a growing answer asks room for: much first, less when that is not left.
const STEPS_TOKENS: [u64; 4] = [1024, 256, 64, 16];

impl CallRecord {
    /// Returns the most a call can cost at an offer with so many output tokens; `None` if the price is unknown.
    pub(in crate::chat) fn most(&self, offer: &Offer, output_tokens: u64) -> Option<NanoUsd> {
        self.open_ref().most(offer, output_tokens)
    }

    /// Notes for how many output tokens room was reserved.
    pub(in crate::chat) fn make_room(&mut self, output_tokens: u64) {
        self.open_mut().room_tokens = output_tokens;
    }

    /// Returns after how many bytes of output the room is used up, as far as bytes tell tokens.
    pub(in crate::chat) fn room_bytes(&self) -> u64 {
        self.0.as_ref().map_or(u64::MAX, |open| open.room_tokens.saturating_mul(estimate::BYTES_PER_TOKEN))
    }

    /// Reserves room for more output.
    ///
    /// # Errors
    /// A budget or the request's own ceiling does not cover even a little more.
    pub(in crate::chat) fn grow(&mut self) -> Result<(), Coded> {
        let Some(open) = &mut self.0 else { return Ok(()) };
        let mut refused = None;
        for step in STEPS_TOKENS {
            match open.grow_by(step) {
                Ok(()) => return Ok(()),
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

impl Open {
    fn most(&self, offer: &Offer, output_tokens: u64) -> Option<NanoUsd> {
        if is_free(offer) {
            return Some(NanoUsd::ZERO);
        }
        vox_route::price::upper_bound(&offer.bounding_prices(), self.ask.input_tokens, output_tokens)
    }

    fn grow_by(&mut self, step_tokens: u64) -> Result<(), Coded> {
        let room_tokens = self.room_tokens.saturating_add(step_tokens);
        let offer = self.current.as_ref().map(|current| current.offer.clone());
        let amount = offer.and_then(|offer| self.most(&offer, room_tokens)).unwrap_or(NanoUsd::ZERO);
        if let Some(ceiling) = self.ask.ceiling.filter(|ceiling| amount > *ceiling) {
            let message = format!("the answer outgrew what this request may cost: {ceiling}");
            return Err(Coded::new(Kind::Refused, "gateway.budget_exceeded", message).next("ask for a shorter answer with max tokens"));
        }
        if let Some(reserved) = &mut self.reserved {
            self.node.ledger.extend(reserved, self.call.caller.as_deref(), amount, self.node.now())?;
        }
        self.room_tokens = room_tokens;
        Ok(())
    }
}
