//! The PostgreSQL engine: the shared tables of several nodes in one schema of one database.
//!
//! `target` is where, `session` one connection, `tx` the statements on it, `pool` the connections that reads and writes
//! borrow, `settler` the thread that writes settled calls, `office` who leads, `bell` what nodes
//! tell each other, `migrate` the schema. What work means is the nouns' business.

mod bell;
mod migrate;
mod office;
mod pool;
mod session;
mod settler;
mod target;
mod tls;
mod tx;
mod value;

pub(crate) use bell::Bell;
pub(crate) use migrate::{Found, declared, live, look, open_schema, pending};
pub(crate) use office::{Office, check as check_epoch};
pub(crate) use pool::Pool;
pub(crate) use session::{Begin, Session};
pub(crate) use settler::start_settler;
pub use target::Target;

/// Runs work that blocks on the network outside of whatever runtime the caller is in.
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests;
