//! What a request is about: the task that somebody states, or that the rules read from the ends of its text, and how
//! demanding it is.
//!
//! A request that names its model is not read: its words could not change who answers.

use super::Question;
use std::collections::BTreeSet;
use std::sync::Arc;
use vox_base::Coded;
use vox_route::classify::{SYSTEM_TEXT_BYTES, USER_TEXT_BYTES};
use vox_route::contract::Complexity;
use vox_route::name::check_task;
use vox_route::{Contract, Features, Verdict, Wanted};
use vox_wire::Excerpt;

/// What a request is about.
pub(super) struct About {
    /// The task, unless it is the name's or the default one.
    pub(super) task: Option<String>,
    /// Who said so.
    pub(super) source: &'static str,
    /// Ids of the rules that matched.
    pub(super) rules: Vec<Arc<str>>,
    /// How demanding it is.
    pub(super) complexity: Complexity,
    /// Different tools hinted at, or called of late.
    pub(super) n_tools_used: u32,
}

/// Returns what a request is about.
///
/// # Errors
/// The task that the caller states does not exist.
pub(super) fn about(contract: &Contract, question: &Question<'_>, wanted: &Wanted) -> Result<About, Coded> {
    let hints = question.hints;
    if let Some(task) = &hints.task {
        check_task(task, contract)?;
    }
    let excerpt = match wanted {
        Wanted::Auto { .. } | Wanted::Alias(_) => Some(question.chat.excerpt(USER_TEXT_BYTES, SYSTEM_TEXT_BYTES)),
        Wanted::Explicit { .. } | Wanted::Bare(_) => None,
    };
    let verdict = excerpt.as_ref().map(|excerpt| contract.classifier().classify(&features(question, excerpt))).unwrap_or_default();
    let (task, source) = task(contract, question, wanted, excerpt.as_ref(), &verdict);
    let n_hinted = hints.tools.iter().collect::<BTreeSet<_>>().len();
    let n_used = n_hinted.max(excerpt.as_ref().map_or(0, |excerpt| excerpt.n_tools_called));
    let n_tools_used = u32::try_from(n_used).unwrap_or(u32::MAX);
    let estimate = i64::from(contract.rules().complexity.default) + verdict.complexity_add;
    let complexity = contract.complexity(Some(hints.complexity.unwrap_or(estimate)), n_tools_used);
    Ok(About { task, source, rules: verdict.rules, complexity, n_tools_used })
}

fn features<'a>(question: &Question<'a>, excerpt: &'a Excerpt<'a>) -> Features<'a> {
    let needs = &question.chat.needs;
    Features {
        user_text: &excerpt.user_text,
        is_cut: excerpt.is_cut,
        system_text: &excerpt.system_text,
        n_messages: needs.n_messages,
        n_tools: needs.n_tools,
        n_images: excerpt.n_images,
        max_output_tokens: question.max_output_tokens,
        in_tool_loop: excerpt.in_tool_loop,
        tool_failed: excerpt.tool_failed,
        json: needs.json,
        web_search: needs.web_search,
    }
}

/// Returns the task and who said so, in the order in which they are believed.
fn task(
    contract: &Contract,
    question: &Question<'_>,
    wanted: &Wanted,
    excerpt: Option<&Excerpt<'_>>,
    verdict: &Verdict,
) -> (Option<String>, &'static str) {
    let names_task = |name: &String| contract.rules().aliases.get(name).is_some_and(|target| target.starts_with("task:"));
    let is_named = match wanted {
        Wanted::Auto { task } => task.is_some(),
        Wanted::Alias(name) => names_task(name),
        Wanted::Explicit { .. } | Wanted::Bare(_) => false,
    };
    if let Some(task) = &question.hints.task {
        return (Some(task.clone()), "hint");
    }
    if is_named {
        return (None, "name");
    }
    let Some(excerpt) = excerpt else { return (None, "default") };
    if let Some(task) = contract.task_of_tools(&question.hints.tools) {
        return (Some(task.to_owned()), "research");
    }
    match (question.session_task, &verdict.task) {
        (Some(task), _) if excerpt.in_tool_loop || !contract.leads(verdict, task) => (Some(task.to_owned()), "session"),
        (_, Some(task)) => (Some(task.to_string()), "rules"),
        (_, None) => (None, "default"),
    }
}
