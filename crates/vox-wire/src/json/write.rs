//! Writes JSON into a buffer, value by value.

use bytes::{BufMut, Bytes, BytesMut};

/// Writes JSON; commas between values are put where they belong.
#[derive(Debug, Default)]
pub(crate) struct Out {
    bytes: BytesMut,
    /// A value stands before the current place in the same container.
    behind_value: bool,
}

impl Out {
    pub(crate) fn with_capacity(n_bytes: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(n_bytes), behind_value: false }
    }

    /// Goes on in a buffer in which nothing of the current value has been written.
    pub(crate) fn over(bytes: BytesMut) -> Self {
        Self { bytes, behind_value: false }
    }

    pub(crate) fn into_buffer(self) -> BytesMut {
        self.bytes
    }

    pub(crate) fn finish(self) -> Bytes {
        self.bytes.freeze()
    }

    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.container(b'{', b'}', write);
    }

    pub(crate) fn array(&mut self, write: impl FnOnce(&mut Self)) {
        self.container(b'[', b']', write);
    }

    fn container(&mut self, open: u8, close: u8, write: impl FnOnce(&mut Self)) {
        self.begin(open);
        write(self);
        self.end(close);
    }

    /// As [`Out::object`], where the inside can fail.
    pub(crate) fn try_object<E>(&mut self, write: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.begin(b'{');
        write(self)?;
        self.end(b'}');
        Ok(())
    }

    /// As [`Out::array`], where the inside can fail.
    pub(crate) fn try_array<E>(&mut self, write: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.begin(b'[');
        write(self)?;
        self.end(b']');
        Ok(())
    }

    fn begin(&mut self, open: u8) {
        self.separate();
        self.bytes.put_u8(open);
        self.behind_value = false;
    }

    fn end(&mut self, close: u8) {
        self.bytes.put_u8(close);
        self.behind_value = true;
    }

    fn separate(&mut self) {
        if self.behind_value {
            self.bytes.put_u8(b',');
        }
        self.behind_value = true;
    }

    /// Writes the key of the value that follows.
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.str(key);
        self.bytes.put_u8(b':');
        self.behind_value = false;
        self
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.separate();
        put_str(&mut self.bytes, text);
    }

    /// Writes a string from pieces that are escaped already.
    pub(crate) fn str_of_raw<'a>(&mut self, pieces: impl IntoIterator<Item = &'a str>) {
        self.separate();
        self.bytes.put_u8(b'"');
        pieces.into_iter().for_each(|piece| self.bytes.put_slice(piece.as_bytes()));
        self.bytes.put_u8(b'"');
    }

    /// Writes a value that is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.separate();
        self.bytes.put_slice(json.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    pub(crate) fn str_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.str(text),
            None => self.raw("null"),
        }
    }

    pub(crate) fn number_or_null(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.number(number),
            None => self.raw("null"),
        }
    }
}

/// Appends a string in quotes, escaped as RFC 8259 demands and no further.
pub(crate) fn put_str(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.put_slice(&rest[..at]);
        put_escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
    out.put_u8(b'"');
}

fn put_escape(out: &mut BytesMut, byte: u8) {
    match byte {
        b'"' => out.put_slice(b"\\\""),
        b'\\' => out.put_slice(b"\\\\"),
        b'\n' => out.put_slice(b"\\n"),
        b'\r' => out.put_slice(b"\\r"),
        b'\t' => out.put_slice(b"\\t"),
        control => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.put_slice(b"\\u00");
            out.put_u8(HEX[usize::from(control >> 4)]);
            out.put_u8(HEX[usize::from(control & 15)]);
        }
    }
}
