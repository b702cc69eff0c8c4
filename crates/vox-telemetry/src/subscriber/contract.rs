//! `contracts/telemetry/subscriber.v1.yaml`: what each profile shows, and how long files are kept.

use super::filter::Level;
use vox_base::{Document, InvalidConfig};

/// Who is logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A command at a terminal.
    Cli,
    /// The node.
    Daemon,
    /// A test.
    Test,
}

impl Profile {
    /// Returns the name, which begins the name of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Daemon => "daemon",
            Self::Test => "test",
        }
    }
}

/// How a line looks on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The whole contract.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Subscriber")]
pub struct LogContract {
    /// Version of this contract's form.
    #[serde(rename = "x-vox-version")]
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Defaults by profile.
    pub profiles: Profiles,
    /// Rules for files.
    pub file: FileRules,
}

/// Defaults by profile.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// A command at a terminal.
    pub cli: ProfileRules,
    /// The node.
    pub daemon: ProfileRules,
    /// A test.
    pub test: ProfileRules,
}

/// What one profile shows.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileRules {
    /// Least level that is shown.
    pub level: Level,
    /// Look on stderr.
    pub format: Format,
    /// Whether daily files are written.
    pub file: bool,
}

/// How long files get and how long they are kept.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRules {
    /// Most bytes of one file.
    pub max_bytes: u64,
    /// Days a file is kept.
    pub keep_days: u32,
    /// Most bytes of all files together.
    pub keep_bytes: u64,
    /// Most lines that wait for the disk.
    pub queue_lines: usize,
}

const EMBEDDED: &str = include_str!("../../../../contracts/telemetry/subscriber.v1.yaml");

impl LogContract {
    /// Returns the contract this binary was built with.
    ///
    /// # Panics
    /// It does not decode, which a test rules out.
    #[must_use]
    pub fn embedded() -> Self {
        Self::parse("contracts/telemetry/subscriber.v1.yaml", EMBEDDED).expect("a test decodes the embedded contract")
    }

    /// Reads a contract.
    ///
    /// # Errors
    /// The text is not YAML of this form, or of another version.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidConfig> {
        let document = Document::parse(file, text)?;
        let contract: Self = document.decode()?;
        if contract.version == 1 { Ok(contract) } else { Err(document.fault("x-vox-version", "expected 1")) }
    }

    /// Returns the JSON Schema of the contract.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).into()
    }

    pub(super) const fn profile(&self, profile: Profile) -> &ProfileRules {
        match profile {
            Profile::Cli => &self.profiles.cli,
            Profile::Daemon => &self.profiles.daemon,
            Profile::Test => &self.profiles.test,
        }
    }
}
