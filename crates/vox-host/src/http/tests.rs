use super::*;
use std::io::{Read as _, Write as _};
use std::time::Duration;
use std::time::Instant;
use vox_testkit::{Answer, FakeProvider, Framing, Reply};

const LONG: Duration = Duration::from_secs(5);

fn http() -> Http {
    Http::new(AddressPolicy::default())
}

fn post(url: &str) -> Outgoing {
    Outgoing {
        method: Method::POST,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"a\":1}"),
        allow_private: false,
    }
}

async fn whole(http: &Http, url: &str) -> (u16, Bytes) {
    let incoming = http.send(post(url)).await.unwrap();
    (incoming.status.as_u16(), incoming.body.collect(1 << 20).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_byte_for_byte_and_connections_are_kept() {
    let provider = FakeProvider::scripted([Reply::new(200, "one"), Reply::new(404, "two")]);
    let http = http();
    let mut outgoing = post(&format!("{}/v1/chat?x=1", provider.url()));
    outgoing.headers.insert("x-a", "b".parse().unwrap());
    let incoming = http.send(outgoing).await.unwrap();
    assert_eq!(incoming.headers["content-length"], "3");
    assert_eq!(incoming.body.collect(3).await.unwrap(), "one");
    for _ in 0..20 {
        assert_eq!(whole(&http, &provider.url()).await, (404, Bytes::from("two")));
    }
    let requests = provider.requests();
    assert_eq!((requests[0].path.as_str(), requests[0].query.as_str()), ("/v1/chat", "x=1"));
    assert_eq!((requests[0].body.as_slice(), requests[0].header("x-a")), (&b"{\"a\":1}"[..], Some("b")));
    assert_eq!(requests[0].header("host"), Some(provider.address().to_string().as_str()));
    // A connection returns to the pool a moment after its body has ended, so a second one may be opened meanwhile.
    assert!(provider.n_connections() <= 4, "{}", provider.n_connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_an_answer_and_a_cookie_is_forgotten() {
    let elsewhere = FakeProvider::scripted([Reply::new(200, "")]);
    let provider = FakeProvider::scripted([Reply::new(302, "").header("location", &elsewhere.url()).header("set-cookie", "a=b")]);
    let http = http();
    assert_eq!(whole(&http, &provider.url()).await.0, 302);
    assert_eq!(whole(&http, &provider.url()).await.0, 302);
    assert_eq!(elsewhere.n_requests(), 0);
    assert!(provider.requests()[1].header("cookie").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_tells_its_clean_end_from_a_cut() {
    for (framing, clean) in
        [(Framing::Chunked, true), (Framing::ChunkedUnended, false), (Framing::Length, true), (Framing::LengthOf(9), false)]
    {
        let provider = FakeProvider::scripted([Reply::new(200, "four").framing(framing)]);
        let mut body = http().send(post(&provider.url())).await.unwrap().body;
        assert_eq!(body.next().await.unwrap().unwrap(), "four");
        match body.next().await {
            None => assert!(clean, "{framing:?}"),
            Some(result) => assert!(!clean && matches!(result, Err(BodyError::Cut(_))), "{framing:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_middle_is_a_cut() {
    let provider = FakeProvider::scripted([Answer::text("a b").openai_stream().reset_after_pieces(1)]);
    let body = http().send(post(&provider.url())).await.unwrap().body;
    assert!(matches!(body.collect(1 << 20).await, Err(BodyError::Cut(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_longer_than_wanted_is_refused() {
    let provider = FakeProvider::scripted([Reply::new(200, "").pieces(["ab", "cd", "ef"]).framing(Framing::Chunked)]);
    let body = http().send(post(&provider.url())).await.unwrap().body;
    assert!(matches!(body.collect(5).await, Err(BodyError::TooLong { limit: 5 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_apart_and_say_whether_anything_was_sent() {
    let cut = FakeProvider::scripted([Reply::new(200, "").cut_before_headers()]);
    let nonsense = FakeProvider::scripted([Reply::raw("SSH-2.0-x\r\n\r\n")]);
    let error = http().send(post(&cut.url())).await.unwrap_err();
    assert!(matches!(error, SendError::Reset(_)) && !error.nothing_sent(), "{error:?}");
    let error = http().send(post(&nonsense.url())).await.unwrap_err();
    assert!(matches!(error, SendError::Protocol(_)) && !error.nothing_sent(), "{error:?}");
    let error = http().send(post(&FakeProvider::refusing_url())).await.unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }) && error.nothing_sent(), "{error:?}");
    let error = http().send(post("/no-host")).await.unwrap_err();
    assert!(matches!(error, SendError::Request(_)) && error.nothing_sent(), "{error:?}");
    // A label of 64 letters is no name, so that no resolver is asked.
    let error = http().send(post(&format!("http://{}/", "x".repeat(64)))).await.unwrap_err();
    assert!(matches!(error, SendError::Dns { .. }) && error.nothing_sent(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_speak_tls_gets_no_request() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 4096];
        let n_bytes = stream.read(&mut hello).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        hello[..n_bytes].to_vec()
    });
    let error = http().send(post(&url)).await.unwrap_err();
    assert!(matches!(&error, SendError::Tls { host, .. } if host == "127.0.0.1") && error.nothing_sent(), "{error:?}");
    // A TLS handshake record, nothing of the request.
    assert_eq!(server.join().unwrap()[0], 0x16);
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_addresses_get_no_connection() {
    let provider = FakeProvider::scripted([Reply::new(200, "")]);
    for url in ["http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://2852039166/", "http://10.0.0.1/", "http://0.0.0.0/"]
    {
        let error = http().send(post(url)).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }) && error.nothing_sent(), "{url}: {error:?}");
    }
    let offline = Http::new(AddressPolicy { offline: true });
    let error = offline.send(post("https://name.invalid/")).await.unwrap_err();
    assert!(matches!(error, SendError::Offline { .. }), "{error:?}");
    assert_eq!(whole(&offline, &provider.url()).await.0, 200);
}

/// GW-31 at this level: leaving while waiting for headers closes the connection.
#[tokio::test(flavor = "multi_thread")]
async fn gw_31_dropping_the_wait_for_headers_closes_the_connection() {
    let provider = FakeProvider::scripted([Reply::new(200, "").stall_before_headers()]);
    let (client, url) = (http(), provider.url());
    let waiting = tokio::time::timeout(Duration::from_millis(100), client.send(post(&url)));
    assert!(waiting.await.is_err());
    let left = Instant::now();
    assert_eq!(provider.n_requests(), 1);
    let closed = tokio::task::block_in_place(|| provider.wait_closed(LONG)).unwrap();
    assert!(closed.saturating_duration_since(left) < Duration::from_millis(250));
}

/// GW-31 at this level: leaving in the middle of a stream closes the connection.
#[tokio::test(flavor = "multi_thread")]
async fn gw_31_dropping_the_body_closes_the_connection() {
    let provider = FakeProvider::scripted([Answer::text("a b c").openai_stream().stall_after_pieces(2)]);
    let client = http();
    let mut body = client.send(post(&provider.url())).await.unwrap().body;
    assert!(body.next().await.unwrap().is_ok());
    drop(body);
    let left = Instant::now();
    let closed = tokio::task::block_in_place(|| provider.wait_closed(LONG)).unwrap();
    assert!(closed.saturating_duration_since(left) < Duration::from_millis(250));
}
