//! Users' transforms, from the first line of code to a model in production.
//!
//! # Layout
//! - [`admission`]: what a trial finds out
//! - [`names`]: names, runs and models, through the real binary
//! - [`project`]: a project of `septet new`, set up and built by its README's own commands
//! - [`templates`]: what `septet new` writes, in every language, through the real binary

mod admission;
mod names;
mod project;
mod templates;

pub(crate) use names::rows;
