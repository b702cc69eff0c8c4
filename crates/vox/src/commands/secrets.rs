//! `vox secrets`: keys of providers and services, sealed in the vault. No value is ever taken from the command line or
//! printed.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use std::io::Read as _;
use vox_base::{Coded, Kind, Secret, Timestamp};
use vox_node::secrets::{Explained, NewValue, Secrets as Opened, Standing};
use vox_vault::{Filter, LookupError, Profile};

/// Keep and look up secrets.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox secrets set openrouter.api_key\n  vox secrets status\n  vox secrets explain OPENAI_API_KEY")]
pub(crate) enum Secrets {
    /// Keep a value; it is asked for, or read from stdin with `--stdin`.
    Set(Set),
    /// List every secret vox knows.
    List(Which),
    /// Show which secrets have a value, and where it comes from.
    Status(Status),
    /// Take a value away; its sealed record stays in the log.
    Rm(Rm),
    /// Show every source of one secret, and which of them wins.
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox secrets set openrouter.api_key\n  vox secrets set github.token --stdin < token.txt")]
pub(crate) struct Set {
    /// Id of the secret, or its environment name.
    id: String,
    /// Read the value from stdin, without its last line end.
    #[arg(long)]
    stdin: bool,
    /// Keep the last line end of stdin.
    #[arg(long, requires = "stdin")]
    keep_newline: bool,
    /// The UTC day from which on the value is no good any more.
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires: Option<Timestamp>,
    /// Only if the secret is at this version; 0 means it has no value yet.
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Catches a value typed after the id.
    #[arg(hide = true, num_args = 0..)]
    extra: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Only this class: runtime, account, operator, integration, transport or bootstrap.
    #[arg(long, value_parser = word::<vox_vault::Class>)]
    class: Option<vox_vault::Class>,
    /// Only this sort of service: llm, gpu, search, platform, forge, publish, integration, mesh, telemetry or identity.
    #[arg(long, value_parser = word::<vox_vault::Taxonomy>)]
    taxonomy: Option<vox_vault::Taxonomy>,
    /// Only those that may follow you to other devices.
    #[arg(long)]
    shareable: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    which: Which,
    /// Only those without a value.
    #[arg(long)]
    missing: bool,
    /// Chain of sources to use.
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rm {
    /// Id of the secret, or its environment name.
    id: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// Id of the secret, or its environment name.
    id: String,
    /// Chain of sources to use.
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
}

fn date(text: &str) -> std::result::Result<Timestamp, String> {
    text.parse().map_err(|error: vox_base::InvalidTime| error.to_string())
}

fn profile(text: &str) -> std::result::Result<Profile, String> {
    Profile::parse(text).ok_or_else(|| "expected dev, ci or prod".to_owned())
}

/// Reads a word of the registry's vocabulary.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_value(json!(text)).map_err(|error| error.to_string())
}

impl Secrets {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self {
            Self::Set(set) => set.run(context),
            Self::List(which) => Ok(list(&which)),
            Self::Status(status) => status.run(context),
            Self::Rm(rm) => rm.run(context),
            Self::Explain(explain) => explain.run(context),
        }
    }
}

fn not_answered(error: &inquire::InquireError) -> Coded {
    use inquire::InquireError::{OperationCanceled, OperationInterrupted};
    match error {
        OperationCanceled | OperationInterrupted => Coded::new(Kind::Cancelled, "cli.cancelled", "cancelled; nothing was changed"),
        error => {
            Coded::new(Kind::Usage, "cli.answer_needed", format!("the terminal gives no answer: {error}")).next("`--stdin` reads the value")
        }
    }
}

impl Set {
    fn run(self, context: &Context) -> Result {
        if !self.extra.is_empty() {
            return Err(Coded::new(
                Kind::Usage,
                "secret.value_in_argv",
                "a value may not stand on the command line: other processes and your shell's history can read it",
            )
            .expected("only the id")
            .next("replace that value, it has been seen; then `vox secrets set ID` asks for the new one, or `--stdin` reads it"));
        }
        let registry = vox_vault::Registry::builtin();
        let spec = registry.find(&self.id).map_err(unnamed)?;
        if spec.device_local {
            return Err(Coded::new(
                Kind::Refused,
                "secret.source_refused",
                format!("`{}` is made by this device and set by nobody", spec.id),
            ));
        }
        let value = self.value(context, &spec.id)?;
        if let Some(doubt) = spec.shape_warning(value.expose()) {
            context.out.warn(&format!("the value of `{}` looks odd: {doubt}", spec.id));
        }
        let secrets = context.secrets(Some(context.store()?))?;
        let new = NewValue { id: &spec.id, value: &value, expires: self.expires, if_version: self.if_version };
        let changed = block_on(secrets.set(&new))??;
        if let Some(kind) = changed.vault_made_for {
            context.out.note(&format!("made the vault; it opens with: {}", kind.replace('_', " ")));
        }
        let text = format!("{} is at version {}", changed.id, changed.version);
        Ok(Answer::new("vox.secrets.set.v1", changed, text))
    }

    fn value(&self, context: &Context, id: &str) -> Result<Secret<String>> {
        if self.stdin {
            return from_stdin(self.keep_newline);
        }
        if !context.may_ask() {
            return Err(Coded::new(Kind::Usage, "cli.answer_needed", "the value has to be asked for, and there is nobody to ask")
                .expected("`--stdin` with the value on stdin"));
        }
        let question = format!("Value of {id}:");
        inquire::Password::new(&question).without_confirmation().prompt().map(Secret::new).map_err(|error| not_answered(&error))
    }
}

/// Says that a text names no secret without repeating it: it may be the value, typed in the wrong place.
fn unnamed(error: LookupError) -> Coded {
    let expected = match &error {
        LookupError::Ambiguous { .. } => return error.into(),
        LookupError::Unknown { near, .. } if near.is_empty() => "an id or an environment name".to_owned(),
        LookupError::Unknown { near, .. } => format!("`{}`", near.join("` or `")),
    };
    Coded::new(Kind::Usage, "secret.bad_id", "the first word names no secret").expected(expected).next("vox secrets list")
}

/// One more than what fits, so that a value that is too large is refused as such.
const MAX_STDIN_BYTES: u64 = 128 * 1024;

fn from_stdin(keep_newline: bool) -> Result<Secret<String>> {
    let unreadable = |why: &str| Coded::new(Kind::Usage, "secret.not_text", format!("stdin cannot be taken: {why}")).expected("UTF-8 text");
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_STDIN_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(&error.to_string()))?;
    let mut text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8"))?;
    if !keep_newline && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::new(text))
}

impl Which {
    fn filter(&self) -> Filter {
        Filter { class: self.class, taxonomy: self.taxonomy, shareable: self.shareable.then_some(true) }
    }
}

fn list(which: &Which) -> Answer {
    let registry = vox_vault::Registry::builtin();
    let specs: Vec<_> = registry.list(which.filter()).collect();
    let rows = specs.iter().map(|spec| {
        json!({
            "id": spec.id, "taxonomy": spec.taxonomy, "class": spec.class, "material": spec.material, "env": spec.env_name(),
            "aliases": spec.aliases, "deprecated": spec.deprecated, "shareable": spec.shareable, "device_local": spec.device_local,
        })
    });
    let mut text = vec![["id", "environment", "for", "shareable"].map(str::to_owned).to_vec()];
    text.extend(specs.iter().map(|spec| {
        let taxonomy = json!(spec.taxonomy).as_str().unwrap_or_default().to_owned();
        vec![
            spec.id.clone(),
            spec.env_name().unwrap_or_else(|| "-".to_owned()),
            taxonomy,
            if spec.shareable { "yes" } else { "no" }.to_owned(),
        ]
    }));
    Answer::new("vox.secrets.list.v1", json!({ "secrets": rows.collect::<Vec<_>>() }), table(&text))
}

/// Opens the secrets for looking at them: an existing vault is read, none is made.
fn look(context: &Context, profile: Option<Profile>) -> Result<Opened> {
    let secrets = context.secrets(context.existing_store()?)?;
    let secrets = match profile {
        Some(profile) => secrets.with_profile(profile),
        None => secrets,
    };
    block_on(secrets.refresh())??;
    if let Some(why) = secrets.locked() {
        context.out.warn(&format!("the vault is locked: {why}"));
    }
    Ok(secrets)
}

impl Status {
    fn run(self, context: &Context) -> Result {
        let secrets = look(context, self.profile)?;
        let mut standings = secrets.status(self.which.filter());
        if self.missing {
            standings.retain(|standing| standing.source.is_none());
        }
        let mut rows = vec![["id", "status", "from", "version", "set"].map(str::to_owned).to_vec()];
        rows.extend(standings.iter().filter(|standing| self.missing || standing.status != "missing_optional").map(row));
        let mut text = if rows.len() == 1 { "no secret has a value\n".to_owned() } else { table(&rows) };
        for warning in standings.iter().flat_map(|standing| &standing.warnings) {
            text.push_str(&format!("{warning}\n"));
        }
        Ok(Answer::new("vox.secrets.status.v1", json!({ "profile": secrets.profile().as_str(), "secrets": standings }), text))
    }
}

fn row(standing: &Standing) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        standing.id.clone(),
        standing.status.to_owned(),
        or_dash(standing.source.clone()),
        or_dash(standing.version.map(|version| format!("v{version}"))),
        or_dash(standing.set_at.clone()),
    ]
}

impl Rm {
    fn run(self, context: &Context) -> Result {
        let registry = vox_vault::Registry::builtin();
        let id = registry.find(&self.id)?.id.clone();
        if !self.yes {
            confirm(context, &id)?;
        }
        let missing = || Coded::from(vox_vault::VaultError::Missing(id.clone()));
        context.existing_store()?.ok_or_else(missing)?;
        let secrets = context.secrets(Some(context.store()?))?;
        let changed = block_on(secrets.remove(&id))??;
        let text = format!("{} has no value any more; its sealed record stays in the log", changed.id);
        Ok(Answer::new("vox.secrets.rm.v1", changed, text))
    }
}

fn confirm(context: &Context, id: &str) -> Result<()> {
    if !context.may_ask() {
        return Err(Coded::new(
            Kind::Usage,
            "cli.answer_needed",
            format!("taking `{id}` away has to be confirmed, and there is nobody to ask"),
        )
        .expected("`--yes`"));
    }
    let question = format!("Take the value of {id} away?");
    match inquire::Confirm::new(&question).with_default(false).prompt() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Coded::new(Kind::Cancelled, "cli.cancelled", "cancelled; nothing was changed")),
        Err(error) => Err(not_answered(&error)),
    }
}

impl Explain {
    fn run(self, context: &Context) -> Result {
        let explained = look(context, self.profile)?.explain(&self.id)?;
        let text = explain(&explained);
        Ok(Answer::new("vox.secrets.explain.v1", explained, text))
    }
}

fn explain(explained: &Explained) -> String {
    let standing = &explained.standing;
    let version = standing.version.map_or_else(String::new, |version| format!(" v{version}"));
    let from = standing.source.as_ref().map_or_else(String::new, |source| format!(" from {source}{version}"));
    let mut text = format!("{}: {}{from} (profile {})\n", standing.id, standing.status, explained.profile);
    if let Some(shown) = &explained.shown {
        text.push_str(&format!("value {shown}\n"));
    }
    let mut rows = vec![["source", "state", "fingerprint", "why"].map(str::to_owned).to_vec()];
    rows.extend(explained.candidates.iter().map(|candidate| {
        let fingerprint = candidate.fingerprint.clone().unwrap_or_else(|| "-".to_owned());
        vec![candidate.source.clone(), candidate.state.to_owned(), fingerprint, candidate.why.unwrap_or_default().to_owned()]
    }));
    text.push_str(&table(&rows));
    for line in standing.warnings.iter().chain(&explained.error) {
        text.push_str(&format!("{line}\n"));
    }
    if standing.source.is_none() {
        let advice = explained.remediation.as_ref().map_or_else(String::new, |advice| format!("{advice}, then "));
        text.push_str(&format!("next: {advice}`vox secrets set {}`\n", standing.id));
    }
    text
}
