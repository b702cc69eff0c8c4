//! What a model can do beyond text in, text out.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Calls tools.
    ToolUse,
    /// Answers in a given JSON form.
    Json,
    /// Takes a reasoning parameter.
    Reasoning,
    /// Searches the web by itself.
    WebSearch,
    /// Reads images.
    Vision,
    /// Reads audio.
    AudioInput,
    /// Reads files.
    FileInput,
    /// Makes images.
    ImageGeneration,
    /// Makes audio.
    AudioOutput,
}

/// A set of capabilities, written as a list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u16);

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 9] = [
        Self::ToolUse,
        Self::Json,
        Self::Reasoning,
        Self::WebSearch,
        Self::Vision,
        Self::AudioInput,
        Self::FileInput,
        Self::ImageGeneration,
        Self::AudioOutput,
    ];

    /// Returns the code of the refusal of an offer that lacks it.
    #[must_use]
    pub const fn missing(self) -> &'static str {
        match self {
            Self::ToolUse => "missing_capability:tool_use",
            Self::Json => "missing_capability:json",
            Self::Reasoning => "missing_capability:reasoning",
            Self::WebSearch => "missing_capability:web_search",
            Self::Vision => "missing_capability:vision",
            Self::AudioInput => "missing_capability:audio_input",
            Self::FileInput => "missing_capability:file_input",
            Self::ImageGeneration => "missing_capability:image_generation",
            Self::AudioOutput => "missing_capability:audio_output",
        }
    }

    /// Returns the name used in contracts, lists and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.missing().trim_start_matches("missing_capability:")
    }
}

impl Capabilities {
    /// No capability at all.
    pub const NONE: Self = Self(0);

    /// Returns whether the set holds this capability.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u16) != 0
    }

    /// Returns the first capability of this set that the other lacks.
    #[must_use]
    pub fn first_missing_in(self, other: Self) -> Option<Capability> {
        let missing = Self(self.0 & !other.0);
        if missing.0 == 0 { None } else { missing.iter().next() }
    }

    /// Returns the capabilities in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, capability| bits | 1 << capability as u16))
    }
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Capability>::deserialize(deserializer).map(|all| all.into_iter().collect())
    }
}

impl JsonSchema for Capabilities {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Capabilities".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<Capability>::json_schema(generator)
    }
}
