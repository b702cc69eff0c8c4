//! Keys, sealed values, the secret registry and how a secret is resolved: pure logic and cryptography.
//!
//! Nothing here reads a file, a clock, the environment or a random device; rows, moments and [`vox_base::Entropy`]
//! arrive as arguments, and what must be stored is returned as plain rows. vox-store keeps them, vox-node connects.
//! Read on in this order: `registry` (which secrets exist), `resolve` (where a value comes from), `vault` (the signed
//! log they live in), then `record`, `seal`, `keyring` and `identity` below it.

mod audit;
mod cbor;
mod display;
mod error;
mod identity;
mod keyring;
mod record;
mod registry;
mod resolve;
mod rows;
mod seal;
#[cfg(test)]
mod testing;
mod vault;

pub use audit::{AuditEntry, AuditRow, BrokenChain, verify_audit};
pub use cbor::InvalidCbor;
pub use display::{Fingerprint, redacted};
pub use error::{ResolveError, UnlockError, VaultError};
pub use identity::{DeviceKey, device_id};
pub use keyring::{KdfParams, RootKey, UnlockKey, UnlockerKind};
pub use record::{Body, Header, Operation, Record, RecordError, RecordKind};
pub use registry::{Class, Filter, LookupError, Material, Profile, Registry, RotationPlan, SecretSpec, Taxonomy, schema};
pub use resolve::{Candidate, CandidateState, Resolution, Source, Sources, Status, VaultAnswer, Warning, resolve};
pub use rows::{Head, KeyKind, KeyState, Meta, SealKeyId, StoredKey, StoredRecord, Unlocker, Version, VersionOp};
pub use seal::{SealError, open, seal};
pub use vault::{Append, By, Current, Damage, NewVault, Pruned, Put, StoredVault, Vault};
