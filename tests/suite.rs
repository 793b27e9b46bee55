//! The one test binary: behaviour through real components, the real binary and real folders,
//! against independent oracles.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod azure;
mod cli;
mod distribution;
mod durable;
mod external;
mod hosts;
mod monolith;
mod onnx;
mod oracles;
mod python;
mod sandbox;
mod serve;
mod setup;
mod shadow;
mod stage;
mod store;
mod support;
mod swap;
mod telemetry;
mod transform;
