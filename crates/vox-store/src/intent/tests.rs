use super::{IntentLog, RECORD_BYTES, SEGMENT_BYTES, WORTH_CUTTING_BYTES, decode_all, encode, left};
use crate::Intent;
use crate::sample::{NOON, interaction_id, key_id};
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt as _;
use vox_base::{Id, NanoUsd};

fn intent(n: u64) -> Intent {
    Intent { interaction_id: interaction_id(n, NOON), key_id: n.is_multiple_of(2).then(|| key_id(n)), amount: NanoUsd::new(-1), at: NOON }
}

fn bytes(home: &std::path::Path) -> u64 {
    std::fs::read_dir(home.join("intents")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn records_come_back_without_the_released_ones() {
    let mut bytes: Vec<u8> = (0..5).flat_map(|n| encode(super::INTENDED, &intent(n))).collect();
    bytes.extend(encode(super::RELEASED, &intent(3)));
    assert_eq!(decode_all(&bytes), [0, 1, 2, 4].map(intent));
}

proptest! {
    #[test]
    fn a_cut_or_flipped_file_yields_only_whole_sound_records(cut in 0_usize..=640, flip in 0_usize..640, bit in 0_u8..8) {
        let mut bytes: Vec<u8> = (0..10).flat_map(|n| encode(super::INTENDED, &intent(n))).collect();
        bytes[flip] ^= 1 << bit;
        bytes.truncate(cut);
        let whole = (0..10_u64).filter(|&n| {
            let record = n as usize * RECORD_BYTES..(n as usize + 1) * RECORD_BYTES;
            record.end <= cut && !record.contains(&flip)
        });
        prop_assert_eq!(decode_all(&bytes), whole.map(intent).collect::<Vec<_>>());
    }
}

#[test]
fn a_file_is_cut_when_no_call_is_open_and_it_is_worth_it() {
    let home = tempfile::tempdir().unwrap();
    let log = IntentLog::open(home.path(), Id::from_bytes([1; 16])).unwrap();
    let enough = WORTH_CUTTING_BYTES / RECORD_BYTES as u64;
    for n in 0..enough {
        log.append(&intent(n)).unwrap();
    }
    log.settled((1..enough).map(|n| interaction_id(n, NOON)));
    assert_eq!((log.open_calls(), bytes(home.path())), (1, WORTH_CUTTING_BYTES));
    log.settled(std::iter::once(interaction_id(0, NOON)));
    assert_eq!((log.open_calls(), bytes(home.path())), (0, 0));
    log.append(&intent(7)).unwrap();
    assert_eq!(bytes(home.path()), RECORD_BYTES as u64, "the next record begins at the start");
}

#[test]
fn files_do_not_grow_while_calls_always_overlap() {
    let home = tempfile::tempdir().unwrap();
    let log = IntentLog::open(home.path(), Id::from_bytes([1; 16])).unwrap();
    for n in 0..5 * SEGMENT_BYTES / RECORD_BYTES as u64 {
        log.append(&intent(n)).unwrap();
        if n >= 32 {
            log.settled(std::iter::once(interaction_id(n - 32, NOON)));
        }
    }
    assert_eq!(log.open_calls(), 32);
    assert!(bytes(home.path()) <= SEGMENT_BYTES + 32 * RECORD_BYTES as u64, "{} bytes", bytes(home.path()));
}

#[test]
fn a_file_is_private_and_seen_only_when_its_process_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let log = IntentLog::open(home.path(), Id::from_bytes([1; 16])).unwrap();
    log.append(&intent(2)).unwrap();
    let path = std::fs::read_dir(home.path().join("intents")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(left(home.path()).unwrap().len(), 0);
    drop(log);
    let left = left(home.path()).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].incarnation, left[0].intents.clone()), (Id::from_bytes([1; 16]), vec![intent(2)]));
}

#[test]
fn a_released_call_is_not_found_again() {
    let home = tempfile::tempdir().unwrap();
    let log = IntentLog::open(home.path(), Id::from_bytes([1; 16])).unwrap();
    log.append(&intent(1)).unwrap();
    log.append(&intent(2)).unwrap();
    log.release(interaction_id(1, NOON)).unwrap();
    log.close();
    drop(log);
    assert_eq!(left(home.path()).unwrap()[0].intents, [intent(2)]);
}

#[test]
fn of_a_call_that_was_noted_twice_the_newest_note_counts_and_one_end_closes_both() {
    let home = tempfile::tempdir().unwrap();
    let log = IntentLog::open(home.path(), Id::from_bytes([1; 16])).unwrap();
    let dearer = Intent { amount: NanoUsd::new(900), ..intent(0) };
    let enough = WORTH_CUTTING_BYTES / RECORD_BYTES as u64;
    for n in 0..enough {
        log.append(&intent(n)).unwrap();
    }
    log.append(&dearer).unwrap();
    assert_eq!(log.open_calls() as u64, enough);
    log.settled((0..enough).map(|n| interaction_id(n, NOON)));
    assert_eq!((log.open_calls(), bytes(home.path())), (0, 0), "no file waits for a call that has ended");
    let noted: Vec<u8> = [intent(0), dearer].iter().flat_map(|intent| encode(super::INTENDED, intent)).collect();
    assert_eq!(decode_all(&noted), [dearer]);
}
