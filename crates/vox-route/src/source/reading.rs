//! Reads one list from its first page to its last: says what to ask for next and takes the answers.
//!
//! The order of things is here once for all forms of lists; what a page and an entry look like is each form's own file.

use super::{Fetched, Gathered, ListMapping, Page, SourceError, anthropic, google, ollama, openai, openrouter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use vox_base::Timestamp;

/// The forms of model lists that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// OpenRouter's list with prices.
    Openrouter,
    /// `GET /models` as OpenAI answers it.
    OpenaiCompatible,
    /// Anthropic's list, page by page.
    Anthropic,
    /// Google's list, page by page.
    Google,
    /// Ollama's list, with each model's description.
    Ollama,
}

/// Whose list is read, and how.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Id of the provider's entry.
    pub provider: Arc<str>,
    /// Form of the list.
    pub kind: SourceKind,
    /// An engine of the user's own.
    pub local: bool,
    /// Names of the list's fields.
    pub mapping: ListMapping,
    /// Path of the list below the provider's base URL.
    pub path: String,
    /// Most pages that are read.
    pub max_pages: u32,
    /// Largest context that vox asks Ollama for unasked.
    pub ollama_num_ctx_cap: u64,
    /// The moment of reading.
    pub at: Timestamp,
}

/// One request for a part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Path below the base URL, with its query; `../` in front leads one segment up.
    pub target: String,
    /// A JSON body to send; nothing for a plain `GET`.
    pub body: Option<String>,
}

/// A list being read.
#[derive(Debug)]
pub struct Reading {
    subject: Subject,
    gathered: Gathered,
    stage: Stage,
    cursors: BTreeSet<String>,
    n_pages: u32,
}

#[derive(Debug)]
enum Stage {
    /// The page behind this cursor is next.
    Page(Option<String>),
    /// Ollama: which models are loaded.
    Loaded(VecDeque<String>),
    /// Ollama: the description of the first of these.
    Show(VecDeque<String>, BTreeMap<String, u64>),
    Done,
}

impl SourceKind {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::Openrouter, Self::OpenaiCompatible, Self::Anthropic, Self::Google, Self::Ollama];

    /// Returns the name used in contracts and environment variables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openrouter => "openrouter",
            Self::OpenaiCompatible => "openai_compatible",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Ollama => "ollama",
        }
    }

    /// Returns the header that carries the key, where it is another one than for calls.
    #[must_use]
    pub const fn key_header(self) -> Option<&'static str> {
        match self {
            Self::Google => Some(google::KEY_HEADER),
            _ => None,
        }
    }
}

impl Reading {
    /// Begins to read a list.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self { subject, gathered: Gathered::default(), stage: Stage::Page(None), cursors: BTreeSet::new(), n_pages: 0 }
    }

    /// Returns what to ask for next; nothing once the list is complete.
    #[must_use]
    pub fn query(&self) -> Option<Query> {
        let get = |target: String| Some(Query { target, body: None });
        match &self.stage {
            Stage::Page(cursor) => get(format!("{}{}", self.subject.path, self.page_query(cursor.as_deref()))),
            Stage::Loaded(_) => get("/api/ps".into()),
            Stage::Show(names, _) => {
                let body = serde_json::json!({ "model": names.front()? }).to_string();
                Some(Query { target: "/api/show".into(), body: Some(body) })
            }
            Stage::Done => None,
        }
    }

    fn page_query(&self, cursor: Option<&str>) -> String {
        let (size, next) = match self.subject.kind {
            SourceKind::Anthropic => ("limit=1000", "after_id"),
            SourceKind::Google => ("pageSize=1000", "pageToken"),
            _ => return String::new(),
        };
        match cursor {
            None => format!("?{size}"),
            Some(cursor) => format!("?{size}&{next}={}", encoded(cursor)),
        }
    }

    /// Takes the answer to the last query.
    ///
    /// # Errors
    /// It is no part of such a list, or the list does not end.
    pub fn take(&mut self, body: &[u8]) -> Result<(), SourceError> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Page(_) => self.take_page(body)?,
            Stage::Loaded(names) => self.stage = Stage::Show(names, ollama::loaded(body)?),
            Stage::Show(mut names, loaded) => {
                if let Some(name) = names.pop_front() {
                    let (subject, context) = (&self.subject, loaded.get(&name).copied());
                    self.gathered.take(&subject.provider, subject.at, |_| ollama::entry(subject, &name, context, body));
                }
                self.stage = if names.is_empty() { Stage::Done } else { Stage::Show(names, loaded) };
            }
            Stage::Done => {}
        }
        Ok(())
    }

    fn take_page(&mut self, body: &[u8]) -> Result<(), SourceError> {
        let subject = &self.subject;
        let Page { entries, next } = match subject.kind {
            SourceKind::Openrouter | SourceKind::OpenaiCompatible => openai::list(body),
            SourceKind::Anthropic => anthropic::list(body),
            SourceKind::Google => google::list(body),
            SourceKind::Ollama => ollama::list(body),
        }?;
        let mut names = VecDeque::new();
        for raw in entries {
            if subject.kind == SourceKind::Ollama {
                match ollama::name(raw) {
                    Ok(name) => names.push_back(name),
                    Err(cause) => self.gathered.take(&subject.provider, subject.at, |_| Err(cause)),
                }
                continue;
            }
            self.gathered.take(&subject.provider, subject.at, |notes| match subject.kind {
                SourceKind::Openrouter => openrouter::entry(subject, raw, notes),
                SourceKind::Anthropic => anthropic::entry(subject, raw),
                SourceKind::Google => google::entry(subject, raw),
                SourceKind::OpenaiCompatible | SourceKind::Ollama => openai::entry(subject, raw, notes),
            });
        }
        self.n_pages += 1;
        self.stage = match next {
            Some(cursor) if !self.cursors.insert(cursor.clone()) => return Err(SourceError::RepeatedCursor(cursor)),
            Some(_) if self.n_pages >= self.subject.max_pages => return Err(SourceError::TooManyPages(self.n_pages)),
            Some(cursor) => Stage::Page(Some(cursor)),
            None if names.is_empty() => Stage::Done,
            None => Stage::Loaded(names),
        };
        Ok(())
    }

    /// Returns the list.
    ///
    /// # Errors
    /// More than a fifth of its entries could not be read.
    pub fn finish(self) -> Result<Fetched, SourceError> {
        self.gathered.finish()
    }
}

/// Returns a cursor so that it can stand in an address (RFC 3986, section 2.3): it is the provider's word, not ours.
fn encoded(cursor: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    cursor.bytes().map(one).collect()
}
