use super::*;
use crate::Contract;
use crate::contract::classification::{Rule, When};
use vox_base::Document;

fn with_rules(rules: &str) -> Contract {
    let over = Document::parse("routing.yaml", &format!("classification: {{ rules: [{rules}] }}")).unwrap();
    Contract::from_document(&Contract::document().overlaid(over)).unwrap()
}

fn said(user_text: &str) -> Features<'_> {
    Features { user_text, n_messages: 1, ..Features::default() }
}

fn ids(contract: &Contract, features: &Features<'_>) -> Vec<String> {
    contract.classifier().classify(features).rules.iter().map(ToString::to_string).collect()
}

/// Each condition of the form: one request for which it holds, and one for which it does not.
#[test]
fn every_condition_decides_about_a_match() {
    let plain = said("please look at it");
    for (when, yes, no) in [
        ("words: [look at]", plain, said("please overlook at")),
        ("words: [look], also: [please]", plain, said("look at it")),
        ("words: [look], without: [please]", said("look at it"), plain),
        ("opens: [please look]", plain, said("so please look at it")),
        ("system: [agent]", Features { system_text: "You are an Agent.", ..plain }, plain),
        ("marks: [\"diff --git\"]", said("see\n```\ndiff --git a b\n```"), said("see\n```\nDiff --git a b\n```")),
        ("question: true", said("is it?"), plain),
        ("min_text_bytes: 10", plain, said("it")),
        ("max_text_bytes: 10", said("it"), plain),
        ("max_messages: 1", plain, Features { n_messages: 2, ..plain }),
        ("max_output_tokens: 64", Features { max_output_tokens: Some(64), ..plain }, plain),
        ("max_output_tokens: 64", Features { max_output_tokens: Some(64), ..plain }, Features { max_output_tokens: Some(65), ..plain }),
        ("min_tools: 3", Features { n_tools: 3, ..plain }, Features { n_tools: 2, ..plain }),
        ("max_tools: 0", plain, Features { n_tools: 1, ..plain }),
        ("min_images: 1", Features { n_images: 1, ..plain }, plain),
        ("tool_loop: true", Features { in_tool_loop: true, ..plain }, plain),
        ("tool_failed: false", plain, Features { tool_failed: true, ..plain }),
        ("json: true", Features { json: true, ..plain }, plain),
        ("web_search: true", Features { web_search: true, ..plain }, plain),
    ] {
        let contract = with_rules(&format!("{{ id: it, when: {{ {when} }}, task: review, weight: 1 }}"));
        assert_eq!((ids(&contract, &yes).len(), ids(&contract, &no).len()), (1, 0), "{when}");
    }
}

#[test]
fn words_match_whole_words_in_any_case_outside_what_is_only_shown() {
    let contract = with_rules("{ id: it, when: { words: [fix the bug, refactor*] }, task: review, weight: 1 }");
    let hit = |text: &str| !ids(&contract, &said(text)).is_empty();
    for text in [
        "Fix  the\nBUG!",
        "(fix the bug)",
        "refactoring",
        "REFACTOR",
        "<task>fix the bug</task>",
        "a > b, so fix the bug",
        "~~~\nx\n~~~\nfix the bug",
    ] {
        assert!(hit(text), "{text}");
    }
    for text in [
        "fix the bugs",
        "prefix the bug",
        "fix_the_bug",
        "unrefactored",
        "```\nfix the bug\n```",
        "  ```rust\nfix the bug",
        "> fix the bug",
        "https://host.test/refactor",
        "<system-reminder>fix the bug</system-reminder>",
        "<system-reminder>\nfix\nrefactor\n</system-reminder>",
        "naïvefix the bug",
    ] {
        assert!(!hit(text), "{text}");
    }
    let cut = Features { user_text: "refactor inside code\n```\nhello", is_cut: true, ..Features::default() };
    assert!(ids(&contract, &cut).is_empty(), "a text cut inside a fence begins with code");
    assert_eq!(ids(&contract, &Features { is_cut: false, ..cut }).len(), 1);
}

#[test]
fn the_heaviest_task_counts_and_ties_go_to_the_first_category() {
    let rules = "{ id: a, when: { words: [one] }, task: review, weight: 0.6 }, { id: b, when: { words: [two] }, task: review, weight: 0.6 }, \
        { id: c, when: { words: [three] }, task: testing, weight: 1.2 }, { id: d, when: { words: [four] }, complexity_add: 2 }";
    let contract = with_rules(rules);
    let task = |text: &str| contract.classifier().classify(&said(text)).task.map(|task| task.to_string());
    assert_eq!(task("one"), None, "less than 1.0 is the default task");
    assert_eq!(task("one two").as_deref(), Some("review"));
    assert_eq!(task("one two three").as_deref(), Some("testing"), "testing stands before review");
    let verdict = contract.classifier().classify(&said("three four"));
    assert_eq!((verdict.complexity_add, verdict.rules.len(), verdict.weight("testing"), verdict.weight("review")), (2, 2, 1200, 0));
}

/// RT-02 for the entries of the list: each shipped rule matches a request made to meet it, and its going is seen.
#[test]
fn every_shipped_rule_can_match() {
    let contract = Contract::builtin();
    for rule in &contract.rules().classification.rules {
        let (user_text, system_text) = texts(&rule.when);
        let found = contract.classifier().classify(&meeting(&rule.when, &user_text, &system_text));
        assert!(found.rules.iter().any(|id| **id == *rule.id), "{}: {:?} for {user_text:?}", rule.id, found.rules);
        let others = contract.rules().classification.rules.iter().filter(|other| other.id != rule.id).cloned().collect();
        let without = without(&contract, others).classifier().classify(&meeting(&rule.when, &user_text, &system_text));
        assert_ne!((found.weights, found.complexity_add), (without.weights, without.complexity_add), "{}", rule.id);
    }
}

fn without(contract: &Contract, rules: Vec<Rule>) -> Contract {
    let mut value = serde_json::to_value(contract.rules()).unwrap();
    value["classification"]["rules"] = serde_json::to_value(rules).unwrap();
    Contract::from_snapshot(value.to_string().as_bytes()).unwrap()
}

fn texts(when: &When) -> (String, String) {
    let first = |list: &[String]| list.first().map(|entry| entry.trim_end_matches('*').to_owned()).unwrap_or_default();
    let mut user_text = [first(&when.opens), first(&when.words), first(&when.also), first(&when.marks)].join(" ");
    user_text.push_str(&" zz".repeat(when.min_text_bytes.unwrap_or(0) as usize));
    (user_text, first(&when.system))
}

fn meeting<'a>(when: &When, user_text: &'a str, system_text: &'a str) -> Features<'a> {
    Features {
        user_text,
        system_text,
        n_messages: 1,
        n_tools: when.min_tools.unwrap_or(0) as usize,
        n_images: when.min_images.unwrap_or(0) as usize,
        max_output_tokens: when.max_output_tokens,
        in_tool_loop: when.tool_loop.unwrap_or(false),
        tool_failed: when.tool_failed.unwrap_or(false),
        json: when.json.unwrap_or(false),
        web_search: when.web_search.unwrap_or(false),
        ..Features::default()
    }
}

#[test]
fn a_rule_that_can_not_work_is_refused_with_its_place() {
    for (rule, key, what) in [
        ("{ id: A, when: { json: true }, task: review, weight: 1 }", "classification.rules[0].id", "1 to 40"),
        ("{ id: a, when: {}, task: review, weight: 1 }", "classification.rules[0].when", "at least one condition"),
        ("{ id: a, when: { json: true }, task: juggling, weight: 1 }", "classification.rules[0].task", "juggling"),
        ("{ id: a, when: { json: true }, task: review }", "classification.rules[0].weight", "0.001 to 10"),
        ("{ id: a, when: { json: true } }", "classification.rules[0]", "a task, or a change"),
        ("{ id: a, when: { json: true }, complexity_add: 4 }", "classification.rules[0].complexity_add", "-3 to 3"),
        ("{ id: a, when: { words: [\"\"] }, task: review, weight: 1 }", "classification.rules[0].when.words[0]", "1 to 80"),
        ("{ id: a, when: { wrods: [x] }, task: review, weight: 1 }", "classification.rules[0].when.wrods", "unknown field"),
        (
            "{ id: a, when: { json: true }, complexity_add: 1 }, { id: a, when: { json: true }, complexity_add: 1 }",
            "classification.rules[1].id",
            "twice",
        ),
    ] {
        let over = Document::parse("routing.yaml", &format!("classification:\n  rules: [{rule}]")).unwrap();
        let error = Contract::from_document(&Contract::document().overlaid(over)).unwrap_err().0;
        assert_eq!((error.file.as_str(), error.line, error.key.as_str()), ("routing.yaml", 2, key), "{rule}: {error}");
        assert!(error.message.contains(what), "{error}");
    }
}
