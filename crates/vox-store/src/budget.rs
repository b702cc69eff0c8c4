//! What was charged to whom. There is no counter anywhere: what is spent is the sum of days rolled up and of the
//! entries behind them.

use crate::row::{Encode as _, Value, column};
use crate::rows::gateway::BudgetEntry;
use crate::tx::Tx;
use crate::{Store, StoreError, calls};
use std::collections::BTreeMap;
use vox_base::{NanoUsd, Timestamp};

/// What one account was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The account: a key's id, or another name.
    pub account: String,
    /// The sum, corrections and held amounts included.
    pub nano_usd: NanoUsd,
}

pub(crate) const ROLLUP: &str = "budget_daily";

const ADD_DAY: &str = "INSERT INTO budget_daily (account, day, amount_nano_usd, entries) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (account, day) DO UPDATE SET amount_nano_usd = budget_daily.amount_nano_usd + excluded.amount_nano_usd, \
    entries = budget_daily.entries + excluded.entries";

/// Writes an entry; one from before the mark goes into its day as well.
pub(crate) fn add(tx: &mut dyn Tx, horizon: Timestamp, entry: &BudgetEntry) -> Result<(), StoreError> {
    tx.insert(entry)?;
    if entry.at < horizon {
        let day = entry.at.day();
        tx.execute(ADD_DAY, &[entry.account.encode(), Value::Text(&day), entry.amount_nano_usd.encode(), Value::Int(1)])?;
    }
    Ok(())
}

/// Adds those of these entries that are from before the mark to their days, in the order of the days' keys.
pub(crate) fn add_late<'a>(tx: &mut dyn Tx, horizon: Timestamp, entries: impl Iterator<Item = &'a BudgetEntry>) -> Result<(), StoreError> {
    let mut days: BTreeMap<(&str, String), (i64, i64)> = BTreeMap::new();
    for entry in entries.filter(|entry| entry.at < horizon) {
        let (sum, count) = days.entry((&entry.account, entry.at.day())).or_default();
        let more = sum.checked_add(entry.amount_nano_usd.get());
        *sum = more.ok_or_else(|| StoreError::value("budget_daily.amount_nano_usd", "is out of range"))?;
        *count += 1;
    }
    days.iter().try_for_each(|((account, day), (sum, count))| {
        tx.run(ADD_DAY, &[Value::Text(account), Value::Text(day), Value::Int(*sum), Value::Int(*count)])
    })
}

/// Sums the entries between two marks into their days.
pub(crate) fn roll_up(tx: &mut dyn Tx, from: Timestamp, to: Timestamp) -> Result<(), StoreError> {
    let mut sums: Vec<(String, i64, i64, i64)> = Vec::new();
    let sql = "SELECT account, at / 86400000 AS day_number, cast(sum(amount_nano_usd) AS bigint), count(*) FROM budget_entries \
        WHERE at >= $1 AND at < $2 GROUP BY account, day_number";
    tx.query(sql, &[from.encode(), to.encode()], &mut |row| {
        sums.push((column(row, 0, "account")?, column(row, 1, "at")?, column(row, 2, "amount")?, column(row, 3, "count")?));
        Ok(())
    })?;
    for (account, day_number, amount, entries) in sums {
        let day = Timestamp::from_millis(day_number * 86_400_000).day();
        tx.execute(ADD_DAY, &[Value::Text(&account), Value::Text(&day), Value::Int(amount), Value::Int(entries)])?;
    }
    Ok(())
}

impl Store {
    /// Returns what each account was charged since the first moment of a UTC day, or ever; accounts without any entry
    /// are left out.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn spent(&self, since: Option<Timestamp>) -> Result<Vec<Spent>, StoreError> {
        self.read(move |tx| {
            let horizon = calls::horizons(tx, &[])?.budget;
            let since = since.map_or(Timestamp::from_millis(i64::MIN), Timestamp::start_of_day);
            let first_day = if since.millis() == i64::MIN { "0001-01-01".to_owned() } else { since.day() };
            let sql = "SELECT account, cast(sum(amount) AS bigint) FROM (\
                SELECT account, amount_nano_usd AS amount FROM budget_daily WHERE day >= $1 \
                UNION ALL SELECT account, amount_nano_usd FROM budget_entries WHERE at >= $2) AS both_parts \
                GROUP BY account ORDER BY account";
            let mut spent = Vec::new();
            tx.query(sql, &[Value::Text(&first_day), horizon.max(since).encode()], &mut |row| {
                spent.push(Spent { account: column(row, 0, "account")?, nano_usd: column(row, 1, "sum")? });
                Ok(())
            })?;
            Ok(spent)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
