//! What a model call consumed, in classes that never overlap, and how its cost became known.
//!
//! Providers report inclusive and exclusive counts in many shapes; vox-wire turns each into this one. `None` means the
//! provider did not say, and is never read as zero.

/// Tokens of one call in disjoint classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Input tokens that no cache served or stored.
    pub input: Option<u64>,
    /// Input tokens read from the provider's prompt cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to a prompt cache that lives five minutes.
    pub cache_write_5m: Option<u64>,
    /// Input tokens written to a prompt cache that lives one hour.
    pub cache_write_1h: Option<u64>,
    /// Output tokens without reasoning.
    pub output: Option<u64>,
    /// Reasoning tokens.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Returns all input tokens, or `None` if the provider reported no input at all.
    #[must_use]
    pub fn total_input(&self) -> Option<u64> {
        sum([self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h])
    }

    /// Returns all output tokens, or `None` if the provider reported no output at all.
    #[must_use]
    pub fn total_output(&self) -> Option<u64> {
        sum([self.output, self.reasoning])
    }

    /// Returns whether nothing at all was reported.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.total_input().is_none() && self.total_output().is_none()
    }
}

fn sum<const N: usize>(classes: [Option<u64>; N]) -> Option<u64> {
    classes.into_iter().flatten().reduce(u64::saturating_add)
}

/// How the cost of a call became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostSource {
    /// The provider stated the amount.
    ProviderReported,
    /// Tokens the provider reported times the price list recorded with the call.
    Computed,
    /// The offer is free by contract, such as an engine on this machine.
    Local,
    /// Served from the exact response cache.
    Cache,
    /// The provider's numbers are missing or absurd; computed from what was seen.
    Estimated,
    /// The node died before the call was settled; the reservation counts until it is reconciled.
    Held,
    /// A paired device stated the amount.
    PeerReported,
    /// The price is not known; the cost is NULL, not zero.
    Unknown,
}

impl CostSource {
    /// Every source, in the order of the documentation.
    pub const ALL: [Self; 8] =
        [Self::ProviderReported, Self::Computed, Self::Local, Self::Cache, Self::Estimated, Self::Held, Self::PeerReported, Self::Unknown];

    /// Returns the name used in rows, headers and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProviderReported => "provider_reported",
            Self::Computed => "computed",
            Self::Local => "local",
            Self::Cache => "cache",
            Self::Estimated => "estimated",
            Self::Held => "held",
            Self::PeerReported => "peer_reported",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the source of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}
