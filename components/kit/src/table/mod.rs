//! Columns in memory: the kit's mirror of the contract's `tables`.
//!
//! It owns the shape of rows and its checks. It must not know files, bindings or models.
//!
//! # Layout
//! - `kind`, `values`: what a column holds
//! - `column`, `rows`: columns, and columns of one length
//! - `label`: a value in its one canonical spelling, a moment in parts of the calendar
//! - `convert`: values of one kind as another
//! - `timestamp`: times as texts

mod column;
mod convert;
mod kind;
mod label;
mod rows;
mod timestamp;
mod values;

pub use column::Column;
pub use kind::{Field, Kind};
pub use label::{Civil, civil, timestamp_label};
pub use rows::Table;
pub use timestamp::timestamp;
pub use values::Values;

/// Reserved column: the line of the source on which the row began, from 1, the header included. Of
/// a source without lines, such as Parquet, it is the row's number from 1.
pub const ROW: &str = "septet:row";

/// The column of a file of predictions that tells the same line.
pub const LINE: &str = "row";

/// The last column of a file of predictions: why a row has none, else null.
pub const ERROR: &str = "error";

/// How the error of a row begins that ingest set apart: it is in no table.
pub const QUARANTINED: &str = "quarantined: ";

/// Names of columns that begin so are ours.
pub const RESERVED: &str = "septet:";
