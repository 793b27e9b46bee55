//! Files of predictions: a table's rows, batch by batch, in the format that was asked for.
//!
//! It owns formats. It must not know where rows come from.
//!
//! # Layout
//! - `format`: names and media types
//! - `writer`: one writer for all formats
//! - `csv`, `json_lines`, `parquet`: a format each; Arrow is the kit's

mod csv;
mod format;
mod json_lines;
mod parquet;
mod writer;

pub use format::Format;
pub use writer::File;
