//! What became of calls and runs: a claim comes in, is judged, parted among the models that did the work, and kept.
//!
//! Works on the store alone; a node that runs on it, here or elsewhere, hears of it by the number that the store counts.
//! What the claims add up to is `evidence`'s business.

use vox_api::{Credited, OutcomePosted, PostOutcome};
use vox_base::{Coded, KeyId, Kind, Timestamp};
use vox_route::Contract;
use vox_route::outcome::{Channel, Claim, Doubt, Judged, OutcomeRules, Source, shares};
use vox_store::rows::routing::{OutcomeRow, PenaltyRow};
use vox_store::{Credit, NewOutcome, Store, Unit};

/// Who posts an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poster {
    /// The holder of the node's own token.
    Admin,
    /// Somebody at a terminal.
    Person,
    /// The holder of a caller key, who speaks only of that key's calls.
    Caller {
        /// The key.
        key_id: KeyId,
        /// Whether the key was made for a governed run.
        of_run: bool,
    },
}

impl Poster {
    const fn channel(&self) -> Channel {
        match self {
            Self::Admin => Channel::Admin,
            Self::Person => Channel::Person,
            Self::Caller { of_run: true, .. } => Channel::Run,
            Self::Caller { of_run: false, .. } => Channel::Caller,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Admin => "admin".to_owned(),
            Self::Person => "person".to_owned(),
            Self::Caller { key_id, .. } => key_id.to_string(),
        }
    }
}

/// What posting needs beside the store.
pub struct Intake<'a> {
    /// The store.
    pub store: &'a Store,
    /// Whose word counts.
    pub rules: &'a OutcomeRules,
    /// When giving up sets a model back.
    pub contract: &'a Contract,
    /// Random bytes for ids.
    pub random: &'a (dyn Fn() -> [u8; 10] + Sync),
    /// The present moment.
    pub now: Timestamp,
}

const MAX_KEY_CHARS: usize = 128;
const MAX_RUN_CHARS: usize = 64;
const MAX_COMMENT_BYTES: usize = 4096;

/// Takes an outcome in.
///
/// # Errors
/// The poster may not speak for the source or of the unit, the outcome has not the form it must have, there is no such
/// unit, or the store cannot be written.
pub async fn post(intake: &Intake<'_>, poster: &Poster, post: &PostOutcome, comment: Option<String>) -> Result<OutcomePosted, Coded> {
    let claim = claim(post)?;
    let judged = intake.rules.judge(poster.channel(), &claim)?;
    check_lengths(post, comment.as_deref())?;
    let unit = unit(post)?;
    let credits = credits(intake.store, &unit, poster).await?;
    let rows = rows(intake, poster, post, &unit, &credits, (&claim, &judged), comment);
    if rows.is_empty() {
        let (kind, id) = unit.key();
        return Err(invalid(if kind == "run" { "run_id" } else { "interaction_id" }, format!("no model answered {kind} {id}")));
    }
    let penalties = penalties(intake, &rows, &judged);
    let new = NewOutcome { rows, penalties, precedence: intake.rules.precedence() };
    let posted = intake.store.post_outcome(new).await?;
    Ok(receipt(&posted.rows, intake.contract))
}

fn invalid(field: &str, message: impl Into<String>) -> Coded {
    Coded::new(Kind::Usage, "route.outcome_invalid", message).at(field)
}

fn claim(post: &PostOutcome) -> Result<Claim, Coded> {
    let names = || Source::ALL.map(Source::as_str).join(", ");
    let unknown = || invalid("source", format!("no source is called `{}`", post.source)).expected(format!("one of {}", names()));
    let source = Source::from_name(&post.source).ok_or_else(unknown)?;
    let doubt = match post.decision.as_deref() {
        None => None,
        Some(name) => Some(
            Doubt::from_name(name)
                .ok_or_else(|| invalid("decision", format!("`{name}` is no decision")).expected("answer, ask, abstain or disambiguate"))?,
        ),
    };
    Ok(Claim { source, success: post.success, score_ppm: post.score_ppm, confidence_ppm: post.confidence_ppm, doubt })
}

fn check_lengths(post: &PostOutcome, comment: Option<&str>) -> Result<(), Coded> {
    if post.idempotency_key.is_empty() || post.idempotency_key.chars().count() > MAX_KEY_CHARS {
        return Err(invalid("idempotency_key", "has not the right length").expected("1 to 128 characters"));
    }
    if comment.is_some_and(|comment| comment.len() > MAX_COMMENT_BYTES) {
        return Err(invalid("comment", "is too long").expected("at most 4096 bytes"));
    }
    Ok(())
}

fn unit(post: &PostOutcome) -> Result<Unit, Coded> {
    match (post.interaction_id, &post.run_id) {
        (Some(id), None) => Ok(Unit::Call(id)),
        (None, Some(run)) if (1..=MAX_RUN_CHARS).contains(&run.chars().count()) => Ok(Unit::Run(run.clone())),
        (None, Some(_)) => Err(invalid("run_id", "has not the right length").expected("1 to 64 characters")),
        _ => Err(invalid("interaction_id", "an outcome is about one thing").expected("either `interaction_id` or `run_id`")),
    }
}

/// Returns who had a part in the unit. To a caller, what is not its own is as if it were not there.
async fn credits(store: &Store, unit: &Unit, poster: &Poster) -> Result<Vec<Credit>, Coded> {
    // A call that was answered a moment ago may not be written yet.
    store.flush().await?;
    let credits = store.credits(unit.clone()).await?;
    let (kind, id) = unit.key();
    match poster {
        Poster::Caller { key_id, .. } if credits.is_empty() || credits.iter().any(|credit| credit.caller != Some(*key_id)) => {
            Err(Coded::new(Kind::Refused, "route.outcome_rejected", format!("{kind} {id} is none of this key's"))
                .next("send the `x-vox-interaction` of an answer that this key got"))
        }
        _ if credits.is_empty() => {
            Err(Coded::new(Kind::Failed, "gateway.trace_unknown", format!("no {kind} {id} is stored")).next("vox trace last"))
        }
        _ => Ok(credits),
    }
}

fn rows(
    intake: &Intake<'_>,
    poster: &Poster,
    post: &PostOutcome,
    unit: &Unit,
    credits: &[Credit],
    (claim, judged): (&Claim, &Judged),
    comment: Option<String>,
) -> Vec<OutcomeRow> {
    let answered: Vec<&Credit> = credits.iter().filter(|credit| credit.provider_canonical.is_some() && credit.model.is_some()).collect();
    let parts: Vec<u64> = answered.iter().map(|credit| u64::try_from(credit.output_tokens).unwrap_or(0)).collect();
    let (unit_kind, unit_id) = unit.key();
    let row = |(part, (credit, share)): (usize, (&&Credit, u32))| OutcomeRow {
        outcome_id: vox_base::Id::new(intake.now, (intake.random)()),
        version: 1,
        posted_by: poster.name().into(),
        idempotency_key: post.idempotency_key.clone().into(),
        part: i64::try_from(part).unwrap_or(i64::MAX),
        unit_kind: unit_kind.into(),
        unit_id: unit_id.clone().into(),
        interaction_id: if let Unit::Call(id) = unit { Some(*id) } else { None },
        provider_canonical: credit.provider_canonical.clone().unwrap_or_default().into(),
        model: credit.model.clone().unwrap_or_default().into(),
        task: credit.task.clone().unwrap_or_default().into(),
        caller_ref: credit.caller.map(|key| key.to_string().into()),
        source: claim.source.as_str().into(),
        success: judged.success,
        score_ppm: claim.score_ppm.map(i64::from),
        weight_ppm: i64::from(judged.weight_ppm),
        share_ppm: i64::from(share),
        confidence_ppm: claim.confidence_ppm.map(i64::from),
        decision: claim.doubt.map(|doubt| doubt.as_str().into()),
        evidence_ref: post.evidence_ref.clone().map(Into::into),
        comment: comment.clone().map(Into::into),
        superseded_by: None,
        observed_at: intake.now,
    };
    answered.iter().zip(shares(&parts)).enumerate().map(row).collect()
}

/// A model that gave up without confidence is set back on that task; again, and the time begins anew.
fn penalties(intake: &Intake<'_>, rows: &[OutcomeRow], judged: &Judged) -> Vec<PenaltyRow> {
    let Some(confidence) = judged.gave_up_at_ppm else { return Vec::new() };
    let Some(until_at) = intake.contract.penalty_until(confidence, intake.now) else { return Vec::new() };
    let row = |outcome: &OutcomeRow| PenaltyRow {
        penalty_id: outcome.outcome_id.cast(),
        provider_canonical: outcome.provider_canonical.clone(),
        model: outcome.model.clone(),
        task: outcome.task.clone(),
        cause: "abstain".into(),
        confidence_ppm: Some(i64::from(confidence)),
        interaction_id: outcome.interaction_id,
        from_at: intake.now,
        until_at,
        cleared_by: None,
        cleared_at: None,
    };
    rows.iter().map(row).collect()
}

/// Says what was written, from the rows alone, so that the same key gets the same answer.
fn receipt(rows: &[OutcomeRow], contract: &Contract) -> OutcomePosted {
    let first = &rows[0];
    let gave_up = first.source == Source::Socrates.as_str() && first.decision.as_deref() == Some(Doubt::Abstain.as_str());
    let confidence = first.confidence_ppm.and_then(|ppm| u32::try_from(ppm).ok()).unwrap_or(0);
    let credit = |row: &OutcomeRow| Credited {
        provider: row.provider_canonical.to_string(),
        model: row.model.to_string(),
        task: row.task.to_string(),
        share_ppm: row.share_ppm,
    };
    OutcomePosted {
        outcome_id: first.outcome_id.to_string(),
        unit_kind: first.unit_kind.to_string(),
        unit_id: first.unit_id.to_string(),
        source: first.source.to_string(),
        success: first.success,
        weight_ppm: first.weight_ppm,
        credits: rows.iter().map(credit).collect(),
        observed_at: first.observed_at.to_string(),
        penalised_until: contract.penalty_until(confidence, first.observed_at).filter(|_| gave_up).map(|until| until.to_string()),
    }
}

#[cfg(test)]
mod tests;
