//! The kinds of thing an id in a row can name.

pub use vox_base::kind::{Decision, Entry, Incarnation, Interaction, Key, PriceSnapshot, Store, Trace, Vault};

/// One attempt to read a catalog source.
pub enum Fetch {}
