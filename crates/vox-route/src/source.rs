//! Model lists of providers, read into catalog entries.
//!
//! Fetching, paging and keeping the last good list belong to vox-node. A list is taken whole or not at all: single bad
//! entries are skipped and reported, but more than one in five fails the list. Prices are read as decimals, never
//! through a float.

mod openai;
mod openrouter;
mod schedule;

use crate::catalog::{Entry, PriceState, Prices, Warning, plausible, valid_id};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use vox_base::{Coded, Kind, Micros, Timestamp};

pub use openai::{ListMapping, PriceFields, PriceUnit, openai_compatible};
pub use openrouter::openrouter;
pub use schedule::{Due, due};

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

#[derive(serde::Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// Reads every entry of a list, skipping and counting those that cannot be read.
fn read(
    source: &str,
    body: &[u8],
    at: Timestamp,
    parse: impl Fn(&RawValue, &mut Vec<String>) -> Result<Entry, String>,
) -> Result<Fetched, SourceError> {
    let list: List = serde_json::from_slice(body).map_err(|error| SourceError::NotAList(error.to_string()))?;
    let mut by_id: BTreeMap<String, Entry> = BTreeMap::new();
    let mut warnings = Vec::new();
    let mut n_malformed = 0;
    for (index, raw) in list.data.iter().enumerate() {
        let mut warn =
            |entry: &str, message| warnings.push(Warning { source: source.into(), entry: format!("[{index}] {entry}"), message });
        let mut notes = Vec::new();
        match parse(raw, &mut notes) {
            Err(cause) => {
                n_malformed += 1;
                warn("", format!("skipped: {cause}"));
            }
            Ok(entry) if !valid_id(&entry.native_id) => warn("", "skipped: its id is too long or holds a character no id has".into()),
            Ok(mut entry) => {
                notes.extend(plausible(&mut entry));
                notes.into_iter().for_each(|note| warn(&entry.native_id, note));
                entry.as_of = (!entry.prices.is_empty() || entry.price_state.is_some()).then(|| at.day());
                if by_id.contains_key(&entry.native_id) {
                    warn(&entry.native_id, "listed twice: the last one counts".into());
                }
                by_id.insert(entry.native_id.clone(), entry);
            }
        }
    }
    if n_malformed * 5 > list.data.len() {
        return Err(SourceError::Malformed { n_malformed, n_entries: list.data.len() });
    }
    Ok(Fetched { entries: by_id.into_values().collect(), warnings, n_malformed })
}

/// One price of a list.
enum Quoted {
    Known(Micros),
    Dynamic,
    Unknown,
}

/// Reads a price written as a decimal string or a JSON number.
fn quoted(raw: &RawValue, unit: PriceUnit, class: &str, notes: &mut Vec<String>) -> Quoted {
    let unquoted: Option<String> = serde_json::from_str(raw.get()).ok();
    let text = unquoted.as_deref().unwrap_or(raw.get()).trim();
    let parsed = match unit {
        PriceUnit::UsdPerToken => Micros::per_mtok_from_usd_per_token(text),
        PriceUnit::UsdPerMtok | PriceUnit::Usd => Micros::from_usd(text),
    };
    match parsed {
        // Minus one says that the price depends on what the provider chooses.
        Ok(_) if matches!(text, "-1" | "-1.0") => Quoted::Dynamic,
        Ok((price, _)) if price.get() < 0 => {
            notes.push(format!("{class} price `{text}` is negative and counts as unknown"));
            Quoted::Unknown
        }
        Ok((price, rounded)) => {
            if rounded {
                notes.push(format!("{class} price `{text}` is rounded to {} micro-USD per million tokens", price.get()));
            }
            Quoted::Known(price)
        }
        Err(_) if text == "null" => Quoted::Unknown,
        Err(_) => {
            notes.push(format!(
                "{class} price `{}` is not a decimal number and counts as unknown",
                text.chars().take(40).collect::<String>()
            ));
            Quoted::Unknown
        }
    }
}

/// Puts the prices of a list together: free only if every listed class is exactly zero. A zero beside a price for input
/// and output means "not billed apart", so the class that is billed in its place keeps counting.
fn settle_prices(entry: &mut Entry, quotes: Vec<(usize, Quoted)>) {
    if quotes.iter().any(|(_, quote)| matches!(quote, Quoted::Dynamic)) {
        entry.price_state = Some(PriceState::Dynamic);
        return;
    }
    let mut prices = Prices::default();
    let mut all_zero = true;
    let mut unknown = false;
    for (class, quote) in quotes {
        match quote {
            Quoted::Known(price) => {
                all_zero &= price.get() == 0;
                *prices.classes_mut()[class].1 = Some(price);
            }
            _ => unknown = true,
        }
    }
    let both = prices.input.is_some() && prices.output.is_some();
    if both && all_zero && !unknown {
        entry.price_state = Some(PriceState::Free);
        return;
    }
    for (class, price) in prices.classes_mut() {
        if !matches!(class, "input" | "output") && price.is_some_and(|price| price.get() == 0) {
            *price = None;
        }
    }
    entry.prices = prices;
}

#[cfg(test)]
mod tests;
