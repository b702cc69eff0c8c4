//! The running node: drives the cores with the adapters.
//!
//! [`Node`] answers calls (`chat`); what it reads is a [`snapshot::Snapshot`], what it spends goes through `ledger`, who
//! may call is `keys`. The operator's verbs — keys, usage, traces, secrets, discovery, doctor — are functions of their
//! own rooms and need no running node.

pub mod ask;
pub mod chat;
mod config;
pub mod discovery;
pub mod doctor;
pub mod evidence;
pub mod key_admin;
pub mod keys;
mod ledger;
mod metrics;
pub mod models;
mod node;
pub mod outcomes;
pub mod providers;
mod rates;
pub mod rollup;
pub mod scoreboard;
pub mod secrets;
mod sessions;
pub mod settings;
pub mod snapshot;
pub mod trace;
pub mod usage;

#[cfg(test)]
mod story;

pub use config::{Config, PROJECT, Variables};
pub use metrics::Metrics;
pub use node::{Node, NodeOptions};
