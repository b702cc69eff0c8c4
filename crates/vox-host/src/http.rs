//! The client that talks to model providers: HTTP/1.1 over kept connections, Nagle's algorithm off, rustls with the
//! system's roots. It follows no redirect, keeps no cookie, knows no proxy, and checks the address it really connects to.
//!
//! Dropping a response that is waited for, or a body that is being read, closes the connection at once. Timeouts other
//! than the connect's are the caller's business.

mod address;
mod body;
mod connect;
mod error;
mod pool;

pub use address::{AddressPolicy, InvalidBaseUrl, check_base_url};
pub use body::{BodyError, IncomingBody};
pub use error::SendError;

use bytes::Bytes;
use connect::Connector;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use pool::{Destination, Live, Pool};

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
    public: Connector,
    private: Connector,
    pool: Pool,
}

impl Http {
    /// Returns a client without connections. TLS is set up at the first `https` request, not here.
    #[must_use]
    pub fn new(policy: AddressPolicy) -> Self {
        let public = Connector::new(policy);
        Self { private: public.allowing_private(), public, pool: Pool::default() }
    }

    /// Sends a request and waits for the headers of the response.
    ///
    /// # Errors
    /// See [`SendError`]; [`SendError::nothing_sent`] says whether the provider can have seen anything.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Incoming, SendError> {
        let url = outgoing.url.clone();
        let destination = destination(&url, outgoing.allow_private)?;
        let mut request = request(outgoing, &destination)?;
        while let Some(mut live) = self.pool.take(&destination).await {
            match live.exchange(request).await {
                Ok(response) => return Ok(self.incoming(response, live, destination)),
                // The other side closed the kept connection just then: nothing was sent, another connection may do.
                Err(pool::Failed { unsent: Some(unsent), .. }) => request = unsent,
                Err(failed) => return Err(failed.error),
            }
        }
        let connector = if destination.allow_private { &self.private } else { &self.public };
        let mut live = Live::open(connector.connect(&url).await?).await?;
        let response = live.exchange(request).await.map_err(|failed| failed.error)?;
        Ok(self.incoming(response, live, destination))
    }

    fn incoming(&self, response: http::Response<hyper::body::Incoming>, live: Live, destination: Destination) -> Incoming {
        let (head, body) = response.into_parts();
        Incoming { status: head.status, headers: head.headers, body: IncomingBody::new(body, live, self.pool.clone(), destination) }
    }
}

fn destination(url: &Uri, allow_private: bool) -> Result<Destination, SendError> {
    let authority = url.authority().ok_or_else(|| SendError::Request(std::sync::Arc::new(NoHost)))?.clone();
    Ok(Destination { https: url.scheme() == Some(&http::uri::Scheme::HTTPS), authority, allow_private })
}

fn request(outgoing: Outgoing, destination: &Destination) -> Result<Request<Full<Bytes>>, SendError> {
    let mut request = Request::new(Full::new(outgoing.body));
    *request.method_mut() = outgoing.method;
    *request.headers_mut() = outgoing.headers;
    let path = outgoing.url.into_parts().path_and_query;
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    let host = HeaderValue::from_str(destination.authority.as_str()).map_err(|error| SendError::Request(std::sync::Arc::new(error)))?;
    request.headers_mut().insert(header::HOST, host);
    Ok(request)
}

/// The URL names no host.
#[derive(Debug, thiserror::Error)]
#[error("the URL has no host")]
struct NoHost;

#[cfg(test)]
mod tests;
