//! Does a stage's work on Spin.
//!
//! One gateway serves any stage: which one it calls was settled by whoever composed them, and is
//! written into it. It is the host's own worker over another store: what a message asks for, the
//! ledger, the commit and what follows from it are septet-core's.
//!
//! - `GET /<stage>` tells what the application was composed of.
//! - `POST /<stage>/work` takes messages from the stage's queue for as long as there are any, but not
//!   for much longer than half a minute, and tells how many were handled.
//!
//! # Layout
//! - `component`: bindings and routes
//! - `composed`: the stage beside it, as the worker's executor
//! - `effects`: what a call did, in the core's words

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod composed;
#[cfg(target_arch = "wasm32")]
mod effects;
