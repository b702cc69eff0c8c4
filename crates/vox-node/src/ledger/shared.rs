//! Hard limits that several nodes share: the store decides, one call after another of the same account.
//!
//! Only a call against a hard limit takes this way; its round trip is the price of a limit that holds everywhere. What
//! this node has in memory is asked first, so that what certainly does not fit costs nobody a round trip.

use super::{Ledger, refusal, unavailable};
use crate::keys::Caller;
use vox_base::{Coded, InteractionId, KeyId, NanoUsd, Timestamp};
use vox_route::budget::{BudgetExceeded, Limit, Mode};
use vox_store::{HardLimit, Reserve};

impl Ledger {
    /// Sets an amount aside where the other nodes see it.
    pub(super) async fn set_aside(&self, id: InteractionId, caller: &Caller, amount: NanoUsd, now: Timestamp) -> Result<(), Coded> {
        let limits = self.hard_limits(&caller.chain);
        let account = |(key, limits): &(KeyId, Vec<Limit>)| {
            let hard = limits.iter().map(|limit| HardLimit { since: limit.window.start(now), amount: limit.amount });
            (*key, hard.collect())
        };
        let reserve = Reserve {
            interaction_id: id,
            key_id: caller.key.key_id,
            incarnation: self.incarnation,
            amount,
            accounts: limits.iter().map(account).collect(),
            now,
        };
        match self.asked(reserve).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(short)) => {
                let limit = limits.iter().find(|(key, _)| *key == short.key_id).and_then(|(_, limits)| limits.get(short.limit));
                let limit = limit.ok_or_else(|| unavailable("it answered for an account that was not asked"))?;
                Err(refusal(&BudgetExceeded {
                    key: short.key_id,
                    window: limit.window,
                    limit: limit.amount,
                    spent: short.spent,
                    reserved: short.reserved,
                    needed: amount,
                    resets_at: limit.window.end(now),
                }))
            }
            Err(error) => Err(unavailable(&error.to_string())),
        }
    }

    /// Asks on a task of its own. A caller who leaves meanwhile settles at once, perhaps before the amount is set aside; so
    /// if nobody waits for the answer any more, it is taken back.
    async fn asked(&self, reserve: Reserve) -> Result<Result<(), vox_store::NotCovered>, vox_store::StoreError> {
        let (store, id) = (self.store.clone(), reserve.interaction_id);
        let (reply, answer) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let granted = store.reserve(reserve).await;
            if let Err(Ok(Ok(()))) = reply.send(granted)
                && let Err(error) = store.release(id).await
            {
                tracing::warn!(code = error.code(), interaction = %id, "an amount stays set aside: {error}");
            }
        });
        answer.await.map_err(|_| vox_store::StoreError::Closed)?
    }

    fn hard_limits(&self, chain: &[KeyId]) -> Vec<(KeyId, Vec<Limit>)> {
        let books = self.books.lock();
        let hard = |key: &KeyId| {
            let limits: Vec<Limit> = books.accounts.limits(*key).filter(|limit| limit.mode == Mode::Hard).collect();
            (!limits.is_empty()).then_some((*key, limits))
        };
        chain.iter().filter_map(hard).collect()
    }
}
