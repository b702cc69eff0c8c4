//! Turns YAML events into nodes and refuses what a configuration file has no use for.

use super::{InvalidConfig, MAX_BYTES, MAX_DEPTH, Node, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use std::sync::Arc;

pub(super) fn document(file: &str, text: &str) -> Result<Node, InvalidConfig> {
    let mut reader = Reader { file: file.into(), parser: Parser::new_from_str(text.trim_start_matches('\u{feff}')), line: 1 };
    if text.len() > MAX_BYTES {
        return Err(reader.fault("the file is over 4 MiB"));
    }
    let mut root = Node { value: Value::Map(Vec::new()), file: reader.file.clone(), line: 1 };
    let mut n_documents = 0;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(root),
            Event::DocumentStart(_) => {
                n_documents += 1;
                if n_documents > 1 {
                    return Err(reader.fault("expected one document, found a second"));
                }
                let event = reader.next()?;
                root = reader.node(event, 0)?;
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    file: Arc<str>,
    parser: Parser<'a, StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, InvalidConfig> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(self.fault(format!("not YAML: {}", error.info())))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, InvalidConfig> {
        if depth > MAX_DEPTH {
            return Err(self.fault("nested deeper than 64 levels"));
        }
        let line = self.line;
        let value = match event {
            Event::Scalar(text, style, _, None) => scalar(&text, style),
            Event::SequenceStart(_, None) => self.list(depth)?,
            Event::MappingStart(_, None) => self.map(depth)?,
            Event::Alias(_) => return Err(self.fault("aliases are not supported here")),
            _ => return Err(self.fault("tags are not supported here")),
        };
        Ok(Node { value, file: self.file.clone(), line })
    }

    fn list(&mut self, depth: usize) -> Result<Value, InvalidConfig> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, InvalidConfig> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(self.fault("expected a text key")),
            };
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(self.fault(format!("the key `{key}` stands twice")));
            }
            let key_line = self.line;
            let event = self.next()?;
            let mut node = self.node(event, depth + 1)?;
            // An error about a block below a key is read at the key, not at its first child.
            node.line = key_line;
            entries.push((key, node));
        }
    }

    fn fault(&self, message: impl Into<String>) -> InvalidConfig {
        InvalidConfig { file: self.file.to_string(), line: self.line, key: String::new(), message: message.into() }
    }
}

/// Resolves a plain scalar by the YAML 1.2 core schema; quoted scalars are always text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with(|c: char| !c.is_ascii_digit()) {
        return Value::Text(text.to_owned());
    }
    match text.parse::<i64>() {
        Ok(whole) => Value::Int(whole),
        Err(_) if text.parse::<f64>().is_ok() => Value::Real(text.to_owned()),
        Err(_) => Value::Text(text.to_owned()),
    }
}
