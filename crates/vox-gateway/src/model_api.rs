//! The doors of the model API: reads a request, lets the node answer it, and puts the trail into the headers.

use crate::body::{self, Body, Unread};
use crate::router::{Gateway, Slot};
use crate::{caller, hints, refusal};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use std::time::Instant;
use vox_base::{Coded, Kind};
use vox_node::chat::{Call, Refusal, Reply, ReplyBody, Trail};
use vox_telemetry::Traceparent;
use vox_wire::{Chat, Dialect, Endpoint, WireError};

/// Headers of a caller that a provider of the same dialect gets to see.
const FORWARDED: [&str; 4] = ["anthropic-version", "anthropic-beta", "openai-beta", "idempotency-key"];

/// Answers one model call.
pub(crate) async fn call(
    gateway: &Gateway,
    dialect: Dialect,
    endpoint: Endpoint,
    request: Request<Incoming>,
    mut slot: Slot,
) -> Response<Body> {
    match answer(gateway, dialect, endpoint, request, &mut slot).await {
        Ok(reply) => success(reply, slot),
        Err(refused) => {
            let id = refused.trail.as_ref().map_or_else(String::new, |trail| trail.interaction_id.to_string());
            let mut response = refusal::response(dialect, &refused, &id);
            if let Some(trail) = &refused.trail {
                put_trail(response.headers_mut(), trail);
            }
            response
        }
    }
}

async fn answer(
    gateway: &Gateway,
    dialect: Dialect,
    endpoint: Endpoint,
    request: Request<Incoming>,
    slot: &mut Slot,
) -> Result<Reply, Refusal> {
    let (head, incoming) = request.into_parts();
    let node = &gateway.node;
    if gateway.is_draining() {
        return Err(Coded::new(Kind::Failed, "gateway.node_draining", "the node is stopping").next("try again in a moment").into());
    }
    let caller = caller::authenticate(&head.headers, node, node.now())?;
    slot.count_for(&caller).map_err(|error| Refusal { retry_after_s: Some(1), ..Refusal::from(error) })?;
    check_content_type(&head.headers)?;
    let limit = node.settings().limits.body_bytes;
    let body = body::read(incoming, limit).await.map_err(|unread| unreadable(&unread, limit))?;
    let started = Instant::now();
    let chat = Chat::parse(dialect, endpoint, body).map_err(invalid)?;
    let hints = hints::read(&head.headers, &chat.hints)?;
    let call = Call {
        caller: Some(caller),
        hints,
        forward: forwarded(&head.headers),
        query: head.uri.query().map(str::to_owned),
        inbound: inbound_trace(&head.headers),
        chat,
        started,
    };
    node.chat(call).await
}

pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Coded> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    let kind = text(header::CONTENT_TYPE);
    let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let encoding = text(header::CONTENT_ENCODING);
    if is_json && (encoding.is_empty() || encoding == "identity") {
        return Ok(());
    }
    Err(Coded::new(Kind::Usage, "gateway.content_type", "the body is not plain JSON")
        .expected("`content-type: application/json`, no content-encoding"))
}

pub(crate) fn unreadable(unread: &Unread, limit: usize) -> Coded {
    match unread {
        Unread::TooLarge => Coded::new(Kind::Usage, "gateway.body_too_large", format!("the body is over {limit} bytes"))
            .next("send less, or raise `limits.body_bytes` in gateway.yaml"),
        Unread::Broken => Coded::new(Kind::Usage, "gateway.json_invalid", "the body broke off"),
    }
}

fn invalid(error: WireError) -> Refusal {
    let param = match &error {
        WireError::Field { pointer, .. } => Some(pointer.clone()),
        WireError::Json(_) => None,
    };
    Refusal { param, ..Refusal::from(Coded::from(error)) }
}

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in FORWARDED {
        for value in headers.get_all(name) {
            passed.append(HeaderName::from_static(name), value.clone());
        }
    }
    passed
}

/// Returns the trace a caller continues; anything malformed or repeated starts a new one.
fn inbound_trace(headers: &HeaderMap) -> Option<Traceparent> {
    Traceparent::from_headers(headers.get_all("traceparent").iter().map(HeaderValue::as_bytes))
}

fn success(reply: Reply, slot: Slot) -> Response<Body> {
    let (body, content_type) = match reply.body {
        ReplyBody::Whole(bytes) => (Body::from(bytes), "application/json"),
        ReplyBody::Stream(stream) => (Body::Stream(stream, slot), "text/event-stream; charset=utf-8"),
    };
    let is_stream = matches!(body, Body::Stream(..));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if is_stream {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    put_trail(headers, &reply.trail);
    if let Some((cost, source)) = reply.cost {
        if let Some(cost) = cost {
            put(headers, "x-vox-cost-nano-usd", HeaderValue::from(cost.get()));
        }
        put(headers, "x-vox-cost-source", HeaderValue::from_static(source.as_str()));
    }
    response
}

fn put(headers: &mut HeaderMap, name: &'static str, value: HeaderValue) {
    headers.insert(HeaderName::from_static(name), value);
}

fn put_text(headers: &mut HeaderMap, name: &'static str, text: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
        put(headers, name, value);
    }
}

fn put_trail(headers: &mut HeaderMap, trail: &Trail) {
    headers.reserve(16);
    put_text(headers, "x-vox-interaction", trail.interaction_id.to_string());
    put_text(headers, "x-vox-decision", trail.decision_id.to_string());
    put_text(headers, "x-vox-trace", trail.trace_id.simple());
    put(headers, "x-vox-attempts", HeaderValue::from(trail.n_attempts));
    put(headers, "x-vox-reason", HeaderValue::from_static(trail.reason));
    put_text(headers, "server-timing", format!("vox;dur={}.{:03}", trail.overhead.as_millis(), trail.overhead.as_micros() % 1000));
    if !trail.model.is_empty() {
        if trail.model.starts_with("offline/") {
            put(headers, "x-vox-offline", HeaderValue::from_static("1"));
        }
        put_text(headers, "x-vox-model", trail.model.clone());
    }
    if let Some(session) = &trail.session {
        put_text(headers, "x-vox-session", session.clone());
    }
    if let Some(id) = &trail.upstream_request_id {
        put_text(headers, "x-vox-upstream-request-id", id.clone());
    }
    if !trail.converted.is_empty() {
        put_text(headers, "x-vox-converted", trail.converted.join(", "));
    }
    if !trail.ignored.is_empty() {
        put_text(headers, "x-vox-ignored", trail.ignored.join(", "));
    }
}
