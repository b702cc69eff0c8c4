//! What was used and what it cost: days behind the mark from their sums, the rest from the calls themselves.
//!
//! A total never depends on whether the calls behind it are still there. An unknown cost is counted, not added.

use crate::row::{Encode as _, Value, column};
use crate::rows::gateway::Interaction;
use crate::tx::Tx;
use crate::{Store, StoreError, calls};
use std::collections::BTreeMap;
use vox_base::{InteractionId, KeyId, NanoUsd, Timestamp};

/// What a line of the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Caller key.
    Key,
    /// Model.
    Model,
    /// Provider, as statistics name it.
    Provider,
    /// UTC day on which the call began.
    Day,
    /// Session; only calls that are still stored.
    Session,
    /// Governed run; only calls that are still stored.
    Run,
    /// Kind of task.
    Task,
}

/// Which calls are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQuery {
    /// What a line is about.
    pub by: By,
    /// The UTC day of this moment and later ones.
    pub since: Option<Timestamp>,
    /// Days before this moment; its own day counts unless it is the day's first moment.
    pub until: Option<Timestamp>,
    /// Calls of this key only.
    pub key: Option<KeyId>,
}

/// Sums over calls. `None` where no call had a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls.
    pub calls: i64,
    /// Calls that did not end in an answer.
    pub errors: i64,
    /// Calls whose cost is unknown, and so not in the cost.
    pub unpriced_calls: i64,
    /// Calls without any token count.
    pub unmetered_calls: i64,
    /// Input tokens that no cache served or stored.
    pub input_tokens: Option<i64>,
    /// Input tokens read from a prompt cache.
    pub cache_read_tokens: Option<i64>,
    /// Input tokens written to a prompt cache.
    pub cache_write_tokens: Option<i64>,
    /// Output tokens without reasoning.
    pub output_tokens: Option<i64>,
    /// Reasoning tokens.
    pub reasoning_tokens: Option<i64>,
    /// What the priced calls cost.
    pub cost: Option<NanoUsd>,
    /// What prompt caches saved.
    pub cache_savings: Option<NanoUsd>,
}

/// One group and its sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLine {
    /// The group; `None` for calls where it is unknown.
    pub group: Option<String>,
    /// Its sums.
    pub totals: Totals,
}

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageReport {
    /// One line per group, in its order.
    pub lines: Vec<UsageLine>,
    /// All lines together.
    pub total: Totals,
    /// Calls that are held, whenever they were made; not in the lines.
    pub held_calls: i64,
    /// What they count for.
    pub held: NanoUsd,
}

pub(crate) const ROLLUP: &str = "usage_daily";

const DAY_MS: i64 = 86_400_000;

/// The sums of calls, in the order of [`Totals`]; the same columns are summed of days.
const SUMS: &str = "count(*), \
    cast(sum(CASE WHEN outcome IN ('complete', 'truncated', 'refused', 'client_cancelled') THEN 0 ELSE 1 END) AS bigint), \
    cast(sum(CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END) AS bigint), \
    cast(sum(CASE WHEN coalesce(input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, \
        reasoning_tokens) IS NULL THEN 1 ELSE 0 END) AS bigint), \
    cast(sum(input_tokens) AS bigint), cast(sum(cache_read_tokens) AS bigint), \
    cast(sum(CASE WHEN cache_write_5m_tokens IS NULL AND cache_write_1h_tokens IS NULL THEN NULL \
        ELSE coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0) END) AS bigint), \
    cast(sum(output_tokens) AS bigint), cast(sum(reasoning_tokens) AS bigint), \
    cast(sum(cost_nano_usd) AS bigint), cast(sum(cache_savings_nano_usd) AS bigint)";

const SUMS_OF_DAYS: &str = "cast(sum(calls) AS bigint), cast(sum(errors) AS bigint), cast(sum(unpriced_calls) AS bigint), \
    cast(sum(unmetered_calls) AS bigint), cast(sum(input_tokens) AS bigint), cast(sum(cache_read_tokens) AS bigint), \
    cast(sum(cache_write_tokens) AS bigint), cast(sum(output_tokens) AS bigint), cast(sum(reasoning_tokens) AS bigint), \
    cast(sum(cost_nano_usd) AS bigint), cast(sum(cache_savings_nano_usd) AS bigint)";

const ADD_DAY: &str = "INSERT INTO usage_daily (day, key_id, provider_canonical, model, task_category, cost_source, calls, errors, \
    unpriced_calls, unmetered_calls, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, \
    cost_nano_usd, cache_savings_nano_usd) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
    ON CONFLICT (day, key_id, provider_canonical, model, task_category, cost_source) DO UPDATE SET \
    calls = usage_daily.calls + excluded.calls, errors = usage_daily.errors + excluded.errors, \
    unpriced_calls = usage_daily.unpriced_calls + excluded.unpriced_calls, \
    unmetered_calls = usage_daily.unmetered_calls + excluded.unmetered_calls, \
    input_tokens = coalesce(usage_daily.input_tokens + excluded.input_tokens, usage_daily.input_tokens, excluded.input_tokens), \
    cache_read_tokens = coalesce(usage_daily.cache_read_tokens + excluded.cache_read_tokens, usage_daily.cache_read_tokens, \
        excluded.cache_read_tokens), \
    cache_write_tokens = coalesce(usage_daily.cache_write_tokens + excluded.cache_write_tokens, usage_daily.cache_write_tokens, \
        excluded.cache_write_tokens), \
    output_tokens = coalesce(usage_daily.output_tokens + excluded.output_tokens, usage_daily.output_tokens, excluded.output_tokens), \
    reasoning_tokens = coalesce(usage_daily.reasoning_tokens + excluded.reasoning_tokens, usage_daily.reasoning_tokens, \
        excluded.reasoning_tokens), \
    cost_nano_usd = coalesce(usage_daily.cost_nano_usd + excluded.cost_nano_usd, usage_daily.cost_nano_usd, excluded.cost_nano_usd), \
    cache_savings_nano_usd = coalesce(usage_daily.cache_savings_nano_usd + excluded.cache_savings_nano_usd, \
        usage_daily.cache_savings_nano_usd, excluded.cache_savings_nano_usd)";

const GROUP: &str = "created_at / 86400000 AS day_number, coalesce(cast(key_id AS text), '') AS g_key, coalesce(provider_canonical, '') AS g_provider, \
    coalesce(model, '') AS g_model, coalesce(task_category, '') AS g_task, cost_source";

/// Sums the calls between two marks into their days.
pub(crate) fn roll_up(tx: &mut dyn Tx, from: Timestamp, to: Timestamp) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {GROUP}, {SUMS} FROM llm_interactions WHERE created_at >= $1 AND created_at < $2 AND interaction_id >= $3 \
         GROUP BY day_number, g_key, g_provider, g_model, g_task, cost_source"
    );
    add_days(tx, &sql, &[from.encode(), to.encode(), first_id(from).encode()])
}

/// Adds calls that were written when their day had been summed already.
pub(crate) fn roll_up_late(tx: &mut dyn Tx, calls: &[&Interaction]) -> Result<(), StoreError> {
    if calls.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (1..=calls.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT {GROUP}, {SUMS} FROM llm_interactions WHERE interaction_id IN ({}) \
         GROUP BY day_number, g_key, g_provider, g_model, g_task, cost_source",
        places.join(", ")
    );
    let ids: Vec<Value<'_>> = calls.iter().map(|call| call.interaction_id.encode()).collect();
    add_days(tx, &sql, &ids)
}

struct Day {
    number: i64,
    names: [String; 5],
    totals: Totals,
}

fn add_days(tx: &mut dyn Tx, select: &str, values: &[Value<'_>]) -> Result<(), StoreError> {
    let mut days = Vec::new();
    tx.query(select, values, &mut |row| {
        let mut names: [String; 5] = Default::default();
        for (at, name) in names.iter_mut().enumerate() {
            *name = column(row, at + 1, "usage_daily")?;
        }
        days.push(Day { number: column(row, 0, "created_at")?, names, totals: Totals::from_row(row, 6)? });
        Ok(())
    })?;
    // In the order of their keys, so that two who add to the same days never wait for each other.
    days.sort_unstable_by(|one, other| (one.number, &one.names).cmp(&(other.number, &other.names)));
    days.iter().try_for_each(|day| add_day(tx, day))
}

fn add_day(tx: &mut dyn Tx, day: &Day) -> Result<(), StoreError> {
    let date = Timestamp::from_millis(day.number * DAY_MS).day();
    let totals = &day.totals;
    let mut values = vec![Value::Text(&date)];
    values.extend(day.names.iter().map(|name| Value::Text(name)));
    values.extend([totals.calls, totals.errors, totals.unpriced_calls, totals.unmetered_calls].map(Value::Int));
    let tokens =
        [&totals.input_tokens, &totals.cache_read_tokens, &totals.cache_write_tokens, &totals.output_tokens, &totals.reasoning_tokens];
    values.extend(tokens.map(|tokens| tokens.encode()));
    values.extend([totals.cost.encode(), totals.cache_savings.encode()]);
    tx.run(ADD_DAY, &values)
}

/// Returns an id below that of every call of this moment or later: a call's id is at most a day older than its time.
fn first_id(moment: Timestamp) -> InteractionId {
    if moment.millis() < 2 * DAY_MS {
        return InteractionId::from_bytes([0; 16]);
    }
    InteractionId::new(moment.plus_millis(-DAY_MS), [0; 10])
}

impl Store {
    /// Returns what was used.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn usage(&self, query: UsageQuery) -> Result<UsageReport, StoreError> {
        self.read(move |tx| {
            let since = query.since.map_or(Timestamp::from_millis(0), Timestamp::start_of_day);
            let until = query.until.map_or(Timestamp::from_millis(i64::MAX), |until| until.plus_millis(DAY_MS - 1).start_of_day());
            let mut groups = BTreeMap::new();
            let stored_only = matches!(query.by, By::Session | By::Run);
            let horizon = if stored_only { since } else { calls::horizons(tx, &[])?.usage };
            if !stored_only {
                read_days(tx, query, since, until.min(horizon), &mut groups)?;
            }
            read_calls(tx, query, since.max(horizon), until, &mut groups)?;
            report(tx, groups)
        })
        .await
    }
}

type Groups = BTreeMap<Option<String>, Totals>;

fn report(tx: &mut dyn Tx, groups: Groups) -> Result<UsageReport, StoreError> {
    let mut report = UsageReport::default();
    for (group, totals) in groups {
        report.total.add(&totals);
        report.lines.push(UsageLine { group, totals });
    }
    let held = "SELECT count(*), cast(coalesce(sum(amount_nano_usd), 0) AS bigint) FROM reservations WHERE state = 'held'";
    tx.query(held, &[], &mut |row| {
        report.held_calls = column(row, 0, "count")?;
        report.held = column(row, 1, "sum")?;
        Ok(())
    })?;
    Ok(report)
}

fn read_days(tx: &mut dyn Tx, query: UsageQuery, since: Timestamp, until: Timestamp, groups: &mut Groups) -> Result<(), StoreError> {
    if until <= since {
        return Ok(());
    }
    let group = match query.by {
        By::Key => "key_id",
        By::Model => "model",
        By::Provider => "provider_canonical",
        By::Task => "task_category",
        By::Day | By::Session | By::Run => "day",
    };
    let sql = format!(
        "SELECT {group}, {SUMS_OF_DAYS} FROM usage_daily WHERE day >= $1 AND day < $2 AND ($3 = '' OR key_id = $3) GROUP BY {group}"
    );
    let key = query.key.map_or_else(String::new, |key| key.to_string());
    let (first, end) = (since.day(), until.day());
    tx.query(&sql, &[Value::Text(&first), Value::Text(&end), Value::Text(&key)], &mut |row| {
        let name: String = column(row, 0, "usage_daily")?;
        groups.entry(Some(name).filter(|name| !name.is_empty())).or_default().add(&Totals::from_row(row, 1)?);
        Ok(())
    })
}

fn read_calls(tx: &mut dyn Tx, query: UsageQuery, since: Timestamp, until: Timestamp, groups: &mut Groups) -> Result<(), StoreError> {
    let group = match query.by {
        By::Key => "key_id",
        By::Model => "model",
        By::Provider => "provider_canonical",
        By::Task => "task_category",
        By::Session => "session_id",
        By::Run => "run_id",
        By::Day => "created_at / 86400000",
    };
    let of_key = if query.key.is_some() { " AND key_id = $4" } else { "" };
    let sql = format!(
        "SELECT {group} AS name, {SUMS} FROM llm_interactions \
         WHERE created_at >= $1 AND created_at < $2 AND interaction_id >= $3{of_key} GROUP BY name"
    );
    let first = first_id(since);
    tx.query(&sql, &[since.encode(), until.encode(), first.encode(), query.key.encode()], &mut |row| {
        let name = match row.value(0)? {
            Value::Int(day_number) => Some(Timestamp::from_millis(day_number * DAY_MS).day()),
            _ => column(row, 0, "llm_interactions")?,
        };
        groups.entry(name).or_default().add(&Totals::from_row(row, 1)?);
        Ok(())
    })
}

impl Totals {
    fn from_row(row: &dyn crate::row::Row, first: usize) -> Result<Self, StoreError> {
        Ok(Self {
            calls: column(row, first, "calls")?,
            errors: column(row, first + 1, "errors")?,
            unpriced_calls: column(row, first + 2, "unpriced_calls")?,
            unmetered_calls: column(row, first + 3, "unmetered_calls")?,
            input_tokens: column(row, first + 4, "input_tokens")?,
            cache_read_tokens: column(row, first + 5, "cache_read_tokens")?,
            cache_write_tokens: column(row, first + 6, "cache_write_tokens")?,
            output_tokens: column(row, first + 7, "output_tokens")?,
            reasoning_tokens: column(row, first + 8, "reasoning_tokens")?,
            cost: column(row, first + 9, "cost_nano_usd")?,
            cache_savings: column(row, first + 10, "cache_savings_nano_usd")?,
        })
    }

    /// Adds other sums; what is unknown on both sides stays unknown.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.unpriced_calls += other.unpriced_calls;
        self.unmetered_calls += other.unmetered_calls;
        let tokens = |a: &mut Option<i64>, b: Option<i64>| *a = a.zip(b).map(|(a, b)| a.saturating_add(b)).or(*a).or(b);
        tokens(&mut self.input_tokens, other.input_tokens);
        tokens(&mut self.cache_read_tokens, other.cache_read_tokens);
        tokens(&mut self.cache_write_tokens, other.cache_write_tokens);
        tokens(&mut self.output_tokens, other.output_tokens);
        tokens(&mut self.reasoning_tokens, other.reasoning_tokens);
        let money = |a: &mut Option<NanoUsd>, b: Option<NanoUsd>| *a = a.zip(b).map(|(a, b)| a.saturating_add(b)).or(*a).or(b);
        money(&mut self.cost, other.cost);
        money(&mut self.cache_savings, other.cache_savings);
    }
}

#[cfg(test)]
mod tests;
