//! The store: the only crate that knows SQL.
//!
//! [`Store`] opens the files of a data directory and offers one file of methods per noun (keys, calls, budget, usage,
//! decisions, prices, vault …). Below it `sqlite` holds the engine: opening, one writer thread with group commit, a few
//! readers. Row types in [`rows`] are generated from `contracts/db`; what a row means is the caller's business.

mod error;
mod fs;
pub mod kind;
mod migrate;
mod postgres;
mod queue;
mod retention;
mod row;
pub mod rows;
mod sqlite;
mod store;
mod tx;
mod worker;

mod budget;
mod calls;
mod catalog_fetches;
mod changes;
mod decisions;
mod held;
mod intent;
mod keys;
mod outcomes;
mod penalties;
mod prices;
mod pricing;
mod recent;
mod reservations;
mod scoreboard;
mod sessions;
mod status;
mod usage;
mod vault;

pub use budget::Spent;
pub use calls::{CallRecord, SettledCall, Wanted};
pub use changes::Changes;
pub use decisions::{DecisionRecord, Snapshot};
pub use error::StoreError;
pub use held::{Correction, HeldCall, Recovered};
pub use intent::{Intent, IntentLog};
pub use keys::StoredKey;
pub use outcomes::{Credit, NewOutcome, Posted, Unit};
pub use postgres::Target;
pub use pricing::Charged;
pub use recent::{FailedAttempt, RecentCall};
pub use reservations::{HardLimit, NodeSeen, NotCovered, Reserve};
pub use retention::{Leading, Pruned};
pub use row::Text;
pub use scoreboard::{Grain, Measured, Measurements, PROVIDER_FAILURES, ScoreKey, Span, Survey};
pub use status::{FileStatus, MigrationStatus, ServerStatus, Status};
pub use store::{Access, OpenOptions, Place, Store};
pub use usage::{By, Totals, UsageLine, UsageQuery, UsageReport};
pub use vault::{SealedRecord, VaultChange, VaultContents, VaultTip};
pub use vox_contract::{Drift, File};

#[cfg(test)]
extern crate self as vox_store;
#[cfg(test)]
mod engines;
#[cfg(test)]
#[path = "../tests/sample.rs"]
mod sample;
#[cfg(test)]
mod story;
