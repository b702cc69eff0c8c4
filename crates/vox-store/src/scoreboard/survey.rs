//! Reading everything a scoreboard is measured from, once and in order of its keys.
//!
//! A page is one short transaction, so that neither a log nor dead rows pile up behind a long one and no statement runs
//! into its time limit. What is written between two pages may be in or out; nothing is in twice.

use super::tally::{Call, Outcome, Page, Rings, Tallies, know};
use super::{Grain, Measurements, Span, failures};
use crate::row::{Encode as _, Row, Value, column};
use crate::tx::Tx;
use crate::{Store, StoreError};
use std::sync::Arc;
use vox_base::{InteractionId, Timestamp};

/// Rows read at once: some milliseconds of work.
const PAGE_ROWS: usize = 4096;

/// Everything measured of some windows of days that end at one moment.
#[derive(Debug, Clone)]
pub struct Survey {
    until: Timestamp,
    tallies: Arc<Tallies>,
}

impl Survey {
    /// Returns the lines of one of its windows.
    ///
    /// # Errors
    /// The process is ending.
    pub async fn lines(&self, grain: Grain, days: i64) -> Result<Measurements, StoreError> {
        let (tallies, span) = (self.tallies.clone(), Span::days(days, self.until));
        off(move || tallies.lines(grain, span.after)).await
    }
}

impl Store {
    /// Reads all calls and outcomes of the longest of these windows once; the lines of each follow from that.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn survey(&self, days: &[i64], until: Timestamp) -> Result<Survey, StoreError> {
        let spans: Vec<Span> = days.iter().map(|days| Span::days(*days, until)).collect();
        Ok(Survey { until, tallies: Arc::new(self.tallies(&spans, PAGE_ROWS).await?) })
    }

    /// Measures all calls and outcomes of a stretch of time.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn measure(&self, grain: Grain, span: Span) -> Result<Measurements, StoreError> {
        let tallies = self.tallies(&[span], PAGE_ROWS).await?;
        off(move || tallies.lines(grain, span.after)).await
    }

    /// Reads spans that end at the same moment, so many rows at once.
    async fn tallies(&self, spans: &[Span], page_rows: usize) -> Result<Tallies, StoreError> {
        let Some(longest) = spans.iter().min_by_key(|span| span.after).copied() else {
            return Ok(Tallies::new(Rings::new(Vec::new(), Timestamp::from_millis(0))));
        };
        let rings = Rings::new(spans.iter().map(|span| span.after).collect(), longest.until);
        let mut tallies = Tallies::new(rings.clone());
        let mut next = Some((longest.first_id(), true));
        while let Some(from) = next {
            let of = rings.clone();
            let (page, last) = self.read(move |tx| calls(tx, from, (longest.last_id(), page_rows), &of)).await?;
            (tallies, next) = (absorbed(tallies, page).await?, last.map(|last| (last, false)));
        }
        let mut next = Some(String::new());
        while let Some(from) = next {
            let of = rings.clone();
            let (page, last) = self.read(move |tx| outcomes(tx, (&from, page_rows), longest, &of)).await?;
            (tallies, next) = (absorbed(tallies, page).await?, last);
        }
        Ok(tallies)
    }
}

async fn absorbed(mut tallies: Tallies, page: Page) -> Result<Tallies, StoreError> {
    off(move || {
        tallies.absorb(&page);
        tallies
    })
    .await
}

/// Counts where it keeps no call waiting.
async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Io(error.to_string()))
}

/// The text of a column, empty where there is none.
fn text<'r>(row: &'r dyn Row, at: usize, name: &'static str) -> Result<&'r str, StoreError> {
    match row.value(at)? {
        Value::Text(text) => Ok(text),
        Value::Null => Ok(""),
        _ => Err(StoreError::Damaged { column: name.to_owned() }),
    }
}

/// Reads a page of calls from an id on (the flag says whether it belongs to the page itself) with the failures among their
/// attempts, and returns the last id unless there is nothing behind it.
fn calls(
    tx: &mut dyn Tx,
    (from, is_in): (InteractionId, bool),
    (until, page_rows): (InteractionId, usize),
    rings: &Rings,
) -> Result<(Page, Option<InteractionId>), StoreError> {
    let (mut page, mut n_rows, mut ends) = (Page::default(), 0, None);
    let sql = format!(
        "SELECT interaction_id, created_at, provider_canonical, model, task_category, cast(key_id AS text), provider, outcome, \
         cost_nano_usd, cache_savings_nano_usd, output_tokens, latency_ms, ttft_ms, context_utilization_bp FROM llm_interactions \
         WHERE interaction_id {} $1 AND interaction_id <= $2 ORDER BY interaction_id LIMIT {page_rows}",
        if is_in { ">=" } else { ">" }
    );
    tx.query(&sql, &[from.encode(), until.encode()], &mut |row| {
        let id: InteractionId = column(row, 0, "llm_interactions.interaction_id")?;
        n_rows += 1;
        ends = Some((ends.map_or(id, |(first, _)| first), id));
        read_call(&mut page, row, rings)
    })?;
    let Some((first, last)) = ends else { return Ok((page, None)) };
    failed(tx, &mut page, (first, last), rings)?;
    Ok((page, (n_rows == page_rows).then_some(last)))
}

fn read_call(page: &mut Page, row: &dyn Row, rings: &Rings) -> Result<(), StoreError> {
    let Some(ring) = rings.of(column(row, 1, "llm_interactions.created_at")?) else { return Ok(()) };
    if row.value(2)? == Value::Null {
        return Ok(());
    }
    let canonical = text(row, 2, "llm_interactions.provider_canonical")?;
    let model = text(row, 3, "llm_interactions.model")?;
    let task = text(row, 4, "llm_interactions.task_category")?;
    let caller = text(row, 5, "llm_interactions.key_id")?;
    if row.value(6)? != Value::Null {
        know(page.canonical.entry(ring).or_default(), text(row, 6, "llm_interactions.provider")?, canonical);
    }
    let call = Call {
        line: page.names.number([canonical, model, task, caller]),
        ring,
        was_answered: matches!(text(row, 7, "llm_interactions.outcome")?, "complete" | "truncated" | "refused"),
        cost: column(row, 8, "llm_interactions.cost_nano_usd")?,
        cache_savings: column(row, 9, "llm_interactions.cache_savings_nano_usd")?,
        output_tokens: column(row, 10, "llm_interactions.output_tokens")?,
        latency_ms: column(row, 11, "llm_interactions.latency_ms")?,
        ttft_ms: column(row, 12, "llm_interactions.ttft_ms")?,
        context_utilization_bp: column(row, 13, "llm_interactions.context_utilization_bp")?,
    };
    page.calls.push(call);
    Ok(())
}

/// Reads the failed attempts of a page's calls: a call that another provider saved is a failure of the first one. An
/// attempt names its provider's entry; statistics know it by the calls it answered, or by the same name.
fn failed(tx: &mut dyn Tx, page: &mut Page, (first, last): (InteractionId, InteractionId), rings: &Rings) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT call.created_at, attempt.provider, attempt.model, call.task_category, cast(call.key_id AS text) \
         FROM llm_attempts AS attempt JOIN llm_interactions AS call ON call.interaction_id = attempt.interaction_id \
         WHERE attempt.interaction_id >= $1 AND attempt.interaction_id <= $2 AND attempt.error_class IN ({})",
        failures()
    );
    tx.query(&sql, &[first.encode(), last.encode()], &mut |row| {
        if let Some(ring) = rings.of(column(row, 0, "llm_interactions.created_at")?) {
            let names = [
                text(row, 1, "llm_attempts.provider")?,
                text(row, 2, "llm_attempts.model")?,
                text(row, 3, "llm_interactions.task_category")?,
                text(row, 4, "llm_interactions.key_id")?,
            ];
            let line = page.names.number(names);
            page.failures.push((line, ring));
        }
        Ok(())
    })
}

/// Reads the outcomes that count of the next units, each with the weight of its source and its share of the unit, and
/// returns the last unit unless there is nothing behind it. All outcomes of a unit are in one page, so that one which
/// supersedes another meanwhile is never counted beside it.
fn outcomes(tx: &mut dyn Tx, (from, page_rows): (&str, usize), span: Span, rings: &Rings) -> Result<(Page, Option<String>), StoreError> {
    let ahead = format!("SELECT unit_id FROM model_outcomes WHERE unit_id > $1 ORDER BY unit_id LIMIT 1 OFFSET {}", page_rows - 1);
    let last: Option<String> = tx.value(&ahead, &[Value::Text(from)])?;
    let counting = "SELECT unit_kind, unit_id, observed_at, provider_canonical, model, task, caller_ref, success, \
        weight_ppm * share_ppm / 1000000 FROM model_outcomes WHERE superseded_by IS NULL AND weight_ppm > 0 AND success IS NOT NULL \
        AND observed_at > $1 AND observed_at <= $2 AND unit_id > $3";
    let order = "ORDER BY unit_id, unit_kind";
    let mut values = vec![span.after.encode(), span.until.encode(), Value::Text(from)];
    let sql = match &last {
        Some(last) => {
            values.push(Value::Text(last));
            format!("{counting} AND unit_id <= $4 {order}")
        }
        None => format!("{counting} {order}"),
    };
    let (mut page, mut unit, mut n_units) = (Page::default(), (String::new(), String::new()), 0);
    tx.query(&sql, &values, &mut |row| {
        let (kind, id) = (text(row, 0, "model_outcomes.unit_kind")?, text(row, 1, "model_outcomes.unit_id")?);
        if (unit.0.as_str(), unit.1.as_str()) != (kind, id) {
            unit = (kind.to_owned(), id.to_owned());
            n_units += 1;
        }
        if let Some(ring) = rings.of(column(row, 2, "model_outcomes.observed_at")?) {
            let names = [
                text(row, 3, "model_outcomes.provider_canonical")?,
                text(row, 4, "model_outcomes.model")?,
                text(row, 5, "model_outcomes.task")?,
                text(row, 6, "model_outcomes.caller_ref")?,
            ];
            let outcome = Outcome {
                unit: n_units,
                line: page.names.number(names),
                ring,
                success: column(row, 7, "model_outcomes.success")?,
                weight_ppm: column(row, 8, "model_outcomes.weight_ppm")?,
            };
            page.outcomes.push(outcome);
        }
        Ok(())
    })?;
    Ok((page, last))
}

#[cfg(test)]
mod tests;
