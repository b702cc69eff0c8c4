//! Request hints: `x-vox-*` headers win over an OpenAI body's `metadata` keys `vox.*`. None of them reaches a provider.

use http::HeaderMap;
use vox_base::{Coded, Kind, NanoUsd};
use vox_node::chat::Hints;

/// Every hint that exists, so that a misspelt one is an error and not a silent default.
const NAMES: [&str; 11] =
    ["task", "complexity", "tool-hints", "budget-usd", "prefer", "force", "session", "run", "fallback", "timeout-ms", "unknown"];

/// Most tools that may be hinted at.
const MAX_TOOLS: usize = 64;

/// Reads the hints of a request.
pub(crate) fn read(headers: &HeaderMap, metadata: &[(String, String)]) -> Result<Hints, Coded> {
    let mut hints = Hints::default();
    for (key, value) in metadata {
        let name = key.trim_start_matches("vox.").replace('_', "-");
        apply(&mut hints, &name, value, &format!("metadata `{key}`"))?;
    }
    for (name, value) in headers {
        if let Some(hint) = name.as_str().strip_prefix("x-vox-") {
            let value = value.to_str().map_err(|_| invalid(name.as_str(), "printable ASCII"))?;
            apply(&mut hints, hint, value, name.as_str())?;
        }
    }
    Ok(hints)
}

fn apply(hints: &mut Hints, name: &str, value: &str, place: &str) -> Result<(), Coded> {
    match name {
        "task" => hints.task = Some(value.to_owned()),
        "complexity" => hints.complexity = Some(value.parse().map_err(|_| invalid(place, "a whole number, 1 to 10"))?),
        "tool-hints" => hints.tools = tools(value, place)?,
        "budget-usd" => {
            let budget = NanoUsd::from_usd(value).ok().filter(|budget| *budget >= NanoUsd::ZERO);
            hints.budget = Some(budget.ok_or_else(|| invalid(place, "a decimal amount in USD such as 0.05"))?);
        }
        "prefer" => hints.prefer = Some(value.to_owned()),
        "force" if value.contains('/') => hints.force = Some(value.to_owned()),
        "force" => return Err(invalid(place, "provider/model")),
        "session" => hints.session = Some(id(value, place)?),
        "run" => hints.run = Some(id(value, place)?),
        "fallback" => hints.fallback = Some(one_of(value, [("on", true), ("off", false)], place)?),
        "unknown" => hints.drop_unknown = one_of(value, [("drop", true), ("refuse", false)], place)?,
        "timeout-ms" => {
            hints.timeout_ms = Some(value.parse().ok().filter(|ms| *ms > 0).ok_or_else(|| invalid(place, "milliseconds above 0"))?)
        }
        _ => {
            let known: Vec<_> = NAMES.iter().map(|name| format!("x-vox-{name}")).collect();
            return Err(invalid(place, &format!("one of {}", known.join(", "))));
        }
    }
    Ok(())
}

fn id(value: &str, place: &str) -> Result<String, Coded> {
    let fits = (1..=128).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
    if fits { Ok(value.to_owned()) } else { Err(invalid(place, "at most 128 of A-Z a-z 0-9 . _ : -")) }
}

fn tools(value: &str, place: &str) -> Result<Vec<String>, Coded> {
    let names: Vec<&str> = value.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > MAX_TOOLS {
        return Err(invalid(place, &format!("at most {MAX_TOOLS} names of tools")));
    }
    names.into_iter().map(|name| id(name, place)).collect()
}

fn one_of<T: Copy, const N: usize>(value: &str, choices: [(&str, T); N], place: &str) -> Result<T, Coded> {
    let found = choices.iter().find(|(name, _)| *name == value).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| invalid(place, &choices.map(|(name, _)| format!("`{name}`")).join(" or ")))
}

fn invalid(place: &str, expected: &str) -> Coded {
    Coded::new(Kind::Usage, "gateway.hint_invalid", "the hint has no valid value").at(place).expected(expected)
}
