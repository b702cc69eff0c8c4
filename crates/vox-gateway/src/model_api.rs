//! The doors of the model API: reads a request, lets the node answer it, and puts the trail into the headers.

use crate::body::{self, Body, Unread};
use crate::router::{Gateway, Slot};
use crate::{caller, hints, refusal};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use std::fmt::Write as _;
use std::time::Instant;
use vox_base::{Coded, Kind};
use vox_node::chat::{Call, Refusal, Reply, ReplyBody, Trail};
use vox_route::rate::{Counted, Standing};
use vox_telemetry::Traceparent;
use vox_wire::{Chat, Dialect, Endpoint, WireError};

/// Headers of a caller that a provider of the same dialect gets to see.
const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("idempotency-key"),
];

/// Answers one model call.
pub(crate) async fn call(
    gateway: &Gateway,
    dialect: Dialect,
    endpoint: Endpoint,
    request: Request<Incoming>,
    mut slot: Slot,
) -> Response<Body> {
    let answered = answer(gateway, dialect, endpoint, request, &mut slot).await;
    let standings = slot.caller().map_or_else(Vec::new, |caller| gateway.node.rate_standings(caller));
    let mut response = match answered {
        Ok(reply) => success(reply, slot),
        Err(refused) => {
            let id = refused.trail.as_ref().map_or_else(String::new, |trail| trail.interaction_id.to_string());
            let mut response = refusal::response(dialect, &refused, &id);
            if let Some(trail) = &refused.trail {
                put_trail(response.headers_mut(), trail);
            }
            response
        }
    };
    put_standings(response.headers_mut(), &standings);
    response
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
    let call = Box::new(Call {
        caller: Some(caller),
        hints,
        forward: forwarded(&head.headers),
        query: head.uri.query().map(str::to_owned),
        inbound: inbound_trace(&head.headers),
        chat,
        started,
    });
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
        for value in headers.get_all(&name) {
            passed.append(name.clone(), value.clone());
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
            headers.insert(name::COST, HeaderValue::from(cost.get()));
        }
        headers.insert(name::COST_SOURCE, HeaderValue::from_static(source.as_str()));
    }
    response
}

/// The names of the trail's headers. Parsing a name costs more than putting it, so each is made once.
mod name {
    use http::HeaderName;

    pub(super) const ATTEMPTS: HeaderName = HeaderName::from_static("x-vox-attempts");
    pub(super) const CONVERTED: HeaderName = HeaderName::from_static("x-vox-converted");
    pub(super) const COST: HeaderName = HeaderName::from_static("x-vox-cost-nano-usd");
    pub(super) const COST_SOURCE: HeaderName = HeaderName::from_static("x-vox-cost-source");
    pub(super) const DECISION: HeaderName = HeaderName::from_static("x-vox-decision");
    pub(super) const IGNORED: HeaderName = HeaderName::from_static("x-vox-ignored");
    pub(super) const INTERACTION: HeaderName = HeaderName::from_static("x-vox-interaction");
    pub(super) const MODEL: HeaderName = HeaderName::from_static("x-vox-model");
    pub(super) const OFFLINE: HeaderName = HeaderName::from_static("x-vox-offline");
    pub(super) const REASON: HeaderName = HeaderName::from_static("x-vox-reason");
    pub(super) static REQUESTS: [HeaderName; 3] = [
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
        HeaderName::from_static("x-ratelimit-reset-requests"),
    ];
    pub(super) static TOKENS: [HeaderName; 3] = [
        HeaderName::from_static("x-ratelimit-limit-tokens"),
        HeaderName::from_static("x-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-ratelimit-reset-tokens"),
    ];
    pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
    pub(super) const SESSION: HeaderName = HeaderName::from_static("x-vox-session");
    pub(super) const TRACE: HeaderName = HeaderName::from_static("x-vox-trace");
    pub(super) const UPSTREAM_REQUEST: HeaderName = HeaderName::from_static("x-vox-upstream-request-id");
}

/// Puts texts into headers; all of them share one buffer.
struct Texts(BytesMut);

impl Texts {
    fn value(&mut self, text: impl std::fmt::Display) -> Option<HeaderValue> {
        write!(self.0, "{text}").ok()?;
        HeaderValue::from_maybe_shared(self.0.split().freeze()).ok()
    }

    fn put(&mut self, headers: &mut HeaderMap, name: HeaderName, text: impl std::fmt::Display) {
        if let Some(value) = self.value(text) {
            headers.insert(name, value);
        }
    }
}

/// Says where the caller's limits of requests and tokens a minute stand.
fn put_standings(headers: &mut HeaderMap, standings: &[(Counted, Standing)]) {
    let mut texts = Texts(BytesMut::new());
    for (counted, standing) in standings {
        let [limit, remaining, reset] = match counted {
            Counted::Requests => &name::REQUESTS,
            Counted::Tokens => &name::TOKENS,
        };
        headers.insert(limit, HeaderValue::from(standing.limit));
        headers.insert(remaining, HeaderValue::from(standing.remaining));
        texts.put(headers, reset.clone(), format_args!("{}s", standing.reset_ms.div_ceil(1000)));
    }
}

fn put_trail(headers: &mut HeaderMap, trail: &Trail) {
    headers.reserve(16);
    let mut texts = Texts(BytesMut::with_capacity(256));
    texts.put(headers, name::INTERACTION, trail.interaction_id);
    texts.put(headers, name::DECISION, trail.decision_id);
    texts.put(headers, name::TRACE, trail.trace_id.simple());
    headers.insert(name::ATTEMPTS, HeaderValue::from(trail.n_attempts));
    headers.insert(name::REASON, HeaderValue::from_static(trail.reason));
    let micros = trail.overhead.as_micros();
    texts.put(headers, name::SERVER_TIMING, format_args!("vox;dur={}.{:03}", micros / 1000, micros % 1000));
    if !trail.model.is_empty() {
        if trail.model.starts_with("offline/") {
            headers.insert(name::OFFLINE, HeaderValue::from_static("1"));
        }
        texts.put(headers, name::MODEL, &trail.model);
    }
    if let Some(session) = &trail.session {
        texts.put(headers, name::SESSION, session);
    }
    if let Some(id) = &trail.upstream_request_id {
        texts.put(headers, name::UPSTREAM_REQUEST, id);
    }
    if !trail.converted.is_empty() {
        texts.put(headers, name::CONVERTED, trail.converted.join(", "));
    }
    if !trail.ignored.is_empty() {
        texts.put(headers, name::IGNORED, trail.ignored.join(", "));
    }
}
