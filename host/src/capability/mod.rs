//! What a component may ask of the host: one file for each interface of `wit/deps/capability`.
//!
//! # Layout
//! - `bindings`: generated from `wit/`.
//! - `context`, `scope`, `meter`: the state of one call, what it may touch, what it has used.
//! - `blob_read` … `log`: an interface each, always in the same order: what it does, its state,
//!   `impl Host`, `add_to_linker`, tests.
//! - `table`: checks of the rows that cross a component's border.
//!
//! A capability must not know triggers, runs, the ledger, or who may import it: a component that
//! was not granted an interface is never linked to it, and what is checked here is scope.

pub(crate) mod bindings;
pub(crate) mod blob_list;
pub(crate) mod blob_read;
pub(crate) mod blob_write;
mod context;
#[cfg(test)]
pub(crate) mod fuzz;
pub(crate) mod log;
mod meter;
pub(crate) mod models;
pub(crate) mod queue;
pub(crate) mod registry_propose;
pub(crate) mod registry_read;
mod scope;
pub(crate) mod table;
pub(crate) mod transforms;

pub use bindings::septet::transform::tables;

pub(crate) use context::{Context, Granted, View, Viewed};
pub(crate) use meter::Meter;
pub(crate) use scope::{Model, Scope};
pub(crate) use septet_core::text::clean;

/// What a host function gives: the guest's answer, or a trap.
type Answer<T, E> = wasmtime::Result<Result<T, E>>;
