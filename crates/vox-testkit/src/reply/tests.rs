use super::*;

fn wire(reply: &Reply) -> String {
    reply.plan().0.iter().map(|write| String::from_utf8_lossy(&write.bytes).into_owned()).collect()
}

#[test]
fn the_length_is_told_as_asked() {
    let reply = Reply::new(200, "four");
    assert!(wire(&reply).ends_with("content-length: 4\r\n\r\nfour"));
    assert!(wire(&reply.clone().framing(Framing::LengthOf(7))).contains("content-length: 7\r\n"));
    assert!(wire(&reply.clone().framing(Framing::Chunked)).ends_with("\r\n\r\n4\r\nfour\r\n0\r\n\r\n"));
    assert!(wire(&reply.framing(Framing::ChunkedUnended)).ends_with("4\r\nfour\r\n"));
}

#[test]
fn a_body_can_be_split_anywhere() {
    let reply = Reply::sse(["data: é\n\n".to_owned()]).split_every(1);
    assert_eq!(reply.n_pieces(), 10);
    assert_eq!(reply.plan().1, None);
}

#[test]
fn a_cut_keeps_exactly_the_bytes_before_it() {
    let reply = Reply::new(200, "four");
    let whole = wire(&reply);
    assert_eq!(reply.wire_len(), whole.len());
    for n_bytes in 0..whole.len() {
        assert_eq!(wire(&reply.clone().cut_after_bytes(n_bytes)), whole[..n_bytes]);
    }
}
