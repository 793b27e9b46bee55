//! The verdict on a candidate, as evaluate writes it and deploy reads it.
//!
//! It owns the JSON. It must not know how a verdict is reached.
//!
//! # Layout
//! - `report`: all that evaluate found
//! - `details`: confusion, curves, classes and slices
//! - `verdict`: whether the candidate may become the champion

mod details;
mod report;
mod verdict;

pub use details::{ClassCurves, ClassReport, Confusion, Details, Slice, Slices};
pub use report::{Champion, Difference, Differences, Evaluation, FORMAT, Intervals, MAX_BYTES};
pub use verdict::{Gate, Verdict};
