use super::*;
use bytes::Bytes;
use serde_json::{Value, json};
use std::cell::Cell;
use vox_wire::Endpoint;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// A node's sessions, and a caller who talks with it.
struct Talk {
    sessions: Sessions,
    rules: SessionRules,
    n_ids: Cell<u8>,
}

impl Talk {
    fn new() -> Self {
        let rules = crate::settings::Settings::builtin().session;
        Self { sessions: Sessions::new(&[7; 32]), rules, n_ids: Cell::new(0) }
    }

    fn send(&self, caller: &str, dialect: Dialect, body: &Value) -> String {
        let chat = Chat::parse(dialect, Endpoint::Chat, Bytes::from(body.to_string())).unwrap();
        self.n_ids.set(self.n_ids.get() + 1);
        let begun = self.sessions.begin(caller.as_bytes(), None, &chat, &self.rules, NOW, || [self.n_ids.get(); 16]);
        begun.unwrap().id.to_string()
    }

    fn parent(&self, id: &str) -> Option<String> {
        let key = u128::from_str_radix(id, 16).unwrap();
        self.sessions.table.lock().get(key).unwrap().parent.as_ref().map(ToString::to_string)
    }
}

/// The request of turn `n`: everything said before and the user's next words, with a tool called in every third turn.
fn openai(n: usize, end: &str) -> Value {
    let mut messages = vec![json!({"role": "system", "content": format!("be brief\nToday's date: 2026-11-{n:02}\nbe kind")})];
    for turn in 0..=n {
        messages.push(json!({"role": "user", "content": if turn == n { format!("{turn}{end}") } else { turn.to_string() }}));
        if turn < n && turn % 3 == 0 {
            messages.push(json!({"role": "assistant", "content": "", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "read", "arguments": "{\"path\": \"a b\", \"n\": 1}"}}]}));
            messages.push(json!({"role": "tool", "tool_call_id": "t", "content": format!("content {turn}")}));
        }
        if turn < n {
            messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
        }
    }
    let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    json!({"model": "m", "messages": messages, "tools": [{"type": "function", "function": {"name": "read", "description": "reads", "parameters": parameters}}]})
}

/// The same request in the other dialect, with markers for the cache that move from turn to turn.
fn anthropic(n: usize, end: &str) -> Value {
    let mut messages = Vec::new();
    for turn in 0..=n {
        let text = if turn == n { format!("{turn}{end}") } else { turn.to_string() };
        let mut block = json!({"type": "text", "text": text});
        if turn == n {
            block["cache_control"] = json!({"type": "ephemeral"});
        }
        messages.push(json!({"role": "user", "content": [block]}));
        if turn < n && turn % 3 == 0 {
            let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
            messages.push(json!({"role": "assistant", "content": [thought, {"type": "tool_use", "id": "u", "name": "read", "input": {"path": "a b", "n": 1}}]}));
            messages.push(
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u", "content": format!("content {turn}")}]}),
            );
        }
        if turn < n {
            messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
        }
    }
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    json!({"model": "m", "max_tokens": 9, "messages": messages,
           "system": [{"type": "text", "text": format!("be brief\nbe kind\nToday's date: 2026-12-{n:02}"), "cache_control": {"type": "ephemeral"}}],
           "tools": [{"name": "read", "description": "reads", "input_schema": schema}]})
}

/// GW-49.
#[test]
fn gw_49_twenty_turns_are_one_session_in_either_dialect_and_in_both() {
    let talk = Talk::new();
    let first = talk.send("a", Dialect::Openai, &openai(0, ""));
    for turn in 1..20 {
        assert_eq!(talk.send("a", Dialect::Openai, &openai(turn, "")), first, "turn {turn}");
    }
    let other = Talk::new();
    let mixed = other.send("a", Dialect::Anthropic, &anthropic(0, ""));
    for turn in 1..20 {
        let id = if turn % 2 == 0 {
            other.send("a", Dialect::Anthropic, &anthropic(turn, ""))
        } else {
            other.send("a", Dialect::Openai, &openai(turn, ""))
        };
        assert_eq!(id, mixed, "turn {turn}");
    }
}

/// GW-49.
#[test]
fn gw_49_a_fork_is_a_child_and_another_key_another_session() {
    let talk = Talk::new();
    let ids: Vec<String> = (0..6).map(|turn| talk.send("a", Dialect::Openai, &openai(turn, ""))).collect();
    assert_eq!(talk.send("a", Dialect::Openai, &openai(5, "")), ids[0], "the same request again is the same session");
    let child = talk.send("a", Dialect::Openai, &openai(3, " in other words"));
    assert_ne!(child, ids[0]);
    assert_eq!(talk.parent(&child), Some(ids[0].clone()));
    assert_eq!(talk.send("a", Dialect::Openai, &openai(6, "")), ids[0], "the first one goes on");
    let other = talk.send("b", Dialect::Openai, &openai(6, ""));
    assert!(other != ids[0] && talk.parent(&other).is_none());
}

/// GW-49: without a word of an assistant, two requests that are alike are two conversations, and each goes on as one.
#[test]
fn gw_49_conversations_that_begin_alike_are_not_mixed() {
    let talk = Talk::new();
    let (one, two) = (talk.send("a", Dialect::Openai, &openai(0, "")), talk.send("a", Dialect::Openai, &openai(0, "")));
    assert_ne!(one, two);
    let answered = |answer: &str| {
        let mut body = openai(1, "");
        let last = body["messages"].as_array().unwrap().len() - 2;
        body["messages"][last]["content"] = answer.into();
        talk.send("a", Dialect::Openai, &body)
    };
    let (first, second) = (answered("this"), answered("that"));
    assert!(first != second && [&one, &two].contains(&&first) && [&one, &two].contains(&&second));
    let third = answered("something else");
    assert!(third != one && third != two, "both are taken");
}

#[test]
fn a_change_of_the_system_text_or_the_tools_begins_anew() {
    let talk = Talk::new();
    let first = talk.send("a", Dialect::Openai, &openai(2, ""));
    for change in ["/messages/0/content", "/tools/0/function/name", "/messages/1/content"] {
        let mut body = openai(3, "");
        *body.pointer_mut(change).unwrap() = "other".into();
        assert_ne!(talk.send("a", Dialect::Openai, &body), first, "{change}");
    }
    assert_eq!(talk.send("a", Dialect::Openai, &openai(3, "")), first);
}

/// GW-49: named sessions, in the order in which names are believed.
#[test]
fn gw_49_a_name_of_the_callers_own_is_the_session() {
    let talk = Talk::new();
    let begin = |caller: &str, header: Option<&str>, dialect: Dialect, fields: Value| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let chat = Chat::parse(dialect, Endpoint::Chat, Bytes::from(body.to_string())).unwrap();
        talk.sessions.begin(caller.as_bytes(), header, &chat, &talk.rules, NOW, || [9; 16]).unwrap()
    };
    let key = json!({"prompt_cache_key": "cache-1"});
    assert_eq!(&*begin("a", Some("mine"), Dialect::Openai, key.clone()).id, "mine");
    assert_eq!(&*begin("a", None, Dialect::Openai, key).id, "cache-1");
    for user in ["user_1_account_2_session_abc-1", r#"{"device_id":"d","session_id":"abc-1"}"#] {
        assert_eq!(&*begin("a", None, Dialect::Anthropic, json!({"metadata": {"user_id": user}})).id, "abc-1");
    }
    let usage = Usage { input: Some(10), cache_read: Some(90), ..Usage::default() };
    let task: Arc<str> = "review".into();
    let mine = begin("a", Some("mine"), Dialect::Openai, json!({}));
    talk.sessions.answered(&mine, &Answered { offer: "p/m", dialect: Dialect::Openai, usage: &usage, task: &task }, NOW);
    let view = begin("a", Some("mine"), Dialect::Openai, json!({})).view.unwrap();
    assert_eq!((&*view.offer, view.cached_tokens, view.n_turns), ("p/m", 100, 1));
    assert_eq!(view.cached_until, NOW.plus_millis(300_000));
    assert!(begin("b", Some("mine"), Dialect::Openai, json!({})).view.is_none(), "callers share nothing");
    let side = begin("a", Some("mine"), Dialect::Anthropic, json!({"system": "You write titles."}));
    assert!(side.view.is_none() && &*side.id == "mine", "another agent of the session has a cache of its own");
}

#[test]
fn the_cached_part_is_what_was_marked_or_all_of_it_where_a_provider_caches_by_itself() {
    let usage = Usage { input: Some(100), cache_read: Some(40), cache_write_5m: Some(5), ..Usage::default() };
    assert_eq!(cached_tokens(Dialect::Anthropic, &usage), 45);
    assert_eq!(cached_tokens(Dialect::Openai, &usage), 145);
    assert_eq!(cached_tokens(Dialect::Openai, &Usage { input: Some(100), ..Usage::default() }), 0, "it says nothing of a cache");
}
