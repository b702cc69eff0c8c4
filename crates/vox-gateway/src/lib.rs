//! Every surface the node serves over HTTP: the model API in its callers' dialects, health and metrics, and vox's own
//! API under `/api/v1`.
//!
//! `router` is the table of paths. Who may talk is `caller`'s, what they may hint is `hints`'s, how an error looks is
//! `refusal`'s. What a call does once it is let in is vox-node's.

mod admin;
mod body;
mod caller;
mod health;
mod hints;
mod model_api;
mod models;
mod refusal;
mod router;
mod server;

pub use router::Gateway;
pub use server::{Ended, Phase, serve};
