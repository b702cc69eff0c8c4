//! Server-sent events (WHATWG HTML, section 9.2) out of reads that were cut anywhere.
//!
//! Each event keeps exactly its bytes, so that forwarding `raw` of every event forwards the stream. An event that lies in
//! one read is not copied. What the data means is for `answer` to say.

use bytes::{Bytes, BytesMut};

/// Most bytes of one event, its comments and line ends included.
pub const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

/// One block of lines up to and including the blank line behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The bytes as received, with line ends, comments and any blank lines before the block.
    pub raw: Bytes,
    /// The last `event` field, unless empty.
    pub name: Option<Bytes>,
    /// The `data` fields joined by line feeds; `None` in a block without any, such as a comment that keeps the line alive.
    pub data: Option<Bytes>,
}

/// An event is larger than [`MAX_EVENT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLarge;

/// Cuts a stream of bytes into events.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The start of an event whose end has not been read; already searched.
    held: BytesMut,
    /// What has been read and not yet given out.
    current: Bytes,
    /// How much of `current` has been searched.
    searched: usize,
    /// The line being searched has at least one byte.
    in_line: bool,
    /// The block being searched has at least one line with bytes.
    in_block: bool,
    /// The last byte searched was a carriage return that ended a line; a line feed now belongs to it.
    after_return: bool,
    /// Nothing has been given out yet, so that a byte order mark may stand in front.
    at_start: bool,
}

impl Decoder {
    /// Returns a decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self { at_start: true, ..Self::default() }
    }

    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: Bytes) {
        if self.current.is_empty() {
            self.current = bytes;
        } else if !bytes.is_empty() {
            let mut joined = BytesMut::with_capacity(self.current.len() + bytes.len());
            joined.extend_from_slice(&self.current);
            joined.extend_from_slice(&bytes);
            self.current = joined.freeze();
        }
    }

    /// Returns the next event that is complete, or `None` until more is pushed.
    ///
    /// # Errors
    /// The event is too large; the stream cannot be read on.
    pub fn next_event(&mut self) -> Result<Option<Event>, EventTooLarge> {
        let end = self.find_end();
        if self.held.len() + end.unwrap_or(self.current.len()) > MAX_EVENT_BYTES {
            return Err(EventTooLarge);
        }
        match end {
            Some(end) => Ok(Some(self.take(end))),
            None => {
                self.hold();
                Ok(None)
            }
        }
    }

    /// Returns what is left when the stream has ended: bytes of a block without a blank line behind it.
    ///
    /// Its data may be cut short. After a clean end a reader may look at it; after a broken connection nobody should.
    pub fn finish(&mut self) -> Option<Event> {
        self.hold();
        let raw = std::mem::take(&mut self.held).freeze();
        (!raw.is_empty()).then(|| self.event(raw))
    }

    /// Returns the length of the event at the start of `current`, searching on from where the last search stopped.
    fn find_end(&mut self) -> Option<usize> {
        loop {
            if self.after_return && self.searched < self.current.len() {
                self.searched += usize::from(self.current[self.searched] == b'\n');
                self.after_return = false;
            }
            let rest = &self.current[self.searched..];
            let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.in_line |= !rest.is_empty();
                self.searched = self.current.len();
                return None;
            };
            let blank = !self.in_line && length == 0;
            self.searched += length + 1;
            self.in_line = false;
            self.after_return = rest[length] == b'\r';
            if !blank {
                self.in_block = true;
            } else if self.in_block {
                return Some(self.end_of_block());
            }
        }
    }

    /// Takes the line feed of a final CR LF into the block if it has been read already.
    fn end_of_block(&mut self) -> usize {
        self.in_block = false;
        if self.after_return && self.current.get(self.searched) == Some(&b'\n') {
            self.searched += 1;
            self.after_return = false;
        }
        std::mem::take(&mut self.searched)
    }

    fn take(&mut self, end: usize) -> Event {
        let last = self.current.split_to(end);
        let raw = if self.held.is_empty() {
            last
        } else {
            self.held.extend_from_slice(&last);
            std::mem::take(&mut self.held).freeze()
        };
        self.event(raw)
    }

    fn hold(&mut self) {
        self.held.extend_from_slice(&self.current);
        self.current = Bytes::new();
        self.searched = 0;
    }

    fn event(&mut self, raw: Bytes) -> Event {
        let bom = std::mem::take(&mut self.at_start) && raw.starts_with(b"\xef\xbb\xbf");
        let mut event = Event { raw: raw.clone(), name: None, data: None };
        let mut line_start = if bom { 3 } else { 0 };
        while line_start < raw.len() {
            let line_end = memchr::memchr2(b'\n', b'\r', &raw[line_start..]).map_or(raw.len(), |length| line_start + length);
            event.field(&raw, line_start, line_end);
            line_start = line_end + 1;
        }
        event
    }
}

impl Event {
    /// Returns the event's name as text, empty if it has none or the name is not UTF-8.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// Reads one line; a line without a field name that counts here, a comment among them, changes nothing.
    fn field(&mut self, raw: &Bytes, start: usize, end: usize) {
        let line = &raw[start..end];
        let name_end = memchr::memchr(b':', line).unwrap_or(line.len());
        let mut value_start = (start + name_end + 1).min(end);
        value_start += usize::from(raw[value_start..end].first() == Some(&b' '));
        match &line[..name_end] {
            b"data" => self.add_data(raw.slice(value_start..end)),
            b"event" => self.name = (value_start < end).then(|| raw.slice(value_start..end)),
            _ => {}
        }
    }

    fn add_data(&mut self, line: Bytes) {
        self.data = Some(match self.data.take() {
            None => line,
            Some(data) => {
                let mut joined = BytesMut::with_capacity(data.len() + 1 + line.len());
                joined.extend_from_slice(&data);
                joined.extend_from_slice(b"\n");
                joined.extend_from_slice(&line);
                joined.freeze()
            }
        });
    }
}

#[cfg(test)]
mod tests;
