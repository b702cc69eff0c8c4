use super::*;

fn openai(body: &str) -> Chat {
    Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn anthropic(body: &str) -> Chat {
    Chat::parse(Dialect::Anthropic, Endpoint::Chat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Each body of the corpus has `@` where the model stands.
fn corpus() -> Vec<(Dialect, Endpoint, &'static str, &'static str)> {
    let cases = include_str!("fixtures/pass_through.txt").strip_prefix("--- ").unwrap().split("\n--- ");
    cases
        .map(|case| {
            let (head, body) = case.split_once('\n').unwrap();
            let (dialect, rest) = head.split_once(' ').unwrap();
            let endpoint = if rest.starts_with("chat:") { Endpoint::Chat } else { Endpoint::Embeddings };
            (dialect.parse().unwrap(), endpoint, head, body)
        })
        .collect()
}

#[test]
fn gw_03_only_the_model_changes() {
    let cases = corpus();
    assert!(cases.len() >= 40);
    for (dialect, endpoint, name, body) in cases {
        for asked in [r#""m""#, r#""vox/auto:code""#, r#""g\u0070t\/4 \"x\"""#] {
            let inbound = body.replace('@', asked);
            let chat = Chat::parse(dialect, endpoint, Bytes::from(inbound.clone())).unwrap_or_else(|error| panic!("{name}: {error}"));
            let sent = text(chat.pass_through("a/b:\"é\"", false));
            assert_eq!(sent, body.replace('@', r#""a/b:\"é\"""#), "{name}");
            assert_eq!(text(chat.pass_through(&chat.model, false)), inbound, "{name}: unchanged");
        }
    }
}

#[test]
fn a_body_that_needs_no_edit_is_not_copied() {
    let chat = openai(r#"{"model":"m","messages":[]}"#);
    assert_eq!(chat.pass_through("m", false).as_ptr(), chat.document.bytes().as_ptr());
}

#[test]
fn gw_05_usage_is_asked_for_where_the_caller_did_not() {
    for (options, expected) in [
        ("", r#""stream_options":{"include_usage":true},"#),
        (r#","stream_options":{}"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{"x":1}"#, r#","stream_options":{"include_usage":true,"x":1}"#),
        (r#","stream_options": { "include_usage" : false }"#, r#","stream_options": { "include_usage" : true }"#),
        (r#","stream_options":null"#, r#","stream_options":{"include_usage":true}"#),
    ] {
        let body = format!(r#"{{"model":"m","stream":true,"messages":[]{options}}}"#);
        let expected = if options.is_empty() {
            format!(r#"{{{expected}"model":"n","stream":true,"messages":[]}}"#)
        } else {
            format!(r#"{{"model":"n","stream":true,"messages":[]{expected}}}"#)
        };
        assert!(!openai(&body).include_usage);
        assert_eq!(text(openai(&body).pass_through("n", true)), expected);
        assert_eq!(text(openai(&body).pass_through("m", false)), body);
    }
    let asked = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    assert!(openai(asked).include_usage);
    for unchanged in [asked, r#"{"model":"m","messages":[]}"#, r#"{"model":"m","stream":false,"messages":[]}"#] {
        assert_eq!(text(openai(unchanged).pass_through("m", true)), unchanged);
    }
    let claude = r#"{"model":"m","stream":true,"max_tokens":1,"messages":[]}"#;
    assert_eq!(text(anthropic(claude).pass_through("m", true)), claude);
}

#[test]
fn gw_51_hints_are_read_and_removed() {
    for (metadata, expected) in [
        (r#"{"vox.task":"code"}"#, "{}"),
        (r#"{"a":1,"vox.task":"code"}"#, r#"{"a":1}"#),
        (r#"{"vox.task":"code","a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1, "vox.task":"code" , "b":2}"#, r#"{"a":1, "b":2}"#),
        (r#"{ "vox.task":"code" , "vox.x":{"y":1} }"#, "{  }"),
        (r#"{"a":1,"vox.task":"code","vox.x":2,"b":3,"vox.y":4,"vox.z":5}"#, r#"{"a":1,"b":3}"#),
    ] {
        let chat = openai(&format!(r#"{{"model":"m","metadata":{metadata},"messages":[]}}"#));
        assert_eq!(chat.hints[0], ("task".to_owned(), "code".to_owned()));
        assert_eq!(text(chat.pass_through("m", false)), format!(r#"{{"model":"m","metadata":{expected},"messages":[]}}"#));
    }
}

#[test]
fn gw_13_reasoning_signed_by_vox_reaches_no_provider() {
    let ours = r#"{"type":"thinking","thinking":"hm","signature":"vox1.foreign"}"#;
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":[{ours},{{"type":"text","text":"b"}}]}},{{"role":"assistant","content":[{ours}]}},{{"role":"user","content":"c"}}]}}"#
    );
    let expected = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}"#;
    assert_eq!(text(anthropic(&body).pass_through("m", false)), expected);
}

#[test]
fn what_vox_reads_must_have_its_type() {
    for (body, pointer) in [
        ("[]", ""),
        ("{}", "/model"),
        (r#"{"model":1,"messages":[]}"#, "/model"),
        (r#"{"model":"m"}"#, "/messages"),
        (r#"{"model":"m","messages":{}}"#, "/messages"),
        (r#"{"model":"m","messages":[{"role":"user"},{}]}"#, "/messages/1/role"),
        (r#"{"model":"m","messages":["x"]}"#, "/messages/0/role"),
        (r#"{"model":"m","messages":[],"stream":"yes"}"#, "/stream"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "/max_tokens"),
        (r#"{"model":"m","messages":[],"max_completion_tokens":"9"}"#, "/max_completion_tokens"),
    ] {
        match Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::copy_from_slice(body.as_bytes())) {
            Err(WireError::Field { pointer: found, .. }) => assert_eq!(found, pointer, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let input = Chat::parse(Dialect::Openai, Endpoint::Embeddings, Bytes::from_static(br#"{"model":"m","messages":[]}"#));
    assert!(matches!(input, Err(WireError::Field { pointer, .. }) if pointer == "/input"));
}

#[test]
fn gw_06_errors_carry_their_code() {
    for (body, code) in [
        (r#"{"model":"a","model":"b","messages":[]}"#, "gateway.json_ambiguous"),
        (r#"{"model":"a","messages":[{"role":"user","content":"x","content":"y"}]}"#, "gateway.json_ambiguous"),
        (r#"{"model":"a""#, "gateway.json_invalid"),
        (r#"{"model":1}"#, "gateway.json_invalid"),
    ] {
        let error = Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
        let coded = Coded::from(error);
        assert_eq!(coded.code, code, "{body}");
        assert!(coded.next.is_some() && coded.expected.is_some());
    }
}

#[test]
fn the_bound_on_the_answer_is_read() {
    let bound = |fields: &str| openai(&format!(r#"{{"model":"m","messages":[]{fields}}}"#)).max_output_tokens;
    assert_eq!(bound(""), None);
    assert_eq!(bound(r#","max_tokens":null"#), None);
    assert_eq!(bound(r#","max_tokens":7"#), Some(7));
    assert_eq!(bound(r#","max_tokens":7,"max_completion_tokens":9"#), Some(9));
    assert_eq!(bound(r#","max_completion_tokens":9,"max_tokens":7"#), Some(9));
}

#[test]
fn needs_come_from_the_structure() {
    let needs = |fields: &str| openai(&format!(r#"{{"model":"m",{fields}}}"#)).needs;
    let words = needs(r#""messages":[{"role":"user","content":"type image_url tools json reasoning web_search"}]"#);
    let plain = Needs { n_choices: 1, n_messages: 1, input_bytes: words.input_bytes, ..Needs::default() };
    assert_eq!(words, plain);
    assert!(needs(r#""messages":[],"tools":[{"type":"function","function":{"name":"f"}}]"#).tools);
    assert!(!needs(r#""messages":[],"tools":[]"#).tools);
    assert!(needs(r#""messages":[{"role":"user","content":[{"type":"image_url"}]}]"#).images);
    assert!(needs(r#""messages":[{"role":"user","content":[{"type":"input_audio"}]}]"#).audio);
    assert!(needs(r#""messages":[{"role":"user","content":[{"type":"file"}]}]"#).files);
    assert!(needs(r#""messages":[],"response_format":{"type":"json_object"}"#).json);
    assert!(!needs(r#""messages":[],"response_format":{"type":"text"}"#).json);
    assert!(needs(r#""messages":[],"reasoning_effort":"low""#).reasoning);
    assert!(!needs(r#""messages":[],"reasoning_effort":"none""#).reasoning);
    assert!(needs(r#""messages":[],"web_search_options":{}"#).web_search);
    assert!(needs(r#""messages":[],"logprobs":true"#).logprobs);
    assert_eq!(needs(r#""messages":[],"n":3"#).n_choices, 3);
    assert!(needs(r#""messages":[],"modalities":["text","audio"]"#).audio);
}

#[test]
fn needs_of_anthropic_requests() {
    let needs = |fields: &str| anthropic(&format!(r#"{{"model":"m","max_tokens":1,{fields}}}"#)).needs;
    let image = r#"{"type":"image","source":{}}"#;
    let nested = needs(&format!(r#""messages":[{{"role":"user","content":[{{"type":"tool_result","content":[{image},{image}]}}]}}]"#));
    assert_eq!((nested.images, nested.n_images), (true, 2));
    assert!(needs(r#""messages":[{"role":"user","content":[{"type":"document"}]}]"#).files);
    let search = needs(r#""messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]"#);
    assert_eq!((search.web_search, search.tools, search.n_tools), (true, false, 0));
    assert_eq!(needs(r#""messages":[],"tools":[{"name":"f"},{"name":"g"}]"#).n_tools, 2);
    assert!(needs(r#""messages":[],"thinking":{"type":"enabled","budget_tokens":1024}"#).reasoning);
    assert!(!needs(r#""messages":[],"thinking":{"type":"disabled"}"#).reasoning);
    assert!(needs(r#""messages":[],"output_config":{"format":{"type":"json_schema"}}"#).json);
}

fn tokens(content: &str) -> u64 {
    let body = |content: &str| openai(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]}}"#));
    body(content).input_tokens_upper() - body("\"\"").input_tokens_upper()
}

/// Counted by hand from the rule at the head of `tokens.rs`.
#[test]
fn the_estimate_follows_its_rule() {
    for (text, n_tokens) in [
        ("", 0),
        ("the", 1),
        ("The quick brown fox.", 7),
        ("README", 3),
        ("camelCase", 4),
        ("a  b", 3),
        ("abcdefghijklmnopqrstuvwxyz", 13),
        ("2026-11", 7),
        ("{}();", 5),
        ("中文", 6),
        ("Привет", 12),
        ("😀", 4),
        ("aGVsbG8=", 6),
    ] {
        assert_eq!(tokens(&format!("\"{text}\"")), n_tokens, "{text}");
    }
}

/// A byte-level vocabulary never makes more tokens than bytes; English is commonly put at four letters a token.
#[test]
fn the_estimate_is_near_the_size_of_english() {
    let prose = "The house stands, and the main job runs; whoever opens the first room imitates it. ".repeat(50);
    let (estimate, n_bytes) = (tokens(&format!("\"{prose}\"")), prose.len() as u64);
    assert!((n_bytes / 4..n_bytes / 2).contains(&estimate), "{estimate} for {n_bytes} bytes");
}

#[test]
fn encoded_data_is_not_counted_as_text() {
    let picture = "QUJD".repeat(100_000);
    let image = tokens(&format!(r#"[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}]"#));
    assert!((6_000..6_100).contains(&image), "{image}");
    let remote = tokens(r#"[{"type":"image_url","image_url":{"url":"https://example.test/a.png"}}]"#);
    assert!((6_000..6_100).contains(&remote), "{remote}");
    let sound = tokens(&format!(r#"[{{"type":"input_audio","input_audio":{{"data":"{picture}","format":"wav"}}}}]"#));
    assert!((6_000..7_000).contains(&sound), "{sound}");
    let words = tokens(&format!(r#"[{{"type":"text","text":"{picture}"}}]"#));
    assert!(words > 150_000, "{words}");
}

#[test]
fn tools_add_what_providers_write_around_them() {
    let with = openai(r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#).input_tokens_upper();
    let without = openai(r#"{"model":"m","messages":[],"xools":[{"type":"function","function":{"name":"f"}}]}"#).input_tokens_upper();
    assert_eq!(with - without, 600);
}

#[test]
fn the_ends_of_a_conversation_are_cut_out_in_either_dialect() {
    let chat = openai(
        r#"{"model":"m","messages":[{"role":"developer","content":"be brief"},{"role":"user","content":"one"},{"role":"user","content":[{"type":"text","text":"two"},{"type":"image_url"}]},
        {"role":"assistant","tool_calls":[{"function":{"name":"read"}},{"function":{"name":"edit"}}]},{"role":"tool","content":"x"},
        {"role":"assistant","tool_calls":[{"function":{"name":"read"}}]},{"role":"tool","content":"y"}]}"#,
    );
    let excerpt = chat.excerpt(100, 100);
    assert_eq!((&*excerpt.user_text, &*excerpt.system_text, excerpt.n_images), ("two", "be brief", 1));
    assert_eq!((excerpt.n_tools_called, excerpt.in_tool_loop, excerpt.tool_failed, excerpt.is_cut), (2, true, false, false));
    let chat = anthropic(
        r#"{"model":"m","system":[{"type":"text","text":"be brief"},{"type":"text","text":"be kind"}],"messages":[
        {"role":"user","content":[{"type":"text","text":"<note>n</note>"},{"type":"text","text":"do it"}]},
        {"role":"assistant","content":[{"type":"tool_use","name":"read"}]},
        {"role":"user","content":[{"type":"tool_result","is_error":true},{"type":"text","text":"<note>more</note>"}]}]}"#,
    );
    let excerpt = chat.excerpt(100, 100);
    assert_eq!((&*excerpt.user_text, &*excerpt.system_text), ("<note>n</note>\ndo it", "be brief\nbe kind\n"));
    assert_eq!((excerpt.n_tools_called, excerpt.in_tool_loop, excerpt.tool_failed), (1, true, true));
}

#[test]
fn long_texts_are_cut_between_characters_and_escapes() {
    for n_bytes in 0..40 {
        let chat = openai(
            r#"{"model":"m","messages":[{"role":"system","content":"é\\\"\n\u00e9 ende"},{"role":"user","content":"é\\\"\n\u00e9 ende"}]}"#,
        );
        let whole = "é\\\"\né ende";
        let excerpt = chat.excerpt(n_bytes, n_bytes);
        assert!(excerpt.user_text.chars().count() <= n_bytes && excerpt.system_text.chars().count() <= n_bytes);
        assert_eq!(excerpt.is_cut, n_bytes < 19);
        // Cut inside an escape of four digits, the digits that are left stay text.
        let clean = !(9..=14).contains(&n_bytes);
        assert!(!clean || whole.ends_with(excerpt.user_text.trim_start_matches(|c: char| c.is_ascii_hexdigit())), "{n_bytes}: {excerpt:?}");
    }
    let chat = openai(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "\\n".repeat(300)));
    assert_eq!(chat.excerpt(7, 0).user_text, "\n\n\n", "half an escape is left out");
}

#[test]
fn of_a_long_conversation_only_the_last_messages_are_looked_at() {
    let conversation = |n_after: usize| {
        let after = r#",{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]},{"role":"tool","content":"x"}"#.repeat(n_after);
        openai(&format!(r#"{{"model":"m","messages":[{{"role":"system","content":"s"}},{{"role":"user","content":"u"}}{after}]}}"#))
    };
    for (n_after, seen) in [(0, "u"), (1, "u"), (31, "u"), (40, "u"), (100, ""), (1000, "")] {
        let chat = conversation(n_after);
        let excerpt = chat.excerpt(10, 10);
        assert_eq!((&*excerpt.user_text, &*excerpt.system_text), (seen, "s"), "{n_after}");
        assert_eq!((excerpt.in_tool_loop, excerpt.n_tools_called), (n_after > 0, usize::from(n_after > 0)));
    }
}
