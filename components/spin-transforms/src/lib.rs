//! Answers the capability `transforms` with a transform that is composed in.
//!
//! Our host runs each transform that a digest names in a sandbox of its own. Where components are only
//! composed, as on Spin, this one stands before one transform, and asks the next of its kind for what
//! has another digest. It knows its transform's digest from a component of data beside it, asks
//! whether the call may apply it, and holds batches and answers to what our host holds them to: so
//! that the same bytes come of it.
//!
//! What it can't do is give each batch an instance of its own: a transform lives as long as its
//! request. That it depends on nothing but its rows was tried when it was added.
//!
//! # Layout
//! - [`rows`]: checks of what crosses the border
//! - [`promise`]: what a transform says of itself, and whether it keeps it
//! - [`component`]: bindings and mapping

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        dead_code,
        reason = "what uses it is for WebAssembly; elsewhere only its tests are built"
    )
)]

#[cfg(any(target_arch = "wasm32", test))]
mod promise;
#[cfg(any(target_arch = "wasm32", test))]
mod rows;

#[cfg(target_arch = "wasm32")]
mod component;
