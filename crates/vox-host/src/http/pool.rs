//! Connections between requests, and one exchange on one of them.
//!
//! A connection is driven by whoever waits for its answer, inside that task: no task of its own, so no hand-over between
//! threads for every read, and dropping the waiting future or the body closes the connection at once.

use super::connect::Stream;
use super::error::SendError;
use crate::relay::Relay;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long an idle connection is kept. Below the 60 s after which common load balancers drop it on their side.
const IDLE: Duration = Duration::from_secs(50);
const MAX_IDLE_PER_HOST: usize = 256;

/// Where a connection leads, and under which rule it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub(super) https: bool,
    pub(super) authority: http::uri::Authority,
    pub(super) allow_private: bool,
}

/// A connection that can carry requests, one at a time.
pub(super) struct Live {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<Stream, Full<Bytes>>>>,
    relay: Relay,
}

/// Connections that wait for the next request; clones share them.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Idle>>);

#[derive(Default)]
struct Idle {
    connections: HashMap<Destination, Vec<(Live, Instant)>>,
    swept_at: Option<Instant>,
}

/// An exchange that failed; with the request, if nothing of it was sent.
pub(super) struct Failed {
    pub(super) error: SendError,
    pub(super) unsent: Option<Request<Full<Bytes>>>,
}

impl Live {
    pub(super) async fn open(stream: Stream) -> Result<Self, SendError> {
        let (sender, connection) = handshake(stream).await.map_err(SendError::from_exchange)?;
        Ok(Self { sender, connection: Box::pin(connection), relay: Relay::default() })
    }

    /// Polls what waits for this connection while the connection reads and writes what it can.
    pub(super) fn poll<T>(&mut self, cx: &mut Context<'_>, mut waiting: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let connection = &mut self.connection;
        self.relay.poll(cx, |cx| {
            if let Poll::Ready(ready) = waiting(cx) {
                return Poll::Ready(ready);
            }
            // A connection that has ended leaves its reason with what waits for it.
            let _ = connection.as_mut().poll(cx);
            waiting(cx)
        })
    }

    /// Returns whether the connection lives and has room for a request.
    fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        let connection = &mut self.connection;
        self.relay.poll(cx, |cx| connection.as_mut().poll(cx)).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failed> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| self.poll(cx, |cx| answer.as_mut().poll(cx))).await.map_err(|mut refused| {
            let unsent = refused.take_message();
            Failed { error: SendError::from_exchange(refused.into_error()), unsent }
        })
    }
}

impl Pool {
    /// Takes a connection that still lives.
    pub(super) async fn take(&self, destination: &Destination) -> Option<Live> {
        loop {
            let (mut live, since) = self.lock().connections.get_mut(destination)?.pop()?;
            if since.elapsed() < IDLE && poll_fn(|cx| Poll::Ready(live.is_ready(cx))).await {
                return Some(live);
            }
        }
    }

    /// Keeps a connection whose answer has been read to its end.
    pub(super) fn put(&self, destination: Destination, mut live: Live, cx: &mut Context<'_>) {
        if !live.is_ready(cx) {
            return;
        }
        let now = Instant::now();
        let mut idle = self.lock();
        if idle.swept_at.is_none_or(|at| now.duration_since(at) > IDLE) {
            idle.swept_at = Some(now);
            idle.connections.retain(|_, kept| {
                kept.retain(|(_, since)| now.duration_since(*since) < IDLE);
                !kept.is_empty()
            });
        }
        let kept = idle.connections.entry(destination).or_default();
        if kept.len() < MAX_IDLE_PER_HOST {
            kept.push((live, now));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("destinations", &self.lock().connections.len()).finish()
    }
}
