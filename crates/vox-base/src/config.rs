//! Configuration documents: YAML (and so JSON), and a project's TOML, read into nodes that remember their file and line,
//! merged layer over layer, and decoded into Rust types with errors that name file, line and key.
//!
//! Reading the file is the caller's business; ranges and cross references are checked by the type's owner, which
//! reports them through [`Document::fault`] so that they carry the same place.

mod decode;
mod parse;
mod toml;

use std::sync::Arc;

const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_DEPTH: usize = 64;

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Name of the file as the user knows it.
    pub file: Arc<str>,
    /// Line in that file, from 1.
    pub line: usize,
}

/// A YAML value; maps keep the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or exponent, as written.
    Real(String),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping with unique text keys.
    Map(Vec<(String, Node)>),
}

/// One configuration file, or several merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    root: Node,
}

/// A configuration does not have the form it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig {
    /// Name of the file, empty if unknown.
    pub file: String,
    /// Line in that file from 1, or 0 if unknown.
    pub line: usize,
    /// Dotted path of the key concerned; empty for the whole document.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidConfig {}

impl Document {
    /// Parses one YAML document.
    ///
    /// # Errors
    /// The text is over 4 MiB, nested deeper than 64 levels, holds several documents, an alias, a tag, a duplicate key
    /// or a key that is not text, or is not YAML.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidConfig> {
        parse::document(file, text).map(|root| Self { root })
    }

    /// Parses a TOML document.
    ///
    /// # Errors
    /// The text is over 4 MiB, nested deeper than 64 levels, or is not TOML.
    pub fn parse_toml(file: &str, text: &str) -> Result<Self, InvalidConfig> {
        toml::document(file, text).map(|root| Self { root })
    }

    /// Returns what stands below a dotted path as a document of its own.
    #[must_use]
    pub fn part(&self, path: &str) -> Option<Self> {
        self.at(path).map(|root| Self { root: root.clone() })
    }

    /// Returns the outermost value.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// Lays another document over this one: maps merge key by key, everything else is replaced, except that a map with
    /// only `add` and `remove` edits the list below it.
    #[must_use]
    pub fn overlaid(mut self, over: Self) -> Self {
        overlay(&mut self.root, over.root);
        self
    }

    /// Returns the document with only these keys of its outermost map.
    #[must_use]
    pub fn only(mut self, keys: &[&str]) -> Self {
        if let Value::Map(entries) = &mut self.root.value {
            entries.retain(|(key, _)| keys.contains(&key.as_str()));
        }
        self
    }

    /// Decodes the document into a type; unknown keys are errors where the type says `deny_unknown_fields`.
    ///
    /// # Errors
    /// A value has the wrong type, a key is unknown or missing; the error names file, line and key.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, InvalidConfig> {
        self.root.decode()
    }

    /// Returns the node at a dotted path such as `scoring.weights.latency` or `aliases[2].name`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Node> {
        segments(path).try_fold(&self.root, |node, segment| node.child(segment))
    }

    /// Returns an error about the value at a path, placed at the deepest part of the path that exists.
    #[must_use]
    pub fn fault(&self, path: &str, message: impl Into<String>) -> InvalidConfig {
        let mut node = &self.root;
        for segment in segments(path) {
            match node.child(segment) {
                Some(child) => node = child,
                None => break,
            }
        }
        InvalidConfig { file: node.file.to_string(), line: node.line, key: path.to_owned(), message: message.into() }
    }
}

impl Node {
    /// Decodes this node and everything below it.
    ///
    /// # Errors
    /// As for [`Document::decode`]; the key path starts at this node.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, InvalidConfig> {
        T::deserialize(decode::Decoder(self)).map_err(|error| error.placed(self))
    }

    /// Returns the value under a key of a map, or at a position of a list.
    #[must_use]
    pub fn child(&self, segment: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key == segment).map(|(_, node)| node),
            Value::List(items) => segment.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => None,
        }
    }

    /// Calls back for every leaf (anything but a map) with its dotted path.
    pub fn leaves<'a>(&'a self, prefix: &str, visit: &mut dyn FnMut(String, &'a Self)) {
        match &self.value {
            Value::Map(entries) => {
                for (key, node) in entries {
                    let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    node.leaves(&path, visit);
                }
            }
            _ => visit(prefix.to_owned(), self),
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']']).filter(|segment| !segment.is_empty())
}

fn overlay(base: &mut Node, over: Node) {
    let edits_list = matches!(&over.value, Value::Map(entries)
        if !entries.is_empty() && entries.iter().all(|(key, _)| key == "add" || key == "remove"));
    match (&mut base.value, over.value) {
        (Value::List(items), Value::Map(edits)) if edits_list => edit_list(items, edits),
        (Value::Map(entries), Value::Map(new)) => {
            for (key, node) in new {
                match entries.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, below)) => overlay(below, node),
                    None => entries.push((key, node)),
                }
            }
        }
        (_, value) => *base = Node { value, file: over.file, line: over.line },
    }
}

fn edit_list(items: &mut Vec<Node>, edits: Vec<(String, Node)>) {
    for (edit, node) in edits {
        let Value::List(named) = node.value else { continue };
        if edit == "remove" {
            items.retain(|item| !named.iter().any(|gone| gone.value == item.value));
        } else {
            items.extend(named);
        }
    }
}

#[cfg(test)]
mod tests;
