//! Exact budgets of caller keys: what is spent and reserved in each window, and whether more may be reserved.
//!
//! A key's spending also counts at every key above it; a reservation is granted by the whole chain or by none of it.
//! The ledger is the store's; this is the arithmetic, loaded from it at start.

use std::collections::HashMap;
use std::fmt;
use vox_base::{Coded, KeyId, Kind, NanoUsd, Timestamp};

const DAY_MS: i64 = 86_400_000;

/// Over which time a limit counts, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A calendar day.
    Day,
    /// An ISO week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// Always.
    Total,
}

/// What happens at a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A reservation that might pass it is refused.
    Hard,
    /// Passing it is noted, and new work is refused once it is passed.
    Soft,
}

/// One limit of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Over which time.
    pub window: Window,
    /// How much.
    pub amount: NanoUsd,
    /// What happens at it.
    pub mode: Mode,
}

/// A granted reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Names it when it is extended, settled or released.
    pub id: u64,
    /// Soft limits that spending has reached.
    pub notices: Vec<Notice>,
}

/// A soft limit that spending has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Whose limit.
    pub key: KeyId,
    /// Which one.
    pub window: Window,
    /// 80 or 100.
    pub reached_percent: u8,
}

/// A budget does not cover a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {window} budget does not cover the request: limit {limit}, spent {spent}, reserved {reserved}, needed {needed}")]
pub struct BudgetExceeded {
    /// Whose limit, which may be a key above the caller's.
    pub key: KeyId,
    /// Which one.
    pub window: Window,
    /// How much it allows.
    pub limit: NanoUsd,
    /// Spent in the window, with what is held.
    pub spent: NanoUsd,
    /// Reserved by open requests.
    pub reserved: NanoUsd,
    /// What the request needs.
    pub needed: NanoUsd,
    /// When the window ends; `None` for a total.
    pub resets_at: Option<Timestamp>,
}

/// Budgets in memory.
#[derive(Debug, Default)]
pub struct Accounts {
    keys: HashMap<KeyId, Account>,
    open: HashMap<u64, Open>,
    last_id: u64,
    latest: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Account {
    limits: Vec<(Limit, Spent)>,
    reserved: NanoUsd,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    window_start: Timestamp,
    amount: NanoUsd,
}

#[derive(Debug)]
struct Open {
    chain: Vec<KeyId>,
    amount: NanoUsd,
}

impl Accounts {
    /// Returns no budgets at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key's limits; `spent` tells what the ledger holds, open and held calls of other processes included, for a
    /// window that began at that moment. What is reserved here stays reserved.
    pub fn set(&mut self, key: KeyId, limits: &[Limit], now: Timestamp, spent: impl Fn(Window, Timestamp) -> NanoUsd) {
        let now = self.advance(now);
        let account = self.keys.entry(key).or_default();
        let loaded = |limit: &Limit| {
            let window_start = limit.window.start(now);
            (*limit, Spent { window_start, amount: spent(limit.window, window_start) })
        };
        account.limits = limits.iter().map(loaded).collect();
    }

    /// Forgets a key's limits.
    pub fn remove(&mut self, key: KeyId) {
        if let Some(account) = self.keys.get_mut(&key) {
            account.limits.clear();
        }
    }

    /// Returns the limits of a key itself.
    pub fn limits(&self, key: KeyId) -> impl Iterator<Item = Limit> {
        self.keys.get(&key).into_iter().flat_map(|account| account.limits.iter().map(|(limit, _)| *limit))
    }

    /// Returns whether a key or one above it has a hard limit.
    #[must_use]
    pub fn has_hard_limit(&self, chain: &[KeyId]) -> bool {
        self.accounts(chain).any(|(_, account)| account.limits.iter().any(|(limit, _)| limit.mode == Mode::Hard))
    }

    /// Reserves an amount at a key and every key above it, or at none of them.
    ///
    /// # Errors
    /// A hard limit would be passed if the whole amount were spent, or a soft one is passed already.
    pub fn reserve(&mut self, chain: &[KeyId], amount: NanoUsd, now: Timestamp) -> Result<Reserved, BudgetExceeded> {
        self.cover(chain, amount, now)?;
        self.last_id += 1;
        let id = self.last_id;
        self.add_reserved(chain, amount);
        let notices = self.notices(chain);
        self.open.insert(id, Open { chain: chain.to_vec(), amount });
        Ok(Reserved { id, notices })
    }

    /// Raises an open reservation to a new amount.
    ///
    /// # Errors
    /// As for [`Accounts::reserve`]; the reservation stays as it was.
    pub fn extend(&mut self, id: u64, to: NanoUsd, now: Timestamp) -> Result<(), BudgetExceeded> {
        let Some(open) = self.open.get(&id) else { return Ok(()) };
        let (chain, more) = (open.chain.clone(), to.saturating_sub(open.amount));
        if more <= NanoUsd::ZERO {
            return Ok(());
        }
        self.cover(&chain, more, now)?;
        self.add_reserved(&chain, more);
        if let Some(open) = self.open.get_mut(&id) {
            open.amount = to;
        }
        Ok(())
    }

    /// Replaces a reservation by what was really spent.
    pub fn settle(&mut self, id: u64, actual: NanoUsd, now: Timestamp) {
        if let Some(open) = self.close(id) {
            self.charge(&open.chain, actual, now);
        }
    }

    /// Gives a reservation back.
    pub fn release(&mut self, id: u64) {
        self.close(id);
    }

    /// Turns a reservation whose call has no known end into spending of the whole amount.
    pub fn hold(&mut self, id: u64, now: Timestamp) {
        if let Some(open) = self.close(id) {
            self.charge(&open.chain, open.amount, now);
        }
    }

    /// Adds to what a key and every key above it spent; a correction may be negative.
    pub fn charge(&mut self, chain: &[KeyId], amount: NanoUsd, now: Timestamp) {
        let now = self.advance(now);
        for key in chain {
            for (limit, spent) in self.keys.get_mut(key).into_iter().flat_map(|account| &mut account.limits) {
                spent.roll(limit.window, now);
                spent.amount = spent.amount.saturating_add(amount);
            }
        }
    }

    fn close(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.add_reserved(&open.chain, NanoUsd::ZERO.saturating_sub(open.amount));
        Some(open)
    }

    fn add_reserved(&mut self, chain: &[KeyId], amount: NanoUsd) {
        for key in chain {
            let account = self.keys.entry(*key).or_default();
            account.reserved = account.reserved.saturating_add(amount);
        }
    }

    fn accounts<'a>(&'a self, chain: &'a [KeyId]) -> impl Iterator<Item = (KeyId, &'a Account)> {
        chain.iter().filter_map(|key| self.keys.get(key).map(|account| (*key, account)))
    }

    /// Never goes back: a clock that jumps back reopens no window.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }

    fn cover(&mut self, chain: &[KeyId], needed: NanoUsd, now: Timestamp) -> Result<(), BudgetExceeded> {
        let now = self.advance(now);
        for key in chain {
            let Some(account) = self.keys.get_mut(key) else { continue };
            for (limit, spent) in &mut account.limits {
                spent.roll(limit.window, now);
                let covered = match limit.mode {
                    Mode::Hard => spent.amount.saturating_add(account.reserved).saturating_add(needed) <= limit.amount,
                    Mode::Soft => spent.amount <= limit.amount,
                };
                if !covered {
                    return Err(BudgetExceeded {
                        key: *key,
                        window: limit.window,
                        limit: limit.amount,
                        spent: spent.amount,
                        reserved: account.reserved,
                        needed,
                        resets_at: limit.window.end(now),
                    });
                }
            }
        }
        Ok(())
    }

    fn notices(&self, chain: &[KeyId]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (key, account) in self.accounts(chain) {
            for (limit, spent) in account.limits.iter().filter(|(limit, _)| limit.mode == Mode::Soft) {
                let (spent, limit_nano) = (i128::from(spent.amount.get()), i128::from(limit.amount.get()));
                if spent * 100 >= limit_nano * 80 {
                    let reached_percent = if spent >= limit_nano { 100 } else { 80 };
                    notices.push(Notice { key, window: limit.window, reached_percent });
                }
            }
        }
        notices
    }
}

impl Spent {
    fn roll(&mut self, window: Window, now: Timestamp) {
        let window_start = window.start(now);
        if window_start > self.window_start {
            *self = Self { window_start, amount: NanoUsd::ZERO };
        }
    }
}

impl Window {
    /// Returns the first moment of the window that holds this one.
    #[must_use]
    pub fn start(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day => now.start_of_day(),
            Self::Week => now.start_of_week(),
            Self::Month => now.start_of_month(),
            Self::Total => Timestamp::from_millis(0),
        }
    }

    /// Returns the first moment after the window that holds this one, or `None` for a total.
    #[must_use]
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Day => Some(now.start_of_day().plus_millis(DAY_MS)),
            Self::Week => Some(now.start_of_week().plus_millis(7 * DAY_MS)),
            Self::Month => Some(now.start_of_next_month()),
            Self::Total => None,
        }
    }

    /// Returns the name used in flags and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<BudgetExceeded> for Coded {
    fn from(error: BudgetExceeded) -> Self {
        let next = match error.resets_at {
            Some(at) => format!("lower max tokens, wait until {at}, or raise it with `vox keys set {} --budget USD`", error.key),
            None => format!("lower max tokens, or raise it with `vox keys set {} --budget USD`", error.key),
        };
        Self::new(Kind::Refused, "gateway.budget_exceeded", error.to_string()).next(next)
    }
}

#[cfg(test)]
mod tests;
