//! `vox keys`: who may call, what they may use, and what they may spend.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use std::time::Duration;
use vox_base::{Coded, Kind, NanoUsd, Timestamp};
use vox_node::key_admin::{self, BudgetReport, KeyReport, Limits, ParsedBudget, Shown, budget};

/// Make, list and change caller keys.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox keys create laptop --budget 5.00/day\n  vox keys list\n  vox keys revoke laptop")]
pub(crate) enum Keys {
    /// Make a key and print it, once.
    Create(Create),
    /// List all keys.
    List,
    /// Show one key with its budgets.
    Show(Named),
    /// Give a key a new secret; the old one works until the grace is over.
    Rotate(Rotate),
    /// Make a key unusable, and every key below it with it.
    Revoke(Revoke),
    /// Change what a key may do.
    Set(Set),
}

/// One key.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// Id, public part, or name of the key.
    #[arg(value_name = "KEY")]
    id: String,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox keys create laptop\n  vox keys create ci --models 'openrouter/*' --budget 1.00/day --budget 20/total --expires 30d\n  vox keys create ci-nightly --parent ci --budget 0.20/day --rpm 60"
)]
pub(crate) struct Create {
    /// Name of the key, for lists.
    name: String,
    /// Make it below another key: it may do no more than that one, counts against its limits too, and dies with it.
    #[arg(long, value_name = "KEY")]
    parent: Option<String>,
    #[command(flatten)]
    limits: Wanted,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vox keys set laptop --budget 10.00/day\n  vox keys set laptop --budget none/day --models '*' --expires never"
)]
pub(crate) struct Set {
    /// Id, public part, or name of the key.
    #[arg(value_name = "KEY")]
    id: String,
    #[command(flatten)]
    limits: Wanted,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// Id, public part, or name of the key.
    #[arg(value_name = "KEY")]
    id: String,
    /// How long the old secret still works.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = super::duration)]
    grace: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// Id, public part, or name of the key.
    #[arg(value_name = "KEY")]
    id: String,
    /// Mark every key below it as revoked too; they are unusable either way.
    #[arg(long)]
    tree: bool,
}

/// What a key may do.
#[derive(Debug, clap::Args)]
struct Wanted {
    /// Models it may use: patterns with `*`, separated by commas; `*` alone for all.
    #[arg(long, value_name = "PATTERN,…", value_delimiter = ',')]
    models: Vec<String>,
    /// What it may spend in a UTC day, week, month or in total; give it again for another window, `none/day` takes one away.
    #[arg(long = "budget", value_name = "USD/WINDOW", value_parser = budget)]
    budgets: Vec<ParsedBudget>,
    /// Let its budgets warn at 80 and 100 percent, and refuse only new calls above.
    #[arg(long)]
    soft: bool,
    /// When it ends: `30d`, a UTC date, or `never`.
    #[arg(long, value_name = "TIME|DATE", value_parser = expiry)]
    expires: Option<Expiry>,
    /// Whether a hard budget admits models of unknown price.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    allow_unpriced: Option<bool>,
    /// Requests it may have open at once; 0 for no limit.
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Requests it may send a minute, all of them at once or spread; 0 for no limit.
    #[arg(long, value_name = "N")]
    rpm: Option<u32>,
    /// Input and output tokens a minute; 0 for no limit.
    #[arg(long, value_name = "N")]
    tpm: Option<u32>,
}

/// The end of a key, as typed.
#[derive(Debug, Clone, Copy)]
enum Expiry {
    Never,
    In(Duration),
    At(Timestamp),
}

fn expiry(text: &str) -> std::result::Result<Expiry, String> {
    match (text, text.parse::<Timestamp>()) {
        ("never", _) => Ok(Expiry::Never),
        (_, Ok(at)) => Ok(Expiry::At(at)),
        (text, Err(_)) => {
            super::duration(text).map(Expiry::In).map_err(|_| "expected `30d`, a date such as `2027-01-31`, or `never`".to_owned())
        }
    }
}

impl Wanted {
    fn limits(self, now: Timestamp) -> Result<Limits> {
        let expires_at = self.expires.map(|expires| match expires {
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
            Expiry::In(time) => Some(now.plus_millis(millis(time))),
        });
        if let Some(Some(at)) = expires_at.filter(|at| at.is_some_and(|at| at <= now)) {
            return Err(Coded::new(Kind::Usage, "gateway.flag_invalid", format!("`--expires` is in the past: {at}")).at("--expires"));
        }
        Ok(Limits {
            models: (!self.models.is_empty()).then_some(self.models),
            budgets: self.budgets,
            soft: self.soft,
            expires_at,
            allow_unpriced: self.allow_unpriced,
            concurrency: self.concurrency.map(|n| (n > 0).then_some(n)),
            rpm: self.rpm.map(|n| (n > 0).then_some(n)),
            tpm: self.tpm.map(|n| (n > 0).then_some(n)),
        })
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Keys {
    pub(crate) fn run(self, context: &Context) -> Result {
        let now = context.now();
        match self {
            Self::Create(create) => {
                let limits = create.limits.limits(now)?;
                let store = context.store()?;
                let shown = block_on(key_admin::create(&store, &*context.entropy, now, &create.name, create.parent.as_deref(), &limits))??;
                Ok(once(context, "vox.keys.create.v1", &shown, "this is the only time the key is shown"))
            }
            Self::List => list(context, now),
            Self::Show(named) => {
                let report = block_on(key_admin::show(&existing(context, &named.id)?, now, &named.id))??;
                Ok(Answer::new("vox.keys.show.v1", &report, shown(&report)))
            }
            Self::Rotate(rotate) => {
                existing(context, &rotate.id)?;
                let store = context.store()?;
                let shown = block_on(key_admin::rotate(&store, &*context.entropy, now, &rotate.id, millis(rotate.grace)))??;
                let until = shown
                    .report
                    .previous_valid_until
                    .as_deref()
                    .map_or_else(|| "the old one is dead".to_owned(), |until| format!("the old one works until {until}"));
                Ok(once(context, "vox.keys.rotate.v1", &shown, &until))
            }
            Self::Revoke(revoke) => {
                existing(context, &revoke.id)?;
                let revoked = block_on(key_admin::revoke(&context.store()?, now, &revoke.id, revoke.tree))??;
                let text: String = revoked.iter().map(|key| format!("revoked {} ({})\n", key.name, key.key_id)).collect();
                Ok(Answer::new("vox.keys.revoke.v1", json!({ "revoked": revoked }), text))
            }
            Self::Set(set) => {
                existing(context, &set.id)?;
                let limits = set.limits.limits(now)?;
                if limits == Limits::default() {
                    return Err(Coded::new(Kind::Usage, "cli.usage", "nothing to change")
                        .expected("a flag such as `--budget 5.00/day`")
                        .next("vox help keys set"));
                }
                let report = block_on(key_admin::set(&context.store()?, now, &set.id, &limits))??;
                Ok(Answer::new("vox.keys.set.v1", &report, shown(&report)))
            }
        }
    }
}

/// Returns the store for reading; without one there is no key to be found, and none is made for it.
fn existing(context: &Context, wanted: &str) -> Result<vox_store::Store> {
    let missing =
        || Coded::new(Kind::Failed, "gateway.key_unknown", format!("no caller key is called `{wanted}`")).next("vox keys create NAME");
    context.existing_store()?.ok_or_else(missing)
}

/// Prints a key: alone on stdout, so that it can be piped, and the rest on stderr.
fn once(context: &Context, schema: &'static str, shown: &Shown, note: &str) -> Answer {
    context.out.note(&format!("{} ({}); {note}", shown.report.name, shown.report.key_id));
    Answer::new(schema, json!({ "key": shown.key.expose(), "stored": shown.report }), shown.key.expose().clone())
}

fn list(context: &Context, now: Timestamp) -> Result {
    let keys = match context.existing_store()? {
        Some(store) => block_on(key_admin::list(&store, now))??,
        None => Vec::new(),
    };
    if keys.is_empty() {
        context.out.note("no keys yet: `vox keys create NAME` makes one");
    }
    let mut rows = vec![["id", "name", "state", "budgets", "models", "last used"].map(str::to_owned).to_vec()];
    for key in &keys {
        let budgets: Vec<String> = key.budgets.iter().map(short).collect();
        rows.push(vec![
            key.key_id.clone(),
            key.name.clone(),
            key.state.to_owned(),
            if budgets.is_empty() { "none".to_owned() } else { budgets.join(", ") },
            key.models.as_ref().map_or_else(|| "all".to_owned(), |models| models.join(",")),
            key.last_used_day.clone().unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    let text = if keys.is_empty() { String::new() } else { table(&rows) };
    Ok(Answer::new("vox.keys.list.v1", json!({ "keys": keys }), text))
}

fn most(limit: Option<i64>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |n| n.to_string())
}

fn short(budget: &BudgetReport) -> String {
    let soft = if budget.mode == "soft" { " soft" } else { "" };
    format!("{}/{} of {}{soft}", NanoUsd::new(budget.spent_nano_usd), budget.window, NanoUsd::new(budget.limit_nano_usd))
}

fn shown(key: &KeyReport) -> String {
    let none = || "none".to_owned();
    let mut rows = vec![
        ("id", key.key_id.clone()),
        ("name", key.name.clone()),
        ("state", key.state.to_owned()),
        ("public part", format!("vox_{}_…", key.public_id)),
        ("models", key.models.as_ref().map_or_else(|| "all".to_owned(), |models| models.join(", "))),
        ("unpriced models", if key.allow_unpriced { "allowed under a hard budget" } else { "refused under a hard budget" }.to_owned()),
        ("open at once", most(key.concurrency)),
        ("requests a minute", most(key.rpm)),
        ("tokens a minute", most(key.tpm)),
        ("expires", key.expires_at.clone().unwrap_or_else(|| "never".to_owned())),
        ("made", format!("{} by {}", key.created_at, key.created_by)),
        ("last used", key.last_used_day.clone().unwrap_or_else(|| "never".to_owned())),
    ];
    rows.extend(key.parent_id.clone().map(|id| ("below", id)));
    rows.extend(key.revoked_at.clone().map(|at| ("revoked", at)));
    rows.extend(key.previous_valid_until.clone().map(|until| ("old secret", format!("works until {until}"))));
    if key.budgets.is_empty() {
        rows.push(("budget", none()));
    }
    for budget in &key.budgets {
        let resets = budget.resets_at.as_deref().map_or_else(String::new, |at| format!(", begins anew {at}"));
        rows.push(("budget", format!("{}{resets}", short(budget))));
    }
    table(&rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect::<Vec<_>>())
}
