//! The ingest stage: a raw source becomes a typed table; rows that do not fit are set apart.
//!
//! Two passes over the source, in memory that does not grow with it: the first finds each
//! column's kind over all rows, the second writes the table.
//!
//! # Layout
//! - [`door`]: the first bytes: is this text, which delimiter
//! - [`records`]: bytes to records, bounded
//! - [`header`]: names of the columns
//! - [`kind`]: which kind a column has, and values of it
//! - [`batch`]: values to columns
//! - [`quarantine`]: rows that do not fit
//! - [`passes`]: the whole of it

pub mod batch;
pub mod door;
pub mod header;
pub mod kind;
pub mod parameters;
pub mod passes;
pub mod quarantine;
pub mod records;

#[cfg(target_arch = "wasm32")]
mod component;
