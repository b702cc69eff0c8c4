//! How model lists are fetched: how often, how far, and from what age on they count as stale.

use crate::source::SourceKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How model lists are fetched, by form of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// Least time between two fetches of a list, however much a person insists.
    pub force_min_s: u32,
    /// Most pages of a list.
    pub max_pages: u32,
    /// Largest context that vox asks Ollama to load a model with, where nothing else says one.
    pub ollama_num_ctx_cap: u64,
    /// OpenRouter's list.
    pub openrouter: SourceRules,
    /// Lists as OpenAI answers them.
    pub openai_compatible: SourceRules,
    /// Anthropic's list.
    pub anthropic: SourceRules,
    /// Google's list.
    pub google: SourceRules,
    /// Ollama's list.
    pub ollama: SourceRules,
    /// Lists of the user's other engines.
    pub local: SourceRules,
}

/// How one kind of list is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRules {
    /// Whether it is fetched at all.
    pub enabled: bool,
    /// How long a list counts as fresh.
    pub ttl_s: u32,
    /// Least time between two fetches, also where `ttl_s` is less.
    pub min_refresh_s: u32,
    /// Spreads fetches of many installations over this time.
    pub jitter_ms: u32,
    /// From this age on a list counts as stale.
    pub max_age_s: u32,
    /// Longest wait for one answer.
    pub timeout_ms: u32,
    /// Longest answer.
    pub max_body_bytes: u64,
}

const YEAR_S: u32 = 31_536_000;

impl Discovery {
    /// Returns the rules for a form of list; `local` is an engine of the user's own.
    #[must_use]
    pub const fn rules(&self, kind: SourceKind, local: bool) -> &SourceRules {
        match kind {
            SourceKind::Openrouter => &self.openrouter,
            SourceKind::OpenaiCompatible if local => &self.local,
            SourceKind::OpenaiCompatible => &self.openai_compatible,
            SourceKind::Anthropic => &self.anthropic,
            SourceKind::Google => &self.google,
            SourceKind::Ollama => &self.ollama,
        }
    }

    /// Returns every number that has a range: its key, its value, and the range.
    pub(super) fn ranges(&self) -> Vec<(String, u64, RangeInclusive<u64>)> {
        let year_s = u64::from(YEAR_S);
        let mut all = vec![
            ("discovery.force_min_s".to_owned(), u64::from(self.force_min_s), 1..=86_400),
            ("discovery.max_pages".to_owned(), u64::from(self.max_pages), 1..=10_000),
            ("discovery.ollama_num_ctx_cap".to_owned(), self.ollama_num_ctx_cap, 1024..=10_000_000),
        ];
        for (name, rules) in [
            ("openrouter", &self.openrouter),
            ("openai_compatible", &self.openai_compatible),
            ("anthropic", &self.anthropic),
            ("google", &self.google),
            ("ollama", &self.ollama),
            ("local", &self.local),
        ] {
            let mut add = |field: &str, value: u64, range| all.push((format!("discovery.{name}.{field}"), value, range));
            add("ttl_s", rules.ttl_s.into(), 1..=year_s);
            add("min_refresh_s", rules.min_refresh_s.into(), 0..=year_s);
            add("jitter_ms", rules.jitter_ms.into(), 0..=86_400_000);
            add("max_age_s", rules.max_age_s.into(), 1..=year_s);
            add("timeout_ms", rules.timeout_ms.into(), 1..=600_000);
            add("max_body_bytes", rules.max_body_bytes, 1024..=1_073_741_824);
        }
        all
    }
}
