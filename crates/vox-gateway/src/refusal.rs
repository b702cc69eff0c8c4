//! The edge where an error becomes an HTTP answer: stable code to status, in the error shape of the caller's dialect.

use crate::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use vox_base::{Coded, Kind};
use vox_node::chat::Refusal;
use vox_wire::Dialect;

/// Returns the HTTP status of a code. Codes without a row of their own go by the kind of error.
pub(crate) fn status(error: &Coded) -> u16 {
    match error.code {
        "gateway.key_missing" | "gateway.key_invalid" | "gateway.key_revoked" | "gateway.key_expired" => 401,
        "gateway.budget_exceeded" | "route.price_unknown" => 402,
        "gateway.model_not_allowed"
        | "gateway.origin_refused"
        | "gateway.host_refused"
        | "gateway.admin_only"
        | "route.force_refused"
        | "route.outcome_rejected" => 403,
        "route.model_unknown" | "gateway.route_unknown" | "gateway.trace_unknown" | "route.decision_unknown" => 404,
        "gateway.method" => 405,
        "gateway.body_too_large" => 413,
        "gateway.content_type" => 415,
        "gateway.rate_limited" | "gateway.upstream_rate_limited" => 429,
        "gateway.upstream_failed"
        | "gateway.upstream_cut"
        | "gateway.upstream_malformed"
        | "gateway.upstream_redirect"
        | "gateway.upstream_auth" => 502,
        "route.no_offer"
        | "secret.locked"
        | "secret.missing_required"
        | "gateway.ledger_unavailable"
        | "gateway.node_draining"
        | "gateway.overloaded"
        | "store.busy" => 503,
        "gateway.upstream_stalled" | "gateway.deadline" => 504,
        _ => match error.kind {
            Kind::Usage => 400,
            Kind::Refused | Kind::Pending => 403,
            Kind::Offline | Kind::Stale => 503,
            Kind::Failed | Kind::Integrity | Kind::Cancelled => 500,
        },
    }
}

/// Returns the answer for a refused request, in the dialect's error shape.
pub(crate) fn response(dialect: Dialect, refusal: &Refusal, request_id: &str) -> Response<Body> {
    let error = &refusal.error;
    let status = refusal.status.unwrap_or_else(|| status(error));
    let body = vox_wire::error_body(dialect, status, error.code, &message(error), refusal.param.as_deref(), request_id);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = refusal.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Returns the one line a caller reads: what, where, what was expected, and the next step.
pub(crate) fn message(error: &Coded) -> String {
    match &error.next {
        Some(next) => format!("{error}; next: {next}"),
        None => error.to_string(),
    }
}
