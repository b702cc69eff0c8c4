use super::*;
use vox_vault::Registry;

fn providers(yaml: &str) -> Providers {
    let over = Document::parse("x.yaml", yaml).unwrap();
    Providers::load(vec![over], &Registry::builtin()).unwrap()
}

fn named(yaml: &str) -> String {
    let provider = providers(yaml).get("x").unwrap().clone();
    canonical(&provider).to_string()
}

#[test]
fn rt_22_the_same_endpoint_has_one_name_in_statistics_however_it_is_written() {
    let custom = |url: &str, local: bool| {
        named(&format!("providers: {{x: {{dialect: openai, base_url: '{url}', local: {local}, auth: {{kind: none}}}}}}"))
    };
    assert_eq!(custom("https://API.Example.com/v1", false), "custom:api.example.com");
    assert_eq!(custom("https://api.example.com:443/other/", false), "custom:api.example.com");
    assert_eq!(custom("https://api.example.com:8443/v1", false), "custom:api.example.com:8443");
    assert_eq!(custom("http://localhost:9000/v1", true), "custom:loopback:9000");
    assert_eq!(custom("http://127.0.0.1:9000/v1", true), "custom:loopback:9000");
}

#[test]
fn a_shipped_provider_keeps_its_own_name_until_its_address_is_changed() {
    let shipped = Providers::load(Vec::new(), &Registry::builtin()).unwrap();
    assert_eq!(&*canonical(shipped.get("openai").unwrap()), "openai");
    let moved = providers("providers: {openai: {base_url: 'https://eu.example.com/v1'}}");
    assert_eq!(&*canonical(moved.get("openai").unwrap()), "custom:eu.example.com");
}

#[test]
fn a_key_is_sent_as_the_entry_says_and_scrubbed_from_what_comes_back() {
    let anthropic = providers("providers: {}").get("anthropic").unwrap().clone();
    let route = Route::new(&anthropic, &|id| (id == "anthropic.api_key").then(|| Secret::new("sk-test-1234".to_owned()))).unwrap();
    let credential = route.credential.as_ref().unwrap();
    assert_eq!((credential.name.as_str(), credential.value.to_str().unwrap()), ("x-api-key", "sk-test-1234"));
    assert!(credential.value.is_sensitive());
    assert_eq!(route.scrub("you sent sk-test-1234\u{1b}[0m"), "you sent <REDACTED:known>[0m");
    assert_eq!(route.chat_url.to_string(), "https://api.anthropic.com/v1/messages");
}
