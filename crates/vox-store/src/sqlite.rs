//! The SQLite engine: one file is one [`Engine`] with a writer thread and a few read-only connections.
//!
//! `header` judges a file before SQLite touches it, `connection` sets and reads back the pragmas, `tx` runs statements,
//! `queue` and `writer` are the group commit.

mod connection;
mod header;
mod readers;
mod tx;
mod writer;

pub(crate) use connection::{APPLICATION_IDS, pragmas, writer as writer_connection};
pub(crate) use header::{Header, judge};
pub(crate) use readers::Readers;
pub(crate) use tx::Statements;
pub(crate) use writer::{quick_check, start_writer};
