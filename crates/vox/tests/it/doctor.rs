//! `vox doctor`: what is wrong, and the command that mends it.

use crate::node::{Setup, envelope};
use serde_json::Value;

fn finding(report: &Value, id: &str) -> Option<Value> {
    report["findings"].as_array().expect("a report has findings").iter().find(|finding| finding["id"] == id).cloned()
}

#[test]
fn an_empty_home_is_no_error_and_every_list_is_said_to_be_never_fetched() {
    let setup = Setup::new();
    let report = setup.json(&["doctor"]);
    assert_eq!(report["n_errors"], 0);
    assert!(finding(&report, "store-missing").is_some());
    let openrouter = report["sources"].as_array().unwrap().iter().find(|source| source["source"] == "openrouter").unwrap();
    assert_eq!(openrouter["state"], "never");
    assert_eq!(setup.vox(&["doctor", "--strict"]).status.code(), Some(5), "no provider has a key, which is a warning");
}

#[test]
fn a_broken_provider_entry_is_named_with_file_line_and_key() {
    let setup = Setup::new();
    setup.home.write(
        "config/providers.d/x.yaml",
        "providers:\n  x:\n    dialect: openai\n    base_url: https://x.example\n    secret_ids: [nobody.api_key]\n",
    );
    let output = setup.vox(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(5));
    let evidence = finding(&envelope(&output)["data"], "providers-config").unwrap()["evidence"].as_str().unwrap().to_owned();
    assert!(evidence.contains("x.yaml:5") && evidence.contains("secret_ids"), "{evidence}");
}

#[test]
fn a_file_that_is_no_store_is_an_integrity_error_and_left_alone() {
    let setup = Setup::new();
    let path =
        setup.home.write("data/vox.db", "this is not a database, but long enough to be looked at as if it were one ..................");
    let before = std::fs::read(&path).unwrap();
    let output = setup.vox(&["doctor", "--area", "store", "--json"]);
    assert_eq!(output.status.code(), Some(7), "{}", envelope(&output));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn an_area_that_does_not_exist_is_refused_with_those_that_do() {
    let output = Setup::new().vox(&["doctor", "--area", "kitchen"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(crate::node::stderr(&output).contains("catalog"));
}
