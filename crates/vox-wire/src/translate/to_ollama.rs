//! OpenAI chat and Anthropic messages to Ollama's `/api/chat`: the top level and tools. Messages are `openai` and
//! `anthropic`.

mod anthropic;
mod openai;

use super::ledger::{At, Ledger, refused};
use super::verdicts::Group;
use super::{Target, Translated, Untranslatable};
use crate::json::{Kind, Out, Value};
use crate::{Chat, Dialect};

/// Top-level fields that have another place in Ollama's requests.
#[derive(Default)]
struct Gathered<'a> {
    stream: bool,
    system: Option<Value<'a>>,
    messages: Option<Value<'a>>,
    /// Ollama's name and the value.
    options: Vec<(&'static str, Value<'a>)>,
    max_tokens: Option<Value<'a>>,
    stop: Option<Value<'a>>,
    /// The form of the answer: a schema, or `None` for any JSON.
    format: Option<Option<Value<'a>>>,
    think: Option<bool>,
}

pub(super) fn request(chat: &Chat, model: &str, target: &Target, mut ledger: Ledger<'_>) -> Result<Translated, Untranslatable> {
    let mut out = Out::with_capacity(chat.document.bytes().len() + 256);
    let root = chat.document.root();
    let offers_tools = !root.get("tool_choice").is_some_and(declines_tools);
    out.try_object(|out| {
        let mut gathered = Gathered::default();
        for (key, value) in root.entries().filter(|(_, value)| !value.is_null()) {
            let at = At::Key(&At::Root, &key);
            if !ledger.judge(Group::Request, &key, at, says_nothing(&key, value))? {
                continue;
            }
            match key.as_ref() {
                "model" => out.key("model").str(model),
                "tools" if offers_tools => tools(&mut ledger, out, value, at)?,
                "tools" => {}
                "response_format" => response_format(&mut ledger, &mut gathered, value, at)?,
                "output_config" => output_config(&mut ledger, &mut gathered, value, at)?,
                other => gathered.keep(other, value).unwrap_or_else(|| out.key(target.name(other)).raw(value.raw())),
            }
        }
        // Ollama streams unless it is told not to.
        out.key("stream").raw(if gathered.stream { "true" } else { "false" });
        gathered.put(out, context_tokens(chat, target));
        match chat.dialect {
            Dialect::Anthropic => anthropic::put(&mut ledger, out, gathered.system, gathered.messages),
            _ => openai::put(&mut ledger, out, gathered.messages),
        }
    })?;
    Ok(ledger.translated(out.finish()))
}

impl<'a> Gathered<'a> {
    /// Keeps a field for later; `None` if it is not one of those.
    fn keep(&mut self, key: &str, value: Value<'a>) -> Option<()> {
        match key {
            "stream" => self.stream = value.as_bool() == Some(true),
            "system" => self.system = Some(value),
            "messages" => self.messages = Some(value),
            "max_completion_tokens" => self.max_tokens = Some(value),
            "max_tokens" => self.max_tokens = self.max_tokens.or(Some(value)),
            "stop" | "stop_sequences" => self.stop = Some(value),
            "output_format" => self.format = Some(value.get("schema")),
            // A model either thinks or does not; only few know how much, and all others refuse to be told.
            "reasoning_effort" => self.think = Some(!value.is_str("none")),
            "thinking" => self.think = Some(value.get("type").is_some_and(|kind| !kind.is_str("disabled"))),
            "stream_options" => {}
            _ => self.options.push((option(key)?, value)),
        }
        Some(())
    }

    fn put(&self, out: &mut Out, context_tokens: u64) {
        if let Some(think) = self.think {
            out.key("think").raw(if think { "true" } else { "false" });
        }
        match self.format {
            Some(Some(schema)) => out.key("format").raw(schema.raw()),
            Some(None) => out.key("format").str("json"),
            None => {}
        }
        out.key("options").object(|out| {
            out.key("num_ctx").number(context_tokens);
            if let Some(most) = self.max_tokens {
                out.key("num_predict").raw(most.raw());
            }
            match self.stop {
                Some(stop) if stop.kind() == Kind::String => out.key("stop").array(|out| out.raw(stop.raw())),
                Some(stops) => out.key("stop").raw(stops.raw()),
                None => {}
            }
            self.options.iter().for_each(|(name, value)| out.key(name).raw(value.raw()));
        });
    }
}

/// Returns Ollama's option for a field of the same meaning.
fn option(key: &str) -> Option<&'static str> {
    ["temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty"].into_iter().find(|name| *name == key)
}

/// Returns whether a value is the one Ollama assumes anyway.
fn says_nothing(key: &str, value: Value<'_>) -> bool {
    match key {
        "tool_choice" => declines_tools(value) || leaves_the_choice(value),
        "parallel_tool_calls" => value.as_bool() == Some(true),
        "mcp_servers" => value.items().next().is_none(),
        _ => super::to_anthropic::says_nothing(key, value),
    }
}

fn declines_tools(choice: Value<'_>) -> bool {
    choice.is_str("none") || choice.get("type").is_some_and(|kind| kind.is_str("none"))
}

fn leaves_the_choice(choice: Value<'_>) -> bool {
    let one_at_a_time = choice.get("disable_parallel_tool_use").and_then(Value::as_bool) == Some(true);
    choice.is_str("auto") || choice.get("type").is_some_and(|kind| kind.is_str("auto")) && !one_at_a_time
}

/// Smallest context worth loading a model with.
const LEAST_CONTEXT: u64 = 4096;

/// Returns the context to ask for. Where the model's is known it is always that one, because Ollama loads a model anew
/// whenever another one is asked for; otherwise what the request needs, in steps of two.
fn context_tokens(chat: &Chat, target: &Target) -> u64 {
    let needed = || chat.input_tokens_upper().saturating_add(chat.max_output_tokens.unwrap_or(LEAST_CONTEXT));
    target.context_tokens.unwrap_or_else(|| needed().max(LEAST_CONTEXT).checked_next_power_of_two().unwrap_or(u64::MAX))
}

fn response_format<'a>(ledger: &mut Ledger<'_>, gathered: &mut Gathered<'a>, value: Value<'a>, at: At<'_>) -> Result<(), Untranslatable> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    if ledger.judge(Group::ResponseFormat, &kind, At::Key(&at, "type"), false)? && kind != "text" {
        gathered.format = Some(value.get("json_schema").and_then(|schema| schema.get("schema")));
    }
    Ok(())
}

fn output_config<'a>(ledger: &mut Ledger<'_>, gathered: &mut Gathered<'a>, config: Value<'a>, at: At<'_>) -> Result<(), Untranslatable> {
    for (key, value) in config.entries().filter(|(_, value)| !value.is_null()) {
        if ledger.judge(Group::OutputConfig, &key, At::Key(&at, &key), false)? && key == "format" {
            gathered.format = Some(value.get("schema"));
        }
    }
    Ok(())
}

/// Writes a request for vectors. Ollama would cut a text that is too long; the caller is told instead.
pub(super) fn embeddings(chat: &Chat, model: &str, target: &Target, mut ledger: Ledger<'_>) -> Result<Translated, Untranslatable> {
    let mut out = Out::with_capacity(chat.document.bytes().len() + 64);
    out.try_object(|out| {
        for (key, value) in chat.document.root().entries().filter(|(_, value)| !value.is_null()) {
            let at = At::Key(&At::Root, &key);
            match key.as_ref() {
                "model" => out.key("model").str(model),
                "input" if value.items().any(|item| item.kind() != Kind::String) => {
                    return Err(refused(Group::Request, "input", at, "the provider takes texts, not tokens"));
                }
                "input" | "dimensions" => out.key(&key).raw(value.raw()),
                "encoding_format" if value.is_str("float") || value.is_str("base64") => {}
                "encoding_format" => return Err(refused(Group::Request, "encoding_format", at, "expected `float` or `base64`")),
                other => drop(ledger.judge(Group::Request, other, at, false)?),
            }
        }
        out.key("truncate").raw("false");
        out.key("options").object(|out| out.key("num_ctx").number(context_tokens(chat, target)));
        Ok(())
    })?;
    Ok(ledger.translated(out.finish()))
}

/// Writes tools of either dialect.
fn tools(ledger: &mut Ledger<'_>, out: &mut Out, tools: Value<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    if tools.items().next().is_none() {
        return Ok(());
    }
    out.key("tools").try_array(|out| {
        for (index, tool) in tools.items().enumerate() {
            let at = At::Index(&at, index);
            let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
            let (name, is_function) = match (kind.as_ref(), tool.get("function"), tool.get("name")) {
                ("function", Some(_), _) => ("function", true),
                ("" | "custom", None, Some(_)) => ("custom", true),
                (_, None, Some(_)) => ("server", false),
                (other, ..) => (other, false),
            };
            if !ledger.judge(Group::Tool, name, at, false)? {
                continue;
            }
            if is_function { put_function(ledger, out, tool, at)? } else { out.raw(tool.raw()) }
        }
        Ok(())
    })
}

fn put_function(ledger: &mut Ledger<'_>, out: &mut Out, tool: Value<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    let inside_at = At::Key(&at, "function");
    let inside = tool.get("function").into_iter().flat_map(Value::entries).map(|field| (field, inside_at));
    let beside = tool.entries().filter(|(key, _)| key != "type" && key != "function").map(|field| (field, at));
    let mut has_schema = false;
    out.try_object(|out| {
        out.key("type").str("function");
        out.key("function").try_object(|out| {
            for ((key, value), at) in inside.chain(beside) {
                let says_nothing = matches!(value.raw(), "false" | "[]" | r#"["direct"]"#);
                if value.is_null() || !ledger.judge(Group::ToolField, &key, At::Key(&at, &key), says_nothing)? {
                    continue;
                }
                let is_schema = matches!(key.as_ref(), "parameters" | "input_schema");
                has_schema |= is_schema;
                out.key(if is_schema { "parameters" } else { &key }).raw(value.raw());
            }
            if !has_schema {
                out.key("parameters").raw(r#"{"type":"object","properties":{}}"#);
            }
            Ok(())
        })
    })
}

/// The names of the tools called so far, by the id of the call: Ollama tells results apart by name.
#[derive(Default)]
struct Called<'a>(Vec<(std::borrow::Cow<'a, str>, Value<'a>)>);

impl<'a> Called<'a> {
    fn note(&mut self, call: Value<'a>, name: Option<Value<'a>>) {
        if let (Some(id), Some(name)) = (call.get("id").and_then(Value::as_str), name) {
            self.0.push((id, name));
        }
    }

    /// Writes whose result it is: the name of the tool, and the id for versions that know ids.
    fn put_result_of(&self, out: &mut Out, id: Option<Value<'_>>) {
        let Some(id) = id.and_then(Value::as_str) else { return };
        out.key("tool_call_id").str(&id);
        if let Some((_, name)) = self.0.iter().rfind(|(known, _)| *known == id) {
            out.key("tool_name").raw(name.raw());
        }
    }
}

/// Writes one call; its arguments are the text of an object.
fn put_call(out: &mut Out, call: Value<'_>, name: Option<Value<'_>>, arguments: &str) {
    out.object(|out| {
        if let Some(id) = call.get("id") {
            out.key("id").raw(id.raw());
        }
        out.key("function").object(|out| {
            out.key("name").raw(name.map_or("\"\"", Value::raw));
            out.key("arguments").raw(arguments);
        });
    });
}
