//! RT-39: what the rules are worth on requests as coding clients send them, from the body to the decision.
//!
//! `corpus/dev.txt` is what rules are tuned on; `corpus/test.txt` is only measured.

mod client;

use super::*;
use crate::providers::Providers;
use crate::settings::Settings;
use crate::snapshot::Inputs;
use client::Case;
use std::collections::BTreeSet;
use vox_base::{Secret, Timestamp};
use vox_route::catalog::PriceOverlay;
use vox_route::{Catalog, Contract, Tier, Wanted, decide};
use vox_vault::Registry;

const KEYS: &[&str] = &["anthropic", "openai", "google"];
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Returns a node's snapshot: the shipped catalog, and a key for each of these providers.
fn snapshot(with_keys: &'static [&'static str]) -> Snapshot {
    let contract = Contract::builtin();
    let (catalog, _) = Catalog::build(&contract, vec![Catalog::bootstrap()], &PriceOverlay::builtin());
    let resolve = move |id: &str| with_keys.iter().any(|provider| id.starts_with(provider)).then(|| Secret::new("key".to_owned()));
    let providers = Providers::load(Vec::new(), &Registry::builtin()).unwrap();
    Snapshot::build(Inputs { settings: Settings::builtin(), providers, contract, catalog, resolve: &resolve }).unwrap()
}

fn asked(snapshot: &Snapshot, chat: &Chat, hints: &Hints, session_task: Option<&str>) -> Ask {
    let question = Question {
        chat,
        input_tokens: chat.input_tokens_upper(),
        max_output_tokens: chat.max_output_tokens,
        caller: None,
        hints,
        session_task,
        offline: false,
        profile: None,
    };
    build(snapshot, &question).unwrap()
}

fn task(ask: &Ask, contract: &Contract) -> String {
    match &ask.wanted {
        Wanted::Auto { task: Some(named) } => named.clone(),
        Wanted::Auto { task: None } | Wanted::Alias(_) | Wanted::Explicit { .. } | Wanted::Bare(_) => {
            ask.task.clone().unwrap_or_else(|| contract.rules().default_task.clone())
        }
    }
}

/// Returns the cases whose task is not the one that a person gave them.
fn mistaken(snapshot: &Snapshot, cases: &[Case]) -> Vec<String> {
    let mistaken = |case: &Case| {
        let ask = asked(snapshot, &case.chat(), &Hints::default(), None);
        let found = task(&ask, &snapshot.contract);
        (found != case.label).then(|| format!("{} -> {found} {:?}: {}", case.label, ask.rules, case.shown()))
    };
    cases.iter().filter_map(mistaken).collect()
}

/// RT-39: the test half is not tuned on. 76 of its 87 requests were right the first time it was measured.
#[test]
fn rt_39_of_requests_never_seen_85_in_100_get_the_task_a_person_gives_them() {
    let snapshot = snapshot(KEYS);
    let (dev, test) = (client::read(include_str!("corpus/dev.txt")), client::read(include_str!("corpus/test.txt")));
    assert!(dev.len() + test.len() >= 150 && test.len() >= 75);
    let clients: BTreeSet<&str> = dev.iter().chain(&test).map(|case| case.client.as_str()).collect();
    assert!(clients.len() >= 4, "{clients:?}");
    for (cases, least) in [(&dev, 95), (&test, 85)] {
        let wrong = mistaken(&snapshot, cases);
        assert!((cases.len() - wrong.len()) * 100 >= cases.len() * least, "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }
}

/// RT-39: titles, topics, commit messages and the like, over both halves.
#[test]
fn rt_39_what_a_client_asks_on_its_own_account_goes_to_a_light_model() {
    let snapshot = snapshot(KEYS);
    let cases = client::read(concat!(include_str!("corpus/dev.txt"), "\n", include_str!("corpus/test.txt")));
    let background: Vec<&Case> = cases.iter().filter(|case| case.is_background()).collect();
    let is_dear = |case: &&&Case| {
        let ask = asked(&snapshot, &case.chat(), &Hints::default(), None);
        let decision = decide(&snapshot.contract, &snapshot.catalog, &snapshot.board, &ask, NOW, 0);
        let tier = decision.pick().expect("a provider has a key").offer.tier;
        snapshot.contract.tier_rank(tier) > snapshot.contract.tier_rank(Tier::Light)
    };
    let dear: Vec<String> = background.iter().filter(is_dear).map(|case| case.shown()).collect();
    assert!(background.len() >= 50 && dear.len() * 50 <= background.len(), "{} of {}: {dear:?}", dear.len(), background.len());
}

/// RT-39.
#[test]
fn rt_39_what_is_recorded_names_rules_and_holds_no_word_of_the_request() {
    let snapshot = snapshot(KEYS);
    let ids: BTreeSet<&str> = snapshot.contract.rules().classification.rules.iter().map(|rule| rule.id.as_str()).collect();
    let recorded = |case: &Case| {
        let ask = asked(&snapshot, &case.chat(), &Hints::default(), None);
        assert!(ask.rules.iter().all(|rule| ids.contains(&**rule)), "{:?}", ask.rules);
        serde_json::to_string(&ask).unwrap().to_lowercase()
    };
    let categories = snapshot.contract.rules().task_categories.join(" ");
    let ours = format!("{} {categories} rules session default", ids.iter().copied().collect::<Vec<_>>().join(" "));
    let mut n_words = 0;
    for case in client::read(include_str!("corpus/test.txt")) {
        let (found, silent) = (recorded(&case), recorded(&case.silent()));
        // Our own words are those of rules and categories, and of the same request in which nobody says anything.
        for word in case.words().filter(|word| !ours.contains(word) && !silent.contains(word)) {
            assert!(!found.contains(&word), "{word} of {}", case.shown());
            n_words += 1;
        }
    }
    assert!(n_words > 400, "{n_words} words were looked for");
}

/// RT-40.
#[test]
fn rt_40_a_tool_loop_of_twenty_turns_keeps_its_task() {
    let snapshot = snapshot(KEYS);
    for (name, text) in [
        ("terminal", "write unit tests for the parser"),
        ("terminal", "please go on where we stopped"),
        ("codex", "the import crashes on empty files"),
        ("boxed", "plan the move to the new queue, no code yet"),
    ] {
        let case = Case::new(name, text);
        let first = task(&asked(&snapshot, &case.after(0), &Hints::default(), None), &snapshot.contract);
        for turn in 1..=20 {
            let ask = asked(&snapshot, &case.after(turn), &Hints::default(), Some(&first));
            assert_eq!((ask.task.as_deref(), ask.task_source.as_str()), (Some(first.as_str()), "session"), "{text}, turn {turn}");
        }
    }
}

/// RT-40: between turns of the user a session changes its task only for one that leads clearly.
#[test]
fn rt_40_a_session_changes_its_task_by_a_clear_lead_only() {
    let snapshot = snapshot(KEYS);
    let next = |text: &str, session: &str| {
        let ask = asked(&snapshot, &Case::new("panel", text).chat(), &Hints::default(), Some(session));
        (task(&ask, &snapshot.contract), ask.task_source)
    };
    assert_eq!(next("and now the other one", "code_gen"), ("code_gen".into(), "session".into()));
    assert_eq!(next("write unit tests for it", "code_gen"), ("testing".into(), "rules".into()));
    assert_eq!(next("explain what you should add", "code_gen"), ("code_gen".into(), "session".into()), "a lead of 0.2 is no lead");
}

/// RT-33.
#[test]
fn rt_33_hints_at_search_tools_mean_research_and_a_stated_task_wins() {
    let snapshot = snapshot(KEYS);
    let chat = Case::new("panel", "write unit tests for the parser").chat();
    let with = |hints: Hints| asked(&snapshot, &chat, &hints, None);
    let search = Hints { tools: vec!["read".into(), "web_search".into()], ..Hints::default() };
    let searched = with(search.clone());
    assert_eq!((searched.task.as_deref(), searched.task_source.as_str()), (Some("research"), "research"));
    let stated = with(Hints { task: Some("parsing".into()), ..search });
    assert_eq!((stated.task.as_deref(), stated.task_source.as_str()), (Some("parsing"), "hint"));
    let plain = with(Hints { tools: vec!["read".into()], ..Hints::default() });
    assert_eq!((plain.task.as_deref(), plain.task_source.as_str()), (Some("testing"), "rules"));
    let unknown = Hints { task: Some("juggling".into()), ..Hints::default() };
    let question = Question {
        chat: &chat,
        input_tokens: 1,
        max_output_tokens: None,
        caller: None,
        hints: &unknown,
        session_task: None,
        offline: false,
        profile: None,
    };
    let error = build(&snapshot, &question).unwrap_err();
    assert_eq!(error.code, "route.task_unknown");
    assert!(error.expected.unwrap().contains("type_checking"), "the names there are");
}

/// RT-32: the side of hints and of tools that were called.
#[test]
fn rt_32_used_tools_raise_the_complexity_and_declared_ones_do_not() {
    let snapshot = snapshot(KEYS);
    let plain = Case::new("panel", "hello there, how are you doing?").chat();
    let with = |hints: Hints| asked(&snapshot, &plain, &hints, None);
    for (given, counts) in [(99, 10), (-3, 1), (i64::MAX, 10), (i64::MIN, 1), (4, 4)] {
        let ask = with(Hints { complexity: Some(given), ..Hints::default() });
        assert_eq!((ask.complexity_raw, ask.complexity), (given, counts));
    }
    let hinted = |tools: &[&str]| {
        with(Hints { tools: tools.iter().map(|&tool| tool.to_owned()).collect(), complexity: Some(2), ..Hints::default() })
    };
    let two = hinted(&["read", "edit"]);
    assert_eq!((two.complexity_raw, two.complexity, two.n_tools_used), (2, 7, 2));
    assert_eq!(hinted(&["read", "read"]).complexity, 2, "one tool named twice is one tool");
    let decision = decide(&snapshot.contract, &snapshot.catalog, &snapshot.board, &two, NOW, 0);
    let light: Vec<_> = decision.refused.iter().filter(|refused| refused.offer.tier == Tier::Light).collect();
    assert!(!light.is_empty() && light.iter().any(|refused| refused.reason.code() == "tier_floor"), "{light:?}");
    let agent = Case::new("terminal", "go on");
    assert_eq!(
        asked(&snapshot, &agent.declaring(40, 0), &Hints::default(), None).complexity,
        asked(&snapshot, &agent.declaring(1, 0), &Hints::default(), None).complexity
    );
    assert!(asked(&snapshot, &agent.after(0), &Hints::default(), None).complexity < 7);
    assert_eq!(asked(&snapshot, &agent.after(2), &Hints::default(), None).complexity, 7, "two different tools were called");
}

/// RT-35.
#[test]
fn rt_35_words_create_no_requirement_and_a_real_field_does() {
    let snapshot = snapshot(KEYS);
    let words = Case::new("panel", "think hard: search the web for the latest json schema of this image and return a json").chat();
    let ask = asked(&snapshot, &words, &Hints::default(), None);
    assert_eq!(ask.needs, vox_route::catalog::Capabilities::NONE);
    assert!(!ask.rules.is_empty(), "the words were read all the same");
    let field = client::read("parsing | panel | json | hello").remove(0).chat();
    assert!(asked(&snapshot, &field, &Hints::default(), None).needs.iter().any(|capability| capability == Capability::Json));
}

/// A request that names its model is not read: its words could not change who answers.
#[test]
fn a_request_that_names_its_model_is_not_classified() {
    let snapshot = snapshot(KEYS);
    let body = r#"{"model": "openai/gpt-5-mini", "messages": [{"role": "user", "content": "write unit tests"}]}"#;
    let chat = Chat::parse(vox_wire::Dialect::Openai, vox_wire::Endpoint::Chat, body.into()).unwrap();
    let ask = asked(&snapshot, &chat, &Hints::default(), None);
    assert_eq!((ask.task, ask.task_source.as_str(), ask.rules.len()), (None, "default", 0));
}
