//! A raw HTTP/1.1 keep-alive client over one socket: reads a stream event by event with the time of each, says how it
//! ended, and can go away in the middle.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The status line and headers of a response.
#[derive(Debug, Clone)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Headers in the order and case they arrived.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Returns the first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With its last chunk, at its length, or at the end of the connection if neither was promised.
    Clean,
    /// Before that.
    Cut,
}

/// A response read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// Body without chunk framing.
    pub body: Vec<u8>,
    /// How the body ended.
    pub end: End,
}

impl Response {
    /// Returns the status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// Returns the body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// The body is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }
}

/// One event of a `text/event-stream`, and when its last byte was read.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it was complete.
    pub at: Instant,
    /// Its lines as they came, without the blank line.
    pub raw: String,
}

impl Event {
    /// Returns the event name, empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.raw.lines().find_map(|line| line.strip_prefix("event:")).unwrap_or_default().trim()
    }

    /// Returns the data lines, joined by newlines.
    #[must_use]
    pub fn data(&self) -> String {
        let lines: Vec<&str> =
            self.raw.lines().filter_map(|line| line.strip_prefix("data:")).map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Bytes of a body with a length.
    Length(usize),
    /// Bytes of the current chunk; `None` when the next chunk's size line is due.
    Chunk(Option<usize>),
    UntilClose,
    Nothing,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// Bytes read from the socket and not yet looked at.
    wire: Vec<u8>,
    /// Bytes of the body not yet handed out.
    body: Vec<u8>,
    left: Left,
    end: Option<End>,
}

impl Client {
    /// Connects, with Nagle's algorithm off and a read timeout of 10 s.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream, wire: Vec::new(), body: Vec::new(), left: Left::Nothing, end: None })
    }

    /// Replaces the read timeout.
    ///
    /// # Errors
    /// The socket refuses the option.
    pub fn read_timeout(&self, timeout: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(timeout))
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request; `host` and `content-length` are added unless given.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let given = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !given("host") {
            head += &format!("host: {}\r\n", self.stream.peer_addr()?);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !given("content-length") && !given("transfer-encoding") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.write(&bytes)
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// The connection is gone before the headers were complete, or nothing came in time.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        self.send(method, path, headers, body)?;
        let head = self.read_head()?;
        let (body, end) = self.read_body()?;
        Ok(Response { head, body, end })
    }

    /// Reads status line and headers.
    ///
    /// # Errors
    /// The connection ended first, or nothing came in time.
    pub fn read_head(&mut self) -> Result<Head> {
        let length = loop {
            match find(&self.wire, b"\r\n\r\n") {
                Some(length) => break length,
                None if self.fill()? == 0 => return Err(Error::new(ErrorKind::UnexpectedEof, "closed before the headers were complete")),
                None => {}
            }
        };
        let text = String::from_utf8_lossy(&self.wire[..length]).into_owned();
        self.wire.drain(..length + 4);
        let head = head(&text)?;
        if head.status == 100 {
            return self.read_head();
        }
        self.left = left(&head);
        self.end = (self.left == Left::Nothing).then_some(End::Clean);
        Ok(head)
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// Nothing came in time.
    pub fn read_body(&mut self) -> Result<(Vec<u8>, End)> {
        loop {
            if let Some(end) = self.end {
                return Ok((std::mem::take(&mut self.body), end));
            }
            self.advance()?;
        }
    }

    /// Reads the next bytes of the body as they come; `None` at its end.
    ///
    /// # Errors
    /// Nothing came in time.
    pub fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        while self.body.is_empty() {
            if self.end.is_some() {
                return Ok(None);
            }
            self.advance()?;
        }
        Ok(Some(std::mem::take(&mut self.body)))
    }

    /// Reads the next event of a stream whose lines end in LF or CRLF; `None` at the end of the body.
    ///
    /// # Errors
    /// Nothing came in time.
    pub fn next_event(&mut self) -> Result<Option<Event>> {
        loop {
            let ends = [&b"\n\n"[..], b"\r\n\r\n"].map(|end| find(&self.body, end).map(|at| (at, end.len())));
            if let Some((at, blank)) = ends.into_iter().flatten().min() {
                let raw = String::from_utf8_lossy(&self.body[..at]).into_owned();
                self.body.drain(..at + blank);
                return Ok(Some(Event { at: Instant::now(), raw }));
            }
            if self.end.is_some() {
                return Ok(None);
            }
            self.advance()?;
        }
    }

    /// Reads every event up to the end of the body and says how it ended.
    ///
    /// # Errors
    /// Nothing came in time.
    pub fn events(&mut self) -> Result<(Vec<Event>, End)> {
        let mut events = Vec::new();
        while let Some(event) = self.next_event()? {
            events.push(event);
        }
        Ok((events, self.end.unwrap_or(End::Cut)))
    }

    /// Returns how the body ended, once it has.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// Goes away in the middle and returns when.
    #[must_use]
    pub fn abort(self) -> Instant {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        Instant::now()
    }

    /// Goes away with a reset (RST) and returns when.
    #[must_use]
    pub fn reset(self) -> Instant {
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        drop(self.stream);
        Instant::now()
    }

    /// Moves what has arrived into the body, or reads more.
    fn advance(&mut self) -> Result<()> {
        if self.take_arrived()? {
            return Ok(());
        }
        let read = match self.fill() {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            other => other?,
        };
        if read == 0 {
            self.end = Some(if self.left == Left::UntilClose { End::Clean } else { End::Cut });
        }
        Ok(())
    }

    /// Returns whether anything moved.
    fn take_arrived(&mut self) -> Result<bool> {
        match self.left {
            Left::Nothing => {
                self.end = Some(End::Clean);
                Ok(true)
            }
            Left::UntilClose => Ok(self.move_bytes(usize::MAX) > 0),
            Left::Length(left) => {
                let moved = self.move_bytes(left);
                self.left = if moved == left { Left::Nothing } else { Left::Length(left - moved) };
                Ok(moved > 0 || moved == left)
            }
            Left::Chunk(None) => self.chunk_size(),
            Left::Chunk(Some(0)) if self.wire.starts_with(b"\r\n") => {
                self.wire.drain(..2);
                self.left = Left::Chunk(None);
                Ok(true)
            }
            Left::Chunk(Some(0)) => Ok(false),
            Left::Chunk(Some(left)) => {
                let moved = self.move_bytes(left);
                self.left = Left::Chunk(Some(left - moved));
                Ok(moved > 0)
            }
        }
    }

    fn chunk_size(&mut self) -> Result<bool> {
        let Some(length) = find(&self.wire, b"\r\n") else { return Ok(false) };
        let line = String::from_utf8_lossy(&self.wire[..length]).into_owned();
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| Error::new(ErrorKind::InvalidData, format!("not a chunk size: {line:?}")))?;
        if size > 0 {
            self.wire.drain(..length + 2);
            self.left = Left::Chunk(Some(size));
            return Ok(true);
        }
        let whole = self.wire.len() >= length + 4;
        if whole {
            self.wire.drain(..length + 4);
            self.left = Left::Nothing;
        }
        Ok(whole)
    }

    fn move_bytes(&mut self, most: usize) -> usize {
        let n_bytes = most.min(self.wire.len());
        self.body.extend(self.wire.drain(..n_bytes));
        n_bytes
    }

    fn fill(&mut self) -> Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer)?;
        self.wire.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

fn head(text: &str) -> Result<Head> {
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("not a status line: {text:?}")))?;
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    Ok(Head { status, headers })
}

fn left(head: &Head) -> Left {
    if matches!(head.status, 204 | 304) {
        return Left::Nothing;
    }
    if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Left::Chunk(None);
    }
    match head.header("content-length").and_then(|length| length.parse().ok()) {
        Some(0) => Left::Nothing,
        Some(length) => Left::Length(length),
        None => Left::UntilClose,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
