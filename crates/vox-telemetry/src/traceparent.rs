//! The `traceparent` header (W3C Trace Context, section 3.2): a trace id, the id of the calling span, and flags.

use std::fmt;
use vox_base::TraceId;

/// The id of one span, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

/// What a `traceparent` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace; any sixteen bytes but all zero.
    pub trace: TraceId,
    /// The span that calls.
    pub span: SpanId,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl Traceparent {
    /// Reads the values of all `traceparent` headers of a request. Anything but exactly one well-formed value counts as
    /// none, and the request starts a trace of its own.
    #[must_use]
    pub fn from_headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Self::parse(value),
            _ => None,
        }
    }

    /// Reads one value. A later version than `00` may carry more after the flags; version `ff` is never valid.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_at_checked(55)?;
        let version = bytes::<1>(&head[..2])?[0];
        let rest_fits = if version == 0 { rest.is_empty() } else { rest.is_empty() || rest[0] == b'-' };
        if version == 0xff || !rest_fits || [2, 35, 52].iter().any(|&at| head[at] != b'-') {
            return None;
        }
        let (trace, span, flags) = (bytes::<16>(&head[3..35])?, bytes::<8>(&head[36..52])?, bytes::<1>(&head[53..55])?);
        if trace == [0; 16] || span == [0; 8] {
            return None;
        }
        Some(Self { trace: TraceId::from_bytes(trace), span: SpanId(span), sampled: flags[0] & 1 == 1 })
    }
}

impl SpanId {
    /// Returns its sixteen hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 16] {
        let mut digits = [0; 16];
        put_hex(&mut digits, &self.0);
        digits
    }
}

impl Traceparent {
    /// Returns the header's value, version `00`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 55] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put_hex(&mut value[3..35], self.trace.as_bytes());
        put_hex(&mut value[36..52], &self.span.0);
        value[54] += u8::from(self.sampled);
        value
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.to_bytes()).expect("hexadecimal digits are ASCII"))
    }
}

fn put_hex(digits: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
}

/// Reads lower-case hexadecimal digits.
fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_header_is_read_and_written_back() {
        let parent = Traceparent::parse(VALID.as_bytes()).unwrap();
        assert_eq!(parent.trace.simple(), "0af7651916cd43dd8448eb211c80319c");
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), VALID);
        assert_eq!(Traceparent::from_headers([VALID.as_bytes()]), Some(parent));
        assert!(!Traceparent::parse(VALID.replace("-01", "-00").as_bytes()).unwrap().sampled);
    }

    #[test]
    fn a_later_version_may_carry_more() {
        assert!(Traceparent::parse(VALID.replacen("00", "01", 1).as_bytes()).is_some());
        assert!(Traceparent::parse(format!("{}-more", VALID.replacen("00", "cc", 1)).as_bytes()).is_some());
        assert!(Traceparent::parse(format!("{}more", VALID.replacen("00", "cc", 1)).as_bytes()).is_none());
    }

    /// TE-14 at this level.
    #[test]
    fn te_14_what_is_not_valid_counts_as_none() {
        for value in [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID}-x"),
            &VALID.replacen("00", "ff", 1),
            &VALID.to_uppercase(),
            &VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &VALID.replace("b7ad6b7169203331", &"0".repeat(16)),
            &VALID.replace("0af7", "0ag7"),
            &VALID.replace('-', "_"),
        ] {
            assert_eq!(Traceparent::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(Traceparent::from_headers([VALID.as_bytes(), VALID.as_bytes()]), None);
        assert_eq!(Traceparent::from_headers([]), None);
    }
}
