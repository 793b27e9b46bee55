//! The train rows, for what makes a bundle of them: read as numbers, and told of in the manifest.
//!
//! It must not know how a model learns.
//!
//! # Layout
//! - `rows`: the train table as numbers
//! - `record`: bins of features and predictions, rows to replay

mod record;
mod rows;

pub use record::{answers, feature_reference, record};
pub use rows::{Loaded, estimate, load};
