use super::*;

fn event(raw: &str) -> Event {
    Event { at: Instant::now(), raw: raw.into() }
}

#[test]
fn an_event_has_a_name_and_joined_data() {
    let both = event("event: ping\ndata: a\ndata:b\n: comment");
    assert_eq!((both.name(), both.data().as_str()), ("ping", "a\nb"));
    assert_eq!(event("data: [DONE]").name(), "");
}

#[test]
fn headers_decide_how_long_a_body_is() {
    let left_of = |text: &str| left(&head(text).unwrap());
    assert_eq!(left_of("HTTP/1.1 204 No"), Left::Nothing);
    assert_eq!(left_of("HTTP/1.1 200 OK\r\nContent-Length: 3"), Left::Length(3));
    assert_eq!(left_of("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked"), Left::Chunk(None));
    assert_eq!(left_of("HTTP/1.1 200 OK"), Left::UntilClose);
    assert!(head("nonsense").is_err());
}
