mod ollama;
mod streams;
mod usage;

use super::*;
use crate::json::Document;
use crate::{Dialect, sse};
use bytes::Bytes;

/// Text of deltas in a form that tests compare.
fn shown(delta: &Delta<'_>) -> String {
    match delta {
        Delta::Start { id, model } => format!("start {id} {model}"),
        Delta::Text(text) => format!("text {text}"),
        Delta::Reasoning(text) => format!("reasoning {text}"),
        Delta::Signature(text) => format!("signature {text}"),
        Delta::RedactedReasoning(text) => format!("redacted {text}"),
        Delta::Refusal(text) => format!("refusal {text}"),
        Delta::ToolStart { index, id, name } => format!("tool {index} {id} {name}"),
        Delta::ToolArguments { index, fragment } => format!("arguments {index} {fragment}"),
        Delta::Stop { choice, reason, raw } => format!("stop {choice} {} {raw}", reason.as_str()),
        Delta::Usage(usage) => format!("usage {:?} {:?}", usage.total_input(), usage.total_output()),
        Delta::ServerTool { name, n_units } => format!("server tool {name} {n_units}"),
        Delta::ProviderCost(cost) => format!("cost {}", cost.get()),
        Delta::Error(error) => format!("error {} {} {}", error.kind, error.code, error.message),
        Delta::Ping => "ping".to_owned(),
        Delta::End => "end".to_owned(),
    }
}

fn events(stream: &str) -> Vec<sse::Event> {
    let mut decoder = sse::Decoder::new();
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut events: Vec<_> = std::iter::from_fn(|| decoder.next_event().unwrap()).collect();
    events.extend(decoder.finish());
    events
}

/// Reads a stream given as lines of data.
fn read_lines(dialect: Dialect, rules: UsageRules, lines: &[&str]) -> (Vec<String>, Tally) {
    let stream: String = lines.iter().map(|line| format!("data: {line}\n\n")).collect();
    let (mut reader, mut seen) = (Reader::new(dialect, rules), Vec::new());
    for event in events(&stream) {
        reader.event(&event, &mut |delta| seen.push(shown(&delta))).unwrap();
    }
    (seen, reader.into_tally())
}

fn read_whole(dialect: Dialect, rules: UsageRules, body: &str) -> (Vec<String>, Tally) {
    let (mut reader, mut seen) = (Reader::new(dialect, rules), Vec::new());
    let document = Document::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    reader.whole(&document, &mut |delta| seen.push(shown(&delta))).unwrap();
    (seen, reader.into_tally())
}
