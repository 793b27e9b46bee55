//! Septet's host: runs MLOps stages as sandboxed WebAssembly components.
//!
//! Data flows one way: trigger → host → grants → component → outcome → store.

pub mod contract;
pub mod pipeline;
pub mod store;
