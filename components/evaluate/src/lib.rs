//! The evaluate stage: a bundle and the test rows become metrics and the gate's verdict.
//!
//! Nothing is chosen on test rows: they are predicted, scored and told of.
//!
//! Intervals are by the bootstrap. Where the split keeps rows together (groups, keys, equal rows),
//! preprocess says in `septet:unit` of the test rows which, and a resample draws units, each with
//! all its rows. Where the split is by time, or the column is not there, rows are drawn one by one.
//!
//! # Memory
//! Of a test row, 8 bytes a class and 16 more are kept while a model predicts, about 72 more while a
//! curve is drawn, and then 4 bytes a class (of two classes, in all) and 24 more of each model while
//! they are measured, with 4 for its unit: of two classes and two million rows about 200 MB. More
//! than 2²⁵ probabilities of a model, 16 million rows of two classes, are refused.
//!
//! # Layout
//! - `parameters`: what a user may set
//! - `outside`: what evaluating needs of the outside
//! - `batches`: test rows in the sizes that a predictor takes
//! - `rows`: the test rows, predicted and scored
//! - `groups`, `slices`: test rows told apart by a column
//! - `units`: test rows that belong together
//! - `measure`: metrics and the bootstrap
//! - `gate`: the rule by which a candidate passes
//! - `rival`: the champion on the candidate's test rows
//! - `notes`: what a reader should know
//! - `judgement`: from bundle, test rows and champion to an evaluation
//! - `component`: bindings and mapping

pub mod batches;
pub mod gate;
mod groups;
pub mod judgement;
mod measure;
mod notes;
pub mod outside;
pub mod parameters;
mod rival;
mod rows;
mod slices;
mod units;

#[cfg(target_arch = "wasm32")]
mod component;
