//! Parquet to a table: a format that has columns and kinds already.
//!
//! Files come from anywhere, so all that one says of its own lengths is checked before the parquet
//! crate reserves memory for it, as far as that crate lets it be seen.
//!
//! # Layout
//! - `file`: bytes for the parquet crate, page by page
//! - `pages`: each page checked
//! - `footer`: what a file says of itself
//! - `arrays`: Arrow's arrays as columns
//! - `ingest`: the two passes

mod arrays;
mod file;
mod footer;
mod ingest;
mod pages;

#[cfg(test)]
mod tests;

pub use ingest::ingest;
