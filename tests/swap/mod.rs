//! Stages are swapped while everything goes on: trust, the log, the commands, the watched folder.
//!
//! # Layout
//! - [`minisign`]: the ordinary tool, as Debian has it. - [`signed`]: its signatures, held against keys
//! - [`components`]: components that are good, different or bad
//! - [`refused`]: each step of a swap refuses, and what was in force goes on
//! - [`journey`]: from a swap to a rollback, over processes. - [`folder`]: the watched folder

pub(crate) mod components;
pub(crate) mod minisign;

mod folder;
mod journey;
mod refused;
mod signed;
