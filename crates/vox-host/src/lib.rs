//! The machine as vox uses it: directories, files, locks, processes, the OS keyring, and the network as a client.
//!
//! The only crate that calls the operating system on behalf of the others (the store and telemetry touch their own
//! files). Environment variables are read by `vox` and arrive here as arguments.

pub mod fs;
pub mod http;
pub mod keychain;
pub mod lock;
pub mod paths;
pub mod process;
pub mod relay;
pub mod socket;
mod system;

pub use system::{SystemClock, SystemEntropy};
