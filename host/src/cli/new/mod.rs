//! `septet new`: a small, whole project to begin with, for a transform or a stage.
//!
//! # Layout
//! - `template`: the files of each kind and language, embedded, and how they are filled.
//! - `project`: the project's name, its folder, and what is said of it.
//!
//! What is written is in `host/templates/` and `wit/`; a test builds and runs all of it.

mod project;
mod template;

pub(crate) use project::new;
