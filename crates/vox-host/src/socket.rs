//! Listening sockets. Accepted connections have Nagle's algorithm off, or a stream would stall by 40 ms per event.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on an address; port 0 picks a free one. Must be called inside a runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let inner = TcpListener::bind(address).await?;
        let address = inner.local_addr()?;
        Ok(Self { inner, address })
    }

    /// Returns the address that is listened on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// The process is out of file descriptors or alike; wait a little and call again.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (stream, peer) = self.inner.accept().await?;
            // A connection that is already gone refuses the option; the next one is not to blame.
            if stream.set_nodelay(true).is_ok() {
                return Ok((stream, peer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GW-47, the server side.
    #[tokio::test]
    async fn gw_47_accepted_sockets_have_nagle_off() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let _client = TcpStream::connect(listener.address()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(accepted.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_taken_address_is_an_error() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = Listener::bind(listener.address()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
