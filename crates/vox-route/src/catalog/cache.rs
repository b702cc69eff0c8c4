//! The file that keeps the last good lists, as bytes; reading and replacing it is the node's business.

use super::{Entry, Layer, Locality, Trust};
use crate::source::{Failure, Past};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vox_base::Timestamp;

const VERSION: u32 = 1;

/// The last good list of every source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheFile {
    #[serde(rename = "x-vox-version")]
    version: u32,
    /// Tells installations apart where many would otherwise fetch in the same moment.
    #[serde(default)]
    pub seed: u64,
    /// The lists by the name of their source.
    pub sources: BTreeMap<String, CachedSource>,
    /// The failures since the last good list, or from the beginning, by the name of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, Failure>,
}

/// The last good list of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CachedSource {
    /// When the list was fetched.
    pub fetched_at: Timestamp,
    /// The list.
    pub entries: Vec<Entry>,
}

/// The bytes are no catalog cache of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a catalog cache that this version of vox can read: {0}")]
pub struct CorruptCache(String);

impl CachedSource {
    /// Returns whether an engine of the user's own said it.
    fn is_own(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.locality == Some(Locality::Local))
    }
}

impl Default for CacheFile {
    fn default() -> Self {
        Self { version: VERSION, seed: 0, sources: BTreeMap::new(), failures: BTreeMap::new() }
    }
}

impl CacheFile {
    /// Reads a cache file.
    ///
    /// # Errors
    /// The bytes are damaged, cut off, or of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, CorruptCache> {
        let file: Self = serde_json::from_slice(bytes).map_err(|error| CorruptCache(error.to_string()))?;
        match file.version {
            VERSION => Ok(file),
            other => Err(CorruptCache(format!("expected version {VERSION}, found {other}"))),
        }
    }

    /// Returns the bytes of the file.
    ///
    /// # Panics
    /// Never: the file holds only text and numbers.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("the cache holds only text, numbers and lists");
        bytes.push(b'\n');
        bytes
    }

    /// Returns what is remembered of the fetches of one list.
    #[must_use]
    pub fn past(&self, source: &str) -> Past {
        Past {
            fetched_at: self.sources.get(source).map(|cached| cached.fetched_at),
            failure: self.failures.get(source).cloned(),
            seed: self.seed,
        }
    }

    /// Returns the lists as layers of a catalog.
    #[must_use]
    pub fn layers(&self) -> Vec<Layer> {
        let layer = |(name, source): (&String, &CachedSource)| Layer {
            source: name.as_str().into(),
            trust: if source.is_own() { Trust::OwnEngine } else { Trust::ProviderList },
            entries: source.entries.clone(),
        };
        self.sources.iter().map(layer).collect()
    }
}
