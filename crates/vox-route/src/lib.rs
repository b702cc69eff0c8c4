//! Which model, and why: the routing contract, the catalog of offers, the one decision function, and what follows from
//! a decision (explanation, attempts, budgets).
//!
//! Everything here is a pure function over values. Fetching lists, keeping time and sending requests belong to
//! vox-host and vox-node; the shape of a conversation belongs to vox-wire.

pub mod attempt;
pub mod board;
pub mod budget;
pub mod catalog;
pub mod classify;
pub mod contract;
pub mod decide;
pub mod evidence;
pub mod explain;
pub mod filling;
mod math;
pub mod name;
pub mod outcome;
pub mod price;
pub mod rate;
pub mod source;

#[cfg(test)]
mod world;

pub use attempt::{Attempt, AttemptEvent, AttemptLimits, Failure, Step};
pub use board::{Board, BoardState, Credential, Escalation, Health, Penalty, Privacy, ProviderState};
pub use budget::{Accounts, BudgetExceeded, Limit, Mode as BudgetMode, Reserved, Window};
pub use catalog::{Capability, Catalog, Entry, Layer, Lifecycle, Locality, Offer, PriceState, Prices, Tier, Trust, Warning};
pub use classify::{Classifier, Features, Verdict};
pub use contract::Contract;
pub use decide::{Ask, Decision, Exploring, PickReason, Prefer, Ranked, RefusalReason, Refused, Session, Waiver, decide};
pub use evidence::{Evidence, OfferKey, Standings};
pub use explain::Explanation;
pub use name::{NameError, Wanted, parse_name};
pub use source::ListMapping;
