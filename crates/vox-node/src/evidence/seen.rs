//! What a finished call leaves for evidence: pushed on a list on its way out, folded in the background.

use parking_lot::Mutex;
use std::sync::Arc;
use vox_base::Timestamp;
use vox_route::OfferKey;
use vox_route::evidence::{Answered, CallSeen};
use vox_route::filling::Filled;

/// More than this is not kept until somebody folds it: the newest calls of a very busy quarter of a second.
const MAX_SEEN: usize = 65_536;

/// One provider's part in a finished call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Who was called.
    pub(crate) offer: OfferKey,
    /// On which task.
    pub(crate) task: Arc<str>,
    /// For whom.
    pub(crate) caller: Option<Arc<str>>,
    /// How it was answered; `None` if the provider failed.
    pub(crate) answered: Option<Answered>,
    /// The context the offer has, and what was used of it in ten-thousandths.
    pub(crate) filled: Option<(u64, u32)>,
    /// When.
    pub(crate) at: Timestamp,
}

/// Calls that wait to be folded.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Mutex<Vec<Seen>>);

impl Sightings {
    pub(crate) fn push(&self, seen: Seen) {
        let mut waiting = self.0.lock();
        if waiting.len() < MAX_SEEN {
            waiting.push(seen);
        }
    }

    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Seen {
    pub(super) fn call(&self) -> CallSeen {
        CallSeen { offer: self.offer.clone(), at: self.at, answered: self.answered }
    }

    pub(super) fn filling(&self) -> Option<Filled> {
        let (context_tokens, used_bp) = self.filled?;
        let (offer, task, caller) = (self.offer.clone(), self.task.clone(), self.caller.clone());
        Some(Filled { offer, context_tokens, used_bp, task, caller, at: self.at })
    }
}
