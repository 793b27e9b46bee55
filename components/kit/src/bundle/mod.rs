//! The model bundle: a model and all that serving it needs, as data, never as code.
//!
//! It owns the manifest, the bytes and their checks. It must not know where bundles are kept.
//!
//! # Layout
//! - `manifest`: what is told of a model
//! - `recorded`: rows whose predictions are replayed when a bundle is loaded
//! - `codec`: the bytes

mod codec;
mod manifest;
mod recorded;

pub use codec::{Bundle, MEDIA_TYPE, read_manifest};
pub use manifest::{FORMAT, LineageInput, Manifest};
pub use recorded::{Recorded, TRAIN_ROW};
