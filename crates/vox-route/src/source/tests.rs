use super::*;
use crate::catalog::{Capability, Catalog, Layer, Lifecycle, Locality, PriceOverlay, PriceState, Trust};
use crate::contract::SourceRules;
use vox_base::Micros;

const AT: Timestamp = Timestamp::from_millis(1_779_000_000_000);

fn subject(provider: &str, kind: SourceKind) -> Subject {
    let (mapping, path) = (ListMapping::default(), "/models".to_owned());
    Subject { provider: provider.into(), kind, local: false, mapping, path, max_pages: 50, ollama_num_ctx_cap: 32_768, at: AT }
}

/// Reads a list from these answers and returns what was asked for on the way.
fn read(subject: Subject, bodies: &[&[u8]]) -> Result<(Fetched, Vec<Query>), SourceError> {
    let (mut reading, mut asked) = (Reading::new(subject), Vec::new());
    for body in bodies {
        asked.push(reading.query().expect("the list goes on"));
        reading.take(body)?;
    }
    assert_eq!(reading.query(), None, "the list is complete");
    Ok((reading.finish()?, asked))
}

fn openrouter(body: &[u8], _at: Timestamp) -> Result<Fetched, SourceError> {
    read(subject("openrouter", SourceKind::Openrouter), &[body]).map(|(fetched, _)| fetched)
}

fn openai_compatible(provider: &str, local: bool, mapping: &ListMapping, body: &[u8], _at: Timestamp) -> Result<Fetched, SourceError> {
    let subject = Subject { local, mapping: mapping.clone(), ..subject(provider, SourceKind::OpenaiCompatible) };
    read(subject, &[body]).map(|(fetched, _)| fetched)
}

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
    let layer = Layer { source: "openrouter".into(), trust: Trust::ProviderList, entries: fetched.entries };
    let (catalog, _) = Catalog::build(&crate::Contract::builtin(), vec![layer], &PriceOverlay::empty());
    let offer = catalog.find("openrouter", "anthropic/claude-opus-4.7").unwrap();
    let all: Vec<Capability> = offer.capabilities.unwrap().iter().collect();
    assert_eq!(all, [Capability::ToolUse, Capability::Json, Capability::Reasoning, Capability::Vision, Capability::FileInput]);
    assert_eq!((&*offer.provenance["capabilities"], &*offer.provenance["strengths"]), ("inferred", "inferred"));
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
    let rules = SourceRules { jitter_ms: 0, ..crate::Contract::builtin().rules().discovery.openrouter.clone() };
    let now = |age_s: i64| AT.plus_millis(age_s * 1000);
    let fetch = Due::Now { timeout_ms: rules.timeout_ms, max_body_bytes: rules.max_body_bytes };
    let past = Past { fetched_at: Some(AT), ..Past::default() };
    let due = |past: &Past, force, now| due("openrouter", &rules, past, force, now);
    assert_eq!(due(&Past::default(), None, AT), fetch);
    assert_eq!(due(&past, None, now(21_599)), Due::At(now(21_600)));
    assert_eq!(due(&past, None, now(21_600)), fetch);
    assert_eq!(due(&past, Some(30), now(29)), Due::At(now(30)));
    assert_eq!(due(&past, Some(30), now(30)), fetch);
    assert_eq!(due(&past, None, now(-10)), fetch, "the clock was set back");
}

/// RT-12.
#[test]
fn rt_12_the_next_refresh_moves_with_least_time_and_jitter() {
    let shipped = crate::Contract::builtin().rules().discovery.openrouter.clone();
    let past = |seed, at| Past { fetched_at: Some(at), seed, failure: None };
    let next =
        |rules: &SourceRules, past: &Past| next_refresh("openrouter", rules, past).unwrap().millis() - past.fetched_at.unwrap().millis();
    let first = next(&shipped, &past(1, AT));
    assert!((21_600_000..=21_600_000 + 1_200_000).contains(&first));
    assert_eq!(first, next(&shipped, &past(1, AT)), "the same within an installation");
    assert_ne!(first, next(&shipped, &past(2, AT)), "spread over installations");
    assert_ne!(first, next(&shipped, &past(1, AT.plus_millis(1))), "and over periods");
    let exact = SourceRules { jitter_ms: 0, ..shipped.clone() };
    assert_eq!(next(&exact, &past(1, AT)), 21_600_000);
    assert_eq!(next(&SourceRules { min_refresh_s: 30_000, ..exact }, &past(1, AT)), 30_000_000);
    assert!(!is_stale(&shipped, AT, AT.plus_millis(129_600_000)));
    assert!(is_stale(&shipped, AT, AT.plus_millis(129_600_001)));
}

#[test]
fn failures_are_tried_again_ever_later_and_never_before_the_provider_wants() {
    let rules = crate::Contract::builtin().rules().discovery.openrouter.clone();
    let failed = |n_in_row, retry_after_ms| Past {
        fetched_at: Some(AT.plus_millis(-1)),
        failure: Some(Failure { at: AT, n_in_row, retry_after_ms, message: String::new() }),
        seed: 0,
    };
    let wait_s = |past: &Past| (next_refresh("one", &rules, past).unwrap().millis() - AT.millis()) / 1000;
    let waits: Vec<i64> = [1, 2, 3, 4, 9, 10, 4_000_000_000].map(|n| wait_s(&failed(n, None))).to_vec();
    assert_eq!(waits, [60, 120, 240, 480, 15_360, 21_600, 21_600], "up to the time a list counts as fresh");
    assert_eq!(wait_s(&failed(1, Some(600_000))), 600);
    assert_eq!(wait_s(&failed(5, Some(600_000))), 960);
    let at = |wait_s: i64| Due::At(AT.plus_millis(wait_s * 1000));
    assert_eq!(due("one", &rules, &failed(9, None), Some(30), AT), at(30), "a person need not wait for the next try");
    assert_eq!(due("one", &rules, &failed(1, Some(600_000)), Some(30), AT), at(600), "but the provider is not pressed");
}

/// RT-08: where the effective context of a model comes from.
#[test]
fn rt_08_ollama_says_what_it_really_loads() {
    let local = Subject { local: true, path: "/api/tags".into(), ..subject("ollama", SourceKind::Ollama) };
    let bodies: [&[u8]; 6] = [
        include_bytes!("tests/ollama-tags.json"),
        include_bytes!("tests/ollama-ps.json"),
        include_bytes!("tests/ollama-show-llama.json"),
        include_bytes!("tests/ollama-show-qwen.json"),
        include_bytes!("tests/ollama-show-gemma.json"),
        include_bytes!("tests/ollama-show-nomic.json"),
    ];
    let (fetched, asked) = read(local, &bodies).unwrap();
    let shown: Vec<_> = asked.iter().map(|query| (query.target.as_str(), query.body.as_deref().unwrap_or(""))).collect();
    let expected = [
        ("/api/tags", ""),
        ("/api/ps", ""),
        ("/api/show", r#"{"model":"llama3.1:8b"}"#),
        ("/api/show", r#"{"model":"qwen3:8b"}"#),
        ("/api/show", r#"{"model":"gemma3:4b"}"#),
        ("/api/show", r#"{"model":"nomic-embed-text:latest"}"#),
    ];
    assert_eq!(shown, expected);
    let contexts = |id: &str| (by_id(&fetched, id).context_tokens, by_id(&fetched, id).context_effective_tokens);
    assert_eq!(contexts("llama3.1:8b"), (Some(131_072), Some(8192)), "the model's own num_ctx");
    assert_eq!(contexts("qwen3:8b"), (Some(40_960), Some(16_384)), "as it is loaded");
    assert_eq!(contexts("gemma3:4b"), (Some(131_072), Some(32_768)), "what vox asks for");
    let all: Vec<Capability> = by_id(&fetched, "qwen3:8b").capabilities.unwrap().iter().collect();
    assert_eq!(all, [Capability::ToolUse, Capability::Json, Capability::Reasoning]);
    let vectors = by_id(&fetched, "nomic-embed-text:latest");
    assert_eq!((vectors.lifecycle, vectors.context_tokens), (Some(Lifecycle::Provisional), Some(2048)), "it answers no chat");
    assert!(fetched.entries.iter().all(|entry| entry.locality == Some(Locality::Local)));
}

#[test]
fn a_model_that_says_nothing_gets_what_ollama_loads_by_itself() {
    let bodies: [&[u8]; 3] =
        [br#"{"models":[{"name":"odd"},{"nome":"x"},{"name":"a b"},{"name":"c"},{"name":"d"}]}"#, br#"{"models":[]}"#, b"{}"];
    let mut bodies = bodies.to_vec();
    bodies.extend([&b"{}"[..]; 3]);
    let (fetched, _) = read(subject("ollama", SourceKind::Ollama), &bodies).unwrap();
    assert_eq!(by_id(&fetched, "odd").context_effective_tokens, Some(4096));
    assert_eq!((fetched.entries.len(), fetched.n_malformed, fetched.warnings.len()), (3, 1, 2));
    let (fetched, asked) = read(subject("ollama", SourceKind::Ollama), &[br#"{"models":[]}"#]).unwrap();
    assert_eq!((fetched.entries.len(), asked.len()), (0, 1), "nothing is invented");
}

/// RT-09: three pages each, and nothing but the cursor in the address.
#[test]
fn rt_09_lists_of_three_pages_are_read_to_their_end() {
    let pages: [&[u8]; 3] =
        [include_bytes!("tests/anthropic-1.json"), include_bytes!("tests/anthropic-2.json"), include_bytes!("tests/anthropic-3.json")];
    let (fetched, asked) = read(subject("anthropic", SourceKind::Anthropic), &pages).unwrap();
    let targets: Vec<_> = asked.iter().map(|query| query.target.as_str()).collect();
    let expected =
        ["/models?limit=1000", "/models?limit=1000&after_id=claude-sonnet-4-6", "/models?limit=1000&after_id=claude-haiku-4-5-20251001"];
    assert_eq!(targets, expected);
    assert_eq!(fetched.entries.len(), 5);
    let opus = by_id(&fetched, "claude-opus-4-7");
    assert_eq!((opus.context_tokens, opus.max_output_tokens), (Some(1_000_000), Some(128_000)));
    let all: Vec<Capability> = opus.capabilities.unwrap().iter().collect();
    assert_eq!(all, [Capability::ToolUse, Capability::Json, Capability::Reasoning, Capability::Vision, Capability::FileInput]);
    assert_eq!(by_id(&fetched, "claude-3-haiku-20240307").capabilities, None, "an entry without limits says nothing of them");

    let pages: [&[u8]; 3] =
        [include_bytes!("tests/google-1.json"), include_bytes!("tests/google-2.json"), include_bytes!("tests/google-3.json")];
    let google = Subject { path: "../models".into(), ..subject("google", SourceKind::Google) };
    let (fetched, asked) = read(google, &pages).unwrap();
    let targets: Vec<_> = asked.iter().map(|query| query.target.as_str()).collect();
    assert_eq!(
        targets,
        ["../models?pageSize=1000", "../models?pageSize=1000&pageToken=Ch9tb2%2Fw", "../models?pageSize=1000&pageToken=p3"]
    );
    let ids: Vec<&str> = fetched.entries.iter().map(|entry| entry.native_id.as_str()).collect();
    assert_eq!(ids, ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash-preview"], "what embeds answers no chat");
    let pro = by_id(&fetched, "gemini-2.5-pro");
    assert_eq!((pro.context_tokens, pro.max_output_tokens), (Some(1_048_576), Some(65_536)));
}

#[test]
fn a_list_that_never_ends_is_no_list() {
    let page = |next: &str| format!(r#"{{"data":[{{"id":"m-{next}"}}],"has_more":true,"last_id":"{next}"}}"#);
    let mut reading = Reading::new(subject("anthropic", SourceKind::Anthropic));
    reading.take(page("a").as_bytes()).unwrap();
    reading.take(page("b").as_bytes()).unwrap();
    assert_eq!(reading.take(page("a").as_bytes()), Err(SourceError::RepeatedCursor("a".into())));
    let mut reading = Reading::new(Subject { max_pages: 2, ..subject("anthropic", SourceKind::Anthropic) });
    reading.take(page("a").as_bytes()).unwrap();
    assert_eq!(reading.take(page("b").as_bytes()), Err(SourceError::TooManyPages(2)));
    let endless = br#"{"data":[],"has_more":true}"#;
    assert!(matches!(Reading::new(subject("anthropic", SourceKind::Anthropic)).take(endless), Err(SourceError::NotAList(_))));
}

#[test]
fn malformed_entries_are_counted_over_all_pages() {
    let page = |n_bad: usize, last: bool| {
        let entries: Vec<String> = (0..50).map(|n| if n < n_bad { "{}".into() } else { format!(r#"{{"id":"m-{n}-{last}"}}"#) }).collect();
        format!(r#"{{"data":[{}],"has_more":{},"last_id":"x"}}"#, entries.join(","), !last)
    };
    let list = |first: usize, second: usize| {
        read(subject("anthropic", SourceKind::Anthropic), &[page(first, false).as_bytes(), page(second, true).as_bytes()])
    };
    assert_eq!(list(20, 0).unwrap().0.entries.len(), 80, "twenty of a hundred, though two fifths of a page");
    assert_eq!(list(11, 10).unwrap_err(), SourceError::Malformed { n_malformed: 21, n_entries: 100 });
}
