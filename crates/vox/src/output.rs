//! What a command prints: results on stdout, talk on stderr, one JSON envelope when asked, no escape bytes in a pipe.

use serde::Serialize;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use vox_base::Coded;

/// What a command answers: a value for machines and a text for people.
pub(crate) struct Answer {
    schema: &'static str,
    data: Value,
    text: String,
    /// Exit code; not 0 when the answer itself says that something is wrong.
    pub(crate) exit: u8,
}

impl Answer {
    /// Returns an answer; `data` must serialize, which plain structs and maps with text keys always do.
    pub(crate) fn new(schema: &'static str, data: impl Serialize, text: impl Into<String>) -> Self {
        let data = serde_json::to_value(data).unwrap_or_else(|error| json!({ "unserializable": error.to_string() }));
        Self { schema, data, text: text.into(), exit: 0 }
    }

    /// Returns an answer that prints nothing, in JSON either: what there was to say has been said.
    pub(crate) const fn silent(exit: u8) -> Self {
        Self { schema: "", data: Value::Null, text: String::new(), exit }
    }

    /// Sets the exit code.
    pub(crate) const fn exiting(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }
}

/// Where and how to print.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// One JSON document instead of text.
    pub(crate) json: bool,
    /// Escape sequences are welcome on stdout and stderr.
    pub(crate) color: bool,
    /// Only errors on stderr.
    pub(crate) quiet: bool,
    warnings: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Output {
    pub(crate) fn new(json: bool, color: bool, quiet: bool) -> Self {
        Self { json, color, quiet, warnings: std::sync::Arc::default() }
    }

    /// Prints an answer. A closed pipe is a reader who has seen enough, not an error.
    pub(crate) fn answer(&self, answer: &Answer) {
        if self.json && !answer.schema.is_empty() {
            let envelope = json!({ "schema": answer.schema, "ok": true, "data": answer.data, "warnings": self.warnings() });
            stdout(&format!("{envelope}\n"));
        } else if !answer.text.is_empty() {
            let line_end = if answer.text.ends_with('\n') { "" } else { "\n" };
            stdout(&format!("{}{line_end}", answer.text));
        }
    }

    /// Prints an error: on stderr for people, as the envelope on stdout for machines.
    pub(crate) fn error(&self, error: &Coded) {
        if self.json {
            let body = json!({
                "code": error.code, "message": error.message, "expected": error.expected, "where": error.at, "next": error.next,
            });
            let envelope = json!({ "schema": "vox.error.v1", "ok": false, "error": body, "warnings": self.warnings() });
            stdout(&format!("{envelope}\n"));
            return;
        }
        stderr(&format!("{} {error} [{}]\n", self.paint("error:", "31;1"), error.code));
        if let Some(next) = &error.next {
            stderr(&format!("{} {next}\n", self.paint("hint:", "36")));
        }
    }

    /// Says something on stderr that is not an error.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            stderr(&format!("{text}\n"));
        }
    }

    /// Warns on stderr, or in the envelope.
    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.to_owned());
        } else {
            stderr(&format!("{} {text}\n", self.paint("warning:", "33")));
        }
    }

    /// Returns the text in a colour if colours are welcome.
    pub(crate) fn paint(&self, text: &str, style: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Writes to stdout at once; returns whether somebody still reads.
pub(crate) fn stdout(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Writes to stderr; nobody listening is no reason to fail.
pub(crate) fn stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Returns whether both ends of the conversation are a terminal.
pub(crate) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Lays rows out in columns, the first row being the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..n_columns).map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
