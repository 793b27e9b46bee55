//! A user's transform for Septet: adds the ratio of two columns.
//!
//! - `ratio`: the logic of one row, plain Rust, tested by `cargo test`
//! - `component`: the columns around it; compiled for WebAssembly only

pub mod ratio;

#[cfg(target_arch = "wasm32")]
mod component;
