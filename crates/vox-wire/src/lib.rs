//! Model-API dialects as values and streams: requests read and edited in place, answers read piece by piece, both
//! translated between dialects, and errors in each dialect's own shape.
//!
//! Nothing here does IO, reads a clock or knows a provider: what an upstream can do arrives as `Target` and `UsageRules`.

mod answer;
mod chat;
mod dialect;
mod embeddings;
mod frames;
pub mod json;
mod refusal;
pub mod sse;
mod translate;
mod writer;

pub use answer::{CostUnit, Delta, EventFacts, FailureHint, Malformed, Reader, StopReason, Tally, UpstreamError, UsageRules};
pub use chat::{Chat, Digester, Excerpt, Needs, VOX_SIGNATURE, WireError};
pub use dialect::{Dialect, Endpoint, UnknownDialect};
pub use embeddings::VectorForm;
pub use frames::Frames;
pub use refusal::{error_body, error_event};
pub use translate::{InvalidVerdicts, Target, Translated, Untranslatable, Verdict, Verdicts, known_fields};
pub use writer::{Answer, Shown, Writer};
