//! Predictions of registered models on Spin, by the Open Inference Protocol (version 2, over HTTP with
//! JSON: <https://github.com/kserve/open-inference-protocol>).
//!
//! It asks the registry which version a name stands for, and the infer component beside it for the
//! predictions: there is one prediction path. It writes nothing.
//!
//! - `GET /v2`, `/v2/health/live`, `/v2/health/ready`, `/v2/models/<name>[/versions/<n>]/ready`
//! - `POST /v2/models/<name>[/versions/<n>]/infer`
//!
//! # Layout
//! - `component`: bindings and routes
//! - `predict`: from a name to a model's predictions
//! - `protocol`: the JSON of requests and answers
//! - `tensor`: the tensors in it

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        dead_code,
        reason = "what uses it is for WebAssembly; elsewhere only its tests are built"
    )
)]

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod predict;
pub mod protocol;
pub mod tensor;
