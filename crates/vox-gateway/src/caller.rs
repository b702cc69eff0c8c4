//! Who may talk: `Host` and `Origin` first, then the key. Loopback needs a key too.

use http::{HeaderMap, Uri, header};
use std::sync::Arc;
use vox_base::{Coded, Kind, Timestamp};
use vox_node::Node;
use vox_node::keys::{Caller, KeyRefusal};

/// Checks that the request was meant for this node and that no foreign page sends it.
pub(crate) fn check_source(headers: &HeaderMap, uri: &Uri, node: &Node, port: u16) -> Result<(), Coded> {
    let settings = node.settings();
    let host =
        headers.get(header::HOST).map(|host| host.to_str().unwrap_or("")).or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let host = host.ok_or_else(|| host_refused("none"))?;
    if !is_own_host(host, port) && !settings.allowed_hosts.iter().any(|allowed| allowed == host) {
        return Err(host_refused(host));
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("");
    if settings.allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    Err(Coded::new(Kind::Refused, "gateway.origin_refused", format!("a page of `{}` may not call this node", clean(origin)))
        .next("add it to `allowed_origins` in gateway.yaml"))
}

fn host_refused(host: &str) -> Coded {
    Coded::new(Kind::Refused, "gateway.host_refused", format!("the request was meant for `{}`", clean(host)))
        .expected("a loopback name with this node's port")
        .next("add the name to `allowed_hosts` in gateway.yaml")
}

/// A caller's text inside a message: short, and without anything a terminal would act on.
fn clean(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() || c == '`' { '?' } else { c }).collect()
}

fn is_own_host(host: &str, port: u16) -> bool {
    let (name, asked) = match host.rsplit_once(':') {
        Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => (name, digits.parse().ok()),
        _ => (host, Some(80)),
    };
    asked == Some(port) && matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// Returns the key a request carries: `Authorization: Bearer` or `x-api-key`, which must agree if both are there.
pub(crate) fn presented_key(headers: &HeaderMap) -> Result<&str, Coded> {
    let bearer = headers.get(header::AUTHORIZATION).map(|value| value.to_str().ok().and_then(bearer_token).unwrap_or(""));
    let api_key = headers.get("x-api-key").map(|value| value.to_str().unwrap_or(""));
    match (bearer, api_key) {
        (Some(one), Some(other)) if one != other => {
            Err(key_error("gateway.key_invalid", "`authorization` and `x-api-key` carry different keys"))
        }
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => {
            Err(key_error("gateway.key_missing", "the request carries no key").expected("`authorization: Bearer vox_…` or `x-api-key`"))
        }
    }
}

fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn key_error(code: &'static str, message: &str) -> Coded {
    Coded::new(Kind::Refused, code, message).next("`vox keys create NAME` prints a key once")
}

/// Returns the caller behind a key.
pub(crate) fn authenticate(headers: &HeaderMap, node: &Node, now: Timestamp) -> Result<Arc<Caller>, Coded> {
    let key = presented_key(headers)?;
    node.keys().verify(key, now).map_err(|refusal| match refusal {
        KeyRefusal::Invalid => key_error("gateway.key_invalid", "no such key"),
        KeyRefusal::Revoked => key_error("gateway.key_revoked", "the key was revoked"),
        KeyRefusal::Expired => {
            Coded::new(Kind::Refused, "gateway.key_expired", "the key has expired").next("`vox keys set ID --expires 30d`, or a new key")
        }
    })
}

#[cfg(test)]
mod tests;
