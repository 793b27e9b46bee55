//! Tables as Arrow IPC files, which pyarrow, polars and others open.
//!
//! Files are read and written batch by batch, so that memory does not grow with them. Equal
//! tables in equal batches give equal bytes: null slots and NaNs have one form.
//!
//! # Layout
//! - `check`: a file's own lengths and types
//! - `read`: a file to tables
//! - `values`: Arrow's types and arrays as the kit's
//! - `write`: tables to a file

mod check;
mod read;
mod values;
mod write;

pub use read::{Reader, read, to_column, with_nulls};
pub use values::kind;
pub use write::{Writer, write};

/// Rows of a batch: what one call of a transform or a model takes at most.
pub const BATCH: usize = 8_192;

/// Columns of a file at most: as many as the host lets cross a component's border.
pub const MAX_COLUMNS: usize = 4_096;

/// The media type of an Arrow IPC file.
pub const MEDIA_TYPE: &str = "application/vnd.apache.arrow.file";
