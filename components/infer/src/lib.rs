//! The infer stage: rows become predictions, in batches by `stage`, on request by `predictor`.
//!
//! # Layout
//! - [`predictor`]: a bundle, loaded once and asked often; it knows nothing of files
//! - [`file`]: predictions to a file, in each format
//! - [`batch`]: tables to a file of predictions
//! - `output`: predictions on their way to files
//! - `apart`: rows that ingest set apart

mod apart;
pub mod batch;
pub mod file;
mod output;
pub mod predictor;

#[cfg(target_arch = "wasm32")]
pub mod component;
