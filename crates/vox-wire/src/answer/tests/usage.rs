//! The usage corpus (GW-32, GW-33): tokens per class of every shape, against the numbers computed by hand.

use super::*;

struct Case {
    name: String,
    dialect: Dialect,
    whole: bool,
    rules: UsageRules,
    expected: String,
    usages: Vec<&'static str>,
}

fn corpus() -> Vec<Case> {
    let text = include_str!("../fixtures/usage.txt");
    text.split("\n--- ").skip(1).map(case).collect()
}

fn case(text: &'static str) -> Case {
    let (head, rest) = text.split_once("\n= ").unwrap();
    let (expected, usages) = rest.split_once('\n').unwrap();
    let (kind, name) = head.split_once(": ").unwrap();
    let (name, rules) = name.split_once(" | ").unwrap_or((name, ""));
    let (dialect, mode) = kind.split_once(' ').unwrap();
    let rules = vox_base::Document::parse("rules", &format!("{{{rules}}}")).unwrap().decode().unwrap();
    Case {
        name: format!("{kind}: {name}"),
        dialect: dialect.parse().unwrap(),
        whole: mode == "whole",
        rules,
        expected: expected.to_owned(),
        usages: usages.lines().filter(|line| !line.is_empty()).collect(),
    }
}

fn tally(case: &Case) -> Tally {
    let rules = case.rules.clone();
    match (case.dialect, case.whole) {
        (Dialect::Ollama, _) => {
            let counts = case.usages[0].trim_start_matches('{');
            read_whole(
                case.dialect,
                rules,
                &format!(r#"{{"message":{{"content":"twenty bytes of text"}},"done":true,"done_reason":"stop",{counts}"#),
            )
            .1
        }
        (Dialect::Openai, true) => {
            let choice = r#"{"index":0,"message":{"content":"twenty bytes of text"},"finish_reason":"stop"}"#;
            read_whole(case.dialect, rules, &format!(r#"{{"choices":[{choice}],"usage":{}}}"#, case.usages[0])).1
        }
        (Dialect::Anthropic, true) => {
            let content = r#"[{"type":"text","text":"twenty bytes of text"}]"#;
            read_whole(case.dialect, rules, &format!(r#"{{"content":{content},"stop_reason":"end_turn","usage":{}}}"#, case.usages[0])).1
        }
        (Dialect::Openai, false) => {
            let mut lines =
                vec![r#"{"choices":[{"index":0,"delta":{"content":"twenty bytes of text"},"finish_reason":"stop"}]}"#.to_owned()];
            lines.extend(case.usages.iter().map(|usage| format!(r#"{{"choices":[],"usage":{usage}}}"#)));
            read_lines(case.dialect, rules, &lines.iter().map(String::as_str).collect::<Vec<_>>()).1
        }
        (Dialect::Anthropic, false) => {
            let mut lines = vec![format!(r#"{{"type":"message_start","message":{{"usage":{}}}}}"#, case.usages[0])];
            lines.push(r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"twenty bytes of text"}}"#.to_owned());
            lines.extend(case.usages[1..].iter().map(|usage| format!(r#"{{"type":"message_delta","delta":{{}},"usage":{usage}}}"#)));
            read_lines(case.dialect, rules, &lines.iter().map(String::as_str).collect::<Vec<_>>()).1
        }
    }
}

fn summary(tally: &Tally) -> String {
    let usage = tally.usage;
    let classes = [usage.input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output, usage.reasoning];
    let mut words: Vec<String> = classes.iter().map(|class| class.map_or("-".to_owned(), |n_tokens| n_tokens.to_string())).collect();
    words.extend(tally.is_suspect().then(|| "suspect".to_owned()));
    words.extend(tally.provider_cost.map(|cost| format!("cost={}", cost.get())));
    words.extend(tally.server_tools.iter().map(|(name, n_units)| format!("{name}={n_units}")));
    words.join(" ")
}

#[test]
fn gw_32_gw_33_tokens_of_every_usage_shape() {
    let cases = corpus();
    assert!(cases.len() >= 60);
    for case in cases {
        let tally = tally(&case);
        assert_eq!(summary(&tally), case.expected, "{}", case.name);
        assert_eq!(tally.usage_raw.as_deref(), case.usages.last().copied(), "{}", case.name);
    }
}

#[test]
fn usage_hidden_in_a_provider_extension_is_found() {
    let lines = [
        r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":10,"completion_tokens":5}}}"#,
    ];
    assert_eq!(summary(&read_lines(Dialect::Openai, UsageRules::default(), &lines).1), "10 - - - 5 -");
}

#[test]
fn no_usage_is_unknown_and_not_zero() {
    let lines = [r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":null}"#, "[DONE]"];
    let tally = read_lines(Dialect::Openai, UsageRules::default(), &lines).1;
    assert!(tally.usage.is_unknown() && tally.usage_raw.is_none() && !tally.is_suspect());
}
