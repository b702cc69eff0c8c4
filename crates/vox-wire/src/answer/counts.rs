//! Reads usage objects of every shape into disjoint classes.
//!
//! Counts are kept as the provider gives them, last value of each field winning, and made disjoint at the end: adding up
//! cumulative values or subtracting twice is the mistake this order of work rules out.

use super::UsageRules;
use crate::Dialect;
use crate::json::{Kind, Value};
use vox_base::Usage;

/// Counts as the provider gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Option<u64>,
    /// Input that missed the cache, where a provider gives that instead of all input.
    missed: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    /// Sound has no class of its own and no text to be measured by.
    pub(super) audio: bool,
    /// A field held something that is no count of tokens.
    pub(super) absurd: bool,
}

/// More tokens than any call can have.
const TOO_MANY: u64 = 1 << 48;

impl Counts {
    pub(super) fn read(&mut self, usage: Value<'_>) {
        for (key, value) in usage.entries() {
            match key.as_ref() {
                "prompt_tokens" | "input_tokens" | "prompt_eval_count" => self.set(value, |counts| &mut counts.input),
                "completion_tokens" | "output_tokens" | "eval_count" => self.set(value, |counts| &mut counts.output),
                "prompt_cache_miss_tokens" => self.set(value, |counts| &mut counts.missed),
                "prompt_cache_hit_tokens" | "cache_read_input_tokens" | "cached_tokens" => self.set(value, |counts| &mut counts.cache_read),
                "cache_creation_input_tokens" => self.set(value, |counts| &mut counts.cache_write),
                "reasoning_tokens" => self.set(value, |counts| &mut counts.reasoning),
                "prompt_tokens_details"
                | "input_tokens_details"
                | "completion_tokens_details"
                | "output_tokens_details"
                | "cache_creation" => self.read_details(value),
                _ => {}
            }
        }
    }

    fn read_details(&mut self, details: Value<'_>) {
        for (key, value) in details.entries() {
            match key.as_ref() {
                "cached_tokens" => self.set(value, |counts| &mut counts.cache_read),
                "cache_write_tokens" | "cache_creation_tokens" => self.set(value, |counts| &mut counts.cache_write),
                "ephemeral_5m_input_tokens" => self.set(value, |counts| &mut counts.cache_write_5m),
                "ephemeral_1h_input_tokens" => self.set(value, |counts| &mut counts.cache_write_1h),
                "reasoning_tokens" | "thinking_tokens" => self.set(value, |counts| &mut counts.reasoning),
                "audio_tokens" => self.audio |= value.as_u64().is_some_and(|n_tokens| n_tokens > 0),
                _ => {}
            }
        }
    }

    fn set(&mut self, value: Value<'_>, field: impl Fn(&mut Self) -> &mut Option<u64>) {
        match value.as_u64().filter(|&n_tokens| n_tokens <= TOO_MANY) {
            Some(n_tokens) => *field(self) = Some(n_tokens),
            None => self.absurd |= value.kind() != Kind::Null,
        }
    }

    /// Returns the counts in disjoint classes, and whether they contradict each other.
    pub(super) fn disjoint(&self, dialect: Dialect, rules: &UsageRules) -> (Usage, bool) {
        let (write_5m, write_1h) = self.cache_writes();
        let cached = [self.cache_read, write_5m, write_1h].into_iter().flatten().sum();
        let (input, input_contradicts) = match (self.input, self.missed) {
            (Some(_), Some(missed)) | (None, Some(missed)) => (Some(missed), false),
            (input, None) if rules.cached_in_input(dialect) => without(input, cached),
            (input, None) => (input, false),
        };
        let inside = if rules.reasoning_in_output() { self.reasoning.unwrap_or(0) } else { 0 };
        let (output, output_contradicts) = without(self.output, inside);
        let usage = Usage {
            input,
            cache_read: self.cache_read,
            cache_write_5m: write_5m,
            cache_write_1h: write_1h,
            output,
            reasoning: self.reasoning,
        };
        (usage, input_contradicts || output_contradicts)
    }

    /// Splits the tokens written to the cache by how long they live; what is not split lives five minutes.
    fn cache_writes(&self) -> (Option<u64>, Option<u64>) {
        let split = self.cache_write_5m.unwrap_or(0) + self.cache_write_1h.unwrap_or(0);
        match self.cache_write {
            Some(total) if total > split => (Some(total - self.cache_write_1h.unwrap_or(0)), self.cache_write_1h),
            Some(total) if total == 0 && self.cache_write_5m.is_none() => (Some(0), self.cache_write_1h),
            _ => (self.cache_write_5m, self.cache_write_1h),
        }
    }
}

fn without(all: Option<u64>, part: u64) -> (Option<u64>, bool) {
    (all.map(|all| all.saturating_sub(part)), all.is_some_and(|all| all < part))
}
