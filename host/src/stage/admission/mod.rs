//! Whether a user transform keeps its contract: it is tried on rows before it is taken.
//!
//! # Layout
//! - `sample`: rows made up from what a transform says that it needs.
//! - `rows`: tables across a component's border and back; where two of them differ.
//! - `trial`: the calls that are made, and what must be the same in all of them.
//! - `report`: what was found, or why the transform is not taken.
//!
//! What a trial can't show is bounded elsewhere: each batch has an instance of its own, so a transform
//! remembers nothing, and every answer is checked whenever one is given. It must not know where a
//! transform came from, or what it is called.

mod report;
pub(crate) mod rows;
mod sample;
mod trial;

pub(crate) use trial::Trial;

pub use report::{Column, NotAdmitted, TransformReport, Unusual};
