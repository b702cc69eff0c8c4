use super::*;
use crate::catalog::{Capability, Locality};

const AT: Timestamp = Timestamp::from_millis(1_779_000_000_000);

fn by_id<'a>(fetched: &'a Fetched, id: &str) -> &'a Entry {
    fetched.entries.iter().find(|entry| entry.native_id == id).unwrap()
}

fn micros(price: Option<Micros>) -> Option<i64> {
    price.map(Micros::get)
}

/// RT-07.
#[test]
fn rt_07_openrouter_prices_are_read_exactly() {
    let fetched = openrouter(include_bytes!("tests/openrouter.json"), AT).unwrap();
    let nano = by_id(&fetched, "openai/gpt-5-nano");
    assert_eq!((micros(nano.prices.input), micros(nano.prices.output)), (Some(150_000), Some(600_000)));
    assert_eq!(micros(nano.prices.cache_read), Some(15_000));
    assert_eq!(nano.prices.reasoning, None, "a zero beside a price means that reasoning is billed as output");
    let opus = by_id(&fetched, "anthropic/claude-opus-4.7");
    assert_eq!((micros(opus.prices.cache_read), micros(opus.prices.cache_write_5m)), (Some(500_000), Some(6_250_000)));
    assert_eq!(
        (opus.context_tokens, opus.context_effective_tokens, opus.max_output_tokens),
        (Some(1_000_000), Some(200_000), Some(64_000))
    );
    assert_eq!(micros(by_id(&fetched, "tiny/exponent").prices.input), Some(100_000));
    assert_eq!(by_id(&fetched, "openrouter/auto").price_state, Some(PriceState::Dynamic));
    assert_eq!(by_id(&fetched, "some/model:free").price_state, Some(PriceState::Free));
    let half = by_id(&fetched, "half/free");
    assert_eq!((half.price_state, micros(half.prices.input)), (None, Some(0)), "free needs every class at zero");
    let odd = by_id(&fetched, "odd/negative");
    assert!(odd.prices.input.is_none() && odd.price_state.is_none());
    assert_eq!(opus.as_of.as_deref(), Some("2026-05-17"));
}

#[test]
fn openrouter_parameters_and_modalities_become_capabilities() {
    let fetched = openrouter(include_bytes!("tests/openrouter.json"), AT).unwrap();
    let all: Vec<Capability> = by_id(&fetched, "anthropic/claude-opus-4.7").capabilities.unwrap().iter().collect();
    assert_eq!(all, [Capability::ToolUse, Capability::Json, Capability::Reasoning, Capability::Vision, Capability::FileInput]);
}

#[test]
fn one_bad_entry_is_skipped_with_its_index_and_a_repeated_id_counts_once() {
    let fetched = openrouter(include_bytes!("tests/openrouter.json"), AT).unwrap();
    assert_eq!(fetched.n_malformed, 1);
    let text: Vec<String> = fetched.warnings.iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|warning| warning.contains("[7] : skipped")), "{text:?}");
    assert!(text.iter().any(|warning| warning.contains("listed twice")), "{text:?}");
    assert!(text.iter().any(|warning| warning.contains("`-0.5` is negative")), "{text:?}");
}

/// RT-11.
#[test]
fn rt_11_five_spellings_of_the_context_are_read() {
    let mapping = ListMapping::default();
    for (provider, body, id, context) in [
        ("vllm", &include_bytes!("tests/vllm.json")[..], "Qwen/Qwen3-32B", 40_960),
        ("groq", include_bytes!("tests/groq.json"), "llama-3.3-70b-versatile", 131_072),
        ("mistral", include_bytes!("tests/mistral.json"), "mistral-large-latest", 131_072),
        ("llamacpp", include_bytes!("tests/llamacpp.json"), "models/qwen3-8b.gguf", 32_768),
        ("sambanova", include_bytes!("tests/sambanova.json"), "Meta-Llama-3.3-70B-Instruct", 131_072),
    ] {
        let fetched = openai_compatible(provider, provider == "vllm", &mapping, body, AT).unwrap();
        let entry = by_id(&fetched, id);
        assert_eq!((entry.context_tokens, entry.provider.as_str()), (Some(context), provider));
        assert_eq!(entry.locality, Some(if provider == "vllm" { Locality::Local } else { Locality::Remote }));
    }
    let priced = openai_compatible("sambanova", false, &mapping, include_bytes!("tests/sambanova.json"), AT).unwrap();
    let prices = by_id(&priced, "Meta-Llama-3.3-70B-Instruct").prices;
    assert_eq!((micros(prices.input), micros(prices.output)), (Some(600_000), Some(1_200_000)));
}

#[test]
fn a_mapping_names_fields_and_the_unit_of_prices() {
    let mapping: ListMapping =
        serde_json::from_str(r#"{"context":["limits.n"],"pricing":{"input":"cost.in","output":"cost.out","unit":"usd_per_mtok"}}"#)
            .unwrap();
    let body = br#"{"data":[{"id":"m","limits":{"n":7},"cost":{"in":0.25,"out":"1e0"}}]}"#;
    let fetched = openai_compatible("x", false, &mapping, body, AT).unwrap();
    let entry = by_id(&fetched, "m");
    assert_eq!((entry.context_tokens, micros(entry.prices.input), micros(entry.prices.output)), (Some(7), Some(250_000), Some(1_000_000)));
    assert!(serde_json::from_str::<ListMapping>(r#"{"contexts":[]}"#).is_err());
}

/// RT-16.
#[test]
fn rt_16_a_unit_mistake_counts_as_unknown_and_too_many_bad_entries_fail_the_list() {
    let body = br#"{"data":[{"id":"a/b","pricing":{"prompt":"3000","completion":"0.000001"},"context_length":200000000}]}"#;
    let fetched = openrouter(body, AT).unwrap();
    assert_eq!((fetched.entries[0].prices.input, fetched.entries[0].context_tokens, fetched.warnings.len()), (None, None, 2));
    let list = |n_bad: usize| {
        let entries: Vec<String> = (0..100).map(|n| if n < n_bad { "{}".into() } else { format!(r#"{{"id":"a/{n}"}}"#) }).collect();
        openrouter(format!(r#"{{"data":[{}]}}"#, entries.join(",")).as_bytes(), AT)
    };
    assert_eq!(list(20).unwrap().entries.len(), 80);
    assert_eq!(list(21), Err(SourceError::Malformed { n_malformed: 21, n_entries: 100 }));
}

#[test]
fn what_is_no_list_is_an_error() {
    for body in [&b"<html>"[..], b"", b"{}", b"{\"data\":3}", b"{\"data\":[", b"\xff\xfe"] {
        assert!(matches!(openrouter(body, AT), Err(SourceError::NotAList(_))));
    }
    assert_eq!(Coded::from(SourceError::NotAList(String::new())).code, "route.source_failed");
}

#[test]
fn an_empty_list_is_suspicious_where_ten_models_were_known() {
    assert_eq!(suspicious_empty(9, 0), Ok(()));
    assert_eq!(suspicious_empty(10, 1), Ok(()));
    let error = suspicious_empty(10, 0).unwrap_err();
    assert_eq!(Coded::from(error).code, "route.suspicious_empty");
}

#[test]
fn a_list_is_fetched_when_it_is_stale_or_when_forced_but_never_too_soon() {
    let rules = crate::Contract::builtin().rules().discovery.openrouter.clone();
    let now = |age_s: i64| AT.plus_millis(age_s * 1000);
    let fetch = Due::Now { timeout_ms: rules.timeout_ms, max_body_bytes: rules.max_body_bytes };
    assert_eq!(due(&rules, None, false, AT), fetch);
    assert_eq!(due(&rules, Some(AT), false, now(21_599)), Due::At(now(21_600)));
    assert_eq!(due(&rules, Some(AT), false, now(21_600)), fetch);
    assert_eq!(due(&rules, Some(AT), true, now(3599)), Due::At(now(3600)));
    assert_eq!(due(&rules, Some(AT), true, now(3600)), fetch);
    assert_eq!(due(&rules, Some(AT), false, now(-10)), fetch, "the clock was set back");
}
