//! Model lists of providers, read into catalog entries.
//!
//! `reading` says what to ask for and takes the answers, page by page; sending and keeping the last good list belong to
//! vox-node. A list is taken whole or not at all: single bad entries are skipped and reported, but more than one in five
//! fails the list. Prices are read as decimals, never through a float.

mod anthropic;
mod google;
mod ollama;
mod openai;
mod openrouter;
mod price;
mod reading;
mod schedule;

use crate::catalog::{Entry, Warning, plausible, valid_id};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use vox_base::{Coded, Kind, Timestamp};

pub use openai::{ListMapping, PriceFields};
pub use price::PriceUnit;
pub use reading::{Query, Reading, SourceKind, Subject};
pub use schedule::{Due, Failure, Past, due, is_stale, next_refresh};

/// A list, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The models.
    pub entries: Vec<Entry>,
    /// What was skipped or changed, and why.
    pub warnings: Vec<Warning>,
    /// How many entries could not be read.
    pub n_malformed: usize,
}

/// A list cannot be used; the last good one stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The body is no such list.
    #[error("not a model list: {0}")]
    NotAList(String),
    /// Too many entries cannot be read.
    #[error("{n_malformed} of {n_entries} entries cannot be read")]
    Malformed {
        /// How many.
        n_malformed: usize,
        /// Of how many.
        n_entries: usize,
    },
    /// A page leads to a page that was read already.
    #[error("the list never ends: the page after `{0}` came twice")]
    RepeatedCursor(String),
    /// The list goes on after the last page that is read.
    #[error("the list goes on after {0} pages")]
    TooManyPages(u32),
    /// Nothing is listed where there was much before.
    #[error("the list is empty, but {n_known} models were known")]
    SuspiciousEmpty {
        /// How many were known.
        n_known: usize,
    },
}

const SUSPICIOUS_FROM: usize = 10;

/// Refuses an empty list where at least ten models were known.
///
/// # Errors
/// It is so.
pub const fn suspicious_empty(n_known: usize, n_listed: usize) -> Result<(), SourceError> {
    if n_listed == 0 && n_known >= SUSPICIOUS_FROM { Err(SourceError::SuspiciousEmpty { n_known }) } else { Ok(()) }
}

impl From<SourceError> for Coded {
    fn from(error: SourceError) -> Self {
        let code = if matches!(error, SourceError::SuspiciousEmpty { .. }) { "route.suspicious_empty" } else { "route.source_failed" };
        Self::new(Kind::Failed, code, error.to_string()).next("the last good list is kept; try `vox model discover --force`")
    }
}

/// One page of a list: its entries as they stand, and what leads to the next page.
struct Page<'a> {
    entries: Vec<&'a RawValue>,
    next: Option<String>,
}

/// Reads the members of a page that make up the list.
fn page<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, SourceError> {
    serde_json::from_slice(body).map_err(|error| SourceError::NotAList(error.to_string()))
}

/// What was gathered of a list so far.
#[derive(Debug, Default)]
struct Gathered {
    by_id: BTreeMap<String, Entry>,
    warnings: Vec<Warning>,
    n_entries: usize,
    n_malformed: usize,
}

impl Gathered {
    /// Takes one entry as it was read: nothing where it is no model that answers, an error where it cannot be read.
    fn take(&mut self, source: &str, at: Timestamp, parse: impl FnOnce(&mut Vec<String>) -> Result<Option<Entry>, String>) {
        let index = self.n_entries;
        self.n_entries += 1;
        let mut warn = |entry: &str, message| {
            self.warnings.push(Warning { source: source.into(), entry: format!("[{index}] {entry}"), message });
        };
        let mut notes = Vec::new();
        match parse(&mut notes) {
            Err(cause) => {
                self.n_malformed += 1;
                warn("", format!("skipped: {cause}"));
            }
            Ok(None) => {}
            Ok(Some(entry)) if !valid_id(&entry.native_id) => {
                warn("", "skipped: its id is too long or holds a character no id has".into());
            }
            Ok(Some(mut entry)) => {
                notes.extend(plausible(&mut entry));
                notes.into_iter().for_each(|note| warn(&entry.native_id, note));
                entry.as_of = (!entry.prices.is_empty() || entry.price_state.is_some()).then(|| at.day());
                if self.by_id.contains_key(&entry.native_id) {
                    warn(&entry.native_id, "listed twice: the last one counts".into());
                }
                self.by_id.insert(entry.native_id.clone(), entry);
            }
        }
    }

    fn finish(self) -> Result<Fetched, SourceError> {
        if self.n_malformed * 5 > self.n_entries {
            return Err(SourceError::Malformed { n_malformed: self.n_malformed, n_entries: self.n_entries });
        }
        Ok(Fetched { entries: self.by_id.into_values().collect(), warnings: self.warnings, n_malformed: self.n_malformed })
    }
}

#[cfg(test)]
mod tests;
