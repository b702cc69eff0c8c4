//! Opens connections: name to addresses, addresses against the policy, TCP without Nagle, TLS where asked.

use super::address::{self, AddressPolicy, Reach};
use super::error::SendError;
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

const LOOPBACK_TIMEOUT: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);

type Connected = TokioIo<TcpStream>;
pub(super) type Stream = MaybeHttpsStream<Connected>;

/// Opens a connection for a URL.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    tcp: Tcp,
    tls: Arc<OnceCell<HttpsConnector<Tcp>>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Tcp {
    policy: AddressPolicy,
    allow_private: bool,
}

impl Connector {
    pub(super) fn new(policy: AddressPolicy) -> Self {
        Self { tcp: Tcp { policy, allow_private: false }, tls: Arc::default() }
    }

    /// Returns a connector that also speaks plain `http` with private addresses.
    pub(super) fn allowing_private(&self) -> Self {
        Self { tcp: Tcp { allow_private: true, ..self.tcp }, tls: Arc::default() }
    }

    pub(super) async fn connect(&self, url: &Uri) -> Result<Stream, SendError> {
        if url.scheme() != Some(&Scheme::HTTPS) {
            return self.tcp.connect(url).await.map(MaybeHttpsStream::Http);
        }
        let tls = self.tls.get_or_try_init(|| secured(self.tcp)).await?;
        let host = address::host(url).to_owned();
        match tokio::time::timeout(TIMEOUT, tls.clone().call(url.clone())).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(match error.downcast::<SendError>() {
                Ok(error) => *error,
                Err(error) => SendError::Tls { host, source: error.into() },
            }),
            Err(_) => Err(SendError::ConnectTimeout { host, limit: TIMEOUT }),
        }
    }
}

/// Reads the trusted roots, the system's or else the ones built in, off the async threads.
async fn secured(tcp: Tcp) -> Result<HttpsConnector<Tcp>, SendError> {
    let build = move || {
        let provider = rustls::crypto::ring::default_provider;
        let builder = match HttpsConnectorBuilder::new().with_provider_and_native_roots(provider()) {
            Ok(builder) => builder,
            Err(_) => HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider())?,
        };
        Ok::<_, rustls::Error>(builder.https_or_http().enable_http1().wrap_connector(tcp))
    };
    let failed = |source| SendError::Tls { host: String::new(), source };
    let built = tokio::task::spawn_blocking(build).await.map_err(|error| failed(Arc::new(error)))?;
    built.map_err(|error| failed(Arc::new(error)))
}

impl Tcp {
    async fn connect(self, url: &Uri) -> Result<Connected, SendError> {
        let addresses = self.addresses(url).await?;
        let limit =
            if addresses.iter().all(|address| address::reach(address.ip()) == Reach::Loopback) { LOOPBACK_TIMEOUT } else { TIMEOUT };
        let host = address::host(url);
        let deadline = Instant::now() + limit;
        let mut last = SendError::ConnectTimeout { host: host.to_owned(), limit };
        for (index, address) in addresses.iter().enumerate() {
            // Each address gets its share of what time is left, so that a dead first one does not use it all.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => match stream.set_nodelay(true) {
                    Ok(()) => return Ok(TokioIo::new(stream)),
                    Err(source) => last = SendError::connect(*address, source),
                },
                Ok(Err(source)) => last = SendError::connect(*address, source),
                Err(_) => last = SendError::ConnectTimeout { host: host.to_owned(), limit },
            }
        }
        Err(last)
    }

    /// Returns the permitted addresses of the URL's host, at least one.
    async fn addresses(self, url: &Uri) -> Result<Vec<SocketAddr>, SendError> {
        let https = url.scheme() == Some(&Scheme::HTTPS);
        let host = address::host(url);
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        let literal = address::literal_address(url);
        let near = address::is_localhost(url) || literal.is_some_and(|address| address::reach(address) == Reach::Loopback);
        if self.policy.offline && !near {
            return Err(SendError::Offline { host: host.to_owned() });
        }
        let found: Vec<SocketAddr> = match literal {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => {
                let dns = |source| SendError::Dns { host: host.to_owned(), source: Arc::new(source) };
                let lookup = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((host, port))).await;
                lookup.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(dns)?.collect()
            }
        };
        self.permitted(host, https, found)
    }

    fn permitted(self, host: &str, https: bool, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, SendError> {
        let refused: Option<IpAddr> = found.first().map(SocketAddr::ip);
        let permitted: Vec<SocketAddr> =
            found.into_iter().filter(|to| address::is_permitted(to.ip(), https, self.allow_private, self.policy)).collect();
        match refused {
            _ if !permitted.is_empty() => Ok(permitted),
            Some(address) => Err(SendError::Refused { host: host.to_owned(), address }),
            None => Err(SendError::Dns { host: host.to_owned(), source: Arc::new(std::io::Error::from(std::io::ErrorKind::NotFound)) }),
        }
    }
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, SendError>> + Send>>;

impl Service<Uri> for Tcp {
    type Response = Connected;
    type Error = SendError;
    type Future = Connecting<Connected>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let tcp = *self;
        Box::pin(async move { tcp.connect(&url).await })
    }
}

#[cfg(test)]
mod tests;
