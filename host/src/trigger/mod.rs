//! What becomes an invocation.
//!
//! # Layout
//! - `once`: a command that waits for its run.
//!
//! A trigger knows the pipeline and the stages and joins them. It must not know what a stage does.

mod once;

pub use once::{Once, Stages};
