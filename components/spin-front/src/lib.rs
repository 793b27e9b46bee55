//! The front door of a pipeline on Spin: data, runs and models over HTTP.
//!
//! It creates runs by the core and has the stages' gateways work until a run is done, each by one
//! request to a component of the same application. It runs no stage and holds no state: whatever it
//! was doing when it was stopped, a sweep goes on with.
//!
//! - `PUT /blobs` stores the body and answers its digest, `GET /blobs/<digest>` answers a blob.
//! - `POST /runs` creates a run and works until it is done: 201, or 202 where that takes longer.
//! - `GET /runs`, `GET /runs/<run>` tell of runs; `POST /runs/<run>/cancel` ends one.
//! - `POST /sweep` picks up what was left and works until nothing is due: for a timer.
//! - `POST /tidy` takes away what calls that were broken off have left: once a day is often enough.
//! - `GET /models`, `GET /models/<name>` tell of the registry.
//!
//! # Layout
//! - `component`: routes
//! - `blobs`: data
//! - `wish`: what a client asks for, as a run's request
//! - `drive`: has the gateways work
//! - `stages`: the gateways, over HTTP
//! - `view`: what there is

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        dead_code,
        reason = "what uses it is for WebAssembly; elsewhere only its tests are built"
    )
)]

#[cfg(target_arch = "wasm32")]
mod blobs;
#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod drive;
#[cfg(target_arch = "wasm32")]
mod stages;
#[cfg(target_arch = "wasm32")]
mod view;
mod wish;
