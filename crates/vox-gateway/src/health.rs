//! Whether the node lives, whether it can work, and its numbers. None of it needs a key and none tells a secret or path.

use crate::body::Body;
use crate::router::{Gateway, json};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use vox_api::Readiness;

pub(crate) fn live() -> Response<Body> {
    text("ok\n", "text/plain; charset=utf-8")
}

/// Answers 200, or 503 with the parts that fail.
pub(crate) fn ready(gateway: &Gateway) -> Response<Body> {
    let draining = gateway.is_draining().then_some("draining");
    let failing: Vec<String> = gateway.node.failing().into_iter().chain(draining).map(str::to_owned).collect();
    let readiness = Readiness { ready: failing.is_empty(), failing, notes: gateway.node.notes() };
    json(if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

pub(crate) fn metrics(gateway: &Gateway) -> Response<Body> {
    text(gateway.node.metrics().render(), "text/plain; version=0.0.4; charset=utf-8")
}

/// Some clients probe the root before they talk.
pub(crate) fn home() -> Response<Body> {
    text("vox is running; the model API is under v1\n", "text/plain; charset=utf-8")
}

fn text(body: impl Into<Bytes>, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
