//! Words that every crate of vox shares: ids, times, secrets, digests, money, errors and configuration documents.
//!
//! Nothing here does IO or reads a clock; time and randomness arrive as arguments. What belongs to one area
//! (a price list, a vault record, a wire format) lives in that area's crate.

mod config;
mod digest;
mod error;
mod id;
mod money;
mod secret;
mod time;
mod usage;

pub use config::{Document, InvalidConfig, Node, Value};
pub use digest::{Digest, InvalidDigest};
pub use error::{Coded, Kind};
pub use id::{Id, InvalidId};
pub use money::{InvalidAmount, Micros, NanoUsd, Pico};
pub use secret::Secret;
pub use time::{Clock, Entropy, InvalidTime, Timestamp};
pub use usage::{CostSource, Usage};

/// The kinds of thing an [`Id`] can name.
pub mod kind {
    /// One caller request with all its attempts.
    pub enum Interaction {}
    /// One routing decision.
    pub enum Decision {}
    /// One caller key.
    pub enum Key {}
    /// One running process of vox.
    pub enum Incarnation {}
    /// One append-only money entry.
    pub enum Entry {}
    /// One trace, as carried by `traceparent`.
    pub enum Trace {}
    /// One price list that a call was settled with.
    pub enum PriceSnapshot {}
    /// One device vault.
    pub enum Vault {}
    /// One store, on whatever engine.
    pub enum Store {}
}

/// Names one caller request.
pub type InteractionId = Id<kind::Interaction>;
/// Names one routing decision.
pub type DecisionId = Id<kind::Decision>;
/// Names one caller key.
pub type KeyId = Id<kind::Key>;
/// Names one running process.
pub type IncarnationId = Id<kind::Incarnation>;
/// Names one money entry.
pub type EntryId = Id<kind::Entry>;
/// Names one trace.
pub type TraceId = Id<kind::Trace>;
