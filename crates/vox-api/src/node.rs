//! The node itself: where it runs, whether it can work, and that it read its configuration anew.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use vox_base::Timestamp;

/// Where a node runs; kept in a file of the state directory while it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Its address.
    pub address: SocketAddr,
    /// When it began.
    pub started_at: Timestamp,
}

/// Whether a node can work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// It can.
    pub ready: bool,
    /// The parts that cannot: `ledger`, `draining`.
    pub failing: Vec<String>,
    /// What a person should know though everything works.
    pub notes: Vec<String>,
}

/// The configuration was read anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Always true; an invalid configuration is an error.
    pub reloaded: bool,
}
