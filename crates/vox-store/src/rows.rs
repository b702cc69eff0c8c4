//! The rows of every table, generated from `contracts/db/<domain>.v1.yaml` and skipped by the formatter.
//!
//! They carry no serialization: what leaves the process has types of its own.

#[rustfmt::skip]
pub mod gateway;
#[rustfmt::skip]
pub(crate) mod retention;
#[rustfmt::skip]
pub mod routing;
#[rustfmt::skip]
pub mod storage;
#[rustfmt::skip]
pub mod vault;
