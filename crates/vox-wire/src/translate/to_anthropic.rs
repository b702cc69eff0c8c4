//! OpenAI chat to Anthropic messages: the top level and tools. Messages are `messages`.

mod messages;

use super::ledger::{At, Ledger, refused};
use super::verdicts::{Group, Verdicts};
use super::{Target, Translated, Untranslatable};
use crate::Chat;
use crate::json::{Kind, Out, Value};

/// Top-level fields that are only known together.
#[derive(Default)]
struct Gathered<'a> {
    messages: Option<Value<'a>>,
    max_tokens: Option<u64>,
    has_tools: bool,
    tool_choice: Option<Value<'a>>,
    one_call_at_a_time: bool,
    effort: Option<Value<'a>>,
    temperature: Option<Value<'a>>,
}

pub(super) fn request(
    chat: &Chat,
    model: &str,
    target: &Target,
    verdicts: &Verdicts,
    mut ledger: Ledger<'_>,
) -> Result<Translated, Untranslatable> {
    let mut out = Out::with_capacity(chat.document.bytes().len() + 256);
    out.try_object(|out| {
        let mut gathered = Gathered::default();
        for (key, value) in chat.document.root().entries().filter(|(_, value)| !value.is_null()) {
            let at = At::Key(&At::Root, &key);
            if !ledger.judge(Group::Request, &key, at, says_nothing(&key, value))? {
                continue;
            }
            match key.as_ref() {
                "model" => out.key("model").str(model),
                "temperature" => temperature(&mut gathered, out, value, at, verdicts)?,
                "stop" => stop(out, value),
                "tools" => gathered.has_tools = tools(&mut ledger, out, value, at)?,
                "stream_options" => {}
                "response_format" => response_format(&mut ledger, out, value, at)?,
                other => gathered.keep(other, value).unwrap_or_else(|| out.key(target.name(other)).raw(value.raw())),
            }
        }
        max_tokens(&mut ledger, out, &mut gathered, target, verdicts);
        thinking(&mut ledger, out, &gathered, verdicts)?;
        tool_choice(out, &gathered)?;
        gathered.messages.map_or(Ok(()), |list| messages::put(&mut ledger, out, list, target))
    })?;
    Ok(ledger.translated(out.finish()))
}

impl Target {
    /// Returns what the provider calls a top-level field.
    pub(super) fn name<'n>(&'n self, field: &'n str) -> &'n str {
        self.rename.iter().find(|(ours, _)| ours == field).map_or(field, |(_, theirs)| theirs)
    }
}

impl<'a> Gathered<'a> {
    /// Keeps a field for later; `None` if it is not one of those.
    fn keep(&mut self, key: &str, value: Value<'a>) -> Option<()> {
        match key {
            "messages" => self.messages = Some(value),
            "max_completion_tokens" => self.max_tokens = value.as_u64(),
            "max_tokens" => self.max_tokens = self.max_tokens.or(value.as_u64()),
            "tool_choice" => self.tool_choice = Some(value),
            "parallel_tool_calls" => self.one_call_at_a_time = value.as_bool() == Some(false),
            "reasoning_effort" => self.effort = Some(value),
            _ => return None,
        }
        Some(())
    }
}

/// Returns whether a value is the one a provider assumes anyway.
pub(super) fn says_nothing(key: &str, value: Value<'_>) -> bool {
    match key {
        "n" => value.raw() == "1",
        "logprobs" | "store" => value.raw() == "false",
        "frequency_penalty" | "presence_penalty" | "top_logprobs" => matches!(value.raw(), "0" | "0.0"),
        "logit_bias" => value.entries().next().is_none(),
        "functions" => value.items().next().is_none(),
        "function_call" => value.is_str("none"),
        "modalities" => value.items().all(|item| item.is_str("text")),
        "verbosity" => value.is_str("medium"),
        _ => false,
    }
}

fn temperature<'a>(
    gathered: &mut Gathered<'a>,
    out: &mut Out,
    value: Value<'a>,
    at: At<'_>,
    verdicts: &Verdicts,
) -> Result<(), Untranslatable> {
    if value.raw().parse::<f64>().is_ok_and(|number| number > verdicts.anthropic_temperature_max()) {
        return Err(refused(Group::Request, "temperature", at, "higher than the provider takes"));
    }
    gathered.temperature = Some(value);
    out.key("temperature").raw(value.raw());
    Ok(())
}

fn stop(out: &mut Out, value: Value<'_>) {
    out.key("stop_sequences");
    match value.kind() {
        Kind::String => out.array(|out| out.raw(value.raw())),
        _ => out.raw(value.raw()),
    }
}

fn response_format(ledger: &mut Ledger<'_>, out: &mut Out, value: Value<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_text = kind == "text";
    if ledger.judge(Group::ResponseFormat, &kind, At::Key(&at, "type"), false)? && !is_text {
        out.key("response_format").raw(value.raw());
    }
    Ok(())
}

fn max_tokens(ledger: &mut Ledger<'_>, out: &mut Out, gathered: &mut Gathered<'_>, target: &Target, verdicts: &Verdicts) {
    let n_tokens = gathered.max_tokens.unwrap_or_else(|| {
        ledger.converted(Group::Request, "max_tokens");
        let most = verdicts.anthropic_default_max_tokens();
        target.max_output_tokens.unwrap_or(most).min(most)
    });
    gathered.max_tokens = Some(n_tokens);
    out.key("max_tokens").number(n_tokens);
}

/// Fewest thinking tokens Anthropic takes.
const LEAST_BUDGET: u64 = 1024;

fn thinking(ledger: &mut Ledger<'_>, out: &mut Out, gathered: &Gathered<'_>, verdicts: &Verdicts) -> Result<(), Untranslatable> {
    let at = At::Key(&At::Root, "reasoning_effort");
    let refuse = |why| refused(Group::Request, "reasoning_effort", at, why);
    let Some(effort) = gathered.effort.and_then(Value::as_str).filter(|effort| effort != "none") else { return Ok(()) };
    let wanted = verdicts.reasoning_budget_tokens.budget(&effort).ok_or_else(|| refuse("not a known effort"))?;
    if gathered.messages.is_some_and(messages::ends_in_unsigned_tool_calls) {
        // The provider wants its own signed reasoning back between a call and its result, and this dialect has no place for it.
        ledger.notice = Some("reasoning_state_missing");
        return Ok(());
    }
    let most = gathered.max_tokens.unwrap_or(u64::MAX);
    if most <= LEAST_BUDGET {
        return Err(refuse("the provider needs room for more than 1024 tokens to reason"));
    }
    if gathered.temperature.is_some_and(|temperature| !matches!(temperature.raw(), "1" | "1.0")) {
        return Err(refuse("the provider reasons only at temperature 1"));
    }
    if gathered.tool_choice.is_some_and(|choice| !choice.is_str("auto") && !choice.is_str("none")) {
        return Err(refuse("the provider does not reason when a tool is forced"));
    }
    out.key("thinking").object(|out| {
        out.key("type").str("enabled");
        out.key("budget_tokens").number(wanted.min(most / 2).max(LEAST_BUDGET));
    });
    Ok(())
}

fn tool_choice(out: &mut Out, gathered: &Gathered<'_>) -> Result<(), Untranslatable> {
    let choice = gathered.tool_choice;
    if !gathered.has_tools || choice.is_none() && !gathered.one_call_at_a_time {
        return Ok(());
    }
    let named = choice.and_then(|choice| choice.get("function")).and_then(|function| function.get("name"));
    let kind = match choice {
        None => "auto",
        Some(_) if named.is_some() => "tool",
        Some(choice) if choice.is_str("auto") => "auto",
        Some(choice) if choice.is_str("none") => "none",
        Some(choice) if choice.is_str("required") => "any",
        Some(_) => {
            return Err(refused(Group::Request, "tool_choice", At::Key(&At::Root, "tool_choice"), "not a choice the provider offers"));
        }
    };
    out.key("tool_choice").object(|out| {
        out.key("type").str(kind);
        if let Some(name) = named {
            out.key("name").raw(name.raw());
        }
        if gathered.one_call_at_a_time && kind != "none" {
            out.key("disable_parallel_tool_use").raw("true");
        }
    });
    Ok(())
}

/// Writes the tools and returns whether there are any.
fn tools(ledger: &mut Ledger<'_>, out: &mut Out, tools: Value<'_>, at: At<'_>) -> Result<bool, Untranslatable> {
    out.key("tools").try_array(|out| {
        for (index, tool) in tools.items().enumerate() {
            let at = At::Index(&at, index);
            let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
            if !ledger.judge(Group::Tool, &kind, at, false)? {
                continue;
            }
            match tool.get("function") {
                Some(function) => out.try_object(|out| put_function(ledger, out, tool, function, at))?,
                None => out.raw(tool.raw()),
            }
        }
        Ok(())
    })?;
    Ok(tools.items().next().is_some())
}

fn put_function(ledger: &mut Ledger<'_>, out: &mut Out, tool: Value<'_>, function: Value<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    let beside = tool.entries().filter(|(key, _)| key != "type" && key != "function").map(|field| (field, at));
    let inside_at = At::Key(&at, "function");
    let inside = function.entries().map(|field| (field, inside_at));
    let mut has_schema = false;
    for ((key, value), at) in inside.chain(beside) {
        let empty = value.is_null() || value.raw() == "false";
        if value.is_null() || !ledger.judge(Group::ToolField, &key, At::Key(&at, &key), empty)? {
            continue;
        }
        has_schema |= key == "parameters";
        out.key(if key == "parameters" { "input_schema" } else { &key }).raw(value.raw());
    }
    if !has_schema {
        out.key("input_schema").raw(r#"{"type":"object","properties":{}}"#);
    }
    Ok(())
}
