//! The kinds of thing an id in a row can name.

pub use vox_base::kind::{Decision, Entry, Incarnation, Interaction, Key, PriceSnapshot, Store, Trace, Vault};

/// One attempt to read a catalog source.
pub enum Fetch {}

/// What became of one call or run, as one source says.
pub enum Outcome {}

/// A model that is not to be asked about a task for a while.
pub enum Penalty {}
