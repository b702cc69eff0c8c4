//! Asks one provider for its list, request by request, until it is whole or fails.

use super::fetch::Outcome;
use super::{Source, needs_key};
use crate::snapshot::Route;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use std::time::Duration;
use vox_base::{Coded, Timestamp};
use vox_host::http::{Http, Outgoing, SendError};
use vox_route::source::{Fetched, Query, Reading, Subject};

/// One provider to ask, and within which limits.
pub(super) struct Lister<'a> {
    pub(super) http: &'a Http,
    pub(super) route: &'a Route,
    pub(super) source: &'a Source,
    /// Longest wait for one answer.
    pub(super) limit: Duration,
    /// Longest answer.
    pub(super) max_bytes: usize,
    pub(super) now: Timestamp,
}

/// Why a list did not come.
pub(super) struct Missed {
    pub(super) outcome: Outcome,
    pub(super) message: String,
    /// How long the provider wants to be left alone.
    pub(super) retry_after_ms: Option<u64>,
}

impl Missed {
    fn failed(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, message: message.into(), retry_after_ms: None }
    }
}

impl Lister<'_> {
    /// Returns the whole list, and how many requests that took.
    pub(super) async fn list(&self, subject: Subject) -> (Result<Fetched, Missed>, u32) {
        let mut reading = Reading::new(subject);
        let mut n_requests = 0;
        while let Some(query) = reading.query() {
            n_requests += 1;
            let taken = match tokio::time::timeout(self.limit, self.body(&query)).await {
                Ok(Ok(body)) => reading.take(&body).map_err(|error| Missed::failed(Coded::from(error).message)),
                Ok(Err(missed)) => Err(missed),
                Err(_) => Err(Missed::failed(format!("no whole answer within {:?}", self.limit))),
            };
            if let Err(missed) = taken {
                return (Err(self.with_page(missed, n_requests)), n_requests);
            }
        }
        (reading.finish().map_err(|error| Missed::failed(Coded::from(error).message)), n_requests)
    }

    /// Says how far the list had come, where it had.
    fn with_page(&self, missed: Missed, n_requests: u32) -> Missed {
        if n_requests == 1 {
            return missed;
        }
        Missed { message: format!("request {n_requests}: {}", missed.message), ..missed }
    }

    async fn body(&self, query: &Query) -> Result<Bytes, Missed> {
        let outgoing = self.outgoing(query).map_err(Missed::failed)?;
        let incoming = self.http.send(outgoing).await.map_err(|error| match error {
            SendError::Connect { .. } | SendError::ConnectTimeout { .. } if self.source.provider.local => {
                Missed { outcome: Outcome::NotRunning, ..Missed::failed(error.to_string()) }
            }
            error => Missed::failed(error.to_string()),
        })?;
        if incoming.status != StatusCode::OK {
            return Err(self.refused(incoming.status, &incoming.headers));
        }
        incoming.body.collect(self.max_bytes).await.map_err(|error| Missed::failed(error.to_string()))
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap) -> Missed {
        let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after_ms = vox_route::attempt::retry_after(&lookup, self.now);
        let message = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if needs_key(self.source) => {
                let secret = self.source.provider.secret_ids.first().map_or("ID", String::as_str);
                format!("{status}: the key is refused; `vox secrets set {secret}`")
            }
            status => format!("answered {status}"),
        };
        Missed { retry_after_ms, ..Missed::failed(message) }
    }

    fn outgoing(&self, query: &Query) -> Result<Outgoing, String> {
        let url = address(&self.source.provider.base_url, &query.target).ok_or("its address and path do not make a URL")?;
        let mut headers: HeaderMap = self.route.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(credential) = &self.route.credential {
            let (name, value) = match self.source.kind.key_header() {
                Some(name) => credential.under(name),
                None => (credential.name.clone(), credential.value.clone()),
            };
            headers.insert(name, value);
        }
        let (method, body) = match &query.body {
            None => (Method::GET, Bytes::new()),
            Some(body) => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                (Method::POST, Bytes::from(body.clone()))
            }
        };
        Ok(Outgoing { method, url, headers, body, allow_private: self.source.provider.local })
    }
}

/// Joins a base URL and what comes below it; `../` in front leads one segment up.
fn address(base_url: &str, target: &str) -> Option<Uri> {
    let base = base_url.trim_end_matches('/');
    match target.strip_prefix("../") {
        None => format!("{base}{target}"),
        Some(beside) => format!("{}/{beside}", base.rsplit_once('/')?.0),
    }
    .parse()
    .ok()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_list_may_stand_beside_the_base_url() {
        let shown = |base, target| address(base, target).unwrap().to_string();
        assert_eq!(shown("https://a.example/v1/", "/models"), "https://a.example/v1/models");
        assert_eq!(shown("https://a.example/v1beta/openai", "../models?pageSize=9"), "https://a.example/v1beta/models?pageSize=9");
    }
}
