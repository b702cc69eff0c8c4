//! The end of a node: open requests finish, or are told the truth, and everything is settled.

use crate::node::{Dialect, Node, PATIENCE, Setup, until};
use std::time::Duration;
use vox_testkit::{Answer, Client, End, FakeProvider, Gate, Response};

const N_STREAMS: usize = 20;

/// Opens streams of both dialects that wait at a gate after their first token.
fn streaming(fake: &FakeProvider, gate: &Gate, arguments: &[&str]) -> (Node, Vec<(Dialect, Client)>) {
    for dialect in Dialect::BOTH {
        let reply = dialect.reply(&Answer::text("one two three"), true);
        fake.on(dialect.path(), [reply.hold_piece(4, gate)]);
    }
    let node = Setup::new().both(fake).start_with(arguments);
    let open = |at: usize| {
        let dialect = Dialect::BOTH[at % 2];
        let mut client = node.client();
        node.send(&mut client, dialect.path(), &[], dialect.request(true).to_string().as_bytes());
        assert_eq!(client.read_head().unwrap().status, 200);
        client.next_event().unwrap().unwrap();
        (dialect, client)
    };
    let streams = (0..N_STREAMS).map(open).collect();
    (node, streams)
}

/// Asks until there is an answer: a connection that was opened in the very moment of the signal may be closed instead.
fn asked_anew(node: &Node, path: &str, body: &[u8]) -> Response {
    let headers = [("x-api-key", node.key.as_str()), ("content-type", "application/json")];
    let method = if body.is_empty() { "GET" } else { "POST" };
    until(PATIENCE, || node.client().request(method, path, &headers, body).ok()).expect("the node answers")
}

/// Waits until whoever asks hears that the node is about to end.
fn wait_draining(node: &Node) {
    let ready = until(PATIENCE, || Some(asked_anew(node, "/readyz", b"")).filter(|answer| answer.status() == 503));
    assert!(ready.expect("a draining node is not ready").text().contains("draining"));
}

#[test]
fn gw_57_open_streams_finish_before_the_node_ends() {
    let (fake, gate) = (FakeProvider::start(), Gate::new());
    let (mut node, streams) = streaming(&fake, &gate, &[]);
    assert_eq!(node.get("/readyz").status(), 200);
    node.terminate();
    wait_draining(&node);
    for dialect in Dialect::BOTH {
        let answer = asked_anew(&node, dialect.path(), dialect.request(false).to_string().as_bytes());
        assert_eq!((answer.status(), dialect.code(&answer.json())), (503, "gateway.node_draining"), "nothing new is begun");
    }
    gate.open();
    for (dialect, mut client) in streams {
        let (events, end) = client.events().unwrap();
        assert_eq!(end, End::Clean);
        assert!(events.last().unwrap().raw.contains(dialect.end_mark()));
    }
    assert_eq!(node.wait(), 0);
    let complete = "SELECT count(*) AS n FROM llm_interactions WHERE outcome = 'complete'";
    assert_eq!(node.number(complete), N_STREAMS as i64, "everything is settled when the process is gone");
}

#[test]
fn gw_57_streams_that_outlast_the_drain_are_told_so_and_settled() {
    let (fake, gate) = (FakeProvider::start(), Gate::new());
    let (mut node, streams) = streaming(&fake, &gate, &["--drain", "300ms"]);
    node.terminate();
    for (dialect, mut client) in streams {
        let (events, end) = client.events().unwrap();
        let last = events.last().unwrap();
        assert_eq!(end, End::Cut);
        assert_eq!(dialect.code(&serde_json::from_str(&last.data()).unwrap()), "gateway.node_draining");
        assert!(!events.iter().any(|event| event.raw.contains(dialect.end_mark())));
    }
    assert_eq!(node.wait(), 1);
    let sql = "SELECT count(*) AS n FROM llm_interactions WHERE outcome = 'drained' AND cost_source = 'estimated' AND cost_nano_usd > 0";
    assert_eq!(node.number(sql), N_STREAMS as i64);
    assert_eq!(node.json(&["usage", "--held"])["held"].as_array().unwrap().len(), 0);
    assert!(!node.home.state().join("node.json").exists());
}

#[test]
fn gw_57_a_second_signal_ends_at_once() {
    let (fake, gate) = (FakeProvider::start(), Gate::new());
    let (mut node, streams) = streaming(&fake, &gate, &["--drain", "60s"]);
    node.terminate();
    wait_draining(&node);
    let asked = std::time::Instant::now();
    node.terminate();
    assert_eq!(node.wait(), 1);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    drop(streams);
}
