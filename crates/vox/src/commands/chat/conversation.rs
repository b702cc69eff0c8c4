//! The conversation at a terminal: several turns, and a few commands that begin with a slash.

use super::turn::{Outcome, Turn};
use super::{Chat, message};
use crate::commands::Result;
use crate::context::Context;
use crate::output::Answer;
use serde_json::{Value, json};
use vox_base::{Coded, Kind, NanoUsd};

const HELP: &str = "/model NAME   answer with another model\n/cost         what this conversation has cost\n/retry        ask the last question again\n/save FILE    write the conversation as JSON\n/quit         end";

struct Conversation<'a> {
    context: &'a Context,
    chat: Chat,
    messages: Vec<Value>,
    cost: NanoUsd,
    n_unpriced: u32,
}

/// Talks until `/quit`, the end of input, or a second Ctrl-C.
pub(super) async fn run(context: &Context, chat: &Chat) -> Result {
    let node = context.open_node_here().await?;
    context.out.note("ask something; /help lists commands, /quit ends");
    let chat = Chat {
        prompt: None,
        files: Vec::new(),
        images: Vec::new(),
        system: chat.system.clone(),
        model: chat.model.clone(),
        task: chat.task.clone(),
        prefer: chat.prefer.clone(),
        session: chat.session.clone(),
        json_schema: chat.json_schema.clone(),
        ..*chat
    };
    let mut conversation = Conversation { context, chat, messages: Vec::new(), cost: NanoUsd::ZERO, n_unpriced: 0 };
    let mut interrupted = false;
    let ended = loop {
        let line = match read_line(context) {
            Line::Text(line) => line,
            Line::End => break Ok(()),
            Line::Interrupted if interrupted => break Err(Coded::new(Kind::Cancelled, "cli.cancelled", "cancelled")),
            Line::Interrupted => {
                interrupted = true;
                context.out.note("once more to end");
                continue;
            }
        };
        interrupted = false;
        match conversation.command(&line) {
            Next::Ask(question) => interrupted = conversation.ask(&node, &question).await,
            Next::Nothing => {}
            Next::Quit => break Ok(()),
        }
    };
    node.close();
    ended?;
    Ok(Answer::new(
        "vox.chat.v1",
        json!({ "cost_nano_usd": conversation.cost, "messages": conversation.messages.len() }),
        conversation.total(),
    ))
}

enum Line {
    Text(String),
    End,
    Interrupted,
}

enum Next {
    Ask(String),
    Nothing,
    Quit,
}

fn read_line(context: &Context) -> Line {
    let render = if context.out.color { inquire::ui::RenderConfig::default_colored() } else { inquire::ui::RenderConfig::empty() };
    match inquire::Text::new("you:").with_render_config(render).prompt() {
        Ok(line) => Line::Text(line),
        Err(inquire::InquireError::OperationInterrupted) => Line::Interrupted,
        Err(_) => Line::End,
    }
}

impl Conversation<'_> {
    fn command(&mut self, line: &str) -> Next {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match word {
            "" => Next::Nothing,
            "/quit" | "/exit" => Next::Quit,
            "/help" => self.say(HELP),
            "/cost" => self.say(&self.total()),
            "/model" if rest.is_empty() => self.say(&self.chat.model),
            "/model" => {
                self.chat.model = rest.trim().to_owned();
                Next::Nothing
            }
            "/retry" => self.retry(),
            "/save" => self.save(rest.trim()),
            _ if word.starts_with('/') => self.say("no such command; /help lists them"),
            _ => Next::Ask(line.to_owned()),
        }
    }

    fn say(&self, text: &str) -> Next {
        self.context.out.note(text);
        Next::Nothing
    }

    fn total(&self) -> String {
        let unpriced = if self.n_unpriced > 0 { format!(", {} answers unpriced", self.n_unpriced) } else { String::new() };
        format!("{}{unpriced}", self.cost)
    }

    /// Takes the last question and its answer back and asks anew.
    fn retry(&mut self) -> Next {
        let Some(at) = self.messages.iter().rposition(|message| message["role"] == "user") else {
            return self.say("nothing was asked yet");
        };
        let question = self.messages[at]["content"].as_str().unwrap_or_default().to_owned();
        self.messages.truncate(at);
        Next::Ask(question)
    }

    fn save(&self, file: &str) -> Next {
        if file.is_empty() {
            return self.say("expected a file: /save FILE");
        }
        let text = serde_json::to_vec_pretty(&self.messages).unwrap_or_default();
        match vox_host::fs::replace(std::path::Path::new(file), &text, &*self.context.entropy) {
            Ok(()) => self.say(&format!("saved {} messages", self.messages.len())),
            Err(error) => self.say(&error.to_string()),
        }
    }

    /// Asks one question; returns whether Ctrl-C cancelled it.
    async fn ask(&mut self, node: &std::sync::Arc<vox_node::Node>, question: &str) -> bool {
        let first = if self.messages.is_empty() {
            message::first(&self.chat, question)
        } else {
            Ok(vec![json!({ "role": "user", "content": question })])
        };
        match first {
            Ok(messages) => self.messages.extend(messages),
            Err(error) => {
                self.context.out.error(&error);
                return false;
            }
        }
        let outcome = match Turn::new(node, &self.chat, &self.messages) {
            Ok(turn) => turn.run(self.context, self.chat.no_stream).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(Outcome::Answered(answered)) => {
                self.messages.push(json!({ "role": "assistant", "content": answered.text }));
                self.cost = self.cost.saturating_add(answered.cost.unwrap_or_default());
                self.n_unpriced += u32::from(answered.cost.is_none());
                self.context.out.note(&answered.cost_line());
                false
            }
            Ok(Outcome::Cancelled { text }) => {
                self.messages.push(json!({ "role": "assistant", "content": text }));
                self.context.out.note("[cancelled; what was said is kept]");
                true
            }
            Err(error) => {
                self.messages.pop();
                self.context.out.error(&error);
                false
            }
        }
    }
}
