//! What a file says about itself, read before SQLite touches it, so that a foreign or newer one stays as it is.
//!
//! Offsets are those of the SQLite file format, sections 1.3 and 4.1: a newer schema version may stand only in the
//! write-ahead log, so the last committed first page there wins over the main file.

use crate::StoreError;
use std::io::Read as _;
use std::path::Path;

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// Not there, or without any byte.
    Empty,
    /// A file of this role with this schema version.
    Ours { version: i64 },
}

/// Judges a file by its header and its log.
pub(crate) fn judge(path: &Path, application_id: i32, known_version: i64) -> Result<Header, StoreError> {
    let Some(main) = head_of(path)? else { return Ok(Header::Empty) };
    if main.len() < HEADER_BYTES || !main.starts_with(MAGIC) {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let logged = last_logged_first_page(path)?;
    let header = logged.as_deref().unwrap_or(&main);
    if number(header, 68) != i64::from(application_id) {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let version = number(header, 60);
    if version > known_version {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: known_version });
    }
    Ok(Header::Ours { version })
}

fn head_of(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut head = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut head)?;
    Ok(if head.is_empty() { None } else { Some(head) })
}

fn number(bytes: &[u8], at: usize) -> i64 {
    bytes.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok()).map_or(0, |four| i64::from(i32::from_be_bytes(four)))
}

/// Returns the header in the last committed copy of page 1 in the log, if there is one.
fn last_logged_first_page(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    const LOG_HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let mut log_path = path.as_os_str().to_owned();
    log_path.push("-wal");
    let log = match std::fs::File::open(&log_path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut log = std::io::BufReader::with_capacity(1 << 16, log);
    let mut head = [0; LOG_HEADER];
    if log.read_exact(&mut head).is_err() {
        return Ok(None);
    }
    let page_bytes = usize::try_from(number(&head, 8)).unwrap_or(0);
    let salts = &head[16..24];
    let mut frame = vec![0; FRAME_HEADER + page_bytes];
    let (mut pending, mut committed) = (None, None);
    while page_bytes >= HEADER_BYTES && log.read_exact(&mut frame).is_ok() && frame[8..16] == *salts {
        if number(&frame, 0) == 1 {
            pending = Some(frame[FRAME_HEADER..FRAME_HEADER + HEADER_BYTES].to_vec());
        }
        if number(&frame, 4) != 0 {
            committed = pending.take().or(committed);
        }
    }
    Ok(committed)
}
