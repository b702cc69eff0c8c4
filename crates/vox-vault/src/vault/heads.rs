//! Which record of a secret counts: a put replaces exactly its parents; what nothing replaces is a head.
//!
//! Among several heads the order is (generation, clock, device), so that a clock only decides between equals; a delete
//! never wins over a put that did not know of it.

use super::load::Entry;
use crate::record::Operation;
use crate::rows::Head;
use std::collections::HashSet;
use vox_base::Digest;

/// Derives the heads of one secret from its records, the current one first.
pub(super) fn heads_of(entries: &[&Entry]) -> Vec<Head> {
    let replaced: HashSet<&Digest> = entries.iter().flat_map(|entry| &entry.body.parents).collect();
    let mut heads: Vec<Head> = entries.iter().filter(|entry| !replaced.contains(&entry.hash)).map(|entry| head(entry)).collect();
    heads.sort_by_key(|head| std::cmp::Reverse((!head.deleted, head.generation, head.hlc, head.device_id)));
    if let Some(current) = heads.first_mut() {
        current.is_current = true;
    }
    heads
}

fn head(entry: &Entry) -> Head {
    let header = entry.record.header();
    Head {
        secret_id: entry.body.secret_id.clone(),
        head_hash: entry.hash,
        generation: entry.body.generation,
        hlc: header.hlc,
        device_id: header.device_id,
        deleted: entry.body.operation == Operation::Delete,
        is_current: false,
    }
}
