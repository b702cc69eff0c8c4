//! A provider's prompt cache, as OpenAI's works: whatever begins like an earlier request to the
//! same model is read from the cache.

use crate::Tokens;
use serde_json::Value;
use std::collections::HashSet;

/// What a provider has cached.
#[derive(Debug, Default)]
pub struct PromptCache {
    known: HashSet<String>,
}

/// Bytes of a message that count as one token.
const BYTES_PER_TOKEN: usize = 4;

impl PromptCache {
    /// Returns the tokens of a request to which this is the cache, and caches it.
    pub fn ask(&mut self, body: &Value) -> Tokens {
        let (mut prefix, mut total, mut cached) = (body["model"].to_string(), 0, 0);
        for message in body["messages"].as_array().into_iter().flatten() {
            let text = message.to_string();
            total += (text.len() / BYTES_PER_TOKEN) as u64;
            prefix.push_str(&text);
            if !self.known.insert(prefix.clone()) {
                cached = total;
            }
        }
        Tokens { input: total - cached, cached, ..Tokens::default() }
    }
}
