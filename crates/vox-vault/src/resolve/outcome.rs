//! Judging the sources: the first usable one wins, and the ones before it decide whether anything wins at all.

use super::chain::{Content, Held, Refused};
use super::{Candidate, CandidateState, Resolution, Source, Status, Warning};
use crate::display::Fingerprint;
use crate::error::ResolveError;
use crate::registry::{Profile, Registry, SecretSpec};
use crate::vault::Current;
use subtle::ConstantTimeEq;
use vox_base::{Secret, Timestamp};

const DAY_MS: i64 = 86_400_000;

/// What is asked, and what is known besides the sources.
pub(super) struct Asked<'a> {
    pub(super) registry: &'a Registry,
    pub(super) spec: &'a SecretSpec,
    pub(super) profile: Profile,
    pub(super) is_required: bool,
    pub(super) now: Timestamp,
    pub(super) fingerprint: Option<&'a dyn Fn(&str) -> Fingerprint>,
}

/// Who won, or what stands in the way.
enum Verdict {
    Winner(usize),
    Stopped(Status, ResolveError),
}

pub(super) fn device_local(spec: &SecretSpec) -> Resolution {
    let value = Err(ResolveError::DeviceLocal(spec.id.clone()));
    Resolution { value, source: None, version: None, status: Status::SourceRefused, candidates: vec![], warnings: vec![] }
}

pub(super) fn judge(asked: &Asked<'_>, mut held: Vec<Held>) -> Resolution {
    match expiry(asked, &held, first_usable(asked, &held)) {
        Verdict::Stopped(status, error) => {
            let (candidates, warnings) = (candidates(asked, &held, None), warnings(asked, &held, None));
            Resolution { value: Err(error), source: None, version: None, status, candidates, warnings }
        }
        Verdict::Winner(at) => {
            let (candidates, warnings) = (candidates(asked, &held, Some(at)), warnings(asked, &held, Some(at)));
            let Held { source, content, .. } = held.swap_remove(at);
            let (value, version) = take(asked, content);
            let status = status_of(&warnings);
            Resolution { value, source: Some(source), version, status, candidates, warnings }
        }
    }
}

fn take(asked: &Asked<'_>, content: Content) -> (Result<Secret<String>, ResolveError>, Option<u64>) {
    match content {
        Content::Value(value) => (Ok(value), None),
        Content::Stored(current) => (Ok(current.value), Some(current.version)),
        Content::Absent | Content::Empty | Content::Locked | Content::Corrupt => (Err(missing(asked)), None),
    }
}

fn missing(asked: &Asked<'_>) -> ResolveError {
    let SecretSpec { id, remediation, .. } = asked.spec;
    ResolveError::Missing { secret_id: id.clone(), env: asked.spec.env_name(), remediation: remediation.clone() }
}

/// Goes down the chain to the first value. An empty value is passed over only in `dev`; a locked or damaged vault is
/// never passed over, because what lies behind it is a different key.
fn first_usable(asked: &Asked<'_>, held: &[Held]) -> Verdict {
    let secret_id = || asked.spec.id.clone();
    for (at, candidate) in held.iter().enumerate().filter(|(_, candidate)| candidate.refused.is_none()) {
        match &candidate.content {
            Content::Value(_) | Content::Stored(_) => return Verdict::Winner(at),
            Content::Empty if asked.profile != Profile::Dev => {
                return Verdict::Stopped(Status::Empty, ResolveError::Empty { secret_id: secret_id(), from: candidate.source.clone() });
            }
            Content::Locked => return Verdict::Stopped(Status::Locked, ResolveError::Locked(secret_id())),
            Content::Corrupt => return Verdict::Stopped(Status::Corrupt, ResolveError::Corrupt(secret_id())),
            Content::Empty | Content::Absent => {}
        }
    }
    nothing_usable(asked, held)
}

fn nothing_usable(asked: &Asked<'_>, held: &[Held]) -> Verdict {
    let secret_id = asked.spec.id.clone();
    let refused = held.iter().find(|candidate| candidate.refused.is_some() && candidate.content.value().is_some());
    if let Some(candidate) = refused {
        let error = match (candidate.refused, &candidate.source) {
            (Some(Refused::Deprecated), Source::Env(name)) => {
                ResolveError::DeprecatedRefused { secret_id, name: name.clone(), canonical: asked.spec.env_name().unwrap_or_default() }
            }
            (_, from) => ResolveError::SourceRefused { secret_id, from: from.clone(), accepted: accepted(asked.profile) },
        };
        return Verdict::Stopped(Status::SourceRefused, error);
    }
    let empty = held.iter().any(|candidate| matches!(candidate.content, Content::Empty) && candidate.refused.is_none());
    let status = match (empty, asked.is_required) {
        (true, _) => Status::Empty,
        (false, true) => Status::MissingRequired,
        (false, false) => Status::MissingOptional,
    };
    Verdict::Stopped(status, missing(asked))
}

const fn accepted(profile: Profile) -> &'static str {
    match profile {
        Profile::Dev => "the vault (`vox secrets set`) or a file in VOX_SECRET_DIR",
        Profile::Ci => "a file in VOX_SECRET_DIR or the vault",
        Profile::Prod => "a file in VOX_SECRET_DIR or the vault (`vox secrets set`)",
    }
}

/// In `prod` a value past its own date is not used.
fn expiry(asked: &Asked<'_>, held: &[Held], verdict: Verdict) -> Verdict {
    let Verdict::Winner(at) = verdict else { return verdict };
    match &held[at].content {
        Content::Stored(Current { expires: Some(expires), .. }) if *expires <= asked.now && asked.profile == Profile::Prod => {
            Verdict::Stopped(Status::Expired, ResolveError::Expired { secret_id: asked.spec.id.clone(), expired: *expires })
        }
        _ => verdict,
    }
}

fn candidates(asked: &Asked<'_>, held: &[Held], winner: Option<usize>) -> Vec<Candidate> {
    let used = winner.and_then(|at| held[at].content.value());
    let candidate = |candidate: &Held| {
        let (state, why) = state(candidate, used);
        let fingerprint = asked.fingerprint.and_then(|fingerprint| candidate.content.value().map(fingerprint));
        Candidate { source: candidate.source.clone(), state, fingerprint, why }
    };
    held.iter().map(candidate).collect()
}

fn state(candidate: &Held, used: Option<&str>) -> (CandidateState, Option<&'static str>) {
    match (&candidate.content, candidate.refused) {
        (Content::Absent, _) => (CandidateState::Absent, None),
        (Content::Empty, _) => (CandidateState::Empty, None),
        (_, Some(Refused::Env)) => (CandidateState::Refused, Some("this profile does not accept the environment")),
        (_, Some(Refused::Deprecated)) => (CandidateState::Refused, Some("a deprecated name")),
        (Content::Locked, None) => (CandidateState::Refused, Some("the vault is locked")),
        (Content::Corrupt, None) => (CandidateState::Refused, Some("the stored bytes are damaged")),
        (content, None) => match (content.value(), used) {
            (Some(value), Some(used)) if !is_same(value, used) => (CandidateState::Shadowed, None),
            _ => (CandidateState::Found, None),
        },
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn warnings(asked: &Asked<'_>, held: &[Held], winner: Option<usize>) -> Vec<Warning> {
    let secret_id = || asked.spec.id.clone();
    let mut warnings = Vec::new();
    let before = winner.unwrap_or(held.len());
    for candidate in held[..before].iter().filter(|candidate| candidate.refused.is_none()) {
        if matches!(candidate.content, Content::Empty) && asked.profile == Profile::Dev {
            warnings.push(Warning::Empty { secret_id: secret_id(), from: candidate.source.clone() });
        }
    }
    let Some(used) = winner.map(|at| &held[at]) else { return warnings };
    if let (true, Source::Env(name)) = (used.is_deprecated, &used.source) {
        warnings.push(Warning::Deprecated { name: name.clone(), canonical: asked.spec.env_name().unwrap_or_default() });
    }
    warnings.extend(shadow(asked, held, used));
    if let Content::Stored(current) = &used.content {
        warnings.extend(age(asked, current));
    }
    warnings
}

/// The first environment name that holds another value than the winner; none if the environment itself won.
fn shadow(asked: &Asked<'_>, held: &[Held], used: &Held) -> Option<Warning> {
    if matches!(used.source, Source::Env(_)) {
        return None;
    }
    let value = used.content.value()?;
    let name = held.iter().filter(|other| other.refused.is_none()).find_map(|other| match (&other.source, other.content.value()) {
        (Source::Env(name), Some(found)) if !is_same(found, value) => Some(name.clone()),
        _ => None,
    })?;
    let version = match &used.content {
        Content::Stored(current) => Some(current.version),
        _ => None,
    };
    Some(Warning::Shadowed { secret_id: asked.spec.id.clone(), name, used: used.source.clone(), version })
}

fn age(asked: &Asked<'_>, current: &Current) -> Option<Warning> {
    let secret_id = asked.spec.id.clone();
    let plan = asked.registry.rotation(asked.spec);
    let days = |days: u32| i64::from(days) * DAY_MS;
    let due = plan.map(|plan| current.set.plus_millis(days(plan.max_age_days)));
    if let Some(at) = current.expires.filter(|at| *at <= asked.now) {
        return Some(Warning::Expired { secret_id, at });
    }
    if let Some(since) = due.filter(|since| *since <= asked.now) {
        return Some(Warning::RotationDue { secret_id, since });
    }
    let at = [current.expires, due].into_iter().flatten().min()?;
    let warn_from = at.plus_millis(-days(plan.map_or(DEFAULT_WARN_DAYS, |plan| plan.warn_days)));
    (warn_from <= asked.now).then_some(Warning::NearExpiry { secret_id, at })
}

/// How early a value that has a date of its own but no rotation plan is warned of.
const DEFAULT_WARN_DAYS: u32 = 14;

fn status_of(warnings: &[Warning]) -> Status {
    let urgency = |warning: &Warning| match warning {
        Warning::Expired { .. } => Some((0, Status::Expired)),
        Warning::Shadowed { .. } => Some((1, Status::Shadowed)),
        Warning::Deprecated { .. } => Some((2, Status::DeprecatedAlias)),
        Warning::RotationDue { .. } => Some((3, Status::RotationDue)),
        Warning::NearExpiry { .. } => Some((4, Status::NearExpiry)),
        Warning::Empty { .. } => None,
    };
    warnings.iter().filter_map(urgency).min_by_key(|(rank, _)| *rank).map_or(Status::Present, |(_, status)| status)
}
