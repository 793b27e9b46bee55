//! The stage {{stage}} of Septet, written anew.
//!
//! - `work`: what the stage does, plain Rust, tested by `cargo test`
//! - `component`: inputs, outputs and errors around it; compiled for WebAssembly only
{{infer}}//! - `predictor`: rows to predictions on request, likewise

pub mod work;

#[cfg(target_arch = "wasm32")]
mod component;
{{infer}}#[cfg(target_arch = "wasm32")]
{{infer}}mod predictor;
