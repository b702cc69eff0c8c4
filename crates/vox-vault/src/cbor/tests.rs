use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

#[test]
fn values_have_the_encoding_of_the_rfc() {
    for (value, bytes) in [
        (Value::Uint(0), "00"),
        (Value::Uint(23), "17"),
        (Value::Uint(24), "1818"),
        (Value::Uint(1000), "1903e8"),
        (Value::Uint(1_000_000), "1a000f4240"),
        (Value::Uint(u64::MAX), "1bffffffffffffffff"),
        (Value::Bytes(&[1, 2, 3, 4]), "4401020304"),
        (Value::Text("ü"), "62c3bc"),
        (Value::Array(vec![Value::Uint(1), Value::Array(vec![])]), "820180"),
        (Value::Map(vec![(1, Value::Uint(2)), (3, Value::Uint(4))]), "a201020304"),
    ] {
        assert_eq!(value.encode(), hex(bytes), "{value:?}");
        assert_eq!(Value::decode(&hex(bytes)), Ok(value));
    }
}

#[test]
fn other_spellings_are_refused() {
    for (bytes, error) in [
        ("", InvalidCbor::Truncated),
        ("1817", InvalidCbor::NotShortest),
        ("190017", InvalidCbor::NotShortest),
        ("1a00000017", InvalidCbor::NotShortest),
        ("1b0000000000000017", InvalidCbor::NotShortest),
        ("5f42010243030405ff", InvalidCbor::NotShortest),
        ("a201020102", InvalidCbor::KeyOrder),
        ("a203040102", InvalidCbor::KeyOrder),
        ("a1616102", InvalidCbor::KeyType),
        ("0000", InvalidCbor::Trailing),
        ("61ff", InvalidCbor::NotText),
        ("20", InvalidCbor::Type),
        ("f5", InvalidCbor::Type),
        ("fb3ff199999999999a", InvalidCbor::Type),
        ("c000", InvalidCbor::Type),
        ("5bffffffffffffffff00", InvalidCbor::Truncated),
        ("9bffffffffffffffff00", InvalidCbor::Truncated),
        ("818181818181818101", InvalidCbor::Depth),
    ] {
        assert_eq!(Value::decode(&hex(bytes)), Err(error), "{bytes}");
    }
    assert!(Value::decode(&hex("8181818181818101")).is_ok(), "eight levels are allowed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever decodes is the one encoding of its value, and nothing panics.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(
        prop_oneof![Just(0x81u8), Just(0xa1), Just(0x41), Just(0x18), Just(0x61), any::<u8>(), 0u8..4], 0..24)) {
        if let Ok(value) = Value::decode(&bytes) {
            prop_assert_eq!(value.encoded_len(), bytes.len());
            prop_assert_eq!(value.encode(), bytes);
        }
    }
}
