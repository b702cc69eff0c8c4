use super::*;
use crate::{Answer, Client, End, Framing, Gate};

const LONG: Duration = Duration::from_secs(5);

fn post(provider: &FakeProvider, path: &str) -> crate::Response {
    Client::connect(provider.address()).unwrap().request("POST", path, &[], b"{}").unwrap()
}

#[test]
fn replies_come_in_order_and_the_last_repeats() {
    let provider = FakeProvider::scripted([Reply::new(503, "busy"), Reply::new(200, "ok")]);
    let statuses: Vec<u16> = (0..3).map(|_| post(&provider, "/a").status()).collect();
    assert_eq!(statuses, [503, 200, 200]);
}

#[test]
fn a_path_has_its_own_replies() {
    let provider = FakeProvider::scripted([Reply::new(404, "")]);
    provider.on("/v1/models", [Reply::json(200, &serde_json::json!({"data": []}))]);
    assert_eq!(post(&provider, "/v1/models?limit=1").status(), 200);
    assert_eq!(post(&provider, "/v1/other").status(), 404);
    assert_eq!(provider.requests()[0].query, "limit=1");
}

#[test]
fn requests_are_recorded_exactly_on_one_kept_connection() {
    let provider = FakeProvider::scripted([Reply::new(200, "")]);
    let mut client = Client::connect(provider.address()).unwrap();
    let sent = b"{ \"a\" :\t1 }\xff";
    client.request("PUT", "/x", &[("X-One", "1"), ("x-two", "2")], sent).unwrap();
    client.request("GET", "/y", &[], b"").unwrap();
    let requests = provider.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str(), requests[0].body.as_slice()), ("PUT", "/x", &sent[..]));
    let names: Vec<&str> = requests[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["host", "X-One", "x-two", "content-length"]);
    assert_eq!((requests[1].connection, provider.n_connections()), (0, 1));
    assert!(requests[1].at >= requests[0].at);
}

#[test]
fn a_chunked_request_body_is_put_together() {
    let provider = FakeProvider::scripted([Reply::new(200, "")]);
    let mut client = Client::connect(provider.address()).unwrap();
    client.request("POST", "/", &[("transfer-encoding", "chunked")], b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n").unwrap();
    assert_eq!(provider.requests()[0].body, b"abcd");
}

#[test]
fn request_headers_can_be_echoed_in_an_error() {
    let provider = FakeProvider::scripted([Reply::echoing_headers(401)]);
    let mut client = Client::connect(provider.address()).unwrap();
    let answer = client.request("POST", "/", &[("authorization", "Bearer planted")], b"").unwrap();
    assert!(answer.text().contains("authorization: Bearer planted"));
}

#[test]
fn a_stream_arrives_event_by_event_and_ends_clean() {
    let gate = Gate::new();
    let provider = FakeProvider::scripted([Answer::text("one two").openai_stream().hold_piece(2, &gate)]);
    let mut client = Client::connect(provider.address()).unwrap();
    client.send("POST", "/", &[], b"").unwrap();
    assert_eq!(client.read_head().unwrap().header("content-type"), Some("text/event-stream"));
    assert!(client.next_event().unwrap().unwrap().data().contains("assistant"));
    assert!(client.next_event().unwrap().unwrap().data().contains("one "));
    gate.open();
    let (events, end) = client.events().unwrap();
    assert_eq!((events.len(), events.last().unwrap().data().as_str(), end), (4, "[DONE]", End::Clean));
}

#[test]
fn waits_stand_between_the_pieces() {
    let wait = Duration::from_millis(30);
    let provider = FakeProvider::scripted([Answer::text("a b").openai_stream().gap(wait)]);
    let mut client = Client::connect(provider.address()).unwrap();
    client.send("POST", "/", &[], b"").unwrap();
    client.read_head().unwrap();
    let (events, _) = client.events().unwrap();
    assert!(events.windows(2).all(|pair| pair[1].at - pair[0].at > wait / 2), "{events:?}");
}

#[test]
fn every_byte_and_every_event_can_be_the_last() {
    let reply = Answer::text("hi").anthropic_stream();
    for n_bytes in (0..reply.wire_len()).step_by(7) {
        let provider = FakeProvider::scripted([reply.clone().cut_after_bytes(n_bytes)]);
        let mut client = Client::connect(provider.address()).unwrap();
        client.send("POST", "/", &[], b"").unwrap();
        if client.read_head().is_ok() {
            assert_eq!(client.read_body().unwrap().1, End::Cut, "{n_bytes}");
        }
    }
    for n_events in 0..=reply.n_pieces() {
        let provider = FakeProvider::scripted([reply.clone().cut_after_pieces(n_events)]);
        let mut client = Client::connect(provider.address()).unwrap();
        client.send("POST", "/", &[], b"").unwrap();
        client.read_head().unwrap();
        let (events, end) = client.events().unwrap();
        assert_eq!((events.len(), end), (n_events, End::Cut));
    }
}

#[test]
fn lengths_can_lie_and_chunks_can_lack_their_end() {
    for (framing, end) in [
        (Framing::LengthOf(9), End::Cut),
        (Framing::LengthOf(2), End::Clean),
        (Framing::ChunkedUnended, End::Cut),
        (Framing::UntilClose, End::Clean),
        (Framing::Chunked, End::Clean),
    ] {
        let provider = FakeProvider::scripted([Reply::new(200, "four").framing(framing)]);
        assert_eq!(post(&provider, "/").end, end, "{framing:?}");
    }
}

#[test]
fn a_reset_and_raw_bytes_reach_the_peer() {
    let provider =
        FakeProvider::scripted([Reply::new(200, "").pieces(["a", "b"]).reset_after_pieces(1), Reply::raw("HTTP/1.1 299 X\r\n\r\nhm")]);
    assert_eq!(post(&provider, "/").end, End::Cut);
    let answer = post(&provider, "/");
    assert_eq!((answer.status(), answer.text().as_str()), (299, "hm"));
}

#[test]
fn the_moment_the_peer_leaves_is_seen_while_stalling_and_while_streaming() {
    for reply in [Reply::new(200, "").stall_before_headers(), Answer::text("a b c").openai_stream().stall_after_pieces(2)] {
        let provider = FakeProvider::scripted([reply]);
        let mut client = Client::connect(provider.address()).unwrap();
        client.send("POST", "/", &[], b"").unwrap();
        let _ = provider.wait_requests(1, LONG);
        assert_eq!(provider.n_open(), 1);
        let left = client.abort();
        let closed = provider.wait_closed(LONG).unwrap();
        assert!(closed.saturating_duration_since(left) < Duration::from_millis(200));
        assert_eq!(provider.n_open(), 0);
    }
}

#[test]
fn our_own_close_is_not_the_peers() {
    let provider = FakeProvider::scripted([Reply::new(200, "").cut_before_headers()]);
    let mut client = Client::connect(provider.address()).unwrap();
    assert!(client.request("POST", "/", &[], b"").is_err());
    assert_eq!(provider.wait_closed(Duration::from_millis(50)), None);
}

#[test]
fn nagle_is_off_on_accepted_sockets() {
    let provider = FakeProvider::scripted([Reply::new(200, "").stall_before_headers()]);
    let mut client = Client::connect(provider.address()).unwrap();
    client.send("POST", "/", &[], b"").unwrap();
    let _ = provider.wait_requests(1, LONG);
    let streams: Vec<_> = provider.shared.inside.lock().open.values().filter_map(std::sync::Weak::upgrade).collect();
    assert!(streams.len() == 1 && streams[0].nodelay().unwrap());
}
