//! One trace id from the caller through the rows to the provider.

use crate::node::{Dialect, Node, Setup, interaction, stdout};
use serde_json::Value;
use std::collections::BTreeSet;
use vox_testkit::{Answer, FakeProvider, Reply};

/// Returns trace id and span id of a `traceparent`.
fn parts(traceparent: &str) -> (String, String) {
    let parts: Vec<&str> = traceparent.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[1].len(), parts[2].len()), (4, "00", 32, 16), "{traceparent}");
    (parts[1].to_owned(), parts[2].to_owned())
}

fn is_uuid_v7(trace: &str) -> bool {
    trace.as_bytes()[12] == b'7' && matches!(trace.as_bytes()[16], b'8' | b'9' | b'a' | b'b')
}

fn seen(fake: &FakeProvider) -> Vec<(String, String)> {
    fake.requests().iter().map(|request| parts(request.header("traceparent").expect("every upstream call carries a trace"))).collect()
}

#[test]
fn gw_53_every_attempt_carries_the_trace_with_a_span_of_its_own() {
    let fake = FakeProvider::scripted([Reply::new(503, ""), Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let answer = node.post("/v1/chat/completions", &Dialect::Openai.request(false));
    let trace = answer.head.header("x-vox-trace").unwrap();
    assert!(is_uuid_v7(trace), "{trace}");
    let seen = seen(&fake);
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|(of, _)| of == trace));
    let row = node.call(&interaction(&answer.head));
    assert_eq!(row["trace_id"].as_str().unwrap().replace('-', ""), trace);
    let spans: BTreeSet<String> = seen.into_iter().map(|(_, span)| span).chain([row["span_id"].as_str().unwrap().to_owned()]).collect();
    assert_eq!(spans.len(), 3, "the call and both attempts have spans of their own");
    let stored: Vec<Value> =
        node.attempts(row["interaction_id"].as_str().unwrap()).iter().map(|attempt| attempt["span_id"].clone()).collect();
    assert!(stored.iter().all(|span| spans.contains(span.as_str().unwrap())), "{stored:?} {spans:?}");
}

#[test]
fn gw_53_a_trace_can_be_read_by_every_id_it_has() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let answer = node.post("/v1/chat/completions", &Dialect::Openai.request(false));
    let id = interaction(&answer.head);
    let row = node.call(&id);
    let ids = ["last", &id, answer.head.header("x-vox-trace").unwrap(), row["trace_id"].as_str().unwrap()]
        .map(|wanted| node.json(&["trace", wanted])["interaction_id"].clone());
    assert!(ids.iter().all(|found| *found == *id), "{ids:?}");
    let shown = stdout(&node.vox(&["trace", "last"]));
    // 10 tokens at 0.25 and 5 at 2.00 USD a million.
    for part in [id.as_str(), "decision", "attempts", "openai/gpt-5-mini", "10 input", "5 output", "0.0000125", "computed"] {
        assert!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
    let unknown = node.vox(&["trace", "01890000-0000-7000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(1));
}

const INBOUND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn call(node: &Node, headers: &[(&str, &str)]) -> (String, Value) {
    let answer = node.post_with("/v1/chat/completions", headers, Dialect::Openai.request(false).to_string().as_bytes());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    (answer.head.header("x-vox-trace").unwrap().to_owned(), node.call(&interaction(&answer.head)))
}

#[test]
fn te_14_a_valid_trace_is_continued_and_any_other_begins_a_new_one() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let (trace, row) = call(&node, &[("traceparent", INBOUND)]);
    assert_eq!(trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((row["trace_id"].as_str(), row["trace_origin"].as_str()), (Some("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"), Some("inbound")));
    assert_eq!(row["parent_span_id"], "00f067aa0ba902b7");
    assert_eq!(seen(&fake).pop().unwrap().0, trace);
    assert_eq!(node.json(&["trace", &trace])["interaction_id"], row["interaction_id"]);

    let future = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
    assert_eq!(call(&node, &[("traceparent", future)]).1["trace_origin"], "inbound", "a later version is read as far as it is known");
    let bad: [&[(&str, &str)]; 8] = [
        &[("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")],
        &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")],
        &[("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01")],
        &[("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")],
        &[("traceparent", "nonsense")],
        &[("traceparent", "")],
        &[("traceparent", INBOUND), ("traceparent", INBOUND)],
    ];
    for headers in bad {
        let (trace, row) = call(&node, headers);
        assert!(is_uuid_v7(&trace) && !trace.starts_with("4bf92f35"), "{headers:?}: {trace}");
        assert_eq!((row["trace_origin"].as_str(), &row["parent_span_id"]), (Some("local"), &Value::Null), "{headers:?}");
        assert_eq!(seen(&fake).pop().unwrap().0, trace, "{headers:?}");
    }
}
