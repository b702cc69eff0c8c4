//! What tests of vox stand on: a scriptable model provider, a raw HTTP client, a throw-away home, a clock and
//! randomness that do as they are told.
//!
//! Everything here blocks and runs on plain threads, so that it works with and without an async runtime; inside one,
//! use a multi-threaded runtime. Development only: no crate depends on this one outside `dev-dependencies`.

mod answer;
mod client;
mod fake;
mod home;
mod muted;
mod ollama;
mod postgres;
mod prompt_cache;
mod reply;
mod time;

pub use answer::{Answer, Tokens, ToolUse};
pub use client::{Client, End, Event, Head, Response};
pub use fake::{FakeProvider, Recorded};
pub use home::TestHome;
pub use muted::muted;
pub use ollama::{FakeOllama, OllamaModel};
pub use postgres::Postgres;
pub use prompt_cache::PromptCache;
pub use reply::{Framing, Gate, Reply};
pub use time::{FixedClock, SeededEntropy};
