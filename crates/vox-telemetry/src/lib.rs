//! What happened, made safe to show: the one redactor, the one log initialiser, and trace ids on the wire.
//!
//! Nothing here reads the environment; settings arrive as values. What a log line may hold is decided by
//! `contracts/telemetry/{redaction,subscriber}.v1.yaml`.

pub mod redact;
pub mod subscriber;
mod traceparent;

pub use redact::Redactor;
pub use traceparent::{SpanId, Traceparent};
