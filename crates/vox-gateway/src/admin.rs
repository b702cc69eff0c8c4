//! vox's own API under `/api/v1`: the admin token opens all of it, a caller key only what concerns that key.

use crate::body::{self, Body};
use crate::router::{Gateway, json, route_unknown};
use crate::{caller, model_api, refusal};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use vox_api::{Budget, OutcomePosted, OwnKey, PostOutcome, Reloaded};
use vox_base::{Coded, Kind};
use vox_node::keys::Caller;
use vox_node::outcomes::Poster;
use vox_route::Limit;
use vox_wire::Dialect;

/// The routes of this API.
pub(crate) enum Route<'a> {
    OwnKey,
    Reload,
    Trace(&'a str),
    /// Any other path: who may not look around here does not learn what there is.
    Unknown,
}

/// Who asks.
enum Asker {
    Admin,
    Caller(Arc<Caller>),
}

/// Answers one request.
pub(crate) async fn answer(gateway: &Gateway, route: &Route<'_>, headers: &HeaderMap) -> Response<Body> {
    match value(gateway, route, headers).await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(error) => refusal::response(Dialect::Openai, &error.into(), ""),
    }
}

async fn value(gateway: &Gateway, route: &Route<'_>, headers: &HeaderMap) -> Result<Value, Coded> {
    let node = &gateway.node;
    let asker = asker(gateway, headers)?;
    match (route, asker) {
        (Route::OwnKey, Asker::Caller(caller)) => to_value(&own_key(&caller)),
        (Route::OwnKey, Asker::Admin) => {
            Err(Coded::new(Kind::Usage, "gateway.admin_only", "this route speaks of a caller's own key")
                .next("send the caller key instead"))
        }
        (_, Asker::Caller(_)) => {
            Err(Coded::new(Kind::Refused, "gateway.admin_only", "a caller key does not open this route").next("use the `vox` command"))
        }
        (Route::Reload, Asker::Admin) => {
            node.reload().await?;
            to_value(&Reloaded { reloaded: true })
        }
        (Route::Unknown, Asker::Admin) => Err(route_unknown()),
        (Route::Trace(id), Asker::Admin) => to_value(&vox_node::trace::find(node.store(), id).await?),
    }
}

/// Longest body of an outcome.
const MAX_OUTCOME_BYTES: usize = 64 * 1024;

/// Takes in what became of a call or run.
pub(crate) async fn outcome(gateway: &Gateway, request: Request<Incoming>) -> Response<Body> {
    match take_outcome(gateway, request).await {
        Ok(posted) => json(StatusCode::OK, &posted),
        Err(error) => refusal::response(Dialect::Openai, &error.into(), ""),
    }
}

async fn take_outcome(gateway: &Gateway, request: Request<Incoming>) -> Result<OutcomePosted, Coded> {
    let (head, incoming) = request.into_parts();
    let poster = match asker(gateway, &head.headers)? {
        Asker::Admin => Poster::Admin,
        Asker::Caller(caller) => Poster::Caller { key_id: caller.key.key_id, of_run: caller.key.run_id.is_some() },
    };
    model_api::check_content_type(&head.headers)?;
    let body = body::read(incoming, MAX_OUTCOME_BYTES).await.map_err(|unread| model_api::unreadable(&unread, MAX_OUTCOME_BYTES))?;
    let post: PostOutcome = serde_json::from_slice(&body).map_err(|error| {
        Coded::new(Kind::Usage, "route.outcome_invalid", error.to_string())
            .expected("`interaction_id` or `run_id`, `source`, `success` or `score_ppm`, `idempotency_key`")
    })?;
    gateway.node.post_outcome(&poster, &post).await
}

/// Returns what a caller may know of its own key.
fn own_key(caller: &Caller) -> OwnKey {
    let budget = |limit: &Limit| Budget { window: limit.window.as_str().to_owned(), limit_nano_usd: limit.amount };
    OwnKey {
        key_id: caller.key.key_id,
        name: caller.key.name.to_string(),
        models: caller.models.clone(),
        budgets: caller.limits.iter().map(budget).collect(),
        expires_at: caller.key.expires_at.map(|at| at.to_string()),
    }
}

fn asker(gateway: &Gateway, headers: &HeaderMap) -> Result<Asker, Coded> {
    let presented = caller::presented_key(headers)?;
    if bool::from(presented.as_bytes().ct_eq(gateway.admin_token.expose().as_bytes())) {
        return Ok(Asker::Admin);
    }
    caller::authenticate(headers, &gateway.node, gateway.node.now()).map(Asker::Caller)
}

fn to_value(value: &impl serde::Serialize) -> Result<Value, Coded> {
    serde_json::to_value(value)
        .map_err(|error| Coded::new(Kind::Failed, "gateway.internal", format!("the answer cannot be written: {error}")))
}
