//! The one redactor: every line, span and quoted body passes it before it reaches a log, the store or a screen
//! . It masks values the process knows to be secret, fields by name, and the shapes of known tokens.
//!
//! It fails closed: text it cannot scan comes out as a marker, never as it was. Time is linear in the text.

mod known;
mod rules;

use known::Known;
use rules::Scanner;
pub use rules::{Pattern, Rules, Starts};
use std::borrow::Cow;
use std::sync::OnceLock;
use vox_base::Secret;

/// What stands in place of text that could not be scanned.
pub const FAILED: &str = "<REDACTED:redaction_failed>";

/// Masks secrets in text. Building it is cheap; the patterns are compiled at first use.
pub struct Redactor {
    home: Option<String>,
    rules: Option<Rules>,
    scanner: OnceLock<Option<Scanner>>,
    known: Known,
}

impl Redactor {
    /// Returns the redactor of the embedded contract. `home` is shown as `~`.
    #[must_use]
    pub fn new(home: Option<&str>) -> Self {
        Self::with_rules(Rules::embedded().ok(), home)
    }

    /// Returns a redactor of these rules; without rules it lets nothing through.
    #[must_use]
    pub fn with_rules(rules: Option<Rules>, home: Option<&str>) -> Self {
        let min_bytes = rules.as_ref().map_or(0, |rules| rules.known_min_bytes);
        let home = home.map(|home| home.trim_end_matches('/')).filter(|home| !home.is_empty());
        Self { home: home.map(str::to_owned), rules, scanner: OnceLock::new(), known: Known::new(min_bytes) }
    }

    /// Adds a value to be masked wherever it appears, also JSON-escaped, percent-encoded or in base64. Values shorter
    /// than `known_min_bytes` are not matchable; returns whether it was taken.
    pub fn add_known(&self, value: &Secret<String>) -> bool {
        self.known.add(value.expose())
    }

    /// Returns whether text can be scanned at all.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.scanner().is_some()
    }

    /// Returns the text with every secret replaced by `<REDACTED:kind>`. Doing it twice changes nothing.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(scanner) = self.scanner() else { return Cow::Borrowed(FAILED) };
        match self.known.mask(text) {
            Err(known::Unscannable) => Cow::Borrowed(FAILED),
            Ok(Cow::Borrowed(text)) => scanner.mask(text),
            Ok(Cow::Owned(text)) => Cow::Owned(scanner.mask(&text).into_owned()),
        }
    }

    /// Returns whether a field of this name holds a secret whatever its value looks like.
    #[must_use]
    pub fn is_secret_field(&self, name: &str) -> bool {
        self.scanner().is_none_or(|scanner| scanner.is_secret_field(name))
    }

    fn scanner(&self) -> Option<&Scanner> {
        let build = || Scanner::new(self.rules.as_ref()?, self.home.as_deref()).ok();
        self.scanner.get_or_init(build).as_ref()
    }
}

#[cfg(test)]
mod tests;
