//! Trained models: predicting and their flat bytes.
//!
//! It owns the arithmetic of a prediction and the byte layout. It must not know how a model was
//! trained, what a feature means or where bytes come from.
//!
//! # Layout
//! - `family`: the kinds of models behind one `predict`
//! - `linear`: weights and intercepts
//! - `forest`: trees in a flat run of 16-byte nodes
//! - `neighbours`: rows and the nearest of them
//! - `bayes`: normal distributions of the classes
//! - `onnx`: the bytes of a model that this crate can't read
//! - `codec`: the bytes, and their checks

mod bayes;
mod codec;
mod family;
mod forest;
mod linear;
mod neighbours;
mod onnx;

pub use bayes::GaussianBayes;
pub use family::Model;
pub use forest::{Forest, LEAF, Node, walk};
pub use linear::Linear;
pub use neighbours::{MAX_NEIGHBOURS, Neighbours};
pub use onnx::Onnx;
