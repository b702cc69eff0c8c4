//! seal-v1: one value encrypted under a 32-byte key that the ciphertext is committed to, padded to hide its length.
//!
//! `0x01 ‖ suite ‖ salt(32) ‖ nonce(24) ‖ commit(32) ‖ ciphertext ‖ tag(16)`, HKDF-SHA256 (RFC 5869) and XChaCha20-Poly1305.
//! Poly1305 alone does not commit: a ciphertext can be made that opens under two keys, so the commitment goes first.
//! Inside: `u32 BE length ‖ value ‖ zeros` up to a bucket that depends on the length alone, then an unpadded trailer
//! (empty, except that a record keeps its sealed fields there).

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use vox_base::{Entropy, Secret};
use zeroize::Zeroize;

/// A symmetric key.
pub(crate) type Key = Secret<[u8; 32]>;

/// Longest value that fits the top bucket.
pub(crate) const MAX_VALUE_BYTES: usize = TOP_BUCKET - LENGTH_BYTES;
/// What sealing adds around the padded content.
pub(crate) const OVERHEAD_BYTES: usize = CONTENT_AT + TAG_BYTES;

const FORMAT: u8 = 1;
const SUITE: u8 = 1;
const SALT_AT: usize = 2;
const NONCE_AT: usize = SALT_AT + 32;
const COMMIT_AT: usize = NONCE_AT + 24;
const CONTENT_AT: usize = COMMIT_AT + 32;
const TAG_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;
const TOP_BUCKET: usize = 65_024;
const INFO: &[u8] = b"vox-seal-v1\x01";

/// Sealed bytes cannot be made or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value does not fit the top bucket.
    #[error("the value is larger than 65020 bytes")]
    TooLarge,
    /// The bytes name a format or suite this version does not know.
    #[error("sealed in a format this version does not know")]
    UnknownFormat,
    /// The bytes are committed to another key.
    #[error("sealed under another key")]
    WrongKey,
    /// The bytes, or what they are bound to, have been changed.
    #[error("the sealed bytes do not open")]
    Corrupt,
}

/// Seals a value under a key and binds it to `context`, which must be given again to open it.
///
/// # Errors
/// [`SealError::TooLarge`] over 65,020 bytes.
pub fn seal(key: &Secret<[u8; 32]>, value: &[u8], context: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
    seal_with_trailer(key, value, &[], context, entropy)
}

/// Opens sealed bytes.
///
/// # Errors
/// Another key, another context, or bytes that have been changed; nothing is decrypted under a key they are not
/// committed to.
pub fn open(key: &Secret<[u8; 32]>, sealed: &[u8], context: &[u8]) -> Result<Secret<Vec<u8>>, SealError> {
    let content = decrypt(key, sealed, context)?;
    let (value, trailer) = unpad(content.expose())?;
    if trailer.is_empty() { Ok(Secret::new(value.to_vec())) } else { Err(SealError::Corrupt) }
}

/// Seals a value and, behind its padding, a trailer.
pub(crate) fn seal_with_trailer(
    key: &Key,
    value: &[u8],
    trailer: &[u8],
    context: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let bucket = bucket(value.len()).ok_or(SealError::TooLarge)?;
    let length = u32::try_from(value.len()).map_err(|_| SealError::TooLarge)?;
    let mut sealed = Vec::with_capacity(CONTENT_AT + bucket + trailer.len() + TAG_BYTES);
    sealed.extend_from_slice(&[FORMAT, SUITE]);
    sealed.resize(COMMIT_AT, 0);
    entropy.fill(&mut sealed[SALT_AT..]);
    let derived = derive(key, &sealed[SALT_AT..NONCE_AT]);
    sealed.extend_from_slice(derived.commit());
    sealed.extend_from_slice(&length.to_be_bytes());
    sealed.extend_from_slice(value);
    sealed.resize(CONTENT_AT + bucket, 0);
    sealed.extend_from_slice(trailer);
    let (head, content) = sealed.split_at_mut(CONTENT_AT);
    let tag = derived.cipher().encrypt_inout_detached(&nonce(head), context, content.into()).map_err(|_| SealError::TooLarge)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Decrypts into `u32 BE length ‖ value ‖ zeros ‖ trailer`; see [`unpad`].
pub(crate) fn decrypt(key: &Key, sealed: &[u8], context: &[u8]) -> Result<Secret<Vec<u8>>, SealError> {
    match sealed {
        [FORMAT, SUITE, ..] if sealed.len() >= OVERHEAD_BYTES => {}
        [FORMAT, SUITE, ..] | [] => return Err(SealError::Corrupt),
        _ => return Err(SealError::UnknownFormat),
    }
    let derived = derive(key, &sealed[SALT_AT..NONCE_AT]);
    if !bool::from(derived.commit().ct_eq(&sealed[COMMIT_AT..CONTENT_AT])) {
        return Err(SealError::WrongKey);
    }
    let (head, rest) = sealed.split_at(CONTENT_AT);
    let (content, tag) = rest.split_at(rest.len() - TAG_BYTES);
    let tag = Tag::try_from(tag).map_err(|_| SealError::Corrupt)?;
    let mut content = content.to_vec();
    match derived.cipher().decrypt_inout_detached(&nonce(head), context, content.as_mut_slice().into(), &tag) {
        Ok(()) => Ok(Secret::new(content)),
        Err(_) => Err(SealError::Corrupt),
    }
}

/// Splits decrypted content into value and trailer, and insists on minimal padding of zeros.
pub(crate) fn unpad(content: &[u8]) -> Result<(&[u8], &[u8]), SealError> {
    let (length, _) = content.split_first_chunk::<LENGTH_BYTES>().ok_or(SealError::Corrupt)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError::Corrupt)?;
    let bucket = bucket(length).ok_or(SealError::Corrupt)?;
    let (padded, trailer) = content.split_at_checked(bucket).ok_or(SealError::Corrupt)?;
    let (value, zeros) = padded[LENGTH_BYTES..].split_at(length);
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(SealError::Corrupt);
    }
    Ok((value, trailer))
}

/// Returns the padded size of a value: 256·2ⁿ for n up to 7, then 65,024.
pub(crate) fn bucket(value_bytes: usize) -> Option<usize> {
    let needed = value_bytes.checked_add(LENGTH_BYTES)?;
    (0..=7).map(|n| 256 << n).chain([TOP_BUCKET]).find(|bucket| *bucket >= needed)
}

/// Subkey and commitment, wiped when dropped.
struct Derived([u8; 64]);

impl Derived {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new_from_slice(&self.0[..32]).expect("half of 64 bytes is the key size, 32")
    }

    fn commit(&self) -> &[u8] {
        &self.0[32..]
    }
}

impl Drop for Derived {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn derive(key: &Key, salt: &[u8]) -> Derived {
    let mut okm = [0; 64];
    Hkdf::<Sha256>::new(Some(salt), key.expose()).expand(INFO, &mut okm).expect("64 bytes is below HKDF's limit of 8160");
    Derived(okm)
}

fn nonce(head: &[u8]) -> XNonce {
    XNonce::try_from(&head[NONCE_AT..COMMIT_AT]).expect("the nonce takes 24 bytes of the head")
}

#[cfg(test)]
mod tests;
