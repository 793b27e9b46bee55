//! Septet's host: runs MLOps stages as sandboxed WebAssembly components.
//!
//! Data flows one way: trigger → host → grants → component → outcome → store.

pub mod capability;
pub mod components;
pub mod distribution;
pub mod external;
pub mod package;
pub mod secret;
mod shadow;
pub mod stage;
pub mod store;
pub mod swap;
pub mod telemetry;
mod tls;
pub mod trigger;

pub use septet_core::{contract, failpoint, pipeline, trust};
