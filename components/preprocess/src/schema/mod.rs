//! Parts against the schema: whole parts fit or are set apart.
//!
//! # Layout
//! - [`rules`]: whether a part's columns fit, and what the schema becomes
//! - [`read`]: parts to one table

pub mod read;
pub mod rules;
