//! vox's own API under `/api/v1`: the admin token opens all of it, a caller key only what concerns that key.

use crate::body::Body;
use crate::router::{Gateway, json};
use crate::{caller, refusal};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use vox_base::{Coded, Kind};
use vox_node::keys::Caller;
use vox_node::usage::UsageQuery;
use vox_wire::Dialect;

/// The routes of this API.
pub(crate) enum Route<'a> {
    Status,
    Keys,
    OwnKey,
    Usage,
    OwnUsage,
    Providers,
    Reload,
    Trace(&'a str),
}

/// Who asks.
enum Asker {
    Admin,
    Caller(Arc<Caller>),
}

/// Answers one request.
pub(crate) async fn answer(gateway: &Gateway, route: &Route<'_>, headers: &HeaderMap, query: Option<&str>) -> Response<Body> {
    match value(gateway, route, headers, query).await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(error) => refusal::response(Dialect::Openai, &error.into(), ""),
    }
}

async fn value(gateway: &Gateway, route: &Route<'_>, headers: &HeaderMap, query: Option<&str>) -> Result<Value, Coded> {
    let node = &gateway.node;
    let asker = asker(gateway, headers)?;
    match (route, asker) {
        (Route::OwnKey, Asker::Caller(caller)) => to_value(&node.key_info(&caller.key)),
        (Route::OwnUsage, Asker::Caller(caller)) => to_value(&node.usage(UsageQuery { key: Some(caller.key.key_id), ..parse_query(query)? }).await?),
        (Route::OwnKey | Route::OwnUsage, Asker::Admin) => {
            Err(Coded::new(Kind::Usage, "gateway.admin_only", "this route speaks of a caller's own key").next("send the caller key instead"))
        }
        (_, Asker::Caller(_)) => Err(Coded::new(Kind::Refused, "gateway.admin_only", "a caller key does not open this route").next("use the `vox` command")),
        (Route::Status, Asker::Admin) => to_value(&node.status()),
        (Route::Keys, Asker::Admin) => to_value(&node.list_keys().await?),
        (Route::Usage, Asker::Admin) => to_value(&node.usage(parse_query(query)?).await?),
        (Route::Providers, Asker::Admin) => to_value(&node.providers()),
        (Route::Reload, Asker::Admin) => to_value(&node.reload().await?),
        (Route::Trace(id), Asker::Admin) => to_value(&node.trace(id).await?),
    }
}

fn asker(gateway: &Gateway, headers: &HeaderMap) -> Result<Asker, Coded> {
    let presented = caller::presented_key(headers)?;
    if bool::from(presented.as_bytes().ct_eq(gateway.admin_token.expose().as_bytes())) {
        return Ok(Asker::Admin);
    }
    caller::authenticate(headers, &gateway.node, gateway.node.now()).map(Asker::Caller)
}

fn parse_query(query: Option<&str>) -> Result<UsageQuery, Coded> {
    let mut asked = UsageQuery::default();
    for (name, value) in query.unwrap_or("").split('&').filter_map(|pair| pair.split_once('=')) {
        asked.set(name, value)?;
    }
    Ok(asked)
}

fn to_value(value: &impl serde::Serialize) -> Result<Value, Coded> {
    serde_json::to_value(value).map_err(|error| Coded::new(Kind::Failed, "gateway.internal", format!("the answer cannot be written: {error}")))
}
