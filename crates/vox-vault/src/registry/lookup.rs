//! Naming a secret: by id, by environment name, or by as much of the id as is unambiguous.

use super::{Registry, SecretSpec};
use vox_base::{Coded, Kind};

const N_NEAR: usize = 3;

/// The text names no secret, or several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Several ids start like this.
    #[error("`{text}` may be {}", quoted(.matches))]
    Ambiguous {
        /// What was typed.
        text: String,
        /// The ids that start with it.
        matches: Vec<String>,
    },
    /// No id or environment name is like this.
    #[error("`{text}` is not a secret id")]
    Unknown {
        /// What was typed.
        text: String,
        /// The ids most like it, best first; may be empty.
        near: Vec<String>,
    },
}

impl From<LookupError> for Coded {
    fn from(error: LookupError) -> Self {
        let coded = Self::new(Kind::Usage, "secret.bad_id", error.to_string());
        match error {
            LookupError::Ambiguous { .. } => coded.expected("one id").next("type more of the id"),
            LookupError::Unknown { near, .. } if near.is_empty() => coded.next("`vox secrets list` shows every id"),
            LookupError::Unknown { near, .. } => coded.expected(quoted(&near)).next("`vox secrets list` shows every id"),
        }
    }
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" or ")
}

impl Registry {
    /// Finds the secret a person means.
    ///
    /// # Errors
    /// Lists the ids that fit when several do, and the nearest when none does.
    pub fn find(&self, text: &str) -> Result<&SecretSpec, LookupError> {
        if let Some(spec) = self.get(text).or_else(|| self.by_env(text)) {
            return Ok(spec);
        }
        let matches: Vec<&SecretSpec> = self.iter().filter(|spec| !text.is_empty() && spec.id.starts_with(text)).collect();
        match matches.as_slice() {
            [] => Err(LookupError::Unknown { text: text.to_owned(), near: self.near(text) }),
            [spec] => Ok(spec),
            _ => Err(LookupError::Ambiguous { text: text.to_owned(), matches: matches.iter().map(|spec| spec.id.clone()).collect() }),
        }
    }

    /// Returns the ids with the fewest edits to the text, looking at their owner alone too.
    fn near(&self, text: &str) -> Vec<String> {
        let text = text.to_ascii_lowercase();
        let distance = |spec: &SecretSpec| {
            let owner = spec.id.split('.').next().unwrap_or_default();
            edits(&text, &spec.id).min(edits(&text, owner))
        };
        let limit = (text.chars().count() / 3).max(1);
        let mut near: Vec<_> = self.iter().map(|spec| (distance(spec), &spec.id)).filter(|(edits, _)| *edits <= limit).collect();
        near.sort();
        near.into_iter().take(N_NEAR).map(|(_, id)| id.clone()).collect()
    }
}

/// Returns the Levenshtein distance.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, have) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, want) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(have != *want);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
