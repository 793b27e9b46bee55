//! Trees: grown on binned columns, into the kit's flat nodes.
//!
//! smartcore's trees take no weights, tell nothing while they grow, keep the whole table's row
//! counts in each open node, and are up to ten times as slow as scikit-learn's: these are own
//! kernels with the same splits as scikit-learn's (Gini's impurity or squared error, thresholds in
//! the middle between neighbouring values), on columns that are sorted once for all trees.
//!
//! # Layout
//! - `bins`: columns as small numbers
//! - `tally`: how good a split is
//! - `grow`: one tree
//! - `random`: numbers from the seed
//! - `limits`: settings that all kinds of trees have

mod bins;
mod grow;
mod limits;
mod random;
mod tally;

pub(crate) use bins::Bins;
pub(crate) use grow::{Grower, Request};
pub(crate) use limits::{Limits, nodes, settings};
pub(crate) use random::Random;
pub(crate) use tally::{ClassTally, Tally, ValueTally};
