//! Requests over HTTP/1.1, in JSON: runs are created and looked at, and rows are predicted at once.
//!
//! # Layout
//! - `server`, `patient`: connections, how long they may take and how they end.
//! - `routes`, `guard`, `key`, `settings`: what there is, who may ask for it, and how much of it.
//! - `intake`, `refusal`, `blame`: bodies on their way in, and errors on their way out.
//! - `health`, `blobs`, `wish`, `options`, `submit`: what is asked for becomes a run.
//! - `runs`, `artifacts`, `lists`: what there is of runs, queues and models.
//! - `stages`: which component of a stage is in force, and another one in its place.
//! - `predict`, `model`, `records`, `moment`, `columns`, `answer`: rows to predictions.
//! - `models`, `loaded`, `aside`: what a name stands for now, the models that are kept loaded, and
//!   threads for what nobody waits for.
//! - `canary`, `trying`, `mirror`: components that are tried on a share of the requests, or on copies.
//!
//! A run is created and never worked on here: that is a worker's, in this process or another. No
//! path of this machine is taken from a client, and none is told. This module must not know what a
//! stage does.

mod answer;
mod artifacts;
mod aside;
mod blame;
mod blobs;
mod canary;
mod columns;
mod guard;
mod health;
mod intake;
mod key;
mod lists;
mod loaded;
mod mirror;
mod model;
mod models;
mod moment;
mod options;
mod patient;
mod predict;
mod records;
mod refusal;
mod routes;
mod runs;
mod server;
mod settings;
mod stages;
mod submit;
mod trying;
mod wish;

pub use aside::Aside;
pub(super) use blame::is_fault;
pub use key::Key;
pub use server::{Api, serve};
pub(super) use server::{listen, router};
pub use settings::HttpSettings;
