//! What the stages share: tables, files, fitted preprocessing, model bundle, metrics.
//!
//! Pure code without bindings: it runs natively in unit tests exactly as it does in a component.
//!
//! # Layout
//! - [`table`], [`matrix`]: rows in memory, typed and as numbers
//! - [`schema`]: names and kinds of a data set's columns
//! - [`split`]: which rows are for the test, version after version
//! - [`show`]: a user's text in a message
//! - [`arrow`]: tables as files between stages
//! - [`transform`]: rows through the user's transforms
//! - [`preprocessing`]: what was fitted on the train rows, and its use
//! - [`model`], [`bundle`]: what predicts, and all that serving it needs
//! - [`trained`]: the train rows, read and told of in a bundle
//! - [`metrics`], [`scoring`], [`evaluation`]: figures of predictions and the verdict on them
//! - [`drift`]: figures of rows that changed

pub mod arrow;
pub mod bundle;
pub mod drift;
pub mod evaluation;
pub mod matrix;
pub mod metrics;
pub mod model;
pub mod preprocessing;
pub mod schema;
pub mod scoring;
pub mod show;
pub mod split;
pub mod table;
pub mod trained;
pub mod transform;
