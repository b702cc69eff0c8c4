//! What this crate's tests share: randomness that can be repeated.

use sha2::{Digest as _, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use vox_base::Entropy;

/// Gives SHA-256 of a counter: never twice the same, always the same sequence.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// Gives these bytes, once.
pub(crate) struct Fixed(pub(crate) Vec<u8>);

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0);
    }
}

/// Reads hexadecimal digits of a vector file.
pub(crate) fn hex(value: &serde_json::Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().expect("a vector is text").as_bytes()).expect("a vector is hexadecimal")
}

/// Reads hexadecimal digits of a fixed length.
pub(crate) fn hex_array<const N: usize>(value: &serde_json::Value) -> [u8; N] {
    hex(value).try_into().expect("a vector has its length")
}
