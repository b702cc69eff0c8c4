//! How the gateway behaves: `contracts/gateway/gateway.v1.yaml` with the user's `gateway.yaml` laid over it.

use vox_base::{Coded, Document, InvalidConfig, Kind};

/// The shipped defaults, with a comment for every key.
pub const YAML: &str = include_str!("../../../contracts/gateway/gateway.v1.yaml");

/// Decoded and checked gateway settings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(rename = "x-vox-version")]
    version: u32,
    /// Address and port to listen on.
    pub listen: String,
    /// Host names besides loopback that a request may carry in `Host`.
    pub allowed_hosts: Vec<String>,
    /// Origins that a browser page may call from.
    pub allowed_origins: Vec<String>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often and how long to try.
    pub retries: Retries,
    /// How much is too much.
    pub limits: Limits,
    /// How a conversation is known again.
    pub session: SessionRules,
    /// How the node ends.
    pub shutdown: Shutdown,
}

/// Waiting times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// The whole answer of a call that does not stream.
    pub response_ms: u64,
    /// First byte of a stream.
    pub first_byte_ms: u64,
    /// First byte of a stream from one of the user's own engines.
    pub local_first_byte_ms: u64,
    /// Silence inside a stream.
    pub byte_gap_ms: u64,
    /// Silence inside a stream, not counting pings and comments.
    pub content_gap_ms: u64,
    /// A whole stream.
    pub stream_ms: u64,
    /// How long events before the first token are held back.
    pub commit_after_ms: u64,
}

/// Limits of trying again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Upstream calls to one offer.
    pub per_offer: u32,
    /// Upstream calls for one request.
    pub per_interaction: u32,
    /// Waiting between them, in milliseconds.
    pub total_wait_ms: u64,
}

/// Sizes and counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Bytes of a whole answer of a call that does not stream.
    pub response_bytes: usize,
    /// Bytes of events held back before the first token.
    pub hold_bytes: usize,
    /// Requests served at once.
    pub open_requests: usize,
    /// Output tokens reserved for a caller who sets no maximum.
    pub default_output_tokens: u64,
}

/// How a conversation is known again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRules {
    /// Lines of a system text that change by themselves; `*` stands for any text, and case does not count.
    pub volatile_patterns: Vec<String>,
}

impl SessionRules {
    /// Returns whether a line changes by itself. Such lines are short.
    #[must_use]
    pub fn is_volatile(&self, line: &str) -> bool {
        const LONGEST_BYTES: usize = 200;
        let line = line.trim();
        if line.is_empty() || line.len() > LONGEST_BYTES {
            return false;
        }
        let line = line.to_lowercase();
        self.volatile_patterns.iter().any(|pattern| vox_route::name::fits(&pattern.to_lowercase(), &line))
    }
}

/// The end of the node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// How long open requests may go on after SIGTERM, in milliseconds.
    pub drain_ms: u64,
}

impl Settings {
    /// Returns the shipped defaults.
    #[must_use]
    pub fn builtin() -> Self {
        let document = Document::parse("gateway.v1.yaml", YAML).expect("the shipped file is tested");
        Self::from_document(&document).expect("the shipped file is tested")
    }

    /// Lays a user's file over the defaults and checks the result.
    ///
    /// # Errors
    /// The file is not YAML, has an unknown key, or a value out of range; the error names file, line and key.
    pub fn overlaid(over: Option<Document>) -> Result<Self, InvalidConfig> {
        let base = Document::parse("gateway.v1.yaml", YAML)?;
        Self::from_document(&match over {
            Some(over) => base.overlaid(over),
            None => base,
        })
    }

    fn from_document(document: &Document) -> Result<Self, InvalidConfig> {
        let settings: Self = document.decode()?;
        let fault = |key: &str, expected: &str| Err(document.fault(key, format!("out of range: expected {expected}")));
        if settings.version != 1 {
            return fault("x-vox-version", "1");
        }
        if settings.listen.parse::<std::net::SocketAddr>().is_err() {
            return fault("listen", "an address and port such as 127.0.0.1:8642");
        }
        let timeouts = &settings.timeouts;
        for (key, millis) in [
            ("response_ms", timeouts.response_ms),
            ("first_byte_ms", timeouts.first_byte_ms),
            ("local_first_byte_ms", timeouts.local_first_byte_ms),
            ("byte_gap_ms", timeouts.byte_gap_ms),
            ("content_gap_ms", timeouts.content_gap_ms),
            ("stream_ms", timeouts.stream_ms),
            ("commit_after_ms", timeouts.commit_after_ms),
        ] {
            if !(1..=86_400_000).contains(&millis) {
                return fault(&format!("timeouts.{key}"), "1 to 86400000 milliseconds");
            }
        }
        let limits = &settings.limits;
        for (key, value) in [("per_offer", settings.retries.per_offer), ("per_interaction", settings.retries.per_interaction)] {
            if !(1..=10).contains(&value) {
                return fault(&format!("retries.{key}"), "1 to 10");
            }
        }
        for (key, bytes) in
            [("body_bytes", limits.body_bytes), ("response_bytes", limits.response_bytes), ("hold_bytes", limits.hold_bytes)]
        {
            if !(256..=1 << 30).contains(&bytes) {
                return fault(&format!("limits.{key}"), "256 bytes to 1 GiB");
            }
        }
        if !(1..=65_536).contains(&limits.open_requests) {
            return fault("limits.open_requests", "1 to 65536");
        }
        Ok(settings)
    }
}

/// Returns a configuration error as a person sees it.
pub(crate) fn invalid(error: &InvalidConfig) -> Coded {
    let message = if error.key.is_empty() { error.message.clone() } else { format!("`{}`: {}", error.key, error.message) };
    Coded::new(Kind::Stale, "gateway.config_invalid", message)
        .at(format!("{}:{}", error.file, error.line))
        .next("`vox serve --check` after mending it")
}
