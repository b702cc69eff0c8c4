//! record-v1: one entry of a device's append-only log, a CBOR array of header, signature and body.
//!
//! The header is clear and signed, and holds the body's hash; a record's own hash covers header and signature only, so
//! that a replaced body can be cut off and the log still verifies. The body is seal-v1, bound to every header field but
//! its own hash; the name of the secret is inside it, behind the padded value.

use crate::cbor::{InvalidCbor, Value};
use crate::identity::{DeviceKey, Verifier};
use crate::rows::SealKeyId;
use crate::seal::{self, Key, SealError};
use sha2::{Digest as _, Sha256};
use vox_base::{Digest, Entropy, Id, Secret, Timestamp, kind};

/// A whole record has at most so many bytes.
pub(crate) const MAX_RECORD_BYTES: usize = 65_536;

const FORMAT: u64 = 1;
const SUITE: u64 = 1;
const SIGNATURE_KIND: &str = "record-v1";

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A secret's value.
    Secret,
}

impl RecordKind {
    /// Returns the name used in headers and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        (name == Self::Secret.as_str()).then_some(Self::Secret)
    }
}

/// The clear part of a record, except what follows from its body.
///
/// Keys: 1 format, 2 suite, 3 vault, 4 key id, 5 device, 6 incarnation, 7 seq, 8 prev, 9 hlc, 10 kind, 11 hold until
/// (may be absent), 12 body length, 13 body hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The vault.
    pub vault_id: Id<kind::Vault>,
    /// Key the body is sealed under.
    pub key_id: SealKeyId,
    /// Who wrote it.
    pub device_id: Digest,
    /// Which of the author's logs.
    pub incarnation: u32,
    /// Position in that log, from 1.
    pub seq: u64,
    /// Hash of the record before it, all zeros for the first.
    pub prev: Digest,
    /// Hybrid logical clock: 48 bits of milliseconds, 16 of counter.
    pub hlc: u64,
    /// What it is about.
    pub kind: RecordKind,
    /// Until when the bodies this record replaces are kept; `None` if they are not.
    pub hold_until: Option<Timestamp>,
}

/// Whether a record sets or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sets a value.
    Put,
    /// Takes it away.
    Delete,
}

/// The sealed part of a record, except the value.
///
/// Keys: 1 secret, 2 operation (0 put, 1 delete), 3 parents, 4 generation, 5 version, 6 expires (may be absent).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The secret.
    pub secret_id: String,
    /// What is done to it.
    pub operation: Operation,
    /// Hashes of the records this one replaces.
    pub parents: Vec<Digest>,
    /// How many edits lie below it.
    pub generation: u64,
    /// Counts from 1 per secret.
    pub version: u64,
    /// When the value stops being good; `None` for never.
    pub expires: Option<Timestamp>,
}

/// A record whose form has been checked; its signature and its seal are checked by [`Record::verify`] and
/// [`Record::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    header: Header,
    body_len: usize,
    body_hash: Digest,
    header_bytes: Vec<u8>,
    signature: [u8; 64],
    body: Option<Vec<u8>>,
}

/// Bytes are not a record, or not the record they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More than 65,536 bytes.
    #[error("larger than 65536 bytes")]
    TooLarge,
    /// Not deterministic CBOR.
    #[error("not canonical: {0}")]
    Cbor(#[from] InvalidCbor),
    /// Canonical, but not the fields of a record.
    #[error("a field is missing, unknown or of the wrong type")]
    Form,
    /// The signature is not the author's.
    #[error("the signature does not verify")]
    Signature,
    /// The body is not the one the header names.
    #[error("the body is not the one that was signed")]
    BodyHash,
    /// The body has been cut off.
    #[error("the body has been pruned")]
    Pruned,
    /// The body does not open.
    #[error("the body does not open: {0}")]
    Seal(#[from] SealError),
}

impl Record {
    /// Seals and signs a record.
    ///
    /// # Errors
    /// The value or the whole record is too large.
    pub fn new(
        header: Header,
        body: &Body,
        value: &[u8],
        key: &Secret<[u8; 32]>,
        author: &DeviceKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, RecordError> {
        let fields = body.encode();
        let bucket = seal::bucket(value.len()).ok_or(RecordError::TooLarge)?;
        let body_len = seal::OVERHEAD_BYTES + bucket + fields.len();
        let sealed = seal::seal_with_trailer(key, value, &fields, &header.encode(body_len, None), entropy)?;
        let body_hash = Digest::of(&sealed);
        let header_bytes = header.encode(body_len, Some(&body_hash));
        let signature = author.sign(SIGNATURE_KIND, &header_bytes);
        let record = Self { header, body_len, body_hash, header_bytes, signature, body: Some(sealed) };
        if record.encode().len() > MAX_RECORD_BYTES { Err(RecordError::TooLarge) } else { Ok(record) }
    }

    /// Reads a record and checks its form and that the body is the one the header names.
    ///
    /// # Errors
    /// The bytes are too many, not canonical, not a record, or hold another body.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge);
        }
        let Value::Array(parts) = Value::decode(bytes)? else { return Err(RecordError::Form) };
        let (header_bytes, signature, body) = match parts.as_slice() {
            [Value::Bytes(header), Value::Bytes(signature)] => (*header, *signature, None),
            [Value::Bytes(header), Value::Bytes(signature), Value::Bytes(body)] => (*header, *signature, Some(body.to_vec())),
            _ => return Err(RecordError::Form),
        };
        let (header, body_len, body_hash) = Header::decode(header_bytes)?;
        if body.as_ref().is_some_and(|body| body.len() != body_len || Digest::of(body) != body_hash) {
            return Err(RecordError::BodyHash);
        }
        let signature = signature.try_into().map_err(|_| RecordError::Form)?;
        Ok(Self { header, body_len, body_hash, header_bytes: header_bytes.to_vec(), signature, body })
    }

    /// Returns the clear part.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns whether the body has been cut off.
    #[must_use]
    pub const fn is_pruned(&self) -> bool {
        self.body.is_none()
    }

    /// Returns the hash that names this record and that the next one carries: over header and signature.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::from_bytes(Sha256::new_with_prefix(&self.header_bytes).chain_update(self.signature).finalize().into())
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut parts = vec![Value::Bytes(&self.header_bytes), Value::Bytes(&self.signature)];
        parts.extend(self.body.as_deref().map(Value::Bytes));
        Value::Array(parts).encode()
    }

    /// Returns the record without its body.
    #[must_use]
    pub fn pruned(&self) -> Self {
        Self { body: None, ..self.clone() }
    }

    /// Checks the author's signature.
    ///
    /// # Errors
    /// It is not the signature of this public key.
    pub fn verify(&self, public: &[u8; 32]) -> Result<(), RecordError> {
        let verifier = Verifier::new(public).ok_or(RecordError::Signature)?;
        if verifier.accepts(SIGNATURE_KIND, &self.header_bytes, &self.signature) { Ok(()) } else { Err(RecordError::Signature) }
    }

    /// Opens the body and returns what it says, with the value.
    ///
    /// # Errors
    /// It is pruned, sealed under another key, or bound to another header.
    pub fn open(&self, key: &Secret<[u8; 32]>) -> Result<(Body, Secret<Vec<u8>>), RecordError> {
        let content = self.decrypt(key)?;
        let (value, fields) = seal::unpad(content.expose())?;
        Ok((Body::decode(fields)?, Secret::new(value.to_vec())))
    }

    /// Opens the body and returns what it says, without making a copy of the value.
    pub(crate) fn open_fields(&self, key: &Key) -> Result<Body, RecordError> {
        Body::decode(seal::unpad(self.decrypt(key)?.expose())?.1)
    }

    fn decrypt(&self, key: &Key) -> Result<Secret<Vec<u8>>, RecordError> {
        let body = self.body.as_deref().ok_or(RecordError::Pruned)?;
        Ok(seal::decrypt(key, body, &self.header.encode(self.body_len, None))?)
    }
}

impl Header {
    fn encode(&self, body_len: usize, body_hash: Option<&Digest>) -> Vec<u8> {
        let mut fields = vec![
            (1, Value::Uint(FORMAT)),
            (2, Value::Uint(SUITE)),
            (3, Value::Bytes(self.vault_id.as_bytes())),
            (4, Value::Bytes(self.key_id.as_bytes())),
            (5, Value::Bytes(self.device_id.as_bytes())),
            (6, Value::Uint(u64::from(self.incarnation))),
            (7, Value::Uint(self.seq)),
            (8, Value::Bytes(self.prev.as_bytes())),
            (9, Value::Uint(self.hlc)),
            (10, Value::Text(self.kind.as_str())),
        ];
        fields.extend(self.hold_until.map(|moment| (11, Value::Uint(unsigned(moment)))));
        fields.push((12, Value::Uint(body_len as u64)));
        fields.extend(body_hash.map(|hash| (13, Value::Bytes(hash.as_bytes()))));
        Value::Map(fields).encode()
    }

    fn decode(bytes: &[u8]) -> Result<(Self, usize, Digest), RecordError> {
        let value = Value::decode(bytes)?;
        Self::from_value(value).ok_or(RecordError::Form)
    }

    fn from_value(value: Value<'_>) -> Option<(Self, usize, Digest)> {
        let mut fields = value.into_fields()?;
        if fields.uint(1)? != FORMAT || fields.uint(2)? != SUITE {
            return None;
        }
        let header = Self {
            vault_id: Id::from_bytes(fields.array(3)?),
            key_id: Id::from_bytes(fields.array(4)?),
            device_id: Digest::from_bytes(fields.array(5)?),
            incarnation: fields.uint(6)?.try_into().ok()?,
            seq: fields.uint(7)?,
            prev: Digest::from_bytes(fields.array(8)?),
            hlc: fields.uint(9)?,
            kind: RecordKind::parse(fields.text(10)?)?,
            hold_until: maybe_moment(fields.maybe_uint(11)?)?,
        };
        let body_len = fields.uint(12)?.try_into().ok()?;
        let body_hash = Digest::from_bytes(fields.array(13)?);
        fields.end()?;
        Some((header, body_len, body_hash))
    }
}

impl Body {
    fn encode(&self) -> Vec<u8> {
        let mut fields = vec![
            (1, Value::Text(&self.secret_id)),
            (2, Value::Uint(u64::from(self.operation == Operation::Delete))),
            (3, Value::Array(self.parents.iter().map(|parent| Value::Bytes(parent.as_bytes())).collect())),
            (4, Value::Uint(self.generation)),
            (5, Value::Uint(self.version)),
        ];
        fields.extend(self.expires.map(|moment| (6, Value::Uint(unsigned(moment)))));
        Value::Map(fields).encode()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let value = Value::decode(bytes)?;
        Self::from_value(value).ok_or(RecordError::Form)
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        let mut fields = value.into_fields()?;
        let body = Self {
            secret_id: fields.text(1)?.to_owned(),
            operation: match fields.uint(2)? {
                0 => Operation::Put,
                1 => Operation::Delete,
                _ => return None,
            },
            parents: fields.list(3)?.into_iter().map(parent).collect::<Option<_>>()?,
            generation: fields.uint(4)?,
            version: fields.uint(5)?,
            expires: maybe_moment(fields.maybe_uint(6)?)?,
        };
        fields.end()?;
        Some(body)
    }
}

fn parent(value: Value<'_>) -> Option<Digest> {
    match value {
        Value::Bytes(bytes) => bytes.try_into().ok().map(Digest::from_bytes),
        _ => None,
    }
}

/// Returns a moment as the formats write it; nothing in a vault is from before 1970.
pub(crate) fn unsigned(moment: Timestamp) -> u64 {
    u64::try_from(moment.millis()).unwrap_or(0)
}

fn maybe_moment(millis: Option<u64>) -> Option<Option<Timestamp>> {
    match millis {
        None => Some(None),
        Some(millis) => i64::try_from(millis).ok().map(|millis| Some(Timestamp::from_millis(millis))),
    }
}

#[cfg(test)]
mod tests;
