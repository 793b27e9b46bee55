//! How a component runs: engines, the catalog of loaded components, grants, limits and calls.
//!
//! # Layout
//! - `limits`, `grants`: the numbers and the rights, as data.
//! - `engine`, `native`, `shipped`: wasmtime's two engines, the cache of native code, and that of a package.
//! - `scan`, `compiler`, `compiling`: a look at a component, its compilation in a process of its own, and that process.
//! - `fit`, `linker`, `wasi`, `shelf`, `catalog`: what a component may import, and which ones are loaded.
//! - `session`, `instance`, `ended`, `outcome`: one call in a fresh store, and how it ended.
//! - `sandbox`, `predictor`, `transform`: components that a capability runs for another component.
//! - `admission`: whether a user transform keeps its contract.
//! - `control`, `pulse`, `run`: who asks for a call, watches it and may stop it.
//! - `outside`: external stages in components' places.
//!
//! This module must not know triggers, runs or the ledger: a call comes in, what it did goes out.

mod admission;
mod catalog;
mod compiler;
mod compiling;
mod control;
mod ended;
mod engine;
mod fit;
#[cfg(test)]
mod fuzz;
mod grants;
mod instance;
mod linker;
mod native;
mod outcome;
mod outside;
mod predictor;
mod pulse;
mod run;
mod sandbox;
mod scan;
mod session;
mod shelf;
mod shipped;
mod transform;
mod wasi;

pub(crate) use admission::rows::{to_kit, to_wit};
pub use admission::{Column as TransformColumn, NotAdmitted, TransformReport, Unusual};
pub use catalog::{Catalog, Embedded, LoadError};
pub use compiler::Compiler;
pub use compiling::{Bounds, compile_component};
pub use control::{Control, Progress, Stopper};
pub use engine::Engines;
pub use fit::Report;
pub use grants::{Capability, Grants};
pub use native::NativeCache;
pub use predictor::{EarlyEnd, PredictError, Predictor};
pub use run::{Own, StageExecutor};
pub use septet_core::limits::{self, Exceeded, Limits};
pub use shipped::{Shipped, ToShip, precompile};
pub use wasi::Inert;

pub use crate::capability::bindings::exports::septet::pipeline::predictor::{Feature, Signature};

pub(crate) use ended::HostFault;
pub(crate) use fit::is_import;
pub(crate) use pulse::{Busy, Pulse};
