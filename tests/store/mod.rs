//! The store's backends, and the pipeline over them.
//!
//! - `conformance`, `model`: what every backend does. - `folder`: what only a folder can suffer.
//! - `protocol`: a process stopped between any two steps. - `runs`: replays, rollbacks, races for
//!   the alias. - `troubles`: rejections, faults, hostile messages.
//! - `registry`: the log of a model.

pub(crate) mod backends;
pub(crate) mod bench;
mod conformance;
mod faults;
mod folder;
mod model;
mod pins;
mod protocol;
mod registry;
mod runs;
pub(crate) mod stages;
mod troubles;
