//! `vox chat`: one question, a piped one, or a conversation, through the same call path as the served API.

mod conversation;
mod message;
mod turn;

use super::Result;
use crate::context::Context;
use crate::output::{Answer, is_interactive};
use std::io::Read;
use std::path::PathBuf;
use turn::{Outcome, Turn};
use vox_base::{Coded, Kind, NanoUsd};
use vox_node::chat::Hints;

/// Longest question read from a pipe.
const MAX_PIPED_BYTES: u64 = 32 * 1024 * 1024;

/// Ask a model: once, from a pipe, or in a conversation.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox chat \"what is a B-tree?\"\n  git diff | vox chat \"review this\" -m vox/best\n  vox chat")]
pub(crate) struct Chat {
    /// What to ask; with a pipe, what to do with its text.
    prompt: Option<String>,
    /// Model: `vox/auto`, an alias such as `vox/best`, `provider/model`, or a model's own name.
    #[arg(short, long, default_value = "vox/auto")]
    model: String,
    /// Task category that routing decides by.
    #[arg(long)]
    task: Option<String>,
    /// How demanding it is, 1 to 10.
    #[arg(long, allow_negative_numbers = true)]
    complexity: Option<i64>,
    /// `cost`, `speed`, `quality`, `local`, or a family of models.
    #[arg(long)]
    prefer: Option<String>,
    /// Most the answer may cost, in USD; models that could cost more are not called.
    #[arg(long, value_name = "USD", value_parser = usd)]
    max_usd: Option<NanoUsd>,
    /// Longest answer in tokens.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: Option<u64>,
    /// What the model is told first.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Text file to send along; repeatable.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Image to send along; repeatable.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// JSON Schema file that the answer must fit.
    #[arg(long, value_name = "FILE")]
    json_schema: Option<PathBuf>,
    /// Wait for the whole answer.
    #[arg(long)]
    no_stream: bool,
    /// Session id that the calls are filed under.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Never answer with another model than the one decided on.
    #[arg(long)]
    no_fallback: bool,
}

fn usd(text: &str) -> std::result::Result<NanoUsd, String> {
    NanoUsd::from_usd(text).map_err(|error| error.to_string())
}

impl Chat {
    pub(crate) fn run(self, context: &Context) -> Result {
        crate::logs::cli(context)?;
        let question = match (&self.prompt, piped()?) {
            (Some(prompt), Some(text)) => Some(format!("{prompt}\n\n{text}")),
            (Some(prompt), None) => Some(prompt.clone()),
            (None, piped) => piped,
        };
        super::block_on(async {
            let Some(question) = question else {
                if !is_interactive() || context.out.json {
                    return Err(Coded::new(Kind::Usage, "cli.input_missing", "there is nothing to ask")
                        .expected("a prompt, or text on standard input")
                        .next("vox chat \"hello\""));
                }
                return conversation::run(context, &self).await;
            };
            self.once(context, &question).await
        })?
    }

    async fn once(&self, context: &Context, question: &str) -> Result {
        let node = context.open_node_here().await?;
        let messages = message::first(self, question)?;
        let turn = Turn::new(&node, self, &messages)?;
        let outcome = turn.run(context, self.no_stream || context.out.json).await;
        node.close();
        match outcome? {
            Outcome::Answered(answered) => {
                if !context.out.json {
                    context.out.note(&answered.cost_line());
                }
                let text = if context.out.json { answered.text.clone() } else { String::new() };
                Ok(Answer::new("vox.chat.v1", answered.report(), text))
            }
            Outcome::Cancelled { .. } => Err(Coded::new(Kind::Cancelled, "cli.cancelled", "cancelled; what was said is kept above")),
        }
    }

    fn hints(&self) -> Hints {
        Hints {
            task: self.task.clone(),
            complexity: self.complexity,
            budget: self.max_usd,
            prefer: self.prefer.clone(),
            session: self.session.clone(),
            fallback: self.no_fallback.then_some(false),
            ..Hints::default()
        }
    }
}

/// Returns the text of a pipe or file on standard input; a terminal has none.
fn piped() -> Result<Option<String>> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Ok(None);
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_PIPED_BYTES).read_to_string(&mut text).map_err(|error| {
        Coded::new(Kind::Usage, "cli.input_unreadable", format!("standard input cannot be read: {error}")).expected("UTF-8 text")
    })?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}
