//! Requests over HTTP/1.1, in JSON: runs are created and looked at, and rows are predicted at once.
//!
//! # Layout
//! - `server`, `patient`: connections, how long they may take and how they end.
//! - `routes`, `guard`, `key`, `settings`: what there is, who may ask for it, and how much of it.
//! - `intake`, `refusal`, `blame`: bodies on their way in, and errors on their way out.
//! - `health`, `blobs`, `wish`, `options`, `submit`: what is asked for becomes a run.
//! - `runs`, `artifacts`, `lists`: what there is of runs, queues and models.
//! - `predict`, `models`, `model`, `records`, `moment`, `columns`, `answer`: rows to predictions by
//!   models that are kept loaded.
//!
//! A run is created and never worked on here: that is a worker's, in this process or another. No
//! path of this machine is taken from a client, and none is told. This module must not know what a
//! stage does.

mod answer;
mod artifacts;
mod blame;
mod blobs;
mod columns;
mod guard;
mod health;
mod intake;
mod key;
mod lists;
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
mod submit;
mod wish;

pub(super) use blame::is_fault;
pub use key::Key;
pub use server::{Api, serve};
pub(super) use server::{listen, router};
pub use settings::HttpSettings;
