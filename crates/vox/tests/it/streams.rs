//! Streams as a caller reads them: every byte as it comes, every cut told, no stall on a connection that is kept.

use crate::node::{Dialect, Node, PATIENCE, Setup, interaction};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use vox_testkit::{Answer, Client, End, FakeProvider, Framing, Reply};

/// Streams whose writers make use of what the format allows.
fn unusual(dialect: Dialect) -> Vec<String> {
    let events = match dialect {
        Dialect::Openai => Answer::text("one é😀 two").openai_events(),
        Dialect::Anthropic => Answer::text("one é😀 two").anthropic_events(),
    };
    let plain = events.concat();
    let crlf = plain.replace('\n', "\r\n");
    let comments = format!(": hello\n\n{}", events.iter().map(|event| format!(": ping\n{event}:\n\n")).collect::<String>());
    let fields = events.iter().map(|event| format!("id: 7\nretry: 10\nunknown: x\n{event}")).collect::<String>();
    let unspaced = plain.replace("data: ", "data:");
    let mut all = vec![plain, crlf, comments, fields, unspaced];
    if dialect == Dialect::Anthropic {
        let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
        all.push(events.iter().map(|event| format!("{event}{ping}")).collect());
    }
    all
}

#[test]
fn gw_22_gw_04_a_stream_passes_byte_for_byte_however_it_is_written_and_cut_into_reads() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    let mut client = node.client();
    for dialect in Dialect::BOTH {
        for stream in unusual(dialect) {
            for n_bytes in [1, 3, 17, 64 * 1024] {
                let pieces = Reply::new(200, stream.as_str()).split_every(n_bytes).framing(Framing::Chunked);
                fake.script([pieces.header("content-type", "text/event-stream")]);
                node.send(&mut client, dialect.path(), &[], dialect.request(true).to_string().as_bytes());
                let answer = crate::node::finish(&mut client);
                assert_eq!((answer.status(), answer.end), (200, End::Clean));
                assert_eq!(answer.text(), stream, "pieces of {n_bytes}");
                assert!(answer.head.header("content-type").unwrap().starts_with("text/event-stream"));
            }
        }
    }
}

#[test]
fn gw_22_each_event_is_passed_on_when_it_is_complete() {
    let gates: Vec<vox_testkit::Gate> = (0..4).map(|_| vox_testkit::Gate::new()).collect();
    let reply = Answer::text("a b c d").openai_stream();
    let reply = gates.iter().enumerate().fold(reply, |reply, (at, gate)| reply.hold_piece(at + 2, gate));
    let fake = FakeProvider::scripted([reply]);
    let node = Setup::new().openai(&fake).start();
    let mut client = node.client();
    node.send(&mut client, Dialect::Openai.path(), &[], Dialect::Openai.request(true).to_string().as_bytes());
    client.read_head().unwrap();
    let mut next = || client.next_event().unwrap().expect("the stream goes on").data();
    assert!(next().contains("\"role\""));
    assert!(next().contains("a "), "the first token came before the second was written");
    for (gate, word) in gates.iter().zip(["b ", "c ", "d"]) {
        gate.open();
        assert!(next().contains(word));
    }
}

/// How an upstream stream can break.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// The connection closes without the last chunk.
    Close,
    /// The connection is reset.
    Reset,
    /// The body ends properly, as if that were all.
    Eof,
}

fn broken(events: &[String], k: usize, how: Break, gap: Duration) -> Reply {
    let reply = match how {
        Break::Close => Reply::sse(events.to_vec()).cut_after_pieces(k),
        Break::Reset => Reply::sse(events.to_vec()).reset_after_pieces(k),
        Break::Eof => Reply::sse(events[..k].to_vec()),
    };
    reply.gap(gap)
}

fn carries_token(event: &str) -> bool {
    event.contains("\"content\":\"one") || event.contains("text_delta")
}

#[test]
fn gw_23_a_stream_cut_after_any_event_never_looks_complete() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).settings("retries: { per_offer: 1 }\n").start();
    for dialect in Dialect::BOTH {
        let answer = Answer::text("one two three four");
        let events = if dialect == Dialect::Openai { answer.openai_events() } else { answer.anthropic_events() };
        let first_token = events.iter().position(|event| carries_token(event)).unwrap();
        for how in [Break::Close, Break::Reset, Break::Eof] {
            for gap in [Duration::ZERO, Duration::from_millis(4)] {
                for k in 0..events.len() {
                    fake.script([broken(&events, k, how, gap)]);
                    let case = format!("{dialect:?} {how:?} {gap:?} after {k} of {}", events.len());
                    let lossy = matches!(how, Break::Reset);
                    check_cut(&node, dialect, &events[..k], k > first_token, lossy, &case);
                }
            }
        }
    }
}

/// Asks for a stream that is cut behind these events, and checks what the caller sees and what is written down.
fn check_cut(node: &Node, dialect: Dialect, events: &[String], committed: bool, lossy: bool, case: &str) {
    let mut client = node.client();
    node.send(&mut client, dialect.path(), &[], dialect.request(true).to_string().as_bytes());
    let head = client.read_head().unwrap_or_else(|error| panic!("{case}: {error}"));
    let (body, end) = client.read_body().unwrap_or_else(|error| panic!("{case}: {error}"));
    let text = String::from_utf8(body).unwrap();
    assert!(!text.contains(dialect.end_mark()), "{case}: dressed up as complete: {text}");
    // A reset may overtake what was sent before it, even the first token.
    if committed && !(lossy && head.status != 200) {
        assert_eq!((head.status, end), (200, End::Cut), "{case}: {text}");
        let (before, error) = text.trim_end().rsplit_once("data: ").unwrap();
        let error: Value = serde_json::from_str(error).unwrap_or_else(|_| panic!("{case}: {text}"));
        assert_eq!(dialect.code(&error), "gateway.upstream_cut", "{case}");
        let before = before.trim_end_matches("event: error\n");
        let whole = events.concat();
        assert!(if lossy { whole.starts_with(before) } else { whole == before }, "{case}: {text}");
        assert!(dialect == Dialect::Openai || text.contains("event: error\n"), "{case}: {text}");
    } else {
        assert_eq!((head.status, end), (502, End::Clean), "{case}: {text}");
        assert_eq!(dialect.code(&serde_json::from_str(&text).unwrap()), "gateway.upstream_cut", "{case}");
    }
    let row = node.call(&interaction(&head));
    assert_eq!((row["outcome"].as_str(), row["cost_source"].as_str()), (Some("upstream_cut"), Some("estimated")), "{case}");
    assert!(row["cost_nano_usd"].as_i64().unwrap() > 0, "{case}");
}

#[test]
fn gw_23_the_text_that_was_seen_is_charged() {
    let words = "word ".repeat(800);
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    for (dialect, nano_usd_per_token) in [(Dialect::Openai, 2000), (Dialect::Anthropic, 5000)] {
        let reply = dialect.reply(&Answer::text(&words), true);
        let n_pieces = reply.n_pieces();
        fake.script([reply.cut_after_pieces(n_pieces - 4)]);
        let answer = node.post(dialect.path(), &dialect.request(true));
        assert_eq!(answer.end, End::Cut);
        let cost = node.call(&interaction(&answer.head))["cost_nano_usd"].as_i64().unwrap();
        let tokens = cost / nano_usd_per_token;
        assert!((600..=1600).contains(&tokens), "{dialect:?}: some 800 words were charged as {tokens} tokens");
    }
}

#[test]
fn gw_23_a_whole_stream_without_the_last_chunk_is_complete() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    for dialect in Dialect::BOTH {
        let reply = dialect.reply(&Answer::text("one two"), true);
        let n_pieces = reply.n_pieces();
        fake.script([reply.cut_after_pieces(n_pieces)]);
        let answer = node.post(dialect.path(), &dialect.request(true));
        assert!(answer.text().contains(dialect.end_mark()));
        assert_eq!(node.call(&interaction(&answer.head))["outcome"], "complete");
    }
}

/// Streams on one kept connection and returns the median time from the request to the last event.
fn median_stream(address: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> Duration {
    let mut client = Client::connect(address).unwrap();
    client.read_timeout(PATIENCE).unwrap();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let started = Instant::now();
            client.send("POST", "/v1/chat/completions", headers, body).unwrap();
            client.read_head().unwrap();
            let (events, end) = client.events().unwrap();
            assert_eq!((events.last().unwrap().data().as_str(), end), ("[DONE]", End::Clean));
            started.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Serves one stream after another the way a gateway does that never turned Nagle's algorithm off.
fn stalling_server(events: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let (mut line, mut n_body) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                n_body = line.strip_prefix("content-length: ").map_or(n_body, |length| length.trim().parse().unwrap());
                line.clear();
            }
            if reader.read_exact(&mut vec![0; n_body]).is_err() || n_body == 0 {
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
            for event in &events {
                stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
        }
    });
    address
}

#[test]
fn gw_47_streams_on_a_kept_connection_do_not_stall_behind_delayed_acknowledgements() {
    let reply = Answer::text("one two three four five six seven eight").openai_stream().gap(Duration::from_millis(1));
    let fake = FakeProvider::scripted([reply]);
    let node = Setup::new().openai(&fake).start();
    let body = Dialect::Openai.request(true).to_string();
    let bearer = format!("Bearer {}", node.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let direct = median_stream(fake.address(), &headers, body.as_bytes());
    let through = median_stream(node.address, &headers, body.as_bytes());
    let added = through.saturating_sub(direct);
    assert!(added < Duration::from_millis(5), "direct {direct:?}, through vox {through:?}");

    // The same client does see the stall where there is one; without this the assertion above could not fail.
    let stalling = stalling_server(Answer::text("one two three four five six seven eight").openai_events());
    let stalled = median_stream(stalling, &headers, body.as_bytes());
    assert!(stalled > Duration::from_millis(20), "a server with Nagle's algorithm on took only {stalled:?}");
}
