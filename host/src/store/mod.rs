//! The backends of the store: where blobs, records and queues are kept.
//!
//! # Layout
//! - `local`, `azure`: the backends of this program, a file per trait. The traits, and the backend in
//!   memory, are septet-core's.
//! - `export`: from a blob to a file of a user.
//! - `key`: what a store is encrypted with.
//!
//! This module must not know stages, runs or models: they are the pipeline's.

pub mod azure;
mod export;
mod key;
mod local;

pub use export::{Target, copy};
pub use key::StoreKey;
pub use local::{Access, Local, Mode};
pub use septet_core::store::*;
