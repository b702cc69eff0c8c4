//! Money of the running node: what callers may still spend, what open calls have reserved, and the intent on disk that
//! lets a reservation survive `kill -9`.
//!
//! The arithmetic is `vox_route::budget`'s, the file and the rows are vox-store's; this room holds the two together. Where
//! several nodes share the accounts, a hard limit is asked of the store too, see `ledger/shared.rs`.

mod shared;

use crate::keys::{Caller, KeyTable};
use parking_lot::Mutex;
use std::collections::HashMap;
use vox_base::{Coded, IncarnationId, InteractionId, KeyId, Kind, NanoUsd, Timestamp};
use vox_route::budget::{Accounts, BudgetExceeded, Window};
use vox_store::{Intent, SettledCall, Store};

/// The node's ledger.
pub(crate) struct Ledger {
    books: Mutex<Books>,
    store: Store,
    incarnation: IncarnationId,
}

struct Books {
    accounts: Accounts,
    /// What was settled while the sums are being read: it may or may not be among them, and is counted once more rather
    /// than not at all.
    meanwhile: Option<Vec<(Vec<KeyId>, NanoUsd)>>,
}

/// What one open call has reserved.
#[must_use]
pub(crate) struct Reserved {
    reservation: Option<(u64, Vec<KeyId>)>,
    /// The amount noted in the intent.
    pub(crate) amount: NanoUsd,
}

impl Ledger {
    /// Returns the ledger of a store whose intents are open.
    pub(crate) fn new(store: Store, incarnation: IncarnationId) -> Self {
        Self { books: Mutex::new(Books { accounts: Accounts::new(), meanwhile: None }), store, incarnation }
    }

    /// Returns the name under which this process makes calls.
    pub(crate) const fn incarnation(&self) -> IncarnationId {
        self.incarnation
    }

    /// Reserves an amount against a caller's budgets and notes the intent, both before the first upstream byte. An
    /// earlier reservation of the same call, for a cheaper offer, is raised.
    pub(crate) async fn reserve(
        &self,
        id: InteractionId,
        caller: Option<&Caller>,
        amount: NanoUsd,
        earlier: Option<Reserved>,
        now: Timestamp,
    ) -> Result<Reserved, Coded> {
        let reservation = match (caller, earlier.and_then(|earlier| earlier.reservation)) {
            (_, Some((open, chain))) => {
                let extended = self.books.lock().accounts.extend(open, amount, now);
                extended.map_err(|exceeded| self.refused(open, &exceeded))?;
                Some((open, chain))
            }
            (Some(caller), None) => {
                let reserved = self.books.lock().accounts.reserve(&caller.chain, amount, now).map_err(|exceeded| refusal(&exceeded))?;
                for notice in &reserved.notices {
                    tracing::warn!(key = %notice.key, window = notice.window.as_str(), percent = notice.reached_percent, "a budget runs low");
                }
                Some((reserved.id, caller.chain.clone()))
            }
            (None, None) => None,
        };
        if let (Some(caller), Some((open, _))) = (caller.filter(|caller| self.is_seen_by_others(Some(caller))), &reservation) {
            // Whoever drops this future while it waits gives back what it had in the books.
            let booked = Booked { ledger: self, open: Some(*open) };
            self.set_aside(id, caller, amount, now).await?;
            booked.keep();
        }
        let intent = Intent { interaction_id: id, key_id: caller.map(|caller| caller.key.key_id), amount, at: now };
        if let Err(reason) = self.note(&intent) {
            if let Some((open, _)) = reservation {
                self.books.lock().accounts.release(open);
            }
            return Err(unavailable(&reason));
        }
        Ok(Reserved { reservation, amount })
    }

    /// Returns whether the calls of a caller set their amounts aside where other nodes see it.
    pub(crate) fn is_seen_by_others(&self, caller: Option<&Caller>) -> bool {
        self.store.is_shared() && caller.is_some_and(|caller| caller.has_hard_budget)
    }

    /// Raises what an open call has reserved; what is noted on disk stays, as a call that dies is held at what it began with.
    ///
    /// # Errors
    /// A budget does not cover it; the reservation stays as it was. Where several nodes share a hard limit nothing is added,
    /// because a stream cannot wait for their word in the middle.
    pub(crate) fn extend(&self, reserved: &mut Reserved, caller: Option<&Caller>, amount: NanoUsd, now: Timestamp) -> Result<(), Coded> {
        if self.is_seen_by_others(caller) {
            let message = "the answer outgrew what was set aside for it on the shared store";
            return Err(
                Coded::new(Kind::Refused, "gateway.budget_exceeded", message).next("say how long the answer may be with max tokens")
            );
        }
        if let Some((open, _)) = &reserved.reservation {
            self.books.lock().accounts.extend(*open, amount, now).map_err(|exceeded| refusal(&exceeded))?;
        }
        reserved.amount = reserved.amount.max(amount);
        Ok(())
    }

    fn note(&self, intent: &Intent) -> Result<(), String> {
        let intents = self.store.intents().ok_or("this process has no intent log")?;
        intents.append(intent).map_err(|error| error.to_string())
    }

    fn refused(&self, open: u64, exceeded: &BudgetExceeded) -> Coded {
        self.books.lock().accounts.release(open);
        refusal(exceeded)
    }

    /// Settles a call: the reservation becomes its real cost, and the rows go to the writer. Never waits.
    pub(crate) fn settle(&self, reserved: Option<Reserved>, actual: Option<NanoUsd>, call: SettledCall, now: Timestamp) {
        if let Some((open, chain)) = reserved.and_then(|reserved| reserved.reservation) {
            let actual = actual.unwrap_or_default();
            let mut books = self.books.lock();
            books.accounts.settle(open, actual, now);
            if let Some(meanwhile) = &mut books.meanwhile {
                meanwhile.push((chain, actual));
            }
        }
        self.store.settle(call);
    }

    /// Loads the budgets of a table of keys, with what the ledger says they have spent; reservations stay.
    pub(crate) async fn load(&self, keys: &KeyTable, now: Timestamp) -> Result<(), Coded> {
        self.books.lock().meanwhile = Some(Vec::new());
        let spent = self.spent(keys, now).await;
        let mut books = self.books.lock();
        let meanwhile = books.meanwhile.take().unwrap_or_default();
        let spent = spent?;
        for caller in keys.callers() {
            let account = caller.key.key_id.to_string();
            let in_window = |window: Window| spent.get(&window).and_then(|sums| sums.get(&account)).copied().unwrap_or_default();
            books.accounts.set(caller.key.key_id, &caller.limits, now, |window, _| in_window(window));
        }
        for (chain, amount) in meanwhile {
            books.accounts.charge(&chain, amount, now);
        }
        Ok(())
    }

    /// Returns what each account has spent in each window that some key limits, after everything settled is written.
    async fn spent(&self, keys: &KeyTable, now: Timestamp) -> Result<HashMap<Window, HashMap<String, NanoUsd>>, Coded> {
        self.store.flush().await?;
        let mut spent = HashMap::new();
        for window in [Window::Day, Window::Week, Window::Month, Window::Total] {
            if keys.callers().any(|caller| caller.limits.iter().any(|limit| limit.window == window)) {
                let since = (window != Window::Total).then(|| window.start(now));
                let rows = self.store.spent(since).await?;
                spent.insert(window, rows.into_iter().map(|row| (row.account, row.nano_usd)).collect());
            }
        }
        Ok(spent)
    }
}

/// An amount in the books that goes back unless it is kept.
struct Booked<'a> {
    ledger: &'a Ledger,
    open: Option<u64>,
}

impl Booked<'_> {
    fn keep(mut self) {
        self.open = None;
    }
}

impl Drop for Booked<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.open {
            self.ledger.books.lock().accounts.release(open);
        }
    }
}

fn refusal(exceeded: &BudgetExceeded) -> Coded {
    let resets = exceeded.resets_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    Coded::new(
        Kind::Refused,
        "gateway.budget_exceeded",
        format!(
            "the {} budget of {} does not cover this call: spent {}, reserved {}, needed {}, window resets {resets}",
            exceeded.window.as_str(),
            exceeded.limit,
            exceeded.spent,
            exceeded.reserved,
            exceeded.needed
        ),
    )
    .next("send a lower max_tokens, or raise it with `vox keys set ID --budget USD/day`")
}

fn unavailable(reason: &str) -> Coded {
    Coded::new(Kind::Failed, "gateway.ledger_unavailable", format!("the ledger cannot be written: {reason}"))
        .next("`vox db status` says what is wrong")
}
