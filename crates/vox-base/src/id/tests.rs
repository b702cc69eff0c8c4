use super::*;
use crate::TraceId;

#[test]
fn an_id_is_version_7_and_reads_back() {
    let id = TraceId::new(Timestamp::from_millis(1_700_000_000_123), [0xff; 10]);
    assert_eq!(id.to_string(), "018bcfe5-687b-7fff-bfff-ffffffffffff");
    assert_eq!(id.timestamp().millis(), 1_700_000_000_123);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(id.simple().parse(), Ok(id));
}

#[test]
fn malformed_ids_are_refused() {
    for text in
        ["", "018bcfe5", "018bcfe5-687b-7fff-bfff-fffffffffffg", "018bcfe5x687b-7fff-bfff-ffffffffffff", "é18bcfe5687b7fffbfffffffffffff"]
    {
        assert_eq!(text.parse::<TraceId>(), Err(InvalidId), "{text}");
    }
}
