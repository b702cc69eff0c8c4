//! What may be asked for a key below another one: never more than that one has.

use super::Limits;
use crate::keys::{Grant, covers};
use vox_base::{Coded, Kind, Timestamp};

/// Checks that a key below asks for no more than the key above may do; nothing asked is what that one has.
///
/// # Errors
/// It does; the error names the flag and how much there is.
pub(super) fn check(above: &Grant, wanted: &Limits) -> Result<(), Coded> {
    if let (Some(models), Some(have)) = (&wanted.models, &above.models)
        && models.iter().any(|pattern| !have.iter().any(|have| covers(have, pattern)))
    {
        return Err(too_wide("--models", format!("within {}", have.join(", "))));
    }
    within("--expires", wanted.expires_at, above.expires_at, Timestamp::to_string)?;
    within("--concurrency", wanted.concurrency.map(number), above.concurrency, i64::to_string)?;
    within("--rpm", wanted.rpm.map(number), above.rpm, i64::to_string)?;
    within("--tpm", wanted.tpm.map(number), above.tpm, i64::to_string)?;
    if wanted.allow_unpriced == Some(true) && !above.unpriced {
        return Err(too_wide("--allow-unpriced", "no, as for the key above".to_owned()));
    }
    for budget in &wanted.budgets {
        let have = above.budgets.iter().find(|have| have.window == budget.window);
        if let Some(have) = have.filter(|have| budget.limit.is_some_and(|limit| limit > have.amount)) {
            return Err(too_wide("--budget", format!("at most {}/{}", have.amount, have.window)));
        }
    }
    Ok(())
}

fn number(n: Option<u32>) -> Option<i64> {
    n.map(i64::from)
}

/// The inner nothing is no limit, which is more than any.
fn within<T: Ord>(flag: &'static str, wanted: Option<Option<T>>, have: Option<T>, show: impl Fn(&T) -> String) -> Result<(), Coded> {
    match (wanted, have) {
        (Some(wanted), Some(have)) if wanted.as_ref().is_none_or(|wanted| *wanted > have) => {
            Err(too_wide(flag, format!("at most {}", show(&have))))
        }
        _ => Ok(()),
    }
}

fn too_wide(flag: &'static str, expected: String) -> Coded {
    Coded::new(Kind::Refused, "gateway.key_too_wide", format!("`{flag}` asks for more than the key above may do"))
        .at(flag)
        .expected(expected)
        .next("ask for less, or widen the key above with `vox keys set`")
}
