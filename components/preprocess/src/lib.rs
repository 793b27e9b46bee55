//! The preprocess stage: tables become train and test rows and a fitted preprocessing.
//!
//! All is fitted on the train rows alone, so that nothing of a test row is known to the model.
//!
//! # Layout
//! - [`parameters`]: what a user may set
//! - [`unify`]: parts to one table
//! - [`target`]: what is predicted, and as what
//! - [`split`]: which rows are for the test
//! - `sides`: whether each side can do its work
//! - [`fit`]: the plan of the features
//! - [`prepare`]: the whole of it

pub mod fit;
pub mod parameters;
pub mod prepare;
pub mod split;
pub mod target;
pub mod unify;

mod notes;
mod sides;

#[cfg(target_arch = "wasm32")]
mod component;
