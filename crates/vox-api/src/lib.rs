//! The node's own API: what its routes answer, and a thin client that works over any transport.
//!
//! The gateway writes these shapes, commands read them. The model API is not here: its shapes are other people's, and
//! live in vox-wire.

mod client;
mod key;
mod node;
mod outcome;

pub use client::{Client, Transport, Unreachable};
pub use key::{Budget, OwnKey};
pub use node::{Readiness, Reloaded, Running};
pub use outcome::{Credited, OutcomePosted, PostOutcome};
