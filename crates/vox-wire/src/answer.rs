//! What an upstream answers, whole or as a stream, in one vocabulary: `Reader` turns events into [`Delta`]s and keeps a
//! `Tally` of what the call consumed and whether it ended.
//!
//! Deltas borrow from the event they came from. Writing them for a caller of another dialect is `writer`.

mod anthropic;
mod counts;
mod failure;
mod ollama;
mod openai;
mod reader;
mod rules;
mod stop;
mod tally;

use std::borrow::Cow;
use vox_base::{NanoUsd, Usage};

pub use failure::{FailureHint, UpstreamError};
pub use reader::{EventFacts, Malformed, Reader};
pub use rules::{CostUnit, UsageRules};
pub use stop::StopReason;
pub use tally::Tally;

/// One piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta<'a> {
    /// The answer has begun.
    Start {
        /// The provider's id of the answer; empty if it gave none.
        id: Cow<'a, str>,
        /// The model the provider says it used; empty if it did not say.
        model: Cow<'a, str>,
    },
    /// Text of the answer.
    Text(Cow<'a, str>),
    /// Reasoning that the provider shows.
    Reasoning(Cow<'a, str>),
    /// The provider's proof for the reasoning before it; only for that provider.
    Signature(Cow<'a, str>),
    /// Reasoning that only the provider can read.
    RedactedReasoning(Cow<'a, str>),
    /// Text that says why the model will not answer.
    Refusal(Cow<'a, str>),
    /// The model calls a tool.
    ToolStart {
        /// Position among the calls of this answer, from 0.
        index: u32,
        /// Id of the call.
        id: Cow<'a, str>,
        /// Name of the tool.
        name: Cow<'a, str>,
    },
    /// A piece of the JSON text with which a tool is called.
    ToolArguments {
        /// The call, as in [`Delta::ToolStart`].
        index: u32,
        /// The piece.
        fragment: Cow<'a, str>,
    },
    /// One choice has ended.
    Stop {
        /// Which of the answers wanted at once, from 0.
        choice: u32,
        /// Why.
        reason: StopReason,
        /// Why, in the provider's word.
        raw: Cow<'a, str>,
    },
    /// What the call has consumed so far, all of it.
    Usage(Usage),
    /// How often the provider ran a tool of its own so far.
    ServerTool {
        /// The provider's name for the count.
        name: Cow<'a, str>,
        /// The count.
        n_units: u64,
    },
    /// What the provider says the call costs.
    ProviderCost(NanoUsd),
    /// The provider failed inside its answer.
    Error(UpstreamError),
    /// Nothing but a sign of life.
    Ping,
    /// The dialect's end mark: `[DONE]`, `message_stop` or `done`.
    End,
}

#[cfg(test)]
mod tests;
