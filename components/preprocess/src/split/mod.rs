//! Which rows are for the test.
//!
//! # Layout
//! - [`decide`]: the rule in force, from what is asked and what is pinned
//! - `rows`, `key`, `time`, `file`: the kinds of rules

pub mod decide;

mod file;
mod key;
mod rows;
mod time;

#[cfg(test)]
mod versions;
