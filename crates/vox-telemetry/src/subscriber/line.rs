//! Turns an event into one line and hands it to stderr and the file.

use super::contract::Format;
use super::file::FileSink;
use super::{LogParts, escape};
use parking_lot::Mutex;
use serde_json::Value;
use std::fmt;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

pub(super) struct Writer {
    format: Format,
    colour: bool,
    parts: LogParts,
    screen: Mutex<Box<dyn Write + Send>>,
    file: Option<Arc<FileSink>>,
}

/// One line before it has a look. The order is the order in the file.
#[derive(serde::Serialize)]
struct Line {
    ts: String,
    level: &'static str,
    target: &'static str,
    msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    fields: Vec<(&'static str, Value)>,
}

fn as_map<S: serde::Serializer>(fields: &[(&'static str, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

/// A span's trace id, kept beside it.
struct TraceOfSpan(String);

impl Writer {
    pub(super) fn new(format: Format, colour: bool, parts: LogParts, screen: Box<dyn Write + Send>, file: Option<Arc<FileSink>>) -> Self {
        Self { format, colour, parts, screen: Mutex::new(screen), file }
    }

    fn line<S: Subscriber + for<'a> LookupSpan<'a>>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Line {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = Line {
            ts: self.parts.clock.now().to_string(),
            level: level_name(*event.metadata().level()),
            target: event.metadata().target(),
            msg: String::new(),
            code: None,
            trace_id: None,
            span: context.event_span(event).map(|span| span.name()),
            fields: Vec::new(),
        };
        for (name, value) in fields.0 {
            self.place(&mut line, name, value);
        }
        if line.trace_id.is_none() {
            line.trace_id = context
                .event_scope(event)
                .and_then(|mut scope| scope.find_map(|span| span.extensions().get::<TraceOfSpan>().map(|trace| self.safe(&trace.0))));
        }
        line
    }

    fn place(&self, line: &mut Line, name: &'static str, value: Value) {
        match (name, value) {
            ("message", value) => line.msg = self.safe(&text_of(value)),
            // Codes are constants, and are what is left to read when nothing can be scanned.
            ("code", Value::String(code)) if is_code(&code) => line.code = Some(code),
            ("trace_id", value) => line.trace_id = Some(self.safe(&text_of(value))),
            (name, _) if self.parts.redactor.is_secret_field(name) => line.fields.push((name, "<REDACTED:field>".into())),
            (name, Value::String(text)) => line.fields.push((name, self.safe(&text).into())),
            (name, value) => line.fields.push((name, value)),
        }
    }

    fn safe(&self, text: &str) -> String {
        self.parts.redactor.redact(text).into_owned()
    }

    fn write(&self, line: &Line) {
        let json = match (self.format, &self.file) {
            (Format::Text, None) => None,
            _ => serde_json::to_string(line).ok().map(|json| escape::for_json(&json).into_owned() + "\n"),
        };
        let shown = match (self.format, &json) {
            (Format::Json, Some(json)) => json.clone(),
            _ => text(line, self.colour),
        };
        // Nobody can be told that stderr is gone.
        let _ = self.screen.lock().write_all(shown.as_bytes());
        if let (Some(file), Some(json), true) = (&self.file, json, self.parts.redactor.is_ready()) {
            file.write(json);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Writer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        remember_trace(fields, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        remember_trace(fields, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let line = self.line(event, &context);
        self.write(&line);
    }
}

fn remember_trace<S: Subscriber + for<'a> LookupSpan<'a>>(fields: Fields, id: &Id, context: &Context<'_, S>) {
    let trace = fields.0.into_iter().find(|(name, _)| *name == "trace_id");
    if let (Some((_, value)), Some(span)) = (trace, context.span(id)) {
        span.extensions_mut().replace(TraceOfSpan(text_of(value)));
    }
}

fn text(line: &Line, colour: bool) -> String {
    let mut out = match (colour, line.level) {
        (true, "error") => format!("\x1b[31m{}\x1b[0m", line.level),
        (true, "warn") => format!("\x1b[33m{}\x1b[0m", line.level),
        _ => line.level.to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = write!(out, " {}: {}", line.target, escape::for_screen(&line.msg));
    let mut field = |name: &str, value: &str| {
        let _ = write!(out, " {name}={}", escape::for_screen(value));
    };
    line.code.iter().for_each(|code| field("code", code));
    line.trace_id.iter().for_each(|trace| field("trace_id", trace));
    for (name, value) in &line.fields {
        field(name, &text_of(value.clone()));
    }
    out + "\n"
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn is_code(text: &str) -> bool {
    text.contains('.') && text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'))
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// The fields of an event or a span, in the order they were written.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}").into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.0.push((field.name(), text.into()));
    }
}
