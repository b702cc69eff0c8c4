//! Asks the verdict table about each field and keeps the names of what changed or was left out.

use super::verdicts::{Group, Pair, Verdict};
use super::{Translated, Untranslatable};
use bytes::Bytes;

/// The verdicts of one translation and what they did.
pub(super) struct Ledger<'v> {
    pair: &'v Pair,
    drop_unknown: bool,
    converted: Vec<String>,
    ignored: Vec<String>,
    pub(super) notice: Option<&'static str>,
}

/// A place in the request, from the inside out; becomes a JSON pointer only in an error.
#[derive(Clone, Copy)]
pub(super) enum At<'p> {
    Root,
    Key(&'p At<'p>, &'p str),
    Index(&'p At<'p>, usize),
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}/{}", key.replace('~', "~0").replace('/', "~1")),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

impl<'v> Ledger<'v> {
    pub(super) const fn new(pair: &'v Pair, drop_unknown: bool) -> Self {
        Self { pair, drop_unknown, converted: Vec::new(), ignored: Vec::new(), notice: None }
    }

    /// Returns whether a field is to be written. A value that says nothing is left out rather than refused.
    pub(super) fn judge(&mut self, group: Group, name: &str, at: At<'_>, says_nothing: bool) -> Result<bool, Untranslatable> {
        match self.pair.verdict(group, name) {
            Some(Verdict::Map) => return Ok(true),
            Some(Verdict::Convert) => {
                self.converted(group, name);
                return Ok(true);
            }
            Some(Verdict::Refuse) if !says_nothing => return Err(refused(group, name, at, "the other dialect has nothing like it")),
            None if !self.drop_unknown => return Err(Untranslatable::UnknownField { pointer: at.to_string(), field: shown(group, name) }),
            _ => note(&mut self.ignored, group, name),
        }
        Ok(false)
    }

    /// Notes a field that changed its form here although its verdict is to map it.
    pub(super) fn converted(&mut self, group: Group, name: &str) {
        note(&mut self.converted, group, name);
    }

    pub(super) fn translated(self, body: Bytes) -> Translated {
        Translated { body, converted: self.converted, ignored: self.ignored, notice: self.notice }
    }
}

pub(super) fn refused(group: Group, name: &str, at: At<'_>, why: &'static str) -> Untranslatable {
    Untranslatable::Param { pointer: at.to_string(), field: shown(group, name), why }
}

fn note(names: &mut Vec<String>, group: Group, name: &str) {
    let shown = shown(group, name);
    if !names.contains(&shown) {
        names.push(shown);
    }
}

/// Top-level fields go by their own name, all others by group and name.
fn shown(group: Group, name: &str) -> String {
    if group == Group::Request { name.to_owned() } else { format!("{}.{name}", group.as_str()) }
}
