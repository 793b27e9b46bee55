//! The evaluate stage: a bundle and the test rows become metrics and the gate's verdict.
//!
//! # Layout
//! - `batches`: test rows in the sizes that a predictor takes
//! - `judgement`: from bundle, test rows and champion to an evaluation
//! - `gate`: the rule by which a candidate passes
//! - `component`: bindings and mapping

pub mod batches;
pub mod gate;
pub mod judgement;

#[cfg(target_arch = "wasm32")]
mod component;
