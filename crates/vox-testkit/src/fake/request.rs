//! Reads one HTTP/1.1 request out of the bytes that have arrived (RFC 9112).

use super::Recorded;
use std::time::Instant;

/// Returns the first request and its length in bytes, `None` if it is not all there yet.
pub(super) fn parse(bytes: &[u8], connection: usize) -> Result<Option<(Recorded, usize)>, ()> {
    let Some(head_length) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..head_length]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Err(()) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    let mut request = Recorded {
        connection,
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        at: Instant::now(),
    };
    let rest = &bytes[head_length + 4..];
    let Some((body, length)) = body(&request, rest)? else { return Ok(None) };
    request.body = body;
    Ok(Some((request, head_length + 4 + length)))
}

fn body(request: &Recorded, rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ()> {
    if request.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return chunks(rest);
    }
    let length = match request.header("content-length") {
        Some(text) => text.parse().map_err(|_| ())?,
        None => 0,
    };
    Ok(rest.get(..length).map(|body| (body.to_vec(), length)))
}

fn chunks(rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ()> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = find(&rest[at..], b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&rest[at..at + line]).map_err(|_| ())?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).map_err(|_| ())?;
        let start = at + line + 2;
        let Some(chunk) = rest.get(start..start + size + 2) else { return Ok(None) };
        body.extend_from_slice(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
