//! The plan of the features, fitted on train rows that have passed the transforms.
//!
//! # Layout
//! - [`settings`]: what a user may set of it
//! - [`plan`]: all columns, and those that are left out
//! - `number`, `category`, `moment`: one column

pub mod plan;
pub mod settings;

mod category;
mod moment;
mod number;
