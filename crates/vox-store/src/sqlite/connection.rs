//! Connections with the settings of their role, and the same settings read back for `vox db status`.

use crate::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};
use vox_contract::File;

/// The mark of each role in the file header: `voxS` and `voxV`.
pub(crate) const APPLICATION_IDS: [(File, i32); 2] = [(File::State, 0x766f_7853), (File::Vault, 0x766f_7856)];

/// Waits this long for another writer before the store is busy.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The first SQLite without the write-ahead-log reset bug.
const OLDEST_SAFE_SQLITE: i32 = 3_051_003;

const JOURNAL_SIZE_LIMIT: i64 = 64 * 1024 * 1024;
const AUTO_CHECKPOINT_PAGES: i64 = 1000;

/// What is read back, in the order it is shown.
const SHOWN: [&str; 14] = [
    "application_id",
    "user_version",
    "journal_mode",
    "synchronous",
    "busy_timeout",
    "foreign_keys",
    "trusted_schema",
    "cell_size_check",
    "temp_store",
    "mmap_size",
    "wal_autocheckpoint",
    "journal_size_limit",
    "fullfsync",
    "checkpoint_fullfsync",
];

/// Opens the connection that writes; the file is there already, with the mode it should have.
pub(crate) fn writer(path: &Path, file: File) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    patiently(|| {
        mark(&connection, file)?;
        Ok(connection.pragma_update(None, "journal_mode", "WAL")?)
    })?;
    configure(&connection)?;
    Ok(connection)
}

/// Tries again while others do the same: where waiting could be a deadlock, such as the switch to a write-ahead log, the
/// engine says busy at once instead of waiting.
fn patiently(mut work: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match work() {
            Err(StoreError::Busy) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
            done => return done,
        }
    }
}

/// Opens a connection that can only read, of a store somebody has open for writing.
pub(crate) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Opens a connection that can only read and makes no file beside the database. Without a log the file is complete, and
/// is read as immutable; with one, its index file exists as well.
pub(crate) fn inspector(path: &Path) -> Result<Connection, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        return reader(path);
    }
    let text = path.to_str().ok_or_else(|| StoreError::Io(format!("`{}` is not UTF-8", path.display())))?;
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// Marks a new file as ours before anything else is in it, so that no kill can leave one that looks foreign.
fn mark(connection: &Connection, file: File) -> Result<(), StoreError> {
    let marked: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let (_, wanted) = APPLICATION_IDS[usize::from(file == File::Vault)];
    if marked != wanted {
        connection.pragma_update(None, "application_id", wanted)?;
    }
    Ok(())
}

/// Waits for another process's write in small uneven steps. The steps of SQLite's own handler grow to 100 ms, and among
/// several busy processes whoever sleeps that long is passed over until it gives up.
pub(crate) fn wait_evenly(connection: &mut Connection) -> Result<(), StoreError> {
    Ok(connection.busy_handler(Some(wait_a_little))?)
}

fn wait_a_little(times: i32) -> bool {
    thread_local! {
        static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    let since = if times == 0 { now } else { SINCE.get().unwrap_or(now) };
    SINCE.set(Some(since));
    let patient = now - since < BUSY_TIMEOUT;
    if patient {
        let uneven = u64::from(now.duration_since(since).subsec_nanos()).wrapping_mul(u64::from(std::process::id())) % 1000;
        std::thread::sleep(Duration::from_micros(500 + uneven));
    }
    patient
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    if rusqlite::version_number() < OLDEST_SAFE_SQLITE {
        return Err(StoreError::SqliteUnsafe(rusqlite::version().to_owned()));
    }
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    for (name, value) in [
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("temp_store", 2),
        ("mmap_size", 0),
        ("wal_autocheckpoint", AUTO_CHECKPOINT_PAGES),
        ("journal_size_limit", JOURNAL_SIZE_LIMIT),
        ("fullfsync", i64::from(cfg!(target_os = "macos"))),
        ("checkpoint_fullfsync", i64::from(cfg!(target_os = "macos"))),
    ] {
        connection.pragma_update(None, name, value)?;
    }
    limits(connection)
}

fn limits(connection: &Connection) -> Result<(), StoreError> {
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 32 * 1024 * 1024),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 * 1024),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    Ok(())
}

/// Returns the settings as the open connection reports them.
pub(crate) fn pragmas(connection: &Connection) -> Result<Vec<(&'static str, String)>, StoreError> {
    let mut shown = Vec::with_capacity(SHOWN.len() + 1);
    for name in SHOWN {
        let value = connection.pragma_query_value(None, name, |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            })
        })?;
        shown.push((name, value));
    }
    let defensive = connection.db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE)?;
    shown.push(("defensive", i32::from(defensive).to_string()));
    Ok(shown)
}
