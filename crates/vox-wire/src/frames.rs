//! Cuts a provider's stream into events, whatever its framing: server-sent events, or JSON texts one to a line.

use crate::Dialect;
use crate::sse::{Decoder, Event, EventTooLarge, MAX_EVENT_BYTES};
use bytes::{Bytes, BytesMut};

/// The events of one stream.
#[derive(Debug)]
pub struct Frames(Framing);

#[derive(Debug)]
enum Framing {
    Events(Decoder),
    Lines(Lines),
}

/// JSON texts, one to a line.
#[derive(Debug, Default)]
struct Lines {
    held: BytesMut,
    /// How much of `held` is known to hold no line feed.
    searched: usize,
}

impl Frames {
    /// Returns a decoder at the start of a stream of this dialect.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self(match dialect {
            Dialect::Openai | Dialect::Anthropic => Framing::Events(Decoder::new()),
            Dialect::Ollama => Framing::Lines(Lines::default()),
        })
    }

    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: Bytes) {
        match &mut self.0 {
            Framing::Events(decoder) => decoder.push(bytes),
            Framing::Lines(lines) => lines.held.extend_from_slice(&bytes),
        }
    }

    /// Returns the next event that is complete, or `None` until more is pushed.
    ///
    /// # Errors
    /// The event is too large; the stream cannot be read on.
    pub fn next_event(&mut self) -> Result<Option<Event>, EventTooLarge> {
        match &mut self.0 {
            Framing::Events(decoder) => decoder.next_event(),
            Framing::Lines(lines) => lines.next_event(),
        }
    }

    /// Returns what is left when the stream has ended: an event without its end.
    pub fn finish(&mut self) -> Option<Event> {
        match &mut self.0 {
            Framing::Events(decoder) => decoder.finish(),
            Framing::Lines(lines) => line(std::mem::take(&mut lines.held).freeze()),
        }
    }
}

impl Lines {
    fn next_event(&mut self) -> Result<Option<Event>, EventTooLarge> {
        while let Some(length) = memchr::memchr(b'\n', &self.held[self.searched..]) {
            let whole = self.held.split_to(self.searched + length + 1).freeze();
            self.searched = 0;
            if whole.len() > MAX_EVENT_BYTES {
                return Err(EventTooLarge);
            }
            if let Some(event) = line(whole) {
                return Ok(Some(event));
            }
        }
        self.searched = self.held.len();
        if self.searched > MAX_EVENT_BYTES { Err(EventTooLarge) } else { Ok(None) }
    }
}

/// A blank line is none.
fn line(raw: Bytes) -> Option<Event> {
    let data = raw.trim_ascii();
    let data = (!data.is_empty()).then(|| raw.slice_ref(data))?;
    Some(Event { data: Some(data), name: None, raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_are_cut() {
        let stream = b"{\"a\":1}\n\r\n{\"b\":\"\\n\"}\r\n{\"c\":3}";
        for size in 1..stream.len() {
            let mut frames = Frames::new(Dialect::Ollama);
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                frames.push(Bytes::copy_from_slice(piece));
                while let Some(event) = frames.next_event().unwrap() {
                    seen.push(event.data.unwrap());
                }
            }
            assert_eq!(seen, [&b"{\"a\":1}"[..], b"{\"b\":\"\\n\"}"], "{size}");
            assert_eq!(frames.finish().unwrap().data.unwrap(), &b"{\"c\":3}"[..]);
            assert_eq!(frames.finish(), None);
        }
    }

    #[test]
    fn a_line_without_end_is_refused_and_not_gathered_for_ever() {
        let mut frames = Frames::new(Dialect::Ollama);
        frames.push(Bytes::from(vec![b'x'; MAX_EVENT_BYTES + 1]));
        assert_eq!(frames.next_event(), Err(EventTooLarge));
    }
}
