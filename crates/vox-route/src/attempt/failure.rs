//! How a provider's failure is recognised: from the status, the text of its error, and its headers.

use vox_base::Timestamp;

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or none that lived until the headers.
    Network,
    /// The provider's own fault, or an error inside a stream.
    Server,
    /// It points elsewhere, which is not followed.
    Redirect,
    /// Too many calls.
    Rate {
        /// How long to wait, where it says.
        retry_after_ms: Option<u64>,
    },
    /// It refuses the key.
    Auth,
    /// It wants to be paid first.
    Payment,
    /// It does not serve the model any more.
    ModelGone,
    /// The request is longer than the model's context.
    Context,
    /// The request itself is wrong.
    Request,
    /// The answer broke off.
    Cut,
    /// The answer cannot be read.
    Malformed,
    /// The answer stopped coming.
    Stalled,
    /// The caller's own time is over.
    Deadline,
}

/// How long a provider that says "too many" and nothing else is left alone.
pub const RATE_WAIT_MS: u64 = 20_000;

const LEAST_WAIT_MS: u64 = 1000;
const MOST_WAIT_MS: u64 = 600_000;

/// What providers write when a request is longer than the context.
const CONTEXT_WORDS: [&str; 9] = [
    "context_length_exceeded",
    "context length",
    "context_length",
    "maximum context",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "too many tokens",
];

/// What providers write when the money is used up, under whatever status.
const PAYMENT_WORDS: [&str; 4] = ["insufficient_quota", "insufficient balance", "credit balance is too low", "quota exhausted"];

/// Recognises a failure by the status of the answer and by the type, code and message of its error.
#[must_use]
pub fn classify(status: u16, error_text: &str, retry_after_ms: Option<u64>) -> Failure {
    let text = error_text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match status {
        402 => Failure::Payment,
        400..=429 if says(&PAYMENT_WORDS) => Failure::Payment,
        429 => Failure::Rate { retry_after_ms },
        401 | 403 => Failure::Auth,
        404 => Failure::ModelGone,
        400 | 413 | 422 if says(&CONTEXT_WORDS) => Failure::Context,
        300..=399 => Failure::Redirect,
        200..=299 => Failure::Malformed,
        408 | 500..=599 => Failure::Server,
        _ => Failure::Request,
    }
}

impl Failure {
    /// Returns the name used in rows and explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Server => "server",
            Self::Redirect => "redirect",
            Self::Rate { .. } => "rate",
            Self::Auth => "auth",
            Self::Payment => "payment",
            Self::ModelGone => "model_gone",
            Self::Context => "context",
            Self::Request => "request",
            Self::Cut => "cut",
            Self::Malformed => "malformed",
            Self::Stalled => "stalled",
            Self::Deadline => "deadline",
        }
    }

    /// Orders failures by how much they help whoever reads them: what the caller can mend, then when to come back, then
    /// what the owner can mend, then the rest.
    pub(super) fn usefulness(self) -> (u8, u64) {
        match self {
            Self::Request | Self::Deadline => (9, 0),
            Self::Context => (8, 0),
            Self::Rate { retry_after_ms } => (7, u64::MAX - retry_after_ms.unwrap_or(RATE_WAIT_MS)),
            Self::Auth => (6, 0),
            Self::Payment => (5, 0),
            Self::Server | Self::Cut | Self::Malformed | Self::Stalled => (4, 0),
            Self::Redirect => (3, 0),
            Self::ModelGone => (2, 0),
            Self::Network => (1, 0),
        }
    }
}

/// Limits of which providers state the rest and the moment of renewal, as `PREFIX-remaining…` and `PREFIX-reset…`.
const RESETS: [(&str, &str); 6] = [
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
];

/// Returns how long a provider wants to be left alone, from one second to ten minutes: the longest of its headers, not
/// counting limits of which it says that something is left. `None` if it says nothing that can be read.
#[must_use]
pub fn retry_after(header: &dyn Fn(&str) -> Option<String>, now: Timestamp) -> Option<u64> {
    let millis = header("retry-after-ms").and_then(|text| text.trim().parse::<u64>().ok());
    let stated = header("retry-after").and_then(|text| seconds(text.trim()).or_else(|| until(text.trim(), now)));
    let used_up = |remaining: &str| header(remaining).is_none_or(|text| text.trim() == "0");
    let resets = RESETS.iter().filter(|(_, remaining)| used_up(remaining)).filter_map(|(reset, _)| {
        let text = header(reset)?;
        let text = text.trim();
        duration(text).or_else(|| seconds(text)).or_else(|| until(text, now))
    });
    let longest = millis.into_iter().chain(stated).chain(resets).max()?;
    Some(longest.clamp(LEAST_WAIT_MS, MOST_WAIT_MS))
}

/// Reads `20` or `7.5`, in seconds, as milliseconds.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(millis.parse().ok()?)
}

/// Reads `6m0s`, `1h2m`, `7.66s` or `120ms` as milliseconds.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, after) = rest.split_at(unit_at);
        let unit_ends = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_ends);
        let millis = seconds(number)?;
        total = total.checked_add(match unit {
            "h" => millis.checked_mul(3600)?,
            "m" => millis.checked_mul(60)?,
            "s" => millis,
            "ms" => millis / 1000,
            _ => return None,
        })?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// Reads a moment, RFC 3339 in UTC or an HTTP date (RFC 9110, section 5.6.7), as milliseconds from now.
fn until(text: &str, now: Timestamp) -> Option<u64> {
    let utc = text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |text| format!("{text}Z"));
    let at: Timestamp = utc.parse().ok().or_else(|| http_date(text))?;
    Some(u64::try_from(at.millis() - now.millis()).unwrap_or(0))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day}T{clock}Z").parse().ok()
}
