//! Fitted preprocessing: how raw columns become features.
//!
//! # Layout
//! - `plan`: what was fitted, as it is kept in a model bundle
//! - `check`: an input table against the columns that serving needs
//! - `features`: the fitted plan applied to rows

mod check;
mod features;
mod plan;

pub use plan::{Encoding, Fitted, Input, Preprocessing, Task};
