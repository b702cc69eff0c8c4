//! Errors in the shape a caller's client expects, as a response body and inside a stream.

use crate::Dialect;
use crate::json::put_str;
use bytes::{Bytes, BytesMut};

/// Returns the body of an error response; `code` is the stable code.
#[must_use]
pub fn error_body(dialect: Dialect, status: u16, code: &str, message: &str, param: Option<&str>, request_id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(160 + message.len());
    match dialect {
        Dialect::Openai => openai(&mut out, openai_type(status), code, message, param),
        Dialect::Anthropic => anthropic(&mut out, anthropic_type(status), code, message, Some(request_id)),
    }
    out.freeze()
}

/// Returns the event with which a stream that was begun fails; nothing follows it, least of all an end mark.
#[must_use]
pub fn error_event(dialect: Dialect, code: &str, message: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(160 + message.len());
    match dialect {
        Dialect::Openai => {
            out.extend_from_slice(b"data: ");
            openai(&mut out, "server_error", code, message, None);
        }
        Dialect::Anthropic => {
            out.extend_from_slice(b"event: error\ndata: ");
            anthropic(&mut out, "api_error", code, message, None);
        }
    }
    out.extend_from_slice(b"\n\n");
    out.freeze()
}

fn openai(out: &mut BytesMut, kind: &str, code: &str, message: &str, param: Option<&str>) {
    out.extend_from_slice(b"{\"error\":{\"message\":");
    put_str(out, message);
    out.extend_from_slice(b",\"type\":");
    put_str(out, kind);
    out.extend_from_slice(b",\"param\":");
    match param {
        Some(param) => put_str(out, param),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"code\":");
    put_str(out, code);
    out.extend_from_slice(b"}}");
}

fn anthropic(out: &mut BytesMut, kind: &str, code: &str, message: &str, request_id: Option<&str>) {
    out.extend_from_slice(b"{\"type\":\"error\",\"error\":{\"type\":");
    put_str(out, kind);
    out.extend_from_slice(b",\"message\":");
    put_str(out, message);
    out.extend_from_slice(b",\"code\":");
    put_str(out, code);
    out.extend_from_slice(b"}");
    if let Some(request_id) = request_id {
        out.extend_from_slice(b",\"request_id\":");
        put_str(out, request_id);
    }
    out.extend_from_slice(b"}");
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
