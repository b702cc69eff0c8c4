//! A client of the node's own API. How a request travels is the transport's business: over a socket, or into the router
//! of the same process.

use crate::{Readiness, Reloaded};
use serde::de::DeserializeOwned;

/// Carries one request to a node and returns the status and body of its answer.
pub trait Transport {
    /// Sends a request without a body.
    ///
    /// # Errors
    /// Nobody answers.
    fn send(&self, method: &str, path: &str) -> Result<(u16, Vec<u8>), Unreachable>;
}

/// The node does not answer, or not as a node does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// A client of one node.
pub struct Client<'a> {
    transport: &'a dyn Transport,
}

impl<'a> Client<'a> {
    /// Returns a client that talks through a transport.
    #[must_use]
    pub const fn new(transport: &'a dyn Transport) -> Self {
        Self { transport }
    }

    /// Asks whether the node can work.
    ///
    /// # Errors
    /// It does not answer.
    pub fn readiness(&self) -> Result<Readiness, Unreachable> {
        // 503 is an answer too: it names the parts that fail.
        let (_, body) = self.transport.send("GET", "/readyz")?;
        read(&body)
    }

    /// Makes the node read its configuration anew.
    ///
    /// # Errors
    /// It does not answer, or the configuration does not hold together.
    pub fn reload(&self) -> Result<Reloaded, Unreachable> {
        match self.transport.send("POST", "/api/v1/config/reload")? {
            (200, body) => read(&body),
            (_, body) => Err(Unreachable(message(&body))),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreachable> {
    serde_json::from_slice(body).map_err(|_| Unreachable("what answers there is no vox node".to_owned()))
}

fn message(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    value["error"]["message"].as_str().unwrap_or("the node refused").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Canned(u16, &'static str);

    impl Transport for Canned {
        fn send(&self, _: &str, _: &str) -> Result<(u16, Vec<u8>), Unreachable> {
            Ok((self.0, self.1.as_bytes().to_vec()))
        }
    }

    #[test]
    fn a_node_that_cannot_work_says_what_fails() {
        let transport = Canned(503, r#"{"ready":false,"failing":["draining"],"notes":[]}"#);
        let readiness = Client::new(&transport).readiness().unwrap();
        assert_eq!((readiness.ready, readiness.failing), (false, vec!["draining".to_owned()]));
    }

    #[test]
    fn another_server_is_not_taken_for_a_node() {
        assert!(Client::new(&Canned(200, "<html>")).readiness().is_err());
        let refused = Client::new(&Canned(503, r#"{"error":{"message":"bad key"}}"#)).reload();
        assert_eq!(refused, Err(Unreachable("bad key".to_owned())));
    }
}
