//! True labels and predictions, batch by batch, to metrics.
//!
//! It owns how a column of labels and a table of predictions are read. It must not know who
//! predicted.
//!
//! # Layout
//! - `scorer`: labels and predictions, collected
//! - `prepared`: rows that can be measured again and again
//! - `details`: confusion, curves and classes, for a reader

mod details;
mod prepared;
mod scorer;

pub use prepared::Prepared;
pub use scorer::{PREDICTION, PROBABILITY, Scorer, majority};
