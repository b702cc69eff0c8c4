//! Contracts read, checked, and turned into SQL and Rust: pure functions over text.
//!
//! One database contract (`contracts/db/<domain>.v1.yaml`) declares tables with types, sensitivity and retention; from
//! it come the schema of either engine ([`sqlite`], [`postgres`]), the row types and retention rules of vox-store ([`generate`]) and the comparison
//! of a live schema with the declared one ([`Schema::drift`]). Reading and writing files is the caller's business.

mod check;
mod ddl;
mod domain;
mod generate;
mod postgres;
mod retention;
mod rust;
mod schema;

pub use ddl::{Object, sqlite};
pub use domain::{
    Check, Class, Column, ColumnType, Domain, File, ForeignKey, Index, Named, OnDelete, Placement, Retention, Table, json_schema,
};
pub use generate::{GeneratedFile, generate};
pub use postgres::postgres;
pub use schema::{Drift, Schema};

/// Reads one database contract and checks all of it.
///
/// # Errors
/// Every finding, each with file, line and key.
pub fn read(path: &str, text: &str) -> Result<Domain, Vec<vox_base::InvalidConfig>> {
    let document = vox_base::Document::parse(path, text).map_err(|error| vec![error])?;
    let domain: Domain = document.decode().map_err(|error| vec![error])?;
    let findings = check::domain(path, &document, &domain);
    if findings.is_empty() { Ok(domain) } else { Err(findings) }
}

#[cfg(test)]
mod tests;
