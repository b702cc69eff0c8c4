//! What a caller may know of its own key.

use serde::{Deserialize, Serialize};
use vox_base::{KeyId, NanoUsd};

/// A caller's own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnKey {
    /// Its id.
    pub key_id: KeyId,
    /// Its name.
    pub name: String,
    /// Patterns of models it may use; `None` for all.
    pub models: Option<Vec<String>>,
    /// Its own budgets.
    pub budgets: Vec<Budget>,
    /// When it ends, RFC 3339; `None` for never.
    pub expires_at: Option<String>,
}

/// One spending limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// `day`, `week`, `month` or `total`, by the UTC calendar.
    pub window: String,
    /// The limit.
    pub limit_nano_usd: NanoUsd,
}
