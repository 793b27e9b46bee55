//! The infer stage: rows become predictions, in batches by `stage`, on request by `predictor`.
//!
//! # Layout
//! - [`predictor`]: a bundle, loaded once and asked often; it knows nothing of files
//! - [`predictions`]: predictions to a file
//! - [`batch`]: tables to a file of predictions

pub mod batch;
pub mod predictions;
pub mod predictor;

#[cfg(target_arch = "wasm32")]
mod component;
