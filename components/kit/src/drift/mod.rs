//! Drift: how far new rows are from those of the training, column by column.
//!
//! It owns frozen bins, counts and the population stability index. It must not know where rows
//! come from or what happens after an alarm.
//!
//! # Bins
//! - Numbers (floats, integers): the deciles of the reference rows. Deciles that are equal mark a
//!   value with much of the mass; it gets a bin of its own, so that a constant column is noticed
//!   to move either way. NaN counts as null.
//! - Booleans, texts, categories: one bin a value, for the 50 most frequent values; all others,
//!   and texts of more than 256 bytes, share one.
//! - Each column has a bin for nulls.
//! - Timestamps have no bins: time always moves on, and would always be drift.
//!
//! So a column costs at most a few dozen counts, however many rows are counted. Beside its bins a
//! column of numbers keeps its range and at most 256 numbers of the training ([`Sample`]); one of
//! values keeps, where they are few, the values that have no bin.
//!
//! # Population stability index
//! PSI = Σ over bins of (a − e) · ln(a / e), with a and e the bin's share of the actual and of the
//! expected (reference) rows (Siddiqi, *Credit Risk Scorecards*, 2006). A bin that is empty on one
//! side would make it infinite: each count has ½ added, share = (count + ½) / (rows + ½ · bins),
//! which, unlike a fixed floor, weighs an empty bin by how much its emptiness tells. Bins that are
//! empty on both sides are left out.
//!
//! # Threshold
//! Where nothing has changed, PSI / (1/n + 1/m) over B bins is distributed as χ² with B − 1
//! degrees of freedom (Yurdakul, *Statistical Properties of Population Stability Index*, 2018; n, m rows).
//! A small window is thus far from the reference by chance alone, and a fixed threshold alarms at
//! random. The threshold that is reported and compared is the one asked for, plus the 99.9 %
//! quantile of that noise; for large windows the second part vanishes.
//!
//! # Tests
//! Numbers: Kolmogorov and Smirnov's test of the training's sample and all new numbers. Values:
//! Pearson's χ² of both sides' counts in the bins, nulls among them. Their p-values, adjusted for
//! the number of columns (Benjamini and Hochberg), are told and decide nothing: with many rows
//! every difference is significant, also one that matters to nobody. What decides is how great the
//! change is (the index) in a window of enough rows.
//!
//! # Layout
//! - `reference`, `bins`, `sample`: what is kept of the rows of the training
//! - `counter`, `counts`: counts of new rows
//! - `comparison`, `quality`: what they say
//! - `index`, `distribution`: the formulas

mod bins;
mod comparison;
mod counter;
mod counts;
mod distribution;
mod index;
mod quality;
mod reference;
mod sample;

pub use bins::Bins;
pub use comparison::{ColumnDrift, Limits, Test, adjust};
pub use counter::Counter;
pub use quality::{OutOfRange, Quality, Unseen, Worse};
pub use reference::{ColumnReference, Reference};
pub use sample::Sample;
