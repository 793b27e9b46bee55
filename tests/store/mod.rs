//! The store's backends, and the pipeline over them.
//!
//! - `blobs`, `conformance`, `model`: what every backend does. - `gc`: what nothing needs goes.
//! - `folder`: what only a folder can suffer. - `encryption`: what only an encrypted one can.
//! - `protocol`: a process stopped between any two steps. - `runs`: replays, rollbacks, races for
//!   the alias. - `troubles`: rejections, faults, hostile messages.
//! - `ends`: runs that are begun once, cancelled, handed back. - `machine`: all of it by random
//!   steps. - `registry`: the log of a model.

pub(crate) mod backends;
pub(crate) mod bench;
mod blobs;
mod conformance;
pub(crate) mod double;
mod encryption;
mod ends;
mod faults;
mod folder;
mod gc;
mod keyvalue;
mod machine;
mod model;
mod pins;
mod protocol;
mod registry;
mod runs;
pub(crate) mod stages;
mod swaps;
mod troubles;
mod turns;

pub use folder::contents;
