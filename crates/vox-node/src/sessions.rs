//! Sessions: which earlier requests a request continues, what answered them, and what of it lies in a prompt cache.
//!
//! A session is what the caller says it is (`x-vox-session`, `prompt_cache_key`, the session part of Anthropic's
//! `metadata.user_id`), or else a chain of digests over the conversation itself (`chain`, `table`). Callers never share
//! one. Everything is in memory while a request is served; `keep` writes what changed to the store beside it.

mod chain;
mod kept;
mod table;

use crate::settings::SessionRules;
use chain::Key;
use parking_lot::Mutex;
use std::sync::Arc;
use table::{Record, Table};
use vox_base::{Timestamp, Usage};
use vox_route::decide::Session as SessionView;
use vox_wire::{Chat, Dialect};

/// The sessions of a node.
pub(crate) struct Sessions {
    key: Key,
    table: Mutex<Table>,
}

/// The session that one request continues, or begins.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// What callers see.
    pub(crate) id: Arc<str>,
    /// What decisions know of it; nothing before its first answer.
    pub(crate) view: Option<SessionView>,
    /// What its last request was about.
    pub(crate) task: Option<Arc<str>>,
    key: u128,
}

/// What a request brought.
pub(crate) struct Answered<'a> {
    /// The offer that answered.
    pub(crate) offer: &'a str,
    /// The dialect that its provider speaks.
    pub(crate) dialect: Dialect,
    /// What the provider counted.
    pub(crate) usage: &'a Usage,
    /// What it was about.
    pub(crate) task: &'a Arc<str>,
}

/// Bytes of the system text that tell the agents of one session apart, which have caches of their own.
const LINE_BYTES: usize = 256;
/// How long a provider keeps a prompt cached, unless it is paid for longer.
const CACHE_MS: i64 = 5 * 60_000;
const LONG_CACHE_MS: i64 = 60 * 60_000;

impl Sessions {
    fn new(key: &[u8; 32]) -> Self {
        Self { key: Key::new(key), table: Mutex::default() }
    }

    /// Returns the session of a request.
    pub(crate) fn begin(
        &self,
        caller: &[u8],
        named: Option<&str>,
        chat: &Chat,
        rules: &SessionRules,
        now: Timestamp,
        new: impl Fn() -> [u8; 16],
    ) -> Option<Begun> {
        let named = named.map(std::borrow::Cow::Borrowed).or_else(|| chat.session().filter(|id| is_id(id)));
        if let Some(named) = named {
            let line = chat.excerpt(0, LINE_BYTES).system_text;
            let has_tools = [u8::from(chat.needs.tools)];
            let key = self.key.digest(&[b"named", caller, named.as_bytes(), line.as_bytes(), &has_tools]);
            let mut table = self.table.lock();
            return Some(begun(key, table.named(key, &named, now)));
        }
        let chain = self.key.chain(caller, chat, &|line| rules.is_volatile(line));
        let bytes = new();
        let id = || hex(&bytes).into();
        let mut table = self.table.lock();
        let key = table.continued(&chain, (u128::from_be_bytes(bytes), &id), now)?;
        table.get(key).map(|record| begun(key, record))
    }

    /// Takes in what a request of a session brought.
    pub(crate) fn answered(&self, session: &Begun, answered: &Answered<'_>, now: Timestamp) {
        let mut table = self.table.lock();
        let Some(record) = table.change(session.key) else { return };
        if record.offer.as_deref() != Some(answered.offer) {
            record.offer = Some(answered.offer.into());
        }
        if record.task.as_deref() != Some(&**answered.task) {
            record.task = Some(answered.task.clone());
        }
        let is_long = answered.usage.cache_write_1h.is_some_and(|tokens| tokens > 0);
        record.cached_tokens = cached_tokens(answered.dialect, answered.usage);
        record.cached_until = now.plus_millis(if is_long { LONG_CACHE_MS } else { CACHE_MS });
        record.n_turns = record.n_turns.saturating_add(1);
        record.last_at = now;
    }
}

fn begun(key: u128, record: &Record) -> Begun {
    let view = |offer: &Arc<str>| SessionView {
        offer: offer.clone(),
        cached_tokens: record.cached_tokens,
        cached_until: record.cached_until,
        n_turns: record.n_turns,
    };
    Begun { id: record.id.clone(), view: record.offer.as_ref().map(view), task: record.task.clone(), key }
}

/// Returns how much of a prompt its provider has cached now: what the caller marked, or all of it where the provider
/// caches by itself and says what it read.
fn cached_tokens(dialect: Dialect, usage: &Usage) -> u64 {
    let marked = [usage.cache_read, usage.cache_write_5m, usage.cache_write_1h].into_iter().flatten().sum();
    match (dialect, usage.cache_read) {
        (Dialect::Openai, Some(_)) => usage.total_input().unwrap_or(marked),
        _ => marked,
    }
}

/// Whether a name of the caller's can be a session's.
fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

fn hex(bytes: &[u8; 16]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests;
