//! Why no response came.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

type Source = Arc<dyn Error + Send + Sync>;

/// No response came. None of these carries a header, a body or a query.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// vox is offline and the host is not on this machine.
    #[error("`{host}` needs the network and vox is offline")]
    Offline {
        /// The host.
        host: String,
    },
    /// The host's address is one that providers do not have, or plain `http` may not go there.
    #[error("`{host}` is at {address}, where vox does not connect")]
    Refused {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// The name has no address.
    #[error("`{host}` cannot be resolved")]
    Dns {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: Source,
    },
    /// Nobody answers there.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address tried last.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: Source,
    },
    /// Nobody answered in time.
    #[error("no connection to `{host}` within {limit:?}")]
    ConnectTimeout {
        /// The host.
        host: String,
        /// How long was tried.
        limit: Duration,
    },
    /// No trusted encrypted connection.
    #[error("no trusted connection to `{host}`")]
    Tls {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: Source,
    },
    /// The request itself cannot be sent, such as a URL without a host.
    #[error("the request cannot be sent")]
    Request(#[source] Source),
    /// The connection ended after the request was sent and before the headers came.
    #[error("the connection ended before an answer")]
    Reset(#[source] Source),
    /// What came back is not HTTP/1.1.
    #[error("the answer is not HTTP/1.1")]
    Protocol(#[source] Source),
}

impl SendError {
    /// Returns whether it is certain that the provider saw nothing of the request.
    #[must_use]
    pub const fn nothing_sent(&self) -> bool {
        !matches!(self, Self::Reset(_) | Self::Protocol(_))
    }

    pub(super) fn connect(address: SocketAddr, source: std::io::Error) -> Self {
        Self::Connect { address, source: Arc::new(source) }
    }

    pub(super) fn from_exchange(error: hyper::Error) -> Self {
        let (parse, user) = (error.is_parse(), error.is_user());
        let error: Source = Arc::new(error);
        match (parse, user) {
            (true, _) => Self::Protocol(error),
            (false, true) => Self::Request(error),
            (false, false) => Self::Reset(error),
        }
    }
}
