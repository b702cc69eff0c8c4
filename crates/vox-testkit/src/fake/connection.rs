//! One connection: a thread that reads (and so notices at once when the peer goes away) and a thread that answers.

use super::request;
use super::{Recorded, Shared};
use crate::reply::{Ending, Write};
use parking_lot::{Condvar, Mutex};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Arrived {
    bytes: Vec<u8>,
    ended: bool,
}

/// What the reading thread has got so far.
#[derive(Default)]
struct Inbox {
    arrived: Mutex<Arrived>,
    changed: Condvar,
}

pub(super) struct Connection {
    number: usize,
    stream: Arc<TcpStream>,
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
}

impl Connection {
    /// Serves a connection on threads of its own.
    pub(super) fn serve(stream: TcpStream, shared: &Arc<Shared>) {
        let stream = Arc::new(stream);
        let number = shared.opened(&stream);
        let connection = Self { number, stream, inbox: Arc::default(), shared: shared.clone() };
        let (stream, inbox, shared) = (connection.stream.clone(), connection.inbox.clone(), shared.clone());
        let reading = std::thread::spawn(move || read(stream, &inbox, &shared, number));
        std::thread::spawn(move || {
            connection.answer();
            connection.finish(reading);
        });
    }

    fn answer(&self) {
        while let Some(request) = self.next_request() {
            let (writes, ending) = self.shared.asked(request).plan();
            if !writes.iter().all(|write| self.write(write)) {
                return;
            }
            match ending {
                None => {}
                Some(Ending::Close) => return,
                Some(Ending::Reset) => {
                    let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
                    return;
                }
                Some(Ending::Stall) => return self.wait_for_end(),
            }
        }
    }

    /// Returns the next whole request, or `None` when the peer is gone or sent nonsense.
    fn next_request(&self) -> Option<Recorded> {
        let mut arrived = self.inbox.arrived.lock();
        loop {
            match request::parse(&arrived.bytes, self.number) {
                Ok(Some((request, length))) => {
                    arrived.bytes.drain(..length);
                    return Some(request);
                }
                Ok(None) if arrived.ended => return None,
                Ok(None) => self.inbox.changed.wait(&mut arrived),
                Err(()) => return None,
            }
        }
    }

    /// Writes one piece in its time; returns whether to go on.
    fn write(&self, write: &Write) -> bool {
        let deadline = Instant::now() + write.wait;
        if !write.wait.is_zero() && self.ended_before(deadline) {
            return false;
        }
        while write.gate.as_ref().is_some_and(|gate| !gate.wait_a_little()) {
            if self.inbox.arrived.lock().ended {
                return false;
            }
        }
        let is_written = (&*self.stream).write_all(&write.bytes).is_ok();
        if !is_written {
            // The peer is gone, and it is the reader who says when: whoever answers may find out first.
            self.wait_for_end();
        }
        is_written
    }

    fn ended_before(&self, deadline: Instant) -> bool {
        let mut arrived = self.inbox.arrived.lock();
        while !arrived.ended && !self.inbox.changed.wait_until(&mut arrived, deadline).timed_out() {}
        arrived.ended
    }

    fn wait_for_end(&self) {
        let mut arrived = self.inbox.arrived.lock();
        while !arrived.ended {
            self.inbox.changed.wait(&mut arrived);
        }
    }

    /// Closes our side. A reset needs the last handle to go while lingering is zero, so the reader goes first.
    fn finish(self, reading: std::thread::JoinHandle<()>) {
        let resets = rustix::net::sockopt::socket_linger(&self.stream).is_ok_and(|linger| linger.is_some());
        if !self.inbox.arrived.lock().ended {
            self.shared.closed(self.number, None);
        }
        let _ = self.stream.shutdown(if resets { Shutdown::Read } else { Shutdown::Both });
        let _ = reading.join();
    }
}

fn read(stream: Arc<TcpStream>, inbox: &Inbox, shared: &Shared, number: usize) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = (&*stream).read(&mut buffer).unwrap_or(0);
        let mut arrived = inbox.arrived.lock();
        if read == 0 {
            arrived.ended = true;
            inbox.changed.notify_all();
            break;
        }
        arrived.bytes.extend_from_slice(&buffer[..read]);
        inbox.changed.notify_all();
    }
    if shared.inside.lock().open.contains_key(&number) {
        shared.closed(number, (!shared.stopping()).then(Instant::now));
    }
}
