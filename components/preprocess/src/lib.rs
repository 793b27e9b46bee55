//! The preprocess stage: tables become train and test rows and a fitted preprocessing.
//!
//! All is fitted on the train rows alone, so that nothing of a test row is known to the model.
//!
//! # Layout
//! - [`parameters`]: what a user may set
//! - [`schema`]: parts to one table, those that do not fit set apart
//! - [`window`], [`weights`]: rows that are left out, and how much the others count
//! - [`target`]: what is predicted, and as what
//! - [`identity`]: what makes two rows equal
//! - [`split`]: which rows are for the test
//! - `sides`: whether each side can do its work
//! - [`fit`]: the plan of the features
//! - `raw`: what is learned from, and what of it is kept
//! - [`leak`]: columns that tell the target
//! - [`prepare`], `train_table`: the whole of it, and its files
//! - [`output`]: JSON that a later version reads

pub mod fit;
pub mod identity;
pub mod leak;
pub mod output;
pub mod parameters;
pub mod prepare;
pub mod schema;
pub mod split;
pub mod target;
pub mod weights;
pub mod window;

mod notes;
mod raw;
mod sides;
mod train_table;

#[cfg(target_arch = "wasm32")]
mod component;
