use super::*;
use crate::testing::{Counter, Fixed, hex, hex_array};
use serde_json::Value as Json;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../../contracts/vectors/record-v1.json")).unwrap()
}

fn header(file: &Json, case: &Json) -> Header {
    Header {
        vault_id: Id::from_bytes(hex_array(&file["vault_id"])),
        key_id: Id::from_bytes(hex_array(&file["key_id"])),
        device_id: Digest::from_bytes(hex_array(&file["device_id"])),
        incarnation: 0,
        seq: case["seq"].as_u64().unwrap(),
        prev: Digest::from_bytes(hex_array(&case["prev"])),
        hlc: case["hlc"].as_u64().unwrap(),
        kind: RecordKind::Secret,
        hold_until: case["hold_until_ms"].as_i64().map(Timestamp::from_millis),
    }
}

fn body(case: &Json) -> Body {
    Body {
        secret_id: case["secret_id"].as_str().unwrap().to_owned(),
        operation: if case["operation"] == "put" { Operation::Put } else { Operation::Delete },
        parents: case["parents"].as_array().unwrap().iter().map(|parent| Digest::from_bytes(hex_array(parent))).collect(),
        generation: case["generation"].as_u64().unwrap(),
        version: case["version"].as_u64().unwrap(),
        expires: case["expires_ms"].as_i64().map(Timestamp::from_millis),
    }
}

#[test]
fn records_are_the_vectors() {
    let file = vectors();
    let (key, device) = (Secret::new(hex_array(&file["key"])), DeviceKey::from_seed(&Secret::new(hex_array(&file["signing_seed"]))));
    assert_eq!(device.public(), hex_array(&file["public_key"]));
    assert_eq!(*device.device_id().as_bytes(), hex_array(&file["device_id"]));
    for case in file["records"].as_array().unwrap() {
        let entropy = Fixed([hex(&case["salt"]), hex(&case["nonce"])].concat());
        let made = Record::new(header(&file, case), &body(case), &hex(&case["value"]), &key, &device, &entropy).unwrap();
        assert_eq!(made.encode(), hex(&case["record"]));
        assert_eq!(made.pruned().encode(), hex(&case["pruned"]));
        let read = Record::parse(&hex(&case["record"])).unwrap();
        assert_eq!((read.header(), read.hash()), (&header(&file, case), Digest::from_bytes(hex_array(&case["hash"]))));
        assert_eq!(read.verify(&device.public()), Ok(()));
        let (opened, value) = read.open(&key).ok().unwrap();
        assert_eq!(opened, body(case));
        assert!(*value.expose() == hex(&case["value"]));
    }
}

#[test]
fn a_pruned_record_keeps_hash_and_signature() {
    let file = vectors();
    let case = &file["records"][0];
    let pruned = Record::parse(&hex(&case["pruned"])).unwrap();
    assert!(pruned.is_pruned());
    assert_eq!(pruned.hash(), Digest::from_bytes(hex_array(&case["hash"])));
    assert_eq!(pruned.verify(&hex_array(&file["public_key"])), Ok(()));
    assert_eq!(pruned.open(&Secret::new(hex_array(&file["key"]))).err(), Some(RecordError::Pruned));
}

#[test]
fn a_body_under_another_header_is_refused_twice_over() {
    let file = vectors();
    let key = Secret::new(hex_array(&file["key"]));
    let [one, two] = [0, 1].map(|at: usize| Record::parse(&hex(&file["records"][at]["record"])).unwrap());
    let swapped = Record { body: two.body.clone(), ..one.clone() };
    assert_eq!(Record::parse(&swapped.encode()), Err(RecordError::BodyHash));
    let relabelled = Record { header: Header { seq: 9, ..one.header.clone() }, ..one.clone() };
    assert_eq!(relabelled.open(&key).err(), Some(RecordError::Seal(SealError::Corrupt)), "the seal binds the header");
    let other_vault = Record { header: Header { vault_id: Id::from_bytes([1; 16]), ..one.header.clone() }, ..one };
    assert_eq!(other_vault.open(&key).err(), Some(RecordError::Seal(SealError::Corrupt)));
}

/// What the largest value leaves for everything else: header, signature, seal and fields stay within 512 bytes.
#[test]
fn the_largest_value_fits_a_record() {
    let file = vectors();
    let device = DeviceKey::from_seed(&Secret::new([1; 32]));
    let header = Header {
        incarnation: u32::MAX,
        seq: u64::MAX,
        hlc: u64::MAX,
        hold_until: Some(Timestamp::from_millis(i64::MAX)),
        ..header(&file, &file["records"][0])
    };
    let body = Body {
        secret_id: "a".repeat(64),
        operation: Operation::Put,
        parents: vec![Digest::of(b"")],
        generation: u64::from(u32::MAX),
        version: u64::from(u32::MAX),
        expires: Some(Timestamp::from_millis(i64::MAX)),
    };
    let value = vec![b'x'; seal::MAX_VALUE_BYTES];
    let record = |value: &[u8]| Record::new(header.clone(), &body, value, &Secret::new([2; 32]), &device, &Counter::default());
    let n_bytes = record(&value).unwrap().encode().len();
    assert!(n_bytes <= MAX_RECORD_BYTES, "{n_bytes}");
    assert!(n_bytes - 65_024 <= 512, "{}", n_bytes - 65_024);
    assert_eq!(record(&[value.as_slice(), b"x"].concat()), Err(RecordError::TooLarge));
    assert_eq!(Record::parse(&vec![0; MAX_RECORD_BYTES + 1]), Err(RecordError::TooLarge));
}

#[test]
fn sm_21_short_values_make_records_of_one_size() {
    let file = vectors();
    let (header, body) = (header(&file, &file["records"][0]), body(&file["records"][0]));
    let device = DeviceKey::from_seed(&Secret::new([1; 32]));
    let n_bytes = |n: usize| {
        let record = Record::new(header.clone(), &body, &vec![b'x'; n], &Secret::new([2; 32]), &device, &Counter::default());
        record.unwrap().encode().len()
    };
    assert_eq!(n_bytes(1), n_bytes(250));
    assert!(n_bytes(250) < n_bytes(253));
}

#[test]
fn any_bytes_are_parsed_or_refused_and_what_parses_is_canonical() {
    let file = vectors();
    let sound = hex(&file["records"][1]["record"]);
    let entropy = Counter::default();
    for _ in 0..1_000 {
        let mut random = [0; 8];
        vox_base::Entropy::fill(&entropy, &mut random);
        let mut bytes = sound.clone();
        let at = usize::from(u16::from_le_bytes([random[0], random[1]])) % 300 % bytes.len();
        match random[2] % 4 {
            0 => bytes[at] ^= random[3] | 1,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, random[3]),
            _ => {
                bytes.remove(at);
            }
        }
        if let Ok(record) = Record::parse(&bytes) {
            assert_eq!(record.encode(), bytes);
            assert!(record.verify(&hex_array(&file["public_key"])).is_err() || bytes == sound);
        }
    }
}
