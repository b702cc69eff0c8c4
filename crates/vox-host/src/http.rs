//! The client that talks to model providers: HTTP/1.1 over kept connections, Nagle's algorithm off, rustls with the
//! system's roots. It follows no redirect, keeps no cookie, knows no proxy, and checks the address it really connects to.
//!
//! Dropping a response that is waited for, or a body that is being read, closes the connection at once. Timeouts other
//! than the connect's are the caller's business.

mod address;
mod body;
mod connect;
mod error;

pub use address::{AddressPolicy, InvalidBaseUrl, check_base_url};
pub use body::{BodyError, IncomingBody};
pub use error::SendError;

use bytes::Bytes;
use connect::Connector;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// How long an idle connection is kept. Below the 60 s after which common load balancers drop it on their side.
const IDLE: Duration = Duration::from_secs(50);
const MAX_IDLE_PER_HOST: usize = 256;

/// What to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Absolute URL; never from a request, always from a provider's entry.
    pub url: Uri,
    /// Headers; `host` and `content-length` are added.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Whether plain `http` to a private address is permitted (`local: true` in the provider's entry).
    pub allow_private: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Incoming {
    /// Status, whatever it is; a redirect is not followed.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, read as it comes.
    pub body: IncomingBody,
}

/// The client; clones share their connections.
#[derive(Debug, Clone)]
pub struct Http {
    // The pool knows only scheme and host, so what may reach private addresses has a pool of its own.
    public: Client<Connector, Full<Bytes>>,
    private: Client<Connector, Full<Bytes>>,
}

impl Http {
    /// Returns a client without connections. TLS is set up at the first `https` request, not here.
    #[must_use]
    pub fn new(policy: AddressPolicy) -> Self {
        let connector = Connector::new(policy);
        Self { public: client(connector.clone()), private: client(connector.allowing_private()) }
    }

    /// Sends a request and waits for the headers of the response.
    ///
    /// # Errors
    /// See [`SendError`]; [`SendError::nothing_sent`] says whether the provider can have seen anything.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Incoming, SendError> {
        let client = if outgoing.allow_private { &self.private } else { &self.public };
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = outgoing.url;
        *request.headers_mut() = outgoing.headers;
        let (head, body) = client.request(request).await.map_err(SendError::from_client)?.into_parts();
        Ok(Incoming { status: head.status, headers: head.headers, body: IncomingBody::new(body) })
    }
}

fn client(connector: Connector) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
        .build(connector)
}

#[cfg(test)]
mod tests;
