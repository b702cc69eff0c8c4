//! The gateway as its callers meet it, one file per subject.

mod access;
mod bad_input;
mod cancel;
mod configuration;
mod errors;
mod fallback;
mod listing;
mod metrics;
mod names;
mod pass_through;
mod sessions;
mod shutdown;
mod trace;
