use super::*;
use crate::testing::{Counter, Fixed, hex, hex_array};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/vectors/seal-v1.json")).unwrap()
}

fn key(value: &Value) -> Key {
    Secret::new(hex_array(value))
}

#[test]
fn sm_21_sealing_gives_the_vectors_and_opening_gives_the_values() {
    for case in vectors()["cases"].as_array().unwrap() {
        let (key, value, context, sealed) = (key(&case["key"]), hex(&case["value"]), hex(&case["context"]), hex(&case["sealed"]));
        let entropy = Fixed([hex(&case["salt"]), hex(&case["nonce"])].concat());
        assert_eq!(seal(&key, &value, &context, &entropy).unwrap(), sealed);
        assert!(*open(&key, &sealed, &context).ok().unwrap().expose() == value);
    }
}

#[test]
fn sm_21_bytes_that_must_not_open_do_not() {
    for case in vectors()["refused"].as_array().unwrap() {
        let error = open(&key(&case["key"]), &hex(&case["sealed"]), &hex(&case["context"])).err();
        let want = match case["error"].as_str().unwrap() {
            "corrupt" => SealError::Corrupt,
            "wrong_key" => SealError::WrongKey,
            "unknown_format" => SealError::UnknownFormat,
            other => panic!("{other}"),
        };
        assert_eq!(error, Some(want), "{}", case["name"]);
    }
}

/// One ciphertext whose Poly1305 tag holds under two keys: only the commitment tells them apart.
#[test]
fn sm_21_a_ciphertext_made_for_two_keys_opens_under_the_committed_one_only() {
    let vector = &vectors()["two_keys"];
    let (one, two, context, sealed) = (key(&vector["key_one"]), key(&vector["key_two"]), hex(&vector["context"]), hex(&vector["sealed"]));
    for key in [&one, &two] {
        let derived = derive(key, &sealed[SALT_AT..NONCE_AT]);
        let (head, rest) = sealed.split_at(CONTENT_AT);
        let (content, tag) = rest.split_at(rest.len() - TAG_BYTES);
        let mut content = content.to_vec();
        let tag = Tag::try_from(tag).unwrap();
        let plain = derived.cipher().decrypt_inout_detached(&nonce(head), &context, content.as_mut_slice().into(), &tag);
        assert!(plain.is_ok(), "the cipher alone accepts both keys");
    }
    assert!(*open(&one, &sealed, &context).ok().unwrap().expose() == hex(&vector["value_one"]));
    assert_eq!(open(&two, &sealed, &context).err(), Some(SealError::WrongKey));
}

#[test]
fn sm_21_a_length_shows_only_its_bucket() {
    let (key, entropy) = (Secret::new([1; 32]), Counter::default());
    let sealed_len = |n: usize| seal(&key, &vec![b'x'; n], b"", &entropy).map(|sealed| sealed.len() - OVERHEAD_BYTES);
    for (value_bytes, bucket) in [
        (0, 256),
        (1, 256),
        (250, 256),
        (252, 256),
        (253, 512),
        (508, 512),
        (509, 1024),
        (32_764, 32_768),
        (32_765, 65_024),
        (65_020, 65_024),
    ] {
        assert_eq!(sealed_len(value_bytes), Ok(bucket), "{value_bytes}");
    }
    assert_eq!(sealed_len(65_021), Err(SealError::TooLarge));
}

#[test]
fn two_seals_of_one_value_differ() {
    let (key, entropy) = (Secret::new([1; 32]), Counter::default());
    assert_ne!(seal(&key, b"v", b"", &entropy), seal(&key, b"v", b"", &entropy));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sealed_opens(value in proptest::collection::vec(any::<u8>(), 0..2000), context in proptest::collection::vec(any::<u8>(), 0..64)) {
        let key = Secret::new([3; 32]);
        let sealed = seal(&key, &value, &context, &Counter::default()).unwrap();
        prop_assert!(*open(&key, &sealed, &context).ok().unwrap().expose() == value);
    }

    #[test]
    fn a_changed_byte_never_opens(at in any::<proptest::sample::Index>(), flip in 1u8..) {
        let key = Secret::new([3; 32]);
        let mut sealed = seal(&key, b"value", b"context", &Counter::default()).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= flip;
        prop_assert!(open(&key, &sealed, b"context").is_err());
    }
}
