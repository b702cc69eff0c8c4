//! Anthropic messages to OpenAI chat: the top level and tools. Messages are `messages`.

mod messages;

use super::ledger::{At, Ledger, refused};
use super::verdicts::{Group, Verdicts};
use super::{Target, Translated, Untranslatable};
use crate::Chat;
use crate::json::{Out, Value};
use std::borrow::Cow;

/// Top-level fields that are only known together.
#[derive(Default)]
struct Gathered<'a> {
    system: Option<Value<'a>>,
    messages: Option<Value<'a>>,
    has_tools: bool,
    tool_choice: Option<Value<'a>>,
    thinking_budget: Option<u64>,
    effort: Option<Cow<'a, str>>,
    schema: Option<Value<'a>>,
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
                "stop_sequences" => stop(out, value, at, verdicts, target)?,
                "tools" => gathered.has_tools = tools(&mut ledger, out, value, at)?,
                "output_config" => output_config(&mut ledger, &mut gathered, value, at)?,
                other => gathered.keep(other, value).unwrap_or_else(|| out.key(target.name(other)).raw(value.raw())),
            }
        }
        if chat.stream && target.stream_usage_on_request {
            out.key("stream_options").raw(r#"{"include_usage":true}"#);
        }
        reasoning_effort(out, &gathered, verdicts);
        response_format(out, &gathered);
        tool_choice(out, &gathered)?;
        messages::put(&mut ledger, out, gathered.system, gathered.messages, target)
    })?;
    Ok(ledger.translated(out.finish()))
}

impl<'a> Gathered<'a> {
    /// Keeps a field for later; `None` if it is not one of those.
    fn keep(&mut self, key: &str, value: Value<'a>) -> Option<()> {
        match key {
            "system" => self.system = Some(value),
            "messages" => self.messages = Some(value),
            "tool_choice" => self.tool_choice = Some(value),
            "thinking" => self.thinking_budget = value.get("budget_tokens").and_then(Value::as_u64),
            "output_format" => self.schema = Some(value),
            _ => return None,
        }
        Some(())
    }
}

/// Returns whether a value is the one a provider assumes anyway.
fn says_nothing(key: &str, value: Value<'_>) -> bool {
    match key {
        "mcp_servers" => value.items().next().is_none(),
        "thinking" => value.get("type").is_some_and(|kind| kind.is_str("disabled")),
        _ => false,
    }
}

fn stop(out: &mut Out, value: Value<'_>, at: At<'_>, verdicts: &Verdicts, target: &Target) -> Result<(), Untranslatable> {
    let n_sequences = value.items().count();
    if n_sequences > verdicts.openai_stop_sequences_max() {
        return Err(refused(Group::Request, "stop_sequences", at, "more than the provider takes"));
    }
    if n_sequences > 0 {
        out.key(target.name("stop")).raw(value.raw());
    }
    Ok(())
}

fn output_config<'a>(ledger: &mut Ledger<'_>, gathered: &mut Gathered<'a>, config: Value<'a>, at: At<'_>) -> Result<(), Untranslatable> {
    for (key, value) in config.entries().filter(|(_, value)| !value.is_null()) {
        if ledger.judge(Group::OutputConfig, &key, At::Key(&at, &key), false)? {
            match key.as_ref() {
                "effort" => gathered.effort = value.as_str(),
                "format" => gathered.schema = Some(value),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The caller's own word for the effort wins over a budget.
fn reasoning_effort(out: &mut Out, gathered: &Gathered<'_>, verdicts: &Verdicts) {
    let by_word = gathered.effort.as_deref().map(|effort| if effort == "max" { "xhigh" } else { effort });
    let by_budget = gathered.thinking_budget.map(|budget| verdicts.reasoning_budget_tokens.effort(budget));
    if let Some(effort) = by_word.or(by_budget) {
        out.key("reasoning_effort").str(effort);
    }
}

fn response_format(out: &mut Out, gathered: &Gathered<'_>) {
    let Some(schema) = gathered.schema.and_then(|format| format.get("schema")) else { return };
    out.key("response_format").object(|out| {
        out.key("type").str("json_schema");
        out.key("json_schema").object(|out| {
            out.key("name").str("answer");
            out.key("strict").raw("true");
            out.key("schema").raw(schema.raw());
        });
    });
}

fn tool_choice(out: &mut Out, gathered: &Gathered<'_>) -> Result<(), Untranslatable> {
    let Some(choice) = gathered.tool_choice.filter(|_| gathered.has_tools) else { return Ok(()) };
    let kind = choice.get("type").and_then(Value::as_str).unwrap_or_default();
    match (kind.as_ref(), choice.get("name")) {
        ("auto" | "none", _) => out.key("tool_choice").str(&kind),
        ("any", _) => out.key("tool_choice").str("required"),
        ("tool", Some(name)) => out.key("tool_choice").object(|out| {
            out.key("type").str("function");
            out.key("function").object(|out| out.key("name").raw(name.raw()));
        }),
        _ => return Err(refused(Group::Request, "tool_choice", At::Key(&At::Root, "tool_choice"), "not a choice the provider offers")),
    }
    if choice.get("disable_parallel_tool_use").and_then(Value::as_bool) == Some(true) {
        out.key("parallel_tool_calls").raw("false");
    }
    Ok(())
}

/// Writes the tools and returns whether there are any.
fn tools(ledger: &mut Ledger<'_>, out: &mut Out, tools: Value<'_>, at: At<'_>) -> Result<bool, Untranslatable> {
    if tools.items().next().is_none() {
        return Ok(false);
    }
    out.key("tools").try_array(|out| {
        for (index, tool) in tools.items().enumerate() {
            let at = At::Index(&at, index);
            let kind = tool.get("type").and_then(Value::as_str).filter(|kind| kind != "custom");
            let is_custom = kind.is_none();
            if !ledger.judge(Group::Tool, if is_custom { "custom" } else { "server" }, at, false)? {
                continue;
            }
            if is_custom {
                put_function(ledger, out, tool, at)?;
            } else {
                out.raw(tool.raw());
            }
        }
        Ok(())
    })?;
    Ok(true)
}

fn put_function(ledger: &mut Ledger<'_>, out: &mut Out, tool: Value<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    out.try_object(|out| {
        out.key("type").str("function");
        out.key("function").try_object(|out| {
            for (key, value) in tool.entries().filter(|(key, value)| key != "type" && !value.is_null()) {
                let says_nothing = matches!(value.raw(), "false" | "[]" | r#"["direct"]"#);
                if ledger.judge(Group::ToolField, &key, At::Key(&at, &key), says_nothing)? {
                    out.key(if key == "input_schema" { "parameters" } else { &key }).raw(value.raw());
                }
            }
            Ok(())
        })
    })
}
