//! A schema in canonical form, and how two of them differ.
//!
//! Works on the text of CREATE statements, so that it sees what the engine remembers and needs no connection: a table
//! becomes the sorted list of its items (columns, keys, conditions), every other object its text without extra space.

use crate::ddl::Object;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vox_base::Digest;

/// A schema: per table or other object its parts, per part its definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    objects: BTreeMap<String, BTreeMap<String, String>>,
}

/// One difference between the schema that should be and the one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The table concerned, or the index or trigger.
    pub table: String,
    /// The column or other part concerned; empty for the whole table.
    pub column: String,
    /// What the contract says; empty if nothing.
    pub expected: String,
    /// What is there; empty if nothing.
    pub found: String,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.table)?;
        if !self.column.is_empty() {
            write!(f, ".{}", self.column)?;
        }
        let or_nothing = |text: &str| if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
        write!(f, ": expected {}, found {}", or_nothing(&self.expected), or_nothing(&self.found))
    }
}

impl Schema {
    /// Returns the canonical form of these CREATE statements; others are ignored.
    pub fn of<'a>(statements: impl IntoIterator<Item = &'a str>) -> Self {
        let mut schema = Self::default();
        for statement in statements {
            schema.add(&tokens(statement));
        }
        schema
    }

    /// Returns the canonical form of a generated schema.
    #[must_use]
    pub fn of_objects(objects: &[Object]) -> Self {
        Self::of(objects.iter().map(|object| object.sql.as_str()))
    }

    /// Returns the canonical form of CREATE statements of PostgreSQL, whether they are ours or the server's: parentheses
    /// that only group and casts of literals, which the server adds, are left out.
    pub fn of_postgres<'a>(statements: impl IntoIterator<Item = &'a str>) -> Self {
        let mut schema = Self::of(statements);
        for parts in schema.objects.values_mut() {
            *parts = std::mem::take(parts).into_iter().map(|(part, text)| (plain(&part), plain(&text))).collect();
        }
        schema
    }

    fn add(&mut self, tokens: &[String]) {
        let Some(kind) = ["TABLE", "INDEX", "TRIGGER", "VIEW", "FUNCTION"]
            .into_iter()
            .find(|kind| tokens.iter().take(3).any(|token| token.eq_ignore_ascii_case(kind)))
        else {
            return;
        };
        let at = tokens.iter().position(|token| token.eq_ignore_ascii_case(kind)).unwrap_or_default();
        let Some(name) = tokens.get(at + 1) else { return };
        let parts =
            if kind == "TABLE" { table_parts(&tokens[at + 2..]) } else { BTreeMap::from([(String::new(), tokens[at..].join(" "))]) };
        self.objects.insert(name.clone(), parts);
    }

    /// Returns every difference, `self` being the schema that should be.
    #[must_use]
    pub fn drift(&self, found: &Self) -> Vec<Drift> {
        let mut names: Vec<&String> = self.objects.keys().chain(found.objects.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().flat_map(|name| differences(name, self.objects.get(name), found.objects.get(name))).collect()
    }

    /// Returns the SHA-256 of the canonical form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = String::new();
        for (name, parts) in &self.objects {
            for (part, definition) in parts {
                let _ = writeln!(text, "{name}\t{part}\t{definition}");
            }
        }
        Digest::of(text.as_bytes())
    }
}

type Parts = BTreeMap<String, String>;

fn differences(name: &str, expected: Option<&Parts>, found: Option<&Parts>) -> Vec<Drift> {
    let whole = |expected: &str, found: &str| {
        vec![Drift { table: name.to_owned(), column: String::new(), expected: expected.to_owned(), found: found.to_owned() }]
    };
    let (expected, found) = match (expected, found) {
        (Some(expected), Some(found)) => (expected, found),
        (Some(_), None) => return whole("present", ""),
        (None, _) => return whole("", "present"),
    };
    let mut parts: Vec<&String> = expected.keys().chain(found.keys()).collect();
    parts.sort_unstable();
    parts.dedup();
    let text = |parts: &Parts, part: &String| parts.get(part).cloned().unwrap_or_default();
    parts
        .into_iter()
        .filter(|part| expected.get(*part) != found.get(*part))
        .map(|part| Drift { table: name.to_owned(), column: part.clone(), expected: text(expected, part), found: text(found, part) })
        .collect()
}

/// Returns the items between the outer parentheses and the options behind them.
fn table_parts(tokens: &[String]) -> Parts {
    let mut parts = Parts::new();
    let (mut depth, mut item) = (0_usize, Vec::new());
    for token in tokens {
        match token.as_str() {
            "(" if depth == 0 => depth = 1,
            ")" if depth == 1 => {
                depth = 0;
                add_item(&mut parts, &std::mem::take(&mut item));
            }
            "," if depth == 1 => add_item(&mut parts, &std::mem::take(&mut item)),
            token => {
                depth = match token {
                    "(" => depth + 1,
                    ")" => depth.saturating_sub(1),
                    _ => depth,
                };
                item.push(token);
            }
        }
    }
    parts.insert("(options)".to_owned(), item.join(" "));
    parts
}

/// Names an item by its column, or for a key or condition by its own text.
fn add_item(parts: &mut Parts, item: &[&str]) {
    let Some(first) = item.first() else { return };
    let is_table_wide = ["PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT", "CHECK"].iter().any(|word| first.eq_ignore_ascii_case(word));
    if is_table_wide {
        parts.insert(format!("({})", item.join(" ")), item.join(" "));
    } else {
        parts.insert((*first).to_owned(), item[1..].join(" "));
    }
}

/// Drops parentheses and casts from the words of a definition.
fn plain(definition: &str) -> String {
    let mut words = Vec::new();
    let mut rest = definition.split(' ').peekable();
    while let Some(word) = rest.next() {
        match word {
            "(" | ")" => {}
            ":" => {
                rest.next_if_eq(&":");
                rest.next();
            }
            word => words.push(word),
        }
    }
    words.join(" ")
}

/// Splits SQL into words, literals and signs; quotes round plain names are dropped.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => quoted(rest, first),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, tail) = rest.split_at(length);
        let bare = token.strip_prefix('"').and_then(|token| token.strip_suffix('"')).unwrap_or(token);
        tokens.push(bare.to_owned());
        rest = tail.trim_start();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.' || c == '$'
}

fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}
