//! Stages are swapped while everything goes on: trust, the log, the commands, the watched folder.
//!
//! # Layout
//! - [`minisign`]: the ordinary tool, as Debian has it. - [`signed`]: its signatures, held against keys
//! - [`components`]: components that are good, different or bad
//! - [`refused`]: each step of a swap refuses, and what was in force goes on
//! - [`journey`]: from a swap to a rollback, over processes. - [`folder`]: the watched folder
//! - [`server`], [`variants`]: a server with a key, and infer components that answer otherwise
//! - [`serving`], [`canary`], [`shadow`]: swaps under load, and components that are only tried

pub(crate) mod components;
pub(crate) mod minisign;

mod canary;
mod folder;
mod journey;
mod refused;
mod server;
mod serving;
mod shadow;
mod signed;
mod variants;
