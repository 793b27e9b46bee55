//! What a stage may ask for on Spin, in one component: the same interfaces, scopes and limits as our
//! own host has, over Spin's key-value store.
//!
//! A gateway says by the private interface `session` (wit/spin.wit) what one call may touch, and hears
//! from it what the call did. What is not within a call is denied. Spin gives each request an instance
//! of its own, so there is one call at a time and nothing is left of it.
//!
//! It imports the key-value store by its WASI draft and not through spin-sdk, so that any host with
//! that interface can answer. It must not know runs or stages, and commits nothing.
//!
//! # Layout
//! - [`scope`]: what a call may touch
//! - [`call`]: what a call did, within the limits; `written`, `lines`: parts of it
//! - [`bucket`]: the key-value store
//! - [`component`]: bindings; `session`, `blobs`, `requests`: the interfaces

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        dead_code,
        reason = "what uses it is for WebAssembly; elsewhere only its tests are built"
    )
)]

#[cfg(any(target_arch = "wasm32", test))]
mod call;
#[cfg(any(target_arch = "wasm32", test))]
mod lines;
#[cfg(any(target_arch = "wasm32", test))]
mod scope;
#[cfg(any(target_arch = "wasm32", test))]
mod written;

#[cfg(target_arch = "wasm32")]
mod blobs;
#[cfg(target_arch = "wasm32")]
mod bucket;
#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod requests;
#[cfg(target_arch = "wasm32")]
mod session;
