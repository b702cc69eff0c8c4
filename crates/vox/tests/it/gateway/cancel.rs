//! A caller who goes away takes the upstream request along and leaves a settled row.

use crate::node::{Dialect, Node, Setup};
use std::time::{Duration, Instant};
use vox_base::Clock as _;
use vox_host::SystemClock;
use vox_testkit::{Answer, FakeProvider, Reply};

const CLOSED_WITHIN: Duration = Duration::from_millis(250);
const SETTLED_WITHIN_MS: i64 = 1000;

/// Checks what the fake and the rows say after the caller has left.
fn check_gone(node: &Node, fake: &FakeProvider, connection: usize, left: Instant, n_calls: i64) {
    let closed = fake.wait_closed_connection(connection, Duration::from_secs(5)).expect("the upstream connection is closed");
    assert!(closed.saturating_duration_since(left) <= CLOSED_WITHIN, "it took {:?}", closed.saturating_duration_since(left));
    let row = node.last_call(n_calls);
    // By the row's own clock: how soon the row is seen here depends on what else this machine does.
    let left_ms_ago = i64::try_from(left.elapsed().as_millis()).unwrap();
    let took_ms = row["ended_at"].as_i64().unwrap() - SystemClock.now().plus_millis(-left_ms_ago).millis();
    assert!(took_ms <= SETTLED_WITHIN_MS, "it took {took_ms} ms");
    assert_eq!((row["outcome"].as_str(), row["cost_source"].as_str()), (Some("client_cancelled"), Some("estimated")));
    assert!(row["cost_nano_usd"].as_i64().unwrap() > 0);
    let attempts = node.attempts(row["interaction_id"].as_str().unwrap());
    assert_eq!((attempts.len(), attempts[0]["outcome"].as_str(), attempts[0]["error_class"].as_str()), (1, Some("cancelled"), None));
}

#[test]
fn gw_31_a_caller_who_leaves_cancels_the_upstream_request() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    let mut n_calls = 0;
    for dialect in Dialect::BOTH {
        // In the middle of a stream, by a close and by a reset.
        for reset in [false, true] {
            let reply = dialect.reply(&Answer::text("one two three"), true);
            fake.script([reply.stall_after_pieces(4)]);
            fake.forget_requests();
            let mut client = node.client();
            node.send(&mut client, dialect.path(), &[], dialect.request(true).to_string().as_bytes());
            client.read_head().unwrap();
            client.next_event().unwrap().unwrap();
            let left = if reset { client.reset() } else { client.abort() };
            n_calls += 1;
            check_gone(&node, &fake, fake.requests()[0].connection, left, n_calls);
        }
        // While the whole answer's headers are awaited, and while a stream's first token is.
        for (stream, reply) in [
            (false, Reply::new(200, "").stall_before_headers()),
            (true, Reply::new(200, "").stall_before_headers()),
            (true, dialect.reply(&Answer::text("x"), true).stall_after_pieces(1)),
        ] {
            fake.script([reply]);
            fake.forget_requests();
            let mut client = node.client();
            node.send(&mut client, dialect.path(), &[], dialect.request(stream).to_string().as_bytes());
            let connection = fake.wait_requests(1, Duration::from_secs(5))[0].connection;
            let left = client.abort();
            n_calls += 1;
            check_gone(&node, &fake, connection, left, n_calls);
        }
    }
    // Neither the offer nor the key bears it.
    fake.script([Answer::text("well").openai()]);
    assert_eq!(node.post(Dialect::Openai.path(), &Dialect::Openai.request(false)).status(), 200);
    assert!(node.get("/metrics").text().contains("vox_gateway_inflight 0\n"), "{}", node.get("/metrics").text());
}
