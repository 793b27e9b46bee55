//! The ingest stage: a raw source becomes a typed table; rows that do not fit are set apart.
//!
//! Two passes over the source, in memory that does not grow with it: the first finds each
//! column's kind over all rows, the second writes the table. What a source becomes hangs on its
//! bytes, a declared schema and the parameters alone.
//!
//! # Layout
//! - [`door`]: the first bytes: which format, which delimiter
//! - [`records`], [`header`]: bytes of CSV to records and names, bounded
//! - [`lines`]: JSON Lines to rows, bounded
//! - [`rows`]: what the two have in common
//! - [`value`]: texts to values
//! - [`tally`], [`categories`]: which kind a column has
//! - [`target`]: the columns of the table, found or declared
//! - [`fill`], [`batch`]: values to columns
//! - [`parquet`]: the same for a format that has columns and kinds
//! - [`quarantine`]: rows that do not fit
//! - [`duplicates`]: how many rows are copies
//! - [`output`]: what is written
//! - [`passes`]: the whole of it

pub mod batch;
pub mod categories;
pub mod door;
pub mod duplicates;
pub mod fill;
pub mod header;
pub mod lines;
pub mod output;
pub mod parameters;
pub mod parquet;
pub mod passes;
pub mod quarantine;
pub mod records;
pub mod rows;
pub mod tally;
pub mod target;
pub mod value;

#[cfg(target_arch = "wasm32")]
mod component;
