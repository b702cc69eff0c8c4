//! Anthropic `system` and `messages` as Ollama's messages: content is one text, images stand beside it, each result of a
//! tool is a message.

use super::{Called, put_call};
use crate::json::{Kind, Out, Value};
use crate::translate::Untranslatable;
use crate::translate::from_anthropic::{Sorted, judge_message, put_joined, put_result_text, sort, system_texts};
use crate::translate::ledger::{At, Ledger, refused};
use crate::translate::verdicts::Group;

pub(super) fn put(
    ledger: &mut Ledger<'_>,
    out: &mut Out,
    system: Option<Value<'_>>,
    messages: Option<Value<'_>>,
) -> Result<(), Untranslatable> {
    out.key("messages").try_array(|out| {
        if let Some(system) = system {
            let texts = system_texts(ledger, system)?;
            put_text(out, "system", &texts);
        }
        let mut called = Called::default();
        let list = At::Key(&At::Root, "messages");
        for (index, message) in messages.into_iter().flat_map(Value::items).enumerate() {
            put_message(ledger, out, message, &mut called, At::Index(&list, index))?;
        }
        Ok(())
    })
}

fn put_text(out: &mut Out, role: &str, texts: &[Value<'_>]) {
    if !texts.is_empty() {
        out.object(|out| {
            out.key("role").str(role);
            out.key("content");
            put_joined(out, "", texts, "\\n\\n");
        });
    }
}

fn put_message<'a>(
    ledger: &mut Ledger<'_>,
    out: &mut Out,
    message: Value<'a>,
    called: &mut Called<'a>,
    at: At<'_>,
) -> Result<(), Untranslatable> {
    let Some((role, content)) = judge_message(ledger, message, at)? else { return Ok(()) };
    if content.kind() == Kind::String {
        put_text(out, &role, &[content]);
        return Ok(());
    }
    let at = At::Key(&at, "content");
    let sorted = sort(ledger, content, at)?;
    put_results(out, &sorted, called);
    if sorted.parts.is_empty() && sorted.calls.is_empty() && sorted.thoughts.is_empty() {
        return Ok(());
    }
    out.try_object(|out| {
        out.key("role").str(&role);
        if !sorted.thoughts.is_empty() {
            out.key("thinking");
            put_joined(out, "", &sorted.thoughts, "");
        }
        out.key("content");
        put_joined(out, "", &sorted.texts, "\\n");
        put_images(out, &sorted, at)?;
        put_calls(out, &sorted, called);
        Ok(())
    })
}

fn put_results(out: &mut Out, sorted: &Sorted<'_>, called: &Called<'_>) {
    for result in &sorted.results {
        out.object(|out| {
            out.key("role").str("tool");
            called.put_result_of(out, result.block.get("tool_use_id"));
            out.key("content");
            put_result_text(out, result);
        });
    }
}

fn put_images(out: &mut Out, sorted: &Sorted<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    let images: Vec<_> = sorted.parts.iter().filter(|(block, _)| block.get("type").is_some_and(|kind| kind.is_str("image"))).collect();
    if images.is_empty() {
        return Ok(());
    }
    out.key("images").try_array(|out| {
        for (block, index) in images {
            let at = At::Index(&at, *index);
            let source = block.get("source");
            let field = |key: &str| source.and_then(|source| source.get(key));
            match (field("type").map_or("", Value::raw_inner), field("data")) {
                ("base64", Some(data)) => out.raw(data.raw()),
                ("url", _) => return Err(Untranslatable::ImageUrl { pointer: at.to_string() }),
                _ => return Err(refused(Group::Block, "image", at, "the image is neither inline nor an address")),
            }
        }
        Ok(())
    })
}

fn put_calls<'a>(out: &mut Out, sorted: &Sorted<'a>, called: &mut Called<'a>) {
    if sorted.calls.is_empty() {
        return;
    }
    out.key("tool_calls").array(|out| {
        for call in &sorted.calls {
            let name = call.get("name");
            called.note(*call, name);
            put_call(out, *call, name, call.get("input").map_or("{}", Value::raw));
        }
    });
}
