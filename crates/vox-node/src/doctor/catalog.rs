//! How old the model lists are, and whether anything in them can be called.

use super::{Finding, Level, Patient};
use crate::discovery::{Standing, State, standing};
use crate::snapshot::Snapshot;
use vox_route::{Credential, Warning};

pub(super) fn examine(patient: &Patient<'_>, snapshot: &Snapshot, warnings: &[Warning]) -> (Vec<Finding>, Vec<Standing>) {
    let (sources, _) = standing(&patient.dirs.cache.path, &snapshot.contract, &snapshot.providers, &snapshot.board, patient.now);
    let mut findings: Vec<Finding> = sources.iter().map(source).collect();
    for warning in warnings.iter().filter(|warning| &*warning.source == "cache") {
        findings.push(Finding::new(Level::Warn, "catalog-cache", &warning.entry, &warning.message).next("vox model discover"));
    }
    let callable = |provider: &str| {
        snapshot.board.provider(provider).is_some_and(|state| matches!(state.credential, Credential::Present | Credential::NotNeeded))
    };
    let n_all = snapshot.catalog.offers().len();
    let n_auto = snapshot.catalog.confirmed().filter(|offer| callable(&offer.provider)).count();
    let evidence = format!("{n_all} offers known, {n_auto} of them open to `vox/auto` and callable");
    let level = if n_auto == 0 { Level::Warn } else { Level::Info };
    findings.push(Finding::new(level, "catalog-offers", "catalog", evidence).next("vox model list"));
    (findings, sources)
}

fn source(source: &Standing) -> Finding {
    let mend = format!("vox model discover --source {}", source.source);
    let finding = |level, evidence: String| Finding::new(level, "catalog-source", &source.source, evidence);
    let n_models = source.n_models.unwrap_or(0);
    let age = age(source.age_ms.unwrap_or(0));
    match source.state {
        State::Fresh => finding(Level::Info, format!("{n_models} models  fresh  {age} ago")),
        State::Stale => {
            finding(Level::Warn, format!("{n_models} models  STALE  {age} ago (limit {})", self::age(source.limit_ms))).next(mend)
        }
        State::Failed => {
            let why = source.last_error.as_deref().unwrap_or("unknown");
            finding(Level::Warn, format!("{n_models} models  FAILED  {why}; the list of {age} ago is kept")).next(mend)
        }
        State::Never => finding(Level::Info, "never fetched".to_owned()).next(mend),
        State::Unconfigured => finding(Level::Info, "has no key to fetch its list with".to_owned()),
        State::Off => finding(Level::Info, "off".to_owned()),
    }
}

/// Returns a time as people say it: `2h 04m`, `51h`, `5m`.
#[must_use]
pub fn age(millis: i64) -> String {
    let minutes = millis / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours @ 1..10, minutes) => format!("{hours}h {minutes:02}m"),
        (hours, _) => format!("{hours}h"),
    }
}
