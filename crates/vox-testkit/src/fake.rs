//! A model provider that does as it is told: a real HTTP/1.1 server on loopback with scripted answers, a log of the
//! requests it got, and the moment each connection was closed by the other side.
//!
//! Every accepted socket has Nagle's algorithm off, so that a stall seen by a test is not made here.

mod connection;
mod request;

use crate::Reply;
use connection::Connection;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Number of the connection, from 0 in the order of accepting.
    pub connection: usize,
    /// Method, as sent.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query without the question mark; empty if none.
    pub query: String,
    /// Headers in the order and case they arrived.
    pub headers: Vec<(String, String)>,
    /// Body, with a chunked coding removed.
    pub body: Vec<u8>,
    /// When the last byte of the request was read.
    pub at: Instant,
}

impl Recorded {
    /// Returns the first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// The body is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request body is JSON")
    }
}

#[derive(Default)]
struct Queue {
    replies: Vec<Reply>,
    next: usize,
}

impl Queue {
    /// Returns the next reply; the last one repeats.
    fn take(&mut self) -> Option<Reply> {
        let reply = self.replies.get(self.next).or(self.replies.last()).cloned();
        self.next += 1;
        reply
    }
}

/// Makes the reply to a request.
type Rule = Box<dyn FnMut(&Recorded) -> Reply + Send>;

#[derive(Default)]
struct Inside {
    everywhere: Queue,
    by_path: HashMap<String, Queue>,
    by_rule: Option<Rule>,
    requests: Vec<Recorded>,
    /// Per connection: when the peer closed it, if it did.
    closed_by_peer: Vec<Option<Instant>>,
    open: HashMap<usize, std::sync::Weak<TcpStream>>,
}

#[derive(Default)]
struct Shared {
    inside: Mutex<Inside>,
    changed: Condvar,
    stopping: AtomicBool,
}

/// A provider on loopback, stopped when dropped.
pub struct FakeProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FakeProvider {
    /// Starts a provider on a free port. Without a script it answers everything with 500.
    ///
    /// # Panics
    /// No loopback socket can be opened.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let accepting = shared.clone();
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Returns a provider that already has a script.
    #[must_use]
    pub fn scripted(replies: impl IntoIterator<Item = Reply>) -> Self {
        let provider = Self::start();
        provider.script(replies);
        provider
    }

    /// Returns `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a URL on loopback at which nobody listens.
    ///
    /// # Panics
    /// No loopback socket can be opened.
    #[must_use]
    pub fn refusing_url() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        format!("http://{}", listener.local_addr().expect("a bound socket has an address"))
    }

    /// Sets the replies for every path without replies of its own, in order; the last one repeats.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.inside.lock().everywhere = Queue { replies: replies.into_iter().collect(), next: 0 };
    }

    /// Sets the replies for one path, in order; the last one repeats.
    pub fn on(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let queue = Queue { replies: replies.into_iter().collect(), next: 0 };
        self.shared.inside.lock().by_path.insert(path.to_owned(), queue);
    }

    /// Answers every request by a rule instead of a script.
    pub fn answering(&self, rule: impl FnMut(&Recorded) -> Reply + Send + 'static) {
        self.shared.inside.lock().by_rule = Some(Box::new(rule));
    }

    /// Returns the requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.inside.lock().requests.clone()
    }

    /// Returns the number of requests so far.
    #[must_use]
    pub fn n_requests(&self) -> usize {
        self.shared.inside.lock().requests.len()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.inside.lock().requests.clear();
    }

    /// Returns the number of connections accepted so far.
    #[must_use]
    pub fn n_connections(&self) -> usize {
        self.shared.inside.lock().closed_by_peer.len()
    }

    /// Returns the number of connections that are open now.
    #[must_use]
    pub fn n_open(&self) -> usize {
        self.shared.inside.lock().open.len()
    }

    /// Waits for at least this many requests and returns all of them.
    ///
    /// # Panics
    /// They did not arrive in time.
    #[must_use]
    pub fn wait_requests(&self, n_requests: usize, timeout: Duration) -> Vec<Recorded> {
        let found = self.wait(timeout, |inside| (inside.requests.len() >= n_requests).then(|| inside.requests.clone()));
        found.unwrap_or_else(|| panic!("expected {n_requests} requests within {timeout:?}, got {}", self.n_requests()))
    }

    /// Waits until the peer has closed a connection and returns when the latest one was closed.
    #[must_use]
    pub fn wait_closed(&self, timeout: Duration) -> Option<Instant> {
        self.wait(timeout, |inside| inside.closed_by_peer.iter().flatten().max().copied())
    }

    /// Waits until the peer has closed this connection and returns when.
    #[must_use]
    pub fn wait_closed_connection(&self, connection: usize, timeout: Duration) -> Option<Instant> {
        self.wait(timeout, |inside| inside.closed_by_peer.get(connection).copied().flatten())
    }

    /// Closes every connection that is open now; new ones are accepted as before.
    pub fn cut_all(&self) {
        self.shared.close_all();
    }

    fn wait<T>(&self, timeout: Duration, found: impl Fn(&Inside) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut inside = self.shared.inside.lock();
        loop {
            if let Some(value) = found(&inside) {
                return Some(value);
            }
            if self.shared.changed.wait_until(&mut inside, deadline).timed_out() {
                return found(&inside);
            }
        }
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.close_all();
        // Wakes the accepting thread, which then sees that it should stop.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn close_all(&self) {
        for stream in self.inside.lock().open.values().filter_map(std::sync::Weak::upgrade) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn opened(&self, stream: &Arc<TcpStream>) -> usize {
        let mut inside = self.inside.lock();
        inside.closed_by_peer.push(None);
        let number = inside.closed_by_peer.len() - 1;
        inside.open.insert(number, Arc::downgrade(stream));
        self.changed.notify_all();
        number
    }

    fn closed(&self, number: usize, by_peer: Option<Instant>) {
        let mut inside = self.inside.lock();
        inside.closed_by_peer[number] = by_peer;
        inside.open.remove(&number);
        self.changed.notify_all();
    }

    /// Records a request and returns the reply to it.
    fn asked(&self, request: Recorded) -> Reply {
        let mut inside = self.inside.lock();
        let reply = if let Some(rule) = &mut inside.by_rule {
            Some(rule(&request))
        } else if let Some(queue) = inside.by_path.get_mut(&request.path) {
            queue.take()
        } else {
            inside.everywhere.take()
        };
        let reply = reply.unwrap_or_else(|| Reply::new(500, format!("no script for {}", request.path)));
        let reply = reply.for_request(&request);
        inside.requests.push(request);
        self.changed.notify_all();
        reply
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.stopping() {
            return;
        }
        if stream.set_nodelay(true).is_ok() {
            Connection::serve(stream, shared);
        }
    }
}

#[cfg(test)]
mod tests;
