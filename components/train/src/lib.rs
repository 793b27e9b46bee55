//! The train stage: train rows become a model bundle.
//!
//! # Layout
//! - `algorithm`: the seam behind which an algorithm works, and their table
//! - `settings`: hyper-parameters, checked by name and range
//! - `logistic`, `least_squares`, `ridge`, `coordinates`, `bayes`, `neighbours`, `forest`,
//!   `boosting`: the algorithms, on smartcore's solvers where these serve
//! - `products`: what ridge, lasso and elastic net know of the rows
//! - `tree`: trees on binned columns
//! - `plan`: parameters, checked before any row is read
//! - `score`, `threshold`: metrics, and from which probability on a class is predicted
//! - `folds`, `validation`: predictions by models that did not see the rows
//! - `selection`: `auto`
//! - `training`: from rows to a bundle
//! - `component`: bindings and mapping

pub mod algorithm;
mod bayes;
mod boosting;
mod coordinates;
mod folds;
mod forest;
mod least_squares;
mod logistic;
mod neighbours;
pub mod plan;
mod products;
mod ridge;
pub mod score;
mod selection;
pub mod settings;
mod threshold;
pub mod training;
mod tree;
mod validation;

#[cfg(target_arch = "wasm32")]
mod component;
