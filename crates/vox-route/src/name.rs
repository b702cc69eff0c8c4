//! What a caller means by a model name.

use crate::{Catalog, Contract, Prefer};
use serde::{Deserialize, Serialize};
use vox_base::{Coded, Kind};

/// A model name, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// `vox/auto` or `vox/auto:<task>`: routing decides.
    Auto {
        /// The task category, if named.
        task: Option<String>,
    },
    /// `vox/<alias>`.
    Alias(String),
    /// `<provider>/<model>`.
    Explicit {
        /// Id of a provider entry.
        provider: String,
        /// What the provider calls the model, verbatim.
        native_id: String,
    },
    /// A name without a provider: every offer of the model that some provider calls so.
    Bare(String),
}

/// A model name means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No model, provider or alias has this name.
    #[error("no model is called `{name}`")]
    ModelUnknown {
        /// The name.
        name: String,
        /// Up to three names like it.
        near: Vec<String>,
    },
    /// A request prefers something that does not exist.
    #[error("nothing is called `{name}` that could be preferred")]
    PreferenceUnknown {
        /// The name.
        name: String,
        /// Up to three names like it.
        near: Vec<String>,
    },
    /// `vox/auto:` was followed by no task category.
    #[error("no task category is called `{name}`")]
    TaskUnknown {
        /// The name.
        name: String,
        /// All there are.
        names: Vec<String>,
    },
}

const MAX_NEAR: usize = 3;
const SHORTEST_PART: usize = 3;

/// Understands a model name as a caller sends it.
///
/// # Errors
/// The name, or the task after `vox/auto:`, is unknown.
pub fn parse_name(name: &str, is_provider: &dyn Fn(&str) -> bool, contract: &Contract, catalog: &Catalog) -> Result<Wanted, NameError> {
    match name.split_once('/') {
        Some(("vox", own)) => parse_own(own, contract).unwrap_or_else(|| Err(unknown(name, contract, catalog))),
        Some((provider, native_id)) if is_provider(provider) && !native_id.is_empty() => {
            Ok(Wanted::Explicit { provider: provider.to_owned(), native_id: native_id.to_owned() })
        }
        _ if catalog.named(name).chain(catalog.serving(name)).next().is_some() => Ok(Wanted::Bare(name.to_owned())),
        _ => Err(unknown(name, contract, catalog)),
    }
}

fn parse_own(own: &str, contract: &Contract) -> Option<Result<Wanted, NameError>> {
    if own == "auto" {
        return Some(Ok(Wanted::Auto { task: None }));
    }
    if let Some(task) = own.strip_prefix("auto:") {
        return Some(check_task(task, contract).map(|()| Wanted::Auto { task: Some(task.to_owned()) }));
    }
    contract.rules().aliases.contains_key(own).then(|| Ok(Wanted::Alias(own.to_owned())))
}

/// Returns whether a task category of this name exists.
///
/// # Errors
/// It does not; the error lists all there are.
pub fn check_task(task: &str, contract: &Contract) -> Result<(), NameError> {
    if contract.task(task).is_some() {
        return Ok(());
    }
    Err(NameError::TaskUnknown { name: task.to_owned(), names: contract.rules().task_categories.clone() })
}

/// Understands what a request prefers: one of four words, an alias, a family or a model of the catalog.
///
/// # Errors
/// The name is none of them.
pub fn parse_preference(name: &str, contract: &Contract, catalog: &Catalog) -> Result<Prefer, NameError> {
    let prefer = Prefer::from_name(name);
    let Prefer::Family(family) = &prefer else { return Ok(prefer) };
    let aliases = &contract.rules().aliases;
    let plain = family.strip_prefix("family:").unwrap_or(family);
    if aliases.contains_key(family) || catalog.offers().iter().any(|offer| *offer.family == *plain || *offer.model_id == **family) {
        return Ok(prefer);
    }
    let words = ["cost", "quality", "speed", "local"].map(str::to_owned);
    let families = catalog.offers().iter().map(|offer| offer.family.to_string());
    let known = words.into_iter().chain(aliases.keys().cloned()).chain(families);
    Err(NameError::PreferenceUnknown { name: name.to_owned(), near: nearest(name, known) })
}

fn unknown(name: &str, contract: &Contract, catalog: &Catalog) -> NameError {
    let own = contract.rules().aliases.keys().map(|alias| format!("vox/{alias}")).chain(["vox/auto".to_owned()]);
    let ids = catalog.offers().iter().flat_map(|offer| [offer.id.to_string(), offer.native_id.to_string(), offer.model_id.to_string()]);
    NameError::ModelUnknown { name: name.to_owned(), near: nearest(name, own.chain(ids)) }
}

/// Returns up to three of these names that hold the given one or differ from it by few letters, nearest first.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let text: String = name.to_lowercase().chars().take(200).collect();
    let name: Vec<char> = text.chars().collect();
    let far = (name.len() / 3).max(2);
    let how_far = |known: &str| {
        let known = known.to_lowercase();
        if name.len() >= SHORTEST_PART && known.contains(&text) {
            return 1;
        }
        if known.chars().count().abs_diff(name.len()) > far { usize::MAX } else { distance(&name, &known) }
    };
    let mut near: Vec<(usize, String)> = known.map(|known| (how_far(&known), known)).filter(|(distance, _)| *distance <= far).collect();
    near.sort();
    near.dedup();
    near.into_iter().take(MAX_NEAR).map(|(_, known)| known).collect()
}

/// Returns whether a name may be another one misspelt.
#[must_use]
pub fn is_near(name: &str, known: &str) -> bool {
    distance(&name.to_lowercase().chars().collect::<Vec<_>>(), known) <= 2
}

/// Returns the least number of letters to insert, drop or replace (Levenshtein 1966).
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (line, to) in to.chars().enumerate() {
        let mut corner = row[0];
        row[0] = line + 1;
        for (at, from) in from.iter().enumerate() {
            let replaced = corner + usize::from(*from != to);
            corner = row[at + 1];
            row[at + 1] = replaced.min(corner + 1).min(row[at] + 1);
        }
    }
    row[from.len()]
}

/// Returns whether a pattern, in which `*` stands for any text, fits the whole of a name.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    while let Some((part, after)) = rest.split_once('*') {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
        rest = after;
    }
    name.ends_with(rest)
}

impl From<NameError> for Coded {
    fn from(error: NameError) -> Self {
        let message = error.to_string();
        match error {
            NameError::ModelUnknown { near, .. } if near.is_empty() => {
                Self::new(Kind::Usage, "route.model_unknown", message).next("vox model list")
            }
            NameError::ModelUnknown { near, .. } => Self::new(Kind::Usage, "route.model_unknown", message)
                .expected(format!("a name such as `{}`", near.join("`, `")))
                .next("vox model list"),
            NameError::PreferenceUnknown { near, .. } => {
                let near = near.iter().map(|name| format!("`{name}`, ")).collect::<String>();
                let expected = format!("{near}`cost`, `quality`, `speed`, `local`, an alias or a family of models");
                Self::new(Kind::Usage, "gateway.hint_invalid", message).at("prefer").expected(expected).next("vox model list")
            }
            NameError::TaskUnknown { names, .. } => {
                Self::new(Kind::Usage, "route.task_unknown", message).expected(format!("one of {}", names.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
