//! One turn: sends the messages, prints the answer as it comes, and says what it cost. Ctrl-C cancels it.

use super::{Chat, message};
use crate::commands::Result;
use crate::context::Context;
use crate::output::stdout;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use vox_base::{Coded, CostSource, Kind, NanoUsd, Usage};
use vox_node::Node;
use vox_node::chat::{Call, ChatStream, Reply, ReplyBody, Trail};
use vox_wire::json::Document;
use vox_wire::{Delta, Dialect, Endpoint, Reader, StopReason, UsageRules, sse};

/// One question on its way.
pub(super) struct Turn<'a> {
    node: &'a Arc<Node>,
    chat: &'a Chat,
    messages: &'a [Value],
}

/// How a turn ended.
pub(super) enum Outcome {
    Answered(Box<Answered>),
    /// By Ctrl-C; the text is what had come until then.
    Cancelled {
        text: String,
    },
}

/// An answer.
pub(super) struct Answered {
    pub(super) text: String,
    trail: Trail,
    usage: Usage,
    pub(super) cost: Option<NanoUsd>,
    source: CostSource,
    stop: Option<StopReason>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(node: &'a Arc<Node>, chat: &'a Chat, messages: &'a [Value]) -> Result<Self> {
        Ok(Self { node, chat, messages })
    }

    /// Asks and prints. With `whole` nothing is printed before the answer is complete.
    pub(super) async fn run(&self, context: &Context, whole: bool) -> Result<Outcome> {
        let body = message::body(self.chat, self.messages, !whole)?;
        let chat = vox_wire::Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::from(body))?;
        let call = Call {
            caller: None,
            chat,
            hints: self.chat.hints(),
            forward: http::HeaderMap::new(),
            query: None,
            inbound: None,
            started: Instant::now(),
        };
        let mut said = String::new();
        let answering = async {
            let reply = self.node.chat(Box::new(call)).await.map_err(|refusal| refusal.error)?;
            answer(context, reply, &mut said).await
        };
        tokio::select! {
            answered = answering => return answered.map(|answered| Outcome::Answered(Box::new(answered))),
            _ = tokio::signal::ctrl_c() => {}
        }
        stdout("\n");
        Ok(Outcome::Cancelled { text: said })
    }
}

async fn answer(context: &Context, reply: Reply, said: &mut String) -> Result<Answered> {
    match reply.body {
        ReplyBody::Whole(body) => {
            let (cost, source) = reply.cost.unwrap_or((None, CostSource::Unknown));
            let mut reader = Reader::new(Dialect::Openai, UsageRules::default());
            let document = Document::parse(body).map_err(|_| malformed())?;
            reader.whole(&document, &mut |delta| add(&delta, said)).map_err(|_| malformed())?;
            if !context.out.json {
                stdout(&format!("{said}\n"));
            }
            let tally = reader.tally();
            Ok(Answered { text: said.clone(), usage: tally.usage, stop: tally.stop, trail: reply.trail, cost, source })
        }
        ReplyBody::Stream(stream) => print(*stream, reply.trail, said).await,
    }
}

async fn print(mut stream: ChatStream, trail: Trail, said: &mut String) -> Result<Answered> {
    let mut decoder = sse::Decoder::new();
    let mut reader = Reader::new(Dialect::Openai, UsageRules::default());
    let mut broken = None;
    while let Some(piece) = std::future::poll_fn(|cx| stream.poll_bytes(cx)).await {
        let Ok(bytes) = piece else { break };
        decoder.push(bytes);
        while let Ok(Some(event)) = decoder.next_event() {
            let before = said.len();
            let read = reader.event(&event, &mut |delta| {
                if let Delta::Error(error) = &delta {
                    broken = Some(error.message.clone());
                }
                add(&delta, said);
            });
            if read.is_ok() && said.len() > before && !stdout(&said[before..]) {
                return Err(Coded::new(Kind::Cancelled, "cli.cancelled", "nobody reads the answer any more"));
            }
        }
    }
    stdout("\n");
    let Some(finished) = stream.finished() else {
        let why = broken.unwrap_or_else(|| "the stream broke off".to_owned());
        return Err(Coded::new(Kind::Failed, "gateway.upstream_cut", format!("the answer is not complete: {why}"))
            .next(format!("vox trace {}", trail.interaction_id)));
    };
    Ok(Answered { text: said.clone(), usage: finished.usage, stop: finished.stop, cost: finished.cost, source: finished.source, trail })
}

fn add(delta: &Delta<'_>, said: &mut String) {
    if let Delta::Text(text) | Delta::Refusal(text) = delta {
        said.push_str(text);
    }
}

fn malformed() -> Coded {
    Coded::new(Kind::Failed, "gateway.upstream_malformed", "the answer is not one of its dialect")
}

impl Answered {
    /// Returns the line that tells a person which model answered and what it cost.
    pub(super) fn cost_line(&self) -> String {
        let tokens = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let cost = match self.cost {
            Some(cost) => format!("{cost} {}", self.source.as_str()),
            None => "unpriced".to_owned(),
        };
        format!(
            "[{} · {} in, {} out · {cost} · vox trace {}]",
            self.trail.model,
            tokens(self.usage.total_input()),
            tokens(self.usage.total_output()),
            self.trail.interaction_id
        )
    }

    /// Returns the answer as `--json` prints it.
    pub(super) fn report(&self) -> Value {
        let (provider, model) = self.trail.model.split_once('/').unwrap_or(("", &self.trail.model));
        json!({
            "text": self.text, "model": model, "provider": provider,
            "interaction_id": self.trail.interaction_id, "trace_id": self.trail.trace_id,
            "usage": self.usage, "cost_nano_usd": self.cost, "cost_source": self.source,
            "stop_reason": self.stop.map(StopReason::as_str),
        })
    }
}
