//! The table of paths, and nothing else: the only place where a URL path is written.

use crate::body::Body;
use crate::{admin, caller, health, model_api, models, refusal};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use vox_base::{Coded, Kind};
use vox_node::Node;
use vox_node::keys::Caller;
use vox_wire::{Dialect, Endpoint};

/// The served surface of one node.
pub struct Gateway {
    pub(crate) node: Arc<Node>,
    /// The port the node really listens on; a request must name it in `Host`.
    pub(crate) port: u16,
    /// Opens vox's own API; kept in a file only the user can read.
    pub(crate) admin_token: vox_base::Secret<String>,
    n_open: Arc<AtomicUsize>,
    draining: AtomicBool,
}

/// What a path leads to.
enum Target<'a> {
    Call(Dialect, Endpoint),
    Models(Option<&'a str>),
    Health,
    Ready,
    Metrics,
    Home,
    Outcomes,
    Admin(admin::Route<'a>),
}

/// Returns what a path leads to and the methods it takes.
fn target(path: &str) -> Option<(Target<'_>, &'static [Method])> {
    const GET: &[Method] = &[Method::GET, Method::HEAD];
    const POST: &[Method] = &[Method::POST];
    const ANY: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    Some(match path {
        "/v1/chat/completions" => (Target::Call(Dialect::Openai, Endpoint::Chat), POST),
        "/v1/messages" => (Target::Call(Dialect::Anthropic, Endpoint::Chat), POST),
        "/v1/embeddings" => (Target::Call(Dialect::Openai, Endpoint::Embeddings), POST),
        "/v1/models" => (Target::Models(None), GET),
        "/healthz" => (Target::Health, GET),
        "/readyz" => (Target::Ready, GET),
        "/metrics" => (Target::Metrics, GET),
        "/" => (Target::Home, GET),
        "/api/v1/keys/self" => (Target::Admin(admin::Route::OwnKey), GET),
        "/api/v1/outcomes" => (Target::Outcomes, POST),
        "/api/v1/config/reload" => (Target::Admin(admin::Route::Reload), POST),
        _ => {
            if let Some(id) = path.strip_prefix("/v1/models/") {
                (Target::Models(Some(id)), GET)
            } else if let Some(id) = path.strip_prefix("/api/v1/traces/") {
                (Target::Admin(admin::Route::Trace(id)), GET)
            } else if path.starts_with("/api/") {
                (Target::Admin(admin::Route::Unknown), ANY)
            } else {
                return None;
            }
        }
    })
}

/// What the served routes are, for an error that names them.
const SERVED: &str = "POST /v1/chat/completions, /v1/messages, /v1/embeddings; GET /v1/models";

impl Gateway {
    /// Returns the surface of a node that listens on this port.
    #[must_use]
    pub fn new(node: Arc<Node>, port: u16, admin_token: vox_base::Secret<String>) -> Self {
        Self { node, port, admin_token, n_open: Arc::default(), draining: AtomicBool::new(false) }
    }

    /// Says from now on that the node is about to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Ends open streams with their dialect's error.
    pub fn cut_streams(&self) {
        self.node.ending().notify_waiters();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let dialect = spoken(path, request.headers());
        if let Err(error) = caller::check_source(request.headers(), request.uri(), &self.node, self.port) {
            return refusal::response(dialect, &error.into(), "");
        }
        let Some((target, methods)) = target(path) else {
            return refusal::response(dialect, &route_unknown().expected(SERVED).into(), "");
        };
        if !methods.contains(request.method()) {
            return wrong_method(dialect, methods);
        }
        match target {
            Target::Call(dialect, endpoint) => {
                let Some(slot) = Slot::take(&self.n_open, self.node.settings().limits.open_requests) else {
                    return overloaded(dialect);
                };
                model_api::call(self, dialect, endpoint, request, slot).await
            }
            Target::Models(id) => models::answer(self, dialect, id.map(str::to_owned), request.headers(), request.uri().query()),
            Target::Health => health::live(),
            Target::Ready => health::ready(self),
            Target::Metrics => health::metrics(self),
            Target::Home => health::home(),
            Target::Outcomes => admin::outcome(self, request).await,
            Target::Admin(route) => admin::answer(self, &route, request.headers()).await,
        }
    }
}

/// Returns the dialect whose error shape a caller understands.
fn spoken(path: &str, headers: &HeaderMap) -> Dialect {
    let anthropic = path == "/v1/messages" || path != "/v1/chat/completions" && headers.contains_key("anthropic-version");
    if anthropic { Dialect::Anthropic } else { Dialect::Openai }
}

pub(crate) fn route_unknown() -> Coded {
    Coded::new(Kind::Usage, "gateway.route_unknown", "no such route")
}

fn wrong_method(dialect: Dialect, methods: &[Method]) -> Response<Body> {
    let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let error = Coded::new(Kind::Usage, "gateway.method", "the route does not take this method").expected(allowed.clone());
    let mut response = refusal::response(dialect, &error.into(), "");
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

fn overloaded(dialect: Dialect) -> Response<Body> {
    let error = Coded::new(Kind::Failed, "gateway.overloaded", "the node serves as many requests as it may").next("try again in a second");
    let mut response = refusal::response(dialect, &error.into(), "");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// One of the node's open requests, until the last byte of its answer.
pub(crate) struct Slot {
    n_open: Arc<AtomicUsize>,
    caller: Option<Arc<Caller>>,
}

impl Slot {
    fn take(n_open: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let before = n_open.fetch_add(1, Ordering::Relaxed);
        let slot = Self { n_open: n_open.clone(), caller: None };
        (before < limit).then_some(slot)
    }

    /// Returns who the request is counted for.
    pub(crate) const fn caller(&self) -> Option<&Arc<Caller>> {
        self.caller.as_ref()
    }

    /// Counts the request for its caller too.
    ///
    /// # Errors
    /// The key has as many open requests as it may.
    pub(crate) fn count_for(&mut self, caller: &Arc<Caller>) -> Result<(), Coded> {
        let before = caller.n_open.fetch_add(1, Ordering::Relaxed);
        self.caller = Some(caller.clone());
        match caller.key.concurrency {
            Some(limit) if i64::from(before) >= limit => {
                Err(Coded::new(Kind::Refused, "gateway.rate_limited", format!("the key has {before} open requests and may have {limit}"))
                    .next("wait for one to end, or `vox keys set ID --concurrency N`"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.n_open.fetch_sub(1, Ordering::Relaxed);
        if let Some(caller) = &self.caller {
            caller.n_open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Returns a JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes::Bytes::from(bytes)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
