//! The train stage: train rows become a model bundle.
//!
//! # Layout
//! - `algorithm`: the seam behind which an algorithm works, and their table
//! - `settings`: hyper-parameters, checked by name and range
//! - `logistic`, `least_squares`, `ridge`, `forest`: the algorithms, on smartcore's solvers
//! - `trees`: smartcore's trees to the kit's flat nodes
//! - `rows`: the train table as numbers
//! - `training`: from rows to a bundle
//! - `component`: bindings and mapping

pub mod algorithm;
mod forest;
mod least_squares;
mod logistic;
mod ridge;
pub mod rows;
pub mod settings;
pub mod training;
mod trees;

#[cfg(target_arch = "wasm32")]
mod component;
