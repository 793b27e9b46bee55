//! Calls a stage from HTTP on Spin. One gateway serves any stage: which one it calls was settled by
//! whoever composed them.
//!
//! - `PUT …/blobs` stores the body and answers its address.
//! - `GET …/blobs/<digest>` answers a blob.
//! - `POST …` with an invocation as JSON (`inputs`, `parameters`, `seed`) answers the outcome: 200;
//!   422 where the input can never work; 503 with `retry-after`; 500 for a fault.
//!
//! It reaches blobs through the same capabilities as the stage, so that it need not know how they
//! are stored.
//!
//! # Layout
//! - [`wire`]: the JSON of requests and answers
//! - [`component`]: bindings and mapping

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod wire;
