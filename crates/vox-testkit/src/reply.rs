//! One scripted answer of the fake provider: what is written, when, in which pieces, and where it goes wrong.

use crate::fake::Recorded;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// How the length of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `content-length` with the true length.
    Length,
    /// `content-length` with this number, true or not; the connection closes afterwards.
    LengthOf(usize),
    /// `transfer-encoding: chunked`, one chunk per piece, properly ended.
    Chunked,
    /// `transfer-encoding: chunked` without the last chunk; the connection closes afterwards.
    ChunkedUnended,
    /// Neither; the body ends when the connection does.
    UntilClose,
}

/// How a reply that was cut short ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    Reset,
    Stall,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Bytes(usize),
    Pieces(usize),
}

/// A door in the middle of a reply that a test opens when it likes; clones are the same door.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Returns a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for good.
    pub fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    /// Waits a little for the gate; returns whether it is open.
    pub(crate) fn wait_a_little(&self) -> bool {
        let mut open = self.0.0.lock();
        if !*open {
            self.0.1.wait_for(&mut open, Duration::from_millis(5));
        }
        *open
    }
}

#[derive(Debug, Clone, Default)]
struct Piece {
    wait: Duration,
    gate: Option<Gate>,
    bytes: Vec<u8>,
}

/// One write to the socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Write {
    pub(crate) wait: Duration,
    pub(crate) gate: Option<Gate>,
    pub(crate) bytes: Vec<u8>,
}

type Make = Arc<dyn Fn(&Recorded) -> Reply + Send + Sync>;

/// One scripted answer.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Piece>,
    framing: Framing,
    before_headers: Duration,
    raw: bool,
    stop: Option<(Place, Ending)>,
    make: Option<Make>,
}

impl Reply {
    /// Returns a reply with this status and body in one piece, with a true `content-length`.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let piece = Piece { bytes: body.into(), ..Piece::default() };
        Self {
            status,
            headers: Vec::new(),
            pieces: vec![piece],
            framing: Framing::Length,
            before_headers: Duration::ZERO,
            raw: false,
            stop: None,
            make: None,
        }
    }

    /// Returns a JSON reply.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    /// Returns a chunked `text/event-stream` of events, one piece each; each event already ends with its blank line.
    #[must_use]
    pub fn sse(events: impl IntoIterator<Item = String>) -> Self {
        Self::new(200, "").header("content-type", "text/event-stream").pieces(events).framing(Framing::Chunked)
    }

    /// Returns bytes to be written as they are, status line and all; the connection closes afterwards.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { raw: true, ..Self::new(200, bytes) }
    }

    /// Returns a reply that is made from the request when it arrives.
    #[must_use]
    pub fn made(make: impl Fn(&Recorded) -> Self + Send + Sync + 'static) -> Self {
        Self { make: Some(Arc::new(make)), ..Self::new(200, "") }
    }

    /// Returns an error of the OpenAI shape whose message repeats every header of the request, as careless providers do.
    #[must_use]
    pub fn echoing_headers(status: u16) -> Self {
        Self::made(move |request| {
            let lines: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            Self::json(status, &serde_json::json!({"error": {"message": lines.join("\n"), "type": "invalid_request_error"}}))
        })
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the status.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Replaces the body by these pieces, each written on its own.
    #[must_use]
    pub fn pieces<B: Into<Vec<u8>>>(mut self, pieces: impl IntoIterator<Item = B>) -> Self {
        self.pieces = pieces.into_iter().map(|bytes| Piece { bytes: bytes.into(), ..Piece::default() }).collect();
        self
    }

    /// Cuts the body into pieces of this many bytes, wherever events or characters may end.
    #[must_use]
    pub fn split_every(mut self, n_bytes: usize) -> Self {
        let body: Vec<u8> = self.pieces.drain(..).flat_map(|piece| piece.bytes).collect();
        self.pieces(body.chunks(n_bytes.max(1)).map(<[u8]>::to_vec).collect::<Vec<_>>())
    }

    /// Chooses how the length is told.
    #[must_use]
    pub const fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Waits before the status line.
    #[must_use]
    pub const fn wait_before_headers(mut self, wait: Duration) -> Self {
        self.before_headers = wait;
        self
    }

    /// Waits before every piece but the first.
    #[must_use]
    pub fn gap(mut self, wait: Duration) -> Self {
        self.pieces.iter_mut().skip(1).for_each(|piece| piece.wait = wait);
        self
    }

    /// Waits before the piece with this number, from 0.
    #[must_use]
    pub fn wait_before_piece(mut self, index: usize, wait: Duration) -> Self {
        self.pieces[index].wait = wait;
        self
    }

    /// Holds the piece with this number, from 0, until the gate opens.
    #[must_use]
    pub fn hold_piece(mut self, index: usize, gate: &Gate) -> Self {
        self.pieces[index].gate = Some(gate.clone());
        self
    }

    /// Closes the connection after this many bytes on the wire, the head included; see [`Reply::wire_len`].
    #[must_use]
    pub const fn cut_after_bytes(mut self, n_bytes: usize) -> Self {
        self.stop = Some((Place::Bytes(n_bytes), Ending::Close));
        self
    }

    /// Closes the connection after this many pieces (events of a stream).
    #[must_use]
    pub const fn cut_after_pieces(mut self, n_pieces: usize) -> Self {
        self.stop = Some((Place::Pieces(n_pieces), Ending::Close));
        self
    }

    /// Resets the connection (RST) after this many pieces.
    #[must_use]
    pub const fn reset_after_pieces(mut self, n_pieces: usize) -> Self {
        self.stop = Some((Place::Pieces(n_pieces), Ending::Reset));
        self
    }

    /// Closes the connection when the request has been read, before any byte of an answer.
    #[must_use]
    pub const fn cut_before_headers(self) -> Self {
        self.cut_after_bytes(0)
    }

    /// Sends nothing at all until the peer goes away.
    #[must_use]
    pub const fn stall_before_headers(mut self) -> Self {
        self.stop = Some((Place::Bytes(0), Ending::Stall));
        self
    }

    /// Sends nothing more after this many pieces, until the peer goes away.
    #[must_use]
    pub const fn stall_after_pieces(mut self, n_pieces: usize) -> Self {
        self.stop = Some((Place::Pieces(n_pieces), Ending::Stall));
        self
    }

    /// Returns the number of pieces.
    #[must_use]
    pub const fn n_pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Returns the number of bytes of the whole reply on the wire.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.writes().iter().map(|write| write.bytes.len()).sum()
    }

    /// Returns the reply for this request.
    pub(crate) fn for_request(&self, request: &Recorded) -> Self {
        match &self.make {
            Some(make) => make(request).for_request(request),
            None => self.clone(),
        }
    }

    /// Returns what to write, cut where the script says, and how it ends; `None` keeps the connection.
    pub(crate) fn plan(&self) -> (Vec<Write>, Option<Ending>) {
        let mut writes = self.writes();
        match self.stop {
            Some((Place::Bytes(n_bytes), ending)) => {
                cut_bytes(&mut writes, n_bytes);
                (writes, Some(ending))
            }
            Some((Place::Pieces(n_pieces), ending)) => {
                writes.truncate(n_pieces + usize::from(!self.raw));
                (writes, Some(ending))
            }
            None if self.raw => (writes, Some(Ending::Close)),
            None => (writes, (!matches!(self.framing, Framing::Length | Framing::Chunked)).then_some(Ending::Close)),
        }
    }

    /// The head is one write, each piece one, and the last chunk one.
    fn writes(&self) -> Vec<Write> {
        let chunked = matches!(self.framing, Framing::Chunked | Framing::ChunkedUnended) && !self.raw;
        let mut writes = Vec::with_capacity(self.pieces.len() + 2);
        if !self.raw {
            writes.push(Write { wait: self.before_headers, gate: None, bytes: self.head() });
        }
        for piece in &self.pieces {
            let bytes = if chunked { chunk(&piece.bytes) } else { piece.bytes.clone() };
            writes.push(Write { wait: piece.wait, gate: piece.gate.clone(), bytes });
        }
        if self.framing == Framing::Chunked && !self.raw {
            writes.push(Write { bytes: b"0\r\n\r\n".to_vec(), ..Write::default() });
        }
        writes
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let length: usize = self.pieces.iter().map(|piece| piece.bytes.len()).sum();
        match self.framing {
            Framing::Length => head += &format!("content-length: {length}\r\n"),
            Framing::LengthOf(claimed) => head += &format!("content-length: {claimed}\r\n"),
            Framing::Chunked | Framing::ChunkedUnended => head += "transfer-encoding: chunked\r\n",
            Framing::UntilClose => head += "connection: close\r\n",
        }
        (head + "\r\n").into_bytes()
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        // An empty chunk would end the body.
        return Vec::new();
    }
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

fn cut_bytes(writes: &mut Vec<Write>, mut left: usize) {
    for write in writes.iter_mut() {
        let keep = left.min(write.bytes.len());
        write.bytes.truncate(keep);
        left -= keep;
    }
    writes.retain(|write| !write.bytes.is_empty());
}

#[cfg(test)]
mod tests;
