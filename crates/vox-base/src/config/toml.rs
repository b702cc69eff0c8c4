//! Turns a TOML document into the same nodes as a YAML one; only a project's `Vox.toml` is written so.

use super::{InvalidConfig, MAX_BYTES, MAX_DEPTH, Node, Value};
use std::ops::Range;
use std::sync::Arc;
use toml_edit::{Item, TableLike};

pub(super) fn document(file: &str, text: &str) -> Result<Node, InvalidConfig> {
    let reader = Reader { file: file.into(), text };
    if text.len() > MAX_BYTES {
        return Err(reader.fault(1, "the file is over 4 MiB"));
    }
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let message = error.message().lines().next().unwrap_or_default();
        reader.fault(reader.line(error.span(), 1), &format!("not TOML: {message}"))
    })?;
    Ok(Node { value: reader.table(document.as_table(), 1, 0)?, file: reader.file.clone(), line: 1 })
}

struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl Reader<'_> {
    fn fault(&self, line: usize, message: &str) -> InvalidConfig {
        InvalidConfig { file: self.file.to_string(), line, key: String::new(), message: message.to_owned() }
    }

    /// Returns the line in which a span begins.
    fn line(&self, span: Option<Range<usize>>, otherwise: usize) -> usize {
        let before = span.and_then(|span| self.text.as_bytes().get(..span.start));
        before.map_or(otherwise, |before| 1 + before.iter().filter(|byte| **byte == b'\n').count())
    }

    fn table(&self, table: &dyn TableLike, line: usize, depth: usize) -> Result<Value, InvalidConfig> {
        let mut entries = Vec::new();
        for (key, item) in table.iter() {
            // A value is where its key is: that is where somebody looks for it.
            let line = self.line(table.key(key).and_then(toml_edit::Key::span), line);
            entries.push((key.to_owned(), self.node(item, line, depth + 1)?));
        }
        Ok(Value::Map(entries))
    }

    fn node(&self, item: &Item, line: usize, depth: usize) -> Result<Node, InvalidConfig> {
        if depth > MAX_DEPTH {
            return Err(self.fault(line, "nested deeper than 64 levels"));
        }
        let value = match item {
            Item::None => Value::Null,
            Item::Table(table) => self.table(table, line, depth)?,
            Item::ArrayOfTables(tables) => {
                let node = |table: &toml_edit::Table| {
                    let line = self.line(table.span(), line);
                    Ok(Node { value: self.table(table, line, depth + 1)?, file: self.file.clone(), line })
                };
                Value::List(tables.iter().map(node).collect::<Result<_, InvalidConfig>>()?)
            }
            Item::Value(value) => self.value(value, line, depth)?,
        };
        Ok(Node { value, file: self.file.clone(), line })
    }

    fn value(&self, value: &toml_edit::Value, line: usize, depth: usize) -> Result<Value, InvalidConfig> {
        Ok(match value {
            toml_edit::Value::String(text) => Value::Text(text.value().clone()),
            toml_edit::Value::Integer(number) => Value::Int(*number.value()),
            toml_edit::Value::Float(number) => Value::Real(number.value().to_string()),
            toml_edit::Value::Boolean(truth) => Value::Bool(*truth.value()),
            toml_edit::Value::Datetime(date) => Value::Text(date.value().to_string()),
            toml_edit::Value::InlineTable(table) => self.table(table, line, depth)?,
            toml_edit::Value::Array(items) => {
                let node = |item: &toml_edit::Value| self.node(&Item::Value(item.clone()), self.line(item.span(), line), depth + 1);
                Value::List(items.iter().map(node).collect::<Result<_, InvalidConfig>>()?)
            }
        })
    }
}
