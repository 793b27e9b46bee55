//! Answers the capability `models` with the infer component that is composed in, twice.
//!
//! An instance of infer holds one model, and may be given another: `load` again replaces it. With two
//! instances a champion and its challenger are both loaded, and a third model takes the place of the
//! one that was asked longest ago. Models are loaded within capabilities of their own, so that a
//! model touches its bundle and its transforms and nothing else of the call.
//!
//! A model is predicted with the infer component that it was registered with, or not at all: which one
//! is here it knows from a component of data beside it.
//!
//! # Layout
//! - [`slots`]: which instance holds which model
//! - [`component`]: bindings and mapping

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        dead_code,
        reason = "what uses it is for WebAssembly; elsewhere only its tests are built"
    )
)]

#[cfg(any(target_arch = "wasm32", test))]
mod slots;

#[cfg(target_arch = "wasm32")]
mod component;
