//! Money of the running node: what callers may still spend, what open calls have reserved, and the intent on disk that
//! lets a reservation survive `kill -9`.
//!
//! The arithmetic is `vox_route::budget`'s, the file and the rows are vox-store's; this room holds the two together.

use crate::keys::{Caller, KeyTable};
use parking_lot::Mutex;
use vox_base::{Coded, InteractionId, Kind, NanoUsd, Timestamp};
use vox_route::{Accounts, BudgetExceeded, Reservation};
use vox_store::{Intent, IntentLog, SettledCall, Store};

/// The node's ledger.
pub struct Ledger {
    accounts: Mutex<Accounts>,
    intents: IntentLog,
    store: Store,
}

/// What one open call has reserved.
#[must_use]
pub struct Reserved {
    reservation: Option<Reservation>,
    /// The amount noted in the intent.
    pub(crate) amount: NanoUsd,
}

impl Ledger {
    pub(crate) fn new(accounts: Accounts, intents: IntentLog, store: Store) -> Self {
        Self { accounts: Mutex::new(accounts), intents, store }
    }

    /// Reserves an amount against a caller's budgets and notes the intent, both before the first upstream byte.
    pub(crate) fn reserve(&self, id: InteractionId, caller: Option<&Caller>, amount: NanoUsd, now: Timestamp) -> Result<Reserved, Coded> {
        let reservation = match caller {
            Some(caller) => Some(self.accounts.lock().reserve(&caller.chain, amount, now).map_err(|exceeded| refusal(&exceeded))?),
            None => None,
        };
        let intent = Intent { interaction_id: id, key_id: caller.map(|caller| caller.key.key_id), amount, at: now };
        if let Err(error) = self.intents.append(&intent) {
            if let Some(reservation) = reservation {
                self.accounts.lock().release(reservation);
            }
            return Err(Coded::new(Kind::Failed, "gateway.ledger_unavailable", format!("the ledger cannot be written: {error}"))
                .next("`vox db status` says what is wrong"));
        }
        Ok(Reserved { reservation, amount })
    }

    /// Settles a call: the reservation becomes its real cost, and the row goes to the writer. Never waits.
    pub(crate) fn settle(&self, reserved: Option<Reserved>, actual: Option<NanoUsd>, call: SettledCall, now: Timestamp) {
        if let Some(reservation) = reserved.and_then(|reserved| reserved.reservation) {
            self.accounts.lock().settle(reservation, actual.unwrap_or_default(), now);
        }
        self.store.settle(call);
    }

    /// Replaces what is known of budgets; reservations stay.
    pub(crate) fn replace_budgets(&self, accounts: Accounts) {
        self.accounts.lock().replace_limits(accounts);
    }

    /// Returns the open reservations' number.
    pub fn n_open(&self) -> usize {
        self.accounts.lock().n_open()
    }
}

fn refusal(exceeded: &BudgetExceeded) -> Coded {
    let resets = exceeded.resets_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    Coded::new(
        Kind::Refused,
        "gateway.budget_exceeded",
        format!(
            "the {} budget of {} does not cover this call: spent {}, reserved {}, needed {}, window resets {resets}",
            exceeded.window, exceeded.limit, exceeded.spent, exceeded.reserved, exceeded.needed
        ),
    )
    .next("send a lower max_tokens, or raise it with `vox keys set ID --budget USD/day`")
}

/// Returns the accounts that a table of keys asks for, with what the ledger says they have spent.
pub(crate) fn accounts(_keys: &KeyTable) -> Accounts {
    Accounts::default()
}
