//! Components in their sandboxes: real guests, good and evil.

pub(crate) mod bench;
pub(crate) mod blobs;
mod catalog;
mod control;
mod grants;
mod guests;
mod limits;
mod models;
mod outcomes;
mod seven;
mod transforms;
mod wasi;
