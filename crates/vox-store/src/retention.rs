//! Sums first, deletion after: what is rolled up may go when its time has come, nothing else.
//!
//! The rules of all tables are generated from the contracts, so no table is without one.

use crate::row::{Encode as _, Value};
use crate::rows::retention::RULES;
use crate::store::Lead;
use crate::tx::Tx;
use crate::{Store, StoreError, budget, calls, usage};
use vox_base::Timestamp;
use vox_contract::File;

/// When rows of one table go.
pub(crate) struct Rule {
    pub(crate) table: &'static str,
    pub(crate) file: File,
    pub(crate) keep: Keep,
}

/// What of a table stays.
pub(crate) enum Keep {
    /// Everything, as far as pruning goes.
    All,
    /// Rows whose day is no older than so many days.
    Days { column: &'static str, days: i64 },
    /// Rows whose moment is no older than so many days.
    MsDays { column: &'static str, days: i64 },
    /// Rows whose moment has not come.
    Until { column: &'static str },
    /// As `MsDays`, and whatever the roll-up has not summed.
    RolledUp { column: &'static str, days: i64, rollup: &'static str },
    /// The newest rows of each group.
    Last { n: i64, by: &'static str, newest: &'static str },
}

/// The lead among the nodes of a store, as it was when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leading(Lead);

/// How many rows of a table went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The table.
    pub table: &'static str,
    /// Rows deleted, without those that went by a cascade.
    pub deleted: usize,
}

/// Rows deleted while the writer is held; a batch of this size stays well under 50 ms.
const BATCH_ROWS: i64 = 2000;
const DAY_MS: i64 = 86_400_000;

/// Changes nothing, and holds a row until the end of the transaction.
const TURN_TO_REPLACE: &str =
    "INSERT INTO store_meta (key, value) VALUES ('measured', '') ON CONFLICT (key) DO UPDATE SET value = store_meta.value";

impl Store {
    /// Keeps the lead among the nodes of a shared store, or takes it if nobody has it. To be called every few seconds.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn leads(&self, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.leading(now).await?.is_some())
    }

    /// Like [`Store::leads`]; what is returned writes as the leader of this epoch, and changes nothing when another node
    /// has taken the lead by then.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn leading(&self, now: Timestamp) -> Result<Option<Leading>, StoreError> {
        let lead = self.lead(now).await?;
        Ok((lead != Lead::Follows).then_some(Leading(lead)))
    }

    /// Replaces what was measured, as the leader where one is named. It takes its turn with others that do the same, and
    /// keeps no other writer waiting.
    pub(crate) async fn replace<F>(&self, leading: Option<Leading>, mut work: F) -> Result<(), StoreError>
    where
        F: FnMut(&mut dyn Tx) -> Result<(), StoreError> + Send + 'static,
    {
        let lead = leading.map(|Leading(lead)| lead);
        let replace = move |tx: &mut dyn Tx| {
            tx.execute(TURN_TO_REPLACE, &[])?;
            work(tx)
        };
        self.shared().write_beside_as(lead, replace).await
    }

    async fn lead(&self, now: Timestamp) -> Result<Lead, StoreError> {
        self.shared().lead(self.options().store_id, now).await
    }

    /// Sums all days before this one into the roll-ups and moves their marks. Doing it again changes nothing. Where another
    /// node leads, or somebody is still writing about a day that would be summed, it is left for the next time.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn roll_up(&self, now: Timestamp) -> Result<(), StoreError> {
        let lead = self.lead(now).await?;
        if lead == Lead::Follows {
            return Ok(());
        }
        self.shared()
            .write_leading(lead, move |tx| {
                let horizon = now.start_of_day();
                if !tx.close_days(calls::day_number(horizon))? {
                    return Ok(());
                }
                let marks = calls::horizons(tx, &[])?;
                if marks.usage < horizon {
                    usage::roll_up(tx, marks.usage, horizon)?;
                    mark(tx, usage::ROLLUP, horizon, now)?;
                }
                if marks.budget < horizon {
                    budget::roll_up(tx, marks.budget, horizon)?;
                    mark(tx, budget::ROLLUP, horizon, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Deletes every row whose time has come, a batch at a time, and says how many went of each table.
    ///
    /// # Errors
    /// The store cannot be written; what went before is gone, and the rest goes next time.
    pub async fn prune(&self, now: Timestamp) -> Result<Vec<Pruned>, StoreError> {
        let lead = self.lead(now).await?;
        let has_vault = self.read_vault(|_| Ok(())).await?.is_some();
        let mut pruned = Vec::new();
        for rule in RULES.iter().filter(|rule| if rule.file == File::State { lead != Lead::Follows } else { has_vault }) {
            let deleted = self.prune_table(rule, lead, now).await?;
            if deleted > 0 {
                pruned.push(Pruned { table: rule.table, deleted });
            }
        }
        Ok(pruned)
    }

    /// What is due is counted beside the writer, and then the writer looks no further than it has to: with nothing left to
    /// find it would hold everybody up for as long as reading the whole table takes.
    async fn prune_table(&self, rule: &'static Rule, lead: Lead, now: Timestamp) -> Result<usize, StoreError> {
        let mut deleted = 0;
        loop {
            let n_due = match rule.file {
                File::State => self.read(move |tx| count_due(tx, rule, now)).await?,
                File::Vault => self.read_vault(move |tx| count_due(tx, rule, now)).await?.unwrap_or(0),
            };
            if n_due == 0 {
                return Ok(deleted);
            }
            let batch = match rule.file {
                File::State => self.shared().write_leading(lead, move |tx| prune_batch(tx, rule, now, n_due)).await?,
                File::Vault => self.write_vault(move |tx| prune_batch(tx, rule, now, n_due)).await?,
            };
            deleted += batch;
            if batch == 0 {
                return Ok(deleted);
            }
        }
    }
}

fn mark(tx: &mut dyn Tx, rollup: &'static str, horizon: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO rollup_mark (rollup, horizon, updated_at) VALUES ($1, $2, $3) \
        ON CONFLICT (rollup) DO UPDATE SET horizon = excluded.horizon, updated_at = excluded.updated_at";
    tx.execute(sql, &[Value::Text(rollup), horizon.encode(), now.encode()]).map(|_| ())
}

/// Which rows go: a condition, and the value it compares with.
struct Due {
    condition: String,
    limit: Limit,
}

enum Limit {
    Day(String),
    Moment(Timestamp),
    Count(i64),
}

impl Limit {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Day(day) => Value::Text(day),
            Self::Moment(moment) => moment.encode(),
            Self::Count(n) => Value::Int(*n),
        }
    }
}

/// Returns which rows of a table go now; `None` if none do.
fn due(tx: &mut dyn Tx, rule: &Rule, now: Timestamp) -> Result<Option<Due>, StoreError> {
    let before = |days: i64| now.plus_millis(-days.saturating_mul(DAY_MS));
    let older = |column: &str, limit: Limit| Due { condition: format!("{column} < $1"), limit };
    Ok(match &rule.keep {
        Keep::All => None,
        Keep::Days { column, days } => Some(older(column, Limit::Day(before(*days).day()))),
        Keep::MsDays { column, days } => Some(older(column, Limit::Moment(before(*days)))),
        Keep::Until { column } => Some(Due { condition: format!("{column} <= $1"), limit: Limit::Moment(now) }),
        Keep::RolledUp { column, days, rollup } => {
            let horizon = tx.value::<Timestamp>("SELECT horizon FROM rollup_mark WHERE rollup = $1", &[Value::Text(rollup)])?;
            horizon.map(|horizon| older(column, Limit::Moment(before(*days).min(horizon))))
        }
        Keep::Last { n, by, newest } => {
            let (table, key) = (rule.table, format!("{by}, {newest}"));
            let condition = format!(
                "({key}) IN (SELECT {key} FROM (SELECT {key}, row_number() OVER (PARTITION BY {by} ORDER BY {newest} DESC) AS place \
                 FROM {table}) AS ranked WHERE place > $1)"
            );
            Some(Due { condition, limit: Limit::Count(*n) })
        }
    })
}

/// Returns how many rows of a table go now, counted up to one batch.
fn count_due(tx: &mut dyn Tx, rule: &Rule, now: Timestamp) -> Result<i64, StoreError> {
    let Some(due) = due(tx, rule, now)? else { return Ok(0) };
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT {BATCH_ROWS}) AS due", rule.table, due.condition);
    Ok(tx.value(&sql, &[due.limit.value()])?.unwrap_or(0))
}

/// Deletes at most so many rows by key, and returns how many went.
fn prune_batch(tx: &mut dyn Tx, rule: &Rule, now: Timestamp, n_most: i64) -> Result<usize, StoreError> {
    let Some(due) = due(tx, rule, now)? else { return Ok(0) };
    let (table, key) = (rule.table, key_of(rule.table));
    let chosen = format!("SELECT {key} FROM {table} WHERE {} LIMIT $2", due.condition);
    let sql = format!("DELETE FROM {table} WHERE ({key}) IN ({chosen}) RETURNING 1");
    let mut deleted = 0;
    tx.query(&sql, &[due.limit.value(), Value::Int(n_most)], &mut |_| {
        deleted += 1;
        Ok(())
    })?;
    Ok(deleted)
}

fn key_of(table: &str) -> &'static str {
    crate::rows::retention::KEYS.iter().find(|(name, _)| *name == table).map_or("rowid", |(_, key)| key)
}

#[cfg(test)]
mod tests;
