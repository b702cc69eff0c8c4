//! The model list, in the shape of who asks.

use crate::node::{Node, PATIENCE, Setup, until};
use serde_json::Value;
use vox_testkit::FakeProvider;

fn list(node: &Node, headers: &[(&str, &str)], path: &str) -> Value {
    let answer = node.client().request("GET", path, headers, b"").unwrap();
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    answer.json()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

#[test]
fn gw_21_the_list_has_the_shape_of_the_client_that_asks() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    let bearer = format!("Bearer {}", node.key);
    let openai = list(&node, &[("authorization", &bearer)], "/v1/models");
    assert_eq!(openai["object"], "list");
    assert!(openai["data"].as_array().unwrap().iter().all(|model| model["object"] == "model" && model["created"].is_i64()));
    let all = ids(&openai);
    for id in ["vox/auto", "vox/auto:code_gen", "vox/best", "openai/gpt-5-mini", "anthropic/claude-haiku-4-5"] {
        assert!(all.contains(&id), "{id} is missing: {all:?}");
    }
    let mut paged = Vec::new();
    let mut path = "/v1/models?limit=7".to_owned();
    loop {
        let page = list(&node, &[("x-api-key", &node.key), ("anthropic-version", "2023-06-01")], &path);
        assert!(
            page.get("object").is_none()
                && page["data"].as_array().unwrap().iter().all(|model| model["type"] == "model" && model["display_name"].is_string())
        );
        paged.extend(ids(&page).iter().map(|id| (*id).to_owned()));
        if page["has_more"] == false {
            break;
        }
        assert_eq!(ids(&page).len(), 7);
        // As clients write it: names with a slash or a colon come encoded.
        let cursor = page["last_id"].as_str().unwrap().replace('/', "%2F").replace(':', "%3A");
        path = format!("/v1/models?limit=7&after_id={cursor}");
        assert!(paged.len() < 1000, "the pages go in a circle");
    }
    let nowhere = node.client().request("GET", "/v1/models?after_id=nobody", &[("x-api-key", &node.key)], b"").unwrap();
    assert_eq!((nowhere.status(), nowhere.json()["error"]["code"].as_str()), (400, Some("gateway.hint_invalid")));
    assert_eq!(paged, all, "the pages together are the list");
    for path in ["/v1/models/openai/gpt-5-mini", "/v1/models/openai%2Fgpt-5-mini"] {
        assert_eq!(list(&node, &[("authorization", &bearer)], path)["id"], "openai/gpt-5-mini");
    }
}

#[test]
fn gw_21_a_key_sees_what_it_may_use() {
    let node = Setup::new().start();
    let key = node.key(&["narrow", "--models", "ollama/*"]);
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    until(PATIENCE, || (node.client().request("GET", "/v1/models", &headers, b"").ok()?.status() == 200).then_some(())).unwrap();
    let narrow = list(&node, &headers, "/v1/models");
    let seen = ids(&narrow);
    assert!(seen.iter().any(|id| id.starts_with("ollama/")), "{seen:?}");
    assert!(seen.iter().all(|id| id.starts_with("ollama/") || id.starts_with("vox/")), "{seen:?}");
    assert!(seen.contains(&"vox/local") && !seen.contains(&"vox/best"), "only aliases that mean something here: {seen:?}");
    let hidden = node.client().request("GET", "/v1/models/openai/gpt-5-mini", &headers, b"").unwrap();
    assert_eq!((hidden.status(), hidden.json()["error"]["code"].as_str()), (404, Some("route.model_unknown")));
}
