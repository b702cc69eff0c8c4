//! Errors in the shape a caller's client expects, as a response body and inside a stream.

use crate::Dialect;
use crate::json::Out;
use bytes::{Bytes, BytesMut};

/// Returns the body of an error response; `code` is the stable code.
#[must_use]
pub fn error_body(dialect: Dialect, status: u16, code: &str, message: &str, param: Option<&str>, request_id: &str) -> Bytes {
    let mut out = Out::with_capacity(160 + message.len());
    match dialect {
        Dialect::Openai | Dialect::Ollama => put_openai(&mut out, openai_type(status), code, message, param),
        Dialect::Anthropic => put_anthropic(&mut out, anthropic_type(status), code, message, Some(request_id)),
    }
    out.finish()
}

/// Returns the event with which a stream that was begun fails; nothing follows it, least of all an end mark.
#[must_use]
pub fn error_event(dialect: Dialect, code: &str, message: &str) -> Bytes {
    let prefix: &[u8] = if dialect == Dialect::Anthropic { b"event: error\ndata: " } else { b"data: " };
    let mut out = Out::over(BytesMut::from(prefix));
    match dialect {
        Dialect::Openai | Dialect::Ollama => put_openai(&mut out, "server_error", code, message, None),
        Dialect::Anthropic => put_anthropic(&mut out, "api_error", code, message, None),
    }
    let mut buffer = out.into_buffer();
    buffer.extend_from_slice(b"\n\n");
    buffer.freeze()
}

fn put_openai(out: &mut Out, kind: &str, code: &str, message: &str, param: Option<&str>) {
    out.object(|out| {
        out.key("error").object(|out| {
            out.key("message").str(message);
            out.key("type").str(kind);
            out.key("param").str_or_null(param);
            out.key("code").str(code);
        });
    });
}

fn put_anthropic(out: &mut Out, kind: &str, code: &str, message: &str, request_id: Option<&str>) {
    out.object(|out| {
        out.key("type").str("error");
        out.key("error").object(|out| {
            out.key("type").str(kind);
            out.key("message").str(message);
            out.key("code").str(code);
        });
        if let Some(request_id) = request_id {
            out.key("request_id").str(request_id);
        }
    });
}

const fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// Anthropic's types follow the status, and its clients decide by them whether to try again.
const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests;
