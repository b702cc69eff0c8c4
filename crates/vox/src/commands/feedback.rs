//! `vox feedback`: a person's word about an answer. It is taken from a terminal, so that no script speaks for a person.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::Answer;
use clap::ValueEnum;
use std::io::IsTerminal;
use vox_api::PostOutcome;
use vox_base::{Coded, Entropy, InteractionId, Kind};
use vox_node::outcomes::{Intake, Poster, post};
use vox_route::outcome::{OutcomeRules, Source};
use vox_store::{Store, Wanted};

/// Say whether an answer was any good; the next decisions learn from it. Only from a terminal.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox feedback up last\n  vox feedback down 01a1fe63-9756-7c06-a333-6ad49e8643f8 --comment \"missed the edge case\"\n  vox feedback accept last"
)]
pub(crate) struct Feedback {
    /// `up` and `down` are a thumb; `accept` and `reject` say whether the result was taken over.
    #[arg(value_enum)]
    word: Word,
    /// Id of the call, its decision or its run, or `last`.
    id: String,
    /// Why, for whoever reads it later.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// A person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// It was good.
    Up,
    /// It was not.
    Down,
    /// The result was taken over.
    Accept,
    /// The result was thrown away.
    Reject,
}

impl Feedback {
    pub(crate) fn run(self, context: &Context) -> Result {
        of_a_person("feedback is a person's")?;
        let Some(_) = context.existing_store()? else { return Err(nothing()) };
        let store = context.store()?;
        let contract = context.config()?.contract;
        let entropy = context.entropy.clone();
        let random = move || ten(&*entropy);
        let intake = Intake { store: &store, rules: OutcomeRules::builtin(), contract: &contract, random: &random, now: context.now() };
        let posted = block_on(async {
            let outcome = self.outcome(&store, &random).await?;
            post(&intake, &Poster::Person, &outcome, self.comment.clone()).await
        })??;
        let models: Vec<String> =
            posted.credits.iter().map(|credit| format!("{}/{} ({})", credit.provider, credit.model, credit.task)).collect();
        let said = if posted.success == Some(true) { "good" } else { "bad" };
        let text = format!("{} {}: {said}; counts for {}", posted.unit_kind, posted.unit_id, models.join(", "));
        Ok(Answer::new("vox.feedback.v1", posted, text))
    }

    async fn outcome(&self, store: &Store, random: &dyn Fn() -> [u8; 10]) -> Result<PostOutcome> {
        let (interaction_id, run_id) = self.unit(store).await?;
        let source = if matches!(self.word, Word::Up | Word::Down) { Source::HumanFeedback } else { Source::Acceptance };
        Ok(PostOutcome {
            interaction_id,
            run_id,
            source: source.as_str().to_owned(),
            success: Some(matches!(self.word, Word::Up | Word::Accept)),
            idempotency_key: vox_base::Id::<()>::from_bytes(sixteen(random)).to_string(),
            ..PostOutcome::default()
        })
    }

    /// Returns the call or run that is meant: a decision has the id of its call.
    async fn unit(&self, store: &Store) -> Result<(Option<InteractionId>, Option<String>)> {
        if self.id == "last" {
            let last = store.call(Wanted::Last).await?.ok_or_else(nothing)?;
            return Ok((Some(last.interaction.interaction_id), None));
        }
        let Ok(id) = self.id.parse::<InteractionId>() else { return Ok((None, Some(self.id.clone()))) };
        match store.call(Wanted::Id(id)).await? {
            Some(call) => Ok((Some(call.interaction.interaction_id), None)),
            None => Ok((None, Some(self.id.clone()))),
        }
    }
}

fn nothing() -> Coded {
    Coded::new(Kind::Failed, "gateway.trace_unknown", "no call is stored yet").next("vox chat \"hello\"")
}

fn ten(entropy: &dyn Entropy) -> [u8; 10] {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    random
}

fn sixteen(random: &dyn Fn() -> [u8; 10]) -> [u8; 16] {
    let (first, second) = (random(), random());
    let mut bytes = [0; 16];
    bytes[..10].copy_from_slice(&first);
    bytes[10..].copy_from_slice(&second[..6]);
    bytes
}

/// Refuses what does not come from somebody at a terminal.
pub(crate) fn of_a_person(what: &str) -> Result<()> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Coded::new(Kind::Refused, "route.outcome_rejected", format!("{what}, and nobody sits at a terminal here"))
        .next("run it in a terminal; programs post outcomes to `/api/v1/outcomes`"))
}
