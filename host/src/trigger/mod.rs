//! What becomes an invocation.
//!
//! # Layout
//! - `http`: requests over the network, to runs and to predictions at once.
//! - `media`: what a file's name says of what is in it.
//! - `once`: a command that waits for its run.
//! - `wanted`: what a trigger asks for, and who makes a run of it.
//!
//! A trigger knows the pipeline and the stages and joins them. It must not know what a stage does.

pub mod http;
mod media;
mod once;
mod wanted;

pub use media::{ending, media_type};
pub use once::{Once, Stages};
pub use wanted::{Part, Requests, Wanted};
