//! Metrics of predictions, named and defined as in scikit-learn's `sklearn.metrics`.
//!
//! It owns the figures. It must not know models, files or gates. A metric that is not defined on
//! the rows at hand (one class only, a constant target) is left out: none is ever NaN or infinite.
//!
//! Every figure of many rows is one pass over them, or over their order by a score, and takes how
//! often each row counts. So the bootstrap's figures come from the same lines as the metrics
//! themselves.
//!
//! # Layout
//! - `names`: which metrics there are, and which way is better
//! - `classes`, `numbers`: rows of a classifier and of a regressor
//! - `tally`: what true and predicted classes alone tell
//! - `ranking`: areas under curves
//! - `curves`: the curves' points
//! - `bootstrap`: intervals
//! - `units`: which rows are drawn together
//! - `simple`: metrics by name, from slices

mod bootstrap;
mod classes;
mod curves;
mod names;
mod numbers;
mod ranking;
mod simple;
mod tally;
mod units;

pub use bootstrap::{Generator, Interval, Measure, Resamples, bootstrap};
pub use classes::Classes;
pub(crate) use classes::MAX_UNKNOWN;
pub use curves::{Bin, Curve, MAX_POINTS, Point, Steps, bins, calibration};
pub use names::{CLASSES, Figures, Metrics, NUMBERS, less_is_better, named};
pub use numbers::Numbers;
pub use ranking::{Ranking, area};
pub use simple::{classes, classification, regression};
pub use tally::{ClassFigures, Tally};
pub use units::Units;
