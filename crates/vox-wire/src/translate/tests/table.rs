//! The verdict table (GW-07): complete, and obeyed.

use super::*;

const YAML: &str = include_str!("../../../../../contracts/gateway/translation.v1.yaml");
const SCHEMA: &str = include_str!("../../../../../contracts/gateway/translation.v1.schema.json");

#[test]
fn the_contract_its_schema_and_its_type_agree() {
    Verdicts::parse("translation.v1.yaml", YAML).unwrap();
    let committed: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(committed, Verdicts::schema(), "write Verdicts::schema() to translation.v1.schema.json");
}

#[test]
fn gw_07_a_gap_or_a_leftover_is_an_error() {
    for field in [
        ("openai_to_anthropic", "request", "seed"),
        ("anthropic_to_openai", "block", "thinking"),
        ("anthropic_to_ollama", "tool", "server"),
    ] {
        let error = Verdicts::parse("t", &with_verdict(field, None)).unwrap_err();
        assert!(error.to_string().contains(field.2), "{error}");
    }
    let leftover = YAML.replacen("      seed: refuse\n", "      seed: refuse\n      sede: refuse\n", 1);
    assert!(Verdicts::parse("t", &leftover).unwrap_err().to_string().contains("sede"));
    assert!(Verdicts::parse("t", &YAML.replacen("seed: refuse", "seed: maybe", 1)).is_err());
    assert!(Verdicts::parse("t", &YAML.replacen("x-vox-version: 1", "x-vox-version: 2", 1)).is_err());
    assert!(Verdicts::parse("t", &format!("{YAML}\nextra: 1\n")).is_err());
}

/// Returns the contract with one verdict changed or taken out.
fn with_verdict((pair, group, name): (&str, &str, &str), verdict: Option<&str>) -> String {
    let (mut in_pair, mut in_group, mut n_changed) = (false, false, 0);
    let mut text = String::new();
    for line in YAML.lines() {
        let indent = line.len() - line.trim_start().len();
        let key = line.trim_start().split(':').next().unwrap_or_default();
        match indent {
            0 if !line.starts_with('#') => in_pair = key == pair,
            4 => in_group = key == group,
            6 if in_pair && in_group && key == name => {
                n_changed += 1;
                if let Some(verdict) = verdict {
                    text += &format!("      {name}: {verdict}\n");
                }
                continue;
            }
            _ => {}
        }
        text += line;
        text.push('\n');
    }
    assert_eq!(n_changed, 1, "{pair}.{group}.{name}");
    text
}

/// A request that holds the field with a value that says something.
fn sample(dialect: Dialect, field: &str) -> String {
    let (top, messages) = match dialect {
        Dialect::Openai => openai_sample(field),
        Dialect::Anthropic | Dialect::Ollama => anthropic_sample(field),
    };
    let messages = if messages.is_empty() { r#"{"role":"user","content":"hi"}"# } else { messages };
    let bound = if top.contains("\"max_") { "" } else { r#","max_tokens":9000"# };
    format!(r#"{{"model":"m"{bound}{top},"messages":[{messages}]}}"#)
}

const CALL: &str =
    r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
const USE: &str = r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}"#;

fn openai_sample(field: &str) -> (&'static str, &'static str) {
    match field {
        "request.audio" => (r#","audio":{"voice":"v"}"#, ""),
        "request.frequency_penalty" => (r#","frequency_penalty":0.5"#, ""),
        "request.function_call" => (r#","function_call":"auto""#, ""),
        "request.functions" => (r#","functions":[{"name":"f"}]"#, ""),
        "request.logit_bias" => (r#","logit_bias":{"1":5}"#, ""),
        "request.logprobs" => (r#","logprobs":true"#, ""),
        "request.max_completion_tokens" => (r#","max_completion_tokens":50"#, ""),
        "request.max_tokens" => (r#","max_tokens":50"#, ""),
        "request.metadata" => (r#","metadata":{"k":"v"}"#, ""),
        "request.modalities" => (r#","modalities":["text","audio"]"#, ""),
        "request.n" => (r#","n":2"#, ""),
        "request.parallel_tool_calls" => (r#","tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false"#, ""),
        "request.prediction" => (r#","prediction":{"type":"content","content":"x"}"#, ""),
        "request.presence_penalty" => (r#","presence_penalty":0.5"#, ""),
        "request.prompt_cache_key" => (r#","prompt_cache_key":"k""#, ""),
        "request.prompt_cache_retention" => (r#","prompt_cache_retention":"24h""#, ""),
        "request.reasoning_effort" => (r#","reasoning_effort":"low""#, ""),
        "request.response_format" | "response_format.text" => (r#","response_format":{"type":"text"}"#, ""),
        "response_format.json_object" => (r#","response_format":{"type":"json_object"}"#, ""),
        "response_format.json_schema" => (r#","response_format":{"type":"json_schema","json_schema":{}}"#, ""),
        "request.safety_identifier" => (r#","safety_identifier":"s""#, ""),
        "request.seed" => (r#","seed":7"#, ""),
        "request.service_tier" => (r#","service_tier":"flex""#, ""),
        "request.stop" => (r#","stop":"x""#, ""),
        "request.store" => (r#","store":true"#, ""),
        "request.stream" => (r#","stream":true"#, ""),
        "request.stream_options" => (r#","stream":true,"stream_options":{"include_usage":true}"#, ""),
        "request.temperature" => (r#","temperature":0.5"#, ""),
        "request.tool_choice" => (r#","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#, ""),
        "request.tools" | "tool.function" | "tool_field.name" => (r#","tools":[{"type":"function","function":{"name":"f"}}]"#, ""),
        "tool.custom" => (r#","tools":[{"type":"custom","custom":{"name":"f"}}]"#, ""),
        "tool_field.cache_control" => {
            (r#","tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]"#, "")
        }
        "tool_field.description" => (r#","tools":[{"type":"function","function":{"name":"f","description":"d"}}]"#, ""),
        "tool_field.parameters" => {
            (r#","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","required":[]}}}]"#, "")
        }
        "tool_field.strict" => (r#","tools":[{"type":"function","function":{"name":"f","strict":true}}]"#, ""),
        "request.top_logprobs" => (r#","top_logprobs":3"#, ""),
        "request.top_p" => (r#","top_p":0.9"#, ""),
        "request.user" => (r#","user":"u""#, ""),
        "request.verbosity" => (r#","verbosity":"low""#, ""),
        "request.web_search_options" => (r#","web_search_options":{}"#, ""),
        "role.assistant" => ("", r#"{"role":"assistant","content":"x"}"#),
        "role.developer" => ("", r#"{"role":"developer","content":"x"}"#),
        "role.function" => ("", r#"{"role":"function","content":"x"}"#),
        "role.system" => ("", r#"{"role":"system","content":"x"}"#),
        "role.tool" | "message.tool_call_id" => ("", r#"{"role":"tool","tool_call_id":"a","content":"x"}"#),
        "message.annotations" => ("", r#"{"role":"assistant","content":"x","annotations":[{}]}"#),
        "message.audio" => ("", r#"{"role":"assistant","content":"x","audio":{"id":"a"}}"#),
        "message.function_call" => ("", r#"{"role":"assistant","content":"x","function_call":{"name":"f"}}"#),
        "message.name" => ("", r#"{"role":"user","content":"x","name":"n"}"#),
        "message.reasoning" => ("", r#"{"role":"assistant","content":"x","reasoning":"r"}"#),
        "message.reasoning_content" => ("", r#"{"role":"assistant","content":"x","reasoning_content":"r"}"#),
        "message.reasoning_details" => ("", r#"{"role":"assistant","content":"x","reasoning_details":[{}]}"#),
        "message.refusal" => ("", r#"{"role":"assistant","content":"x","refusal":"no"}"#),
        "message.tool_calls" | "tool_call.function" => ("", CALL),
        "tool_call.custom" => ("", r#"{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]}"#),
        "block.file" => ("", r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#),
        "block.image_url" => ("", r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}"#),
        "block_field.detail" => {
            ("", r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]}"#)
        }
        "block.input_audio" => ("", r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA=="}}]}"#),
        "block.refusal" => ("", r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}"#),
        "block.text" => ("", r#"{"role":"user","content":[{"type":"text","text":"x"}]}"#),
        "block_field.cache_control" => {
            ("", r#"{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}"#)
        }
        "request.model" | "request.messages" | "role.user" | "message.content" => ("", ""),
        other => panic!("no sample for {other}"),
    }
}

fn anthropic_sample(field: &str) -> (&'static str, &'static str) {
    match field {
        "request.cache_control" => (r#","cache_control":{"type":"ephemeral"}"#, ""),
        "request.container" => (r#","container":"c""#, ""),
        "request.context_management" => (r#","context_management":{"edits":[]}"#, ""),
        "request.inference_geo" => (r#","inference_geo":"us""#, ""),
        "request.max_tokens" => (r#","max_tokens":50"#, ""),
        "request.mcp_servers" => (r#","mcp_servers":[{"url":"u"}]"#, ""),
        "request.metadata" => (r#","metadata":{"user_id":"u"}"#, ""),
        "request.output_config" | "output_config.effort" => (r#","output_config":{"effort":"low"}"#, ""),
        "output_config.format" => (r#","output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#, ""),
        "request.output_format" => (r#","output_format":{"type":"json_schema","schema":{"type":"object"}}"#, ""),
        "request.service_tier" => (r#","service_tier":"auto""#, ""),
        "request.stop_sequences" => (r#","stop_sequences":["x"]"#, ""),
        "request.stream" => (r#","stream":true"#, ""),
        "request.system" => (r#","system":"s""#, ""),
        "request.temperature" => (r#","temperature":0.5"#, ""),
        "request.thinking" => (r#","thinking":{"type":"enabled","budget_tokens":4000}"#, ""),
        "request.tool_choice" => (r#","tools":[{"name":"f"}],"tool_choice":{"type":"any"}"#, ""),
        "request.tools" | "tool.custom" | "tool_field.name" => (r#","tools":[{"name":"f"}]"#, ""),
        "tool.server" => (r#","tools":[{"type":"bash_20250124","name":"bash"}]"#, ""),
        "tool_field.allowed_callers" => (r#","tools":[{"name":"f","allowed_callers":["code"]}]"#, ""),
        "tool_field.cache_control" => (r#","tools":[{"name":"f","cache_control":{"type":"ephemeral"}}]"#, ""),
        "tool_field.defer_loading" => (r#","tools":[{"name":"f","defer_loading":true}]"#, ""),
        "tool_field.description" => (r#","tools":[{"name":"f","description":"d"}]"#, ""),
        "tool_field.eager_input_streaming" => (r#","tools":[{"name":"f","eager_input_streaming":true}]"#, ""),
        "tool_field.input_examples" => (r#","tools":[{"name":"f","input_examples":[{}]}]"#, ""),
        "tool_field.input_schema" => (r#","tools":[{"name":"f","input_schema":{"type":"object"}}]"#, ""),
        "tool_field.strict" => (r#","tools":[{"name":"f","strict":true}]"#, ""),
        "request.top_k" => (r#","top_k":40"#, ""),
        "request.top_p" => (r#","top_p":0.9"#, ""),
        "role.assistant" => ("", r#"{"role":"assistant","content":"x"}"#),
        "role.system" => ("", r#"{"role":"system","content":"x"}"#),
        "block.container_upload" => ("", r#"{"role":"user","content":[{"type":"container_upload","file_id":"f"}]}"#),
        "block.document" => ("", r#"{"role":"user","content":[{"type":"document","source":{}}]}"#),
        "block.image" => {
            ("", r#"{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}"#)
        }
        "block.redacted_thinking" => {
            ("", r#"{"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},{"type":"text","text":"x"}]}"#)
        }
        "block.search_result" => ("", r#"{"role":"user","content":[{"type":"search_result","source":"x"}]}"#),
        "block.server_tool_use" => ("", r#"{"role":"assistant","content":[{"type":"server_tool_use","id":"x"}]}"#),
        "block.text" => ("", r#"{"role":"user","content":[{"type":"text","text":"x"}]}"#),
        "block.thinking" => {
            ("", r#"{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"s"},{"type":"text","text":"x"}]}"#)
        }
        "block.tool_result" => ("", r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"x"}]}"#),
        "block.tool_use" => ("", USE),
        "block.web_search_tool_result" => ("", r#"{"role":"assistant","content":[{"type":"web_search_tool_result","content":[]}]}"#),
        "block_field.cache_control" => {
            ("", r#"{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}"#)
        }
        "block_field.caller" => {
            ("", r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{},"caller":{"type":"direct"}}]}"#)
        }
        "block_field.citations" => ("", r#"{"role":"assistant","content":[{"type":"text","text":"x","citations":[{}]}]}"#),
        "block_field.is_error" => {
            ("", r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"x","is_error":true}]}"#)
        }
        "request.model" | "request.messages" | "role.user" | "message.content" => ("", ""),
        other => panic!("no sample for {other}"),
    }
}

#[test]
fn gw_07_every_verdict_of_every_field_is_obeyed() {
    for from in Dialect::CALLERS {
        for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
            for field in known_fields(from) {
                check_verdicts(from, to, field);
            }
        }
    }
}

fn check_verdicts(from: Dialect, to: Dialect, field: &str) {
    let pair = format!("{from}_to_{to}");
    let (group, name) = field.split_once('.').unwrap();
    let request = chat(from, &sample(from, field));
    let outcomes = ["map", "convert", "ignore", "refuse"].map(|verdict| {
        let verdicts = Verdicts::parse("t", &with_verdict((&pair, group, name), Some(verdict))).unwrap();
        request.translate(to, "n", &Target::default(), &verdicts, false)
    });
    let shown = if group == "request" { name } else { field };
    let [mapped, converted, ignored, refused] = &outcomes;
    assert!(converted.as_ref().unwrap().converted.contains(&shown.to_owned()), "{pair} {field}: {converted:?}");
    assert!(ignored.as_ref().unwrap().ignored.contains(&shown.to_owned()), "{pair} {field}: {ignored:?}");
    assert!(matches!(refused, Err(Untranslatable::Param { field: named, .. }) if named == shown), "{pair} {field}: {refused:?}");
    let mapped = mapped.as_ref().unwrap();
    assert!(!mapped.ignored.contains(&shown.to_owned()), "{pair} {field}");
    assert_ne!(mapped, converted.as_ref().unwrap(), "{pair} {field}");
}

#[test]
fn gw_09_unknown_fields_are_refused_or_dropped_by_name() {
    for (dialect, body, pointer, name) in [
        (Dialect::Openai, r#"{"model":"m","new/~field":1,"messages":[]}"#, "/new~1~0field", "new/~field"),
        (Dialect::Openai, r#"{"model":"m","messages":[{"role":"critic"}]}"#, "/messages/0/role", "role.critic"),
        (Dialect::Openai, r#"{"model":"m","messages":[{"role":"user","content":"x","mood":1}]}"#, "/messages/0/mood", "message.mood"),
        (
            Dialect::Openai,
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"hologram"}]}]}"#,
            "/messages/0/content/0/type",
            "block.hologram",
        ),
        (
            Dialect::Openai,
            r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","x":1}}]}"#,
            "/tools/0/function/x",
            "tool_field.x",
        ),
        (Dialect::Anthropic, r#"{"model":"m","max_tokens":1,"new":1,"messages":[]}"#, "/new", "new"),
        (
            Dialect::Anthropic,
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"hologram"}]}]}"#,
            "/messages/0/content/0/type",
            "block.hologram",
        ),
        (
            Dialect::Anthropic,
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"x","y":1}]}]}"#,
            "/messages/0/content/0/y",
            "block_field.y",
        ),
        (
            Dialect::Anthropic,
            r#"{"model":"m","max_tokens":1,"output_config":{"x":1},"messages":[]}"#,
            "/output_config/x",
            "output_config.x",
        ),
    ] {
        let error = translate(dialect, body).unwrap_err();
        assert_eq!(error, Untranslatable::UnknownField { pointer: pointer.to_owned(), field: name.to_owned() });
        let dropped = chat(dialect, body).translate(other(dialect), "n", &Target::default(), &Verdicts::built_in(), true).unwrap();
        assert!(dropped.ignored.contains(&name.to_owned()), "{body}: {:?}", dropped.ignored);
        assert!(!String::from_utf8(dropped.body.to_vec()).unwrap().contains("hologram"));
    }
}

#[test]
fn gw_08_what_the_other_dialect_lacks_is_refused_where_it_stands() {
    for (field, pointer) in [
        (r#""n":2"#, "/n"),
        (r#""logprobs":true"#, "/logprobs"),
        (r#""temperature":1.4"#, "/temperature"),
        (r#""seed":1"#, "/seed"),
        (r#""tools":[{"type":"custom","custom":{}}]"#, "/tools/0"),
        (r#""reasoning_effort":"low","max_tokens":1024"#, "/reasoning_effort"),
        (r#""reasoning_effort":"low","max_tokens":5000,"temperature":0.5"#, "/reasoning_effort"),
        (r#""reasoning_effort":"enormous""#, "/reasoning_effort"),
    ] {
        let error = translate(Dialect::Openai, &format!(r#"{{"model":"m",{field},"messages":[]}}"#)).unwrap_err();
        assert_eq!(error.pointer(), pointer, "{field}");
        assert_eq!(Coded::from(error).code, "gateway.param_unsupported");
    }
    for nothing in [r#""n":1"#, r#""logprobs":false"#, r#""frequency_penalty":0.0"#, r#""seed":null"#, r#""modalities":["text"]"#] {
        translate(Dialect::Openai, &format!(r#"{{"model":"m",{nothing},"messages":[]}}"#)).unwrap();
    }
}

#[test]
fn the_numbers_of_the_contract_are_used() {
    let with = |from: &str, to: &str| Verdicts::parse("t", &YAML.replacen(from, to, 1)).unwrap();
    let body = |dialect, body: &str, verdicts: &Verdicts| {
        chat(dialect, body).translate(other(dialect), "n", &Target::default(), verdicts, false).map(|done| value(&done))
    };
    let warm = r#"{"model":"m","temperature":1.4,"messages":[]}"#;
    assert!(body(Dialect::Openai, warm, &with("temperature_max: 1", "temperature_max: 1.5")).is_ok());
    let plain = r#"{"model":"m","messages":[]}"#;
    assert_eq!(body(Dialect::Openai, plain, &with("default_max_tokens: 16384", "default_max_tokens: 77")).unwrap()["max_tokens"], 77);
    let stops = r#"{"model":"m","max_tokens":1,"stop_sequences":["a","b","c","d","e"],"messages":[]}"#;
    assert!(body(Dialect::Anthropic, stops, &Verdicts::built_in()).is_err());
    assert!(body(Dialect::Anthropic, stops, &with("stop_sequences_max: 4", "stop_sequences_max: 5")).is_ok());
    for (effort, default) in [("minimal", 1024), ("low", 4096), ("medium", 8192), ("high", 16384), ("xhigh", 32768)] {
        let request = format!(r#"{{"model":"m","max_tokens":100000,"reasoning_effort":"{effort}","messages":[]}}"#);
        assert_eq!(body(Dialect::Openai, &request, &Verdicts::built_in()).unwrap()["thinking"]["budget_tokens"], default);
        let changed = with(&format!("  {effort}: {default}"), &format!("  {effort}: {}", default + 1));
        assert_eq!(body(Dialect::Openai, &request, &changed).unwrap()["thinking"]["budget_tokens"], default + 1);
        let request = format!(r#"{{"model":"m","max_tokens":1,"thinking":{{"type":"enabled","budget_tokens":{default}}},"messages":[]}}"#);
        assert_eq!(body(Dialect::Anthropic, &request, &Verdicts::built_in()).unwrap()["reasoning_effort"], effort);
    }
}
