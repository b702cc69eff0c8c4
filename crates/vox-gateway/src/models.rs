//! `GET /v1/models` in the shape of the client that asks: Anthropic's when it sends `anthropic-version` or `x-api-key`,
//! OpenAI's otherwise. A key sees only what it may use.

use crate::body::Body;
use crate::router::{Gateway, json};
use crate::{caller, refusal};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use vox_base::{Coded, Kind};
use vox_node::models::Listed;
use vox_wire::Dialect;

const DEFAULT_PAGE: usize = 20;
const MAX_PAGE: usize = 1000;

/// Answers the list, or one model of it.
pub(crate) fn answer(gateway: &Gateway, _: Dialect, id: Option<String>, headers: &HeaderMap, query: Option<&str>) -> Response<Body> {
    let anthropic = headers.contains_key("anthropic-version") || headers.contains_key("x-api-key");
    let dialect = if anthropic { Dialect::Anthropic } else { Dialect::Openai };
    match list(gateway, anthropic, id, headers, query) {
        Ok(body) => json(StatusCode::OK, &body),
        Err(error) => refusal::response(dialect, &error.into(), ""),
    }
}

fn list(gateway: &Gateway, anthropic: bool, id: Option<String>, headers: &HeaderMap, query: Option<&str>) -> Result<Value, Coded> {
    let caller = caller::authenticate(headers, &gateway.node, gateway.node.now())?;
    let models = gateway.node.models_for(&caller);
    let shape = if anthropic { anthropic_entry } else { openai_entry };
    match id {
        Some(id) => {
            let id = decoded(&id);
            let found = models.iter().find(|model| model.id == id).ok_or_else(|| unknown(&id))?;
            Ok(shape(found))
        }
        None if anthropic => page(&models, query),
        None => Ok(json!({ "object": "list", "data": models.iter().map(shape).collect::<Vec<_>>() })),
    }
}

fn unknown(id: &str) -> Coded {
    let shown: String = id.chars().take(100).collect();
    Coded::new(Kind::Usage, "route.model_unknown", format!("no model `{shown}` for this key"))
        .next("GET the model list, or `vox model list`")
}

fn openai_entry(model: &Listed) -> Value {
    json!({ "id": model.id, "object": "model", "created": model.since.millis() / 1000, "owned_by": model.owner })
}

fn anthropic_entry(model: &Listed) -> Value {
    json!({ "type": "model", "id": model.id, "display_name": model.id, "created_at": model.since.to_string() })
}

/// Returns one page as Anthropic pages: `limit`, `after_id`, `before_id`.
fn page(models: &[Listed], query: Option<&str>) -> Result<Value, Coded> {
    let parameter = |name: &str| query.unwrap_or("").split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let limit = match parameter("limit") {
        None => DEFAULT_PAGE,
        Some(text) => text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit)).ok_or_else(|| {
            Coded::new(Kind::Usage, "gateway.hint_invalid", "the page size is not usable").at("limit").expected("1 to 1000")
        })?,
    };
    let position = |name: &'static str| {
        let unknown = || Coded::new(Kind::Usage, "gateway.hint_invalid", "no model of the list has this id").at(name);
        let found = |id: &str| models.iter().position(|model| model.id == decoded(id)).ok_or_else(unknown);
        parameter(name).map(found).transpose()
    };
    let (from, to) = match (position("after_id")?, position("before_id")?) {
        (Some(after), _) => (after + 1, models.len().min(after + 1 + limit)),
        (None, Some(before)) => (before.saturating_sub(limit), before),
        (None, None) => (0, models.len().min(limit)),
    };
    let shown = &models[from.min(to)..to];
    Ok(json!({
        "data": shown.iter().map(anthropic_entry).collect::<Vec<_>>(),
        "has_more": to < models.len(),
        "first_id": shown.first().map(|model| &model.id),
        "last_id": shown.last().map(|model| &model.id),
    }))
}

/// Returns a part of a URL without its percent signs (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
