//! The infer stage of ONNX models: the same predictions, checks and files as `septet-infer`'s, with
//! [tract](https://github.com/sonos/tract) as the engine. A bundle that carries ONNX names this
//! component; it also makes such bundles, so that no ONNX model is ever read outside the sandbox.
//!
//! # Layout
//! - [`engine`]: from a table to scores
//! - [`import`]: from an ONNX file and the rows that it was trained on to a bundle
//! - `proto`: a file as protobuf, held against bounds and the operators that are known
//! - `lower`: operators of scikit-learn's that tract lacks, by those that it has
//! - `lookup`: the one operator that can't be had so
//! - `trees`: trees that are none, or that mean something else elsewhere
//! - `labels`: the order of a model's classes

pub mod engine;
pub mod import;
mod labels;
mod lookup;
mod lower;
mod proto;
mod trees;

#[cfg(target_arch = "wasm32")]
mod component;
