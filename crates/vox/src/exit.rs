//! The edge where an error becomes an exit code.

use std::process::ExitCode;
use vox_base::{Coded, Kind};

/// Returns the exit code of an error, as every script may rely on it.
pub(crate) const fn code(error: &Coded) -> u8 {
    match error.kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Refused => 3,
        Kind::Pending => 4,
        Kind::Stale => 5,
        Kind::Offline => 6,
        Kind::Integrity => 7,
        Kind::Cancelled => 130,
    }
}

/// Returns the process exit code of an error.
pub(crate) fn of(error: &Coded) -> ExitCode {
    ExitCode::from(code(error))
}
