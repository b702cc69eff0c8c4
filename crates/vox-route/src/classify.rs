//! What a request is about, when it does not say: rules of the contract over the ends of its text and a few counts.
//!
//! A rule that matches adds its weight to a task; the heaviest task counts. What is read is bounded, so a long
//! conversation takes no longer than a short one. The result names rules, never words. `spoken` reads
//! the words that the user said, `phrases` looks for those of the rules, `compile` makes rules ready and weighs them.

mod compile;
mod phrases;
mod spoken;
mod vocabulary;

use std::sync::Arc;

pub use compile::Classifier;
pub(crate) use compile::{MAX_RULES, thousandths};
pub(crate) use spoken::WORD_BYTES as LONGEST_WORD;
pub(crate) use vocabulary::LEAST_BEGINNING;

/// Longest part of the user's last text that is read: its end.
pub const USER_TEXT_BYTES: usize = 8 * 1024;
/// Longest part of the system text that is read: its beginning.
pub const SYSTEM_TEXT_BYTES: usize = 4 * 1024;

/// What is looked at of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Features<'a> {
    /// The end of the last text that the user wrote.
    pub user_text: &'a str,
    /// Whether that text begins before what is given here.
    pub is_cut: bool,
    /// The beginning of the system text.
    pub system_text: &'a str,
    /// Messages in the conversation.
    pub n_messages: usize,
    /// Tools declared.
    pub n_tools: usize,
    /// Images in the conversation.
    pub n_images: usize,
    /// The caller's bound on the answer.
    pub max_output_tokens: Option<u64>,
    /// Whether the last message brings results of tools.
    pub in_tool_loop: bool,
    /// Whether one of these results is an error.
    pub tool_failed: bool,
    /// Whether the answer must be JSON.
    pub json: bool,
    /// Whether the provider shall search the web.
    pub web_search: bool,
}

/// What the rules say about a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The task, if rules add up to enough for one.
    pub task: Option<Arc<str>>,
    /// What all matched rules add to the complexity.
    pub complexity_add: i64,
    /// Ids of the rules that matched, in the contract's order.
    pub rules: Vec<Arc<str>>,
    /// Thousandths of weight for each task that has some, in the contract's order.
    pub weights: Vec<(Arc<str>, i64)>,
}

impl Verdict {
    /// Returns the thousandths of weight for a task.
    #[must_use]
    pub fn weight(&self, task: &str) -> i64 {
        self.weights.iter().find(|(name, _)| **name == *task).map_or(0, |(_, weight)| *weight)
    }
}

#[cfg(test)]
mod tests;
