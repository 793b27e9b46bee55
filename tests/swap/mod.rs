//! Stages are swapped while everything goes on: trust, the log, the commands, the watched folder.
//!
//! # Layout
//! - [`minisign`]: the ordinary tool, as Debian has it
//! - [`signed`]: its signatures, held against keys

pub(crate) mod minisign;

mod signed;
