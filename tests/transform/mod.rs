//! Users' transforms, from the first line of code to a model in production.
//!
//! # Layout
//! - [`project`]: a project of `septet new`, set up and built by its README's own commands
//! - [`templates`]: what `septet new` writes, in every language, through the real binary

mod project;
mod templates;
