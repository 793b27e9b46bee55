//! Fitted preprocessing: how raw columns become features.
//!
//! # Layout
//! - `plan`: what was fitted, as it is kept in a model bundle
//! - `check`: an input table against the columns that serving needs
//! - `features`: the fitted plan applied to rows

/// Last column of the train table: the class's number, or the value.
pub const TARGET: &str = "septet:target";
/// Column of the train table by which a cross-validation cuts, and of the test table by which a
/// bootstrap draws; see [`Folds`]. Rows and groups: a number from 0 to below 1, equal for rows that
/// stay together. It is never a feature or an input.
pub const UNIT: &str = "septet:unit";
/// Column of the train table, where rows have weights: above 0, 1 on average.
pub const WEIGHT: &str = "septet:weight";

mod check;
mod features;
mod plan;

pub use plan::{
    Categories, Encoding, Fitted, Folds, Input, Part, Place, Preprocessing, ScaledPart, Task,
    Unknown,
};
