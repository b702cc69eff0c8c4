//! The part of the contract that reads what a request is about, for requests that do not say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a request that names no task is given one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// Least weight that rules must add up to; below it the default task counts.
    pub min_weight: f64,
    /// How far another task must lead the session's one before the session changes to it.
    pub session_margin: f64,
    /// Tools that, hinted at, make a request research.
    pub research_tools: Vec<String>,
    /// Tags whose content clients put into a user's message; it is not read.
    pub foreign_tags: Vec<String>,
    /// What speaks for which task.
    pub rules: Vec<Rule>,
}

/// One thing that speaks for a task, or for more or less complexity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What decisions record when the rule matched.
    pub id: String,
    /// What must hold, all of it.
    pub when: When,
    /// The task it speaks for; none if it only changes the complexity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// How strongly.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: f64,
    /// Points it adds to the complexity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity_add: Option<i8>,
}

/// Conditions; a list holds when one of its entries does, what is left out always does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// Words in the user's last text, in any case and outside code, quotes and addresses; `*` stands for any ending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Further words of which one must be there too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Words of which none may be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Words with which the user's last text begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<String>,
    /// Words in the system text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<String>,
    /// Pieces of the user's last text exactly as it stands, code included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
    /// Whether the user's last text ends in a question mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<bool>,
    /// The user's last text, without what `words` does not see, is at least this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_text_bytes: Option<u32>,
    /// It is at most this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_text_bytes: Option<u32>,
    /// The conversation has at most this many messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages: Option<u32>,
    /// The caller bounds the answer, by at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// At least this many tools are declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tools: Option<u32>,
    /// At most this many tools are declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tools: Option<u32>,
    /// At least this many images are in the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_images: Option<u32>,
    /// Whether the last message brings results of tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_loop: Option<bool>,
    /// Whether one of these results is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_failed: Option<bool>,
    /// Whether the answer must be JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<bool>,
    /// Whether the provider shall search the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<bool>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(weight: &f64) -> bool {
    *weight == 0.0
}
